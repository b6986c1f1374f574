"""cohortd's farm with fake boards (fake_board.py): leases, retries, journals that lie, deaths at random moments.

COHORT_SEED and COHORT_ROUNDS repeat the random part."""

import json
import os
import random
import signal
import tempfile
import time
import unittest

import farm

FAKE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fake_board.py")
SEED = int(os.environ.get("COHORT_SEED", str(random.SystemRandom().randrange(1 << 31))))
ROUNDS = int(os.environ.get("COHORT_FARM_ROUNDS", "60"))
BAD = {  # what a journal must not hold, and what the fault says of it
    "no-json": "line 2", "no-utf8": "line 2", "no-object": "line 2", "deep": "32 levels", "gap": "n is 3 where 2",
    "again": "n is 1 where 2", "plan": "test 4711 is not in the plan", "verdict": "verdict 'wonderful'",
    "missing": "verdict 'missing'", "twice": "finished twice", "fence": "with fence", "code": "fault code 'kernel-is-bad'",
    "outcome": "outcome 'fine'", "stage": "stage 'dance'", "long": "65536", "endless": "more than 65536",
}


def suite(directory):
    tests = [{"name": name, "kind": "contract", "argv": ["true"], "time_limit_s": 5} for name in ("t-1", "t-2", "t-bad")]
    os.makedirs(directory)
    with open(os.path.join(directory, "fake.json"), "w", encoding="utf-8") as file:
        json.dump({"name": "fake", "version": "1", "tests": tests}, file)
    return directory


class FakeFarm(farm.Farm):
    """A farm whose cohort-board is the fake. Boards are named and told how to behave."""

    def __init__(self):
        directory = tempfile.mkdtemp(prefix="cohort-fake-")
        agents = os.path.join(directory, "agents")
        os.makedirs(agents)
        with open(os.path.join(agents, "cohort-agent-x86-64"), "wb") as file:
            file.write(b"an agent that nobody runs")
        super().__init__(directory, suites=suite(os.path.join(directory, "suites")), agents=agents)
        self.keys = os.path.join(directory, "keys")
        os.makedirs(self.keys)
        self.options = ["--board-program", FAKE, "--keys", self.keys]

    def board(self, name, tags=(), boot="none", **how):
        document = {
            "name": name, "kind": "host", "cache": "none", "arch": "x86-64", "notes": json.dumps(how),
            "tags": list(tags), "boot": {"method": boot},
            "ssh": {"host": "127.0.0.1", "port": 9, "user": "root", "key": "/nonexistent",
                    "host_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJbYyJ2lQ4Hk0m3m1lQO4v0m3O0x7q3V5lq6b1yq0Jm2"},
        }
        if boot == "command":
            document["boot"]["command"] = ["/bin/true"]
        self.add_board(document)

    def open(self):
        self.start()
        self.api.post("/api/v1/builds", {"name": "running", "arch": "x86-64"})
        return self

    def submit(self, status=201, **fields):
        job = {"name": "fake", "builds": ["running"], "boards": {"cache": ["none"]}, "suite": "fake", "tests": ["*"]}
        job.update(fields)
        return self.api.post("/api/v1/jobs", job, status)

    def run(self, job):
        return self.api.get(f"/api/v1/jobs/{job['id']}")["runs"][0]

    def attempts(self, run):
        return self.api.get(f"/api/v1/runs/{run}/attempts")["items"]

    def events(self, run):
        return self.api.get(f"/api/v1/runs/{run}/events?after=0&limit=500")["items"]

    def board_state(self, name):
        return self.api.get(f"/api/v1/boards/{name}")["state"]

    def wait_board(self, name, state):
        farm.wait_for(f"{name} {state}", lambda: self.board_state(name) == state)

    def process_of(self, name):
        for pid in farm.children_of(self.process.pid):
            if any(word.endswith(b"/boards/" + name.encode()) for word in farm.command_of(pid)):
                return pid
        return None


class Case(unittest.TestCase):
    def setUp(self):
        self.farm = FakeFarm()

    def tearDown(self):
        self.farm.stop()
        if any(text for _, text in getattr(self._outcome, "errors", []) or [] if text):
            print(self.farm.tail())
        self.farm.remove()

    def exactly_once(self, job, where="", states=("done",)):
        for run in job["runs"]:
            self.assertIn(run["state"], states, where)
            results = [r for r in self.farm.api.all_results(f"run={run['id']}") if r["cell"] is None]
            self.assertEqual(len(results), run["planned"], where)
            self.assertEqual(len({(r["test"], r["rep"]) for r in results}), run["planned"], where)
            self.assertEqual({r["attempt"] for r in results}, {run["attempt"]}, where)


