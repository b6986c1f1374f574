"""The rules of docs/COMPARE.md once more, slowly and plainly, to hold the server's comparison against.

A run here is a dict: column, cache, kind, board, state, faults, warnings, plan [{id, name, kind}], results [{id, test_id, test,
cell, kind, verdict, warned}], build_failed (text or None), values [{test_id, cell, name, unit, samples}]. What a column is: a dict
with role and expect, one a column. What is known to fail is [(pattern of tests, pattern of cells, cache, pattern of boards)].

The bootstrap's interval is not worked out here: what the tests measure is far enough from 1, or near enough, that the other
conditions decide."""

import fnmatch
import functools
import itertools
import math
import statistics

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
    """Of the last of these columns, against the first."""
    change = change_of(tallies[0], tallies[-1], kind)
    if change in ("still-failing", "flaky", "known-failing"):
        for middle in tallies[1:-1]:
            if (change_of(tallies[0], middle, kind), change_of(middle, tallies[-1], kind)) == ("fixed", "regressed"):
                return "fixed-then-lost"
    return change


def open_question(first, last):
    """Would more clean trials of the clean one decide? It is asked of flaky rows only."""
    return {first["state"], last["state"]} == {"clean", "mixed"}


def fisher(a, b):
    """The chance of a table no likelier than that of these two tallies, all sums given."""
    n1, n2, k = told(a), told(b), bad(a) + bad(b)
    if n1 == 0 or n2 == 0:
        return None
    ways = [math.comb(n1, i) * math.comb(n2, k - i) for i in range(k + 1)]
    return sum(w for w in ways if w <= ways[bad(a)] * (1 + 1e-7)) / math.comb(n1 + n2, k)


def column_of(runs, rows, column, revisions):
    mine = [run for run in runs if run["column"] == column]
    c = {v: 0 for v in ("pass", "fail", "skip", "other", "missing", "gap_fail", "known_fail", "undecided")}
    red = green = unsure = 0
    for row in rows:
        t = row["tallies"][column]
        contract, own = row["kind"] == "contract", row["cell"] == ""
        finer = own and any(r["test"] == row["test"] and r["cell"] and r["kind"] != "contract" for r in rows)
        if contract:
            red += t["fail"] - t["known"]
            if 0 < column <= revisions and row["changes"][column] == "flaky":
                c["undecided"] += open_question(row["tallies"][0], t)
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
    c["build_failed"] = bool([run for run in mine if run["build_failed"]])
    if c["build_failed"]:
        c["state"] = "no-verdict"
    elif any(run["state"] in ("queued", "running") for run in mine):
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


def is_known(known, row, cache, board):
    return any(c == cache and fnmatch.fnmatchcase(row["test"], test) and fnmatch.fnmatchcase(row["cell"], cells) and
               (boards is None or fnmatch.fnmatchcase(board, boards)) for test, cells, c, boards in known)


def fails_of(runs, column, row):
    """[board] of each failure."""
    return [run["board"] for run in runs if run["column"] == column for r in own_results(run)
            if (r["test"], r["cell"], r["verdict"]) == (row["test"], row["cell"], "fail")]


def mark_known(runs, rows, known, cache):
    """Which failures are known: of a cell, and of a test without cells, those that a pattern fits; of a test with cells those
    in columns where each failing contract cell is known."""
    for row in rows:
        for c, t in enumerate(row["tallies"]):
            t["known"] = sum(is_known(known, row, cache, board) for board in fails_of(runs, c, row))
    for own in rows:
        cells = [row for row in rows if row["cell"] and row["test"] == own["test"]]
        if own["cell"] or not cells:
            continue
        cells = [row for row in cells if row["kind"] == "contract"]
        for c, t in enumerate(own["tallies"]):
            fail = sum(row["tallies"][c]["fail"] for row in cells)
            t["known"] = t["fail"] if fail and fail == sum(row["tallies"][c]["known"] for row in cells) else 0


def rows_of(runs, columns, expected, cache, revisions):
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
    mark_known(runs, rows, expected, cache)
    for row in rows:
        for c, t in enumerate(row["tallies"]):
            mine = [run for run in runs if run["column"] == c]
            t["state"] = state_of(t) if mine and not any(run["build_failed"] for run in mine) else "unknown"
        row["changes"] = [change_of_row(row["tallies"][:c + 1], row["kind"]) for c in range(revisions + 1)]
        row["change"] = row["changes"][-1]
        row["p"] = fisher(row["tallies"][0], row["tallies"][revisions])
    return rows


# --- controls

def controls_of(rows, specs, cache):
    """[(column, test, fails | passes | no-verdict)] of what must fail here."""
    answer = []
    for c, spec in enumerate(specs):
        for test in spec["expect"].get(cache, []) if spec["role"] == "control" else []:
            mine = [row for row in rows if row["test"] == test]
            if any(bad(row["tallies"][c]) for row in mine):
                answer.append((c, test, "fails"))
            elif any(row["cell"] == "" and row["tallies"][c]["state"] == "clean" for row in mine):
                answer.append((c, test, "passes"))
            else:
                answer.append((c, test, "no-verdict"))
    return answer


def sense_of(controls):
    words = [seen for _, _, seen in controls]
    if not words:
        return None
    return "not-sensitive" if "passes" in words else "no-verdict" if "no-verdict" in words else "sensitive"


# --- costs

@functools.lru_cache(None)
def ways(m, n, u):
    """Orders of m and n values in which u pairs are the wrong way round."""
    if u < 0:
        return 0
    if m == 0 or n == 0:
        return int(u == 0)
    return ways(m - 1, n, u - n) + ways(m, n - 1, u)


