"""What whole-farm tests share: a loopback sshd as a board, cohortd, its API, and waiting for conditions.

Nothing here sleeps for a time: wait_for() looks until a deadline. Everything lives in one temporary directory and on
loopback, and ends with the object that started it."""

import concurrent.futures
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

BUILD = os.path.abspath(os.environ.get("COHORT_BUILD", "build/dev"))
TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
COHORTD = os.path.join(BUILD, "server/daemon/cohortd")
COHORT_BOARD = os.path.join(BUILD, "server/board/cohort-board")
COHORT = os.path.join(BUILD, "cli/cohort")
AGENTS = os.path.join(TOP, "build/agents")
DEADLINE_S = 120


def wait_for(what, condition, deadline_s=DEADLINE_S):
    """condition() until it is true; its value. Looks again every few milliseconds, never after the deadline."""
    until = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > until:
            raise AssertionError(f"{what}: not within {deadline_s} s")
        time.sleep(0.005)


def main_together(at_once):
    """unittest.main() for tests that mostly wait: each in a process of its own, so many at once. With names of tests in
    the command line, those, one after the other."""
    if any(not word.startswith("-") for word in sys.argv[1:]):
        unittest.main()
    names, program, waiting = [], os.path.abspath(sys.argv[0]), [unittest.defaultTestLoader.loadTestsFromName("__main__")]
    for suite in waiting:
        for part in suite:
            if isinstance(part, unittest.TestSuite):
                waiting.append(part)
            else:
                names.append(part.id().removeprefix("__main__."))

    def run(name):
        return name, subprocess.run([sys.executable, "-B", program, name], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, text=True, errors="replace", check=False)

    failed = []
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        for name, done in pool.map(run, names):
            print(f"{name} ... {'ok' if done.returncode == 0 else 'FAILED'}", flush=True)
            if done.returncode != 0:
                failed.append(name)
                print(done.stdout, flush=True)
    print(f"{len(names)} tests, {len(failed)} failed {' '.join(failed)}")
    sys.exit(1 if failed or not names else 0)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def end_process(process, sig=signal.SIGTERM, deadline_s=30):
    if process is None or process.poll() is not None:
        return
    process.send_signal(sig)
    try:
        process.wait(deadline_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)


def children_of(pid):
    """PIDs of the direct children of pid."""
    found = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
                found += [int(word) for word in file.read().split()]
        except FileNotFoundError:
            pass
    return found


