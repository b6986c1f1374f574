"""The rules of docs/COMPARE.md once more, slowly and plainly, to hold the server's comparison against.

A run here is a dict: column, cache, kind, board, state, faults, warnings, plan [{id, name, kind}], results [{id, test_id, test,
cell, kind, verdict, warned}]. What is known to fail is [(test, pattern of cells, cache)]."""

import fnmatch
import math

CLASSES = ["unknown", "vivt", "vipt-aliasing", "vipt-nonaliasing", "pipt", "none"]
WORST = ["pass", "skip", "missing", "inconclusive", "error", "warned", "fail"]


def own_results(run):
    """The run's own results of tests, with those that did not come."""
    results = list(run["results"])
    there = {r["test_id"] for r in results if r["cell"] == ""}
    for test in run["plan"]:
        if test["id"] not in there:
            verdict = "pending" if run["state"] in ("queued", "running") else "missing"
            results.append({"id": 0, "test_id": test["id"], "test": test["name"], "cell": "", "kind": test["kind"],
                            "verdict": verdict, "warned": False})
    return results


def seen(results, verdict):
    return sum(1 for r in results if r["verdict"] == verdict)


def tally_of(runs, column, test, cell):
    """Everything that column says about the row."""
    boards = {}
    found = []
    for run in runs:
        if run["column"] != column:
            continue
        for r in own_results(run):
            if (r["test"], r["cell"]) == (test, cell):
                found.append(r)
                boards.setdefault(run["board"], []).append(r)
    t = {v: seen(found, v) for v in ("pass", "fail", "skip", "missing", "pending")}
    t["other"] = seen(found, "error") + seen(found, "inconclusive")
    t["warned"] = sum(1 for r in found if r["verdict"] == "pass" and r["warned"])
    t["agree"] = set()
    for said in boards.values():
        told = [r for r in said if r["verdict"] in ("pass", "fail")]
        bad = [r for r in told if r["verdict"] == "fail" or r["warned"]]
        if told:
            t["agree"].add("clean" if not bad else "bad" if len(bad) == len(told) else "mixed")
    t["worst"] = max((WORST.index("warned" if r["warned"] and r["verdict"] == "pass" else r["verdict"])
                      for r in found if r["verdict"] != "pending"), default=-1)
    return t


def follow_test(cell, own):
    """A cell's results that did not come."""
    came = sum(cell[v] for v in ("pass", "fail", "skip", "other", "missing"))
    planned = sum(own[v] for v in ("pass", "fail", "other", "missing"))
    if came == 0 and own["pass"] > 0:
        return
    cell["skip"] += own["skip"]
    cell["pending"] += own["pending"]
    cell["missing"] += max(0, planned - came)


def state_of(t):
    told = t["pass"] + t["fail"]
    bad = t["fail"] + t["warned"]
    if not any(t[v] for v in ("pass", "fail", "skip", "other", "missing", "pending")):
        return "absent"
    if t["agree"] == {"clean", "bad"}:
        return "conflict"
    if bad:
        return "bad" if bad == told else "mixed"
    if t["other"] or t["missing"] or t["pending"]:
        return "unknown"
    return "clean" if told else "skip"


def surprising(mixed, clean):
    rate = (mixed["fail"] + mixed["warned"]) / (mixed["pass"] + mixed["fail"])
    return (1 - rate) ** (clean["pass"] + clean["fail"]) <= 0.05


def change_of(first, last, kind):
    a, b = first["state"], last["state"]
    if a == "absent":
        change = "no-verdict" if b == "absent" else "new"
    elif b == "absent":
        change = "gone"
    elif "conflict" in (a, b):
        change = "conflict"
    elif b == "skip":
        change = "skipped"
    elif {a, b} & {"unknown", "skip"}:
        change = "no-verdict"
    elif (a, b) == ("clean", "clean"):
        change = "still-passing"
    elif (a, b) == ("bad", "bad"):
        change = "still-failing"
    elif a == "clean":
        change = "regressed" if surprising(last, first) else "flaky"
    elif b == "clean":
        change = "fixed" if surprising(first, last) else "flaky"
    else:
        change = "flaky"
    if kind != "contract" and change in ("regressed", "still-failing", "flaky", "conflict"):
        change = "expected-gap"
    elif change in ("still-failing", "flaky", "conflict") and first["known"] + last["known"] > 0 and \
            (first["known"], last["known"]) == (first["fail"], last["fail"]):
        change = "known-failing"
    return change


def told(t):
    return t["pass"] + t["fail"]


def bad(t):
    return t["fail"] + t["warned"]


