"""Exports: one job with a result of every outcome, as KTAP, JUnit, KCIDB and b4's checks; the same results in each of them, and
KTAP comes back from a real board as what it was."""

import hashlib
import json
import os
import re
import sqlite3
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

import farm
import kcidb_v05_03
import test_farm

ENVIRONMENT = dict(os.environ, COHORT_TOKEN="", COHORT_TOKEN_FILE="", XDG_CONFIG_HOME="/nonexistent")


def cell(name, verdict="pass", **fields):
    return {"type": "cell", "cell": name, "verdict": verdict, "trials": 2, "bad": verdict == "fail", **fields}


BAD = {"records": [cell("u=dirty,k=clean", "fail"), cell("u=clean,k=clean"), cell("a/b [0x1]#2", "fail", kind="gap"),
                   {"type": "mismatch", "cell": "u=dirty,k=clean", "offset": 64, "got": "00", "want": "5a"}],
       "verdict": "fail", "reason": "stale", "detail": "esc \x1b[31mred\x1b[0m \ufffe <&> ]]>\nsecond line"}
GOOD = {"records": [cell("u=dirty,k=clean"), cell("u=clean,k=clean"), cell("a/b [0x1]#2", kind="gap")]}
SAYS = {
    "good": {"records": [cell("c")]},
    "bad": BAD,
    "known": {"records": [cell("old,x", "fail"), cell("new,x")], "verdict": "fail"},
    "gap": {"verdict": "fail"},
    "info": {"records": [{"type": "value", "cell": "", "name": "read", "value": 12.5, "unit": "ns"},
                         {"type": "value", "cell": "big", "name": "read", "value": 7, "unit": "ns"}, cell("big", kind="info")]},
    "skip": {"verdict": "skip", "reason": "noconfig", "detail": "CONFIG_DM_CRYPT"},
    "unsure": {"verdict": "inconclusive", "detail": "no colour to be had"},
    "broke": {"verdict": "error", "reason": "signal:11"},
    "late": {"verdict": "error", "reason": "timeout"},
    "warned": {"warning": "WARNING: CPU: 0 at mm/fake.c\nline two"},
}
KINDS = {"gap": "gap", "info": "info"}
# Of docs/EXPORT.md: KTAP's line behind the name, JUnit's element, KCIDB's status.
TABLE = {
    "good": ("ok", "", None, "PASS"),
    "bad": ("not ok", "", "failure", "FAIL"),
    "known": ("not ok", " # XFAIL known: a fact", "skipped", "FAIL"),
    "gap": ("not ok", " # XFAIL nothing is promised here", "skipped", "DONE"),
    "info": ("ok", "", None, "DONE"),
    "skip": ("ok", " # SKIP noconfig", "skipped", "SKIP"),
    "unsure": ("not ok", " # ERROR inconclusive: no colour to be had", "error", "ERROR"),
    "broke": ("not ok", " # ERROR signal:11", "error", "ERROR"),
    "late": ("not ok", " # TIMEOUT timeout", "error", "ERROR"),
    "warned": ("not ok", "", "failure", "FAIL"),
}


