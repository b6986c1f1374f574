"""The emulator with a real kernel: the suite on caches that hold bytes of their own, and on none.

The kernels are those of setup/; the first call may take minutes, later ones find them in the cache. The suite's tests are
PID 1's only child, in an initramfs made here. Everything is bounded by instructions, so a hang ends, too."""

import fnmatch
import json
import os
import subprocess
import tempfile
import unittest

import farm
from emulate import EMULATOR, LIMIT, Emulated


def known_to_fail(cache):
    """Patterns of "TEST CELL" that stock 6.1 fails on real caches of a class: the suite's own data."""
    with open(os.path.join(farm.TOP, "jobs/coherence/expectations.json"), encoding="utf-8") as file:
        return [f"{one['test']} {cells}" for one in json.load(file)["known"] if cache in one["caches"] for cells in one["cells"]]


# One or two of each group, where the whole core set would say no more.
TESTS = ["dio-read-anon", "dio-read-mapped", "write-mmap", "mmap-write-read", "shared-alias", "fork-cow", "jit-cacheflush", "jit-control"]


class Emulator(Emulated):
    def test_stock_on_vivt(self):
        """The whole core set: it fails what the suite says it does, and nothing else."""
        console = self.emulate("--mode", "vivt", "--max-instructions", str(2 * LIMIT), tests=["run", "--iterations", "1"])
        self.assertIn("CPU: VIVT data cache, VIVT instruction cache", console)
        self.assertGreaterEqual(len(self.verdicts(console)), 38, console[-2000:])
        known = [*known_to_fail("vivt"), "ptrace-poke-text other-cpu"]  # the last is skipped: there is one CPU
        unknown = [cell for cell in self.bad_cells(console) if not any(fnmatch.fnmatchcase(cell, one) for one in known)]
        self.assertEqual(unknown, [])
        # The harness leaves the kernel no reason to take the processor from it in the middle of a trial.
        self.assertNotIn("RT throttling", console)
        self.assertEqual([r["test"] for r in self.records(console, "result") if r["masked"]], [])
        control = [r for r in self.records(console, "result") if r["test"] == "jit-control"][0]
        self.assertGreater(control["bad"], 0, "no stale code: the I-cache holds nothing of its own")

    def test_stock_without_caches(self):
        console = self.emulate("--mode", "off", tests=["run", "--iterations", "1", *TESTS])
        self.assertEqual(set(self.verdicts(console).values()), {"pass"}, self.verdicts(console))
        self.assertEqual(set(self.verdicts(console)), set(TESTS))
        self.assertEqual(self.bad_cells(console), {})
        self.assertEqual([r["bad"] for r in self.records(console, "result")], [0] * len(TESTS))

    def test_control_fails_on_vivt(self):
        kernel = self.kernel("m2-anon-flush")
        console = self.emulate("--mode", "vivt", kernel=kernel, tests=["run", "dio-read-anon", "dio-read-mapped"])
        self.assertEqual(self.verdicts(console), {"dio-read-anon": "fail", "dio-read-mapped": "pass"})
        self.assertEqual(set(self.bad_cells(console).values()), {"stale-memory"})

    def test_trace_names_the_writer(self):
        """The trace of the control's fault: user mode read what the cipher had left dirty at the page's kernel address."""
        kernel = self.kernel("m2-anon-flush")
        path = os.path.join(self.top.name, "trace.json")
        console = self.emulate("--trace-stale", path, "--symbols", os.path.join(kernel, "System.map"), kernel=kernel,
                               tests=["run", "dio-read-anon", "--iterations", "1"])
        self.assertEqual(self.verdicts(console), {"dio-read-anon": "fail"})
        with open(path, encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        self.assertEqual(lines[-1]["type"], "end")
        self.assertGreater(lines[-1]["total"], 1000)
        stale = [line for line in lines if line["type"] == "stale"]
        self.assertEqual({(line["what"], line["mode"], line["newest_in"]) for line in stale}, {("load", "user", "D-line")}, lines)
        for line in stale:
            self.assertEqual(line["writer"]["mode"], "kernel")
            self.assertIn("crypto", line["writer"]["at"])
            self.assertNotEqual(line["va"], line["writer"]["va"])
            self.assertEqual(line["line_va"][:-2], line["writer"]["va"][:-2])

    def test_control_passes_without_caches(self):
        kernel = self.kernel("m2-anon-flush")
        console = self.emulate("--mode", "off", kernel=kernel, tests=["run", "dio-read-anon", "dio-read-mapped"])
        self.assertEqual(self.verdicts(console), {"dio-read-anon": "pass", "dio-read-mapped": "pass"})

    def test_same_seed_same_console(self):
        first = self.emulate("--seed", "5", tests=["run", "jit-control"])
        self.assertEqual(first, self.emulate("--seed", "5", tests=["run", "jit-control"]))

    def test_input_and_reset(self):
        """A typed line reaches a program; without --exit-on reboot the machine starts again, here up to the limit."""
        argv = self.command("--exit-on", "power-off", "--max-instructions", "500000000", tests=["echo"])
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as emulator:
            seen = ""
            for line in emulator.stdout:
                seen += line
                if line == "init: ready\n":
                    emulator.stdin.write("hello\n")
                    emulator.stdin.flush()
                if seen.count("Booting Linux on physical CPU") == 2:
                    break
            emulator.kill()
        self.assertIn("init: got hello", seen)
        self.assertIn("reboot: Restarting system", seen)
        self.assertEqual(seen.count("Booting Linux on physical CPU"), 2, seen[-500:])

    def test_power_off(self):
        console = self.emulate("--exit-on", "power-off", tests=["halt"])
        self.assertIn("reboot: System halted", console)

    def test_write_allocate_boots(self):
        console = self.emulate("--write-allocate", "--replacement", "round-robin", "--dcache", "8,2", "--icache", "32,1",
                               tests=["run", "jit-cacheflush"])
        self.assertEqual(self.verdicts(console), {"jit-cacheflush": "pass"})


class BadInput(unittest.TestCase):
    """A clear message that names the thing, and a status."""

    def setUp(self):
        self.top = tempfile.TemporaryDirectory(prefix="cohort-emu-")
        self.addCleanup(self.top.cleanup)
        self.kernel = subprocess.run([os.path.join(farm.TOP, "setup/kernel"), "v5", "stock"], stdout=subprocess.PIPE, text=True,
                                     check=True).stdout.strip()

    def file(self, name, data):
        path = os.path.join(self.top.name, name)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def refuses(self, status, words, *options, kernel=None, dtb=None):
        kernel = kernel or os.path.join(self.kernel, "zImage")
        dtb = dtb or os.path.join(self.kernel, "board.dtb")
        done = subprocess.run([EMULATOR, "--kernel", kernel, "--dtb", dtb, *options], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, status, (done.stderr, done.stdout[-500:]))
        for word in words:
            self.assertIn(word, done.stderr)

    def test_options(self):
        self.refuses(64, ["--bogus"], "--bogus")
        self.refuses(64, ["--mode", "vvvt"], "--mode", "vvvt")
        self.refuses(64, ["--ram 129"], "--ram", "129")
        self.refuses(64, ["--exit-on", "lunch"], "--exit-on", "lunch")
        self.refuses(64, ["extra"], "extra")
        self.refuses(1, ["3072", "power of two"], "--dcache", "3")
        self.refuses(64, ["--trace-limit 0"], "--trace-limit", "0")
        self.refuses(1, ["missing/trace"], "--trace-stale", os.path.join(self.top.name, "missing/trace"))
        self.refuses(1, ["names", "line 1"], "--trace-stale", os.path.join(self.top.name, "trace"),
                     "--symbols", self.file("names", b"these are none\n"))

    def test_kernel(self):
        with open(os.path.join(self.kernel, "zImage"), "rb") as file:
            image = file.read()
        self.refuses(1, ["missing"], kernel=os.path.join(self.top.name, "missing"))
        self.refuses(1, ["cut", "truncated"], kernel=self.file("cut", image[:len(image) // 2]))
        self.refuses(1, ["tiny", "no ARM kernel"], kernel=self.file("tiny", b"x" * 10))

    def test_device_tree(self):
        with open(os.path.join(self.kernel, "board.dtb"), "rb") as file:
            tree = file.read()
        self.refuses(1, ["missing.dtb"], dtb=os.path.join(self.top.name, "missing.dtb"))
        self.refuses(1, ["half.dtb", "no device tree"], dtb=self.file("half.dtb", tree[:1000]))
        self.refuses(1, ["text.dtb", "no device tree"], dtb=self.file("text.dtb", b"hello" * 100))

    def test_does_not_fit(self):
        self.refuses(1, ["zImage", "8 MiB"], "--ram", "8")
        self.refuses(1, ["big", "do not fit"], "--ram", "64", "--initrd", self.file("big", bytes(40 << 20)))

    def test_wild_code(self):
        """A program that is not one: it runs into the limit or into what is not modelled, and says so."""
        loop = self.file("loop", b"\xfe\xff\xff\xea" * 64)
        self.refuses(0, [], kernel=loop)  # a jump to itself with interrupts masked is a halted board
        self.refuses(4, ["CP15", "c15"], kernel=self.file("cp15", b"\x10\x0f\x0f\xee" * 64))
        self.refuses(3, [], "--max-instructions", "100000", kernel=self.file("zero", bytes(64)))


if __name__ == "__main__":
    unittest.main()
