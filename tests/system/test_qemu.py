"""cohort-board with real kernels: a QEMU board that it boots itself, reaches over SSH, and that really crashes.

The kernels and the initramfs are those of setup/; the first call may take minutes, later ones find them in the cache."""

import json
import os
import signal
import subprocess
import tempfile
import unittest

import farm
import test_board
from test_board import Board, of, read, wire_file

QEMU_BOARD = os.path.join(farm.TOP, "configs/boards/qemu-board")
AGENT = os.path.join(farm.AGENTS, "cohort-agent-armel")
CLASSES = {"vivt": ("v5", "vivt"), "vipt-aliasing": ("v6", "vipt-aliasing"), "armv7": ("armmp", "pipt")}


def output(*argv):
    return subprocess.run(argv, stdout=subprocess.PIPE, check=True).stdout.decode().strip()


def build_of(kernel_class, variant="stock"):
    """The build part of a request, from what setup/ makes."""
    kernel = output(os.path.join(farm.TOP, "setup/kernel"), kernel_class, variant)
    modules = [os.path.join(kernel, "modules")] if kernel_class == "armmp" else []
    initramfs = output(os.path.join(farm.TOP, "setup/initramfs"), *modules)
    files = {"kernel": wire_file(os.path.join(kernel, "zImage")), "initramfs": wire_file(initramfs)}
    if kernel_class in ("v5", "v6"):
        files["dtb"] = wire_file(os.path.join(kernel, "board.dtb"))
    return {"id": 1, "name": f"{kernel_class}-{variant}", "cmdline": "", "files": files,
            "release": read(kernel, "release").strip(), "build_id": read(kernel, "build-id").strip()}


class Machines(unittest.TestCase):
    """Virtual boards with a cohort-board each."""

    def setUp(self):
        self.runs = 0
        self.top = tempfile.TemporaryDirectory(prefix="cohort-qemu-")
        self.addCleanup(self.top.cleanup)

    def board(self, machine):
        # A socket's path is short, so the board's directory is, too.
        directory = os.path.join(self.top.name, machine)
        output(QEMU_BOARD, "init", directory, machine, str(farm.free_port()))
        command = {verb: [QEMU_BOARD, verb, directory] for verb in ("on", "off", "cycle", "status")}
        document = {
            "name": machine, "kind": "qemu", "cache": CLASSES[machine][1], "arch": "armel", "memory_mib": 32,
            "ssh": {"host": "127.0.0.1", "port": int(read(directory, "port")), "key": "id_ed25519", "host_key_file": "host_key.pub"},
            "boot": {"method": "command", "command": [QEMU_BOARD, "boot", directory], "time_limit_s": 180},
            "power": dict(command, off_at_quit=True),
            "console": {"unix": "console.sock"},
        }
        board = Board(directory, document)
        board.start()
        self.addCleanup(output, QEMU_BOARD, "off", directory)
        self.addCleanup(board.stop)
        return board

    def request(self, build, *argvs, **limits):
        self.runs += 1
        return {"v": 1, "run": self.runs, "attempt": 1, "fence": self.runs, "board": "x", "cache": "vivt", "build": build,
                "suite": {"name": "s", "files": []}, "agent": wire_file(AGENT),
                "tests": [{"id": i, "name": f"t{i}", "rep": 1, "argv": list(argv), "time_limit_s": 60}
                          for i, argv in enumerate(argvs)],
                "limits": dict({"boot_s": 180, "run_s": 600}, **limits)}

    def verdicts(self, events):
        return [(event["verdict"], event["reason"]) for event in of(events, "test-finished")]


