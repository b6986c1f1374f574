#!/usr/bin/env python3
"""A cohort-board without a board: speaks docs/WIRE.md, sections 4 to 6, and breaks as it is told.

What it does stands as JSON in the board file's `notes`:
  test_ms      how long a test takes (0)
  hints        how often it says that the journal grew (1: each time)
  reachable    path of a file: the board is reachable while it is there
  bad          {"ATTEMPT": KIND}: what is wrong with the journal of that attempt (see BAD)
  fault        {"ATTEMPT": CODE}: that attempt ends with a fault behind its first test
  exit_at_run  true: dies of each `run`
  die          probability of dying behind each journal line
  fails        {"PART OF A BUILD'S NAME": {"TEST": probability}}: tests that fail on that kernel
  cache        the class that it proves to have ("none")
  says         {"BUILD" or "*": {"TEST": {"records": [...], "warning": TEXT, member of test-finished: value, ...}}}
  values       {"PART OF A BUILD'S NAME": [middle, spread]}: each test measures a number there, five times; [middle, spread, "even"]:
               always the same five, so that no two such builds ever differ
  makes        {"ROLE": MiB}: files of zeros that a builder leaves behind
  order        path of a file that gets a line RUN for each `accepted`
"""

import hashlib
import json
import os
import random
import select
import sys
import time


def bad_lines(kind, fake):
    """Lines for a journal that cohortd must refuse."""
    def event(n, **fields):
        return json.dumps(dict({"n": n, "t": 1}, **fields)).encode() + b"\n"
    finished = {"ev": "test-finished", "id": fake.tests[0]["id"], "name": "x", "rep": 1, "verdict": "pass"}
    n = fake.n + 1
    return {
        "no-json": [b"{ this is none\n"],
        "no-utf8": [b"\xff\xfe\n"],
        "no-object": [b"[1,2]\n"],
        "deep": [b"[" * 100 + b"\n"],
        "gap": [event(n + 1, ev="note", text="x")],
        "again": [event(n - 1, ev="note", text="x")],
        "plan": [event(n, **dict(finished, id=4711))],
        "verdict": [event(n, **dict(finished, verdict="wonderful"))],
        "missing": [event(n, **dict(finished, verdict="missing"))],
        "twice": [event(n, **finished), event(n + 1, **finished)],
        "fence": [event(n, ev="accepted", run=fake.run, attempt=fake.attempt, fence=fake.fence - 1)],
        "code": [event(n, ev="ended", outcome="fault", fault={"code": "kernel-is-bad", "stage": "test", "detail": ""})],
        "outcome": [event(n, ev="ended", outcome="fine", fault=None)],
        "stage": [event(n, ev="stage", stage="dance")],
        "long": [b"{" + b" " * 70000 + b"}\n"],
        "endless": [b"x" * 200000],
    }[kind]


