"""What the runs of kill-matrix mean: which tests a control makes fail that the stock kernel passes, whether these are the
expected ones, and the report. No farm in here; an observation is a dict

    {"board", "cache", "kernel", "variant", "release", "build_id", "seconds": of all runs, "fault": null or text,
     "boots": whether the last one got over the boot,
     "tests": {NAME: {"program": SHA, "results": [result of docs/API.md, ...]}}}"""

import controls as ctl

# What a place in the grid says.
LEGEND = (
    ("K", "fails, as expected"),
    ("k", "fails, which nobody had predicted"),
    ("!", "should fail, and does not"),
    ("X", "fails, although it must pass"),
    ("F", "cures what the stock kernel fails"),
    ("D", "should cure it, and does not"),
    ("s", "fails as on the stock kernel"),
    ("-", "skipped or inconclusive"),
    (".", "passes"),
    (" ", "not run"),
)
BROKEN = ("fail", "error", "missing")  # an error where the stock kernel has none: the control killed the test


def places(observation, test=None):
    """(test, cell) -> result of everything that was run; the cell of a test's own result is None."""
    return {(name, result["cell"]): result for name, entry in observation["tests"].items() if test in (None, name)
            for result in entry["results"]}


def failing(observation, test=None):
    """The places that failed; a test whose cells failed is there by its cells, one that died by itself."""
    found = {place for place, result in places(observation, test).items() if result["verdict"] in BROKEN}
    with_cells = {name for name, cell in found if cell is not None}
    return {(name, cell) for name, cell in found if cell is not None or name not in with_cells}


def new_failures(stock, observed):
    """Places that fail here and not on the stock kernel."""
    known = failing(stock)
    known_tests = {name for name, _ in known}
    # A test that fails by itself on both is nothing new, even if it fails by cells on one of them only.
    return {(name, cell) for name, cell in failing(observed)
            if (name, cell) not in known and not (cell is None and name in known_tests)}


def cured(stock, observed):
    """Places that failed on the stock kernel and pass here."""
    here = places(observed)
    return {place for place in failing(stock) if here.get(place, {}).get("verdict") == "pass"}


def covered(pattern, failures):
    """Whether one of the failures is of the pattern. A test that died as a whole is of each of its variants."""
    return any(ctl.matches(pattern, name, cell) or (cell is None and ctl.matches(pattern.partition(":")[0], name, None))
               for name, cell in failures)


def was_run(pattern, *observations):
    """Whether each observation has a verdict, pass or broken, of the pattern."""
    def ran(observation):
        return any(result["verdict"] == "pass" or result["verdict"] in BROKEN
                   for (name, cell), result in places(observation).items() if ctl.matches(pattern, name, cell))
    return all(ran(observation) for observation in observations)


def judge(expected, stock, observed):
    """What an observation says about an expectation: a dict of lists of patterns and tests, and the verdict in one word."""
    failures, cures = new_failures(stock, observed), cured(stock, observed)
    left = failing(observed)
    kills = expected["kills"] if expected else []
    fixes = expected.get("fixes", []) if expected else []
    passes = [pattern for pattern in (expected["passes"] if expected else []) if covered(pattern, failures)]
    said = {
        "seen": [pattern for pattern in kills if covered(pattern, failures)],
        "not_seen": [pattern for pattern in kills if not covered(pattern, failures) and was_run(pattern, observed)],
        "not_run": [pattern for pattern in kills + fixes if not was_run(pattern, observed) and not covered(pattern, failures)],
        "also": sorted({name for name, cell in failures if not any(covered(pattern, {(name, cell)}) for pattern in kills)}),
        "must_pass": passes,
        "cured": [pattern for pattern in fixes if covered(pattern, cures) and not covered(pattern, left)],
        "not_cured": [pattern for pattern in fixes if was_run(pattern, observed) and (not covered(pattern, cures) or covered(pattern, left))],
        "died": sorted({name for name, cell in failures if cell is None and
                        places(observed).get((name, None), {}).get("verdict") in ("error", "missing")}),
        "classes": sorted({result["class"] for place in failures if (result := places(observed).get(place)) and result.get("class")}),
    }
    dead = not observed["tests"] and not observed.get("boots", True)
    said["verdict"] = "does not boot" if dead else verdict_of(said, kills, fixes, failures)
    return said


def verdict_of(said, kills, fixes, failures):
    if fixes:
        return "fixed" if said["cured"] and not said["not_cured"] and not said["must_pass"] else \
            "not run" if said["not_run"] == fixes else "not fixed"
    if not kills:
        return "survived" if not failures else "killed after all"
    if said["not_run"] == kills:
        return "not run"
    if not said["seen"]:
        return "survived" if not failures else "killed by others"
    return "killed" if not said["not_seen"] else "killed in part"


def letter(control, cache, stock, observed, test):
    """The place of a test in the grid."""
    if test not in observed["tests"]:
        return " "
    expected = (control or {"expected": {}})["expected"].get(cache) or {"kills": [], "passes": []}
    results = [result for (name, _), result in places(observed, test).items()]
    failures = {place for place in new_failures(stock, observed) if place[0] == test}
    here = [pattern for pattern in expected["kills"] if ctl.matches(pattern.partition(":")[0], test, None)]
    fixes = [pattern for pattern in expected.get("fixes", []) if ctl.matches(pattern.partition(":")[0], test, None)]
    if failures:
        if any(covered(pattern, failures) for pattern in expected["passes"]):
            return "X"
        return "K" if any(covered(pattern, failures) for pattern in here) else "k"
    if fixes and failing(stock, test):
        healed = {place for place in cured(stock, observed) if place[0] == test}
        return "F" if all(covered(pattern, healed) for pattern in fixes) else "D"
    if failing(observed, test):
        return "s"
    if not any(result["verdict"] == "pass" for result in results):
        return "-"
    return "!" if here else "."


def grid(board, observations, controls, tests):
    """Lines of text: a row a test, a column a control."""
    columns = [(name, observation) for name, observation in observations.items() if observation["board"] == board]
    heads = ["stock" if name == "stock" else next(c["id"] for c in controls if c["name"] == name) for name, _ in columns]
    tests = [test for test in tests if any(test in observation["tests"] for _, observation in columns)]
    width = max(map(len, tests), default=0)
    lines = [" " * width + "".join(f" {head:>{max(4, len(head))}}" for head in heads)]
    for test in tests:
        row = f"{test:<{width}}"
        for head, (name, observation) in zip(heads, columns):
            control = next((c for c in controls if c["name"] == name), None)
            mark = letter(control, observation["cache"], observation["stock"], observation, test)
            row += f" {mark:>{max(4, len(head))}}"
        lines.append(row.rstrip())
    return lines