class Export(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.farm = test_farm.FakeFarm()
        with open(os.path.join(cls.farm.suites, "exp.json"), "w", encoding="utf-8") as file:
            json.dump({"name": "exp", "version": "1",
                       "tests": [{"name": n, "kind": KINDS.get(n, "contract"), "argv": ["true"]} for n in SAYS],
                       "known": [{"test": "known", "cells": ["old,*"], "caches": ["vivt"], "why": "a fact"}]}, file)
        fixed = {"base": {"bad": BAD}, "v2": {"bad": GOOD, "good": {"records": [cell("c", "fail")], "verdict": "fail"}}}
        cls.board("emu", "emulated", "vivt", says=dict({"*": SAYS}, **fixed))
        cls.board("clean", "emulated", "vipt-aliasing", says={"base": {"bad": BAD}, "v2": {}})
        cls.board("qemu", "qemu", "vipt-nonaliasing", says={})
        cls.board("dying", "physical", "vivt", fault={"1": "power-lost"}, says={"*": SAYS})
        cls.api = cls.farm.start()
        cls.add_series()
        cls.api.post("/api/v1/builds", {"name": "base", "arch": "arm", "description": "6.1", "release": "6.1.0", "compiler": "gcc 12"})
        cls.api.post("/api/v1/builds", {"name": "v2", "arch": "arm", "series": "flush", "revision": "v2"})
        cls.job = cls.run_job(builds=["base", "v2"], name="a <job>")

    @classmethod
    def tearDownClass(cls):
        cls.farm.stop()
        cls.farm.remove()

    @classmethod
    def board(cls, name, kind, cache, **how):
        cls.farm.add_board({
            "name": name, "kind": kind, "cache": cache, "arch": "armel", "notes": json.dumps(dict(how, cache=cache)),
            "boot": {"method": "none"},
            "ssh": {"host": "127.0.0.1", "port": 9, "user": "root", "key": "/nonexistent",
                    "host_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJbYyJ2lQ4Hk0m3m1lQO4v0m3O0x7q3V5lq6b1yq0Jm2"}})
        with open(os.path.join(cls.farm.agents, "cohort-agent-armel"), "wb") as file:
            file.write(b"an agent that nobody runs")

    @classmethod
    def mails(cls, version):
        """A cover letter and two patches, as b4 sends them."""
        def mail(n, subject, body):
            return (f"From 0123456789abcdef0123456789abcdef01234567 Mon Sep 17 00:00:00 2001\nFrom: Ann <a@b>\n"
                    f"Date: Tue, 2 Feb 2021 10:00:00 +0100\nSubject: [PATCH v{version} {n}/2] {subject}\nMessage-ID: <v{version}-{n}@x>\n\n{body}")
        cover = f"Why.\n\n---\nbase-commit: {'ab' * 20}\nchange-id: 2026-flush\n-- \n2.39\n\n"
        patch = "Why.\n---\ndiff --git a/{0} b/{0}\nindex 1..2 100644\n--- a/{0}\n+++ b/{0}\n@@ -1 +1 @@\n-a\n+b{1}\n-- \n2.39\n\n"
        return mail(0, "flush it", cover) + mail(1, "one", patch.format("x", version)) + mail(2, "two", patch.format("y", version))

    @classmethod
    def add_series(cls):
        for version in (1, 2):
            cls.api.post("/api/v1/series", {"mbox": cls.mails(version), "series": "flush"})
        revision = cls.api.get("/api/v1/series/flush/revisions/2")
        patches = [p["sha256"] for p in revision["patches"]]
        cls.patchset_hash = hashlib.sha256("".join(p + "\n" for p in patches).encode()).hexdigest()
        assert revision["patchset_hash"] == cls.patchset_hash, revision
        # Two builds that the farm made of one source, with the first patch only.
        store = sqlite3.connect(os.path.join(cls.farm.state, "cohort.db"), timeout=30)
        with store:
            for flavour in ("v5", "v6"):
                recipe = json.dumps({"v": 1, "tree": "linux-6.1", "commit": "cd" * 20, "patches": patches[:1], "flavour": flavour})
                store.execute("INSERT INTO build (name, arch, description, cmdline, created, recipe, revision_id)"
                              " SELECT ?, 'arm', '', '', 1000000, ?, id FROM revision WHERE version = 2", (f"made-{flavour}", recipe))
        store.close()
        cls.one_patch = hashlib.sha256(patches[0].encode() + b"\n").hexdigest()

    @classmethod
    def run_job(cls, **fields):
        job = {"boards": {"names": ["emu", "clean", "qemu", "dying"]}, "suite": "exp", "max_attempts": 1, "repetitions": 2}
        job = cls.api.post("/api/v1/jobs", dict(job, **fields))
        return cls.farm.wait_job(job["id"])

    def cohort(self, *arguments, code=0, stdin=None, **environment):
        done = subprocess.run([farm.COHORT, "--server", f"http://127.0.0.1:{self.api.port}", *arguments], input=stdin,
                              capture_output=True, text=True, timeout=60, check=False, env=dict(ENVIRONMENT, **environment))
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stdout

    def export(self, format, query="", job=None):
        status, data = self.api.call("GET", f"/api/v1/jobs/{job or self.job['id']}/export?format={format}{query}")
        self.assertEqual(status, 200, data)
        return data if isinstance(data, (dict, list)) else data.decode()

    def results(self):
        return self.api.all_results(f"job={self.job['id']}")

    def run_of(self, board, build):
        return next(r for r in self.job["runs"] if r["board"] == board and r["build"]["name"] == build)

    # ---- KTAP ----
    def test_ktap(self):
        lines = self.export("ktap").splitlines()
        self.assertEqual(lines[:6:5], ["KTAP version 1", "  1..8"])
        for line in lines:
            self.assertRegex(line, r"^(  )*(KTAP version 1|1\.\.\d+|# .*|(not )?ok \d+ - [^#]*( # (SKIP|XFAIL|ERROR|TIMEOUT)[^#]*)?)$")
        # Each level's numbers begin at 1 and meet the plan.
        plans, counts = {}, {}
        for line in lines:
            level = (len(line) - len(line.lstrip(" "))) // 2
            text = line.strip()
            if text.startswith("1.."):
                plans[level], counts[level] = int(text[3:]), 0
            result = re.match(r"(?:not )?ok (\d+)", text)
            if result:
                counts[level] += 1
                self.assertEqual(int(result[1]), counts[level], line)
                self.assertEqual(counts.get(level + 1, 0), plans.get(level + 1, 0), line)
                plans.pop(level + 1, None), counts.pop(level + 1, None)
        block = "\n".join(lines)
        emu = block[block.index("# Subtest: vivt emulated base"):block.index("- vivt emulated base")]
        for test, (word, more, _, _) in TABLE.items():
            for name in (test, test + "~2"):
                self.assertRegex(emu, rf"\n    {word} \d+ - {name}{re.escape(more)}\n", test)
        self.assertIn("\n      ok 2 - u=clean,k=clean\n", emu)
        self.assertRegex(emu, r"\n      not ok \d - u=dirty,k=clean\n")
        self.assertRegex(emu, r"\n      not ok \d - a/b \[0x1\]~2 # XFAIL nothing is promised here\n")
        self.assertIn("# WARNING: CPU: 0 at mm/fake.c\n    # line two\n    not ok", emu)
        self.assertIn(" # ERROR missing: power-lost\n", block)
        self.assertEqual(lines[-1], "not ok 1 - exp")

    def test_ktap_is_what_the_import_reads(self):
        """The exported text as the output of a program on a real board: the same names, the same verdicts."""
        directory = tempfile.mkdtemp(prefix="cohort-back-")
        sshd = farm.Sshd(os.path.join(directory, "sshd"))
        back = farm.Farm(directory, suites=os.path.join(directory, "suites"))
        os.makedirs(back.suites)
        with open(os.path.join(directory, "export.ktap"), "w", encoding="utf-8") as file:
            file.write(self.export("ktap"))
        with open(os.path.join(back.suites, "back.json"), "w", encoding="utf-8") as file:
            json.dump({"name": "back", "version": "1", "tests": [
                {"name": "back", "kind": "contract", "output": "ktap", "argv": ["cat", os.path.join(directory, "export.ktap")]}]}, file)
        try:
            back.add_board(farm.board_document("b1", sshd, os.path.join(directory, "board")))
            api = back.start()
            api.post("/api/v1/builds", {"name": "running", "arch": "x86-64"})
            job = back.wait_job(api.post("/api/v1/jobs", {"builds": ["running"], "boards": {"names": ["b1"]}, "suite": "back"})["id"])
            cells = {r["cell"]: r for r in api.all_results(f"job={job['id']}")}
        finally:
            back.stop()
            sshd.stop()
            back.remove()
        self.assertEqual(cells[None]["verdict"], "fail")
        want = {"exp": "fail"}
        same = {"pass": "pass", "fail": "fail", "skip": "skip", "inconclusive": "error", "error": "error", "missing": "error"}
        for r in self.results():
            run = next(run for run in self.job["runs"] if run["id"] == r["run"])
            name = f"exp/{r['cache']} {r['kind']} {run['build']['name']}/{r['test']}" + ("~2" if r["rep"] == 2 else "")
            if r["cell"]:
                name += "/" + r["cell"].replace("#", "~")
            want[name] = "fail" if r["test"] == "warned" and r["cell"] is None and r["board"] == "emu" else same[r["verdict"]]
        for run in self.job["runs"]:
            bad = any(v in ("fail", "error") and n.startswith(f"exp/{run['cache']} {run['kind']} {run['build']['name']}/") and
                      not cells[n]["test_kind"] == "gap" for n, v in want.items() if n in cells)
            name = f"exp/{run['cache']} {run['kind']} {run['build']['name']}"
            self.assertEqual(cells[name]["verdict"] in ("fail", "error"), bad, name)
            want[name] = cells[name]["verdict"]
        self.assertEqual({name: r["verdict"] for name, r in cells.items() if name}, want)

    # ---- JUnit ----
    def test_junit(self):
        text = self.export("junit")
        root = ElementTree.fromstring(text)
        self.assertEqual(root.get("name"), "a <job>")
        self.assertNotIn("[31m", text)
        results = self.results()
        self.assertEqual(len(root.findall("testsuite")), len(self.job["runs"]))
        for suite in root.findall("testsuite"):
            properties = {p.get("name"): p.get("value") for p in suite.findall("properties/property")}
            of_run = [r for r in results if r["run"] == int(properties["run"])]
            cases = suite.findall("testcase")
            self.assertEqual(len(cases), len(of_run))
            self.assertEqual([int(suite.get(n)) for n in ("tests", "failures", "errors", "skipped")],
                             [len(cases)] + [len(suite.findall(f"testcase/{n}")) for n in ("failure", "error", "skipped")])
            self.assertRegex(suite.get("timestamp"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$")
            self.assertEqual(suite.get("hostname"), of_run[0]["board"])
        emu = next(s for s in root.findall("testsuite") if s.get("name") == "exp vivt emulated base")
        for test, (_, _, element, _) in TABLE.items():
            cases = [c for c in emu.findall("testcase") if c.get("classname") == "exp" and c.get("name") == test]
            self.assertEqual([[e.tag for e in c] for c in cases], 2 * [[element] if element else []], test)
            self.assertEqual(float(cases[0].get("time")), 2.5)
        bad = next(c for c in emu.findall("testcase") if c.get("name") == "bad")[0]
        self.assertEqual((bad.get("message"), bad.get("type")), ("stale", "fail"))
        self.assertIn("esc red  <&> ]]>\nsecond line", bad.text)
        self.assertIn('"offset":64', next(c for c in emu.findall("testcase") if c.get("name") == "u=dirty,k=clean")[0].text)
        dying = next(s for s in root.findall("testsuite") if s.get("name") == "exp vivt physical base")
        self.assertEqual(dying.findall("testcase")[-1][0].get("type"), "missing")

    # ---- KCIDB ----
    def test_kcidb(self):
        doc = self.export("kcidb", "&origin=my_lab")
        self.assertEqual(kcidb_v05_03.complaints(doc), [])
        results = self.results()
        self.assertEqual(len(doc["tests"]), len(results))
        self.assertEqual({t["origin"] for t in doc["tests"]}, {"my_lab"})
        statuses = {}
        for test in doc["tests"]:
            misc = test["misc"]
            self.assertIn("start_time", test)
            self.assertEqual(test["environment"]["misc"]["proves_coherency"], test["environment"]["misc"]["board_kind"] != "qemu")
            if "cell" not in misc and test["environment"]["misc"]["platform"] == "emu" and misc["run"] == self.run_of("emu", "base")["id"]:
                statuses[misc["test"]] = test["status"]
                self.assertEqual(test["environment"]["misc"]["cache_class"], "vivt")
                self.assertEqual(test["duration"], 2.5)
        self.assertEqual(statuses, {test: row[3] for test, row in TABLE.items()})
        missing = [t for t in doc["tests"] if t["status"] == "MISS"]
        self.assertEqual(len(missing), sum(r["verdict"] == "missing" for r in results))
        self.assertEqual({t["misc"]["error_code"] for t in missing}, {"power-lost"})
        paths = {t["path"] for t in doc["tests"]}
        self.assertLessEqual({"exp.bad", "exp.bad.u_dirty_k_clean", "exp.bad.a.b_0x1_2", "exp.info.big"}, paths)
        self.assertEqual({(t["misc"].get("cell"), t["number"]["value"], t["number"]["unit"]) for t in doc["tests"] if "number" in t},
                         {(None, 12.5, "ns"), ("big", 7, "ns")})
        self.assertEqual([(i["comment"], i["version"]) for i in doc["issues"]], [("a fact", 1)])
        self.assertEqual(len(doc["incidents"]), sum("known" in t["misc"] for t in doc["tests"]))
        self.assertEqual(sum("known" in t["misc"] for t in doc["tests"]), 8, "own and cell, two rounds, two builds, one class")
        # The same again is the same, or kernelci would have it twice.
        self.assertEqual(doc, self.export("kcidb", "&origin=my_lab"))
        few = self.export("kcidb", "&cells=false")
        self.assertEqual(len(few["tests"]), sum(r["cell"] is None for r in results))
        self.assertEqual(kcidb_v05_03.complaints(few), [])

    def test_known_issues(self):
        """What people say that they know is known as what the suite says, and ends with it."""
        want = self.export("kcidb")
        issue = self.api.post("/api/v1/known-issues", {"suite": "exp", "test": "ba*", "cells": "u=dirty*", "cache": "vivt", "board": "emu",
                                                       "why": "seen before", "link": "https://lore.kernel.org/r/x@y"})
        try:
            doc = self.export("kcidb")
            self.assertEqual(kcidb_v05_03.complaints(doc), [])
            known = {(t["misc"]["test"], t["misc"].get("cell"), t["environment"]["misc"]["platform"])
                     for t in doc["tests"] if t["misc"].get("known") == "seen before"}
            self.assertEqual(known, {("bad", None, "emu"), ("bad", "u=dirty,k=clean", "emu")})
            self.assertIn(("seen before", "https://lore.kernel.org/r/x@y"), {(i["comment"], i.get("report_url")) for i in doc["issues"]})
            self.assertIn("- bad # XFAIL known: seen before\n", self.export("ktap"))
        finally:
            self.api.call("DELETE", f"/api/v1/known-issues/{issue['id']}")
        self.assertEqual(self.export("kcidb"), want)

    def test_kcidb_sources(self):
        doc = self.export("kcidb")
        builds = {b["comment"]: b for b in doc["builds"]}
        checkouts = {c["id"]: c for c in doc["checkouts"]}
        base, v2 = (checkouts[builds[name]["checkout_id"]] for name in ("base", "v2"))
        self.assertEqual(base["patchset_hash"], "")
        self.assertNotIn("git_commit_hash", base)
        self.assertEqual((v2["patchset_hash"], v2["message_id"], v2["git_commit_hash"]), (self.patchset_hash, "v2-0@x", "ab" * 20))
        self.assertEqual((builds["base"]["architecture"], builds["base"]["compiler"], builds["base"]["misc"]["release"], builds["base"]["status"]),
                         ("arm", "gcc 12", "6.1.0", "PASS"))
        doc = self.export("kcidb", job=self.run_job(builds=["made-v5", "made-v6"], boards={"names": ["qemu"]})["id"])
        self.assertEqual(kcidb_v05_03.complaints(doc), [])
        self.assertEqual(len(doc["builds"]), 2)
        self.assertEqual([(c["patchset_hash"], c["tree_name"], c["git_commit_hash"], c["misc"]["revision"]) for c in doc["checkouts"]],
                         [(self.one_patch, "linux-6.1", "cd" * 20, "v2")], "one source is one checkout")

    # ---- b4 ----
    def test_b4(self):
        checks = {c["tool"]: c for c in self.export("b4")}
        emu = checks["cohort/vivt/emulated"]
        self.assertEqual(emu["status"], "fail")
        self.assertRegex(emu["summary"], r"^v2 against base on emulated vivt: bad: regresses good .* \(18 results, 2 kernel warnings\)$")
        self.assertEqual(emu["details"], "regressed:\n  good\n  good c\nstill-failing:\n  warned\nfixed:\n  bad\n  bad a/b [0x1]#2\n  bad u=dirty,k=clean\n")
        self.assertEqual(emu["url"], f"http://127.0.0.1:{self.api.port}/compare.html?job={self.job['id']}")
        self.assertEqual(checks["cohort/vipt-aliasing/emulated"]["status"], "pass")
        self.assertIn("v2 against base on emulated vipt-aliasing: good: ", checks["cohort/vipt-aliasing/emulated"]["summary"])
        self.assertIn("fixed:\n  bad\n", checks["cohort/vipt-aliasing/emulated"]["details"])
        self.assertEqual(checks["cohort/vivt/physical"]["status"], "warn")
        self.assertEqual(checks["cohort/vipt-nonaliasing/qemu"]["status"], "warn", "a pass on QEMU proves nothing")

    def mail(self, *headers, body="hello\n"):
        return "".join(h + "\n" for h in headers) + "\n" + body

    def test_b4_check(self):
        want = self.export("b4")
        for mail in (self.mail("Message-ID: <v2-0@x>"), self.mail("Message-Id:", " <v2-2@x>"),
                     self.mail("Message-ID: <unknown@x>", body="change-id: 2026-flush\n"), self.mail("X-Change-ID: 2026-flush")):
            self.assertEqual(json.loads(self.cohort("b4-check", stdin=mail)), want, mail)
        for mail in (self.mail("Message-ID: <other@x>"), self.mail("Message-ID: <v1-0@x>"), self.mail("Subject: no id"), ""):
            self.assertEqual(json.loads(self.cohort("b4-check", stdin=mail)), [], mail)
        self.assertEqual(self.api.get("/api/v1/checks?message_id=%3Cv2-1%40x%3E"), want)

    # ---- The rest ----
    def test_cli_writes_a_whole_file_or_none(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "out.json")
            self.cohort("export", str(self.job["id"]), "--format", "kcidb", "-o", path)
            with open(path, encoding="utf-8") as file:
                self.assertEqual(json.load(file), self.export("kcidb"))
            self.cohort("export", "999", "--format", "junit", "-o", os.path.join(directory, "none"), code=1)
            self.cohort("export", str(self.job["id"]), "--format", "pdf", "-o", os.path.join(directory, "none"), code=1)
            self.assertEqual(os.listdir(directory), ["out.json"])
        self.assertEqual(self.cohort("export", str(self.job["id"]), "--format", "ktap"), self.export("ktap"))
        self.cohort("export", str(self.job["id"]), code=2)

    def test_refused(self):
        job = self.job["id"]
        for path, status in ((f"jobs/{job}/export", 422), (f"jobs/{job}/export?format=pdf", 422), (f"jobs/{job}/export?format=b4&x=1", 422),
                             (f"jobs/{job}/export?format=kcidb&origin=A", 422), (f"jobs/{job}/export?format=ktap&cells=no", 422),
                             ("jobs/999/export?format=ktap", 404), ("jobs/999/export?format=b4", 404), ("checks", 422),
                             ("checks?message_id=" + "a" * 999, 422)):
            self.assertEqual(self.api.call("GET", "/api/v1/" + path)[0], status, path)

    def test_while_it_runs(self):
        """What is not there yet is not made up: plans are not met, and nothing is missing."""
        self.api.call("PATCH", "/api/v1/boards/emu", {"disabled": "not now"})
        try:
            job = self.api.post("/api/v1/jobs", {"builds": ["base"], "boards": {"names": ["emu"]}, "suite": "exp"})
            text = self.export("ktap", job=job["id"])
            self.assertIn("    1..10\n  not ok 1 - vivt emulated base # ERROR queued\nnot ok 1 - exp\n", text)
            doc = self.export("kcidb", job=job["id"])
            self.assertEqual((doc["tests"], kcidb_v05_03.complaints(doc)), ([], []))
            self.assertEqual(ElementTree.fromstring(self.export("junit", job=job["id"])).find("testsuite").get("tests"), "0")
            self.assertEqual(self.export("b4", job=job["id"])[0]["status"], "warn")
        finally:
            self.api.call("PATCH", "/api/v1/boards/emu", {"disabled": None})


if __name__ == "__main__":
    unittest.main()
