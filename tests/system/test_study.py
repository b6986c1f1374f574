"""A study from its submission to its last round: a builder on an sshd makes kernels of a tree that takes a second, fake boards
run them.

COHORT_SEED replays the seed of the test that kills."""

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

import builder
import farm
import kcidb_v05_03
import web

SEED = int(os.environ.get("COHORT_SEED", str(int(time.time()))))
FAKE = os.path.join(farm.TOP, "tests/system/fake_board.py")

# The program that cohortd starts for each board: builders are real, unless told what they make; boards that test are not.
WRAPPER = f"""#!{sys.executable}
import json, os, sys
with open(sys.argv[2], encoding="utf-8") as file:
    board = json.load(file)
if board["kind"] == "builder" and "makes" not in board.get("notes", ""):
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
        for name in ("kernel-build", "git"):
            with open(os.path.join(farm.TOP, f"jobs/suites/{name}.json"), encoding="utf-8") as file:
                suite = json.load(file)
            for program in suite["programs"]:
                program["path"] = builder.KBUILD
            builder.put(f"{cls.top}/suites/{name}.json", json.dumps(suite))
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

    def add_series(self, name, *revisions):
        """Revisions v1, v2 ... with the mails of each."""
        for version, mails in enumerate(revisions, 1):
            mbox = ""
            for n, path in enumerate(mails, 1):
                with open(path, encoding="utf-8") as file:
                    separator, mail = file.read().split("\n", 1)
                mbox += f"{separator}\nMessage-ID: <{name}-v{version}-{n}@x>\n{mail}"
            self.api.post("/api/v1/series", {"mbox": mbox, "series": name, "version": version})

    def flush_series(self):
        one = ("mm: one is more", {"mm.c": [("return 1", "return 11")]})
        two = ("fs: two is more", {"fs.c": [("return 2", "return 22")]})
        return self.add_series("flush", self.tree.series(one), self.tree.series(one, two))

    def study(self, **fields):
        return {"name": "flush", "series": "flush", "base": {"tree": "linux", "commit": "base"},
                "boards": {"cache": ["vivt", "vipt-aliasing"]}, "suite": "s", **fields}

    def commit(self, name):
        return builder.git(self.tree.repository, "rev-parse", name).strip()

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
        self.check_exports(done)

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

    def check_exports(self, job):
        """KernelCI hears of the true patches of each column, and b4 of the revision that the mail is of, not of the control."""
        doc = self.api.get(f"/api/v1/jobs/{job['id']}/export?format=kcidb")
        self.assertEqual(kcidb_v05_03.complaints(doc), [])
        tested = {r["id"] for r in job["runs"]}
        self.assertEqual(len(doc["tests"]), sum(r["run"] in tested for r in self.api.all_results(f"job={job['id']}")), "no step of a build")
        checkouts = {c["id"]: c for c in doc["checkouts"]}
        self.assertEqual(len(checkouts), 4, "base, v1, v2 and the control, whatever the flavour")
        hashes = {b["comment"]: checkouts[b["checkout_id"]]["patchset_hash"] for b in doc["builds"]}
        for item in job["builds"]:
            patches = self.api.get(f"/api/v1/builds/{item['id']}")["recipe"]["patches"]
            want = hashlib.sha256("".join(p + "\n" for p in patches).encode()).hexdigest() if patches else ""
            self.assertEqual(hashes[item["name"]], want, item)
        checks = self.api.get(f"/api/v1/jobs/{job['id']}/export?format=b4")
        self.assertEqual({c["summary"].split(" on ")[0] for c in checks}, {"v2 against base"})
        self.assertEqual(self.api.get("/api/v1/checks?message_id=flush-v2-1@x"), checks)
        self.assertEqual({c["summary"].split(" on ")[0] for c in self.api.get("/api/v1/checks?message_id=flush-v1-1@x")}, {"v1 against base"})

    def check_order(self, job):
        """Behind the first round columns take turns on each board."""
        for cache, columns in (("vivt", [0, 1, 2, 3]), ("vipt-aliasing", [0, 1, 2])):
            runs = sorted((r for r in job["runs"] if r["cache"] == cache), key=lambda r: r["started"])
            self.assertEqual(sorted(r["column"] for r in runs if r["round"] == 1), columns)
            self.assertEqual([r["column"] for r in runs if r["round"] == 2], columns)


class Bad(Case):
    """Kernels that are not to be had."""

    def test_failures(self):
        """A patch that does not apply and one that does not compile end their own column, with the words of the tool."""
        broken = ("mm: no C", {"mm.c": [("return 2;", "return 2")]})
        good = ("mm: one is more", {"mm.c": [("return 1", "return 11")]})
        self.add_series("flush", self.tree.series(broken), self.tree.series(good))
        other = self.tree.series(("mm: one is most", {"mm.c": [("return 1", "return 111")]}),
                                 ("mm: less", {"mm.c": [("return 111", "return 0")]}))
        with open(other[1], encoding="utf-8") as file:
            alone = file.read().replace("[PATCH 2/2]", "[PATCH]")
        self.add_series("torn", [builder.put(f"{self.directory}/alone.patch", alone)])
        job = self.farm.wait_job(self.api.post("/api/v1/jobs", self.study(boards={"cache": ["vivt"]}, rounds=2))["id"])
        self.assertEqual((job["state"], job["complete"]), ("done", False))
        states = {b["column"]: b for b in job["builds"]}
        self.assertEqual([states[i]["state"] for i in range(3)], ["complete", "failed", "complete"])
        failure = states[1]["failure"]
        self.assertEqual((failure["step"], failure["file"], failure["farm"]), ("make", "mm.c", False), failure)
        self.assertIn("error: ", failure["text"])
        for run in job["runs"]:
            want = ("failed", "build-failed", 3) if run["column"] == 1 else ("done", None, 3)
            self.assertEqual((run["state"], (run["fault"] or {}).get("code"), run["arrived"] or run["verdicts"].get("missing")), want)
            if run["column"] == 1:
                self.assertEqual((run["attempt"], run["fault"]["stage"]), (0, "make"))
        torn = self.farm.wait_job(self.api.post("/api/v1/jobs", self.study(series="torn", boards={"cache": ["vivt"]}))["id"])
        failure = {b["column"]: b for b in torn["builds"]}[1]["failure"]
        self.assertEqual((failure["step"], failure["patch"], failure["farm"]), ("apply", 1, False), failure)
        # What is known to be wrong is not tried again; what is there is not made again.
        runs = len(self.api.get("/api/v1/runs?limit=500")["items"])
        again = self.farm.wait_job(self.api.post("/api/v1/jobs", self.study(series="torn", boards={"cache": ["vivt"]}))["id"])
        self.assertEqual([r["state"] for r in again["runs"]], ["done", "failed"])
        self.assertEqual(len(self.api.get("/api/v1/runs?limit=500")["items"]), runs + 3, "two that test, one that asks what the base is")

    def test_refused(self):
        """All that is wrong at once, and where."""
        self.flush_series()
        def complaints(**fields):
            problem = self.api.post("/api/v1/jobs?dry_run=true", self.study(**fields), status=422)
            return {(e["pointer"], e["detail"]) for e in problem["errors"]}
        self.assertEqual(complaints(revisions=["v1", "v7"], controls=["m9"], base={"tree": "linus", "commit": "base"}, flavour="dbg"),
                         {("/revisions/1", "series 'flush' has no revision \"v7\""), ("/controls/0", "no such control 'm9'"),
                          ("/base/tree", "no builder has a tree 'linus'; there is: linux"),
                          ("/flavour", "no flavour 'dbg' for class vivt, which board 'viv' has"),
                          ("/flavour", "no flavour 'dbg' for class vipt-aliasing, which board 'ali' has")})
        self.assertEqual(complaints(series="flash"), {("/series", 'no such series "flash"')})
        self.assertEqual(complaints(base={"tree": "linux"}),
                         {("/base/commit", "is required: revision v1 does not say what it is based on")})
        self.assertEqual(complaints(controls=["m1"], tests=["t-one"]),
                         {("/controls", "'m1' must fail nothing in this study: no such test, class or flavour")})
        self.assertEqual(complaints(builds=[1], labels=["x"]),
                         {("/builds", "does not go with series"), ("/labels", "does not go with series"),
                          ("/builds/0", "no such build 1")})
        self.assertEqual(complaints(suite="kernel-build", boards={"names": ["bob"]}),
                         {("/suite", "'kernel-build' is for builders and tests no kernel"),
                          ("/boards/names/0", "'bob' makes kernels, it tests none"),
                          ("/boards", "matches no board; the farm has: ali (vipt-aliasing, emulated), viv (vivt, emulated)")})
        self.assertEqual(complaints(base={"tree": "linux", "commit": "--exec=x"}), {("/base/commit", "must be a commit, a tag or a branch")})


class Life(Case):
    """Cancelling, adopting, making by hand, dying."""

    def setUp(self):
        super().setUp()
        self.hold = os.path.join(self.directory, "hold")
        self.flush_series()

    def held(self, name, go):
        """A series whose only revision waits in make until the file go is there."""
        return self.add_series(name, self.tree.series((f"hold: {name}", {"hold": go + "\n"})))

    def build_of(self, job, column):
        return next(b for b in self.api.get(f"/api/v1/jobs/{job}")["builds"] if b["column"] == column)

    def wait_build(self, job, column, state):
        return farm.wait_for(f"build {state}", lambda: (b := self.build_of(job, column))["state"] == state and b)

    def in_make(self, run):
        farm.wait_for("make runs", lambda: self.api.get(f"/api/v1/runs/{run}")["current_test"] == "make")

    def test_adoption(self):
        """The job that asked first is cancelled while its kernel is made: it is made for the other one, once."""
        go = os.path.join(self.directory, "go")
        self.held("held", go)
        ask = self.study(series="held", boards={"cache": ["vivt"]})
        first = self.api.post("/api/v1/jobs", ask)["id"]
        second = self.api.post("/api/v1/jobs", ask)["id"]
        build = self.wait_build(second, 1, "building")
        self.in_make(build["run"])
        self.assertEqual(self.api.get(f"/api/v1/runs/{build['run']}")["job"], first)
        self.api.post(f"/api/v1/jobs/{first}/cancel", {}, status=200)
        self.assertEqual(self.farm.wait_job(first)["state"], "cancelled")
        self.assertEqual(self.api.get(f"/api/v1/runs/{build['run']}")["job"], second)
        builder.put(go, "")
        done = self.farm.wait_job(second)
        self.assertEqual((done["state"], done["complete"]), ("done", True))
        run = self.api.get(f"/api/v1/runs/{build['run']}")
        self.assertEqual((run["state"], run["attempt"], run["id"]), ("done", 1, self.build_of(second, 1)["run"]))

    def test_cancel(self):
        """Nobody else waits: the kernel is not made, and the next one who asks has it made."""
        go = os.path.join(self.directory, "go")
        self.held("held", go)
        ask = self.study(series="held", boards={"cache": ["vivt"]})
        first = self.api.post("/api/v1/jobs", ask)["id"]
        self.in_make(self.wait_build(first, 1, "building")["run"])
        self.api.post(f"/api/v1/jobs/{first}/cancel", {}, status=200)
        job = self.farm.wait_job(first)
        self.assertEqual({r["state"] for r in job["runs"]} - {"done"}, {"cancelled"})
        build = self.build_of(first, 1)
        self.assertEqual((build["state"], build["failure"]["farm"]), ("failed", True), build)
        builder.put(go, "")
        done = self.farm.wait_job(self.api.post("/api/v1/jobs", ask)["id"])
        self.assertEqual((done["state"], done["complete"]), ("done", True))

    def test_by_hand(self):
        body = {"tree": "linux", "commit": self.commit("base"), "series": "flush", "revision": "v2", "patches": 1, "flavour": "v5"}
        build = self.api.post("/api/v1/recipes", body)
        self.assertEqual(build["state"], "waiting")
        self.assertEqual(self.api.location, f"/api/v1/builds/{build['id']}")
        self.assertEqual(self.api.post("/api/v1/recipes", body, status=200)["id"], build["id"])
        self.assertEqual(self.api.location, f"/api/v1/builds/{build['id']}")
        made = farm.wait_for("build", lambda: (b := self.api.get(f"/api/v1/builds/{build['id']}"))["state"] == "complete" and b)
        self.assertEqual((made["series"], made["revision"], len(made["recipe"]["patches"])), ("flush", "v2", 1))
        self.assertEqual([b["id"] for b in self.api.get("/api/v1/builds?state=complete&series=flush")["items"]], [build["id"]])
        job = self.api.get("/api/v1/jobs")["items"][0]
        farm.wait_for("job", lambda: self.api.get(f"/api/v1/jobs/{job['id']}")["complete"])
        # A study with each commit finds it there.
        plan = self.api.post("/api/v1/jobs", self.study(commits=True, base={"tree": "linux", "commit": body["commit"]}, boards={"cache": ["vivt"]}))
        self.assertEqual(plan["labels"], ["base", "v1", "v2.1", "v2"])
        self.assertIn(build["id"], [b["id"] for b in plan["builds"] if b["state"] == "complete"])
        self.assertTrue(self.farm.wait_job(plan["id"])["complete"])
        problem = self.api.post("/api/v1/recipes", {"series": "flush", "revision": "v2", "patches": 3, "flavour": "v9"}, status=422)
        self.assertEqual({e["pointer"] for e in problem["errors"]}, {"/commit", "/patches", "/flavour"})

    def test_killed(self):
        """kill -9 of cohortd and of the builder's cohort-board again and again: each kernel is made, none twice in the store."""
        rng = random.Random(SEED)
        print(f"COHORT_SEED={SEED}", file=sys.stderr)
        self.notes["test_ms"] = 5
        job = self.api.post("/api/v1/jobs", self.study(rounds=3))["id"]
        for _ in range(12):
            until = time.monotonic() + rng.uniform(0.05, 1.2)
            farm.wait_for("its time", lambda until=until: time.monotonic() > until)
            if rng.random() < 0.5:
                for pid in self.farm.board_processes():
                    if b"bob.json" in b" ".join(farm.command_of(pid)):
                        os.kill(pid, 9)
            else:
                self.farm.kill()
                self.api = self.farm.start()
        done = self.farm.wait_job(job)
        self.assertEqual((done["state"], done["complete"], done["arrived"]), ("done", True, done["planned"]), done)
        for item in done["builds"]:
            build = self.api.get(f"/api/v1/builds/{item['id']}")
            self.assertEqual(build["state"], "complete")
            for file in build["files"].values():
                path = os.path.join(self.farm.state, "files", file["sha256"][:2], file["sha256"])
                self.assertEqual(builder.sha256(path), file["sha256"])
        made = [r for r in self.api.get(f"/api/v1/runs?job={job}&limit=500")["items"] if r["purpose"] == "build"]
        self.assertEqual(len({r["build"]["id"] for r in made}), len(made))
        self.assertEqual({r["attempt"] for r in made}, {1})


