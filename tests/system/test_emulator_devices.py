"""What surrounds the emulator's processor, with a real kernel: disks and network by DMA, memory card, snapshots, monitor.

The kernels are those of setup/; the first call may take minutes, later ones find them in the cache. Runs are bounded by
instructions, waits by deadlines."""

import os
import subprocess
import tempfile
import unittest

import farm
from test_emulator import EMULATOR, HERE

LIMIT = 1_500_000_000
MIB = 1 << 20


def pattern(number):
    """A MiB as init_devices.c makes it."""
    words = []
    for n in range(MIB // 4):
        value = ((n + 1) * 2654435761 ^ number * 0x9e3779b9) & 0xffffffff
        words.append(value ^ value >> 15)
    return b"".join(word.to_bytes(4, "little") for word in words)


class Devices(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.top = tempfile.TemporaryDirectory(prefix="cohort-emu-")
        cls.addClassCleanup(cls.top.cleanup)
        root = os.path.join(cls.top.name, "root")
        os.makedirs(root)
        subprocess.run(["arm-linux-gnueabi-gcc", "-static", "-Os", "-s", "-march=armv5te", "-marm", "-D_GNU_SOURCE", "-o", os.path.join(root, "init"),
                        os.path.join(HERE, "emulator/init_devices.c")], check=True)
        cls.initramfs = os.path.join(cls.top.name, "initramfs.cpio")
        with open(cls.initramfs, "wb") as file:
            subprocess.run(["cpio", "-o", "-H", "newc", "-R", "0:0", "--quiet"], cwd=root, stdout=file, check=True, input=b".\ninit\n")
        cls.kernel = subprocess.run([os.path.join(farm.TOP, "setup/kernel"), "v5", "stock"], stdout=subprocess.PIPE, text=True,
                                    check=True).stdout.strip()

    def path(self, name):
        return os.path.join(self.top.name, f"{self.id().rsplit('.', 1)[1]}-{name}")

    def command(self, *options, init=()):
        return [EMULATOR, "--kernel", os.path.join(self.kernel, "zImage"), "--dtb", os.path.join(self.kernel, "board.dtb"), "--initrd",
                self.initramfs, "--append", "console=ttyAMA0 panic=1 -- " + " ".join(init), "--exit-on", "reboot", "--max-instructions",
                str(LIMIT), *options]

    def emulate(self, *options, init=(), status=0):
        done = subprocess.run(self.command(*options, init=init), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=300, check=False)
        self.assertEqual(done.returncode, status, (done.stderr, done.stdout[-2000:]))
        return done.stdout

    def raw_image(self, name):
        path = self.path(name)
        with open(path, "wb") as file:
            file.write(pattern(1))
            file.truncate(4 * MIB)
        return path

    def fs_image(self, name):
        tree = self.path("tree")
        os.makedirs(tree)
        with open(os.path.join(tree, "given"), "wb") as file:
            file.write(pattern(3))
        path = self.path(name)
        subprocess.run(["/sbin/mke2fs", "-q", "-t", "ext2", "-d", tree, path, "8M"], check=True, stderr=subprocess.DEVNULL)
        return path

    def read(self, path, start=0, length=None):
        with open(path, "rb") as file:
            file.seek(start)
            return file.read(length)

    def test_disk_by_dma(self):
        """Two virtio disks on the board with real caches: bytes arrive, both ways, and a private disk's file stays as it is."""
        raw, fs = self.raw_image("raw"), self.fs_image("fs")
        before = self.read(fs)
        console = self.emulate("--drive", raw, "--drive", fs + ",private", init=["hot:/dev/vda", "raw:/dev/vda", "fs:/dev/vdb"])
        for what in ("hot:/dev/vda: read", "raw:/dev/vda: read", "raw:/dev/vda: read again", "fs:/dev/vdb: given", "fs:/dev/vdb: made"):
            self.assertIn(f"init: {what}: ok", console)
        self.assertEqual(self.read(raw, MIB, MIB), pattern(2))
        self.assertEqual(self.read(fs), before)

    def test_memory_card(self):
        """The card goes through the PL181's FIFO word by word; the kernel maps the pages by sg_miter."""
        raw = self.raw_image("card")
        console = self.emulate("--sdcard", raw, init=["hot:/dev/mmcblk0", "raw:/dev/mmcblk0"])
        self.assertIn("PL181 manf 41 rev0 at 0x10005000", console)
        for what in ("hot:/dev/mmcblk0: read", "raw:/dev/mmcblk0: read", "raw:/dev/mmcblk0: read again"):
            self.assertIn(f"init: {what}: ok", console)
        self.assertEqual(self.read(raw, 0, MIB), pattern(1))
        self.assertEqual(self.read(raw, MIB, MIB), pattern(2))


if __name__ == "__main__":
    unittest.main()
