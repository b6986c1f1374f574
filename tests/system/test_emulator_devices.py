"""What surrounds the emulator's processor, with a real kernel: disks and network by DMA, memory card, snapshots, monitor.

The kernels are those of setup/; the first call may take minutes, later ones find them in the cache. Runs are bounded by
instructions, waits by deadlines."""

import json
import os
import re
import resource
import socket
import subprocess
import tempfile
import unittest

import farm
from emulate import EMULATOR, HERE

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

    def command(self, *options, init=(), kernel=""):
        return [EMULATOR, "--kernel", os.path.join(self.kernel, "zImage"), "--dtb", os.path.join(self.kernel, "board.dtb"), "--initrd",
                self.initramfs, "--append", f"console=ttyAMA0 panic=1 {kernel} -- " + " ".join(init), "--exit-on", "reboot", "--max-instructions",
                str(LIMIT), *options]

    def emulate(self, *options, init=(), status=0, kernel=""):
        done = subprocess.run(self.command(*options, init=init, kernel=kernel), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
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
        subprocess.run(["/sbin/mke2fs", "-q", "-t", "ext2", "-d", tree, path, "8M"], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
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

    def restore(self, snapshot, *options, status=0):
        done = subprocess.run([EMULATOR, "--restore", snapshot, "--stats", *options], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300, check=False)
        self.assertEqual(done.returncode, status, (done.stderr, done.stdout[-2000:]))
        return done.stdout, done.stderr

    def test_snapshot(self):
        """A restored machine goes on as the first one does: same console, same count, and the same bytes later on."""
        disk = ["--drive", self.raw_image("raw") + ",private"]
        start, later, again = self.path("start"), self.path("later"), self.path("again")
        init = ["hot:/dev/vda", "ready", "busy", "raw:/dev/vda"]
        self.emulate(*disk, "--snapshot", start, "--snapshot-at", "init: ready", "--exit-on", "snapshot", init=init)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        _, figures = self.restore(start, *disk, "--max-instructions", "1", status=3)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.assertLess(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1 if EMULATOR.count("release") else 20)
        point = str(instructions(figures) + 20_000_000)
        tail, restored = self.restore(start, *disk, "--exit-on", "reboot", "--snapshot", again, "--snapshot-at", point)
        console = self.emulate(*disk, "--snapshot", later, "--snapshot-at", point, init=init)
        self.assertIn("init: raw:/dev/vda: read again: ok", tail)
        self.assertTrue(console.replace("\r", "").endswith(tail.replace("\r", "")), (tail, console[-2000:]))
        self.assertGreater(instructions(restored), int(point))
        self.assertEqual(self.read(later), self.read(again))

    def test_snapshot_that_does_not_fit(self):
        raw = self.raw_image("raw")
        snapshot, bad = self.path("snapshot"), self.path("bad")
        self.emulate("--drive", raw, "--snapshot", snapshot, "--snapshot-at", "1000000", "--exit-on", "snapshot")
        data = self.read(snapshot)

        def refuses(*words, path=snapshot, options=("--drive", raw)):
            _, text = self.restore(path, *options, status=1)
            for word in words:
                self.assertIn(word, text)

        refuses("another machine", "dcache=vivt,8KiB,2-way", options=["--drive", raw, "--dcache", "8,2"])
        refuses("another machine", "drives=0", options=[])
        with open(bad, "wb") as file:
            file.write(data[:-1])
        refuses("bad", "truncated or damaged", path=bad)
        with open(bad, "wb") as file:
            file.write(data[:20] + b"\xff" + data[21:])
        refuses("a snapshot of version 255", path=bad)
        refuses("no snapshot", path=raw)
        refuses("No such file", path=self.path("missing"))
        with open(raw, "r+b") as file:
            file.write(b"other")
        refuses("file of the disk")

    def start(self, *argv):
        program = subprocess.Popen([EMULATOR, *argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        self.addCleanup(program.communicate, timeout=60)
        self.addCleanup(program.kill)
        return program

    def test_typed_input_repeats(self):
        """What was typed in one run comes in another at the same instructions: the same console and the same count."""
        typed = self.path("typed")
        argv = self.command("--record", typed, "--stats", init=["type", "busy"])
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
            console = ""
            for line in program.stdout:
                console += line
                if line == "init: type\n":
                    program.stdin.write("hello\n")
                    program.stdin.flush()
            figures = program.stderr.read()
        self.assertIn("init: typed hello", console)
        argv[argv.index("--record")] = "--replay"
        again = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300,
                               check=False)
        self.assertEqual(again.stdout, console)
        self.assertEqual(again.stderr.splitlines()[-2:], figures.splitlines()[-2:])  # caches: hits, misses and all
        self.assertEqual(again.stderr.split(" instructions")[0], figures.split(" instructions")[0])

    def test_network_by_dma_and_restore(self):
        """What goes to the board comes back over a virtio card, on a board that was saved before anybody connected."""
        snapshot = self.path("snapshot")
        card = ["--nic", "virtio"]
        self.emulate(*card, "--snapshot", snapshot, "--snapshot-at", "init: echo:7: listens", "--exit-on", "snapshot",
                     init=["echo:7"], kernel="ip=10.0.2.15::10.0.2.2:255.255.255.0::eth0:off")
        port = farm.free_port()
        program = self.start("--restore", snapshot, *card, "--forward", f"{port}:7", "--exit-on", "reboot")
        data = os.urandom(300_000)
        back = b""
        with farm.wait_for("the forwarded port", lambda: connect(port)) as client:
            client.settimeout(60)
            for start in range(0, len(data), 30_000):
                client.sendall(data[start:start + 30_000])
                while len(back) < min(start + 30_000, len(data)):
                    more = client.recv(65536)
                    self.assertTrue(more, program.poll())
                    back += more
        self.assertEqual(back, data)
        self.assertIn("init: echo:7: ended", program.communicate(timeout=60)[0])

    def test_client_that_leaves(self):
        """A client that closes before the answer comes takes the board neither down nor off the network."""
        port, other = farm.free_port(), farm.free_port()
        argv = self.command("--forward", f"{port}:7", "--forward", f"{other}:8", init=["echo:7", "echo:8"],
                            kernel="ip=10.0.2.15::10.0.2.2:255.255.255.0::eth0:off")
        program = self.start(*argv[1:])
        for line in program.stdout:
            if "echo:7: listens" in line:
                break
        with farm.wait_for("the forwarded port", lambda: connect(port)) as client:
            client.sendall(bytes(20_000))
        for line in program.stdout:
            if "echo:8: listens" in line:
                break
        self.assertIsNone(program.poll())
        with farm.wait_for("the other port", lambda: connect(other)) as client:
            client.sendall(b"still there")
            self.assertEqual(client.recv(100), b"still there")
        self.assertIn("init: echo:8: ended", program.communicate(timeout=60)[0])
        self.assertEqual(program.returncode, 0)

    def test_monitor(self):
        port, path = farm.free_port(), self.path("monitor")
        argv = self.command("--console", f"tcp:{port}", "--monitor", "unix:" + path, "--exit-on", "power-off", init=["wait"])
        program = self.start(*argv[1:])
        line = farm.wait_for("the console", lambda: connect(port))
        self.addCleanup(line.close)
        console = line.makefile("rb")
        self.addCleanup(console.close)

        def until(text):
            """Read the console up to a line with this text."""
            for line in console:
                if text in line:
                    return
            self.fail(f"the console ended without {text}: {program.communicate(timeout=60)}")

        until(b"init: wait")
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        client.settimeout(60)
        client.connect(path)
        answers = client.makefile("r")
        self.addCleanup(answers.close)

        def say(line):
            """The lines of the answer."""
            client.sendall(line.encode() + b"\n")
            lines = []
            for answer in answers:
                lines.append(answer.rstrip("\n"))
                if lines[-1] == "ok" or lines[-1].startswith("error: "):
                    return lines
            self.fail(f"{line}: no answer")

        def count():
            return json.loads(say("stats")[0])["instructions"]

        self.assertIn("cache d|i [ADDRESS [LAST]]", say("help"))
        self.assertEqual(say("hang"), ["ok"])
        first = count()
        self.assertGreater(first, 100_000_000)
        self.assertEqual(count(), first)

        def dirty_line():
            """A line that memory does not have yet, on a board that stands still somewhere else each time."""
            say("resume")
            say("hang")
            found = [json.loads(line) for line in say("cache d")[:-1]]
            return [line for line in found if any(line["dirty"]) and line["differs"]]

        lines = farm.wait_for("a dirty line", dirty_line)
        one = lines[0]
        self.assertIn(one, [json.loads(line) for line in say(f"cache d {one['pa']}")[:-1]])
        self.assertIn(one, [json.loads(line) for line in say(f"cache d {one['va']} {one['va']}")[:-1]])
        self.assertEqual(say("resume"), ["ok"])
        farm.wait_for("the board to go on", lambda: count() > first)
        for line, words in (("lunch", "lunch: no such command"), ("cache x", "d or i"), ("cache d 9 8", "two in order"),
                            ("power maybe", "on or off"), ("snapshot", "file name"), ("x" * 3000, "too long"),
                            ("snapshot /nowhere/there", "/nowhere/there")):
            answer = say(line)
            self.assertEqual(len(answer), 1, answer)
            self.assertIn(words, answer[0])
        self.assertEqual(say("snapshot " + self.path("saved")), ["ok"])
        self.assertGreater(os.path.getsize(self.path("saved")), MIB)
        self.assertEqual(say("reset"), ["ok"])
        until(b"Booting Linux")
        self.assertEqual(say("power off"), ["ok"])
        self.assertEqual(say("stats"), ["error: stats: the board is off"])
        self.assertEqual(say("power on"), ["ok"])
        until(b"Booting Linux")
        self.assertEqual(say("quit"), ["ok"])
        self.assertEqual(program.wait(60), 0)

    def test_bad_places(self):
        """What a socket or a disk cannot be is said, by its name."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            for options, words in ((["--console", f"tcp:{port}"], f"port {port} of 127.0.0.1: Address already in use"),
                                   (["--monitor", f"tcp:{port}"], f"port {port} of 127.0.0.1: Address already in use"),
                                   (["--monitor", "tcp:99999"], "tcp:99999"), (["--console", "unix:" + "x" * 200], "1 to 107"),
                                   (["--monitor", "/nowhere/there"], "/nowhere/there: No such file"),
                                   (["--drive", "/nowhere/disk,ro"], "/nowhere/disk: No such file"),
                                   (["--drive", "/dev/null"], "/dev/null: not a plain file"), (["--sdcard", self.initramfs], "multiple of 524288"),
                                   (["--replay", self.initramfs], "no recorded byte")):
                done = subprocess.run(self.command(*options), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, text=True, timeout=60, check=False)
                self.assertEqual(done.returncode, 1, options)
                self.assertIn(words, done.stderr)
        for options in (["--nic", "rtl"], ["--replay", "a", "--nic", "virtio"], ["--drive", ",ro"], ["--snapshot", "x"], ["--snapshot-at", "5"],
                        ["--drive", "a", "--drive", "a", "--drive", "a", "--drive", "a"]):
            done = subprocess.run(self.command(*options), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True, timeout=60, check=False)
            self.assertEqual(done.returncode, 64, options)
            self.assertIn(options[0], done.stderr)

    def test_looping_and_halted_kernels(self):
        """A kernel that never does anything again ends within a time limit, with where it was."""
        def run(words, *options):
            kernel = self.path("kernel")
            with open(kernel, "wb") as file:
                file.write(b"".join(word.to_bytes(4, "little") for word in words))
            done = subprocess.run([EMULATOR, "--kernel", kernel, "--dtb", os.path.join(self.kernel, "board.dtb"), *options],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60,
                                  check=False)
            return done.returncode, done.stderr

        nop = 0xe1a00000
        loop = [nop] * 15 + [0xeaffffef]
        self.assertRegex(str(run(loop, "--max-seconds", "1")), r"3, .*time limit reached after \d+ instructions, at pc 0x000080")
        self.assertRegex(str(run(loop, "--max-instructions", "1000")), r"3, .*instruction limit reached after 1000 instructions")
        halt = [nop] * 15 + [0xeafffffe]
        self.assertRegex(str(run(halt)), r"0, .*the core has halted after 16 instructions, at pc 0x0000803c")
        self.assertEqual(run(halt, "--exit-on", "reboot", "--monitor", self.path("monitor"), "--max-seconds", "1")[0], 3)


def instructions(figures):
    """The count of --stats."""
    return int(re.search(r"^(\d+) instructions in ", figures, re.MULTILINE).group(1))


def connect(port):
    """A connection that blocks, with a deadline for each read; None while nobody listens."""
    try:
        return socket.create_connection(("127.0.0.1", port), timeout=60)
    except ConnectionRefusedError:
        return None


if __name__ == "__main__":
    unittest.main()
