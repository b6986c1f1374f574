"""The emulator's processor beside another one: random blocks of instructions run on qemu-arm-static and on the
emulator's core, and registers, flags and memory must be the same at the end.

COHORT_SEED repeats a run; COHORT_BLOCKS asks for more than the default, which is about a million instructions."""

import os
import random
import struct
import subprocess
import tempfile
import unittest

import armblocks
import farm

SEED = int(os.environ.get("COHORT_SEED", "0")) or random.randrange(1, 1 << 31)
BLOCKS = int(os.environ.get("COHORT_BLOCKS", "6500"))  # of each kind: four
INSTRUCTIONS = 40  # in a block, at least
BATCH = 1000
HERE = os.path.dirname(os.path.abspath(__file__))
WORDS = 15 + 1 + 256
NAMES = [f"r{n}" for n in range(15)] + ["flags"] + [f"data[{n}]" for n in range(256)]


class Processor(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.top = tempfile.TemporaryDirectory(prefix="cohort-cpu-")
        cls.reference = os.path.join(cls.top.name, "blocks_arm")
        subprocess.run(["arm-linux-gnueabi-gcc", "-O1", "-static", "-march=armv5te", "-marm", "-o", cls.reference,
                        os.path.join(HERE, "emulator/blocks_arm.c")], check=True)
        print(f"seed {SEED}", flush=True)

    @classmethod
    def tearDownClass(cls):
        cls.top.cleanup()

    def outcomes(self, argv, blob):
        done = subprocess.run(argv, input=blob, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300, check=False)
        self.assertEqual(done.returncode, 0, (argv[0], done.stderr))
        return done.stdout

    def show(self, number, code, thumb, first, second):
        path = os.path.join(self.top.name, "code")
        with open(path, "wb") as file:
            file.write(code)
        listing = subprocess.run(["arm-linux-gnueabi-objdump", "-D", "-b", "binary", "-m", "arm",
                                  *(["-M", "force-thumb"] if thumb else []), path], stdout=subprocess.PIPE, text=True, check=True)
        differ = [f"{name}: {a:08x} and {b:08x}" for name, a, b in zip(NAMES, first, second) if a != b]
        self.fail(f"seed {SEED}, block {number}: reference and emulator: {', '.join(differ[:10])}\n{listing.stdout}")

    def compare(self, thumb, models):
        rnd = random.Random(f"{SEED} {thumb} {models[0]}")
        changed = set()
        for start in range(0, BLOCKS, BATCH):
            made = [armblocks.block(rnd, thumb, INSTRUCTIONS, v6=models[0] != "arm926") for _ in range(min(BATCH, BLOCKS - start))]
            blob = b"".join(block for block, _ in made)
            model = models[start // BATCH % len(models)]
            first = self.outcomes(["qemu-arm-static", "-cpu", model, self.reference], blob)
            second = self.outcomes([os.path.join(farm.BUILD, "tests/system/emulator_blocks"), model], blob)
            self.assertEqual(len(first), len(made) * 4 * WORDS)
            self.assertEqual(len(second), len(first))
            for i, (block, length) in enumerate(made):
                a = struct.unpack_from(f"<{WORDS}I", first, i * 4 * WORDS)
                b = struct.unpack_from(f"<{WORDS}I", second, i * 4 * WORDS)
                if a != b:
                    self.show(start + i, block[72:72 + length], thumb, a, b)
                changed.update(n for n in range(15) if a[n] != struct.unpack_from("<15I", block, 12)[n])
        # Blocks that do nothing would agree as well.
        self.assertEqual(len(changed), 14, changed)

    def test_arm(self):
        self.compare(0, ["arm926"])

    def test_thumb(self):
        self.compare(1, ["arm926"])

    def test_arm_v6(self):
        self.compare(0, ["arm1176", "arm1136"])

    def test_thumb_v6(self):
        self.compare(1, ["arm1136", "arm1176"])


if __name__ == "__main__":
    unittest.main()