def command_of(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return []


class Sshd:
    """An sshd of our own with fresh keys, whose account has no shell start-up of ours in the way. within: a command that
    starts it, and so has a word in what the board is."""

    def __init__(self, directory, sftp="internal-sftp", within=()):
        self.directory = directory
        self.within = within
        os.makedirs(directory, exist_ok=True)
        os.makedirs("/run/sshd", exist_ok=True)
        for name in ("host", "client"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.path(name)], check=True)
        shutil.copy(self.path("client.pub"), self.path("authorized"))
        self.port = free_port()
        self.process = None
        with open(self.path("config"), "w", encoding="ascii") as file:
            file.write(f"""ListenAddress 127.0.0.1:{self.port}
HostKey {self.path("host")}
AuthorizedKeysFile {self.path("authorized")}
PermitRootLogin prohibit-password
PasswordAuthentication no
StrictModes no
UsePAM no
PidFile none
PermitUserRC no
SetEnv SHLVL=1
MaxStartups 100:30:200
Subsystem sftp {sftp}
""")
        self.start()

    def path(self, name):
        return os.path.join(self.directory, name)

    def host_key(self):
        with open(self.path("host.pub"), encoding="ascii") as file:
            return " ".join(file.read().split()[:2])

    def start(self):
        program = shutil.which("sshd") or "/usr/sbin/sshd"
        with open(self.path("log"), "ab") as log:
            self.process = subprocess.Popen([*self.within, program, "-D", "-e", "-f", self.path("config")],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for("sshd's banner", self.answers)

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as peer:
                return peer.recv(4) == b"SSH-"
        except OSError:
            return False

    def stop(self):
        end_process(self.process)


def board_document(name, sshd, root, port=None, **fields):
    """A board file for a board on sshd, with fields on top."""
    document = {
        "name": name, "kind": "host", "cache": "none", "arch": "x86-64", "root": root,
        "ssh": {"host": "127.0.0.1", "port": port or sshd.port, "user": "root", "key": sshd.path("client"),
                "host_key": sshd.host_key()},
        "boot": {"method": "none"},
    }
    document.update(fields)
    return document


class Api:
    """The HTTP API as a test uses it: one call, one (status, document)."""

    def __init__(self, port, token):
        self.port, self.token = port, token
        self.location = None # of the last reply

    def call(self, method, path, body=None, headers=None):
        send = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            send["Content-Type"] = "application/json"
        send.update(headers or {})
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, send)
            reply = connection.getresponse()
            data = reply.read()
            self.location = reply.headers.get("Location")
            kind = reply.headers.get("Content-Type", "")
            return reply.status, json.loads(data) if "json" in kind and "ndjson" not in kind else data
        finally:
            connection.close()

    def get(self, path):
        status, document = self.call("GET", path)
        assert status == 200, (path, status, document)
        return document

    def post(self, path, body, status=201, headers=None):
        got, document = self.call("POST", path, body, headers)
        assert got == status, (path, got, document)
        return document

    def all_results(self, query):
        """Every result of a query, as the NDJSON stream gives them."""
        status, data = self.call("GET", f"/api/v1/results?{query}", headers={"Accept": "application/x-ndjson"})
        assert status == 200, data
        return [json.loads(line) for line in data.splitlines()]


class Farm:
    """cohortd in a temporary directory with its board files; start(), kill and start() again."""

    def __init__(self, directory=None, suites=None, agents=AGENTS):
        self.directory = directory or tempfile.mkdtemp(prefix="cohort-farm-")
        self.suites = suites or os.path.join(BUILD, "suites")
        self.agents = agents
        self.state = os.path.join(self.directory, "state")
        self.boards = os.path.join(self.directory, "boards.d")
        self.log = os.path.join(self.directory, "cohortd.log")
        os.makedirs(self.boards, exist_ok=True)
        self.process = None
        self.api = None
        self.options = []
        self.environment = {"COHORT_NO_KMSG": "1"}
        self.programs = (COHORTD, COHORT_BOARD)

    def add_board(self, document):
        with open(os.path.join(self.boards, document["name"] + ".json"), "w", encoding="utf-8") as file:
            json.dump(document, file)

    def start(self):
        environment = dict(os.environ, **self.environment)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [self.programs[0], "--listen", "127.0.0.1:0", "--state", self.state, "--boards", self.boards, "--suites", self.suites,
                 "--agents", self.agents, "--board-program", self.programs[1], "--web", os.path.join(TOP, "web"), *self.options],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, env=environment)
        line = self.process.stdout.readline().decode()
        if not line.startswith("listening on"):
            raise AssertionError(f"cohortd did not start: {self.tail()}")
        with open(os.path.join(self.state, "admin.token"), encoding="ascii") as file:
            self.api = Api(int(line.rsplit(":", 1)[1]), file.read().strip())
        return self.api

    def tail(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()[-4000:]

    def kill(self):
        """As if the power of the server went: nothing is said to anyone."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def stop(self):
        end_process(self.process)
        if self.process:
            self.process.stdout.close()

    def board_processes(self):
        return [pid for pid in children_of(self.process.pid) if command_of(pid)[:1] and b"cohort-board" in command_of(pid)[0]]

    def wait_job(self, job, deadline_s=DEADLINE_S):
        def ended():
            document = self.api.get(f"/api/v1/jobs/{job}")
            return document if document["state"] in ("done", "cancelled") else None
        return wait_for(f"job {job} done", ended, deadline_s)

    def remove(self):
        shutil.rmtree(self.directory, ignore_errors=True)
