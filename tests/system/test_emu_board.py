"""configs/boards/emu-board with a real kernel: reached by SSH, tested by cohort-board, and what it says to mistakes.

The kernel and the initramfs are those of setup/; the first call may take minutes, later ones find them in the cache."""

import json
import os
import socket
import subprocess
import tempfile
import time
import unittest

import farm
from test_board import Board, of, read
from test_qemu import AGENT, build_of, output, wire_file

EMU_BOARD = os.path.join(farm.TOP, "configs/boards/emu-board")
EMULATOR = os.path.join(farm.BUILD, "emulator/cohort-emu")
QEMU_BOARD_FILE = os.path.join(farm.TOP, "configs/boards/qemu-board-file")


def call(*argv, **environment):
    """Status and stderr of a program."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env=dict(os.environ, COHORT_EMU=EMULATOR, **environment), check=False, timeout=120)
    return done.returncode, done.stderr


class EmuBoard(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.TemporaryDirectory(prefix="cohort-emu-")
        self.addCleanup(self.top.cleanup)
        self.directory = os.path.join(self.top.name, "emu-vivt")
        self.port = farm.free_port()
        self.assertEqual(call(EMU_BOARD, "init", self.directory, "emu-vivt", str(self.port)), (0, ""))
        self.addCleanup(call, EMU_BOARD, "off", self.directory)

    def images(self):
        kernel = output(os.path.join(farm.TOP, "setup/kernel"), "v5", "stock")
        return {"COHORT_KERNEL": os.path.join(kernel, "zImage"), "COHORT_DTB": os.path.join(kernel, "board.dtb"),
                "COHORT_INITRAMFS": output(os.path.join(farm.TOP, "setup/initramfs"))}

    def status(self):
        return call(EMU_BOARD, "status", self.directory)[0]

    def test_farm_runs_on_it(self):
        document = json.loads(output("python3", QEMU_BOARD_FILE, EMU_BOARD, self.directory))
        self.assertEqual((document["name"], document["kind"], document["cache"]), ("emu-vivt", "emulated", "vivt"))
        board = Board(self.directory, document)
        board.start()
        self.addCleanup(board.stop)
        build = build_of("v5")
        tests = [["sh", "-c", "uname -r; grep -c . /proc/cmdline"], ["sh", "-c", "echo c >/proc/sysrq-trigger; sleep 60"], ["true"]]
        directory = board.run({
            "v": 1, "run": 1, "attempt": 1, "fence": 1, "board": "emu-vivt", "cache": "vivt", "build": build,
            "suite": {"name": "s", "files": []}, "agent": wire_file(AGENT), "limits": {"boot_s": 240, "run_s": 500},
            "tests": [{"id": i, "name": f"t{i}", "rep": 1, "argv": argv, "time_limit_s": 60} for i, argv in enumerate(tests)]})
        events = board.wait_ended(directory, 560)
        self.assertEqual(events[-1]["outcome"], "complete", events[-1])
        # What the farm would send came with the boot, and was looked at: nothing was sent.
        self.assertEqual([event["what"] for event in of(events, "progress") if event["stage"] == "provision"], [])
        # A kernel that crashes starts again by itself, with nothing left of before.
        self.assertEqual([event["verdict"] for event in of(events, "test-finished")], ["pass", "fail", "pass"])
        self.assertEqual({(proved["cache"], proved["build_id"]) for proved in of(events, "proved")}, {("vivt", build["build_id"])})
        self.assertEqual(len(of(events, "proved")), 2)
        self.assertIn(f"out | {build['release']}", read(directory, "run.log"))
        self.assertIn("Kernel panic", read(directory, "console.log"))
        self.assertEqual(self.status(), 0)
        board.say(op="quit")
        self.assertEqual(board.process.wait(60), 0, board.tail())
        self.assertEqual(self.status(), 3)

    def test_idle_board_takes_no_time(self):
        self.assertEqual(call(EMU_BOARD, "boot", self.directory, **self.images()), (0, ""))
        farm.wait_for("the boot", lambda: "init: emu-vivt runs" in read(self.directory, "emu-console.log"))
        pid = read(self.directory, "emu.pid").strip()
        samples = []

        def idle():
            """Whether the three seconds up to now cost less than half a second."""
            fields = read(f"/proc/{pid}", "stat").rsplit(")", 1)[1].split()
            samples.append((time.monotonic(), int(fields[11]) + int(fields[12])))
            before = [ticks for at, ticks in samples if at < samples[-1][0] - 3]
            return before and samples[-1][1] - before[-1] < 0.5 * os.sysconf("SC_CLK_TCK")

        farm.wait_for("an idle board", idle)

    def test_port_in_use(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", self.port))
            taken.listen()
            status, text = call(EMU_BOARD, "boot", self.directory, **self.images())
        self.assertEqual(status, 1)
        self.assertIn(f"port {self.port} of 127.0.0.1: Address already in use", text)
        self.assertEqual(self.status(), 3)

    def test_bad_files(self):
        images = self.images()
        bad = os.path.join(self.top.name, "bad")
        with open(bad, "w", encoding="ascii") as file:
            file.write("no kernel")
        for name, word in (("COHORT_KERNEL", "kernel"), ("COHORT_DTB", "is no device tree")):
            status, text = call(EMU_BOARD, "boot", self.directory, **dict(images, **{name: bad}))
            self.assertEqual(status, 1, name)
            self.assertIn(word, text)
        status, text = call(EMU_BOARD, "boot", self.directory, **dict(images, COHORT_KERNEL="/nowhere"))
        self.assertEqual((status, text), (1, "emu-board: COHORT_KERNEL: cannot read /nowhere\n"))
        self.assertEqual(self.status(), 3)


if __name__ == "__main__":
    unittest.main()
