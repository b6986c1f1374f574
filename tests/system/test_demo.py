"""./demo as a newcomer starts it, without a terminal: it ends by itself, every planned result is there, the comparison is
printed, and nothing of it runs on."""

import os
import re
import subprocess
import tempfile
import unittest

import farm


class Demo(unittest.TestCase):
    def test_once(self):
        with tempfile.TemporaryDirectory(prefix="cohort-demo-") as state:
            done = subprocess.run([os.path.join(farm.TOP, "demo"), "--port", str(farm.free_port()), "--state", state], check=False,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=850)
            self.assertEqual(done.returncode, 0, done.stdout[-3000:])
            job = re.search(r"^job (\d+): (\d+) of (\d+) results$", done.stdout, re.M)
            self.assertTrue(job, done.stdout)
            self.assertEqual(job[2], job[3])
            for cache in ("vivt", "vipt-aliasing", "vipt-nonaliasing"):
                self.assertRegex(done.stdout, rf"\n{cache} +qemu +pass \d+/\d+ +pass \d+/\d+")
            # On caches that hold bytes of their own the kernel without the flush fails, and only there.
            for cache in ("vivt", "vipt-aliasing"):
                self.assertRegex(done.stdout, rf"\n{cache} +emulated +pass 4/4 +fail 3/4")
                self.assertRegex(done.stdout, rf"\n{cache} +dio-read-anon .* regressed")
            self.assertNotRegex(done.stdout, r"\n\S+ +dio-read-mapped .* regressed")
            self.assertIn("QEMU holds one copy of memory", done.stdout)
            self.assertRegex(done.stdout, rf"http://127\.0\.0\.1:\d+/compare\.html\?job={job[1]}\n")
            left = [pid for pid in os.listdir("/proc") if pid.isdigit() and any(state.encode() in word for word in farm.command_of(int(pid)))]
            self.assertEqual(left, [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
