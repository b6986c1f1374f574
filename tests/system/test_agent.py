"""cohort-agent, from outside: requests in, journals out (docs/WIRE.md, sections 1 to 3)."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

BUILD = os.environ.get("COHORT_BUILD", "build/dev")
AGENT = os.path.abspath(os.path.join(BUILD, "agent", "cohort-agent"))
DEADLINE_S = 60
ENV = dict(os.environ, COHORT_NO_KMSG="1")


def sh(script, **fields):
    """One planned test that is a shell script."""
    return plan(["/bin/sh", "-c", script], **fields)


def py(script, **fields):
    return plan([sys.executable, "-S", "-c", script], **fields)


def plan(argv, **fields):
    test = {"id": 0, "name": "t", "rep": 1, "argv": argv, "time_limit_s": 30}
    test.update(fields)
    return test


def request(*tests, **fields):
    doc = {"v": 1, "run": 12, "attempt": 1, "leg": 1, "fence": 7,
           "limits": {"memory_mib": 256, "output_bytes": 1 << 20}, "tests": list(tests)}
    doc.update(fields)
    return doc


def numbered(tests):
    return [dict(test, id=i, name="t%d" % i) for i, test in enumerate(tests)]


class AgentCase(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="cohort-agent-")
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)

    def agent(self, *args, **kwargs):
        return subprocess.run([AGENT, *args], capture_output=True, timeout=DEADLINE_S, env=ENV, check=False,
                              **kwargs)

    def start(self, doc, *args):
        text = doc if isinstance(doc, bytes) else json.dumps(doc).encode()
        done = self.agent("run", "--root", self.root, *args, input=text)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        return done.returncode, lines[0], lines[1:]

    def run_all(self, *tests, **fields):
        """Run to the end; the events by kind."""
        rc, answer, events = self.start(request(*numbered(tests), **fields), "--follow")
        self.assertEqual((rc, answer.get("ok")), (0, True), answer)
        self.assertEqual(events[0]["ev"], "agent-started")
        self.assertEqual(events[-1]["ev"], "agent-finished")
        return events

    def one(self, test, **fields):
        """Run one test; its test-finished and all events."""
        events = self.run_all(test, **fields)
        finished = [e for e in events if e["ev"] == "test-finished"]
        self.assertEqual(len(finished), 1)
        return finished[0], events

    def follow(self, leg="12.1.1", offset=0):
        return self.agent("follow", "--root", self.root, "--run", leg, "--from", str(offset))

    def wait_for(self, what, probe):
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            value = probe()
            if value:
                return value
            time.sleep(0.005)
        return self.fail("waited in vain: " + what)

    def journal(self, leg="12.1.1"):
        path = os.path.join(self.root, "runs", leg, "journal.ndjson")
        with open(path, "rb") as f:
            data = f.read()
        return [json.loads(line) for line in data[:data.rfind(b"\n") + 1].splitlines()]

    def event(self, kind, leg="12.1.1"):
        return self.wait_for(kind, lambda: next((e for e in self.journal(leg) if e["ev"] == kind), None))


class Verdicts(AgentCase):
    def test_exit_codes_speak_without_a_result_line(self):
        events = self.run_all(*[sh("exit %d" % code) for code in (0, 1, 4, 2, 77)])
        finished = [e for e in events if e["ev"] == "test-finished"]
        self.assertEqual([e["verdict"] for e in finished], ["pass", "fail", "skip", "error", "error"])
        self.assertEqual([e["exit_code"] for e in finished], [0, 1, 4, 2, 77])
        self.assertEqual([e["id"] for e in finished], [0, 1, 2, 3, 4])
        self.assertEqual(events[-1]["tests"], 5)
        self.assertEqual(events[-1]["outcome"], "complete")

    def test_a_result_line_speaks_louder_than_the_exit_code(self):
        line = {"type": "result", "test": "t0", "verdict": "fail", "reason": None, "detail": "2 stale words",
                "trials": 10, "bad": 2, "duration_us": 5}
        end, events = self.one(sh("echo '%s'" % json.dumps(line)))
        self.assertEqual((end["verdict"], end["detail"], end["trials"], end["bad"], end["exit_code"]),
                         ("fail", "2 stale words", 10, 2, 0))
        self.assertEqual([e["record"] for e in events if e["ev"] == "test-record"], [line])


if __name__ == "__main__":
    unittest.main()
