"""A kernel in the emulator: the initramfs that runs the suite, and what the console says about it."""

import json
import os
import shutil
import subprocess
import tempfile
import unittest

import farm

# The optimised program where ./check has built it: a kernel takes five times as long with the sanitizers, which the unit tests
# and the processor comparison run with.
RELEASE = os.path.join(farm.TOP, "build/release/emulator/cohort-emu")
EMULATOR = RELEASE if os.path.exists(RELEASE) else os.path.join(farm.BUILD, "emulator/cohort-emu")
COHERENCE = os.path.join(farm.TOP, "build/agent-armel/jobs/coherence/coherence")
HERE = os.path.dirname(os.path.abspath(__file__))
LIMIT = 2_500_000_000  # instructions: boot takes 0.25 G, the suite 1.6 G


def make_initramfs(directory):
    root = os.path.join(directory, "root")
    os.makedirs(os.path.join(root, "dev"))
    subprocess.run(["arm-linux-gnueabi-gcc", "-static", "-Os", "-s", "-march=armv5te", "-marm", "-o", os.path.join(root, "init"),
                    os.path.join(farm.TOP, "emulator/guest/init.c")], check=True)
    shutil.copy(COHERENCE, root)
    path = os.path.join(directory, "initramfs.cpio")
    with open(path, "wb") as file:
        subprocess.run(["cpio", "-o", "-H", "newc", "-R", "0:0", "--quiet"], cwd=root, stdout=file, check=True,
                       input=b".\ndev\ninit\ncoherence\n")
    return path


class Emulated(unittest.TestCase):
    """Tests that boot kernels with the initramfs, and what they ask its console."""

    @classmethod
    def setUpClass(cls):
        cls.top = tempfile.TemporaryDirectory(prefix="cohort-emu-")
        cls.initramfs = make_initramfs(cls.top.name)

    @classmethod
    def tearDownClass(cls):
        cls.top.cleanup()

    def kernel(self, variant="stock", kind="v5"):
        return subprocess.run([os.path.join(farm.TOP, "setup/kernel"), kind, variant], stdout=subprocess.PIPE, text=True,
                              check=True).stdout.strip()

    def command(self, *options, kernel=None, tests=()):
        kernel = kernel or self.kernel()
        return [EMULATOR, "--kernel", os.path.join(kernel, "zImage"), "--dtb", os.path.join(kernel, "board.dtb"), "--initrd",
                self.initramfs, "--append", "console=ttyAMA0 panic=1 -- " + " ".join(tests), "--exit-on", "reboot",
                "--max-instructions", str(LIMIT), *options]

    def emulate(self, *options, **what):
        """Boot, do what init is told to, reboot. Returns the console's text."""
        done = subprocess.run(self.command(*options, **what), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=1500, check=False)
        self.assertEqual(done.returncode, 0, (done.stderr, done.stdout[-2000:]))
        return done.stdout

    def records(self, console, kind):
        found = []
        for line in console.splitlines():
            if line.startswith('{"type":'):
                record = json.loads(line)
                if record["type"] == kind:
                    found.append(record)
        return found

    def verdicts(self, console):
        return {record["test"]: record["verdict"] for record in self.records(console, "result")}

    def bad_cells(self, console):
        return {f"{r['test']} {r['cell']}": r["class"] for r in self.records(console, "cell") if r["verdict"] != "pass"}