class Attempts(Case):
    def test_a_job_runs_through(self):
        self.farm.board("b1")
        self.farm.open()
        job = self.farm.wait_job(self.farm.submit(repetitions=2)["id"])
        run = job["runs"][0]
        self.assertEqual((job["state"], job["complete"], job["planned"], job["arrived"]), ("done", True, 6, 6))
        self.assertEqual((run["board"], run["attempt"], run["fault"]), ("b1", 1, None))
        self.assertEqual(run["verdicts"], {"pass": 4, "fail": 2})
        self.exactly_once(job)
        results = self.farm.api.all_results(f"job={job['id']}")
        self.assertEqual(sum(r["cell"] == "a" for r in results), 6)
        failed = next(r for r in results if r["verdict"] == "fail" and r["cell"] is None)
        self.assertEqual(len(failed["detail"]), 4096)
        evidence = self.farm.api.get(f"/api/v1/results/{failed['id']}")["evidence"]
        self.assertEqual([e["type"] for e in evidence], ["mismatch", "value", "kernel-warning"])
        self.assertEqual((evidence[1]["value"], evidence[1]["mad"]), (4711, 3))
        events = self.farm.events(run["id"])
        own = {r["id"]: r for r in results if r["cell"] is None}
        for event in events:
            if event["kind"] == "result":
                told = own.pop(event["result"])
                self.assertEqual((event["test"], event["rep"], event["verdict"]), (told["test"], told["rep"], told["verdict"]))
                self.assertEqual(event["board_kind"], told["kind"])
            elif event["kind"] == "warning":
                self.assertEqual((event["warning"], event["text"]), ("warning", "WARNING: CPU: 0 at mm/fake.c"))
        self.assertEqual(own, {}, "each result has its event")
        kinds = [event["kind"] for event in events]
        self.assertEqual(kinds.count("result"), 6)
        self.assertEqual(kinds.count("test"), 6)
        self.assertEqual(kinds.count("warning"), 2)
        self.assertEqual(kinds.count("note"), 1, "bad cell records are told once")
        self.assertEqual(kinds.count("progress"), 0, "progress goes when the run has ended")
        self.assertEqual([a["outcome"] for a in self.farm.attempts(run["id"])], ["complete"])
        self.farm.wait_board("b1", "idle")
        self.assertEqual(self.farm.api.get("/api/v1/boards/b1")["facts"]["release"], "6.1")
        released = os.path.join(self.farm.state, "boards/b1/released")
        farm.wait_for("release", lambda: os.path.exists(released))

    def test_hints_may_be_lost(self):
        self.farm.board("b1", hints=0)
        self.farm.open()
        self.exactly_once(self.farm.wait_job(self.farm.submit()["id"], 30))

    def test_a_board_that_boots_itself(self):
        self.farm.board("b1", boot="command", reachable="/nonexistent")
        self.farm.open()
        self.farm.wait_board("b1", "unreachable")

    def test_a_board_of_the_api_gets_its_file(self):
        with open(os.path.join(self.farm.keys, "k"), "w", encoding="ascii") as file:
            file.write("key")
        self.farm.open()
        self.farm.api.post("/api/v1/boards", {
            "name": "late", "kind": "host", "cache": "none", "arch": "x86-64", "boot": {"method": "none"},
            "ssh": {"host": "127.0.0.1", "key": "k",
                    "host_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJbYyJ2lQ4Hk0m3m1lQO4v0m3O0x7q3V5lq6b1yq0Jm2"}})
        self.exactly_once(self.farm.wait_job(self.farm.submit()["id"]))

    def test_priority_then_age(self):
        order = os.path.join(self.farm.directory, "order")
        self.farm.board("b1", test_ms=50, order=order)
        self.farm.open()
        first = self.farm.submit()
        farm.wait_for("the first to start", lambda: os.path.exists(order))
        jobs = [self.farm.submit(priority=p) for p in (0, 5, 0, 5, -1)]
        for job in jobs:
            self.farm.wait_job(job["id"])
        runs = [self.farm.run(job)["id"] for job in [first] + jobs]
        with open(order, encoding="ascii") as file:
            got = [int(line) for line in file]
        self.assertEqual(got, [runs[0], runs[2], runs[4], runs[1], runs[3], runs[5]])


