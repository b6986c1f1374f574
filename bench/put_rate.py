#!/usr/bin/env python3
"""put_rate.py COHORT-BOARD WORK AGENT RUNS: MiB/s at which cohort-board brings a fresh 16 MiB file to a board, verified by
SHA-256 there. Each of RUNS runs has one warm-up attempt on the same connection state (a new process); the time is that of
the provisioning stage in the attempt's journal. Prints the median. WORK is the directory of bench/run."""

import hashlib
import json
import os
import statistics
import subprocess
import sys


def described(path):
    with open(path, "rb") as file:
        data = file.read()
    return {"path": os.path.abspath(path), "sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}


def provision_seconds(program, work, agent, number):
    attempt = os.path.join(work, f"put-{number}")
    os.makedirs(attempt)
    blob = os.path.join(attempt, "blob")
    with open(blob, "wb") as file:
        file.write(os.urandom(16 << 20))
    request = {
        "v": 1, "run": 900000 + number, "attempt": 1, "fence": 900000 + number, "board": "put", "cache": "none",
        "build": {"id": 1, "name": "running", "release": None, "build_id": None, "cmdline": "", "files": {}},
        "suite": {"name": "put", "files": [{"name": "blob", **described(blob)}]}, "agent": described(agent),
        "tests": [{"id": 0, "name": "true", "rep": 1, "argv": ["true"], "time_limit_s": 30}],
        "limits": {"boot_s": 60, "run_s": 300, "memory_mib": 64, "output_bytes": 65536},
    }
    with open(os.path.join(attempt, "request.json"), "w", encoding="ascii") as file:
        json.dump(request, file)
    done = subprocess.run([program, "--board", os.path.join(work, "boards.d", "put.json"), "--state", os.path.join(work, "put-state"),
                           "--once", os.path.join(attempt, "request.json")], check=True, stdout=subprocess.PIPE)
    begin = end = None
    for line in map(json.loads, done.stdout.splitlines()):
        if line["ev"] == "stage" and line["stage"] == "provision":
            begin = line["t"]
        elif line["ev"] == "stage" and begin and not end:
            end = line["t"]
    return (end - begin) / 1e6


def main():
    program, work, agent, runs = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    provision_seconds(program, work, agent, 0)
    print(f"{16 / statistics.median(provision_seconds(program, work, agent, i + 1) for i in range(runs)):.1f}")


main()
