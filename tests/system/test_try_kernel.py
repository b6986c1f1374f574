"""emulator/try-kernel: the suite on a kernel without a farm. What it says of a right and of a wrong kernel, and to mistakes."""

import os
import re
import subprocess
import tempfile
import unittest

import farm

TRY = os.path.join(farm.TOP, "emulator/try-kernel")


def kernel(variant):
    return subprocess.run([os.path.join(farm.TOP, "setup/kernel"), "v5", variant], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def tried(*argv):
    """Exit status, and the lines of its output; those of a test by its name."""
    done = subprocess.run([TRY, *argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                          timeout=500)
    return done.returncode, done.stdout, done.stderr


def verdicts(text):
    return dict(reversed(line.split()[:2]) for line in text.splitlines() if re.match(r"(pass|known|FAIL|skip) ", line))


class TryKernel(unittest.TestCase):
    def test_wrong_kernel(self):
        tests = "dio-read-anon,dio-read-mapped,jit-control"
        status, stock, said = tried("--tests", tests, kernel("stock"))
        self.assertEqual((status, said), (0, ""), stock)
        self.assertEqual(verdicts(stock), {"dio-read-anon": "pass", "dio-read-mapped": "pass", "jit-control": "pass"})
        status, control, said = tried("--tests", tests, kernel("m2-anon-flush"))
        self.assertEqual((status, said), (1, ""), control)
        self.assertEqual(verdicts(control), {"dio-read-anon": "FAIL", "dio-read-mapped": "pass", "jit-control": "pass"})
        self.assertRegex(control, r"u=\w+,k=\w+,delta=\d: \d+ of \d+, stale-memory")
        status, off, said = tried("--caches", "off", "--tests", "dio-read-anon,jit-control", kernel("m2-anon-flush"))
        self.assertEqual((status, said, set(verdicts(off).values())), (0, "", {"pass"}), off)

    def test_known_failures_and_the_same_result_each_time(self):
        texts = []
        for jobs in ("1", "2"):
            status, text, said = tried("-j", jobs, "--tests", "mmap-write-read,packet-ring,jit-control", kernel("stock"))
            self.assertEqual((status, said), (0, ""), text)
            texts.append(sorted(line for line in text.splitlines() if not re.search(r" in [\d.]+ s", line)))
        self.assertEqual(texts[0], texts[1])
        self.assertEqual(verdicts("\n".join(texts[0])).get("mmap-write-read"), "known")

    def test_mistakes(self):
        status, _, said = tried("--tests", "no-such-test", kernel("stock"))
        self.assertEqual((status, said), (2, "try-kernel: no test is called no-such-test\n"))
        status, _, said = tried("/nowhere/zImage")
        self.assertEqual((status, said), (2, "try-kernel: /nowhere/zImage: there is no such file\n"))
        with tempfile.TemporaryDirectory(prefix="cohort-try-") as directory:
            bad = os.path.join(directory, "zImage")
            with open(bad, "w", encoding="ascii") as file:
                file.write("no kernel")
            status, _, said = tried("--dtb", os.path.join(kernel("stock"), "board.dtb"), bad)
        self.assertEqual(status, 3)
        self.assertIn("the kernel did not boot (", said)
        self.assertIn("zImage", said)


if __name__ == "__main__":
    unittest.main()
