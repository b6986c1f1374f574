"""Jobs over HTTP on the real cohortd: submitting, planning, cancelling, reading back; results and comparisons from a store
that was filled by the test. No board answers here, so that runs stay where the test puts them."""

import json
import os
import random
import re
import sqlite3
import subprocess
import unittest

import compare_reference
import farm

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ"
NOW = 1_790_000_000_000_000


def board(name, cache="vivt", kind="qemu", arch="armel", **fields):
    document = {"name": name, "kind": kind, "cache": cache, "arch": arch,
                "ssh": {"host": "127.0.0.1", "port": 1, "user": "root", "key": "/nowhere/key", "host_key": KEY},
                "boot": {"method": "none"}}
    document.update(fields)
    return document


class Case(unittest.TestCase):
    def setUp(self):
        self.farm = farm.Farm()
        self.addCleanup(self.farm.remove)
        for document in self.boards():
            self.farm.add_board(document)
        self.api = self.farm.start()
        self.addCleanup(self.farm.stop)

    def boards(self):
        return [board("q1", tags=["fast"]), board("q2"), board("n810", cache="vipt-aliasing", kind="physical"),
                board("pc", cache="none", kind="host", arch="x86-64")]

    def builds(self, *names):
        return [self.api.post("/api/v1/builds", {"name": name, "arch": "arm"})["id"] for name in names]

    def job(self, **fields):
        return {"builds": ["base", "v1"], "boards": {"cache": ["vivt"]}, "suite": "smoke", **fields}


