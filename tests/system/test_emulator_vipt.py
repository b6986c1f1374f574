"""The emulator as an ARM1176 with 64 KiB caches: aliasing VIPT. Its faults show only where the colours of two addresses differ."""

import re
import unittest

from emulate import Emulated

ALIASING = ("--cpu", "arm1176", "--mode", "vipt", "--dcache", "64,4", "--icache", "64,4")


class AliasingVipt(Emulated):
    def kernel(self, variant="stock", kind="v6"):
        return super().kernel(variant, kind)

    def delta(self, cell):
        return int(re.search(r"delta=(\d)", cell).group(1))

    def test_control_fails_where_colours_differ(self):
        console = self.emulate(*ALIASING, kernel=self.kernel("m2-anon-flush"), tests=["run", "dio-read-anon", "--iterations", "1"])
        self.assertIn("CPU: VIPT aliasing data cache, VIPT aliasing instruction cache", console)
        cells = self.records(console, "cell")
        self.assertEqual(len(cells), 24)
        for cell in cells:
            differ = self.delta(cell["cell"]) != 0
            self.assertEqual((cell["verdict"], cell["class"]), ("fail", "stale-memory") if differ else ("pass", None), cell)
            self.assertEqual(cell["bad"], cell["trials"] if differ else 0, cell)

    def test_control_passes_without_colours(self):
        """The same kernel on 16 KiB with four ways, a page each: it prints another class, and nothing can fail."""
        console = self.emulate("--preset", "arm1176-16k", kernel=self.kernel("m2-anon-flush"),
                               tests=["run", "dio-read-anon", "--iterations", "1"])
        self.assertIn("CPU: PIPT / VIPT nonaliasing data cache", console)
        self.assertEqual(self.verdicts(console), {"dio-read-anon": "pass"})

    def test_stock(self):
        """One test of each group. What fails is known, and fails at differing colours only."""
        console = self.emulate(*ALIASING, tests=["run", "--iterations", "1", "dio-read-anon", "mmap-write-read", "fork-cow", "jit-cacheflush",
                                               "jit-control"])
        self.assertEqual(len(self.verdicts(console)), 5, console[-2000:])
        for cell, kind in self.bad_cells(console).items():
            self.assertRegex(cell, r"^mmap-write-read ext2,direct,.*k=clean,")
            self.assertNotEqual(self.delta(cell), 0, cell)
            self.assertEqual(kind, "stale-kernel")
        control = [r for r in self.records(console, "result") if r["test"] == "jit-control"][0]
        self.assertGreater(control["bad"], 0)


if __name__ == "__main__":
    unittest.main()
