"""A builder: cohort-board and cohort-agent make kernels of a tree that takes a second, and what goes wrong goes wrong for real.

COHORT_SEED replays a seed."""

import json
import os
import random
import signal
import subprocess
import tempfile
import unittest

import builder
import farm
import test_board
from relay import Relay
from test_board import AGENT, journal, of, read, wire_file

SEED = test_board.SEED
ROUNDS = int(os.environ.get("COHORT_BUILDER_ROUNDS", "4"))
BIG = 24 << 20 # bytes of a kernel that takes long enough to be cut in the middle

TWO = ("mm: two is more", {"mm.c": [("return 2", "return 22")]})
SHARED = ("all: more is common", {"common.h": "#define COMMON 2\n"})


class Case(test_board.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.tree = builder.Tree(os.path.join(cls.top, "tree"))

    def maker(self, root=None, port=None, start=True, **fields):
        fields = dict({"kind": "builder", "trees": {"linux": self.tree.repository}, "make_jobs": 2, "memory_mib": 1024}, **fields)
        return self.board(port=port, root=root, start=start, **fields)

    def build(self, *mails, previous=(), tests=None, program=builder.KBUILD, **fields):
        """The request of a build run."""
        recipe = self.tree.recipe(*mails, previous=previous, **fields)
        request = self.request(["true"], memory_mib=1024)
        request.update(purpose="build", tests=tests or builder.steps(), build={"name": "linux-v1", "cmdline": ""},
                       suite={"name": "kernel-build", "files": [wire_file(program, "kbuild")]},
                       inputs=self.tree.inputs(recipe, *mails))
        self.recipe_hash = builder.sha256(recipe)
        return request

    def run_build(self, board, *mails, **more):
        request = self.build(*mails, **more)
        self.directory = board.run(request)
        events = board.wait_ended(self.directory)
        self.check_journal(events, request)
        return events

    def verdicts(self, events):
        return [event["verdict"] for event in of(events, "test-finished")]

    def records(self, events, name):
        return [event["record"] for event in of(events, "test-record") if event["record"]["type"] == name]

    def check_built(self, events):
        """What holds for each good build; its files by role."""
        self.assertEqual(self.verdicts(events), ["pass"] * 5, read(self.directory, "run.log"))
        said = {record["role"]: record for record in self.records(events, "file")}
        have = {event["role"]: event for event in of(events, "file")}
        self.assertEqual(sorted(said), sorted(have))
        self.assertEqual(len(of(events, "file")), len(have), "a file came twice")
        for role, event in have.items():
            path = os.path.join(self.directory, "files", event["sha256"])
            self.assertEqual(builder.sha256(path), event["sha256"])
            self.assertEqual((os.path.getsize(path), said[role]["sha256"]), (event["size"], event["sha256"]))
            have[role] = path
        self.assertEqual([name for name in os.listdir(os.path.join(self.directory, "files")) if len(name) != 64], [])
        built, = self.records(events, "build")
        self.assertEqual(built["release"], f"6.1.0-fake-cohort-{self.recipe_hash[:12]}")
        self.assertRegex(built["build_id"], "^[0-9a-f]{40}$")
        self.assertEqual(built["config_sha256"], builder.sha256(have["config"]))
        with open(have["kernel"], "rb") as file:
            self.assertTrue(built["release"].encode() in file.read(), "the kernel is an older one")
        return have

    def compiled(self):
        log = read(self.directory, "run.log")
        return [name for name in ("init", "mm", "fs", "drivers") if f"CC      {name}.o" in log]


class Good(Case):
    def test_build(self):
        board = self.maker()
        before = builder.git(self.tree.repository, "for-each-ref")
        events = self.run_build(board, *self.tree.series(TWO))
        have = self.check_built(events)
        self.assertEqual(sorted(have), ["config", "kernel", "log", "map"])
        self.assertEqual([event["stage"] for event in of(events, "stage")], ["provision", "prove", "test", "collect"])
        built, = self.records(events, "build")
        self.assertEqual(built["folded"], "vivt")
        self.assertTrue(built["compiler"].startswith("gcc"))
        with open(have["config"], encoding="utf-8") as file:
            config = file.read()
        self.assertIn("CONFIG_CPU_CACHE_VIVT=y", config)
        self.assertNotIn("VIPT", config, "the later fragment counts")
        progress = [event for event in of(events, "progress") if event["stage"] == "test"]
        self.assertTrue(progress)
        self.assertEqual(self.records(events, "progress"), [])
        self.assertEqual(builder.git(self.tree.repository, "for-each-ref"), before, "the repository is left alone")
        self.assertEqual(self.compiled(), ["init", "mm", "fs", "drivers"])

    def test_same_recipe_is_answered_at_once(self):
        board = self.maker()
        mails = self.tree.series(TWO)
        first = self.check_built(self.run_build(board, *mails))
        events = self.run_build(board, *mails)
        again = self.check_built(events)
        self.assertEqual([os.path.basename(path) for path in first.values()], [os.path.basename(path) for path in again.values()])
        self.assertEqual(self.compiled(), [])
        self.assertIn("made before", of(events, "test-finished")[0]["detail"])

    def test_damaged_result_is_made_again(self):
        board = self.maker()
        mails = self.tree.series(TWO)
        self.check_built(self.run_build(board, *mails))
        with open(f"{self.root}/build/done/{self.recipe_hash}/kernel", "r+b") as file:
            file.truncate(1000)
        self.check_built(self.run_build(board, *mails))

    def test_same_bytes_elsewhere(self):
        mails = self.tree.series(TWO)
        kernels = set()
        for _ in range(2):
            kernels.add(os.path.basename(self.check_built(self.run_build(self.maker(), *mails))["kernel"]))
        self.assertEqual(len(kernels), 1)

    def test_only_what_differs_is_compiled(self):
        """v1 and v2 both change common.h, which every file includes, in the same way; v2 differs in one file."""
        board = self.maker()
        v1 = self.tree.series(SHARED, TWO)
        v2 = self.tree.series(SHARED, ("mm: two is even more", {"mm.c": [("return 2", "return 222")]}))
        self.check_built(self.run_build(board, *v1))
        have = self.check_built(self.run_build(board, *v2, previous=v1))
        self.assertEqual(self.compiled(), ["init", "mm"]) # init has the release
        with open(have["range-diff"], encoding="utf-8") as file:
            text = file.read()
        self.assertRegex(text, "1:  [0-9a-f]+ = 1:  [0-9a-f]+ all: more is common")
        self.assertIn("mm: two is even more", text)
        # Who has not seen v1 has nothing to compare with.
        other = self.maker()
        self.assertNotIn("range-diff", self.check_built(self.run_build(other, *v2, previous=v1)))

    def test_base_alone(self):
        board = self.maker()
        self.check_built(self.run_build(board))

    def test_sixty_four_patches(self):
        """As many as a series may have: the commands that bring them are longer than one packet."""
        mails = self.tree.series(*[(f"doc: note {n}", {f"note-{n}": f"note {n}\n"}) for n in range(64)])
        board = self.maker()
        self.check_built(self.run_build(board, *mails))
        self.assertIn("64: doc: note 63", read(self.directory, "run.log"))
        self.assertEqual(len(os.listdir(f"{self.root}/files")), 64 + len(self.tree.inputs(mails[0])) + 2) # with agent and kbuild

    def test_once(self):
        board = self.maker(start=False)
        path = os.path.join(board.directory, "request.json")
        request = self.build(*self.tree.series(TWO))
        with open(path, "w", encoding="utf-8") as file:
            json.dump(request, file)
        subprocess.run([farm.COHORT_BOARD, "--board", board.file, "--state", board.state, "--once", path],
                       stdout=subprocess.DEVNULL, check=True, timeout=60)
        self.directory = os.path.join(board.state, "runs", str(request["run"]), "1")
        self.check_built(journal(self.directory))


class BadInput(Case):
    """What is wrong with the patches is a result of the build, and the next build is as good as ever."""

    def check_fails(self, *mails, step, **more):
        board = self.maker()
        events = self.run_build(board, *mails, **more)
        names = [event["name"] for event in of(events, "test-finished")]
        at = names.index(step)
        self.assertEqual(self.verdicts(events), ["pass"] * at + ["fail"] + ["skip"] * (4 - at), read(self.directory, "run.log"))
        for event in of(events, "test-finished")[at + 1:]:
            self.assertEqual(event["reason"], "not-applicable(step)")
        failure, = self.records(events, "failure")
        self.assertEqual(failure["step"], step)
        self.check_built_again(board)
        return events, failure

    def check_built_again(self, board):
        directory = self.directory
        self.check_built(self.run_build(board, *self.tree.series(TWO)))
        self.directory = directory

    def test_patch_that_does_not_apply(self):
        good = self.tree.series(SHARED)
        other = self.tree.series(("mm: first", {"mm.c": [("return 3", "return 4")]}), ("mm: then", {"mm.c": [("return 4", "return 5")]}))
        events, failure = self.check_fails(good[0], other[1], step="apply")
        self.assertEqual((failure["patch"], failure["file"]), (2, "mm.c"))
        self.assertIn('patch 2, "mm: then", does not apply: mm.c', failure["text"])
        self.assertIn("-\treturn 4;\n+\treturn 5;\n", failure["text"])
        self.assertTrue(failure["text"].splitlines()[1].startswith(f"@@ -{failure['line']},"), failure["text"])
        self.assertIn("does not apply", of(events, "test-finished")[1]["detail"])
        self.assertEqual(of(events, "file"), [])

    def test_file_that_is_not_there(self):
        mail, = self.tree.series(TWO)
        with open(mail, encoding="utf-8") as file:
            other = builder.put(mail + ".other", file.read().replace("mm.c", "nn.c"))
        _, failure = self.check_fails(other, step="apply")
        self.assertIn("nn.c", failure["text"])
        self.assertEqual((failure["patch"], failure["file"], failure["line"]), (1, None, None))

    def test_no_patch_at_all(self):
        _, failure = self.check_fails(builder.put(f"{self.top}/letter", "From: a@b\nSubject: hello\n\nHow are you?\n"), step="apply")
        self.assertEqual(failure["patch"], 1)

    def test_paths_out_of_the_tree(self):
        mail, = self.tree.series(TWO)
        with open(mail, encoding="utf-8") as file:
            text = file.read()
        for path in ("../mm.c", "x/../../mm.c", ".git/config", "/etc/passwd"):
            with self.subTest(path=path):
                evil = builder.put(mail + ".evil", text.replace("a/mm.c", "a/" + path).replace("b/mm.c", "b/" + path))
                self.check_fails(evil, step="apply")

    def test_compile_error(self):
        mails = self.tree.series(("mm: a new idea", {"mm.c": [("return 2", "return two")]}))
        events, failure = self.check_fails(*mails, step="make")
        self.assertEqual((failure["file"], failure["line"], failure["patch"]), ("mm.c", 9, None))
        self.assertRegex(failure["text"], "^mm.c:9:[0-9]+: error: .two. undeclared")
        log, = of(events, "file")
        self.assertEqual(log["role"], "log")
        self.assertIn("error: ", read(os.path.join(self.directory, "files"), log["sha256"]))

    def test_link_error(self):
        mails = self.tree.series(("mm: use what is not there", {"mm.c": [("return 2", "extern int nowhere(void); return nowhere()")]}))
        _, failure = self.check_fails(*mails, step="make")
        self.assertIn("undefined reference", failure["text"])

    def test_option_that_is_not_there(self):
        fragment = builder.put(f"{self.top}/more.frag", "CONFIG_UNKNOWN=y\n")
        self.tree.fragments.append(fragment)
        try:
            board = self.maker()
            events = self.run_build(board)
        finally:
            self.tree.fragments.remove(fragment)
        self.assertEqual(self.verdicts(events), ["pass", "pass", "fail", "skip", "skip"])
        failure, = self.records(events, "failure")
        self.assertIn("CONFIG_UNKNOWN=y", failure["text"])
        self.check_built_again(board)

    def test_unknown_commit(self):
        _, failure = self.check_fails(step="tree", commit="v9.9")
        self.assertIn("has no commit v9.9", failure["text"])

    def test_what_make_prints_is_no_record(self):
        record = '{"type":"file","role":"dtb","path":"/etc/passwd","sha256":"%s","size":1}' % ("0" * 64)
        mails = self.tree.series(("build: lie", {"more.mk": f"$(info {record})\n$(info {{\"type\":\"result\",\"verdict\":\"pass\"}})\n"}))
        board = self.maker()
        events = self.run_build(board, *mails)
        self.assertNotIn("dtb", self.check_built(events))
        self.assertIn("/etc/passwd", read(self.directory, "run.log"))


class Faults(Case):
    def test_unknown_tree(self):
        board = self.maker()
        fault = self.fault(board.wait_ended(board.run(self.build(tests=builder.steps("mainline")))))
        self.assertEqual((fault["code"], fault["stage"]), ("provision-failed", "provision"))
        self.assertIn("tree:mainline", fault["detail"])

    def test_not_a_repository(self):
        board = self.maker(trees={"linux": "/usr"})
        request = self.build()
        events = board.wait_ended(board.run(request))
        first = of(events, "test-finished")[0]
        self.assertEqual((first["verdict"], first["reason"]), ("error", "builder"))
        self.assertIn("not a git repository", first["detail"])
        self.assertEqual(self.records(events, "failure"), [])

    def test_tests_on_a_builder_and_builds_elsewhere(self):
        board = self.maker()
        fault = self.fault(board.wait_ended(board.run(self.request(["true"]))))
        self.assertEqual(fault["code"], "provision-failed")
        self.assertIn("does not test", fault["detail"])
        board = self.board()
        fault = self.fault(board.wait_ended(board.run(self.build())))
        self.assertEqual(fault["code"], "provision-failed")
        self.assertIn("does not build", fault["detail"])

    def held(self, board):
        """A build whose make waits for the file that is returned, and has come that far."""
        go = os.path.join(board.directory, "go")
        request = self.build(*self.tree.series(TWO, ("build: wait", {"hold": go})))
        self.directory = board.run(request)
        farm.wait_for("make to wait", lambda: "CC      drivers.o" in read(self.directory, "run.log"))
        return request, go

    def processes(self):
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.readlink(f"/proc/{pid}/cwd").startswith(self.root + "/build"):
                    found.append(pid)
            except OSError:
                pass
        return found

    def test_cancel(self):
        board = self.maker()
        request, go = self.held(board)
        self.assertTrue(self.processes())
        board.say(op="cancel", run=request["run"], attempt=1)
        events = board.wait_ended(self.directory, 30)
        self.check_journal(events, request, "cancelled")
        self.assertEqual(of(events, "test-finished")[-1]["reason"], "cancelled")
        self.assertEqual(self.processes(), [])
        builder.put(go, "")
        again = dict(request, run=request["run"] + 1000, fence=request["fence"] + 1)
        self.directory = board.run(again)
        events = board.wait_ended(self.directory)
        self.check_built(events)
        self.assertIn("interrupted make", read(self.directory, "run.log"))

    def test_full_disk(self):
        root = tempfile.mkdtemp(dir=self.top)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "cohort-test", root], check=False, stderr=subprocess.PIPE)
        if mounted.returncode != 0:
            self.skipTest(f"no tmpfs here: {mounted.stderr.decode()}")
        self.addCleanup(subprocess.run, ["umount", "-l", root], check=True)
        board = self.maker(root=root)
        mails = self.tree.series(("build: a large one", {"more.mk": f"PAD := {100 << 20}\n"}))
        request = self.build(*mails)
        fault = self.fault(board.wait_ended(board.run(request)))
        self.assertEqual((fault["code"], fault["stage"]), ("disk-full", "test"), fault)
        self.check_built(self.run_build(board)) # the small one fits

    def liar(self, line, **more):
        """A run whose program says this line and passes."""
        self.lied = board = self.maker()
        program = builder.put(os.path.join(board.directory, "liar"), f"#!/bin/sh\ncat <<'END'\n{line}\nEND\n")
        request = self.build(program=program, tests=[{"id": 0, "name": "lie", "rep": 1, "argv": ["kbuild"], "time_limit_s": 60}], **more)
        self.directory = board.run(request)
        return board.wait_ended(self.directory)

    def file_record(self, path, role="kernel", size=5, sha="0" * 64):
        return json.dumps({"type": "file", "role": role, "path": path, "sha256": sha, "size": size})

    def test_files_that_are_not_what_was_said(self):
        true = builder.put(f"{self.top}/true", "12345")
        sha = builder.sha256(true)
        for record, complaint in (
                (self.file_record(true), f"its SHA-256 is {sha}"),
                (self.file_record(true, size=4, sha=sha), "longer than the 4 bytes"),
                (self.file_record(true, size=6, sha=sha), "ends behind 5 of the 6 bytes"),
                (self.file_record("/dev/zero"), "longer than the 5 bytes"),
                (self.file_record("/nowhere/at/all"), "refused with status"),
                (self.file_record(self.top), "kernel: "),
        ):
            with self.subTest(record=record):
                fault = self.fault(self.liar(record))
                self.assertEqual((fault["code"], fault["stage"]), ("collect-failed", "collect"))
                self.assertIn(complaint, fault["detail"])
                files = os.path.join(self.directory, "files")
                self.assertEqual(os.listdir(files), [])

    def test_file_that_never_comes(self):
        """A pipe that nobody writes to: the fault says so, and the next run has a session of its own."""
        pipe = os.path.join(self.top, "pipe")
        os.mkfifo(pipe)
        fault = self.fault(self.liar(self.file_record(pipe)))
        self.assertEqual((fault["code"], fault["stage"]), ("collect-failed", "collect"))
        self.assertIn("did not answer", fault["detail"])
        self.check_built(self.run_build(self.lied))

    def test_records_that_are_refused(self):
        true = builder.put(f"{self.top}/true", "12345")
        good = self.file_record(true, sha=builder.sha256(true))
        for record in (good.replace('"kernel"', '"passwords"'), good.replace(true, "etc/passwd"), good.replace(true, ""),
                       good.replace(true, "/x\\u0001"), good.replace(builder.sha256(true), "../../../../etc/passwd"),
                       self.file_record(true, size=1 << 40), self.file_record(true, size=-1), good + "\n" + good):
            with self.subTest(record=record):
                events = self.liar(record)
                self.assertEqual(events[-1]["outcome"], "complete")
                self.assertIn("1 lines from the board were refused", of(events, "note")[0]["text"])
                self.assertEqual(len(of(events, "file")), record.count("\n"))