class Submitting(Case):
    def setUp(self):
        super().setUp()
        self.ids = self.builds("base", "v1")

    def test_submit(self):
        plan = self.api.post("/api/v1/jobs?dry_run=true", self.job(repetitions=2, tests=["echo", "t*"]), status=200)
        self.assertTrue(plan["valid"])
        self.assertEqual([(r["cache"], r["kind"], r["build"]["name"], r["boards"], r["tests"]) for r in plan["runs"]],
                         [("vivt", "qemu", "base", ["q1", "q2"], 4), ("vivt", "qemu", "v1", ["q1", "q2"], 4)])
        self.assertEqual(self.api.get("/api/v1/jobs")["items"], [])
        job = self.api.post("/api/v1/jobs", self.job(name="two", repetitions=2, tests=["echo", "t*"], priority=5))
        self.assertEqual((job["state"], job["complete"], job["planned"], job["arrived"], job["tests"], job["labels"]),
                         ("queued", False, 8, 0, ["echo", "true"], ["base", "v1"]))
        self.assertEqual([(r["state"], r["column"], r["build"]["id"], r["planned"]) for r in job["runs"]],
                         [("queued", 0, self.ids[0], 4), ("queued", 1, self.ids[1], 4)])
        self.assertEqual(self.api.get(f"/api/v1/jobs/{job['id']}"), job)
        self.assertEqual(job["selector"], {"cache": ["vivt"]})
        self.assertIsNone(job["iterations"])
        run = self.api.get(f"/api/v1/runs/{job['runs'][1]['id']}")
        self.assertEqual(run["tests"], ["echo", "true"])
        self.assertEqual(self.api.get(f"/api/v1/runs/{run['id']}/attempts")["items"], [])
        events = self.api.get(f"/api/v1/runs/{run['id']}/events")["items"]
        self.assertEqual([(e["kind"], e["state"]) for e in events], [("run", "queued")])

    def test_lists(self):
        jobs = [self.api.post("/api/v1/jobs", self.job(name=f"n{i}"))["id"] for i in range(5)]
        page = self.api.get("/api/v1/jobs?limit=2")
        self.assertEqual([j["id"] for j in page["items"]], jobs[:2:-1])
        page = self.api.get(f"/api/v1/jobs?limit=3&cursor={page['next']}")
        self.assertEqual([j["id"] for j in page["items"]], jobs[2::-1])
        self.assertIsNone(page["next"])
        self.assertEqual(self.api.get("/api/v1/jobs?state=done")["items"], [])
        self.assertEqual(len(self.api.get("/api/v1/jobs?state=queued")["items"]), 5)
        runs = self.api.get(f"/api/v1/runs?job={jobs[3]}")["items"]
        self.assertEqual([r["column"] for r in runs], [1, 0])
        self.assertEqual(len(self.api.get("/api/v1/runs?state=queued&cache=vivt&limit=500")["items"]), 10)
        self.assertEqual(self.api.get("/api/v1/runs?board=q1")["items"], [])

    def refused(self, body, path="/api/v1/jobs"):
        status, document = self.api.call("POST", path, body)
        self.assertEqual(status, 422, document)
        return {e["pointer"]: e["detail"] for e in document["errors"]}

    def test_every_error_at_once(self):
        body = self.job(builds=["base", "nope"], tests=["b-*"], priority=1000, colour="red", boards={"names": ["q1", "zz"]})
        for path in ("/api/v1/jobs", "/api/v1/jobs?dry_run=true"):
            errors = self.refused(body, path)
            self.assertEqual(set(errors), {"/builds/1", "/tests/0", "/priority", "/colour", "/boards/names/1"})
            self.assertEqual(errors["/builds/1"], "no such build 'nope'")
        self.assertEqual(self.api.get("/api/v1/jobs")["items"], [])
        self.assertIn("?dry_run", self.refused(self.job(), "/api/v1/jobs?dry_run=maybe"))

    def test_wrong_paths(self):
        for path, status in (("/api/v1/jobs/99", 404), ("/api/v1/runs/99", 404), ("/api/v1/results/99", 404),
                             ("/api/v1/runs/99/log", 404), ("/api/v1/runs/99/attempts", 404), ("/api/v1/runs/99/events", 404),
                             ("/api/v1/compare?job=99", 404), ("/api/v1/compare?builds=99", 404), ("/api/v1/jobs/x", 404),
                             ("/api/v1/suites/none", 404), ("/api/v1/compare", 422), ("/api/v1/compare?job=1&builds=1", 422),
                             ("/api/v1/compare?builds=1,,2", 422), ("/api/v1/compare?builds=1&suite=none", 422),
                             ("/api/v1/jobs?state=gone", 422), ("/api/v1/results?run=x", 422),
                             ("/api/v1/results?format=xml", 422), ("/api/v1/jobs?colour=red", 422)):
            got, document = self.api.call("GET", path)
            self.assertEqual(got, status, (path, document))

    def test_idempotency(self):
        head = {"Idempotency-Key": "once"}
        first = self.api.post("/api/v1/jobs", self.job(), headers=head)
        self.assertEqual(self.api.post("/api/v1/jobs", self.job(), headers=head), first)
        status, _ = self.api.call("POST", "/api/v1/jobs", self.job(name="other"), head)
        self.assertEqual(status, 409)
        self.assertEqual(len(self.api.get("/api/v1/jobs")["items"]), 1)

    def test_cancel(self):
        job = self.api.post("/api/v1/jobs", self.job())
        path = f"/api/v1/jobs/{job['id']}/cancel"
        ended = self.api.post(path, None, status=200)
        self.assertEqual((ended["state"], [r["state"] for r in ended["runs"]]), ("cancelled", ["cancelled"] * 2))
        status, _ = self.api.call("POST", path)
        self.assertEqual(status, 409)
        compared = self.api.get(f"/api/v1/compare?job={job['id']}")
        self.assertEqual([c["state"] for c in compared["classes"][0]["columns"]], ["incomplete"] * 2)

    def test_answered_is_stored(self):
        jobs = [self.api.post("/api/v1/jobs", self.job(name=str(i)))["id"] for i in range(20)]
        self.farm.kill()
        self.api = self.farm.start()
        self.assertEqual([j["id"] for j in self.api.get("/api/v1/jobs")["items"]], jobs[::-1])

    def test_suites(self):
        suites = {s["name"]: s for s in self.api.get("/api/v1/suites")["items"]}
        smoke = self.api.get("/api/v1/suites/smoke")
        self.assertEqual(suites["smoke"], smoke)
        self.assertEqual(smoke["tests"][0], {"name": "echo", "description": "prints {}", "kind": "contract",
                                             "output": "records", "time_limit_s": 10, "classes": [], "cells": []})

    def test_log(self):
        run = self.api.post("/api/v1/jobs", self.job())["runs"][0]["id"]
        path = f"/api/v1/runs/{run}/log?attempt=1"
        self.assertEqual(self.api.call("GET", path)[0], 404)
        directory = os.path.join(self.farm.state, "runs", str(run), "1")
        os.makedirs(directory)
        for name in ("run", "console"):
            with open(os.path.join(directory, name + ".log"), "w", encoding="utf-8") as file:
                file.write(f"this is the {name} log\n")
        self.assertEqual(self.api.call("GET", path), (200, b"this is the run log\n"))
        self.assertEqual(self.api.call("GET", path + "&source=console"), (200, b"this is the console log\n"))
        self.assertEqual(self.api.call("GET", path, headers={"Range": "bytes=12-14"}), (206, b"run"))
        self.assertEqual(self.api.call("GET", path + "&source=passwd")[0], 422)


