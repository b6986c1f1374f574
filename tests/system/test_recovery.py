"""Whoever dies, nothing is lost and nothing is counted twice.

Seeded rounds against boards on a loopback sshd. In each round jobs run, and at a random moment one of the programs is
killed with SIGKILL (cohortd, a cohort-board, an agent's worker) or the SSH connections are cut; then the farm is left to
itself. After each round every planned result of each run must be there exactly once, or the run's attempts name the farm
fault that made it be tried again.

COHORT_SEED replays a seed, COHORT_ROUNDS sets the number of rounds."""

import os
import random
import signal
import tempfile
import time
import unittest

import farm
from relay import Relay

SEED = int(os.environ.get("COHORT_SEED", str(random.SystemRandom().randrange(1 << 31))))
ROUNDS = int(os.environ.get("COHORT_ROUNDS", "200"))
BOARDS = 4
SUITE = """{"name": "recovery", "version": "1", "description": "short and longer tests to be killed in",
 "tests": [
  {"name": "quick-1", "argv": ["echo", "{}"], "kind": "contract", "time_limit_s": 30},
  {"name": "quick-2", "argv": ["sh", "-c", "echo out; echo err >&2"], "kind": "contract", "time_limit_s": 30},
  {"name": "cells", "argv": ["sh", "-c", "for c in a b c; do echo '{\\"type\\":\\"cell\\",\\"test\\":\\"cells\\",\\"cell\\":\\"'$c'\\",\\"kind\\":\\"contract\\",\\"verdict\\":\\"pass\\",\\"trials\\":1,\\"bad\\":0,\\"masked\\":0,\\"class\\":null}'; done"], "kind": "contract", "time_limit_s": 30},
  {"name": "longer", "argv": ["sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; exit 1"], "kind": "contract", "time_limit_s": 30},
  {"name": "skips", "argv": ["sh", "-c", "exit 4"], "kind": "contract", "time_limit_s": 30},
  {"name": "last", "argv": ["true"], "kind": "contract", "time_limit_s": 30}]}
"""
EXPECTED = {"quick-1": "pass", "quick-2": "pass", "cells": "pass", "longer": "fail", "skips": "skip", "last": "pass"}


def agents_below(root):
    """PIDs of agent workers whose command line names this farm's directory."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            words = farm.command_of(int(name))
            if any(root.encode() in word for word in words) and any(b"run" == word for word in words):
                found.append(int(name))
    return found


class Recovery(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        print(f"seed {SEED}, {ROUNDS} rounds (COHORT_SEED, COHORT_ROUNDS)", flush=True)
        cls.directory = tempfile.mkdtemp(prefix="cohort-recovery-")
        cls.sshd = farm.Sshd(os.path.join(cls.directory, "sshd"))
        cls.relay = Relay(cls.sshd.port)
        suites = os.path.join(cls.directory, "suites")
        os.makedirs(suites)
        with open(os.path.join(suites, "recovery.json"), "w", encoding="utf-8") as file:
            file.write(SUITE)
        cls.farm = farm.Farm(cls.directory, suites=suites)
        for i in range(BOARDS):
            root = os.path.join(cls.directory, "root", f"b{i}")
            os.makedirs(root)
            cls.farm.add_board(farm.board_document(f"b{i}", cls.sshd, root, port=cls.relay.port))
        cls.farm.start()
        cls.farm.api.post("/api/v1/builds", {"name": "running"})
        cls.random = random.Random(SEED)

    @classmethod
    def tearDownClass(cls):
        cls.farm.stop()
        cls.relay.stop()
        cls.sshd.stop()
        cls.farm.remove()

    def submit(self):
        return self.farm.api.post("/api/v1/jobs", {
            "name": "recovery", "builds": ["running"], "boards": {"cache": ["none"]}, "each": "board", "suite": "recovery",
            "tests": ["*"], "repetitions": 2, "max_attempts": 10})

    def strike(self, what):
        """One blow. Returns what was hit, for the message of a failure."""
        if what == "cohortd":
            self.farm.kill()
            self.farm.start()
        elif what == "cohort-board":
            pids = self.farm.board_processes()
            if pids:
                os.kill(self.random.choice(pids), signal.SIGKILL)
        elif what == "agent":
            for pid in agents_below(self.directory + "/root"):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        else:
            self.relay.cut()
        return what

    def check_job(self, job, blows):
        where = f"seed {SEED}, job {job}, blows {blows}"
        document = self.farm.wait_job(job)
        self.assertEqual(document["state"], "done", where)
        results = self.farm.api.all_results(f"job={job}")
        for run in document["runs"]:
            attempts = self.farm.api.get(f"/api/v1/runs/{run['id']}/attempts")["items"]
            self.assertEqual(run["state"], "done", f"{where}: {attempts}")
            for attempt in sorted(attempts, key=lambda one: one["attempt"])[:-1]:
                self.assertTrue(attempt["fault"] and attempt["fault"]["code"], f"{where}: {attempts}")
            own = [r for r in results if r["run"] == run["id"] and r["attempt"] == run["attempt"]]
            seen = sorted((r["test"], r["rep"]) for r in own if r["cell"] is None)
            planned = sorted((test, rep) for test in EXPECTED for rep in (1, 2))
            self.assertEqual(seen, planned, where)
            cells = sorted((r["rep"], r["cell"]) for r in own if r["cell"] is not None)
            self.assertEqual(cells, sorted((rep, cell) for rep in (1, 2) for cell in "abc"), where)
            for result in own:
                if result["cell"] is None:
                    self.assertEqual(result["verdict"], EXPECTED[result["test"]], f"{where}: {result}")

    def test_rounds(self):
        for number in range(ROUNDS):
            job = self.submit()["id"]
            blows = []
            for _ in range(self.random.choice((1, 1, 2))):
                # The moment is random on purpose; nothing below depends on how long this takes.
                time.sleep(self.random.random() * 0.15)
                blows.append(self.strike(self.random.choice(("cohortd", "cohort-board", "agent", "cut"))))
            with self.subTest(round=number):
                self.check_job(job, blows)

    def test_after_all_of_it_the_farm_is_whole(self):
        job = self.submit()["id"]
        self.check_job(job, [])
        boards = self.farm.api.get("/api/v1/boards")["items"]
        self.assertEqual(len(boards), BOARDS)
        farm.wait_for("all boards idle",
                      lambda: all(b["state"] == "idle" for b in self.farm.api.get("/api/v1/boards")["items"]))


if __name__ == "__main__":
    unittest.main(verbosity=2)