def mann_whitney(x, y):
    u = sum((a > b) + (a == b) / 2 for a in x for b in y)
    n, everything = len(x) + len(y), len(x) * len(y)
    ties = [sum(1 for _ in group) for _, group in itertools.groupby(sorted(x + y))]
    if max(ties) == 1 and n <= 50:
        tail = int(min(u, everything - u))
        return min(1, 2 * sum(ways(len(x), len(y), v) for v in range(tail + 1)) / math.comb(n, len(x)))
    variance = everything / 12 * (n + 1 - sum(t ** 3 - t for t in ties) / (n * (n - 1)))
    if variance <= 0:
        return 1
    return min(1, math.erfc((abs(u - everything / 2) - 0.5) / math.sqrt(2 * variance)))


def samples_of(runs):
    """{(test, cell, name, unit, board): {column: samples}} of cells that passed in runs that ended; the first 64, by whole runs."""
    answer = {}
    for run in runs:
        verdicts = {(r["test_id"], r["cell"]): r["verdict"] for r in run["results"]}
        names = {r["test_id"]: r["test"] for r in run["results"] if r["cell"] == ""}
        for value in run["values"] if run["state"] not in ("queued", "running") else []:
            verdict = verdicts.get((value["test_id"], value["cell"]), verdicts.get((value["test_id"], "")))
            if verdict != "pass" or value["test_id"] not in names:
                continue
            key = (names[value["test_id"]], value["cell"], value["name"], value["unit"], run["board"])
            samples = answer.setdefault(key, {}).setdefault(run["column"], [])
            if len(samples) + len(value["samples"]) <= 64:
                samples += value["samples"]
    return answer


def mad(values):
    middle = statistics.median(values)
    return statistics.median(abs(v - middle) for v in values)


def costs_of(runs, columns):
    """{key: {column: None | "~" | "more" | "less"}} and what of each column is compared."""
    table = samples_of(runs)
    compared = [sum(c in row and 0 in row for row in table.values()) if c else 0 for c in range(columns)]
    answer = {}
    for key, row in table.items():
        answer[key] = {}
        for c, samples in row.items():
            if c == 0 or 0 not in row:
                answer[key][c] = None
                continue
            a, b = statistics.median(row[0]), statistics.median(samples)
            ratio = a / b if key[3].endswith("/s") else b / a
            shown = mann_whitney(row[0], samples) * compared[c] <= 0.05 and abs(ratio - 1) > 0.03 and \
                abs(a - b) > 3 * max(mad(row[0]), mad(samples))
            answer[key][c] = "~" if not shown else "more" if ratio > 1 else "less"
    return answer, compared


# --- the verdict on a revision

def judge(kind, rows, columns, c, revisions, sense, dearer):
    column = columns[c]
    if column["build_failed"] or not column["runs"] or column["state"] == "running":
        return "no-verdict"
    base_ran = columns[0]["runs"] and not columns[0]["build_failed"]
    contract = [row for row in rows if row["kind"] == "contract"]
    failing = [row for row in contract if bad(row["tallies"][c]) > row["tallies"][c]["known"]]
    for row in failing:
        change, base_bad = row["changes"][c], bad(row["tallies"][0])
        if change in ("regressed", "fixed-then-lost", "new"):
            return "bad"
        if change != "conflict" and base_bad and "fixed" in row["changes"][1:] and \
                change in ("still-failing", "flaky", "known-failing"):
            return "bad"
    if column["warnings"] and base_ran and not columns[0]["warnings"]:
        return "bad"
    lacks = any(row["changes"][c] == "gone" and row["cell"] == "" for row in contract)
    doubt = any(row["changes"][c] in ("flaky", "conflict") and bad(row["tallies"][0]) > row["tallies"][0]["known"] for row in contract)
    if failing or doubt or lacks or column["state"] != "pass":
        return "no-verdict"
    if kind in ("qemu", "host") or sense in ("not-sensitive", "no-verdict"):
        return "no-verdict"
    return "costs" if dearer else "good"


def compare(runs, specs, known=()):
    """[{cache, kind, columns, rows, sense, controls, costs}] in the order of the API."""
    count = len(specs)
    revisions = max([c for c, spec in enumerate(specs) if spec["role"] != "control"])
    groups = {}
    for run in runs:
        groups.setdefault((CLASSES.index(run["cache"]), run["kind"]), []).append(run)
    answer = []
    for key in sorted(groups):
        mine, cache = groups[key], CLASSES[key[0]]
        rows = rows_of(mine, count, known, cache, revisions)
        columns = [column_of(mine, rows, c, revisions) for c in range(count)]
        controls = controls_of(rows, specs, cache)
        sense = sense_of(controls)
        costs, compared = costs_of(mine, count)
        for c in range(1, revisions + 1):
            dearer = any(row.get(c) == "more" for row in costs.values())
            columns[c]["verdict"] = judge(key[1], rows, columns, c, revisions, sense, dearer)
        for c, column in enumerate(columns):
            column["compared"] = compared[c]
            own = sense_of([one for one in controls if one[0] == c])
            if specs[c]["role"] != "control" and column["state"] == "pass" and sense == "not-sensitive":
                column["state"] = "not-sensitive"
            elif own in ("sensitive", "not-sensitive") and column["state"] not in ("running", "no-verdict"):
                column["state"] = own
        answer.append({"cache": cache, "kind": key[1], "columns": columns, "rows": rows, "sense": sense, "controls": controls,
                       "costs": costs})
    return answer