class Stored(Case):
    """What was measured, put into the store by hand while cohortd is down."""

    def setUp(self):
        super().setUp()
        self.ids = self.builds("base", "v1", "v2", "v3")
        self.farm.stop()
        self.db = sqlite3.connect(os.path.join(self.farm.state, "cohort.db"), isolation_level=None)
        self.db.execute("BEGIN")

    def know(self, known):
        """A suite `known` whose cells [(test, pattern, cache)] are known to fail."""
        self.farm.suites = os.path.join(self.farm.directory, "suites")
        os.makedirs(self.farm.suites)
        tests = [{"name": f"t{i}", "kind": "contract", "argv": ["true"]} for i in range(4)]
        with open(os.path.join(self.farm.suites, "known.json"), "w", encoding="utf-8") as file:
            json.dump({"name": "known", "version": "1", "tests": tests, "known": [
                {"test": test, "cells": [cells], "caches": [cache], "why": f"{test} {cells}"} for test, cells, cache in known]}, file)

    def serve(self):
        self.db.execute("COMMIT")
        self.db.close()
        self.api = self.farm.start()

    def insert(self, table, **values):
        names = ", ".join(f'"{name}"' for name in values)
        marks = ", ".join("?" * len(values))
        return self.db.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(values.values())).lastrowid

    def put_job(self, columns, suite="smoke", specs=()):
        labels = json.dumps([f"b{c}" for c in range(columns)])
        return self.insert("job", name="stored", request='{"boards":{}}', suite=suite, labels=labels, priority=0,
                           state="done", created=NOW, ended=NOW, columns=json.dumps(specs))

    def put_run(self, job, run):
        """A run as compare_reference.py has it, with an earlier attempt that must not count. Sets the ids of results."""
        plan = [{**test, "rep": 1, "time_limit_s": 1, "argv": ["true"]} for test in run["plan"]]
        row = self.insert("run", job=job, col=run["column"], build=self.ids[run["column"]], cache=run["cache"],
                          kind=run["kind"], boards="[]", fault=fault_of(run), plan=json.dumps({"suite": "smoke", "tests": plan}),
                          planned=len(plan), priority=0, state=run["state"], attempt=2, max_attempts=3, board=run["board"],
                          expires=NOW * 2, created=NOW)
        self.insert("attempt", run=row, attempt=1, board="old", fence=1, state="ended", outcome="fault",
                    fault='{"code":"ssh-lost"}', started=NOW)
        self.insert("attempt", run=row, attempt=2, board=run["board"], fence=2, state="ended", outcome="complete", started=NOW)
        for r in run["results"]:
            one = {"run": row, "test_id": r["test_id"], "test": r["test"], "rep": 1, "cell": r["cell"],
                   "test_kind": r["kind"], "time": NOW + r["test_id"] * 1_000_000}
            self.insert("result", attempt=1, verdict="fail", **one)
            r["id"] = self.insert("result", attempt=2, verdict=r["verdict"], **one)
            if r["warned"] and r["cell"] == "":
                self.insert("evidence", run=row, attempt=2, test_id=r["test_id"], record=WARNING)
        for value in run.get("values", []):
            self.insert("evidence", run=row, attempt=2, test_id=value["test_id"], cell=value["cell"],
                        record=json.dumps({"type": "value", **value}, separators=(",", ":")))
        for _ in range(run["warnings"] - sum(r["warned"] and r["cell"] == "" for r in run["results"])):
            self.insert("evidence", run=row, attempt=2, test_id=None, record=WARNING)
        return row


def fault_of(run):
    if not run.get("build_failed"):
        return None
    return json.dumps({"code": "build-failed", "stage": None, "detail": run["build_failed"]})


WARNING = json.dumps({"type": "kernel-warning", "kind": "warning", "text": "WARNING: CPU: 0"}, separators=(",", ":"))


def random_run(rng, column, cache, kind, name, calm=False):
    """calm: everything runs, and passes or fails always; without it a farm has bad days, and little can be said."""
    tests = [(f"t{i}", rng.choice(["contract", "contract", "gap", "info"]), rng.randrange(4)) for i in range(4)]
    if not calm and rng.random() < 0.2:
        tests.pop(rng.randrange(4))
    state = "done" if calm else rng.choice(["done"] * 8 + ["failed", "cancelled", "running", "queued"])
    lean = rng.choice([0.0, 0.0, 1.0] if calm and column == 0 else [0.0] * 7 + [1.0] if calm else [0.0, 0.0, 0.3, 1.0])
    plan, results = [], []
    for _ in range(rng.choice([1, 1, 2, 5])):
        for test, test_kind, cells in tests:
            test_id = len(plan)
            plan.append({"id": test_id, "name": test, "kind": test_kind})

            def verdict():
                if not calm and rng.random() < 0.1:
                    return rng.choice(["skip", "error", "inconclusive", "missing"])
                return "fail" if rng.random() < lean else "pass"
            if not calm and rng.random() < 0.05:
                continue
            own = verdict() if calm else rng.choice(["skip"] + [verdict()] * 9)
            results.append({"test_id": test_id, "test": test, "cell": "", "kind": test_kind, "verdict": own,
                            "warned": not calm and rng.random() < 0.03})
            for cell in range(cells if own != "skip" and own != "missing" else 0):
                if rng.random() < 0.95:
                    results.append({"test_id": test_id, "test": test, "cell": f"c{cell}", "warned": False,
                                    "kind": "gap" if cell == 2 else test_kind, "verdict": verdict()})
    values = random_values(rng, plan, results) if rng.random() < 0.5 else []
    warnings = sum(r["warned"] for r in results) + (not calm and rng.random() < 0.05)
    return {"column": column, "cache": cache, "kind": kind, "board": name, "state": state, "faults": 1, "warnings": warnings,
            "plan": plan, "results": results, "values": values,
            "build_failed": "does not apply" if state == "failed" and rng.random() < 0.3 else None}


def random_values(rng, plan, results):
    """A benchmark with three cells, one of which is sometimes no measurement; how much dearer it is differs from run to run."""
    test_id, values = len(plan), []
    plan.append({"id": test_id, "name": "bench", "kind": "info"})
    results.append({"test_id": test_id, "test": "bench", "cell": "", "kind": "info", "verdict": "pass", "warned": False})
    for cell in range(3):
        verdict = "inconclusive" if rng.random() < 0.1 else "pass"
        results.append({"test_id": test_id, "test": "bench", "cell": f"c{cell}", "kind": "info", "verdict": verdict, "warned": False})
        middle = 1000 * rng.choice([1, 1, 1.02, 1.25, 0.75])
        samples = [round(middle + rng.random() * 4, rng.choice([0, 3])) for _ in range(9)]
        values.append({"test_id": test_id, "cell": f"c{cell}", "name": "turn", "unit": "MiB/s" if cell == 2 else "ns",
                       "value": sorted(samples)[4], "samples": samples})
    return values