class Recovery(Case):
    """Killed, cut and gone at random moments: the build ends well, each file is there once, each step counts once."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.mails = cls.tree.series(("build: a large one", {"more.mk": f"PAD := {BIG}\n"}), TWO)
        cls.turn = 0

    def fresh(self):
        """A build that nobody made before."""
        Recovery.turn += 1
        return self.build(*self.mails, files={"initramfs": f"{self.turn:064x}"})

    def finish(self, board, request):
        events = board.wait_ended(self.directory)
        self.check_journal(events, request)
        self.check_built(events)
        return events

    def part(self):
        """Bytes of the kernel that have come."""
        files = os.path.join(self.directory, "files")
        try:
            return max((os.path.getsize(os.path.join(files, name)) for name in os.listdir(files)), default=0)
        except OSError:
            return 0

    def ended(self):
        return (journal(self.directory) or [{}])[-1].get("ev") == "ended"

    def test_board_killed_while_collecting(self):
        board = self.maker()
        chance = random.Random(SEED)
        for turn in range(ROUNDS):
            with self.subTest(seed=SEED, round=turn):
                request = self.fresh()
                self.directory = board.run(request)
                for at in sorted(chance.randrange(1, BIG) for _ in range(2)):
                    farm.wait_for("so much of the kernel", lambda: self.part() >= at or self.ended())
                    board.kill()
                    board.start()
                    board.run(request)
                self.finish(board, request)

    def test_board_killed_at_any_time(self):
        board = self.maker()
        request = self.fresh()
        self.directory = board.run(request)
        self.finish(board, request)
        whole = len(read(self.directory, "journal.ndjson"))
        chance = random.Random(SEED)
        for turn in range(ROUNDS):
            with self.subTest(seed=SEED, round=turn):
                request = self.fresh()
                self.directory = board.run(request)
                for at in sorted(chance.randrange(whole) for _ in range(3)):
                    farm.wait_for("the moment", lambda: len(read(self.directory, "journal.ndjson")) >= at or self.ended())
                    board.kill()
                    board.start()
                    board.run(request)
                self.finish(board, request)

    def test_connection_cut(self):
        relay = Relay(self.sshd.port)
        self.addCleanup(relay.stop)
        board = self.maker(port=relay.port, start=False)
        # libssh2 1.10 loses 32 bytes for each read that was under way in a session that died.
        suppressions = builder.put(os.path.join(board.directory, "leaks"), "leak:libssh2_sftp_close_handle\n")
        board.environment.update(LSAN_OPTIONS=f"suppressions={suppressions}", ASAN_OPTIONS="fast_unwind_on_malloc=0")
        board.start()
        self.addCleanup(board.stop)
        chance = random.Random(SEED)
        reconnects = 0
        for turn in range(ROUNDS):
            with self.subTest(seed=SEED, round=turn):
                request = self.fresh()
                relay.cut_at([chance.randrange(20000) for _ in range(2)] + [chance.randrange(20000, BIG) for _ in range(3)])
                self.directory = board.run(request)
                reconnects += len(of(self.finish(board, request), "reconnected"))
        self.assertGreater(reconnects, ROUNDS, "the cuts hit nothing")

    def worker(self, request, leg):
        return int(read(f"{self.root}/runs/{request['run']}.1.{leg}", "lock") or 0)

    def test_agent_killed(self):
        board = self.maker()
        chance = random.Random(SEED)
        legs = 0
        for turn in range(ROUNDS):
            with self.subTest(seed=SEED, round=turn):
                request = self.fresh()
                self.directory = board.run(request)
                at = chance.randrange(len(builder.steps()))
                farm.wait_for("the step", lambda: len(of(journal(self.directory), "test-started")) > at or self.ended())
                pid = self.worker(request, 1)
                if pid and not self.ended():
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
                legs += len(of(self.finish(board, request), "leg"))
        self.assertGreater(legs, ROUNDS, "nobody was killed")


if __name__ == "__main__":
    print(f"COHORT_SEED={SEED}")
    unittest.main()
