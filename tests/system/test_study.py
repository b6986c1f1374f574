"""A study from its submission to its last round: a builder on an sshd makes kernels of a tree that takes a second, fake boards
run them.

COHORT_SEED replays the seed of the test that kills."""

import hashlib
import json
import os
import random
import shutil
import sqlite3
import sys
import tempfile
import time
import unittest

import builder
import farm

SEED = int(os.environ.get("COHORT_SEED", str(int(time.time()))))
FAKE = os.path.join(farm.TOP, "tests/system/fake_board.py")
NOW = 1_790_000_000_000_000

# The program that cohortd starts for each board: builders are real, boards that test are not.
WRAPPER = f"""#!{sys.executable}
import json, os, sys
with open(sys.argv[2], encoding="utf-8") as file:
    kind = json.load(file)["kind"]
if kind == "builder":
    os.execv({farm.COHORT_BOARD!r}, sys.argv)
os.execv({sys.executable!r}, [{sys.executable!r}, "-B", {FAKE!r}, *sys.argv[1:]])
"""

SUITE = {"name": "s", "version": "1", "tests": [
    {"name": name, "kind": "contract", "argv": ["true"]} for name in ("t-one", "t-two", "t-three")]}


class Case(unittest.TestCase):
    """One sshd and one tree for all; a farm each."""

    @classmethod
    def setUpClass(cls):
        cls.top = tempfile.mkdtemp(prefix="cohort-study-")
        cls.addClassCleanup(shutil.rmtree, cls.top, ignore_errors=True)
        cls.sshd = farm.Sshd(os.path.join(cls.top, "sshd"))
        cls.addClassCleanup(cls.sshd.stop)
        cls.tree = builder.Tree(os.path.join(cls.top, "tree"))
        cls.wrapper = os.path.join(cls.top, "board")
        builder.put(cls.wrapper, WRAPPER)
        os.chmod(cls.wrapper, 0o755)
        cls.make_provisions()

    @classmethod
    def make_provisions(cls):
        """Suites, agents, flavours and controls."""
        with open(builder.SUITE, encoding="utf-8") as file:
            suite = json.load(file)
        for program in suite["programs"]:
            program["path"] = builder.KBUILD
        builder.put(f"{cls.top}/suites/kernel-build.json", json.dumps(suite))
        builder.put(f"{cls.top}/suites/s.json", json.dumps(SUITE))
        os.makedirs(f"{cls.top}/agents")
        for arch in ("armel", "x86-64"):
            shutil.copy(os.path.join(farm.AGENTS, "cohort-agent-x86-64"), f"{cls.top}/agents/cohort-agent-{arch}")
        rows = [{"name": name, "flavour": "ref", "cache": cache, "fragments": ["common.frag", "v5.frag"], "arch": "arm", "cross": "",
                 "targets": ["zImage"], "collect": {"kernel": "arch/arm/boot/zImage"}, "files": {"initramfs": "initramfs"}}
                for name, cache in (("v5", "vivt"), ("v6", "vipt-aliasing"))]
        builder.put(f"{cls.top}/kernels/kernels.json", json.dumps({"flavours": rows}))
        builder.put(f"{cls.top}/kernels/initramfs", "an initramfs\n")
        for path in cls.tree.fragments:
            shutil.copy(path, f"{cls.top}/kernels/")
        control = {"name": "m1", "kind": "control", "title": "two is wrong", "kernels": ["v5"],
                   "expected": {"vivt": {"kills": ["t-two"]}, "vivt-wa": {"kills": ["t-two"]}}}
        builder.put(f"{cls.top}/controls/controls.json", json.dumps({"about": "", "controls": [control]}))
        builder.put(f"{cls.top}/controls/m1.patch", "Words.\n\n" + cls.diff(("mm.c", "return 2", "return 3")))

    @classmethod
    def diff(cls, change):
        """A plain diff, as jobs/controls has them."""
        name, old, new = change
        path = os.path.join(cls.tree.repository, name)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        builder.put(path, text.replace(old, new))
        out = builder.git(cls.tree.repository, "diff", name)
        builder.put(path, text)
        return out[out.index("--- a/"):]

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="farm-", dir=self.top)
        self.notes = {}
        self.start(self.boards())

    def boards(self):
        return [self.builder("bob"), self.board("viv", "vivt"), self.board("ali", "vipt-aliasing")]

    def builder(self, name, **fields):
        return farm.board_document(name, self.sshd, f"{self.directory}/{name}", kind="builder", memory_mib=1024,
                                   trees={"linux": self.tree.repository}, make_jobs=2, **fields)

    def board(self, name, cache, **fields):
        return farm.board_document(name, self.sshd, f"{self.directory}/{name}", kind="emulated", cache=cache, arch="armel",
                                   boot={"method": "command", "command": ["true"]}, notes=json.dumps(self.notes), **fields)

    def start(self, boards):
        self.farm = farm.Farm(directory=f"{self.directory}/f", suites=f"{self.top}/suites", agents=f"{self.top}/agents")
        self.farm.programs = (farm.COHORTD, self.wrapper)
        self.farm.options = ["--kernels", f"{self.top}/kernels", "--controls", f"{self.top}/controls"]
        for document in boards:
            self.farm.add_board(document)
        self.api = self.farm.start()
        self.addCleanup(self.farm.stop)

    # ---- Series, as the store has them ----

    def store(self, text, *values):
        connection = sqlite3.connect(os.path.join(self.farm.state, "cohort.db"), timeout=30)
        with connection:
            cursor = connection.execute(text, values)
        connection.close()
        return cursor.lastrowid

    def add_series(self, name, *revisions):
        """Revisions v1, v2 ... with the mails of each."""
        series = self.store("INSERT INTO series (name, key, title, author, created) VALUES (?, ?, ?, 'A', ?)", name, f"name {name}",
                            name, NOW)
        for version, mails in enumerate(revisions, 1):
            revision = self.store("INSERT INTO revision (series, version, label, title, author, patchset_hash, created)"
                                  " VALUES (?, ?, ?, ?, 'A', ?, ?)", series, version, f"v{version}", name, f"{version:064}", NOW)
            for n, path in enumerate(mails, 1):
                with open(path, "rb") as file:
                    data = file.read()
                sha256 = hashlib.sha256(data).hexdigest()
                status, _ = self.api.call("PUT", f"/api/v1/files/{sha256}", data)
                self.assertIn(status, (200, 201))
                self.store("INSERT INTO patch (revision, n, subject, author, sha256) VALUES (?, ?, ?, 'A', ?)", revision, n,
                           f"patch {n}", sha256)
        return series

    def flush_series(self):
        one = ("mm: one is more", {"mm.c": [("return 1", "return 11")]})
        two = ("fs: two is more", {"fs.c": [("return 2", "return 22")]})
        return self.add_series("flush", self.tree.series(one), self.tree.series(one, two))

    def study(self, **fields):
        return {"name": "flush", "series": "flush", "base": {"tree": "linux", "commit": "base"},
                "boards": {"cache": ["vivt", "vipt-aliasing"]}, "suite": "s", **fields}

    def events(self, job):
        status, data = self.api.call("GET", f"/api/v1/runs/{job}/events")
        self.assertEqual(status, 200)
        return data["items"]


