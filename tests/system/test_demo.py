"""./demo as a newcomer starts it, without a terminal: it ends by itself, every planned result is there, the comparison of the
series' revisions is printed, and nothing of it runs on. Where its kernels are not in the cache yet it makes them, which takes
long (the timeouts here and in CMakeLists.txt are for that)."""

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
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=3000)
            self.assertEqual(done.returncode, 0, done.stdout[-3000:])
            job = re.search(r"^job (\d+): (\d+) of (\d+) results$", done.stdout, re.M)
            self.assertTrue(job, done.stdout)
            self.assertEqual(job[2], job[3])
            self.check_story(done.stdout)
            self.assertRegex(done.stdout, rf"http://127\.0\.0\.1:\d+/compare\.html\?job={job[1]}\n")
            left = [pid for pid in os.listdir("/proc") if pid.isdigit() and any(state.encode() in word for word in farm.command_of(int(pid)))]
            self.assertEqual(left, [])

    def check_story(self, printed):
        """On caches that hold bytes of their own base fails both tests, v1 one, v2 and v3 none; on QEMU nothing fails."""
        for cache in ("vivt", "vipt-aliasing"):
            for test, line in (("dio-read-anon", "F→P→P→P"), ("dio-read-mapped", "F→F→P→P")):
                self.assertRegex(printed, rf"\n{cache} +emulated +{test} +(and \d+ cells alike +)?{line}\b", printed)
            self.assertRegex(printed, rf"\nWhat failed of v1 on {cache} \(emulated\):\n  dio-read-mapped on \S+, .*: \d+ of 256 half-lines stale-memory")
            self.assertRegex(printed, rf"\n{cache} +emulated +fail ")
        for cache in ("vivt", "vipt-aliasing", "vipt-nonaliasing"):
            self.assertRegex(printed, rf"\n{cache} +qemu +pass ")
        self.assertIn("QEMU holds one copy of memory", printed)


if __name__ == "__main__":
    unittest.main(verbosity=2)
