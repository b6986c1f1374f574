"""cohort, the command line, against a real farm with one board on a loopback sshd: what it prints, what it exits with, and
what it says when something is wrong."""

import hashlib
import json
import os
import re
import subprocess
import tempfile
import unittest

import farm

MANIFEST = {"name": "with-files", "release": None, "files": {"kernel": "zImage"}, "class": "none"}


class Cli(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.mkdtemp(prefix="cohort-cli-")
        cls.sshd = farm.Sshd(os.path.join(cls.directory, "sshd"))
        cls.farm = farm.Farm(cls.directory)
        root = os.path.join(cls.directory, "root")
        os.makedirs(root)
        cls.farm.add_board(farm.board_document("desk", cls.sshd, root, tags=["loop"]))
        cls.farm.start()
        code, out, _ = cls.cohort("build", "add", "--name", "running")
        assert code == 0 and out == "build 1 running\n", out

    @classmethod
    def tearDownClass(cls):
        cls.farm.stop()
        cls.sshd.stop()
        cls.farm.remove()

    @classmethod
    def cohort(cls, *argv, server=None, token=True):
        environment = {"PATH": os.environ["PATH"], "HOME": cls.directory,
                       "COHORT_SERVER": server or f"http://127.0.0.1:{cls.farm.api.port}"}
        if token:
            environment["COHORT_TOKEN_FILE"] = os.path.join(cls.farm.state, "admin.token")
        done = subprocess.run([farm.COHORT, *argv], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=farm.DEADLINE_S, check=False)
        return done.returncode, done.stdout, done.stderr

    def good(self, *argv):
        code, out, said = self.cohort(*argv)
        self.assertEqual(code, 0, said)
        return out

    def submit(self, *more):
        return self.good("submit", "--name", "cli", "--build", "running", "--suite", "smoke", "--cache", "none", *more)

    def test_iterations(self):
        out = self.submit("--test", "count", "--iterations", "3", "--watch")
        job = re.match(r"job (\d+)", out)[1]
        run = json.loads(self.good("runs", "--job", job, "--json"))[0]["id"]
        said = re.findall(r"line \d+", self.good("log", str(run)))
        self.assertEqual(said, ["line 0", "line 1", "line 2"])
        code, _, said = self.cohort("submit", "--build", "running", "--suite", "smoke", "--cache", "none", "--iterations", "0")
        self.assertEqual(code, 1)
        self.assertIn("iterations: must be 1 to 1000000", said)

    def test_submit_watch_and_look(self):
        out = self.submit("--test", "echo", "--test", "un*", "--repetitions", "2", "--watch")
        job = re.match(r"job (\d+): 1 runs, (\d+) results planned", out)
        self.assertTrue(job, out)
        self.assertIn(f"job {job[1]}: {job[2]} of {job[2]} results", out)
        self.assertRegex(out, r"run \d+ on desk: echo pass")
        self.assertIn(" cli\n", self.good("jobs"))
        runs = json.loads(self.good("runs", "--job", job[1], "--json"))
        self.assertEqual([run["state"] for run in runs], ["done"])
        one = json.loads(self.good("runs", str(runs[0]["id"])))
        self.assertEqual(len(one["attempts"]), 1)
        self.assertIn("echo", self.good("log", str(runs[0]["id"])))
        lines = [json.loads(line) for line in self.good("results", "--job", job[1], "--json").splitlines()]
        self.assertEqual(len([line for line in lines if line["cell"] is None]), int(job[2]))
        table = self.good("results", "--job", job[1])
        self.assertRegex(table, r"RESULT +RUN +BOARD")
        shown = json.loads(self.good("results", str(lines[0]["id"]), "--json"))
        self.assertIn("evidence", shown)
        self.assertRegex(self.good("results", str(lines[0]["id"])), r"^result \d+: pass echo")
        self.assertRegex(self.good("compare", job[1]), r"CACHE CLASS +KIND +running\n")
        self.assertIn("classes", json.loads(self.good("compare", job[1], "--json")))
        self.assertIn("running", self.good("compare", "--builds", "1", "--suite", "smoke"))

    def test_dry_run_stores_nothing(self):
        before = self.good("jobs")
        self.assertIn("desk", self.submit("--test", "echo", "--dry-run"))
        self.assertEqual(self.good("jobs"), before)

    def test_errors_name_the_fields(self):
        code, out, said = self.cohort("submit", "--build", "nope", "--suite", "smoke", "--test", "none*", "--cache", "none")
        self.assertEqual((code, out), (1, ""))
        self.assertIn("/builds/0", said)
        self.assertIn("/tests/0", said)
        many = [word for i in range(20) for word in ("--build", f"nope-{i}")][:32]
        said = self.cohort("submit", *many, "--suite", "smoke", "--cache", "none")[2]
        for i in range(16):
            self.assertIn(f"  /builds/{i}: no such build 'nope-{i}'\n", said)
        self.assertIn("no such run: 99999", self.cohort("log", "99999")[2])
        code, _, said = self.cohort("watch", "12x")
        self.assertEqual(code, 1)
        self.assertIn("job '12x': must be a number", said)
        code, _, said = self.cohort("watch", "99999")
        self.assertEqual(code, 1)
        self.assertIn("404", said)

    def test_job_file(self):
        path = os.path.join(self.directory, "job.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"name": "file", "builds": ["running"], "boards": {"tags": ["loop"]}, "suite": "smoke", "tests": ["echo"]}, file)
        self.assertRegex(self.good("submit", path), r"^job \d+: 1 runs, 1 results planned\n")
        code, out, said = self.cohort("submit", path, "--priority", "5")
        self.assertEqual((code, out), (1, ""), "an option that would not count is no option")
        self.assertIn(path, said)
        with open(path, "w", encoding="utf-8") as file:
            file.write('{"name": "file",\n "name": 1}')
        code, _, said = self.cohort("submit", path)
        self.assertEqual(code, 1)
        self.assertIn(path + ": line 2", said)

    def test_build_upload_is_sent_once(self):
        manifest = os.path.join(self.directory, "manifest.json")
        with open(manifest, "w", encoding="utf-8") as file:
            json.dump(MANIFEST, file)
        with open(os.path.join(self.directory, "zImage"), "wb") as file:
            file.write(os.urandom(9 << 20))
        first = self.good("build", "add", manifest)
        self.assertRegex(first, r"^build \d+ with-files\n$")
        self.assertEqual(self.good("build", "add", manifest), first)
        self.assertIn("with-files", self.good("build", "list"))
        self.assertEqual(json.loads(self.good("build", "show", first.split()[1]))["files"]["kernel"]["size"], 9 << 20)
        code, _, said = self.cohort("build", "add", "--name", "x", "--kernel", "/nonexistent/zImage")
        self.assertEqual(code, 1)
        self.assertIn("/nonexistent/zImage", said)

    def test_upload_goes_on(self):
        """Where an upload was cut, even behind its last byte: the server had all of it and died before it was verified."""
        data = os.urandom(9 << 20)
        path = os.path.join(self.directory, "cut")
        with open(path, "wb") as file:
            file.write(data)
        digest = hashlib.sha256(data).hexdigest()
        for there in (9 << 20, 8 << 20, 1):
            whole = os.path.join(self.farm.state, "files", digest[:2], digest)
            self.assertFalse(os.path.exists(whole))
            with open(os.path.join(self.farm.state, "files/incoming", digest + ".part"), "wb") as file:
                file.write(data[:there])
            self.good("build", "add", "--name", f"cut-at-{there}", "--kernel", path)
            with open(whole, "rb") as file:
                self.assertEqual(file.read(), data)
            # The next round brings another file.
            data = os.urandom(9 << 20)
            digest = hashlib.sha256(data).hexdigest()
            with open(path, "wb") as file:
                file.write(data)

    def test_boards(self):
        self.assertRegex(self.good("board", "list"), r"desk +none +host")
        self.good("board", "disable", "desk", "cable is out")
        self.assertIn("cable is out", self.good("board", "list"))
        self.good("board", "enable", "desk")
        self.assertIsNone(json.loads(self.good("board", "show", "desk"))["disabled_reason"])
        path = os.path.join(self.directory, "evil.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(farm.board_document("evil", self.sshd, "/tmp", power={"off": ["poweroff"]}), file)
        code, _, said = self.cohort("board", "add", path)
        self.assertEqual(code, 1)
        self.assertIn("lab owner", said)

    def test_without_a_token(self):
        code, _, said = self.cohort("submit", "--build", "running", "--suite", "smoke", "--cache", "none", token=False)
        self.assertEqual(code, 1)
        self.assertIn("401", said)
        self.assertIn("--token-file", said)
        self.assertEqual(self.cohort("board", "list", token=False)[0], 0)

    def test_usage(self):
        for argv in ([], ["nonsense"], ["submit"], ["watch"], ["board"], ["compare", "1", "2"], ["board", "list", "--jsn"], ["compare", "1", "--suite", "smoke"]):
            code, out, said = self.cohort(*argv)
            self.assertEqual((code, out), (2, ""), argv)
            self.assertIn("usage", said, argv)
        self.assertEqual(self.cohort("--help")[0], 0)
        code, out, said = self.cohort("submit", "--help")
        self.assertEqual((code, said), (0, ""))
        self.assertIn("cohort submit JOB.json", out)

    def test_no_server(self):
        code, _, said = self.cohort("jobs", server=f"http://127.0.0.1:{farm.free_port()}")
        self.assertEqual(code, 1)
        self.assertIn("127.0.0.1", said)
        self.assertIn("COHORT_SERVER", said)
        self.assertIn("run 'x': must be a number", self.cohort("runs", "x")[2])
        self.assertIn("must start with http", self.cohort("jobs", server="ftp://x")[2])

    def test_cancel(self):
        self.good("board", "disable", "desk", "to keep a job waiting")
        try:
            job = re.match(r"job (\d+)", self.submit("--test", "echo"))[1]
            self.good("cancel", job)
            self.assertEqual(self.cohort("watch", job)[0], 3)
            self.assertEqual(self.cohort("cancel", job)[0], 1)
        finally:
            self.good("board", "enable", "desk")

    def complete(self, *words):
        """What bash offers for the last of words."""
        script = os.path.join(farm.TOP, "cli/cohort.bash-completion")
        call = f"source {script}; COMP_WORDS=({' '.join(repr(w) for w in words)}); COMP_CWORD={len(words) - 1}; _cohort; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        environment = dict(os.environ, PATH=os.path.dirname(farm.COHORT) + ":" + os.environ["PATH"],
                           COHORT_SERVER=f"http://127.0.0.1:{self.farm.api.port}")
        return subprocess.run(["bash", "-c", call], capture_output=True, text=True, check=True, env=environment).stdout.split()

    def test_completion(self):
        self.assertEqual(self.complete("cohort", "wa"), ["watch"])
        self.assertEqual(self.complete("cohort", "submit", "--each", "bo"), ["board"])
        self.assertIn("desk", self.complete("cohort", "board", "show", ""))
        self.assertIn("running", self.complete("cohort", "submit", "--build", "r"))
        # Each command that the program knows is offered.
        known = set(re.findall(r"^([a-z]+) {2,}\S", self.cohort("--help")[1], re.M))
        self.assertTrue(known and known <= set(self.complete("cohort", "")), known)


if __name__ == "__main__":
    unittest.main(verbosity=2)
