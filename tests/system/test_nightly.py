"""Schedules, the report and what goes out, on the real cohortd with fake boards (fake_board.py)."""

import json
import os
import subprocess
import unittest

import farm
import test_farm


def schedule(name="night", **fields):
    return {"name": name, "cron": "30 2 * * *", "zone": "Europe/Berlin",
            "job": {"builds": ["running"], "boards": {"cache": ["none"]}, "suite": "fake"}, **fields}


class Case(unittest.TestCase):
    def setUp(self):
        self.farm = test_farm.FakeFarm()
        self.addCleanup(self.farm.remove)
        self.addCleanup(self.farm.stop)
        self.farm.board("b1")

    def open(self):
        self.farm.open()
        self.api = self.farm.api
        return self.api

    def runs(self, name="night"):
        return self.api.get(f"/api/v1/schedules/{name}/runs")["items"]

    def cohort(self, *args, code=0):
        done = subprocess.run([farm.COHORT, "--server", f"http://127.0.0.1:{self.api.port}", "--token", self.api.token, *args],
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stdout


class Schedules(Case):
    def test_api(self):
        api = self.open()
        made = api.post("/api/v1/schedules", schedule(window_s=3600, overlap="queue", catch_up="once", report=True))
        self.assertEqual((made["name"], made["zone"], made["overlap"], made["catch_up"], made["report"], made["last"]),
                         ("night", "Europe/Berlin", "queue", "once", True, []))
        self.assertEqual(len(made["next"]), 5)
        for instant in made["next"]:
            self.assertRegex(instant["local"], r"^\d{4}-\d\d-\d\d (02:30|03:00) \+0[12]00$")
        self.assertEqual(api.get("/api/v1/schedules/night"), made)
        self.assertEqual(api.get("/api/v1/schedules")["items"], [made])
        self.assertEqual(api.call("POST", "/api/v1/schedules", schedule())[0], 409)
        self.assertEqual(api.call("DELETE", "/api/v1/schedules/night")[0], 200)
        self.assertEqual(api.call("DELETE", "/api/v1/schedules/night")[0], 404)
        for path in ("", "/runs"):
            self.assertEqual(api.call("GET", f"/api/v1/schedules/night{path}")[0], 404)

    def test_every_complaint_at_once(self):
        api = self.open()
        wrong = schedule("bad name", cron="61 * * * *", zone="Europe/Atlantis", overlap="maybe", catch_up="twice", window_s=5,
                         colour="red")
        wrong["job"].update(builds=["latest:nothing", "gone"], priority=1000)
        status, document = api.call("POST", "/api/v1/schedules", wrong)
        self.assertEqual(status, 422)
        got = {e["pointer"] for e in document["errors"]}
        self.assertEqual(got, {"/name", "/cron", "/zone", "/overlap", "/catch_up", "/window_s", "/colour", "/job/builds/0"})
        wrong["job"]["builds"] = ["gone"]
        got = {e["pointer"] for e in api.call("POST", "/api/v1/schedules", wrong)[1]["errors"]}
        self.assertLessEqual({"/job/builds/0", "/job/priority"}, got)
        self.assertEqual(api.get("/api/v1/schedules")["items"], [])

    def test_run_now_and_disable(self):
        api = self.open()
        api.post("/api/v1/schedules", schedule(window_s=3600))
        run = api.post("/api/v1/schedules/night/run", {})
        self.assertEqual((run["outcome"], run["why"]), ("submitted", "by hand"))
        job = self.farm.wait_job(run["job"])
        self.assertTrue(job["complete"])
        self.assertRegex(job["name"], r"^night \d{4}-\d\d-\d\d$")
        changed = api.call("PATCH", "/api/v1/schedules/night", {"disabled": "holiday"})[1]
        self.assertEqual((changed["disabled_reason"], changed["next"]), ("holiday", []))
        for wrong in ({}, {"disabled": ""}, {"disabled": 1}, {"disabled": None, "x": 1}):
            self.assertEqual(api.call("PATCH", "/api/v1/schedules/night", wrong)[0], 422, wrong)
        changed = api.call("PATCH", "/api/v1/schedules/night", {"disabled": None})[1]
        self.assertEqual((changed["disabled_reason"], len(changed["next"])), (None, 5))

    def test_the_clock_submits(self):
        """The real clock: the next full minute, and it is there once. The same of two schedules for one board."""
        api = self.open()
        for name in ("one", "two"):
            api.post("/api/v1/schedules", schedule(name, cron="* * * * *"))
        for name in ("one", "two"):
            run = farm.wait_for(f"{name} was submitted", lambda name=name: self.runs(name), 70)[-1]
            self.assertEqual((run["outcome"], run["count"]), ("submitted", 1))
            self.assertEqual(run["instant"][17:], "00.000000Z")
            self.assertTrue(self.farm.wait_job(run["job"])["complete"])
            self.assertEqual(api.call("DELETE", f"/api/v1/schedules/{name}")[0], 200)

    def test_latest(self):
        api = self.open()
        document = schedule()
        document["job"]["builds"] = ["running", "latest:mainline/*-v5"]
        for name in ("m1-v5", "m2-v5", "m3-v7"):
            api.post("/api/v1/builds", {"name": name, "arch": "x86-64", "series": "mainline"})
        api.post("/api/v1/schedules", document)
        job = self.farm.wait_job(api.post("/api/v1/schedules/night/run", {})["job"])
        self.assertEqual((job["labels"], [b["name"] for b in job["builds"]]), (["running", "mainline/*-v5"], ["running", "m2-v5"]))
        api.post("/api/v1/builds", {"name": "m4-v5", "arch": "x86-64", "series": "mainline"})
        job = self.farm.wait_job(api.post("/api/v1/schedules/night/run", {})["job"])
        self.assertEqual((job["labels"], [b["name"] for b in job["builds"]]), (["running", "mainline/*-v5"], ["running", "m4-v5"]))

    def test_command(self):
        self.open()
        path = os.path.join(self.farm.directory, "night.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(schedule(), file)
        self.assertEqual(self.cohort("schedule", "add", path).count("02:30 +0"), 5)
        job = self.cohort("schedule", "run-now", "night").split()[1]
        self.farm.wait_job(int(job))
        self.assertIn("by hand", self.cohort("schedule", "runs", "night"))
        self.cohort("schedule", "disable", "night", "moving house")
        self.assertIn("moving house", self.cohort("schedule", "list"))
        self.assertIn("moving house", self.cohort("schedule", "show", "night"))
        self.cohort("schedule", "enable", "night")
        self.assertEqual(json.loads(self.cohort("schedule", "list", "--json"))[0]["name"], "night")
        report = self.cohort("report", job)
        self.assertIn("t-bad", report)
        self.cohort("schedule", "rm", "night")
        self.assertEqual(self.cohort("schedule", "list").count("night"), 0)
        self.cohort("schedule", "dance", code=2)


class Report(Case):
    def test_of_a_scheduled_job(self):
        api = self.open()
        api.post("/api/v1/schedules", schedule())
        jobs = [self.farm.wait_job(api.post("/api/v1/schedules/night/run", {})["job"])["id"] for _ in range(2)]
        status, text = api.call("GET", f"/api/v1/jobs/{jobs[1]}/report")
        text = text.decode()
        self.assertEqual(status, 200)
        lines = text.splitlines()
        self.assertLessEqual(max(len(line) for line in lines), 72, text)
        self.assertLessEqual(len(lines), 72)
        for wanted in (f"job {jobs[1]}", "none, host *", "FAIL 1/3", f"Since job {jobs[0]}", "  nothing", "t-bad",
                       "mismatch", "WARNING: CPU: 0 at mm/fake.c", "$ cohort submit --build running --board b1", "1/1 failed",
                       "Ran, no Tested-by: b1 (none, host)"):
            self.assertIn(wanted, text)
        self.assertNotIn("\nTested-by:", text)


if __name__ == "__main__":
    unittest.main()