class Path(Case):
    def test_two_revisions(self):
        self.flush_series()
        plan = self.api.post("/api/v1/jobs?dry_run=true", self.study(controls=["m1"]), status=200)
        self.assertEqual(plan["labels"], ["base", "v1", "v2", "m1"])
        self.assertEqual([(b["column"], b["flavour"], b["builders"]) for b in plan["builds"]],
                         [(0, "v5", ["bob"]), (1, "v5", ["bob"]), (2, "v5", ["bob"]), (3, "v5", ["bob"]),
                          (0, "v6", ["bob"]), (1, "v6", ["bob"]), (2, "v6", ["bob"])])
        job = self.api.post("/api/v1/jobs", self.study(controls=["m1"], rounds=2))
        self.assertEqual((job["state"], job["stage"], job["planned"]), ("queued", "build", 14 * 3))
        self.assertEqual({r["stage"] for r in job["runs"]}, {"build"})
        self.assertEqual([(c["label"], c["role"], c["patches"], c["control"], c["expect"]) for c in job["columns"]],
                         [("base", "base", 0, None, {}), ("v1", "revision", 1, None, {}), ("v2", "revision", 2, None, {}),
                          ("m1", "control", 0, "m1", {"vivt": ["t-two"]})])
        done = self.farm.wait_job(job["id"])
        for build in done["builds"]:
            self.assertEqual(build["state"], "complete", build)
        self.assertEqual((done["state"], done["complete"], done["arrived"], done["stage"]), ("done", True, 42, None))
        self.check_builds(done)
        self.check_order(done)

    def check_builds(self, job):
        """Each kernel is in the store with all that came from the builder, says its recipe, and went to the boards."""
        for item in job["builds"]:
            build = self.api.get(f"/api/v1/builds/{item['id']}")
            recipe = hashlib.sha256(json.dumps(build["recipe"], sort_keys=True, separators=(",", ":")).encode()).hexdigest()
            self.assertTrue(build["release"].endswith(f"-cohort-{recipe[:12]}"), build)
            self.assertEqual(set(build["files"]) - {"range-diff"}, {"kernel", "config", "map", "log", "initramfs"})
            for file in build["files"].values():
                status, data = self.api.call("GET", f"/api/v1/files/{file['sha256']}")
                self.assertEqual((status, hashlib.sha256(data).hexdigest()), (200, file["sha256"]))
            attempt = os.path.join(self.farm.state, "runs", str(build["run"]), "1")
            self.assertFalse(os.path.exists(os.path.join(attempt, "files")))
        for run in job["runs"]:
            with open(os.path.join(self.farm.state, "runs", str(run["id"]), "1", "request.json"), encoding="utf-8") as file:
                request = json.load(file)
            build = self.api.get(f"/api/v1/builds/{run['build']['id']}")
            self.assertEqual((request["build"]["release"], request["build"]["build_id"]), (build["release"], build["build_id"]))
            self.assertEqual(set(request["build"]["files"]), {"kernel", "initramfs"})

    def check_order(self, job):
        """Behind the first round columns take turns on each board."""
        for cache, columns in (("vivt", [0, 1, 2, 3]), ("vipt-aliasing", [0, 1, 2])):
            runs = sorted((r for r in job["runs"] if r["cache"] == cache), key=lambda r: r["started"])
            self.assertEqual(sorted(r["column"] for r in runs if r["round"] == 1), columns)
            self.assertEqual([r["column"] for r in runs if r["round"] == 2], columns)


if __name__ == "__main__":
    unittest.main()