class Faults(Case):
    def test_a_fault_is_retried(self):
        self.farm.board("b1", fault={"1": "ssh-lost"})
        self.farm.open()
        job = self.farm.wait_job(self.farm.submit()["id"])
        attempts = self.farm.attempts(job["runs"][0]["id"])
        self.assertEqual([a["outcome"] for a in attempts], ["fault", "complete"])
        self.assertEqual(attempts[0]["fault"]["code"], "ssh-lost")
        self.assertLess(attempts[0]["fence"], attempts[1]["fence"])
        self.exactly_once(job)

    def test_the_last_attempt_fails(self):
        self.farm.board("b1", fault={"1": "ssh-lost", "2": "board-lost"})
        self.farm.open()
        job = self.farm.wait_job(self.farm.submit(max_attempts=2)["id"])
        run = job["runs"][0]
        self.assertEqual((job["state"], job["complete"], run["state"], run["fault"]["code"]),
                         ("done", False, "failed", "board-lost"))
        self.assertEqual(run["verdicts"], {"pass": 1, "missing": 2})
        self.assertEqual(run["arrived"], 1)
        self.exactly_once(job, states=("failed",))

    def test_journals_that_lie(self):
        for kind in BAD:
            self.farm.board(kind, tags=[kind], bad={"1": kind})
        self.farm.open()
        jobs = {kind: self.farm.submit(boards={"tags": [kind]}) for kind in BAD}
        for kind, text in BAD.items():
            with self.subTest(kind):
                job = self.farm.wait_job(jobs[kind]["id"])
                attempts = self.farm.attempts(job["runs"][0]["id"])
                self.assertEqual(attempts[0]["fault"]["code"], "internal")
                self.assertIn("journal line", attempts[0]["fault"]["detail"])
                self.assertIn(text, attempts[0]["fault"]["detail"])
                self.exactly_once(job)

    def test_a_cohort_board_that_always_dies(self):
        self.farm.board("b1", exit_at_run=True)
        self.farm.open()
        job = self.farm.wait_job(self.farm.submit(max_attempts=1)["id"], 90)
        self.assertEqual(job["runs"][0]["fault"]["code"], "worker-died")
        self.assertEqual(job["runs"][0]["verdicts"], {"missing": 3})

    def test_no_board_program(self):
        self.farm.board("b1")
        self.farm.options[1] = "/nonexistent/cohort-board"
        self.farm.open()
        farm.wait_for("the reason", lambda: "nonexistent" in self.farm.api.get("/api/v1/boards/b1")["state_detail"])

    def test_the_agent_is_gone(self):
        self.farm.board("b1")
        os.unlink(os.path.join(self.farm.agents, "cohort-agent-x86-64"))
        self.farm.open()
        job = self.farm.wait_job(self.farm.submit(max_attempts=1)["id"])
        self.assertIn("cohort-agent-x86-64", job["runs"][0]["fault"]["detail"])

    def test_nobody_comes_for_a_run(self):
        flag = os.path.join(self.farm.directory, "never")
        self.farm.board("b1", reachable=flag)
        self.farm.open()
        job = self.farm.wait_job(self.farm.submit(limits={"ttl_s": 1})["id"])
        self.assertEqual(job["runs"][0]["fault"]["code"], "no-board")
        self.assertEqual(job["runs"][0]["verdicts"], {"missing": 3})