class Names(Case):
    """A base that has a name: what that is now is found out before a build is looked up."""

    def setUp(self):
        super().setUp()
        self.flush_series()
        self.branch = os.path.basename(self.directory)
        builder.git(self.tree.repository, "branch", self.branch, "base")
        self.addCleanup(builder.git, self.tree.repository, "branch", "-D", self.branch)

    def move(self):
        """One commit more on the branch; its id."""
        worktree = os.path.join(self.directory, "worktree")
        builder.git(self.tree.repository, "worktree", "add", "-q", worktree, self.branch)
        with open(os.path.join(worktree, "fs.c"), "a", encoding="utf-8") as file:
            file.write("int more_of_it(void)\n{\n\treturn 5;\n}\n")
        builder.git(worktree, "commit", "-q", "-a", "-m", "fs: more")
        builder.git(self.tree.repository, "worktree", "remove", worktree)
        return self.commit(self.branch)

    def ask(self, **fields):
        return self.study(base={"tree": "linux", "commit": self.branch}, boards={"cache": ["vivt"]}, **fields)

    def run_study(self, **fields):
        """The job, with the builds by column and the time that finding out took."""
        job = self.farm.wait_job(self.api.post("/api/v1/jobs", self.ask(**fields))["id"])
        self.assertTrue(job["complete"], job)
        asked, = (r for r in self.api.get(f"/api/v1/runs?job={job['id']}&limit=500")["items"] if r["purpose"] == "git")
        self.assertEqual((asked["state"], asked["verdicts"]), ("done", {"pass": 1}))
        return job, {b["column"]: b["id"] for b in job["builds"]}

    def test_moved_branch(self):
        dry = self.api.post("/api/v1/jobs?dry_run=true", self.ask(), status=200)
        self.assertEqual([b["recipe"] for b in dry["builds"]], [None] * 3)
        first, built = self.run_study(rounds=2)
        self.assertEqual(first["study"]["base"], {"tree": "linux", "commit": self.branch, "id": self.commit("base")})
        for build in built.values():
            self.assertEqual(self.api.get(f"/api/v1/builds/{build}")["recipe"]["commit"], self.commit("base"))
        runs = len(self.api.get("/api/v1/runs?limit=500")["items"])
        _, again = self.run_study()
        self.assertEqual(again, built, "the branch has not moved: nothing is built")
        self.assertEqual(len(self.api.get("/api/v1/runs?limit=500")["items"]), runs + 4)
        self.assertEqual(len(self.api.get("/api/v1/builds")["items"]), 3)
        head = self.move()
        moved, newer = self.run_study()
        self.assertEqual(moved["study"]["base"]["id"], head)
        self.assertFalse(set(newer.values()) & set(built.values()))
        names = {b["name"] for b in self.api.get("/api/v1/builds")["items"]}
        self.assertEqual(len(names), 6)
        for build in newer.values():
            build = self.api.get(f"/api/v1/builds/{build}")
            self.assertEqual(build["recipe"]["commit"], head)
            self.assertTrue(build["name"].endswith(build["release"].split("-cohort-")[1]), build["name"])
        # The id itself asks nobody, and is the same kernel.
        job = self.api.post("/api/v1/jobs", self.study(base={"tree": "linux", "commit": head}, boards={"cache": ["vivt"]}))
        self.assertEqual({b["column"]: b["id"] for b in job["builds"]}, newer)
        self.assertTrue(self.farm.wait_job(job["id"])["complete"])

    def test_schedule_has_the_newest(self):
        self.api.post("/api/v1/schedules", {"name": "night", "cron": "0 3 * * *", "job": {k: v for k, v in self.ask().items() if k != "name"}})
        commits = []
        for _ in range(2):
            run = self.api.post("/api/v1/schedules/night/run", {})
            job = self.farm.wait_job(run["job"])
            self.assertTrue(job["complete"], job)
            commits.append(job["study"]["base"]["id"])
            head = self.move()
        self.assertEqual(commits[0], self.commit("base"))
        self.assertNotIn(commits[1], (commits[0], head))

    def test_name_that_is_not_there(self):
        ask = dict(self.ask(), base={"tree": "linux", "commit": self.branch + "-2"})
        job = self.farm.wait_job(self.api.post("/api/v1/jobs", ask)["id"])
        self.assertEqual((job["state"], job["complete"]), ("done", False))
        for build in job["builds"]:
            failure = build["failure"]
            self.assertEqual((build["state"], failure["step"], failure["farm"]), ("failed", "resolve", False))
            self.assertEqual(failure["text"], f"the tree linux on this builder has no commit {self.branch}-2")
        self.assertEqual({(r["state"], r["fault"]["code"]) for r in job["runs"]}, {("failed", "build-failed")})
        builder.git(self.tree.repository, "branch", self.branch + "-2", "base")
        self.addCleanup(builder.git, self.tree.repository, "branch", "-D", self.branch + "-2")
        self.assertTrue(self.farm.wait_job(self.api.post("/api/v1/jobs", ask)["id"])["complete"], "it is there now")

    def test_cancelled_before_it_is_known(self):
        self.api.call("PATCH", "/api/v1/boards/bob", {"disabled": "not now"})
        farm.wait_for("bob off", lambda: self.api.get("/api/v1/boards/bob")["state"] == "disabled")
        job = self.api.post("/api/v1/jobs", self.ask())
        self.assertEqual((job["stage"], {b["state"] for b in job["builds"]}), ("build", {"waiting"}))
        other = self.api.post("/api/v1/jobs", self.ask())
        self.api.post(f"/api/v1/jobs/{job['id']}/cancel", {}, status=200)
        job = self.farm.wait_job(job["id"])
        self.assertEqual((job["state"], {r["state"] for r in job["runs"]}), ("cancelled", {"cancelled"}))
        self.assertEqual({(b["state"], b["failure"]["farm"]) for b in job["builds"]}, {("failed", True)})
        self.api.call("PATCH", "/api/v1/boards/bob", {"disabled": None})
        self.assertTrue(self.farm.wait_job(other["id"])["complete"])

    def test_by_hand(self):
        body = {"tree": "linux", "commit": self.branch, "flavour": "v5"}
        def make():
            reply = self.api.post("/api/v1/recipes", body, status=202)
            self.assertEqual((self.api.location, reply["url"]), (f"/api/v1/jobs/{reply['job']['id']}",) * 2)
            job = self.farm.wait_job(reply["job"]["id"])
            self.assertTrue(job["complete"], job)
            build, = {b["id"] for b in job["builds"]}
            return self.api.get(f"/api/v1/builds/{build}"), job
        build, job = make()
        self.assertEqual((build["state"], build["recipe"]["commit"], len(job["runs"])), ("complete", self.commit("base"), 2))
        again, job = make()
        self.assertEqual((again["id"], len(job["runs"])), (build["id"], 1))
        self.assertEqual(self.api.post("/api/v1/recipes", dict(body, commit=self.commit("base")), status=200)["id"], build["id"])