class Qemu(Machines):
    def boots_and_proves(self, machine):
        board = self.board(machine)
        build = build_of(CLASSES[machine][0])
        directory = board.run(self.request(build, ["sh", "-c", "uname -r; cat /proc/cmdline"], ["false"]))
        events = board.wait_ended(directory, 300)
        self.assertEqual(events[-1]["outcome"], "complete", events[-1])
        self.assertEqual(self.verdicts(events), [("pass", None), ("fail", None)])
        self.assertEqual([event["stage"] for event in of(events, "stage")],
                         ["boot", "provision", "prove", "test", "collect"])
        proved = of(events, "proved")[0]
        self.assertEqual((proved["release"], proved["build_id"]), (build["release"], build["build_id"]))
        self.assertEqual(proved["cache"], machine)
        self.assertIn(f"out | {build['release']}", read(directory, "run.log"))
        self.assertIn("Linux version", read(directory, "console.log"))
        return board

    def test_vivt(self):
        """The machines of the other classes: test_qemu_coherence.py."""
        board = self.boots_and_proves("vivt")
        # The machine runs on, and is switched off when cohort-board is told to quit.
        output(QEMU_BOARD, "status", board.directory)
        board.say(op="quit")
        self.assertEqual(board.process.wait(60), 0)
        self.assertEqual(subprocess.run([QEMU_BOARD, "status", board.directory], stdout=subprocess.DEVNULL,
                                        check=False).returncode, 3)

    def test_quiet_reboot(self):
        board = self.board("vivt")
        request = self.request(build_of("v5"), ["sh", "-c", "echo b >/proc/sysrq-trigger; sleep 60"], ["true"])
        events = board.wait_ended(board.run(request), 300)
        self.assertEqual(events[-1]["outcome"], "complete", events[-1])
        self.assertEqual(self.verdicts(events), [("fail", "kernel-crash"), ("pass", None)])
        self.assertEqual(of(events, "test-finished")[0]["detail"], "rebooted in this test")

    def test_power_lost(self):
        board = self.board("vivt")
        directory = board.run(self.request(build_of("v5"), ["sleep", "1000"]))
        farm.wait_for("the test", lambda: of(test_board.journal(directory), "test-started"), 300)
        os.kill(int(read(board.directory, "qemu.pid")), signal.SIGKILL)
        events = board.wait_ended(directory, 60)
        self.assertEqual((events[-1]["fault"]["code"], events[-1]["fault"]["stage"]), ("power-lost", "test"))

    def test_wrong_build(self):
        board = self.board("vivt")
        build = dict(build_of("v5"), release="6.1.192-cohort-other")
        events = board.wait_ended(board.run(self.request(build, ["true"])), 300)
        fault = events[-1]["fault"]
        self.assertEqual((fault["code"], fault["stage"]), ("wrong-release", "prove"))
        self.assertIn("6.1.192-cohort-other", fault["detail"])
        self.assertIn("6.1.192-cohort-v5", fault["detail"])

    def test_boot_command_fails(self):
        board = self.board("vivt")
        build = build_of("v5")
        build["files"]["kernel"]["path"] = "/nonexistent/zImage"
        fault = board.wait_ended(board.run(self.request(build, ["true"])), 60)[-1]["fault"]
        self.assertEqual((fault["code"], fault["stage"]), ("boot-command-failed", "boot"))

    def test_kernel_that_does_not_boot(self):
        board = self.board("vivt")
        build = build_of("v5")
        build["files"]["initramfs"]["path"] = "/dev/null"
        directory = board.run(self.request(build, ["true"], boot_s=20))
        fault = board.wait_ended(directory, 60)[-1]["fault"]
        self.assertEqual((fault["code"], fault["stage"]), ("boot-timeout", "boot"))
        self.assertIn("Kernel panic", read(directory, "console.log"))

    def test_killed_at_each_stage(self):
        """cohort-board is killed when each stage begins and started again: the run ends as if nothing had been."""
        board = self.board("vivt")
        request = self.request(build_of("v5"), ["true"], ["sleep", "2"], ["true"])
        directory = board.run(request)
        for stage in ("boot", "provision", "prove", "test"):
            farm.wait_for(stage, lambda: any(event["stage"] == stage for event in of(test_board.journal(directory), "stage")), 300)
            board.kill()
            board.start()
            board.run(request)
        events = board.wait_ended(directory, 300)
        self.assertEqual(events[-1]["outcome"], "complete", json.dumps(events[-1]))
        self.assertEqual(self.verdicts(events), [("pass", None)] * 3)


if __name__ == "__main__":
    unittest.main()