class People(Case):
    def test_cancel(self):
        self.farm.board("b1", test_ms=100)
        self.farm.open()
        running, waiting = self.farm.submit(repetitions=50), self.farm.submit()
        farm.wait_for("a test", lambda: self.farm.run(running)["arrived"] > 0)
        for job in (waiting, running):
            self.farm.api.post(f"/api/v1/jobs/{job['id']}/cancel", {}, 200)
            self.assertEqual(self.farm.wait_job(job["id"])["state"], "cancelled")
            self.farm.api.post(f"/api/v1/jobs/{job['id']}/cancel", {}, 409)
        self.farm.wait_board("b1", "idle")
        self.exactly_once(self.farm.wait_job(self.farm.submit()["id"]))

    def test_disable(self):
        self.farm.board("b1")
        self.farm.open()
        self.farm.wait_board("b1", "idle")
        self.farm.api.call("PATCH", "/api/v1/boards/b1", {"disabled": "its fan is loud"})
        job = self.farm.submit()
        self.farm.api.call("PATCH", "/api/v1/boards/b1", {"description": "still disabled"})
        self.assertEqual(self.farm.board_state("b1"), "disabled")
        self.assertEqual(self.farm.run(job)["state"], "queued")
        self.farm.api.call("PATCH", "/api/v1/boards/b1", {"disabled": None})
        self.exactly_once(self.farm.wait_job(job["id"]))

    def test_unreachable_until_it_is_back(self):
        flag = os.path.join(self.farm.directory, "flag")
        self.farm.board("b1", reachable=flag)
        self.farm.open()
        self.farm.wait_board("b1", "unreachable")
        job = self.farm.submit()
        self.assertEqual(self.farm.run(job)["state"], "queued")
        with open(flag, "w", encoding="ascii"):
            pass
        self.exactly_once(self.farm.wait_job(job["id"]))

    def test_a_farm_that_has_nothing_to_do_sleeps(self):
        self.farm.board("b1")
        self.farm.open()
        self.exactly_once(self.farm.wait_job(self.farm.submit()["id"]))
        self.farm.wait_board("b1", "idle")

        def switches():
            for thread in os.listdir(f"/proc/{self.farm.process.pid}/task"):
                with open(f"/proc/{self.farm.process.pid}/task/{thread}/status", encoding="ascii") as file:
                    fields = dict(line.split(":\t", 1) for line in file if ":\t" in line)
                if fields["Name"].strip() == "farm":
                    return int(fields["voluntary_ctxt_switches"])
            raise AssertionError("no thread `farm`")

        def quiet():
            """A whole second without a wake-up: the farm asks nobody anything."""
            before, until = switches(), time.monotonic() + 1
            while time.monotonic() < until:
                if switches() != before:
                    return False
                time.sleep(0.1)
            return True
        farm.wait_for("a quiet second", quiet, 10)

    def test_the_end_is_orderly(self):
        self.farm.board("b1")
        self.farm.open()
        self.farm.wait_board("b1", "idle")
        pid = self.farm.process_of("b1")
        self.farm.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.farm.process.wait(20), 0)
        self.assertFalse(os.path.exists(f"/proc/{pid}"))


class Deaths(Case):
    def test_a_new_cohortd_goes_on(self):
        self.farm.board("b1", test_ms=100)
        self.farm.open()
        job = self.farm.submit(repetitions=4)
        farm.wait_for("a result", lambda: self.farm.run(job)["arrived"] > 0)
        self.farm.kill()
        self.farm.start()
        job = self.farm.wait_job(job["id"])
        self.assertEqual(job["runs"][0]["attempt"], 1)
        self.exactly_once(job)

    def test_a_request_that_the_crash_lost_is_made_again(self):
        self.farm.board("b1", reachable="/nonexistent")
        self.farm.board("b2", test_ms=200)
        self.farm.open()
        job = self.farm.submit(repetitions=2, boards={"names": ["b2"]})
        request = os.path.join(self.farm.state, "runs/%d/1/request.json" % self.farm.run(job)["id"])
        farm.wait_for("the request", lambda: os.path.exists(request))
        self.farm.kill()
        os.unlink(request)
        self.farm.start()
        self.exactly_once(self.farm.wait_job(job["id"]))

    def test_at_random_moments(self):
        print(f"seed {SEED}, {ROUNDS} rounds (COHORT_SEED, COHORT_FARM_ROUNDS)", flush=True)
        dice = random.Random(SEED)
        for i in range(4):
            self.farm.board(f"b{i}", test_ms=10, die=0.005, hints=0.9 if i == 3 else 1)
        self.farm.open()
        jobs = []
        for i in range(ROUNDS):
            jobs.append(self.farm.submit(repetitions=2, each=dice.choice(["class", "board"]), max_attempts=10))
            until = time.monotonic() + dice.random() * 0.15
            while time.monotonic() < until:
                self.farm.run(jobs[dice.randrange(len(jobs))])
            if dice.random() < 0.4:
                self.farm.kill()
                self.farm.start()
            else:
                pid = self.farm.process_of(f"b{dice.randrange(4)}")
                if pid:
                    os.kill(pid, signal.SIGKILL)
        for job in jobs:
            done = self.farm.wait_job(job["id"], 240)
            where = f"seed {SEED} job {job['id']}"
            self.exactly_once(done, where)
            for run in done["runs"]:
                for attempt in self.farm.attempts(run["id"])[:-1]:
                    self.assertIsNotNone(attempt["fault"], where)


if __name__ == "__main__":
    unittest.main()