class Ranges(Case):
    """Commits of the builder's repository become a revision, by way of the checks that mails go through."""

    def setUp(self):
        super().setUp()
        self.worktree = os.path.join(self.directory, "worktree")
        self.branch = os.path.basename(self.directory)
        builder.git(self.tree.repository, "worktree", "add", "-q", "-b", self.branch, self.worktree, "base")
        self.addCleanup(builder.git, self.tree.repository, "branch", "-D", self.branch)
        self.addCleanup(builder.git, self.tree.repository, "worktree", "remove", "--force", self.worktree)

    def commit_files(self, subject, **files):
        for name, data in files.items():
            with open(os.path.join(self.worktree, name), "wb") as file:
                file.write(data if isinstance(data, bytes) else data.encode())
        builder.git(self.worktree, "add", "-A")
        builder.git(self.worktree, "commit", "-q", "-m", subject + "\n\nWhy.\n")
        return builder.git(self.worktree, "rev-parse", "HEAD").strip()

    def two(self):
        self.commit_files("mm: one", one="1\n")
        return self.commit_files("mm: two \u00e4", two="2\n")

    def ask(self, span, status=202, **more):
        reply = self.api.post("/api/v1/series", {"tree": "linux", "range": span, **more}, status=status)
        self.assertEqual(self.api.location, reply.get("url") if status == 202 else None)
        return reply

    def settle(self, reply):
        return farm.wait_for("range", lambda: (r := self.api.get(f"/api/v1/ranges/{reply['id']}"))["state"] in ("done", "failed") and r)

    def refused(self, span, **more):
        done = self.settle(self.ask(span, **more))
        self.assertEqual((done["state"], done["revision"]), ("failed", None), done)
        return done["detail"]

    def test_end_to_end(self):
        tip = self.two()
        first = self.ask(f"base..{self.branch}", series="flush")
        self.assertEqual((first["state"], first["series"], first["version"]), ("waiting", "flush", None))
        done = self.settle(first)
        self.assertEqual((done["state"], done["detail"], done["revision"]), ("done", "", "/api/v1/series/flush/revisions/1"), done)
        revision = self.api.get(done["revision"])
        self.assertEqual(revision["base_commit"], self.commit("base"))
        self.assertEqual([p["subject"] for p in revision["patches"]], ["mm: one", "mm: two \u00e4"])
        self.assertEqual(revision["author"], "An Author <author@example.org>")
        # What is kept applies to the tree that was asked for.
        status, mails = self.api.call("GET", f"{done['revision']}/mbox")
        self.assertEqual(status, 200)
        other = os.path.join(self.directory, "other")
        builder.git(self.tree.repository, "worktree", "add", "-q", "--detach", other, "base")
        self.addCleanup(builder.git, self.tree.repository, "worktree", "remove", "--force", other)
        builder.put(f"{self.directory}/mbox", mails.decode())
        builder.git(other, "am", "-q", "--keep-cr", f"{self.directory}/mbox")
        self.assertEqual(builder.git(other, "rev-parse", "HEAD^{tree}"), builder.git(self.worktree, "rev-parse", f"{tip}^{{tree}}"))
        # Again: the same commits are the same revision; others need a version.
        self.assertEqual(self.settle(self.ask(f"base..{self.branch}", series="flush"))["revision"], done["revision"])
        self.commit_files("mm: three", three="3\n")
        detail = self.refused(f"base..{self.branch}", series="flush")
        self.assertIn("series flush has a v1 already, of 2 patches and not 3: say which version this is", detail)
        second = self.settle(self.ask(f"base..{self.branch}", series="flush", version=2))
        self.assertEqual(second["revision"], "/api/v1/series/flush/revisions/2")
        # Its base is known: a study needs to name none.
        job = self.farm.wait_job(self.api.post("/api/v1/jobs", {"series": "flush", "suite": "s", "boards": {"cache": ["vivt"]}})["id"])
        self.assertTrue(job["complete"], job)
        self.assertEqual([b["state"] for b in job["builds"]], ["complete"] * 3)
        # The range-diff that the builder made is what the difference is.
        status, text = self.api.call("GET", "/api/v1/series/flush/diff?from=1&to=2")
        self.assertEqual(status, 200)
        lines = text.decode().splitlines()
        self.assertRegex(lines[0], r"^1:  [0-9a-f]{7,} = 1:  [0-9a-f]{7,} mm: one$")
        self.assertRegex(lines[2], r"^-:  -{7,} > 3:  [0-9a-f]{7,} mm: three$")
        status, own = self.api.call("GET", "/api/v1/series/flush/diff?from=2&to=1")
        self.assertIn("3: v2 < -: v1 mm: three", own.decode(), "the other way round no builder has made one")

    def test_replies_are_as_described(self):
        description = web.Description(self.api.get("/api/v1/openapi.json"))
        self.two()
        reply = self.ask(f"base..{self.branch}")
        self.settle(reply)
        named = self.api.post("/api/v1/recipes", {"tree": "linux", "commit": self.branch, "flavour": "v5"}, status=202)
        self.settle(self.ask("base..nowhere"))
        self.farm.wait_job(named["job"]["id"])
        for status, method, path, document in [(202, "POST", "/api/v1/series", reply), (202, "POST", "/api/v1/recipes", named)] + [
                (200, "GET", path, self.api.get(path)) for path in ("/api/v1/ranges", "/api/v1/ranges/1", "/api/v1/runs", f"/api/v1/runs/{reply['run']}",
                                                                   "/api/v1/jobs", "/api/v1/jobs/1", f"/api/v1/jobs/{reply['job']}", "/api/v1/builds", "/api/v1/suites/git")]:
            schema = description.operation(method, path)["responses"][str(status)]["content"]["application/json"]["schema"]
            self.assertEqual(description.errors(document, schema), [], path)

    def test_open_one_is_the_same(self):
        self.two()
        self.api.call("PATCH", "/api/v1/boards/bob", {"disabled": "not now"})
        farm.wait_for("bob off", lambda: self.api.get("/api/v1/boards/bob")["state"] == "disabled")
        first = self.ask(f"base..{self.branch}")
        self.assertEqual(self.ask(f"base..{self.branch}", status=200)["id"], first["id"])
        other = self.ask(f"base..{self.branch}", series="other")
        self.assertNotEqual(other["id"], first["id"])
        self.api.post(f"/api/v1/jobs/{other['job']}/cancel", {}, status=200)
        self.assertEqual(self.settle(other)["detail"], "it was cancelled")
        self.api.call("PATCH", "/api/v1/boards/bob", {"disabled": None})
        self.assertEqual(self.settle(first)["revision"], "/api/v1/series/mm-one/revisions/1")
        self.assertNotIn("(git)", [b["name"] for b in self.api.get("/api/v1/builds")["items"]])

    def test_killed(self):
        """kill -9 of cohortd while a range is asked for, read and stored: it becomes one revision."""
        tip = self.two()
        chance = random.Random(SEED)
        for turn in range(4):
            reply = self.ask(f"base..{tip}", series=f"s{turn}")
            time.sleep(chance.uniform(0, 0.5))
            self.farm.kill()
            self.api = self.farm.start()
            with self.subTest(seed=SEED, turn=turn):
                self.assertEqual(self.settle(reply)["revision"], f"/api/v1/series/s{turn}/revisions/1")

    def test_moved_base(self):
        """The base went on: the patches are those since the branch left it, and so is the base-commit."""
        self.two()
        other = os.path.join(self.directory, "other")
        builder.git(self.tree.repository, "worktree", "add", "-q", "-b", f"{self.branch}-up", other, "base")
        self.addCleanup(builder.git, self.tree.repository, "branch", "-D", f"{self.branch}-up")
        self.addCleanup(builder.git, self.tree.repository, "worktree", "remove", "--force", other)
        builder.put(f"{other}/upstream", "x\n")
        builder.git(other, "add", "-A")
        builder.git(other, "commit", "-q", "-m", "upstream")
        revision = self.api.get(self.settle(self.ask(f"{self.branch}-up..{self.branch}"))["revision"])
        self.assertEqual((revision["base_commit"], len(revision["patches"])), (self.commit("base"), 2))

    def test_refused_by_the_builder(self):
        name = self.branch
        self.assertEqual(self.refused("nowhere..base"), "the tree linux on this builder has no commit nowhere")
        self.assertEqual(self.refused(f"base..{name}-x"), f"the tree linux on this builder has no commit {name}-x")
        self.assertIn("names nothing", self.refused(f"base..{name}"))
        self.commit_files("fs: binary", blob=bytes(range(256)))
        self.assertIn('"fs: binary" changes the binary file blob: patches are text', self.refused(f"base..{name}"))
        builder.git(self.worktree, "checkout", "-q", "-B", name, "base")
        self.two()
        builder.git(self.worktree, "checkout", "-q", "--detach", "base")
        side = self.commit_files("side", side="s\n")
        builder.git(self.worktree, "checkout", "-q", name)
        builder.git(self.worktree, "merge", "-q", "--no-ff", "-m", "a merge", side)
        self.assertRegex(self.refused(f"base..{name}"), r'has a merge, [0-9a-f]+ "a merge": a series is a line of commits')
        builder.git(self.worktree, "checkout", "-q", "-B", name, "base")
        for n in range(65):
            builder.git(self.worktree, "commit", "-q", "--allow-empty", "-m", f"empty {n}")
        self.assertIn("has 65 commits: a revision has at most 64 patches", self.refused(f"base..{name}"))
        self.assertIn("changes no file", self.refused(f"{self.commit(name + '~3')}..{name}"))
        builder.git(self.worktree, "checkout", "-q", "-B", name, "base")
        self.commit_files("large", large="x" * 79 + "\n" + "y\n" * (6 << 20))
        self.assertIn("patch 1 has more than 10 MiB", self.refused(f"base..{name}"))
        builder.git(self.worktree, "checkout", "-q", "--orphan", f"{name}-orphan")
        self.addCleanup(builder.git, self.tree.repository, "branch", "-D", f"{name}-orphan")
        self.commit_files("alone", alone="a\n")
        self.assertIn("its ends have no commit in common", self.refused(f"base..{name}-orphan"))
        builder.git(self.worktree, "checkout", "-q", name)

    def test_refused_by_the_checks(self):
        """What git would take and the farm does not: links, names out of the tree."""
        os.symlink("/etc/passwd", os.path.join(self.worktree, "link"))
        self.commit_files("a link")
        self.assertIn("mode 120000 is a symbolic link", self.refused(f"base..{self.branch}"))

    def test_configuration_of_the_repository(self):
        """It may say what it likes about formats, prefixes and programs."""
        marker = os.path.join(self.directory, "ran")
        settings = {"diff.noprefix": "true", "format.attach": "x", "format.signature": "sig", "format.coverLetter": "true", "format.subjectPrefix": "FOO",
                    "format.headers": "X-More: yes", "diff.external": f"touch {marker}", "format.from": "Someone <s@x>", "format.thread": "deep",
                    "diff.mnemonicPrefix": "true", "color.ui": "always", "format.notes": "true", "diff.context": "0"}
        for key, value in settings.items():
            builder.git(self.tree.repository, "config", key, value)
            self.addCleanup(builder.git, self.tree.repository, "config", "--unset-all", key)
        self.two()
        revision = self.api.get(self.settle(self.ask(f"base..{self.branch}"))["revision"])
        self.assertEqual(([p["subject"] for p in revision["patches"]], revision["cover"]), (["mm: one", "mm: two \u00e4"], ""))
        self.assertFalse(os.path.exists(marker))

    def test_refused_before_it_goes_anywhere(self):
        runs = len(self.api.get("/api/v1/runs")["items"])
        for span in ("--output=x..y", "base..--output=x", "-a..b", "base...x", "base..", "..x", "base", "a..b..c", "HEAD~2..HEAD", "a b..c",
                     "base..x;reboot", "base..$(reboot)", "base..x\n--all", "base..@{u}", "/..x", "a../b", "base..x^!"):
            with self.subTest(span=span):
                problem = self.ask(span, status=422)
                self.assertEqual([e["pointer"] for e in problem["errors"]], ["/range"], problem)
        problem = self.ask("base..x", status=422, tree="linus")
        self.assertEqual([(e["pointer"], e["detail"]) for e in problem["errors"]], [("/tree", "no builder has a tree 'linus'; there is: linux")])
        for body, pointer in (({"tree": "linux"}, "/mbox"), ({"range": "a..b", "mbox": "x"}, "/mbox"), ({"mbox": "x", "tree": "linux"}, "/tree"),
                              ({"range": "a..b", "dry_run": True}, "/dry_run")):
            problem = self.api.post("/api/v1/series", body, status=422)
            self.assertIn(pointer, [e["pointer"] for e in problem["errors"]], problem)
        self.assertEqual(len(self.api.get("/api/v1/runs")["items"]), runs)
        self.assertEqual(self.api.get("/api/v1/ranges")["items"], [])

    def cohort(self, *argv):
        return CommandLine.cohort(self, *argv)

    def test_command_line(self):
        self.two()
        self.assertEqual(self.cohort("series", "add", "--tree", "linux", "--range", f"base..{self.branch}", "--series", "cli"),
                         (0, "series cli v1\n  1/2 mm: one\n  2/2 mm: two \u00e4\n", ""))
        self.assertEqual(self.cohort("series", "add", "--range", "base..nowhere"),
                         (1, "", "cohort series: the tree linux on this builder has no commit nowhere\n"))
        code, _, said = self.cohort("series", "add", "--range", "--output=x")
        self.assertEqual(code, 1)
        self.assertIn("/range: must be two commits, tags or branches", said)
        for wrong in (("--range", "a..b", "file"), ("--tree", "linux"), ("--tree", "linux", "file")):
            self.assertEqual(self.cohort("series", "add", *wrong)[0], 2)


