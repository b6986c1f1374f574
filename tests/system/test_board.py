"""cohort-board as cohortd uses it: ops on stdin, the journal of the attempt directory as the truth.

The board is a loopback sshd with the real agent. What goes wrong is made to go wrong for real: a relay cuts the connection,
processes are killed, keys are wrong, the disk is full, the agent lies. COHORT_SEED replays a seed."""

import hashlib
import json
import os
import random
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time
import unittest

import farm
from relay import Relay

SEED = int(os.environ.get("COHORT_SEED", str(random.SystemRandom().randrange(1 << 31))))
ROUNDS = int(os.environ.get("COHORT_BOARD_ROUNDS", "50"))
AGENT = os.path.join(farm.AGENTS, "cohort-agent-x86-64")


class Board:
    """One cohort-board under test, with the attempts that it was given."""

    def __init__(self, directory, document):
        self.directory = directory
        self.file = os.path.join(directory, document["name"] + ".json")
        self.state = os.path.join(directory, "state")
        self.log = os.path.join(directory, "board.log")
        with open(self.file, "w", encoding="utf-8") as file:
            json.dump(document, file)
        self.process = None
        self.environment = dict(os.environ)

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([farm.COHORT_BOARD, "--board", self.file, "--state", self.state],
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=self.environment)
        self.hints = []
        threading.Thread(target=self.listen, args=(self.process, self.hints), daemon=True).start()

    @staticmethod
    def listen(process, hints):
        for line in process.stdout:
            hints.append(json.loads(line))
        process.stdout.close()

    def say(self, **op):
        self.process.stdin.write(json.dumps(op).encode() + b"\n")
        self.process.stdin.flush()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.stdin.close()
            status = self.process.wait(30)
            assert status == 0, (status, self.tail())

    def tail(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()[-6000:]

    def run(self, request):
        """Send the run op; the attempt's directory."""
        directory = os.path.join(self.state, "runs", str(request["run"]), str(request["attempt"]))
        os.makedirs(directory, exist_ok=True)
        with open(os.path.join(directory, "request.json"), "w", encoding="utf-8") as file:
            json.dump(request, file)
        self.say(op="run", run=request["run"], attempt=request["attempt"], fence=request["fence"], dir=directory)
        return directory

    def wait_ended(self, directory, deadline_s=farm.DEADLINE_S):
        def ended():
            assert self.process.poll() is None, f"cohort-board ended: {self.tail()}"
            # Not the whole of it each time: a suite's journal has megabytes.
            if '"ev":"ended"' not in last_bytes(directory, "journal.ndjson"):
                return None
            events = journal(directory)
            return events if events and events[-1]["ev"] == "ended" else None
        try:
            return farm.wait_for("the attempt's end", ended, deadline_s)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{journal(directory)[-3:]}\n{read(directory, 'run.log')[-3000:]}\n{self.tail()}") from None


def read(directory, name):
    try:
        with open(os.path.join(directory, name), encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def last_bytes(directory, name, count=4096):
    try:
        with open(os.path.join(directory, name), "rb") as file:
            file.seek(max(0, os.path.getsize(file.name) - count))
            return file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def journal(directory):
    """The whole lines of the journal."""
    text = read(directory, "journal.ndjson")
    return [json.loads(line) for line in text[:text.rfind("\n") + 1].splitlines()]


def wire_file(path, name=None):
    with open(path, "rb") as file:
        document = {"path": path, "sha256": hashlib.sha256(file.read()).hexdigest(), "size": os.path.getsize(path)}
    return dict(document, name=name) if name else document


def of(events, name):
    return [event for event in events if event["ev"] == name]


class Case(unittest.TestCase):
    runs = 0 # numbers for runs, and fences that grow with them

    @classmethod
    def setUpClass(cls):
        cls.top = tempfile.mkdtemp(prefix="cohort-board-")
        cls.sshd = farm.Sshd(os.path.join(cls.top, "sshd"))

    @classmethod
    def tearDownClass(cls):
        cls.sshd.stop()
        shutil.rmtree(cls.top, ignore_errors=True)

    def board(self, port=None, root=None, start=True, **fields):
        directory = tempfile.mkdtemp(dir=self.top)
        self.root = root or os.path.join(directory, "root")
        board = Board(directory, farm.board_document("b", self.sshd, self.root, port, **fields))
        if start:
            board.start()
            self.addCleanup(board.stop)
        return board

    def board_with_sftp(self, script):
        """A board with an SFTP server of its own: a script that runs in the board's directory."""
        directory = tempfile.mkdtemp(dir=self.top)
        server = os.path.join(directory, "sftp-server")
        with open(server, "w", encoding="ascii") as file:
            file.write(f"#!/bin/sh\ncd {directory}\n{script}\n")
        os.chmod(server, 0o755)
        sshd = farm.Sshd(os.path.join(directory, "sshd"), sftp=server)
        self.addCleanup(sshd.stop)
        board = Board(directory, farm.board_document("b", sshd, os.path.join(directory, "root")))
        board.start()
        self.addCleanup(board.stop)
        return board

    @staticmethod
    def program(board):
        path = os.path.join(board.directory, "prog")
        with open(path, "w", encoding="ascii") as file:
            file.write("#!/bin/sh\necho \"$0 $1 $COHORT_TEST\"\n")
        return path

    def request(self, *argvs, agent=AGENT, suite=(), run=None, attempt=1, fence=None, build=None, **limits):
        if run is None:
            Case.runs += 1
            run = Case.runs
        return {
            "v": 1, "run": run, "attempt": attempt, "fence": fence if fence is not None else Case.runs, "board": "b",
            "cache": "none",
            "build": dict({"id": 1, "name": "as-it-runs", "release": None, "build_id": None, "cmdline": "", "files": {}},
                          **(build or {})),
            "suite": {"name": "s", "files": [wire_file(path, os.path.basename(path)) for path in suite]},
            "agent": wire_file(agent),
            "tests": [{"id": i, "name": f"t{i}", "rep": 1, "argv": list(argv), "time_limit_s": 60}
                      for i, argv in enumerate(argvs)],
            "limits": dict({"boot_s": 60, "run_s": 300}, **limits),
        }

    def check_journal(self, events, request, outcome="complete"):
        """What holds for every journal: no gaps, the plan and nothing else, each result at most once."""
        self.assertEqual([event["n"] for event in events], list(range(1, len(events) + 1)))
        self.assertEqual(events[0]["ev"], "accepted")
        self.assertEqual([event["ev"] for event in events].count("ended"), 1)
        self.assertEqual(events[-1]["outcome"], outcome, events[-1])
        planned = [test["id"] for test in request["tests"]]
        finished = [event["id"] for event in of(events, "test-finished")]
        self.assertEqual(sorted(set(finished)), sorted(finished), "a result came twice")
        if outcome == "complete":
            self.assertEqual(sorted(finished), planned)
        else:
            self.assertLessEqual(set(finished), set(planned))

    def fault(self, events):
        self.assertEqual(events[-1]["outcome"], "fault", events[-1])
        return events[-1]["fault"]


class Normal(Case):
    def test_run(self):
        board = self.board()
        request = self.request(["echo", "{}"], ["sh", "-c", "echo oops; exit 1"], ["sh", "-c", "exit 4"],
                               ["echo", '{"type":"value","name":"x","value":3,"unit":"ms"}'])
        directory = board.run(request)
        events = board.wait_ended(directory)
        self.check_journal(events, request)
        self.assertEqual([event["verdict"] for event in of(events, "test-finished")], ["pass", "fail", "skip", "pass"])
        self.assertEqual(of(events, "test-record")[0]["record"]["value"], 3)
        self.assertEqual([event["stage"] for event in of(events, "stage")], ["provision", "prove", "test", "collect"])
        self.assertEqual(of(events, "proved")[0]["release"], os.uname().release)
        self.assertEqual(of(events, "proved")[0]["cache"], "none")
        self.assertIn("out | oops", read(directory, "run.log"))
        offsets = [event["off"] for event in events if "off" in event]
        self.assertEqual(offsets, sorted(set(offsets)))

    def test_second_run_sends_nothing(self):
        board = self.board()
        board.wait_ended(board.run(self.request(["true"])))
        events = board.wait_ended(board.run(self.request(["true"])))
        self.assertEqual(of(events, "progress"), [])
        board.stop()
        board.start() # a new session: the files are found on the board
        events = board.wait_ended(board.run(self.request(["true"])))
        self.assertEqual(of(events, "progress"), [])

    def test_suite_program(self):
        board = self.board()
        request = self.request(["prog", "word"], suite=[self.program(board)])
        directory = board.run(request)
        self.check_journal(board.wait_ended(directory), request)
        sha = request["suite"]["files"][0]["sha256"]
        self.assertIn(f"{self.root}/files/{sha} word", read(directory, "run.log"))
        self.assertTrue(os.stat(f"{self.root}/files/{sha}").st_mode & stat.S_IXUSR)
        self.assertEqual([name for name in os.listdir(f"{self.root}/files") if name.endswith(".tmp")], [])

    def test_damaged_file_is_sent_again(self):
        board = self.board()
        request = self.request(["true"])
        board.wait_ended(board.run(request))
        board.stop()
        with open(f"{self.root}/files/{request['agent']['sha256']}", "r+b") as file:
            file.truncate(100000)
        board.start()
        events = board.wait_ended(board.run(self.request(["true"])))
        self.assertEqual(events[-1]["outcome"], "complete")
        self.assertNotEqual(of(events, "progress"), [])

    def test_file_that_changed_here_is_not_the_boards_fault(self):
        board = self.board()
        program = self.program(board)
        request = self.request(["prog"], suite=[program])
        with open(program, "a", encoding="ascii") as file:
            file.write("# built again\n")
        fault = self.fault(board.wait_ended(board.run(request), 60))
        self.assertEqual(fault["code"], "provision-failed")
        self.assertRegex(fault["detail"], f"{program} is another file than .*: restart cohortd")

    def test_files_are_synced_before_they_count(self):
        """A crash right behind the upload must not leave an empty program: the server is asked to sync, then to close."""
        board = self.board_with_sftp("exec /usr/lib/openssh/sftp-server -e -l VERBOSE 2>>log")
        request = self.request(["true"])
        self.check_journal(board.wait_ended(board.run(request)), request)
        name = f"{request['agent']['sha256']}.tmp"
        verbs = [line.split()[0] for line in read(board.directory, "log").splitlines() if name in line]
        self.assertEqual(verbs, ["open", "fsync", "close"])

    def test_sftp_server_dies_between_runs(self):
        board = self.board_with_sftp("echo $$ >pid; exec /usr/lib/openssh/sftp-server")
        board.wait_ended(board.run(self.request(["true"])))
        os.kill(int(read(board.directory, "pid")), signal.SIGKILL)
        request = self.request(["prog"], suite=[self.program(board)])
        self.check_journal(board.wait_ended(board.run(request), 20), request)

    def test_sftp_server_that_never_speaks(self):
        """The fault says so, and the next attempt has a session of its own."""
        board = self.board_with_sftp("[ -e ok ] || exec sleep 1000; exec /usr/lib/openssh/sftp-server")
        # three times ten seconds of silence, each of which any late byte of a busy sshd begins anew
        fault = self.fault(board.wait_ended(board.run(self.request(["true"])), 180))
        self.assertEqual((fault["code"], fault["stage"]), ("provision-failed", "provision"), fault)
        with open(os.path.join(board.directory, "ok"), "w", encoding="ascii"):
            pass
        request = self.request(["true"])
        self.check_journal(board.wait_ended(board.run(request), 20), request)

    def test_files_removed_under_a_warm_session(self):
        board = self.board()
        board.wait_ended(board.run(self.request(["true"])))
        shutil.rmtree(self.root)
        request = self.request(["true"])
        self.check_journal(board.wait_ended(board.run(request)), request)

    def test_release_cleans_the_board(self):
        board = self.board()
        request = self.request(["true"])
        board.wait_ended(board.run(request))
        name = f"{self.root}/runs/{request['run']}.1.1"
        self.assertTrue(os.path.isdir(name))
        board.say(op="release", run=request["run"], attempt=1)
        farm.wait_for("the leg removed", lambda: not os.path.exists(name))

    def test_ended_attempt_is_announced_again(self):
        board = self.board()
        request = self.request(["true"])
        directory = board.run(request)
        before = board.wait_ended(directory)
        board.kill()
        board.start()
        board.run(request)
        size = os.path.getsize(os.path.join(directory, "journal.ndjson"))
        farm.wait_for("the hint", lambda: {"ev": "journal", "run": request["run"], "attempt": 1, "size": size} in board.hints)
        self.assertEqual(journal(directory), before)

    def test_once(self):
        board = self.board(start=False)
        request = self.request(["true"], ["false"])
        path = os.path.join(board.directory, "request.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(request, file)
        done = subprocess.run([farm.COHORT_BOARD, "--board", board.file, "--state", board.state, "--once", path],
                              stdout=subprocess.PIPE, check=True, timeout=60)
        self.check_journal([json.loads(line) for line in done.stdout.splitlines()], request)

    def test_two_for_one_board(self):
        board = self.board()
        farm.wait_for("the first one", lambda: board.hints)
        second = subprocess.run([farm.COHORT_BOARD, "--board", board.file, "--state", board.state], stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=30, check=False)
        self.assertEqual(second.returncode, 1)
        self.assertIn(b"another cohort-board", second.stderr)

    def test_check(self):
        board = self.board()
        board.say(op="check")
        farm.wait_for("idle", lambda: any(hint["ev"] == "state" and hint["state"] == "idle" for hint in board.hints))

    def test_cancel(self):
        board = self.board()
        request = self.request(["sleep", "1000"], ["true"])
        directory = board.run(request)
        farm.wait_for("the test", lambda: of(journal(directory), "test-started"))
        board.say(op="cancel", run=request["run"], attempt=1)
        events = board.wait_ended(directory, 20)
        self.check_journal(events, request, "cancelled")
        self.assertEqual([event["reason"] for event in of(events, "test-finished")], ["cancelled"])

    def test_quit_switches_off_once(self):
        """A signal ends it when the machine is off, and asking again does not begin anew."""
        board = self.board(start=False, power={"off": ["sh", "-c", "echo off >>offs; until [ -e go ]; do sleep 0.02; done"],
                                               "off_at_quit": True})
        os.makedirs(board.state)
        mark, offs, go = (os.path.join(board.directory, name) for name in ("state/b.booted", "offs", "go"))
        with open(mark, "w", encoding="ascii"):
            pass
        board.start()
        farm.wait_for("hello", lambda: board.hints)
        board.process.send_signal(signal.SIGTERM)
        farm.wait_for("power off", lambda: os.path.exists(offs))
        board.process.send_signal(signal.SIGTERM)
        board.say(op="quit")
        board.say(op="check") # answered behind the quit
        farm.wait_for("the answer", lambda: [hint for hint in board.hints if hint["ev"] == "state"])
        with open(go, "w", encoding="ascii"):
            pass
        self.assertEqual(board.process.wait(30), 0)
        board.process.stdin.close()
        self.assertEqual(read(board.directory, "offs"), "off\n")
        self.assertFalse(os.path.exists(mark))

    def test_eof_leaves_the_agent_running(self):
        board = self.board()
        mark = os.path.join(board.directory, "go")
        request = self.request(["sh", "-c", f"while ! [ -e {mark} ]; do sleep 0.05; done"])
        directory = board.run(request)
        farm.wait_for("the test", lambda: of(journal(directory), "test-started"))
        board.stop()
        with open(mark, "w", encoding="ascii"):
            pass
        board.start()
        board.run(request)
        events = board.wait_ended(directory)
        self.check_journal(events, request)
        self.assertEqual(len(of(events, "leg")), 1)
        self.assertEqual(len(of(events, "test-started")), 1)


class Oops(Case):
    """A kernel that lives on behind an oops: an agent of the tests' own tells of one in each test, machines are files."""

    def events_of(self, tests=3, **fields):
        """A run of so many tests; the board, the request and the journal."""
        board = self.board(start=False, **fields)
        path = os.path.join(board.directory, "agent")
        with open(path, "w", encoding="ascii") as file:
            file.write(f"""#!/bin/sh
case $1 in
sha256) shift; sha256sum "$@";;
facts) echo '{{"release":"1","boot_id":"boot-'$(wc -l <{board.directory}/boots)'"}}';;
run)
	request=$(cat)
	leg=${{request##*\\"leg\\":}}
	leg=${{leg%%,*}}
	case $request in *'"stop_on_oops":true'*) last=$leg;; *) last={tests};; esac
	echo '{{"ok":true}}'
	for i in $(seq $((leg - 1)) $((last - 1))); do
		echo '{{"ev":"test-started","t":1,"id":'$i',"name":"t'$i'","rep":1}}'
		echo '{{"ev":"kernel-warning","t":1,"id":'$i',"kind":"oops","text":"Internal error: Oops: 17"}}'
		echo '{{"ev":"test-finished","t":1,"id":'$i',"name":"t'$i'","rep":1,"verdict":"pass"}}'
	done
	[ $last = {tests} ] && outcome=complete || outcome=stopped
	echo '{{"ev":"agent-finished","t":1,"outcome":"'$outcome'","detail":"","tests":1}}';;
esac
""")
        with open(os.path.join(board.directory, "boots"), "w", encoding="ascii") as file:
            file.write("up\n")
        board.start()
        self.addCleanup(board.stop)
        request = self.request(*[["true"]] * tests, agent=path)
        return board, request, board.wait_ended(board.run(request), 60)

    def complete(self, **fields):
        board, request, events = self.events_of(**fields)
        self.check_journal(events, request)
        self.assertEqual([(event["verdict"], event["reason"]) for event in of(events, "test-finished")],
                         [("fail", "kernel-crash")] * len(request["tests"]))
        return board, events

    def test_boots_anew(self):
        """Each boot is begun and ended: the third one, too."""
        board, events = self.complete(boot={"method": "command", "command": ["sh", "-c", "echo boot >>boots"]})
        self.assertEqual([event["boot_id"] for event in of(events, "leg")], ["boot-2", "boot-3", "boot-4"])
        self.assertEqual(len(of(events, "proved")), 3)
        self.assertEqual(read(board.directory, "boots"), "up\nboot\nboot\nboot\n")
        self.assertIn("wait for a new boot", of(events, "note")[0]["text"])

    def test_boot_knows_what_will_be_sent(self):
        board, _ = self.complete(boot={"method": "command", "command": ["sh", "-c", 'echo boot >>boots; echo "$COHORT_ROOT $COHORT_FILES" >files']})
        agent = os.path.join(board.directory, "agent")
        self.assertEqual(read(board.directory, "files"), f"{self.root} {self.request(['true'], agent=agent)['agent']['sha256']} {agent}\n\n")

    def test_boot_that_fails_in_a_leg(self):
        """Its last words, which have no newline, are in the fault."""
        command = "echo boot >>boots; [ $(wc -l <boots) -lt 3 ] || { printf 'no kernel there'; exit 7; }"
        _, _, events = self.events_of(boot={"method": "command", "command": ["sh", "-c", command]})
        fault = self.fault(events)
        self.assertEqual((fault["code"], fault["stage"]), ("boot-command-failed", "test"))
        self.assertIn("exit status 7: no kernel there", fault["detail"])
        self.assertEqual(len(of(events, "test-finished")), 1)

    def test_power_cycle(self):
        board, events = self.complete(power={"cycle": ["sh", "-c", "echo cycle >>boots"]})
        self.assertEqual([event["boot_id"] for event in of(events, "leg")], ["boot-1", "boot-2", "boot-3"])
        self.assertEqual(read(board.directory, "boots"), "up\ncycle\ncycle\n")

    def test_nothing_can_start_it_again(self):
        _, events = self.complete()
        self.assertEqual(len(of(events, "leg")), 1)
        self.assertEqual(len(of(events, "note")), 1)
        self.assertIn("run in that kernel", of(events, "note")[0]["text"])


class Faults(Case):
    def test_wrong_host_key(self):
        other = os.path.join(self.top, "other")
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
        with open(other + ".pub", encoding="ascii") as file:
            pinned = " ".join(file.read().split()[:2])
        document = farm.board_document("b", self.sshd, "/nonexistent")
        board = self.board(ssh=dict(document["ssh"], host_key=pinned))
        before = read(self.sshd.directory, "log")
        fault = self.fault(board.wait_ended(board.run(self.request(["true"])), 20))
        self.assertEqual((fault["code"], fault["stage"]), ("host-key-mismatch", "provision"))
        for key in (other + ".pub", self.sshd.path("host.pub")):
            shown = subprocess.run(["ssh-keygen", "-lf", key], stdout=subprocess.PIPE, check=True).stdout.decode().split()[1]
            self.assertIn(shown, fault["detail"])
        log = read(self.sshd.directory, "log")[len(before):]
        self.assertNotIn("publickey", log)
        self.assertNotIn("Accepted", log)
        self.assertLessEqual(log.count("Connection closed by") + log.count("Connection reset by"), 1, log)

    def test_wrong_user_key(self):
        key = os.path.join(self.top, "stranger")
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        document = farm.board_document("b", self.sshd, "/nonexistent")
        board = self.board(ssh=dict(document["ssh"], key=key))
        fault = self.fault(board.wait_ended(board.run(self.request(["true"])), 20))
        self.assertEqual(fault["code"], "ssh-auth")
        self.assertIn(key, fault["detail"])

    def test_connection_refused(self):
        port = farm.free_port()
        board = self.board(port=port)
        fault = self.fault(board.wait_ended(board.run(self.request(["true"])), 30))
        self.assertEqual(fault["code"], "ssh-connect")
        self.assertIn("Connection refused", fault["detail"])
        board.say(op="check")
        farm.wait_for("unreachable", lambda: [hint for hint in board.hints if hint.get("state") == "unreachable"])

    def test_no_banner(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            board = self.board(port=silent.getsockname()[1])
            fault = self.fault(board.wait_ended(board.run(self.request(["true"])), 30))
            self.assertEqual(fault["code"], "ssh-connect")
            self.assertIn("banner", fault["detail"])

    def test_key_exchange_that_stops(self):
        """The real server's greeting, and no answer to our key. (When it ends, cohort-board has leaked nothing.)"""
        with socket.create_connection(("127.0.0.1", self.sshd.port)) as real, real.makefile("rb") as stream:
            real.sendall(b"SSH-2.0-cohort-test\r\n")
            greeting = stream.readline() + (length := stream.read(4)) + stream.read(int.from_bytes(length, "big"))
        clients = []

        def greet(server):
            while True:
                try:
                    clients.append(server.accept()[0])
                    clients[-1].sendall(greeting)
                except OSError:
                    return

        with socket.create_server(("127.0.0.1", 0)) as server:
            board = self.board(port=server.getsockname()[1])
            threading.Thread(target=greet, args=(server,), daemon=True).start()
            fault = self.fault(board.wait_ended(board.run(self.request(["true"])), 60))
            server.shutdown(socket.SHUT_RDWR)
        self.assertEqual(fault["code"], "ssh-connect")
        self.assertIn("SSH key exchange", fault["detail"])
        for client in clients:
            client.close()

    def test_wrong_release(self):
        board = self.board()
        events = board.wait_ended(board.run(self.request(["true"], build={"release": "9.9.9-other"})))
        fault = self.fault(events)
        self.assertEqual((fault["code"], fault["stage"]), ("wrong-release", "prove"))
        self.assertIn("9.9.9-other", fault["detail"])
        self.assertIn(os.uname().release, fault["detail"])
        self.assertEqual(of(events, "test-started"), [])

    def test_wrong_build_id(self):
        board = self.board()
        fault = self.fault(board.wait_ended(board.run(self.request(["true"], build={"build_id": "00ff"}))))
        self.assertEqual(fault["code"], "wrong-build-id")

    def test_wrong_cache_class(self):
        board = self.board(cache="vivt")
        fault = self.fault(board.wait_ended(board.run(self.request(["true"]))))
        self.assertEqual(fault["code"], "wrong-cache-class")
        self.assertIn("vivt", fault["detail"])

    def test_stale_fence(self):
        board = self.board()
        board.wait_ended(board.run(self.request(["true"], fence=1000)))
        fault = self.fault(board.wait_ended(board.run(self.request(["true"], fence=5))))
        self.assertEqual(fault["code"], "lease-lost")

    def test_run_timeout(self):
        board = self.board()
        request = self.request(["true"], ["sleep", "1000"], ["true"], run_s=2)
        events = board.wait_ended(board.run(request), 30)
        self.assertEqual(self.fault(events)["code"], "run-timeout")
        self.assertEqual(events[-1]["fault"]["stage"], "test")
        farm.wait_for("the sleep to be gone", lambda: not self.processes_below(self.root))

    def processes_below(self, root):
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.readlink(f"/proc/{pid}/cwd").startswith(root + "/runs"):
                    found.append(pid)
            except OSError:
                pass
        return found

    def test_disk_full(self):
        root = tempfile.mkdtemp(dir=self.top)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "cohort-test", root], check=False,
                                 stderr=subprocess.PIPE)
        if mounted.returncode != 0:
            self.skipTest(f"no tmpfs here: {mounted.stderr.decode()}")
        self.addCleanup(subprocess.run, ["umount", "-l", root], check=True)
        board = self.board(root=root, start=False)
        # libssh2 1.10 loses 32 bytes when an SFTP write fails with others under way; a sanitizer build would say so.
        suppressions = os.path.join(board.directory, "leaks")
        with open(suppressions, "w", encoding="ascii") as file:
            file.write("leak:libssh2_sftp_write\n")
        board.environment.update(LSAN_OPTIONS=f"suppressions={suppressions}", ASAN_OPTIONS="fast_unwind_on_malloc=0")
        board.start()
        self.addCleanup(board.stop)
        fault = self.fault(board.wait_ended(board.run(self.request(["true"])), 30))
        self.assertEqual((fault["code"], fault["stage"]), ("disk-full", "provision"))
        self.assertEqual(os.listdir(root + "/files"), [])

    def test_root_cannot_be_made(self):
        board = self.board(root="/proc/nowhere")
        fault = self.fault(board.wait_ended(board.run(self.request(["true"]))))
        self.assertEqual(fault["code"], "provision-failed")

    def test_switched_off(self):
        relay = Relay(self.sshd.port)
        self.addCleanup(relay.stop)
        board = self.board(port=relay.port, power={"status": ["sh", "-c", "exit 3"]})
        request = self.request(["sleep", "1000"])
        directory = board.run(request)
        farm.wait_for("the test", lambda: of(journal(directory), "test-started"))
        relay.refusing = True
        relay.cut()
        fault = self.fault(board.wait_ended(directory, 30))
        self.assertEqual((fault["code"], fault["stage"]), ("power-lost", "test"))

    def test_board_lost(self):
        relay = Relay(self.sshd.port)
        self.addCleanup(relay.stop)
        board = self.board(port=relay.port)
        request = self.request(["sleep", "1000"], boot_s=2)
        directory = board.run(request)
        farm.wait_for("the test", lambda: of(journal(directory), "test-started"))
        relay.refusing = True
        relay.cut()
        self.assertEqual(self.fault(board.wait_ended(directory, 30))["code"], "board-lost")


class Lies(Case):
    """An agent of the tests' own, a script, that says what no agent says."""

    def lie(self, *lines, facts='{"release":"1","boot_id":"b"}'):
        board = self.board()
        path = os.path.join(board.directory, "liar")
        body = "\n".join(lines).replace("'", "'\\''")
        with open(path, "w", encoding="ascii") as file:
            file.write(f"""#!/bin/sh
case $1 in
sha256) shift; sha256sum "$@";;
facts) echo '{facts}';;
run) cat >/dev/null; echo '{{"ok":true}}'; echo '{body}'; exit 3;;
follow) exit 3;;
esac
""")
        return board, self.request(["true"], ["true"], agent=path)

    def started(self, request):
        return json.dumps({"ev": "agent-started", "t": 1, "v": 1, "run": request["run"], "attempt": 1, "leg": 1,
                           "fence": request["fence"], "pid": 3, "boot_id": "b", "release": "1"})

    def test_lines_that_are_refused(self):
        finished = {"ev": "test-finished", "t": 1, "id": 0, "name": "t0", "rep": 1, "verdict": "pass", "reason": None,
                    "detail": None, "trials": 1, "bad": 0, "duration_us": 5}
        lines = [json.dumps(finished), json.dumps(dict(finished, verdict="fail")), json.dumps(dict(finished, id=77)),
                 json.dumps(dict(finished, id=1, verdict="missing")), json.dumps(dict(finished, id=1, verdict="great")),
                 json.dumps(dict(finished, id=1, extra="x", duration_us=6)), "no json", '{"ev":"surprise"}', "x" * 70000,
                 '{"ev":"agent-finished","t":1,"outcome":"complete","detail":"","tests":2}']
        board, request = self.lie(*lines)
        events = board.wait_ended(board.run(request))
        self.check_journal(events, request)
        self.assertEqual([(event["id"], event["verdict"]) for event in of(events, "test-finished")], [(0, "pass"), (1, "pass")])
        self.assertNotIn("extra", of(events, "test-finished")[1])
        self.assertIn("6 lines from the board were refused", of(events, "note")[0]["text"])

    def test_complete_without_results(self):
        board, request = self.lie('{"ev":"agent-finished","t":1,"outcome":"complete","detail":"","tests":0}')
        self.assertEqual(self.fault(board.wait_ended(board.run(request)))["code"], "agent-protocol")

    def test_too_many_bad_lines(self):
        board, request = self.lie(*["nonsense"] * 150)
        self.assertEqual(self.fault(board.wait_ended(board.run(request)))["code"], "agent-protocol")

    def test_no_facts(self):
        board, request = self.lie(facts="[]")
        self.assertEqual(self.fault(board.wait_ended(board.run(request)))["code"], "agent-failed")

    def test_agent_that_always_dies(self):
        board, request = self.lie('{"ev":"test-started","t":1,"id":0,"name":"t0","rep":1}')
        events = board.wait_ended(board.run(request))
        first = of(events, "test-finished")[0]
        self.assertEqual((first["verdict"], first["reason"]), ("error", "agent-died"))
        self.assertEqual(len([event for event in of(events, "test-started") if event["id"] == 0]), 3)
        self.assertEqual(self.fault(events)["code"], "agent-died")

    def test_agent_that_does_not_run(self):
        board = self.board()
        path = os.path.join(board.directory, "garbage")
        with open(path, "wb") as file:
            file.write(b"\x7fELF" + bytes(1000))
        fault = self.fault(board.wait_ended(board.run(self.request(["true"], agent=path))))
        self.assertEqual(fault["code"], "agent-failed")

    def test_flood(self):
        board = self.board()
        request = self.request(["sh", "-c", "yes 0123456789012345678901234567890123456789 | head -c 90000000"],
                               output_bytes=1 << 30)
        self.assertEqual(self.fault(board.wait_ended(board.run(request)))["code"], "agent-protocol")


class Recovery(Case):
    COUNT = 8

    def plan(self, board, **more):
        """Tests that each leave a mark when they run, so that a second execution shows."""
        self.marks = tempfile.mkdtemp(dir=board.directory)
        return self.request(*[["sh", "-c", f"echo run >>{self.marks}/{i}; echo '{{\"type\":\"value\",\"name\":\"v{i}\","
                                          "\"value\":1,\"unit\":\"x\"}'; i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done"]
                              for i in range(self.COUNT)], **more)

    def check_once(self, events, request):
        self.check_journal(events, request)
        self.assertEqual([event["verdict"] for event in of(events, "test-finished")], ["pass"] * self.COUNT)
        self.assertEqual(len(of(events, "test-record")), self.COUNT)
        self.assertEqual(len(of(events, "leg")), 1)
        for i in range(self.COUNT):
            self.assertEqual(read(self.marks, str(i)), "run\n", f"test {i}")

    def test_connection_cut(self):
        relay = Relay(self.sshd.port)
        self.addCleanup(relay.stop)
        board = self.board(port=relay.port)
        board.wait_ended(board.run(self.request(["true"]))) # the agent is on the board
        chance = random.Random(SEED)
        reconnects = 0
        for turn in range(ROUNDS):
            with self.subTest(seed=SEED, round=turn):
                request = self.plan(board)
                relay.cut_at([chance.randrange(20000) for _ in range(chance.randrange(1, 4))])
                events = board.wait_ended(board.run(request))
                self.check_once(events, request)
                reconnects += len(of(events, "reconnected"))
        self.assertGreater(reconnects, ROUNDS // 4, "the cuts hit nothing")

    def test_killed(self):
        board = self.board()
        request = self.plan(board)
        directory = board.run(request)
        whole = len(read(directory, "journal.ndjson") if board.wait_ended(directory) else "")
        chance = random.Random(SEED)
        for turn in range(ROUNDS):
            with self.subTest(seed=SEED, round=turn):
                request = self.plan(board)
                directory = board.run(request)
                for at in sorted(chance.randrange(whole) for _ in range(chance.randrange(1, 4))):
                    farm.wait_for("the moment", lambda: len(read(directory, "journal.ndjson")) >= at or
                                  (journal(directory) or [{}])[-1].get("ev") == "ended")
                    board.kill()
                    if chance.randrange(2): # in the middle of a write
                        with open(os.path.join(directory, "journal.ndjson"), "ab") as file:
                            if (journal(directory) or [{}])[-1].get("ev") != "ended":
                                file.write(b'{"n":1234,"t":17')
                    board.start()
                    board.run(request)
                self.check_once(board.wait_ended(directory), request)

    def worker(self, request):
        path = f"{self.root}/runs/{request['run']}.1.1/lock"
        return int(read(os.path.dirname(path), "lock") or 0)

    def test_worker_killed_once(self):
        board = self.board()
        mark = os.path.join(board.directory, "mark")
        request = self.request(["true"], ["sh", "-c", f"if ! [ -e {mark} ]; then touch {mark}; sleep 1000; fi"], ["true"])
        directory = board.run(request)
        farm.wait_for("the second test", lambda: os.path.exists(mark) and len(of(journal(directory), "test-started")) == 2)
        os.kill(self.worker(request), signal.SIGKILL)
        events = board.wait_ended(directory)
        self.check_journal(events, request)
        self.assertEqual([event["verdict"] for event in of(events, "test-finished")], ["pass"] * 3)
        self.assertEqual([event["leg"] for event in of(events, "leg")], [1, 2])

    def test_worker_killed_by_its_test(self):
        board = self.board()
        request = self.request(["true"], ["sh", "-c", "kill -9 $PPID; sleep 1000"], ["true"])
        directory = board.run(request)
        events = board.wait_ended(directory)
        self.check_journal(events, request)
        self.assertEqual([(event["verdict"], event["reason"]) for event in of(events, "test-finished")],
                         [("pass", None), ("error", "agent-died"), ("pass", None)])
        self.assertEqual(len(of(events, "leg")), 4)


class Console(Case):
    def test_lines_and_complaints(self):
        path = os.path.join(tempfile.mkdtemp(dir=self.top), "console")
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path)
            server.listen()
            board = self.board(console={"unix": path})
            first, _ = server.accept()
            mark = os.path.join(board.directory, "go")
            request = self.request(["sh", "-c", f"while ! [ -e {mark} ]; do sleep 0.05; done; exit 2"], ["true"])
            directory = board.run(request)
            farm.wait_for("the test", lambda: of(journal(directory), "test-started"))
            first.sendall(b"[    1.000001] hello\r\n")
            farm.wait_for("the line", lambda: "hello" in read(directory, "console.log"))
            first.close()
            second, _ = server.accept() # it comes back by itself
            second.sendall(b"[    2.000001] Internal error: Oops: 5 [#1] ARM\r\n[    2.000002] PC is at foo+0x4/0x8\r\n"
                           b"[    2.000003] ---[ end trace 0000000000000000 ]---\r\n")
            farm.wait_for("the complaint", lambda: of(journal(directory), "kernel-warning"))
            with open(mark, "w", encoding="ascii"):
                pass
            events = board.wait_ended(directory)
            second.close()
        warning = of(events, "kernel-warning")[0]
        self.assertEqual((warning["kind"], warning["source"], warning["id"]), ("oops", "console", 0))
        self.assertIn("PC is at foo", warning["text"])
        self.assertEqual([(event["verdict"], event["reason"]) for event in of(events, "test-finished")],
                         [("fail", "kernel-crash"), ("pass", None)])

    def test_command(self):
        board = self.board(console={"command": ["sh", "-c", "echo from the command; exec sleep 1000"]})
        farm.wait_for("the line", lambda: "from the command" in read(board.state, "b.console.log"))


if __name__ == "__main__":
    print(f"COHORT_SEED={SEED}")
    unittest.main()
