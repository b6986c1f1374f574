"""KCIDB's schema 5.3 as JSON Schema (draft 7), written from its description: no member that it does not know, no null."""

ORIGIN = {"type": "string", "pattern": "^[a-z0-9_]+$"}
ID = {"type": "string", "pattern": "^[a-z0-9_]+:.*"}
TEXT = {"type": "string"}
TIME = {"type": "string", "format": "date-time",
        "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"}
URL = {"type": "string", "format": "uri", "pattern": "^https://"}
EXCERPT = {"type": "string", "maxLength": 16384}
STATUS = {"type": "string", "enum": ["FAIL", "ERROR", "MISS", "PASS", "DONE", "SKIP"]}
MISC = {"type": "object"}


def thing(required, **properties):
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def list_of(items):
    return {"type": "array", "items": items}


RESOURCE = thing(["name", "url"], name={"type": "string", "pattern": "^[^/]+$"}, url=URL)
FILES = list_of(RESOURCE)

CHECKOUT = thing(
    ["id", "origin"], id=ID, origin=ORIGIN, tree_name=TEXT, git_repository_url=URL,
    git_commit_hash={"type": "string", "pattern": "^[0-9a-f]{40}$"}, git_commit_name=TEXT, git_commit_tags=list_of(TEXT),
    git_commit_message=TEXT, git_repository_branch=TEXT, git_repository_branch_tip={"type": "boolean"}, patchset_files=FILES,
    patchset_hash={"type": "string", "pattern": "^([0-9a-f]{64})?$"}, message_id={"type": "string", "pattern": "^[^<>]+$"},
    comment=TEXT, start_time=TIME, origin_builds_finish_time=TIME, origin_tests_finish_time=TIME, log_url=URL,
    log_excerpt=EXCERPT, valid={"type": "boolean"}, misc=MISC)

BUILD = thing(
    ["checkout_id", "id", "origin"], checkout_id=ID, id=ID, origin=ORIGIN, comment=TEXT, start_time=TIME,
    duration={"type": "number"}, architecture={"type": "string", "pattern": "^[a-z0-9_]*$"}, command=TEXT, compiler=TEXT,
    input_files=FILES, output_files=FILES, config_name=TEXT, config_url=URL, log_url=URL, log_excerpt=EXCERPT, status=STATUS,
    misc=MISC)

TEST = thing(
    ["build_id", "id", "origin"], build_id=ID, id=ID, origin=ORIGIN,
    environment=thing([], compatible=list_of(TEXT), comment=TEXT, misc=MISC),
    path={"type": "string", "pattern": r"^([a-zA-Z0-9_-]+(\.[a-zA-Z0-9_-]+)*)?$"}, comment=TEXT, log_url=URL,
    log_excerpt=EXCERPT, status=STATUS,
    number=thing(["value"], value={"type": "number"}, unit=TEXT, prefix={"type": "string", "enum": ["metric", "binary"]}),
    start_time=TIME, duration={"type": "number"}, input_files=FILES, output_files=FILES, misc=MISC)

ISSUE = thing(
    ["id", "version", "origin"], id=ID, version={"type": "integer"}, origin=ORIGIN, categories=list_of(TEXT), report_url=URL,
    report_subject=TEXT, culprit=thing([], code={"type": "boolean"}, tool={"type": "boolean"}, harness={"type": "boolean"}),
    comment=TEXT, misc=MISC)

INCIDENT = thing(
    ["id", "origin", "issue_id", "issue_version"], id=ID, origin=ORIGIN, issue_id=ID, issue_version={"type": "integer"},
    build_id=ID, test_id=ID, present={"type": "boolean"}, comment=TEXT, misc=MISC)

SCHEMA = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    **thing(["version"],
            version=thing(["major"], major={"const": 5}, minor={"type": "integer", "minimum": 0, "maximum": 3}),
            checkouts=list_of(CHECKOUT), builds=list_of(BUILD), tests=list_of(TEST), issues=list_of(ISSUE),
            incidents=list_of(INCIDENT)),
}


def complaints(document):
    """What the schema, or the links between the things in it, say against the document."""
    import jsonschema
    validator = jsonschema.Draft7Validator(SCHEMA, format_checker=jsonschema.FormatChecker())
    found = [f"{'/'.join(map(str, e.absolute_path))}: {e.message[:200]}" for e in validator.iter_errors(document)]
    ids = {name: [one["id"] for one in document.get(name, [])] for name in ("checkouts", "builds", "tests", "issues", "incidents")}
    for name, list_ in ids.items():
        if len(set(list_)) != len(list_):
            found.append(f"{name}: an id is there twice")
    for name, key, target in (("builds", "checkout_id", "checkouts"), ("tests", "build_id", "builds"),
                              ("incidents", "issue_id", "issues"), ("incidents", "test_id", "tests")):
        known = set(ids[target])
        found += [f"{name}: {one['id']}: no {key} {one[key]}" for one in document.get(name, []) if one[key] not in known]
    return found