class Large(Case):
    """What a builder brings may be large: no other board waits for it."""

    MIB = {"kernel": 256, "modules": 384}

    def boards(self):
        return [self.builder("fred", notes=json.dumps({"makes": self.MIB})), farm.board_document("pc", self.sshd, f"{self.directory}/pc")]

    def test_another_board_goes_on(self):
        self.api.post("/api/v1/builds", {"name": "what-runs"})
        build = self.api.post("/api/v1/recipes", {"tree": "linux", "commit": self.commit("base"), "flavour": "v5"})
        run = farm.wait_for("its run", lambda: self.api.get(f"/api/v1/builds/{build['id']}")["run"])
        journal = os.path.join(self.farm.state, "runs", str(run), "1", "journal.ndjson")
        def ended():
            try:
                with open(journal, encoding="utf-8") as file:
                    return '"ended"' in file.read()
            except FileNotFoundError:
                return False
        farm.wait_for("the builder's last line", ended)
        job = self.api.post("/api/v1/jobs", {"builds": ["what-runs"], "suite": "s", "boards": {"names": ["pc"]}})
        done = self.farm.wait_job(job["id"])
        made = farm.wait_for("the build run", lambda: (r := self.api.get(f"/api/v1/runs/{run}"))["state"] == "done" and r)
        self.assertTrue(done["complete"], done)
        self.assertLess(done["runs"][0]["ended"], made["ended"], "it waited for the builder's files")
        for role, file in self.api.get(f"/api/v1/builds/{build['id']}")["files"].items():
            path = os.path.join(self.farm.state, "files", file["sha256"][:2], file["sha256"])
            self.assertEqual((os.path.getsize(path), file["size"]), (self.MIB[role] << 20,) * 2)
        farm.wait_for("the end of what came by SFTP", lambda: not os.path.exists(os.path.join(os.path.dirname(journal), "files")))


