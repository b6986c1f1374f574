"""KTAP from boards and to others: programs on a real board behind sshd print what kselftest's runner and KUnit print, and their
results are results like any other; what the farm exports as KTAP comes back as the same results."""

import glob
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import farm

CORPUS = os.path.join(farm.TOP, "tests/fuzz/corpus/ktap")
EXIT_TEST = "KTAP version 1\\n1..2\\nok 1 a\\nok 2 b # SKIP noperm\\n"


def suite(directory):
    """A suite of programs that print KTAP; and the ones of jobs/suites/kselftest.json, which this host does not have."""
    def test(name, *argv, kind="contract", **fields):
        return {"name": name, "kind": kind, "argv": list(argv), "output": "ktap", "time_limit_s": 10, **fields}
    tests = [
        test("kselftest", "cat", os.path.join(CORPUS, "kselftest")),
        test("kunit", "cat", os.path.join(CORPUS, "kunit")),
        test("directives", "cat", os.path.join(CORPUS, "directives")),
        test("good", "printf", EXIT_TEST),
        test("exit-1", "sh", "-c", f"printf '{EXIT_TEST}'; exit 1"),
        test("skips", "sh", "-c", "echo '1..5'; echo 'ok 1 a'; echo 'ok 2 # SKIP nosys'; exit 4"),
        test("late", "sh", "-c", f"printf '{EXIT_TEST}'; sleep 100", time_limit_s=1),
        test("none", "sh", "-c", "echo '{\"type\":\"result\",\"verdict\":\"pass\"}'"),
    ]
    with open(os.path.join(directory, "ktap.json"), "w", encoding="utf-8") as file:
        json.dump({"name": "ktap", "version": "1", "tests": tests}, file)
    shutil.copy(os.path.join(farm.BUILD, "suites/kselftest.json"), directory)
    return directory