def random_specs(rng, columns):
    """base, revisions, and at times controls that must fail some of the tests somewhere."""
    controls = rng.choice([0, 0, 1, 2]) if columns > 2 else 0
    return [{"label": f"b{c}", "role": "control" if c >= columns - controls else "revision" if c else "base",
             "expect": {cache: rng.sample(["t0", "t1", "t2", "t3"], rng.randrange(1, 3)) for cache in rng.sample(["vivt", "pipt"], 1)}
             if c >= columns - controls else {}} for c in range(columns)]


class Comparing(Stored):
    KNOWN = [("t0", "c1", "vivt"), ("t1", "*", "vivt"), ("t2", "c?", "pipt"), ("t1", "c0", "pipt")]
    # Of people: the last has expired. (test, cells, cache, board, expires)
    ISSUES = [("t3", "*", "vivt", None, None), ("t?", "c0", "pipt", "a*", NOW * 2), ("t3", "*", "pipt", "b", None),
              ("*", "*", "vivt", None, NOW - 1), ("*", "*", "pipt", None, NOW - 1)]
    SEEDS = int(os.environ.get("COHORT_COMPARE_SEEDS", "150"))

    def test_against_the_reference(self):
        first = int(os.environ.get("COHORT_COMPARE_FIRST", random.randrange(1 << 32)))
        self.know(self.KNOWN)
        for test, cells, cache, boards, expires in self.ISSUES:
            self.insert("known_issue", suite="known", test=test, cells=cells, cache=cache, board=boards, why=f"{test} {cells}",
                        created=NOW, expires=expires)
        print(f"seeds {first} .. {first + self.SEEDS - 1}")
        jobs, met = [], set()
        for seed in range(first, first + self.SEEDS):
            rng = random.Random(seed)
            columns, calm = rng.randrange(1, 5), rng.random() < 0.5
            runs = [random_run(rng, column, cache, kind, name, calm)
                    for cache, kind in rng.sample([("vivt", "qemu"), ("vivt", "physical"), ("pipt", "emulated")], rng.randrange(1, 4))
                    for name in rng.sample(["a", "b"], rng.randrange(1, 3))
                    for column in range(columns) if calm or rng.random() < 0.9]
            known = rng.random() < 0.7
            specs = random_specs(rng, columns)
            job = self.put_job(columns, "known" if known else "smoke", specs if rng.random() < 0.9 or specs[-1]["expect"] else [])
            for run in runs:
                self.put_run(job, run)
            jobs.append((seed, job, runs, specs, self.known_here() if known else ()))
        self.serve()
        for seed, job, runs, specs, known in jobs:
            with self.subTest(seed=seed):
                got = self.api.get(f"/api/v1/compare?job={job}")
                self.check(got, runs, specs, known)
                met |= {column["verdict"] for one in got["classes"] for column in one["columns"]}
        if self.SEEDS >= 150:
            self.assertEqual(met, {"good", "bad", "costs", "no-verdict", None})

    def known_here(self):
        return [(*one, None) for one in self.KNOWN] + \
            [(test, cells, cache, boards) for test, cells, cache, boards, expires in self.ISSUES if not expires or expires > NOW]

    def check(self, got, runs, specs, known):
        wanted = compare_reference.compare(runs, specs, known)
        self.assertEqual([(c["cache"], c["kind"]) for c in got["classes"]], [(w["cache"], w["kind"]) for w in wanted])
        self.assertEqual([c["role"] for c in got["columns"]], [s["role"] for s in specs])
        for group, of in zip(got["classes"], wanted):
            self.assertEqual(group["proves_coherency"], of["kind"] != "qemu")
            self.assertEqual(group["note"] is None, of["kind"] != "qemu")
            self.check_columns(group, of)
            self.check_costs(group, of)
            rows = of["rows"]
            self.assertEqual([(r["test"], r["cell"] or "", r["test_kind"], r["class_of_change"]) for r in group["rows"]],
                             [(r["test"], r["cell"], r["kind"], r["change"]) for r in rows])
            for row, w in zip(group["rows"], rows):
                self.assertEqual(row["changes"], [None] + w["changes"][1:] + [None] * (len(specs) - len(w["changes"])))
                self.assertEqual(len(row["line"].split("→")), len(w["changes"]))
                self.assertEqual(row["known"] is None, not any(t["known"] for t in w["tallies"]), row)
                self.assertEqual(row["p"] is None, w["p"] is None, row)
                self.assertAlmostEqual(row["p"] or 0, w["p"] or 0, 5)
                for cell, t in zip(row["cells"], w["tallies"]):
                    self.assertEqual([cell[k] for k in ("pass", "fail", "known", "skip", "other", "missing", "warnings")],
                                     [t[k] for k in ("pass", "fail", "known", "skip", "other", "missing", "warned")], row)
                    self.assertEqual(cell["n"], t["pass"] + t["fail"] + t["skip"] + t["other"])
                    self.assertEqual(cell["state"], t["state"], row)
                    self.check_telling(cell["result"], t, runs)

    def check_columns(self, group, of):
        for column, w in zip(group["columns"], of["columns"]):
            w = dict(w)
            place = (of["cache"], of["kind"], column["label"], column["why"])
            self.assertEqual(column["verdict"], w.pop("verdict", None), place)
            self.assertEqual(column["why"] is None, column["verdict"] is None)
            self.assertEqual(column["build_failed"] is not None, w.pop("build_failed"))
            self.assertEqual((column["cost"] or {"compared": 0})["compared"], w.pop("compared", 0), place)
            self.assertEqual({k: column[k] for k in w}, w, place)
            if column["verdict"] in ("good", "costs"):
                self.assertEqual(column["state"], "pass", place)
        if of["sense"] is None:
            self.assertIsNone(group["sensitivity"])
        else:
            self.assertEqual(group["sensitivity"]["state"], of["sense"])
            self.assertEqual([(c["column"], c["test"], c["seen"]) for c in group["sensitivity"]["controls"]], of["controls"])

    def check_costs(self, group, of):
        self.assertEqual({(r["test"], r["cell"], r["name"], r["unit"], r["board"]) for r in group["costs"]}, set(of["costs"]))
        for row in group["costs"]:
            shown = of["costs"][row["test"], row["cell"], row["name"], row["unit"], row["board"]]
            self.assertEqual({c: cell["shown"] for c, cell in enumerate(row["cells"]) if cell}, shown, row)
            for cell in row["cells"]:
                if cell and cell["shown"]:
                    self.assertLessEqual(cell["low"], cell["ratio"] * 1.001)
                    self.assertGreaterEqual(cell["high"], cell["ratio"] * 0.999)

    def check_telling(self, result, tally, runs):
        """The result to look at is one of the worst."""
        if result is None or tally["worst"] < 0:
            return
        r = next(r for run in runs for r in run["results"] if r["id"] == result)
        verdict = "warned" if r["warned"] and r["verdict"] == "pass" else r["verdict"]
        self.assertEqual(compare_reference.WORST.index(verdict), tally["worst"])

    def test_builds_of_any_job(self):
        plan = [{"id": 0, "name": "t", "kind": "contract"}]

        def run(column, verdict):
            return {"column": column, "cache": "vivt", "kind": "physical", "board": "a", "state": "done", "faults": 0,
                    "warnings": 0, "plan": plan, "results": [
                        {"test_id": 0, "test": "t", "cell": "", "kind": "contract", "verdict": verdict, "warned": False}]}
        self.put_run(self.put_job(1), run(0, "pass"))
        self.put_run(self.put_job(2), run(1, "fail"))
        self.put_run(self.put_job(2), run(1, "fail"))
        self.serve()
        got = self.api.get(f"/api/v1/compare?builds={self.ids[0]},{self.ids[1]},{self.ids[3]}&suite=smoke")
        self.assertEqual(got["labels"], ["base", "v1", "v3"])
        self.assertEqual([b[0]["name"] for b in got["builds"]], ["base", "v1", "v3"])
        self.assertEqual([c["state"] for c in got["classes"][0]["columns"]], ["pass", "fail", "no-verdict"])
        self.assertEqual(got["classes"][0]["rows"][0]["class_of_change"], "no-verdict")
        got = self.api.get(f"/api/v1/compare?builds={self.ids[0]},{self.ids[1]}")
        self.assertEqual(got["classes"][0]["rows"][0]["class_of_change"], "regressed")
        self.assertEqual(got["classes"][0]["rows"][0]["cells"][1]["fail"], 2)
        self.assertIn("1 regressed", got["headline"])

    def test_known_issues(self):
        """Somebody says that it is known: the failure is explained and no more a red column, until that has expired or is gone."""
        run = {"column": 0, "cache": "vivt", "kind": "physical", "board": "a", "state": "done", "faults": 0, "warnings": 0,
               "plan": [{"id": 0, "name": "t", "kind": "contract"}, {"id": 1, "name": "u", "kind": "contract"}],
               "results": [{"test_id": i, "test": test, "cell": "", "kind": "contract", "verdict": verdict, "warned": False}
                           for i, (test, verdict) in enumerate((("t", "fail"), ("u", "pass")))]}
        job = self.put_job(2)
        self.put_run(job, dict(run))
        self.put_run(job, dict(run, column=1))
        self.serve()
        path, issue = f"/api/v1/compare?job={job}", {"suite": "smoke", "test": "t", "cache": "vivt", "why": "erratum 7"}

        def seen():
            one = self.api.get(path)["classes"][0]
            return one["columns"][1]["state"], one["columns"][1]["verdict"], one["rows"][0]["class_of_change"], one["rows"][0]["known"]
        red = ("fail", "no-verdict", "still-failing", None)
        self.assertEqual(seen(), red)
        status, body = self.api.call("POST", "/api/v1/known-issues", {**issue, "suite": "none", "cache": "big", "link": "javascript:x",
                                                                      "expires": "soon", "colour": 1})
        self.assertEqual((status, {e["pointer"] for e in body["errors"]}), (422, {"/suite", "/cache", "/link", "/expires", "/colour"}))
        made = self.api.post("/api/v1/known-issues", {**issue, "link": "https://lore.example/7"})
        self.assertEqual(seen(), ("pass", "good", "known-failing", "erratum 7"))
        self.assertEqual(self.api.get(path)["classes"][0]["rows"][0]["issue"], {"id": made["id"], "link": "https://lore.example/7"})
        one = f"/api/v1/known-issues/{made['id']}"
        status, changed = self.api.call("PATCH", one, {"expires": "2026-01-01"})
        self.assertEqual((status, changed["active"], changed["expires"]), (200, False, "2026-01-01T00:00:00.000000Z"))
        self.assertEqual(seen(), red)
        self.assertEqual(self.api.call("PATCH", one, {"expires": None, "why": "erratum 8"})[0], 200)
        self.assertEqual(seen(), ("pass", "good", "known-failing", "erratum 8"))
        self.assertEqual([i["id"] for i in self.api.get("/api/v1/known-issues?suite=smoke&active=true")["items"]], [made["id"]])
        self.assertEqual(self.api.call("DELETE", one)[0], 200)
        self.assertEqual(seen(), red)
        self.assertEqual([self.api.call(method, one, body)[0] for method, body in (("GET", None), ("DELETE", None), ("PATCH", {}))], [404] * 3)
        for board, state in (("b*", "fail"), ("a", "pass")):
            self.api.post("/api/v1/known-issues", {**issue, "board": board})
            self.assertEqual(seen()[0], state)

    def put_study(self):
        """The origin story: base fails both tests, v1 fixes one, v2 both but dearer, v3 both; the control has one flush less. On the
        other class v1 does not build, and the control passes."""
        self.ids.append(self.insert("build", name="no-flush", arch="arm", description="", cmdline="", created=NOW))
        fails = {"vivt": [{"anon", "mapped"}, {"mapped"}, set(), set(), {"anon"}], "vipt-aliasing": [{"anon"}, set(), set(), set(), set()]}
        expect = {"vivt": ["anon"], "vipt-aliasing": ["anon"]}
        specs = [{"label": f"b{c}", "role": "base" if c == 0 else "control" if c == 4 else "revision",
                  "expect": expect if c == 4 else {}} for c in range(5)]
        job = self.put_job(5, specs=specs)
        for cache, columns in fails.items():
            for column, failing in enumerate(columns):
                unbuilt = cache == "vipt-aliasing" and column == 1
                tests = [("anon", "contract"), ("mapped", "contract"), ("bench", "info")]
                results = [{"test_id": i, "test": test, "cell": cell, "kind": kind, "warned": False,
                            "verdict": "missing" if unbuilt else "fail" if test in failing else "pass"}
                           for i, (test, kind) in enumerate(tests) for cell in (("",) if unbuilt else ("", "u=dirty"))]
                step = 1300 if column == 2 else 1000
                run = self.put_run(job, {"column": column, "cache": cache, "kind": "emulated", "board": "emu-" + cache, "faults": 0, "warnings": 0,
                                   "state": "failed" if unbuilt else "done", "results": results,
                                   "build_failed": "1/2 does not apply: mm/mmap.c:17" if unbuilt else None,
                                   "plan": [{"id": i, "name": test, "kind": kind} for i, (test, kind) in enumerate(tests)],
                                   "values": [] if unbuilt else [{"test_id": 2, "cell": "u=dirty", "name": "read", "unit": "ns", "value": step + 4,
                                                                  "samples": [step + i for i in range(9)]}]})
                if (cache, column) == ("vivt", 1): # of what fails elsewhere there is no record
                    stale = {"type": "mismatch", "cell": "u=dirty", "class": "stale-memory", "offset": 16, "halfline_bitmap": "5" + "0" * 63}
                    self.insert("evidence", run=run, attempt=2, test_id=1, cell="u=dirty", record=json.dumps(stale, separators=(",", ":")))
        return job

    def test_a_study(self):
        job = self.put_study()
        self.serve()
        got = self.api.get(f"/api/v1/compare?job={job}")
        vivt, vipt = got["classes"]
        self.assertEqual([c["verdict"] for c in vivt["columns"]], [None, "bad", "costs", "good", None])
        self.assertEqual([r["line"] for r in vivt["rows"] if r["cell"] is None], ["F→P→P→P", "F→F→P→P", "P→P→P→P"])
        self.assertEqual(vivt["rows"][2]["changes"], [None, "still-failing", "fixed", "fixed", None])
        self.assertEqual([c["state"] for c in vivt["columns"]], ["fail", "fail", "pass", "pass", "sensitive"])
        self.assertEqual([c["state"] for c in vipt["columns"]], ["fail", "no-verdict"] + ["not-sensitive"] * 3)
        self.assertEqual([c["verdict"] for c in vipt["columns"]], [None] + ["no-verdict"] * 3 + [None])
        self.assertIn("vipt-aliasing (emulated) no verdict: 1 fixed (2 results, none failed), not sensitive", got["headline"])
        out = self.cohort("compare", str(job))
        for wanted in (r"vivt +emulated +b1 +bad +~ \(.*leaves mapped failing, which b2 fixes\n",
                       r"vivt +emulated +b2 +costs +\+29.9 % \(.*fixes anon and 1 more test, 2 results pass, but dearer: bench u=dirty \+29.9 %",
                       r"vivt +emulated +b3 +good +~ \(\S+ to \S+ %\) +fixes anon and 1 more test, 2 results pass, no cost shown in 1 benchmark\n",
                       r"vipt-aliasing +emulated +b1 +no-verdict +- +does not build: 1/2 does not apply: mm/mmap.c:17\n",
                       r"vivt \(emulated\) +sensitive: +control b4 fails, as it must, +anon\n",
                       r"vipt-aliasing \(emulated\) +NOT SENSITIVE: +control b4 passes what it must fail, +anon\n",
                       r"vivt +emulated +mapped +and 1 cell alike +F→F→P→P +0/1 +0/1 +1/1 +1/1 +1/1 +fixed\b",
                       r"vivt +emu-vivt +bench +u=dirty +1004 ns +~ .* \+29.9 % "):
            self.assertRegex(out, wanted)
        self.assertEqual(re.findall(r"What failed of .*", out), ["What failed of b1 on vivt (emulated):"], "a heading with nothing below it")
        self.assertIn("(emulated):\n  mapped on emu-vivt, u=dirty: 2 of 256 half-lines stale-memory, first at offset 16", out)

    def cohort(self, *argv, code=0):
        environment = dict(os.environ, COHORT_SERVER=f"http://127.0.0.1:{self.api.port}", COHORT_TOKEN=self.api.token)
        done = subprocess.run([farm.COHORT, *argv], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=farm.DEADLINE_S, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stdout + done.stderr

    def test_known_issues_by_hand(self):
        job = self.put_study()
        self.serve()
        words = ("--suite", "smoke", "--cache", "vivt", "--test", "mapped")
        self.assertEqual(self.cohort("known", "add", *words, "--why", "waits for a fix", "--expires", "2099-12-31"), "known issue 1\n")
        self.assertRegex(self.cohort("known", "list"), r"\n1 +smoke +mapped +\* +vivt +any +2099-12-31 00:00:00 +waits for a fix")
        self.assertRegex(self.cohort("compare", str(job), "--all"), r"mapped .* known, issue 1: waits for a fix")
        self.assertRegex(self.cohort("compare", str(job)), r"vivt +emulated +b1 +good .* 1 fails as known")
        self.assertIn('"active": false', self.cohort("known", "change", "1", "--expires", "2020-01-01"))
        self.assertRegex(self.cohort("known", "list"), r"2020-01-01 00:00:00 \(over\)")
        self.assertRegex(self.cohort("compare", str(job)), r"vivt +emulated +b1 +bad ")
        self.cohort("known", "delete", "1")
        self.assertEqual(json.loads(self.cohort("known", "list", "--json")), [])
        self.assertIn("/why", self.cohort("known", "add", *words, code=1))
        for wrong in (("add", "stray"), ("change", "1"), ("change", "--why", "x"), ("delete",), ("list", "--jsn")):
            self.assertIn("usage", self.cohort("known", *wrong, code=2))

    def test_suites_do_not_mix(self):
        """Two suites may have a test of the same name: builds that ran both are compared by one of them."""
        run = {"column": 0, "cache": "vivt", "kind": "physical", "board": "a", "state": "done", "faults": 0, "warnings": 0,
               "plan": [{"id": 0, "name": "t", "kind": "contract"}],
               "results": [{"test_id": 0, "test": "t", "cell": "", "kind": "contract", "verdict": "fail", "warned": False}]}
        self.put_run(self.put_job(1), dict(run))
        self.put_run(self.put_job(1, "other"), dict(run))
        self.put_run(self.put_job(2), dict(run, column=1))
        self.serve()
        path = f"/api/v1/compare?builds={self.ids[0]},{self.ids[1]}"
        status, body = self.api.call("GET", path)
        self.assertEqual(status, 422)
        self.assertEqual([e["pointer"] for e in body["errors"]], ["?suite"])
        self.assertIn("smoke", body["errors"][0]["detail"])
        self.assertEqual(self.api.get(path + "&suite=smoke")["classes"][0]["rows"][0]["cells"][0]["fail"], 1)
        self.assertEqual(self.api.get(f"/api/v1/compare?builds={self.ids[1]}")["classes"][0]["columns"][0]["fail"], 1)


class Results(Stored):
    def setUp(self):
        super().setUp()
        rng = random.Random(7)
        self.jobs = []
        for _ in range(3):
            runs = [random_run(rng, column, cache, "qemu", name) for column in range(2)
                    for cache, name in (("vivt", "a"), ("pipt", "b"))]
            job = self.put_job(2)
            for run in runs:
                run["id"] = self.put_run(job, run)
            self.jobs.append((job, runs))
        self.serve()

    def wanted(self, job=None, **equal):
        """Ids of all results, in the order in which they were made."""
        return [r["id"] for number, runs in self.jobs if job in (None, number) for run in runs for r in run["results"]
                if all({**run, **r}[key] == value for key, value in equal.items())]

    def test_stream(self):
        job, runs = self.jobs[1]
        by_run = [r["id"] for run in runs for r in sorted(run["results"], key=lambda r: (r["test_id"], r["cell"]))]
        self.assertEqual([r["id"] for r in self.api.all_results(f"job={job}")], by_run)
        self.assertEqual([r["id"] for r in self.api.all_results("")], self.wanted())
        self.assertEqual([r["id"] for r in self.api.all_results(f"run={runs[0]['id']}&job={job}")],
                         [r["id"] for r in sorted(runs[0]["results"], key=lambda r: (r["test_id"], r["cell"]))])
        self.assertEqual(self.api.all_results(f"run={runs[0]['id']}&job={self.jobs[0][0]}"), [])
        self.assertEqual(sorted(r["id"] for r in self.api.all_results(f"job={job}&verdict=fail&cache=pipt&format=ndjson")),
                         self.wanted(job, verdict="fail", cache="pipt"))
        self.assertEqual([r["id"] for r in self.api.all_results("test=t1&cell=c1&board=a")],
                         self.wanted(test="t1", cell="c1", board="a"))

    def test_pages(self):
        for query, wanted in ((f"&job={self.jobs[2][0]}", self.wanted(self.jobs[2][0])), ("", self.wanted()),
                              ("&cell=&test=t0", self.wanted(cell="", test="t0")),
                              (f"&run={self.jobs[0][1][1]['id']}", [r["id"] for r in self.jobs[0][1][1]["results"]])):
            got, cursor = [], ""
            while cursor is not None:
                page = self.api.get(f"/api/v1/results?limit=7{query}" + (f"&cursor={cursor}" if cursor else ""))
                got += [r["id"] for r in page["items"]]
                cursor = page["next"]
            self.assertEqual(got, sorted(wanted, reverse=True), query)

    def test_a_filter_that_nothing_fits_is_bounded(self):
        """No page and no batch looks at the whole table; all pages together do."""
        self.farm.stop()
        db = sqlite3.connect(os.path.join(self.farm.state, "cohort.db"), isolation_level=None)
        db.execute("BEGIN")
        run = self.jobs[2][1][0]["id"]
        db.executemany("INSERT INTO result (run, attempt, test_id, test, rep, cell, test_kind, verdict, time)"
                       " VALUES (?, 2, ?, 'many', 1, 'c', 'info', 'pass', 0)", ((run, 1000 + i) for i in range(120000)))
        db.execute("COMMIT")
        db.close()
        self.api = self.farm.start()
        for query, wanted in (("test=none", []), ("test=t0&cell=", self.wanted(test="t0", cell=""))):
            got, pages, cursor = [], 0, ""
            while cursor is not None:
                page = self.api.get(f"/api/v1/results?limit=500&{query}" + (f"&cursor={cursor}" if cursor else ""))
                got, pages, cursor = got + [r["id"] for r in page["items"]], pages + 1, page["next"]
            self.assertEqual(got, sorted(wanted, reverse=True))
            self.assertEqual(pages, 3)
            self.assertEqual([r["id"] for r in self.api.all_results(query)], sorted(wanted))

    def test_one(self):
        job, runs = self.jobs[0]
        run = runs[0]
        r = next(r for r in run["results"] if r["cell"] == "" and r["test_id"] == 2)
        directory = os.path.join(self.farm.state, "runs", str(run["id"]), "2")
        os.makedirs(directory)
        with open(os.path.join(directory, "run.log"), "w", encoding="utf-8") as file:
            for second in range(-9, 9):
                file.write(f"{stamp(NOW + second * 1_000_000)} line of second {second}\n")
        got = self.api.get(f"/api/v1/results/{r['id']}")
        self.assertEqual([got[k] for k in ("id", "run", "job", "build", "column", "board", "cache", "kind", "test", "rep", "cell",
                                           "test_kind", "verdict", "attempt", "time")],
                         [r["id"], run["id"], job, self.ids[0], 0, "a", "vivt", "qemu", r["test"], 1, None, r["kind"],
                          r["verdict"], 2, stamp(NOW + 2_000_000)])
        self.assertEqual(len(got["evidence"]), int(r["warned"]))
        self.assertEqual([line.split()[-1] for line in got["log_excerpt"].splitlines()], ["1", "2"])

    def test_counts(self):
        job, runs = self.jobs[0]
        document = self.api.get(f"/api/v1/jobs/{job}")
        counts = {}
        for run in runs:
            for r in run["results"]:
                if r["cell"] == "":
                    counts[r["verdict"]] = counts.get(r["verdict"], 0) + 1
        self.assertEqual(document["verdicts"], counts)
        self.assertEqual(next(j for j in self.api.get("/api/v1/jobs")["items"] if j["id"] == job)["verdicts"], counts)
        attempts = self.api.get(f"/api/v1/runs/{runs[0]['id']}/attempts")["items"]
        self.assertEqual([(a["attempt"], a["board"], a["outcome"], (a["fault"] or {}).get("code")) for a in attempts],
                         [(1, "old", "fault", "ssh-lost"), (2, "a", "complete", None)])


def stamp(wall_us):
    import datetime
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=wall_us)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


if __name__ == "__main__":
    unittest.main()