def change_of_row(tallies, kind):
    change = change_of(tallies[0], tallies[-1], kind)
    if change in ("still-failing", "flaky", "known-failing"):
        for middle in tallies[1:-1]:
            if (change_of(tallies[0], middle, kind), change_of(middle, tallies[-1], kind)) == ("fixed", "regressed"):
                return "fixed-then-lost"
    return change


def fisher(a, b):
    """The chance of a table no likelier than that of these two tallies, all sums given."""
    n1, n2, k = told(a), told(b), bad(a) + bad(b)
    if n1 == 0 or n2 == 0:
        return None
    ways = [math.comb(n1, i) * math.comb(n2, k - i) for i in range(k + 1)]
    return sum(w for w in ways if w <= ways[bad(a)] * (1 + 1e-7)) / math.comb(n1 + n2, k)


def column_of(runs, rows, column):
    mine = [run for run in runs if run["column"] == column]
    c = {v: 0 for v in ("pass", "fail", "skip", "other", "missing", "gap_fail", "known_fail")}
    red = green = unsure = 0
    for row in rows:
        t = row["tallies"][column]
        contract, own = row["kind"] == "contract", row["cell"] == ""
        finer = own and any(r["test"] == row["test"] and r["cell"] and r["kind"] != "contract" for r in rows)
        if contract:
            red += t["fail"] - t["known"]
        elif not finer:
            c["gap_fail"] += t["fail"]
        if own:
            for v in ("pass", "skip", "other", "missing"):
                c[v] += t[v]
            if contract:
                c["fail"] += t["fail"] - t["known"]
                c["known_fail"] += t["known"]
                green += t["pass"]
                unsure += t["other"]
    c["runs"] = len(mine)
    c["faults"] = sum(run["faults"] for run in mine)
    c["warnings"] = sum(run["warnings"] for run in mine)
    if any(run["state"] in ("queued", "running") for run in mine):
        c["state"] = "running"
    elif red or c["warnings"]:
        c["state"] = "fail"
    elif not mine:
        c["state"] = "no-verdict"
    elif c["missing"] or unsure or any(run["state"] in ("failed", "cancelled") for run in mine):
        c["state"] = "incomplete"
    else:
        c["state"] = "pass" if green else "no-verdict"
    return c


def mark_known(rows, known, cache):
    """Which failures are known: of a cell all, of a test those in columns where each failing contract cell is known."""
    for row in rows:
        for t in row["tallies"]:
            t["known"] = 0
    for row in rows:
        if row["cell"] and any((test, c) == (row["test"], cache) and fnmatch.fnmatchcase(row["cell"], cells)
                               for test, cells, c in known):
            for t in row["tallies"]:
                t["known"] = t["fail"]
    for own in rows:
        if own["cell"]:
            continue
        cells = [row for row in rows if row["cell"] and row["test"] == own["test"] and row["kind"] == "contract"]
        for c, t in enumerate(own["tallies"]):
            fail = sum(row["tallies"][c]["fail"] for row in cells)
            if fail and fail == sum(row["tallies"][c]["known"] for row in cells):
                t["known"] = t["fail"]


def rows_of(runs, columns, expected, cache):
    known = {}
    for run in runs:
        for r in own_results(run):
            key = (r["test"], r["cell"])
            row = known.setdefault(key, {"test": r["test"], "cell": r["cell"], "kind": r["kind"], "order": r["test_id"]})
            row["order"] = min(row["order"], r["test_id"])
            row["kind"] = min(row["kind"], r["kind"], key=["contract", "gap", "info"].index)
    for (test, cell), row in known.items():
        row["tallies"] = [tally_of(runs, c, test, cell) for c in range(columns)]
    for (test, cell), row in known.items():
        own = known.get((test, ""))
        if cell and own:
            row["order"] = own["order"]
            for c in range(columns):
                follow_test(row["tallies"][c], own["tallies"][c])
    rows = sorted(known.values(), key=lambda row: (row["order"], row["test"], row["cell"]))
    mark_known(rows, expected, cache)
    for row in rows:
        for c, t in enumerate(row["tallies"]):
            t["state"] = state_of(t) if any(run["column"] == c for run in runs) else "unknown"
        row["change"] = change_of_row(row["tallies"], row["kind"])
        row["p"] = fisher(row["tallies"][0], row["tallies"][-1])
    return rows


def compare(runs, columns, known=()):
    """[(cache, kind, columns, rows)] in the order of the API."""
    groups = {}
    for run in runs:
        groups.setdefault((CLASSES.index(run["cache"]), run["kind"]), []).append(run)
    answer = []
    for key in sorted(groups):
        rows = rows_of(groups[key], columns, known, CLASSES[key[0]])
        answer.append((CLASSES[key[0]], key[1], [column_of(groups[key], rows, c) for c in range(columns)], rows))
    return answer
