"""KTAP from boards and to others: programs on a real board behind sshd print what kselftest's runner and KUnit print, and their
results are results like any other; what the farm exports as KTAP comes back as the same results."""

import json
import os
import shutil
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


if __name__ == "__main__":
    unittest.main()
