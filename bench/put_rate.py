#!/usr/bin/env python3
"""put_rate.py COHORT-BOARD WORK AGENT RUNS: MiB/s at which cohort-board brings a fresh 16 MiB file to a board. WORK is the
directory of bench/run. Each run is a new process and a new connection; the times are those of the attempt's journal. Prints
two medians: the transfer (first to last progress event of the file, as sftp over an open connection would be timed), and
the transfer with what sftp does not do, fsync and SHA-256 on the board."""

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
    events = [json.loads(line) for line in done.stdout.splitlines()]
    sent = [event["t"] for event in events if event["ev"] == "progress" and event["what"] == "blob"]
    verified = next(event["t"] for event in events if event["ev"] == "stage" and event["t"] >= sent[-1])
    return (sent[-1] - sent[0]) / 1e6, (verified - sent[0]) / 1e6


def main():
    program, work, agent, runs = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    provision_seconds(program, work, agent, 0)
    times = [provision_seconds(program, work, agent, i + 1) for i in range(runs)]
    print(*(f"{16 / statistics.median(column):.1f}" for column in zip(*times)))


main()
