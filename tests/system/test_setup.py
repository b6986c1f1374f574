"""The set-up scripts and qemu-board: what they refuse and how they say it, and that nothing happens then. Nothing is
installed or compiled here; the QEMU machines that start have no kernel worth the name."""

import gzip
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import unittest

import farm

QEMU_BOARD = os.path.join(farm.TOP, "configs/boards/qemu-board")
QEMU_BOARD_FILE = os.path.join(farm.TOP, "configs/boards/qemu-board-file")
LIST = os.path.join(farm.TOP, "setup/packages.list")
TREE = "/dts-v1/; / { #address-cells = <1>; #size-cells = <1>; };"


def run(*argv, **environment):
    return subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, cwd=farm.TOP,
                          env=dict(os.environ, **environment))


class Case(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.mkdtemp(prefix="cohort-setup-")
        self.addCleanup(shutil.rmtree, self.top)

    def path(self, *names):
        return os.path.join(self.top, *names)

    def file(self, name, data):
        with open(self.path(name), "wb") as file:
            file.write(data)
        return self.path(name)

    def refused(self, done, *says, status=1):
        self.assertEqual(done.returncode, status, done)
        self.assertEqual(done.stdout, "")
        for text in says:
            self.assertIn(text, done.stderr)
        self.assertNotIn("Traceback", done.stderr)


class QemuBoard(Case):
    def setUp(self):
        super().setUp()
        self.board = self.init("vivt")
        self.files = {"COHORT_KERNEL": self.file("kernel", bytes(4096)), "COHORT_INITRAMFS": self.file("initramfs", b"")}
        with open(self.path("dtb"), "wb") as file:
            subprocess.run(["dtc", "-q", "-O", "dtb"], input=TREE.encode(), stdout=file, check=True)
        self.files["COHORT_DTB"] = self.path("dtb")

    def init(self, machine, port=None):
        board = self.path(machine)
        done = run(QEMU_BOARD, "init", board, machine, str(port or farm.free_port()))
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        self.addCleanup(run, QEMU_BOARD, "off", board)
        return board

    def say(self, verb, status=0, **environment):
        done = run(QEMU_BOARD, verb, self.board, **environment)
        self.assertEqual((done.returncode, done.stderr), (status, ""))
        return done.stdout.strip()

    def pid(self):
        with open(os.path.join(self.board, "qemu.pid"), encoding="ascii") as file:
            return int(file.read())

    def test_arguments(self):
        for words in ((), ("boot",), ("boot", self.board, "more"), ("init", self.board, "vivt"), ("explode", self.board)):
            self.refused(run(QEMU_BOARD, *words), "qemu-board VERB BOARDDIR", status=2)
        self.refused(run(QEMU_BOARD, "init", self.path("x"), "vax", "2222"), "no such machine: vax")
        for port in ("0", "65536", "099", "ssh", "-1", ""):
            self.refused(run(QEMU_BOARD, "init", self.path("x"), "vivt", port), f"not a port: {port}")
        for verb in ("boot", "on", "off", "cycle", "status"):
            self.refused(run(QEMU_BOARD, verb, self.path("nowhere")), f"no such board directory: {self.path('nowhere')}")
            self.refused(run(QEMU_BOARD, verb, self.top), f"{self.top} is no board")
        long = self.path("a" * 91)
        self.refused(run(QEMU_BOARD, "init", long, "vivt", "2222"), long, "too long")

    def test_init_again_keeps_the_keys(self):
        self.assertEqual(stat.S_IMODE(os.stat(self.board).st_mode), 0o700)
        names = ("id_ed25519", "id_ed25519.pub", "host_key", "host_key.pub")

        def keys():
            return [pathlib.Path(self.board, name).read_bytes() for name in names]
        before = keys()
        self.assertTrue(before[3].startswith(b"ssh-ed25519 "))
        for name in ("id_ed25519", "host_key"):
            self.assertEqual(stat.S_IMODE(os.stat(os.path.join(self.board, name)).st_mode), 0o600)
        self.init("vivt", 2233)
        self.assertEqual(keys(), before)

    def test_environment_of_boot(self):
        def boot(board=self.board, without=(), **changed):
            files = {name: path for name, path in {**self.files, **changed}.items() if name not in without}
            return run(QEMU_BOARD, "boot", board, **files)
        for name in self.files:
            self.refused(boot(without=(name,)), f"{name} is not set")
            self.refused(boot(**{name: ""}), f"{name} is not set")
            self.refused(boot(**{name: "/nonexistent"}), f"{name}: cannot read /nonexistent")
        self.refused(boot(COHORT_DTB=self.files["COHORT_KERNEL"]), "COHORT_DTB", "is no device tree")
        self.refused(boot(self.init("armv7")), "COHORT_DTB is set, but the emulator makes the device tree of armv7")
        # Nothing of it was kept: there is still nothing to switch on.
        self.refused(run(QEMU_BOARD, "on", self.board), "nothing was booted on vivt yet")
        self.refused(run(QEMU_BOARD, "cycle", self.board), "nothing was booted on vivt yet")
        self.assertEqual(self.say("status", 3), "off")

    def test_initramfs_is_unpacked_once(self):
        """What is gzip is unpacked here, what is not stays; the board's own archive begins at a word behind either."""
        for content in (b"abcde", gzip.compress(b"abcde"), gzip.compress(b"ab") + gzip.compress(b"cde")):
            self.say("boot", **{**self.files, "COHORT_INITRAMFS": self.file("initramfs", content)})
            with open(os.path.join(self.board, "boot/initramfs"), "rb") as file:
                self.assertTrue(file.read().startswith(b"abcde\0\0\0" + b"070701"))
        mixed = gzip.compress(b"abcde") + b"more"
        self.say("boot", **{**self.files, "COHORT_INITRAMFS": self.file("initramfs", mixed)})
        with open(os.path.join(self.board, "boot/initramfs"), "rb") as file:
            self.assertTrue(file.read().startswith(mixed))

    def test_power(self):
        self.say("off")
        self.say("boot", **self.files)
        first = self.pid()
        self.assertEqual(self.say("status"), "on")
        self.say("on")
        self.say("cycle")
        self.assertEqual(self.pid(), first)
        # A boot that is refused leaves the running board alone.
        self.refused(run(QEMU_BOARD, "boot", self.board), "COHORT_KERNEL is not set")
        self.assertEqual(self.say("status"), "on")
        self.say("boot", **self.files)
        self.assertNotEqual(self.pid(), first)
        for _ in range(2):
            self.say("off")
            self.assertEqual(self.say("status", 3), "off")
        self.say("on")
        self.assertEqual(self.say("status"), "on")
        os.kill(self.pid(), signal.SIGKILL)
        farm.wait_for("status off", lambda: run(QEMU_BOARD, "status", self.board).returncode == 3, 30)
        self.say("cycle")
        self.assertEqual(self.say("status"), "on")
        self.say("off")

    def test_frozen_machine(self):
        """A QEMU that takes neither monitor commands nor SIGTERM is ended all the same."""
        self.say("boot", **self.files)
        first = self.pid()
        os.kill(first, signal.SIGSTOP)
        self.say("off")
        self.assertEqual(self.say("status", 3), "off")

    def test_pidfile_of_something_else(self):
        other = subprocess.Popen(["sleep", "1000"])
        self.addCleanup(farm.end_process, other)
        for text in (str(other.pid), f"{other.pid}\n", "1", "0", "-1", "four", "", "99999999999999999999"):
            with open(os.path.join(self.board, "qemu.pid"), "w", encoding="ascii") as file:
                file.write(text)
            self.assertEqual(self.say("status", 3), "off")
            self.say("off")
        self.assertIsNone(other.poll())

    def test_port_in_use(self):
        with socket.create_server(("127.0.0.1", 0)) as holder:
            port = holder.getsockname()[1]
            self.init("vivt", port)
            self.refused(run(QEMU_BOARD, "boot", self.board, **self.files), f"port {port} of 127.0.0.1 is in use")
            self.assertEqual(self.say("status", 3), "off")
        self.say("on")
        self.say("off")

    def test_board_file(self):
        boards = self.path("boards.d")
        os.mkdir(boards)
        for machine, cache in (("vivt", "vivt"), ("vipt-aliasing", "vipt-aliasing"), ("armv7", "vipt-nonaliasing")):
            done = run(QEMU_BOARD_FILE, QEMU_BOARD, self.init(machine))
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertEqual(json.loads(done.stdout)["cache"], cache)
            self.file(f"boards.d/qemu-{machine}.json", done.stdout.encode())
        done = run(farm.COHORTD, "--state", self.path("state"), "--suites", os.path.join(farm.TOP, "jobs/suites"),
                   "--boards", boards, "--check-config")
        self.assertEqual((done.returncode, done.stdout), (0, "the configuration is good\n"), done.stderr)
        self.refused(run(QEMU_BOARD_FILE), "usage: qemu-board-file QEMU-BOARD BOARDDIR", status=2)
        self.refused(run(QEMU_BOARD_FILE, QEMU_BOARD, self.top), f"{self.top} is no board")


class Setup(Case):
    def script(self, name, *words):
        """A set-up script with an empty cache, which must stay one."""
        cache = self.path("cache")
        done = run(os.path.join(farm.TOP, "setup", name), *words, XDG_CACHE_HOME=cache)
        made = [name for _, _, files in os.walk(cache) for name in files if not name.startswith(".lock")]
        self.assertEqual(made, [])
        return done

    def test_usage(self):
        for name, words in (("install", ["now"]), ("kernel", []), ("kernel", ["v5"]), ("kernel", ["v5", "stock", "x"]),
                            ("initramfs", ["a", "b"]), ("builds", ["all"]), ("sysroot", ["armel"]), ("build-id", [])):
            self.refused(self.script(name, *words), f"usage: {'' if name == 'build-id' else 'setup/'}{name}")

    def test_what_is_not_there(self):
        self.refused(self.script("kernel", "v9", "stock"), "no such class: v9")
        self.refused(self.script("kernel", "v5", "m99"), "no such variant: m99")
        self.refused(self.script("kernel", "armmp", "m2-anon-flush"), "armmp", "no variant m2-anon-flush")
        self.refused(self.script("initramfs", "/nonexistent"), "no such directory: /nonexistent")
        self.refused(self.script("build-id", "/nonexistent"), "/nonexistent")
        self.refused(self.script("build-id", self.file("image", b"no kernel")), "no single GNU build-id")

    def test_print_makes_nothing(self):
        self.refused(self.script("sysroot", "--print"), "not made yet: run setup/sysroot")
        self.refused(self.script("builds", "--print"), "is not made yet: run setup/all")

    def test_demo_options(self):
        self.refused(run("./demo", "--twice"), "./demo [--once] [--full] [--port N] [--state DIR]", status=2)
        self.refused(run("./demo", "--port"), "--port needs a number")
        self.refused(run("./demo", "--state"), "--state needs a directory")
        for port in ("http", "0", "65536"):
            self.refused(run("./demo", "--port", port, "--state", self.path("state")), f"not a port: {port}")
        self.assertFalse(os.path.exists(self.path("state")))


class Packages(Case):
    """setup/install on a machine that has what the test says, and no sudo: it names what is missing and stops."""

    def lines(self):
        with open(LIST, encoding="utf-8") as file:
            return [line.rstrip("\n") for line in file if line.strip() and not line.startswith("#")]

    def names(self):
        return [line.split()[0] for line in self.lines()]

    def machine(self, installed, commands=()):
        """A PATH with the usual commands, but our own dpkg-query and id, and none of what packages stand in for."""
        bin_dir = tempfile.mkdtemp(dir=self.top)
        hidden = {word[4:] for line in self.lines() for word in line.split() if word.startswith("cmd=")}
        for command in ("bash", "sh", "sed", "grep", "cat", "env", "tail", "dirname", "apt-get"):
            os.symlink(shutil.which(command), os.path.join(bin_dir, command))
        for command in commands:
            self.assertIn(command, hidden)
            os.symlink(shutil.which("true"), os.path.join(bin_dir, command))
        listing = "".join(f"{status} {name}\n" for name, status in installed.items())
        for name, text in (("dpkg-query", f"cat <<'EOF'\n{listing}EOF"), ("id", "echo 1000")):
            with open(os.path.join(bin_dir, name), "w", encoding="ascii") as file:
                file.write(f"#!/bin/sh\n{text}\n")
            os.chmod(os.path.join(bin_dir, name), 0o755)
        return run(os.path.join(farm.TOP, "setup/install"), PATH=bin_dir, XDG_CACHE_HOME=self.path("cache"))

    def missing(self, done):
        self.refused(done, "needs root or sudo to install: ")
        return done.stderr.split("needs root or sudo to install: ")[1].split()

    def test_each_line_is_a_package_and_a_reason(self):
        for line in self.lines():
            self.assertRegex(line, re.compile(r"[a-z0-9][a-z0-9.+-]+ +# \S.*"))
        self.assertEqual(len(self.names()), len(set(self.names())))

    def test_nothing_missing(self):
        done = self.machine({name: "ii " for name in self.names()})
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_missing_ones_are_named(self):
        self.assertEqual(self.missing(self.machine({"base-files": "ii "})), self.names())
        # Removed with its configuration kept, unpacked only and unknown are not installed; on hold is.
        state = {name: "ii " for name in self.names()}
        state.update({"gcc": "rc ", "ninja-build": "iU ", "patch": "hi ", "git": "un "})
        self.assertEqual(self.missing(self.machine(state)), ["gcc", "ninja-build", "git"])

    def test_a_command_from_elsewhere_counts(self):
        state = {name: "ii " for name in self.names() if name not in ("chromium", "nodejs", "npm")}
        self.assertEqual(self.missing(self.machine(state)), ["nodejs", "npm", "chromium"])
        self.assertEqual(self.missing(self.machine(state, ["node", "chromium"])), ["npm"])


if __name__ == "__main__":
    unittest.main()
