#!/usr/bin/env python3
"""controls.py [--check]: write what follows from controls.json, the header of each NAME.patch and the table in README.md; with
--check change nothing and name what differs. Other programs import it for the list of controls."""

import fnmatch
import json
import os
import sys
import textwrap

HERE = os.path.dirname(os.path.abspath(__file__))
# Cache classes as the expectations have them; -wa: allocates lines on writes, too.
CLASSES = ("vivt", "vivt-wa", "vipt-aliasing", "vipt-nonaliasing")
EVIDENCE = {
    "M": "measured here, docs/KILL-MATRIX.md",
    "E": "measured on another model of an ARM926 with real lines, not here",
    "P": "predicted, not measured",
}
BEGIN, END = "<!-- from controls.json: begin -->\n", "<!-- end -->\n"
WIDTH = 100


def load(path=os.path.join(HERE, "controls.json")):
    """The list of controls; SystemExit that names what is wrong with the file."""
    with open(path, encoding="utf-8") as file:
        controls = json.load(file)["controls"]
    for control in controls:
        problem = problem_of(control)
        if problem:
            sys.exit(f"{path}: {control.get('id')}: {problem}")
    for key in ("id", "name"):
        if len({control[key] for control in controls}) != len(controls):
            sys.exit(f"{path}: two controls have the same {key}")
    return controls


def problem_of(control):
    """What is wrong with a control's description, or None."""
    missing = {"id", "name", "kind", "kernels", "title", "breaks", "expected"} - control.keys()
    if missing:
        return f"no {', '.join(sorted(missing))}"
    if control["kind"] not in ("control", "fix"):
        return f"kind {control['kind']}"
    for cache, expected in control["expected"].items():
        if cache not in CLASSES or expected.get("evidence") not in EVIDENCE:
            return f"class {cache}, evidence {expected.get('evidence')}"
        if expected.keys() - {"evidence", "kills", "passes", "survives", "fixes", "note"}:
            return f"{cache}: fields {sorted(expected)}"
        if bool(expected["kills"] or expected.get("fixes")) == bool(expected.get("survives")):
            return f"{cache}: it kills or fixes something, or it survives for a reason"
        if (control["kind"] == "fix") != bool(expected.get("fixes")):
            return f"{cache}: a fix has what it fixes"
    return None


def matches(pattern, test, cell):
    """Whether a pattern of controls.json, TEST or TEST:VARIANT with * and ?, covers a cell (None: the test's own result)."""
    test_glob, _, variant = pattern.partition(":")
    if not fnmatch.fnmatchcase(test, test_glob):
        return False
    if not variant:
        return True
    return cell is not None and (fnmatch.fnmatchcase(cell, variant) or fnmatch.fnmatchcase(cell, variant + ",*"))


def patterns(control):
    """Every pattern that a control names."""
    return {pattern for expected in control["expected"].values()
            for field in ("kills", "passes", "fixes") for pattern in expected.get(field, ())}


def words(expected):
    """What is expected on one class, as sentences without their end."""
    said = []
    for field, verb in (("fixes", "must cure"), ("kills", "must fail")):
        if expected.get(field):
            said.append(f"{verb} {', '.join(expected[field])}")
    if expected.get("survives"):
        said.append(f"survives: {expected['survives']}")
    if expected["passes"] == ["*"]:
        said.append("must pass whatever the stock kernel passes")
    elif expected["passes"]:
        said.append(f"must pass {', '.join(expected['passes'])}")
    if expected.get("note"):
        said.append(f"note: {expected['note']}")
    return said


def filled(text, indent="", first=""):
    return textwrap.fill(text, WIDTH, initial_indent=first or indent, subsequent_indent=indent, break_long_words=False,
                         break_on_hyphens=False)


def header(control):
    """The text at the start of a control's patch."""
    what = "Negative control" if control["kind"] == "control" else "Fix"
    parts = [filled(f"{what} {control['id']}: {control['title']}."), filled(f"What it breaks: {control['breaks']}"
             if control["kind"] == "control" else control["breaks"])]
    lines = []
    for cache in CLASSES:
        if cache in control["expected"]:
            expected = control["expected"][cache]
            text = f"{'; '.join(words(expected))} ({EVIDENCE[expected['evidence']]})"
            lines.append(filled(text, " " * 20, f"  {cache:<16}  "))
    parts.append("Beyond what the stock kernel fails, on real caches only:\n" + "\n".join(lines))
    others = [cache for cache in CLASSES if cache not in control["expected"]]
    if others:
        parts.append(filled(f"On {', '.join(others)} everything must pass that the stock kernel passes."))
    parts.append("QEMU holds one copy of memory: everything passes there.")
    parts.append(f"Kernels: {', '.join(control['kernels'])}.")
    return "\n\n".join(parts) + "\n\n"


def table(controls):
    """The table of README.md."""
    lines = ["| | control | what it takes away | kernels | vivt | vivt-wa | vipt-aliasing | vipt-nonaliasing |", "|---|---|---|---|---|---|---|---|"]
    for control in controls:
        cells = []
        for cache in CLASSES:
            expected = control["expected"].get(cache)
            cells.append(f"{'; '.join(words(expected))} [{expected['evidence']}]" if expected else "")
        lines.append(f"| {control['id']} | `{control['name']}` | {control['title']} | {', '.join(control['kernels'])} | {' | '.join(cells)} |"
                     .replace("*", "\\*"))
    return "\n".join(lines) + "\n"


def patch_path(control):
    return os.path.join(HERE, control["name"] + ".patch")


def body_of(text):
    """The part of a patch that changes the source."""
    start = text.find("--- a/")
    return text[start:] if start == 0 or text[start - 1:start] == "\n" else ""


def wanted_files(controls):
    """Path and text of every file as it must be."""
    files = {}
    for control in controls:
        path = patch_path(control)
        if not os.path.exists(path):
            sys.exit(f"{control['id']}: no {path}")
        with open(path, encoding="utf-8") as file:
            body = body_of(file.read())
        if not body:
            sys.exit(f"{path}: no change in it")
        files[path] = header(control) + body
    path = os.path.join(HERE, "README.md")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    before, rest = text.split(BEGIN)
    files[path] = before + BEGIN + table(controls) + END + rest.split(END)[1]
    return files


def main():
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        sys.exit("usage: controls.py [--check]")
    controls = load()
    stray = {name[:-6] for name in os.listdir(HERE) if name.endswith(".patch")} - {control["name"] for control in controls}
    if stray:
        sys.exit(f"patches that controls.json does not have: {', '.join(sorted(stray))}")
    different = []
    for path, text in wanted_files(controls).items():
        with open(path, encoding="utf-8") as file:
            if file.read() == text:
                continue
        different.append(os.path.basename(path))
        if not check:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
    if check and different:
        sys.exit(f"not as controls.json says (jobs/controls/controls.py writes them): {', '.join(different)}")


if __name__ == "__main__":
    main()
