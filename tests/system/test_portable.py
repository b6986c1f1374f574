"""coherence as it is built for each architecture: static, small, the same table everywhere, and running (in qemu-user)."""

import json
import os
import platform
import struct
import subprocess
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# architecture: preset, ELF class and machine, what runs it here, most bytes
BUILDS = {
    "armel": ("agent-armel", (1, 40), ["qemu-arm-static", "-cpu", "arm926"], 900 * 1024),
    "armhf": ("suite-armhf", (1, 40), ["qemu-arm-static", "-cpu", "cortex-a15"], 900 * 1024),
    "arm64": ("suite-arm64", (2, 183), ["qemu-aarch64-static"], 1536 * 1024),
    "x86-64": ("agent-native", (2, 62), [] if platform.machine() == "x86_64" else ["qemu-x86_64-static"], 1536 * 1024),
}
PT_INTERP = 3
# Cells that need nothing of the kernel's: the emulation in user mode refuses no cacheflush(2), for one.
CELLS = ["single", "page", "line-cross", "page-cross"]


def program(arch):
    return os.path.join(ROOT, "build", BUILDS[arch][0], "jobs/coherence/coherence")


def run(arch, *args):
    return subprocess.run([*BUILDS[arch][2], program(arch), *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=180, check=False)


def segments(image):
    """Types of the program headers."""
    wide = image[4] == 2
    offset = struct.unpack_from("<Q", image, 32)[0] if wide else struct.unpack_from("<I", image, 28)[0]
    size, count = struct.unpack_from("<HH", image, 54 if wide else 42)
    return [struct.unpack_from("<I", image, offset + i * size)[0] for i in range(count)]


class Portable(unittest.TestCase):
    def test_files(self):
        for arch, (_, (bits, machine), _, most) in BUILDS.items():
            with self.subTest(arch=arch), open(program(arch), "rb") as file:
                image = file.read()
                self.assertEqual((image[4], struct.unpack_from("<H", image, 18)[0]), (bits, machine))
                self.assertNotIn(PT_INTERP, segments(image), "not static")
                self.assertLess(len(image), most)

    def test_the_same_table(self):
        want = json.loads(run("x86-64", "list", "--json").stdout)
        for arch in BUILDS:
            with self.subTest(arch=arch):
                self.assertEqual(json.loads(run(arch, "list", "--json").stdout), want)

    def test_runs(self):
        for arch in BUILDS:
            with self.subTest(arch=arch):
                done = run(arch, "run", "--iterations", "1", "jit-cacheflush", "jit-control")
                records = [json.loads(line) for line in done.stdout.splitlines()]
                cells = {r["cell"]: r for r in records if r["type"] == "cell" and r["test"] == "jit-cacheflush"}
                for cell in CELLS:
                    self.assertEqual((cells[cell]["verdict"], cells[cell]["bad"]), ("pass", 0))
                    self.assertGreater(cells[cell]["trials"], 0)
                self.assertEqual((records[-1]["test"], records[-1]["verdict"]), ("jit-control", "pass"))


if __name__ == "__main__":
    unittest.main()