class CommandLine(Case):
    def cohort(self, *argv):
        environment = dict(os.environ, COHORT_SERVER=f"http://127.0.0.1:{self.api.port}", COHORT_TOKEN=self.api.token)
        done = subprocess.run([farm.COHORT, *argv], env=environment, capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout, done.stderr

    def test_study(self):
        self.flush_series()
        base = ("--base", "linux:base", "--suite", "s", "--cache", "vivt")
        code, out, said = self.cohort("study", "flush", *base, "--revision", "v2", "--control", "m1", "--dry-run")
        self.assertEqual((code, said), (0, ""))
        self.assertEqual([line.split()[1:] for line in out.splitlines()[:4]], [["FLAVOUR", "BUILDERS"]] + [["v5", '["bob"]']] * 3)
        code, out, said = self.cohort("study", "flush", *base, "--revision", "v2", "--rounds", "2", "--watch")
        self.assertEqual((code, said), (0, ""), out)
        self.assertRegex(out, r"run \d+: flush-v2-v5-[0-9a-f]{12} complete\n")
        self.assertRegex(out, r"run \d+: waits for its kernel\n")
        self.assertRegex(out, r"run \d+ on bob: make pass \n")
        self.assertIn("job 1: 12 of 12 results\n", out)
        code, out, _ = self.cohort("build", "list", "--state", "complete")
        self.assertEqual((code, [line.split()[-1] for line in out.splitlines()[1:]]), (0, ["complete"] * 2))
        self.add_series("bad", self.tree.series(("mm: no C", {"mm.c": [("return 2;", "return 2")]})))
        code, out, _ = self.cohort("study", "bad", *base, "--watch")
        self.assertEqual(code, 3)
        self.assertRegex(out, r"bad-v1-v5-[0-9a-f]{12} does not build: make: mm.c:\d+:")
        code, out, _ = self.cohort("build", "make", "--flavour", "v6", "--commit", "base")
        self.assertRegex(out, r"build \d+ linux-base-v6-[0-9a-f]{12}: (waiting|building)")
        code, _, said = self.cohort("build", "make", "--flavour", "v6", "--commit", "nowhere")
        self.assertEqual((code, said), (1, "cohort build: the tree linux on this builder has no commit nowhere\n"))
        code, _, said = self.cohort("study", "nope", "--base", "base", "--suite", "s", "--until-decided")
        self.assertEqual(code, 1)
        self.assertIn('/series: no such series "nope"', said)
        self.assertEqual(self.cohort("study", "flush", "--max-rounds", "3")[0], 1)
        self.assertEqual(self.cohort("study")[0], 2)


class Rounds(Case):
    """Until it is decided."""

    def boards(self):
        self.notes = {"fails": {"base": {"t-one": 0.5, "t-two": 1}, "flush-v1": {"t-one": 0.5}}}
        return [self.builder("bob"), self.board("viv", "vivt")]

    def test_until_decided(self):
        self.flush_series()
        job = self.api.post("/api/v1/jobs", self.study(boards={"cache": ["vivt"]}, rounds=4,
                                                       until={"decided": True, "max_rounds": 40}))
        self.assertTrue(job["deciding"])
        job = self.farm.wait_job(job["id"])
        self.assertEqual((job["deciding"], job["complete"]), (False, True))
        self.assertLessEqual(job["round"], 40)
        told = {}
        for result in self.api.all_results(f"job={job['id']}"):
            if result["cell"] is None:
                told.setdefault((result["test"], result["column"]), []).append(result["verdict"])
        # t-three passes everywhere, t-two fails always on base and never later: four rounds are enough for them.
        self.assertEqual({len(told["t-three", c]) for c in range(3)}, {4})
        self.assertEqual({len(told["t-two", c]) for c in range(3)}, {4})
        base, clean = told["t-one", 0], told["t-one", 2]
        self.assertEqual(clean, ["pass"] * len(clean))
        bad = base.count("fail") / len(base)
        self.assertGreaterEqual(job["round"] == 40 or (1 - bad) ** len(clean) <= 0.05 or bad == 0, True, (base, clean))
        # Columns that are decided get no more rounds; base is in each.
        last = [r["column"] for r in job["runs"] if r["round"] == job["round"]]
        self.assertEqual(last[0], 0)
        for column, rounds in ((c, [r["round"] for r in job["runs"] if r["column"] == c]) for c in range(3)):
            self.assertEqual(rounds, sorted(set(rounds)), column)


class Measured(Case):
    """A number goes on until it is shown to be another one, or to be the same."""

    def boards(self):
        self.notes = {"values": {"base": [1000, 50], "flush-v1": [1000, 50], "flush-v2": [1500, 50]}}
        return [self.builder("bob"), self.board("viv", "vivt")]

    def test_until_decided(self):
        self.flush_series()
        ask = self.study(boards={"cache": ["vivt"]}, tests=["t-one"], rounds=2, until={"decided": True, "max_rounds": 25})
        job = self.farm.wait_job(self.api.post("/api/v1/jobs", ask)["id"])
        rounds = [sorted(r["round"] for r in job["runs"] if r["column"] == c) for c in range(3)]
        self.assertEqual(rounds[2], [1, 2])  # half as much again: seen at once
        self.assertEqual(rounds[0], rounds[1])
        self.assertGreater(len(rounds[1]), 2)
        comparison = self.api.get(f"/api/v1/compare?job={job['id']}")
        cells = comparison["classes"][0]["costs"][0]["cells"]
        self.assertTrue(len(rounds[1]) == 25 or cells[1]["low"] > 1 or cells[1]["high"] < 1 or
                        (cells[1]["low"] >= 0.97 and cells[1]["high"] <= 1.03), cells[1])
        self.assertGreater(cells[2]["low"], 1)


if __name__ == "__main__":
    unittest.main()
