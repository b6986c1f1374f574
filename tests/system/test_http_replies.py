"""Replies about a job that has really run, on a board behind sshd, are as openapi.json says, event by event."""

import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import farm  # noqa: E402
import web  # noqa: E402

MISMATCH = {"type": "mismatch", "test": "fails", "cell": "u=dirty", "offset": 64, "expected": "aa", "got": "55"}
CELL = {"type": "cell", "test": "fails", "cell": "u=dirty", "kind": "contract", "verdict": "fail", "trials": 4, "bad": 1, "masked": 0,
        "class": "stale-line"}
TESTS = {"passes": ["true"], "fails": ["sh", "-c", f"echo '{json.dumps(MISMATCH)}'; echo '{json.dumps(CELL)}'; exit 1"],
         "skips": ["sh", "-c", "exit 4"], "breaks": ["sh", "-c", "kill -9 $$"]}


class Replies(unittest.TestCase):
    def setUp(self):
        self.server = web.Server()
        self.addCleanup(self.server.remove)
        with open(os.path.join(self.server.suites, "real.json"), "w", encoding="utf-8") as file:
            json.dump({"name": "real", "version": "1", "description": "one of each", "tests": [
                {"name": name, "argv": argv, "kind": "contract", "time_limit_s": 20} for name, argv in TESTS.items()]}, file)
        sshd = farm.Sshd(os.path.join(self.server.directory, "sshd"))
        self.addCleanup(sshd.stop)
        self.server.add_board(farm.board_document("real", sshd, os.path.join(self.server.directory, "root"), tags=["t"]))
        self.addCleanup(self.server.stop)
        self.api = self.server.start()
        self.description = web.Description(self.api.get("/api/v1/openapi.json"))

    def get(self, path, query=""):
        status, headers, data = self.server.send("GET", path + query)
        document = json.loads(data) if "json" in headers["Content-Type"] else data.decode()
        self.assertEqual(status, 200, data)
        self.assertEqual(self.description.check("GET", path, status, headers["Content-Type"], document), [])
        return document

    def test_finished_job(self):
        build = self.api.post("/api/v1/builds", {"name": "as-it-runs", "arch": "x86-64"})
        job = self.api.post("/api/v1/jobs", {"name": "one of each", "builds": [build["id"]], "boards": {"names": ["real"]},
                                             "suite": "real"})
        ended = self.server.wait_job(job["id"], 90)
        self.assertEqual(ended["state"], "done", self.server.tail())
        self.assertEqual(self.get(f"/api/v1/jobs/{job['id']}")["verdicts"], {"pass": 1, "fail": 1, "skip": 1, "error": 1})
        run = ended["runs"][0]["id"]
        self.assertIsNotNone(self.get(f"/api/v1/runs/{run}")["facts"])
        self.assertEqual(len(self.get(f"/api/v1/runs/{run}/attempts")["items"]), 1)
        self.assertTrue(self.get(f"/api/v1/runs/{run}/log"))
        for path in ("/boards", "/boards/real", "/jobs", "/runs", "/suites/real"):
            self.get("/api/v1" + path)
        self.get("/api/v1/compare", f"?job={job['id']}")
        results = self.get("/api/v1/results", f"?run={run}")["items"]
        self.assertEqual(len(results), 5)
        for result in results:
            detail = self.get(f"/api/v1/results/{result['id']}")
            if result["cell"]:
                self.assertEqual(result["class"], "stale-line")
                self.assertEqual([one["type"] for one in detail["evidence"]], ["mismatch"])
        events = self.get(f"/api/v1/runs/{run}/events", "?limit=500")["items"]
        self.assertLessEqual({"run", "test", "result"}, {event["kind"] for event in events})
        stream = web.Stream(self.server, f"/api/v1/runs/{run}/events", 0)
        self.addCleanup(stream.close)
        self.assertEqual([data for _, _, data in stream.take(len(events))], events)


if __name__ == "__main__":
    unittest.main()