class Ktap(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.mkdtemp(prefix="cohort-ktap-")
        cls.suites = os.path.join(cls.directory, "suites")
        os.makedirs(cls.suites)
        cls.sshd = farm.Sshd(os.path.join(cls.directory, "sshd"))
        cls.farm = farm.Farm(cls.directory, suites=suite(cls.suites))
        cls.farm.add_board(farm.board_document("b1", cls.sshd, os.path.join(cls.directory, "board")))
        cls.api = cls.farm.start()
        cls.api.post("/api/v1/builds", {"name": "running", "arch": "x86-64"})

    @classmethod
    def tearDownClass(cls):
        cls.farm.stop()
        cls.sshd.stop()
        cls.farm.remove()

    def run_tests(self, *tests, suite="ktap"):
        job = self.api.post("/api/v1/jobs", {"builds": ["running"], "boards": {"names": ["b1"]}, "suite": suite,
                                             "tests": list(tests)})
        job = self.farm.wait_job(job["id"])
        self.assertTrue(job["complete"], job)
        results = self.api.all_results(f"job={job['id']}")
        own = {r["test"]: r for r in results if r["cell"] is None}
        cells = {}
        for r in results:
            if r["cell"] is not None:
                cells.setdefault(r["test"], {})[r["cell"]] = r
        return job, own, cells

    def test_kselftest(self):
        """What run_kselftest.sh of 6.1 printed for seven collections, unchanged."""
        _, own, cells = self.run_tests("kselftest")
        with open(os.path.join(CORPUS, "kselftest"), encoding="utf-8") as file:
            lines = file.read().splitlines()
        printed = [line for line in lines if line.lstrip("# ").startswith(("ok ", "not ok "))]
        got = cells["kselftest"]
        self.assertEqual(len(got), len(printed))
        self.assertEqual({c: (r["verdict"], r["detail"]) for c, r in got.items() if r["verdict"] == "fail"}, {
            "openat2:resolve_test": ("fail", "exit=1\nresolve_test.c:54 mount failed - errno:22\n"
                                             "Planned tests != run tests (88 != 0)")})
        self.assertEqual((got["openat2:rename_attack_test"]["verdict"], got["openat2:rename_attack_test"]["reason"]),
                         ("error", "timeout"))
        self.assertEqual(got["size:get_size"]["verdict"], "pass")
        self.assertEqual(got["splice:short_splice_read.sh"]["verdict"], "skip")
        self.assertEqual(sum(c.startswith("openat2:openat2_test/") for c in got), 116)
        self.assertIn("membarrier:membarrier_test_single_thread", got)
        self.assertEqual((own["kselftest"]["verdict"], own["kselftest"]["bad"]), ("fail", 1))
        self.assertEqual(own["kselftest"]["trials"],
                         sum(r["verdict"] in ("pass", "fail") for c, r in got.items()
                             if not any(other.startswith(c + "/") for other in got)))

    def test_kunit(self):
        """From the kernel's log, with its time stamps, and cut off in the second suite."""
        _, own, cells = self.run_tests("kunit")
        self.assertEqual({c: r["verdict"] for c, r in cells["kunit"].items()}, {
            "flush/one": "pass", "flush/two": "fail", "flush/three": "pass", "flush/three/vivt": "pass",
            "flush/three/pipt": "skip", "flush": "fail", "colour/same": "pass", "colour": "error"})
        self.assertIn("EXPECTATION FAILED", cells["kunit"]["flush/two"]["detail"])
        self.assertEqual(cells["kunit"]["flush/three/pipt"]["reason"], "not-applicable(pipt)")
        self.assertEqual(own["kunit"]["verdict"], "fail")

    def test_directives(self):
        _, own, cells = self.run_tests("directives")
        self.assertEqual({c: (r["verdict"], r["test_kind"]) for c, r in cells["directives"].items()}, {
            "x": ("skip", "contract"), "x#2": ("fail", "gap"), "x#3": ("pass", "contract")})
        self.assertEqual(own["directives"]["verdict"], "pass")

    def test_how_a_program_ends(self):
        _, own, cells = self.run_tests("good", "exit-1", "skips", "late", "none")
        self.assertEqual({t: (r["verdict"], r["reason"]) for t, r in own.items()}, {
            "good": ("pass", None), "exit-1": ("fail", "exit:1"), "skips": ("skip", "nosys"), "late": ("error", "timeout"),
            "none": ("error", "no-results")})
        self.assertEqual(set(cells["late"]), {"a", "b"}, "what came before the time was over is kept")

    def test_the_example_suite_skips_here(self):
        if any(os.path.exists(f"{d}/run_kselftest.sh") for d in
               ("/opt/kselftest", "/usr/lib/kselftest", "/usr/libexec/kselftest", "/root/kselftest")):
            self.skipTest("this machine has kselftest")
        _, own, _ = self.run_tests("mm", "size", suite="kselftest")
        self.assertEqual({t: (r["verdict"], r["reason"]) for t, r in own.items()},
                         {"mm": ("skip", "nodev"), "size": ("skip", "nodev")})
        self.assertIn("run_kselftest.sh", own["mm"]["detail"])


class Kselftest(unittest.TestCase):
    """The real thing: collections of kselftest that are built and installed from the kernel source of the set-up, in the
    /opt/kselftest of a board that is behind an sshd in a mount namespace of its own."""

    COLLECTIONS = "size splice mincore"

    @classmethod
    def setUpClass(cls):
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        sources = glob.glob(os.path.join(cache, "cohort/source/linux-*/tools/testing/selftests"))
        if not sources:
            raise unittest.SkipTest("no kernel source in the cache: setup/kernel puts it there")
        if subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True).returncode != 0:
            raise unittest.SkipTest("no mount namespaces here")
        cls.directory = tempfile.mkdtemp(prefix="cohort-kselftest-")
        cls.addClassCleanup(shutil.rmtree, cls.directory, ignore_errors=True)
        cls.installed = cls.install(sources[0])
        # What is mounted in a namespace ends with it.
        sshd = farm.Sshd(os.path.join(cls.directory, "sshd"), within=[
            "unshare", "--mount", "sh", "-c",
            'mount -t tmpfs none /opt && mkdir /opt/kselftest && mount --bind "$0" /opt/kselftest && exec "$@"', cls.installed])
        cls.addClassCleanup(sshd.stop)
        suites = os.path.join(cls.directory, "suites")
        os.makedirs(suites)
        with open(os.path.join(farm.BUILD, "suites/kselftest.json"), encoding="utf-8") as file:
            suite = json.load(file)
        size = next(test for test in suite["tests"] if test["name"] == "size")
        suite["tests"].append({**size, "name": "mincore", "argv": [*size["argv"][:-1], "mincore"]})  # "More collections are more rows."
        with open(os.path.join(suites, "kselftest.json"), "w", encoding="utf-8") as file:
            json.dump(suite, file)
        cls.farm = farm.Farm(cls.directory, suites=suites)
        cls.farm.add_board(farm.board_document("b1", sshd, os.path.join(cls.directory, "board")))
        cls.api = cls.farm.start()
        cls.addClassCleanup(cls.farm.stop)
        cls.api.post("/api/v1/builds", {"name": "running", "arch": "x86-64"})

    @classmethod
    def install(cls, source):
        """Its own makefiles do it, into a directory of ours; of rsync they want no more than cp does."""
        words = os.path.join(cls.directory, "bin")
        installed, objects = os.path.join(cls.directory, "installed"), os.path.join(cls.directory, "objects")
        for made in (words, objects):
            os.makedirs(made)
        with open(os.path.join(words, "rsync"), "w", encoding="ascii") as file:
            file.write('#!/bin/sh\nshift 2\nexec cp -RL "$@"\n')
        os.chmod(os.path.join(words, "rsync"), 0o755)
        subprocess.run(["make", "-s", "-C", source, f"O={objects}", f"TARGETS={cls.COLLECTIONS}", f"INSTALL_PATH={installed}", "install"],
                       env=dict(os.environ, PATH=f"{words}:{os.environ['PATH']}"), check=True, capture_output=True)
        return installed

    def printed(self, collection):
        """{cell: verdict} of what its runner prints here, read in another way than the agent does: by its own lines."""
        done = subprocess.run([os.path.join(self.installed, "run_kselftest.sh"), "-c", collection], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60, check=False)
        found, below = {}, []
        for line in done.stdout.splitlines():
            match = re.fullmatch(r"(# )?(not )?ok \d+(?: -)? ?(.*?) ?(?:# (SKIP|exit=\d+|TIMEOUT) ?(.*))?", line)
            if not match:
                continue
            verdict = "skip" if match[4] == "SKIP" else "fail" if match[2] else "pass"
            if match[1]:
                below.append((match[3] or match[5], verdict))  # what is skipped may have no other name
                continue
            name = match[3].replace("selftests: ", "").replace(": ", ":")
            found.update({f"{name}/{case}": v for case, v in below}, **{name: verdict})
            below = []
        return found

    def test_collections(self):
        job = self.api.post("/api/v1/jobs", {"builds": ["running"], "boards": {"names": ["b1"]}, "suite": "kselftest",
                                             "tests": ["mm", *self.COLLECTIONS.split()]})
        self.assertTrue(self.farm.wait_job(job["id"])["complete"])
        results = self.api.all_results(f"job={job['id']}")
        own = {r["test"]: r for r in results if r["cell"] is None}
        self.assertEqual((own["mm"]["verdict"], own["mm"]["reason"]), ("skip", "nodev"))
        self.assertIn("no collection mm", own["mm"]["detail"])
        for collection in self.COLLECTIONS.split():
            cells = {r["cell"]: r["verdict"] for r in results if r["test"] == collection and r["cell"] is not None}
            self.assertEqual(cells, self.printed(collection))
            self.assertTrue(all(cell.startswith(f"{collection}:") for cell in cells), cells)
            worst = "fail" if "fail" in cells.values() else "pass" if "pass" in cells.values() else "skip"
            self.assertEqual(own[collection]["verdict"], worst, cells)
        self.assertEqual(own["size"]["verdict"], "pass", "it asks for nothing")
        self.assertGreater(sum(r["test"] == "mincore" for r in results), 4)


if __name__ == "__main__":
    unittest.main()
