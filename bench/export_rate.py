#!/usr/bin/env python3
"""export_rate.py BUILD [--quick]: how long a study takes to leave the farm: 4 revisions x 6 boards x 46 tests with 20 cells each,
a tenth of them failed with evidence. The rows are put into the store of a cohortd of its own, and each format is asked for
over HTTP. Prints "name value unit" lines; the KCIDB export is validated with its schema (--quick: without the cells)."""

import http.client
import json
import os
import sqlite3
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "system"))
os.environ["COHORT_BUILD"] = sys.argv[1]

import farm  # noqa: E402 (needs the path and the build)
import kcidb_v05_03  # noqa: E402

REVISIONS, BOARDS, TESTS, CELLS = 4, 6, 46, 20
START = 1_700_000_000_000_000


def fill(path):
    """One job, done, with all its rows."""
    store = sqlite3.connect(path)
    plan = json.dumps({"suite": "coherence", "tests": []})
    with store:
        store.execute("INSERT INTO job (id, name, request, suite, labels, priority, state, created, ended) VALUES (1, 'study', '{}', 'coherence', ?,"
                      " 0, 'done', ?, ?)", (json.dumps([f"v{i}" for i in range(REVISIONS)]), START, START))
        for build in range(REVISIONS):
            store.execute("INSERT INTO build (id, name, arch, description, cmdline, created) VALUES (?, ?, 'arm', '', '', ?)",
                          (build + 1, f"v{build}", START))
        run = 0
        for build in range(REVISIONS):
            for board in range(BOARDS):
                run += 1
                store.execute("INSERT INTO run (id, job, col, build, cache, kind, boards, planned, arrived, priority, state, attempt, max_attempts,"
                              " board, expires, created, started, ended, plan) VALUES (?, 1, ?, ?, ?, 'emulated', '[]', ?, ?, 0, 'done', 1, 1, ?, ?, ?, ?, ?, ?)",
                              (run, build, build + 1, ("vivt", "vipt-aliasing", "vipt-nonaliasing")[board % 3], TESTS, TESTS, f"b{board}",
                               START, START, START, START, plan))
                fill_run(store, run, build)
    store.close()


def fill_run(store, run, build):
    results, evidence = [], []
    for test in range(TESTS):
        bad = build == 0 and test % 10 == 0
        for cell in [""] + [f"u=dirty,k=clean,delta={i}" for i in range(CELLS)]:
            results.append((run, test, f"dio-test-{test}", cell, "fail" if bad else "pass", bad, START + test * 1000000))
            if bad and cell:
                evidence += [(run, test, cell, json.dumps({"type": "mismatch", "test": f"dio-test-{test}", "cell": cell, "offset": 64 * i,
                                                           "got": "00" * 32, "want": "5a" * 32}, separators=(",", ":"))) for i in range(8)]
    store.executemany("INSERT INTO result (run, attempt, test_id, test, rep, cell, test_kind, verdict, trials, bad, duration_us, time)"
                      " VALUES (?, 1, ?, ?, 1, ?, 'contract', ?, 3, ?, 500000, ?)", results)
    store.executemany("INSERT INTO evidence (run, attempt, test_id, cell, record) VALUES (?, 1, ?, ?, ?)", evidence)


def export(port, query):
    """Seconds until the last byte, and the bytes."""
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", f"/api/v1/jobs/1/export?format={query}")
    reply = connection.getresponse()
    data = reply.read()
    assert reply.status == 200, data
    return time.monotonic() - began, data


def check(data, results):
    document = json.loads(data)
    assert len(document["tests"]) == REVISIONS * BOARDS * TESTS * results, len(document["tests"])
    if "--quick" in sys.argv:
        document["tests"] = document["tests"][::results]
    complaints = kcidb_v05_03.complaints(document)
    assert not complaints, complaints[:3]
    print(f"export_kcidb_size {len(data) / 2**20:.1f} MiB")


def main():
    bench = farm.Farm()
    try:
        bench.start()
        bench.stop()
        fill(os.path.join(bench.state, "cohort.db"))
        api = bench.start()
        for name in ("kcidb", "junit", "ktap", "b4"):
            times = sorted(export(api.port, name) for _ in range(3))
            print(f"export_{name} {times[1][0]:.3f} s")
            if name == "kcidb":
                check(times[0][1], CELLS + 1)
        print(f"export_kcidb_no_cells {export(api.port, 'kcidb&cells=false')[0]:.3f} s")
    finally:
        bench.stop()
        bench.remove()


main()