class Fake:
    def __init__(self, board, state):
        with open(board, encoding="utf-8") as file:
            self.file = json.load(file)
        self.how = json.loads(self.file.get("notes") or "{}")
        self.state = state
        self.random = random.Random(os.getpid())
        self.steps = None
        self.due = None
        self.cancelled = False
        self.journal = None

    # ---- Hints ----
    def say(self, **event):
        sys.stdout.write(json.dumps(event) + "\n")
        sys.stdout.flush()

    def say_state(self):
        path = self.how.get("reachable")
        if path and not os.path.exists(path):
            self.say(ev="state", state="unreachable", detail="no route to the fake", facts=None)
        else:
            self.say(ev="state", state="idle", detail="", facts=None)

    # ---- The journal ----
    def put_bytes(self, data):
        while data:
            data = data[os.write(self.journal, data):]
        if self.random.random() < self.how.get("hints", 1):
            self.say(ev="journal", run=self.run, attempt=self.attempt, size=os.fstat(self.journal).st_size)
        if self.random.random() < self.how.get("die", 0):
            os._exit(9)

    def put(self, ev, **fields):
        self.n += 1
        self.put_bytes(json.dumps(dict({"n": self.n, "t": time.time_ns() // 1000, "ev": ev}, **fields)).encode() + b"\n")

    def replay(self, path):
        """What an earlier life wrote; a torn last line goes."""
        self.n, self.finished, self.ended, self.seen = 0, set(), False, set()
        if os.path.exists(path):
            with open(path, "rb") as file:
                data = file.read()
            whole = data.rfind(b"\n") + 1
            os.truncate(path, whole)
            for line in data[:whole].splitlines():
                event = json.loads(line)
                self.n = event["n"]
                self.seen.add(event["ev"])
                if event["ev"] == "test-finished":
                    self.finished.add(event["id"])
                self.ended = self.ended or event["ev"] == "ended"
        self.journal = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)

    # ---- Orders ----
    def op_run(self, op):
        if self.how.get("exit_at_run"):
            os._exit(7)
        self.run, self.attempt, self.fence = op["run"], op["attempt"], op["fence"]
        self.directory = op["dir"]
        with open(os.path.join(op["dir"], "request.json"), encoding="utf-8") as file:
            request = json.load(file)
        assert (request["run"], request["attempt"], request["fence"]) == (self.run, self.attempt, self.fence), request
        assert request["board"] == self.file["name"] and request["agent"]["sha256"], request
        self.tests = request["tests"]
        self.build = request["build"]["name"]
        says = self.how.get("says", {})
        self.says = dict(says.get("*", {}), **says.get(request["build"]["name"], {}))
        self.cancelled = False
        self.replay(os.path.join(op["dir"], "journal.ndjson"))
        self.steps = self.attempt_steps()
        self.due = time.monotonic()

    def op_cancel(self, op):
        self.cancelled = self.cancelled or (op["run"], op["attempt"]) == (self.run, self.attempt)
        self.due = time.monotonic()

    def op_release(self, op):
        with open(os.path.join(self.state, "released"), "a", encoding="ascii") as file:
            file.write(f"{op['run']}.{op['attempt']}\n")

    def fails(self, test):
        rates = [rates.get(test, 0) for part, rates in self.how.get("fails", {}).items() if part in self.build]
        return self.random.random() < max(rates, default=0)

    # ---- An attempt, step by step; yields how long the next step takes ----
    def test_lines(self, test):
        ids = {"id": test["id"], "leg": 1, "off": 1}
        self.put("test-started", **ids, name=test["name"], rep=test["rep"])
        yield self.how.get("test_ms", 0) / 1000
        if test["name"] in self.says:
            self.say_as_told(test, ids, dict(self.says[test["name"]]))
            return
        for cell in ("a", "b"):
            self.put("test-record", **ids, record={"type": "cell", "test": test["name"], "cell": cell, "kind": "contract",
                                                   "verdict": "pass", "trials": 3, "bad": 0, "masked": 0, "class": None})
        for middle, spread, *how in (row for part, row in self.how.get("values", {}).items() if part in self.build):
            samples = [middle + i * spread if how else self.random.gauss(middle, spread) for i in range(-2, 3)]
            self.put("test-record", **ids, record={"type": "value", "test": test["name"], "cell": "a", "name": "read", "unit": "ns",
                                                   "value": sorted(samples)[2], "mad": spread, "samples": samples})
        if test["name"] == "t-bad":
            self.put("test-record", **ids, record={"type": "mismatch", "test": "t-bad", "cell": "a", "offset": 64})
            self.put("test-record", **ids, record={"type": "value", "test": "t-bad", "cell": "a", "name": "read", "value": 4711,
                                                   "unit": "ns", "mad": 3, "samples": [4711, 4708, 4720]})
            self.put("test-record", **ids, record={"type": "cell", "cell": "b", "verdict": "who knows"})
            self.put("kernel-warning", **ids, kind="warning", text="WARNING: CPU: 0 at mm/fake.c")
        verdict = "fail" if test["name"] == "t-bad" or self.fails(test["name"]) else "pass"
        self.put("test-finished", **ids, name=test["name"], rep=test["rep"], verdict=verdict, reason=None,
                 detail="x" * 10000 if test["name"] == "t-bad" else "", trials=6, bad=0, duration_us=5, exit_code=0)
        self.finished.add(test["id"])

    def say_as_told(self, test, ids, says):
        for record in says.pop("records", []):
            self.put("test-record", **ids, record=record)
        warning = says.pop("warning", None)
        if warning:
            self.put("kernel-warning", **ids, kind="warning", text=warning)
        self.put("test-finished", **ids, name=test["name"], rep=test["rep"], **dict(
            {"verdict": "pass", "reason": None, "detail": "", "trials": 1, "bad": 0, "duration_us": 2500000, "exit_code": 0}, **says))
        self.finished.add(test["id"])

    def make_files(self):
        """All of them first: then their lines come at once."""
        lines = []
        for role, mib in self.how.get("makes", {}).items():
            digest = hashlib.sha256()
            for _ in range(mib):
                digest.update(bytes(1 << 20))
            path = os.path.join(self.directory, "files", digest.hexdigest())
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.truncate(mib << 20)
            lines.append({"role": role, "sha256": digest.hexdigest(), "size": mib << 20})
        for line in lines:
            self.put("file", **line)

    def attempt_steps(self):
        if self.ended:
            self.say(ev="journal", run=self.run, attempt=self.attempt, size=os.fstat(self.journal).st_size)
            return
        if "accepted" not in self.seen:
            if self.how.get("order"):
                with open(self.how["order"], "a", encoding="ascii") as file:
                    file.write(f"{self.run}\n")
            self.put("accepted", run=self.run, attempt=self.attempt, fence=self.fence, pid=os.getpid())
        bad = self.how.get("bad", {}).get(str(self.attempt))
        if bad:
            for line in bad_lines(bad, self):
                self.put_bytes(line)
            return
        self.put("stage", stage="provision")
        self.put("progress", stage="provision", what="kernel", done=1, total=2)
        self.put("from-the-future", answer=42)
        self.put("proved", release="6.1", build_id=None, cache=self.how.get("cache", "none"), boot_id="b",
                 facts={"release": "6.1", "cpus": 1})
        self.put("stage", stage="test")
        yield 0
        for test in self.tests:
            if test["id"] in self.finished:
                continue
            if self.cancelled:
                self.put("ended", outcome="cancelled", fault=None)
                return
            yield from self.test_lines(test)
            code = self.how.get("fault", {}).get(str(self.attempt))
            if code:
                self.put("ended", outcome="fault", fault={"code": code, "stage": "test", "detail": "as told"})
                return
        self.make_files()
        outcome = "cancelled" if self.cancelled else "complete"
        self.put("ended", outcome=outcome, fault=None)

    def loop(self):
        self.say(ev="hello", pid=os.getpid())
        self.say_state()
        rest = b""
        while True:
            left = None if self.due is None else max(0, self.due - time.monotonic())
            if select.select([0], [], [], left)[0]:
                data = os.read(0, 65536)
                if not data:
                    return
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    op = json.loads(line)
                    if op["op"] == "quit":
                        return
                    if op["op"] == "check":
                        self.say_state()
                    else:
                        getattr(self, "op_" + op["op"])(op)
            elif self.steps is not None:
                try:
                    self.due = time.monotonic() + next(self.steps)
                except StopIteration:
                    self.steps = self.due = None


if __name__ == "__main__":
    assert sys.argv[1] == "--board" and sys.argv[3] == "--state", sys.argv
    Fake(sys.argv[2], sys.argv[4]).loop()
