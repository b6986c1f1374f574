"""jobs/controls without a board: the patches apply to the kernel's source, what is expected of them is written the same
everywhere and names tests that there are, and what kill-matrix makes of results is right."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

import farm

CONTROLS = os.path.join(farm.TOP, "jobs/controls")
sys.path.insert(0, CONTROLS)
import controls as ctl  # noqa: E402
import matrix  # noqa: E402
import report  # noqa: E402

def output(*argv):
    return subprocess.run(argv, stdout=subprocess.PIPE, check=True).stdout.decode().strip()


class Files(unittest.TestCase):
    def test_same_everywhere(self):
        """The headers of the patches and README's table are what controls.json makes of them."""
        done = subprocess.run([os.path.join(CONTROLS, "controls.py"), "--check"], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_patches_apply(self):
        source = output(os.path.join(farm.TOP, "setup/kernel"), "--source")
        for control in ctl.load():
            with self.subTest(control=control["name"]):
                # A kernel that is being built may have its control in the tree for a moment.
                farm.wait_for(control["name"], lambda: self.applies(source, ctl.patch_path(control)), 60)

    def applies(self, source, patch):
        with open(patch, encoding="utf-8") as file:
            lines = file.read().splitlines()
        with tempfile.TemporaryDirectory(prefix="cohort-patch-") as top:
            for path in [line[6:] for line in lines if line.startswith("+++ b/")]:
                os.makedirs(os.path.join(top, os.path.dirname(path)), exist_ok=True)
                saved = os.path.join(source, ".cohort-saved", path)
                with open(saved if os.path.exists(saved) else os.path.join(source, path), encoding="utf-8") as file, \
                        open(os.path.join(top, path), "w", encoding="utf-8") as copy:
                    copy.write(file.read())
            done = subprocess.run(["patch", "-d", top, "-p1", "-F0", "-i", patch], capture_output=True, text=True, check=False)
            return done.returncode == 0 and "fuzz" not in done.stdout and "offset" not in done.stdout

    def test_named_tests_exist(self):
        listed = json.loads(output(os.path.join(farm.BUILD, "jobs/coherence/coherence"), "list", "--json"))["tests"]
        for control in ctl.load():
            for pattern in ctl.patterns(control) - {"*"}:
                self.assertTrue(any(ctl.matches(pattern, test["name"], cell) for test in listed for cell in [*test["cells"], None]),
                                f"{control['id']}: no cell is {pattern}")


def observed(**tests):
    """An observation; of a test either its verdict or those of its cells."""
    made = {}
    for name, verdicts in tests.items():
        cells = verdicts if isinstance(verdicts, dict) else {}
        own = verdicts if isinstance(verdicts, str) else "fail" if "fail" in cells.values() else "pass"
        rows = [(None, own), *cells.items()]
        made[name] = {"results": [{"cell": cell, "verdict": verdict, "class": "lost-write" if verdict == "fail" else None}
                                  for cell, verdict in rows]}
    return {"board": "emu", "cache": "vivt", "tests": made}


def expecting(kills=(), passes=(), **more):
    return dict({"evidence": "P", "kills": list(kills), "passes": list(passes)}, **more)


class Judgement(unittest.TestCase):
    """What kill-matrix makes of results."""

    def judge(self, expected, stock, here):
        return matrix.judge(expected, observed(**stock), observed(**here))

    def test_killed(self):
        said = self.judge(expecting(["a", "b:x"]), {"a": {"u": "pass"}, "b": {"x,1": "pass", "y": "fail"}},
                          {"a": {"u": "fail"}, "b": {"x,1": "fail", "y": "fail"}})
        self.assertEqual((said["verdict"], said["seen"], said["also"], said["classes"]), ("killed", ["a", "b:x"], [], ["lost-write"]))

    def test_what_stock_fails_is_no_kill(self):
        said = self.judge(expecting(["b"]), {"b": {"x": "pass", "y": "fail"}}, {"b": {"x": "pass", "y": "fail"}})
        self.assertEqual((said["verdict"], said["not_seen"]), ("survived", ["b"]))

    def test_another_variant_is_no_kill(self):
        said = self.judge(expecting(["b:x"]), {"b": {"x,1": "pass", "xy": "pass"}}, {"b": {"x,1": "pass", "xy": "fail"}})
        self.assertEqual((said["verdict"], said["not_seen"], said["also"]), ("killed by others", ["b:x"], ["b"]))

    def test_part_and_more(self):
        said = self.judge(expecting(["a", "b"], ["c"]), dict.fromkeys("abcd", "pass"), {"a": "fail", "b": "pass", "c": "fail", "d": "fail"})
        self.assertEqual((said["verdict"], said["not_seen"], said["also"], said["must_pass"]), ("killed in part", ["b"], ["c", "d"], ["c"]))

    def test_a_test_that_died(self):
        said = self.judge(expecting(["a:x"]), {"a": {"x": "pass"}}, {"a": "error"})
        self.assertEqual((said["verdict"], said["died"]), ("killed", ["a"]))

    def test_a_test_that_did_not_run(self):
        for verdict in ("skip", "inconclusive"):
            said = self.judge(expecting(["a"]), {"a": "pass"}, {"a": verdict})
            self.assertEqual((said["verdict"], said["not_run"], said["not_seen"]), ("not run", ["a"], []))
        self.assertEqual(self.judge(expecting(["a"]), {}, {})["verdict"], "not run")

    def test_a_kernel_that_does_not_boot(self):
        self.assertEqual(matrix.judge(expecting(["a"]), observed(a="pass"), dict(observed(), boots=False))["verdict"], "does not boot")
        self.assertEqual(matrix.judge(expecting(["a"]), observed(a="pass"), dict(observed(), boots=True))["verdict"], "not run")

    def test_survivor(self):
        expected = expecting(survives="for a reason")
        self.assertEqual(self.judge(expected, {"a": "pass"}, {"a": "pass"})["verdict"], "survived")
        self.assertEqual(self.judge(expected, {"a": "pass"}, {"a": "fail"})["verdict"], "killed after all")

    def test_fix(self):
        expected = expecting(passes=["*"], fixes=["a:x"])
        stock = {"a": {"x,1": "fail", "y": "fail"}, "b": "pass"}
        for here, verdict in (({"a": {"x,1": "pass", "y": "fail"}, "b": "pass"}, "fixed"),
                              ({"a": {"x,1": "fail", "y": "fail"}, "b": "pass"}, "not fixed"),
                              ({"a": {"x,1": "pass", "y": "fail"}, "b": "fail"}, "not fixed")):
            self.assertEqual(self.judge(expected, stock, here)["verdict"], verdict)

    def test_grid(self):
        control = {"id": "M0", "name": "m0", "expected": {"vivt": expecting(["a", "b"], ["e"])}}
        stock = observed(a="pass", b="pass", c="fail", d="pass", e="pass", f="pass", g="skip")
        here = dict(observed(a="fail", b="pass", c="fail", d="fail", e="fail", f="pass", g="skip"), stock=stock)
        lines = matrix.grid("emu", {"stock": dict(stock, stock=stock), "m0": here}, [control], "abcdefg")
        self.assertEqual([line.split() for line in lines], [["stock", "M0"], ["a", ".", "K"], ["b", ".", "!"], ["c", "s", "s"], ["d", ".", "k"],
                                                            ["e", ".", "X"], ["f", ".", "."], ["g", "-", "-"]])

    def test_report(self):
        """Results on disk to a report that names what was not seen."""
        controls = [{"id": "M0", "name": "m0", "expected": {"vivt": expecting(["a", "b"])}}]
        with tempfile.TemporaryDirectory(prefix="cohort-matrix-") as state:
            os.makedirs(os.path.join(state, "results/emu"))
            for variant, verdicts in (("stock", {"a": "pass", "b": "pass"}), ("m0", {"a": "fail", "b": "pass"})):
                one = dict(observed(**verdicts), variant=variant, kernel="v5", build_id="0", release="6", seconds=60, fault=None)
                for entry in one["tests"].values():
                    entry["program"] = "p"
                with open(os.path.join(state, f"results/emu/v5-{variant}.json"), "w", encoding="utf-8") as file:
                    json.dump(one, file)
            report.write(state, report.load(state), controls, "ab")
            with open(os.path.join(state, "matrix.json"), encoding="utf-8") as file:
                document = json.load(file)
            published = self.publish(state, "# Before\n\n## emu\n\nold\n\n## other\n\nkept\n")
            with open(os.path.join(state, "matrix.md"), encoding="utf-8") as file:
                text = file.read()
        self.assertEqual([(row["id"], row["verdict"], row["not_seen"]) for row in document["controls"]], [("M0", "killed in part", ["b"])])
        self.assertIn("**killed in part** | a |", text)
        self.assertIn("not seen: b", text)
        self.assertIn("\nb     .    !\n", text)
        # A board that was not run here keeps its section; one that was has a new one.
        self.assertTrue(published.startswith(text.rstrip("\n")), published)
        self.assertTrue(published.endswith("\n\n## other\n\nkept\n"), published)
        self.assertEqual(published.count("## "), 2)

    def publish(self, state, before):
        path = os.path.join(state, "published.md")
        with open(path, "w", encoding="utf-8") as file:
            file.write(before)
        report.publish(state, path)
        with open(path, encoding="utf-8") as file:
            return file.read()


if __name__ == "__main__":
    unittest.main()
