"""cohort-agent, from outside: requests in, journals out (docs/WIRE.md, sections 1 to 3)."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

BUILD = os.environ.get("COHORT_BUILD", "build/dev")
AGENT = os.path.abspath(os.path.join(BUILD, "agent", "cohort-agent"))
DEADLINE_S = 60
ENV = dict(os.environ, COHORT_NO_KMSG="1")


def sh(script, **fields):
    """One planned test that is a shell script."""
    return plan(["/bin/sh", "-c", script], **fields)


def py(script, **fields):
    return plan([sys.executable, "-S", "-c", script], **fields)


def plan(argv, **fields):
    test = {"id": 0, "name": "t", "rep": 1, "argv": argv, "time_limit_s": 30}
    test.update(fields)
    return test


def request(*tests, **fields):
    doc = {"v": 1, "run": 12, "attempt": 1, "leg": 1, "fence": 7,
           "limits": {"memory_mib": 256, "output_bytes": 1 << 20}, "tests": list(tests)}
    doc.update(fields)
    return doc


def numbered(tests):
    return [dict(test, id=i, name="t%d" % i) for i, test in enumerate(tests)]


def read(path):
    """What is in the file; nothing when it is not there."""
    try:
        with open(path, encoding="utf-8") as f:
            return f.read()
    except OSError:
        return ""


class AgentCase(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="cohort-agent-")
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)

    def agent(self, *args, **kwargs):
        return subprocess.run([AGENT, *args], capture_output=True, timeout=DEADLINE_S, env=ENV, check=False,
                              **kwargs)

    def start(self, doc, *args):
        text = doc if isinstance(doc, bytes) else json.dumps(doc).encode()
        done = self.agent("run", "--root", self.root, *args, input=text)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        return done.returncode, lines[0], lines[1:]

    def run_all(self, *tests, **fields):
        """Run to the end; the events by kind."""
        rc, answer, events = self.start(request(*numbered(tests), **fields), "--follow")
        self.assertEqual((rc, answer.get("ok")), (0, True), answer)
        self.assertEqual(events[0]["ev"], "agent-started")
        self.assertEqual(events[-1]["ev"], "agent-finished")
        return events

    def one(self, test, **fields):
        """Run one test; its test-finished and all events."""
        events = self.run_all(test, **fields)
        finished = [e for e in events if e["ev"] == "test-finished"]
        self.assertEqual(len(finished), 1)
        return finished[0], events

    def follow(self, leg="12.1.1", offset=0):
        return self.agent("follow", "--root", self.root, "--run", leg, "--from", str(offset))

    def wait_for(self, what, probe):
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            value = probe()
            if value:
                return value
            time.sleep(0.005)
        return self.fail("waited in vain: " + what)

    def journal(self, leg="12.1.1"):
        path = os.path.join(self.root, "runs", leg, "journal.ndjson")
        with open(path, "rb") as f:
            data = f.read()
        return [json.loads(line) for line in data[:data.rfind(b"\n") + 1].splitlines()]

    def event(self, kind, leg="12.1.1"):
        return self.wait_for(kind, lambda: next((e for e in self.journal(leg) if e["ev"] == kind), None))


class Verdicts(AgentCase):
    def test_exit_codes_speak_without_a_result_line(self):
        events = self.run_all(*[sh("exit %d" % code) for code in (0, 1, 4, 2, 77)])
        finished = [e for e in events if e["ev"] == "test-finished"]
        self.assertEqual([e["verdict"] for e in finished], ["pass", "fail", "skip", "error", "error"])
        self.assertEqual([e["exit_code"] for e in finished], [0, 1, 4, 2, 77])
        self.assertEqual([e["id"] for e in finished], [0, 1, 2, 3, 4])
        self.assertEqual(events[-1]["tests"], 5)
        self.assertEqual(events[-1]["outcome"], "complete")

    def test_a_result_line_speaks_louder_than_the_exit_code(self):
        line = {"type": "result", "test": "t0", "verdict": "fail", "reason": None, "detail": "2 stale words",
                "trials": 10, "bad": 2, "duration_us": 5}
        end, events = self.one(sh("echo '%s'" % json.dumps(line)))
        self.assertEqual((end["verdict"], end["detail"], end["trials"], end["bad"], end["exit_code"]),
                         ("fail", "2 stale words", 10, 2, 0))
        self.assertEqual([e["record"] for e in events if e["ev"] == "test-record"], [line])

    def test_a_long_name_that_is_no_program_is_named(self):
        """What is shown of it is cut, here inside a character."""
        events = self.run_all(*[plan(["/" + "x" * shift + "\u00e9" * 200]) for shift in (0, 1)])
        ends = [e for e in events if e["ev"] == "test-finished"]
        self.assertEqual([(e["id"], e["verdict"], e["reason"]) for e in ends], [(i, "error", "exec-failed") for i in (0, 1)])
        for end in ends:
            self.assertIn("\u00e9\u00e9", end["detail"])

    def test_a_signal_outranks_what_was_printed(self):
        line = '{"type":"result","test":"t0","verdict":"pass","reason":null}'
        end, _ = self.one(sh("echo '%s'; kill -SEGV $$" % line))
        self.assertEqual((end["verdict"], end["reason"], end["signal"]), ("error", "signal:11", 11))

    def test_records_that_break_the_rules_are_errors(self):
        bad = ['{"type":"result","verdict":"great"}', '{"type":"result","verdict":"missing"}',
               '{"type":"result","verdict":"skip","reason":"lazy"}', '{"type":"result"}',
               '{"type":"result","verdict":"pass"}\n{"type":"result","verdict":"pass"}']
        events = self.run_all(*[sh("printf '%%s\\n' '%s'" % b) for b in bad])
        finished = [e for e in events if e["ev"] == "test-finished"]
        self.assertEqual([(e["verdict"], e["reason"]) for e in finished], [("error", "bad-record")] * 5)

    def test_skip_reasons_and_unknown_records(self):
        end, events = self.one(sh("""echo '{"type":"gossip"}'; echo '{"type":"value","name":"a","value":1}x'
            echo '{"type":"result","verdict":"skip","reason":"noconfig"}'; exit 4"""))
        self.assertEqual((end["verdict"], end["reason"]), ("skip", "noconfig"))
        self.assertEqual("\n".join(e["text"] for e in events if e["ev"] == "test-output"),
                         '{"type":"gossip"}\n{"type":"value","name":"a","value":1}x')

    def test_a_program_that_is_not_there(self):
        end, _ = self.one(plan(["/no/such/program"]))
        self.assertEqual((end["verdict"], end["reason"]), ("error", "exec-failed"))
        self.assertIn("/no/such/program: No such file", end["detail"])
        self.assertNotIn("exit_code", end)

    def test_an_empty_program_is_no_script_that_passes(self):
        path = os.path.join(self.root, "empty")
        with open(path, "w", encoding="ascii"):
            pass
        os.chmod(path, 0o755)
        end, _ = self.one(plan([path]))
        self.assertEqual((end["verdict"], end["reason"]), ("error", "exec-failed"))
        self.assertIn("Exec format error", end["detail"])

    def test_environment_directory_and_group(self):
        end, events = self.one(sh("echo $COHORT_RUN $COHORT_TEST $COHORT_DEVICE $COHORT_MAKE_JOBS $COHORT_BENCH_MS $COHORT_ITERATIONS $COHORT_ROOT; pwd; ls -A; ps -o pgid= -p $$; echo $$; "
                                  "readlink /proc/self/fd/0; ls /proc/$$/fd | tr '\\n' ' '"), device="/dev/x", make_jobs=3, bench_ms=20, iterations=7)
        text = "\n".join(e["text"] for e in events if e["ev"] == "test-output").split("\n")
        self.assertEqual(text[0], f"12 t0 /dev/x 3 20 7 {self.root}")
        self.assertEqual(text[1], os.path.join(self.root, "runs/12.1.1/work/0"))
        self.assertEqual(text[2].strip(), text[3])
        self.assertEqual(text[4], "/dev/null")
        self.assertEqual(text[5].split()[:3], ["0", "1", "2"])
        self.assertEqual(end["verdict"], "pass")
        self.assertFalse(os.path.exists(os.path.join(self.root, "runs/12.1.1/work")))


class Output(AgentCase):
    def test_text_of_any_bytes_arrives_in_order_on_its_stream(self):
        _, events = self.one(py(r"import os; os.write(1, b'a\xff\x00b\r\n\xc3\xa9 end'); os.write(2, b'oops\n')"))
        out = [(e["stream"], e["text"]) for e in events if e["ev"] == "test-output"]
        self.assertEqual(sorted(out), [("err", "oops"), ("out", "a\ufffd\ufffdb"), ("out", "\u00e9 end")])

    def test_a_flood_is_cut_at_the_limit(self):
        end, events = self.one(sh("yes flood"), limits={"memory_mib": 64, "output_bytes": 100000})
        self.assertEqual((end["verdict"], end["reason"]), ("error", "output-limit"))
        text = "\n".join(e["text"] for e in events if e["ev"] == "test-output")
        self.assertLessEqual(len(text), 100000)
        self.assertGreater(len(text), 99990)
        self.assertGreater(end["dropped_bytes"], 0)
        self.assertTrue(all(len(e["text"].encode()) <= 4096 for e in events if e["ev"] == "test-output"))

    def test_empty_lines_do_not_make_the_journal_grow(self):
        self.one(py("import os; os.write(1, b'\\n' * 900000)"), limits={"memory_mib": 64, "output_bytes": 1 << 20})
        size = os.path.getsize(os.path.join(self.root, "runs/12.1.1/journal.ndjson"))
        self.assertLess(size, 4 << 20)

    def test_a_line_without_end_is_cut_and_counted(self):
        end, events = self.one(py("import os; os.write(1, b'x' * 40000 + b'\\nnext\\n')"))
        text = [e["text"] for e in events if e["ev"] == "test-output"]
        self.assertEqual(("".join(text)), "x" * 16384 + "next")
        self.assertEqual(end["dropped_bytes"], 40000 - 16384)
        self.assertEqual(end["verdict"], "pass")

    def test_a_record_of_sixteen_kib_passes_whole(self):
        filler = "y" * (16384 - 40)
        line = '{"type":"env","filler":"%s"}' % filler
        self.assertLessEqual(len(line), 16384)
        _, events = self.one(py("print('{\"type\":\"env\",\"filler\":\"' + 'y' * %d + '\"}')" % len(filler)))
        self.assertEqual([e["record"]["filler"] for e in events if e["ev"] == "test-record"], [filler])


class Limits(AgentCase):
    def alive(self, marker):
        """Processes whose command line has the marker."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/cmdline" % pid, "rb") as f:
                    line = f.read()
            except OSError:
                continue
            if marker.encode() in line and int(pid) != os.getpid() and b"cohort-agent" not in line:
                found.append(int(pid))
        return found

    def test_time_limit_ends_the_group_politely_then_not(self):
        events = self.run_all(sh("trap 'echo bye; exit 0' TERM; while :; do sleep 0.01; done", time_limit_s=1),
                              sh("trap '' TERM; while :; do sleep 0.01; done", time_limit_s=1))
        first, second = [e for e in events if e["ev"] == "test-finished"]
        self.assertEqual((first["verdict"], first["reason"]), ("error", "timeout"))
        self.assertIn("bye", [e["text"] for e in events if e["ev"] == "test-output"])
        self.assertGreaterEqual(first["duration_us"], 1000000)
        self.assertLess(first["duration_us"], 2500000)
        self.assertEqual((second["reason"], second["signal"]), ("timeout", 9))
        self.assertGreaterEqual(second["duration_us"], 3000000)

    def test_memory_hog(self):
        end, _ = self.one(py("a = []\nwhile True: a.append(bytearray(b'x' * (1 << 20)))"),
                          limits={"memory_mib": 40, "output_bytes": 100000})
        self.assertEqual((end["verdict"], end["reason"]), ("error", "memory-limit"))
        # Whoever looks may come late on a busy machine; then the bound on a process's data holds.
        self.assertLess(end["max_rss_kib"], (2 * 40 + 256 + 64) * 1024)

    def test_memory_of_many_processes_counts_together(self):
        hog = "import time; a = bytearray(b'x' * (12 << 20)); time.sleep(60)"
        script = "for i in 1 2 3 4 5; do %s -S -c \"%s\" & done; wait" % (sys.executable, hog)
        end, _ = self.one(sh(script), limits={"memory_mib": 48, "output_bytes": 100000})
        self.assertEqual((end["verdict"], end["reason"]), ("error", "memory-limit"))

    def test_processes_that_multiply_and_leave_the_group_are_gone(self):
        marker = "cohort-bomb-%d" % os.getpid()
        bomb = ("import os, sys, time\n"
                "for i in range(30):\n"
                "    if os.fork() == 0:\n"
                "        if i % 2: os.setsid()\n"
                "        if os.fork() == 0: time.sleep(300)\n"
                "        os._exit(0) if i % 3 else time.sleep(300)\n"
                "print('up', flush=True); time.sleep(300)\n")
        end, _ = self.one(plan([sys.executable, "-S", "-c", bomb, marker], time_limit_s=2))
        self.assertEqual(end["reason"], "timeout")
        self.assertEqual(self.alive(marker), [])

    def test_a_grandchild_that_holds_the_pipe_does_not_hold_the_test(self):
        marker = "cohort-holder-%d" % os.getpid()
        holder = "import os, time; os.setsid(); time.sleep(300)"
        start = time.monotonic()
        end, events = self.one(sh("%s -S -c '%s' %s & echo done" % (sys.executable, holder, marker)))
        self.assertEqual(end["verdict"], "pass")
        self.assertIn("done", [e["text"] for e in events if e["ev"] == "test-output"])
        self.assertLess(time.monotonic() - start, 20)
        self.assertEqual(self.alive(marker), [])


class Requests(AgentCase):
    def refused(self, doc):
        rc, answer, _ = self.start(doc)
        self.assertEqual((rc, answer["ok"]), (1, False), answer)
        return answer["error"]

    def test_each_bad_request_names_what_is_wrong(self):
        good = request(sh("true"))
        test = good["tests"][0]
        cases = [
            (b"", "request"), (b"[]", "must be an object"), (b"{", "line 1"), (b'{"v":1}x', "request"),
            (b"\xff", "request"), (b'{"v":1,"v":1}', "duplicate"), (b"[" * 40, "32 levels"),
            (dict(good, v=2), "/v"), (dict(good, run="12"), "/run: must be an integer"),
            (dict(good, run=0), "/run"), (dict(good, attempt=None), "/attempt: is required"),
            (dict(good, leg=-1), "/leg"), (dict(good, fence=1.5), "/fence"),
            (dict(good, tests=[]), "/tests"), (dict(good, tests={}), "/tests: must be an array"),
            (dict(good, tests=[1]), "/tests/0: must be an object"),
            (dict(good, limits={"memory_mib": 0}), "/limits/memory_mib"),
            (dict(good, limits={"output_bytes": "many"}), "/limits/output_bytes"),
            (dict(good, tests=[dict(test, id=-1)]), "/tests/0/id"),
            (dict(good, tests=[test, test]), "/tests: two tests have the id 0"),
            (dict(good, tests=[dict(test, name="../x")]), "/tests/0/name"),
            (dict(good, tests=[dict(test, argv=[])]), "/tests/0/argv"),
            (dict(good, tests=[dict(test, argv="ls")]), "/tests/0/argv"),
            (dict(good, tests=[dict(test, argv=["ls", 1])]), "/tests/0/argv/1"),
            (dict(good, tests=[dict(test, time_limit_s=0)]), "/tests/0/time_limit_s"),
            (b" " * ((4 << 20) + 1), "larger than"),
        ]
        for doc, words in cases:
            with self.subTest(doc=str(doc)[:80]):
                self.assertIn(words, self.refused(doc))
        self.assertFalse(os.path.exists(os.path.join(self.root, "runs")))

    def test_unknown_fields_are_ignored(self):
        rc, answer, _ = self.start(dict(request(sh("true")), later={"x": 1}), "--follow")
        self.assertEqual((rc, answer["ok"]), (0, True))

    def test_the_same_request_joins_and_another_is_refused(self):
        doc = request(sh("echo once >> %s/ran; while [ ! -e %s/go ]; do sleep 0.01; done" % (self.root, self.root)))
        self.assertEqual(self.start(doc)[0], 0)
        self.event("test-started")
        rc, answer, _ = self.start(doc)
        self.assertEqual((rc, answer["ok"]), (0, True))
        self.assertIn("another request", self.refused(dict(doc, tests=[sh("true")])))
        open(os.path.join(self.root, "go"), "w").close()
        rc, _, events = self.start(doc, "--follow")
        self.assertEqual((rc, events[-1]["outcome"]), (0, "complete"))
        with open(os.path.join(self.root, "ran"), encoding="ascii") as f:
            self.assertEqual(f.read(), "once\n")

    def test_a_stale_fence_is_refused(self):
        self.assertEqual(self.start(request(sh("true"), fence=7), "--follow")[0], 0)
        self.assertEqual(self.refused(request(sh("true"), fence=6, run=13)), "stale fence 6: 7 was seen")
        self.assertEqual(self.refused(request(sh("true"), fence=6)), "%s is there for another request"
                         % os.path.join(self.root, "runs/12.1.1"))
        self.assertFalse(os.path.exists(os.path.join(self.root, "runs/13.1.1")))

    def test_a_later_leg_ends_the_worker_before_it(self):
        self.assertEqual(self.start(request(sh("sleep 300")))[0], 0)
        self.event("test-started")
        rc, _, events = self.start(request(sh("true"), run=13, fence=8), "--follow")
        self.assertEqual((rc, events[-1]["outcome"]), (0, "complete"))
        self.assertEqual(self.journal("12.1.1")[-1]["outcome"], "cancelled")

    def test_a_root_that_cannot_be_written_is_an_answer(self):
        with open(os.path.join(self.root, "runs"), "w", encoding="ascii"):
            pass
        self.assertIn("Not a directory", self.refused(request(sh("true"))))


class Following(AgentCase):
    def test_from_an_offset_in_the_middle(self):
        self.start(request(*numbered([sh("echo hello")] * 3)), "--follow")
        whole = self.follow()
        self.assertEqual(whole.returncode, 0)
        offset = 0
        for line in whole.stdout.splitlines(keepends=True):
            offset += len(line)
            rest = self.follow(offset=offset)
            self.assertEqual((rest.returncode, rest.stdout), (0, whole.stdout[offset:]))
        beyond = self.follow(offset=offset + 1)
        self.assertEqual(beyond.returncode, 1)
        self.assertIn(b"--from", beyond.stderr)

    def test_no_such_leg(self):
        self.assertEqual(self.follow("99.1.1").returncode, 4)
        self.assertEqual(self.agent("cancel", "--root", self.root, "--run", "99.1.1").returncode, 4)
        self.assertEqual(self.follow("../../etc").returncode, 1)
        self.assertEqual(self.follow("012.1.1").returncode, 1)

    def test_a_killed_worker_is_told_and_a_test_does_not_outlive_it(self):
        self.start(request(sh("sleep 300")))
        pid = self.event("agent-started")["pid"]
        self.event("test-started")
        with subprocess.Popen([AGENT, "follow", "--root", self.root, "--run", "12.1.1"],
                              stdout=subprocess.PIPE) as follower:
            self.wait_for("the follower's first line", follower.stdout.readline)
            os.kill(pid, signal.SIGKILL)
            self.assertEqual(follower.wait(DEADLINE_S), 3)
        self.assertEqual(self.follow().returncode, 3)
        rc, answer, _ = self.start(request(sh("sleep 300")))
        self.assertEqual((rc, answer["ok"]), (0, True))
        self.assertEqual(self.follow().returncode, 3)

    def test_what_a_killed_worker_left_ends_with_the_next_leg(self):
        marker = os.path.join(self.root, "pid")
        doc = request(sh("setsid sh -c 'echo $$ > %s; exec sleep 300' & sleep 300" % marker))
        self.start(doc)
        pid = self.event("agent-started")["pid"]
        left = int(self.wait_for("the leftover", lambda: read(marker).strip()))
        os.kill(pid, signal.SIGKILL)
        self.assertEqual(self.follow().returncode, 3)
        rc, _, events = self.start(dict(doc, leg=2, tests=[sh("true")]), "--follow")
        self.assertEqual((rc, events[-1]["outcome"]), (0, "complete"))
        self.wait_for("the end of the leftover", lambda: read("/proc/%d/stat" % left).split()[2:3] in ([], ["Z"]))

    def test_a_torn_last_line_is_not_passed_on(self):
        self.start(request(sh("true")), "--follow")
        path = os.path.join(self.root, "runs/12.1.1/journal.ndjson")
        with open(path, "rb") as f:
            lines = f.read().splitlines(keepends=True)
        with open(path, "wb") as f:
            f.write(b"".join(lines[:-1]) + lines[-1][:20])
        done = self.follow()
        self.assertEqual((done.returncode, done.stdout), (3, b"".join(lines[:-1])))

    def test_a_follower_ends_when_its_reader_is_gone(self):
        self.start(request(sh("sleep 300")))
        self.event("test-started")
        with subprocess.Popen([AGENT, "follow", "--root", self.root, "--run", "12.1.1"],
                              stdout=subprocess.PIPE) as follower:
            follower.stdout.readline()
            follower.stdout.close()
            self.assertEqual(follower.wait(DEADLINE_S), 5)
        self.agent("cancel", "--root", self.root, "--run", "12.1.1")
        self.event("agent-finished")

    def test_run_with_follow_that_is_killed_leaves_the_worker_running(self):
        go = os.path.join(self.root, "go")
        doc = request(sh("while [ ! -e %s ]; do sleep 0.01; done; echo survived" % go))
        with subprocess.Popen([AGENT, "run", "--root", self.root, "--follow"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, env=ENV, start_new_session=True) as run:
            run.stdin.write(json.dumps(doc).encode())
            run.stdin.close()
            while b"test-started" not in run.stdout.readline():
                pass
            os.killpg(run.pid, signal.SIGHUP)
            run.wait(DEADLINE_S)
        open(go, "w").close()
        done = self.follow()
        self.assertEqual(done.returncode, 0)
        self.assertIn(b"survived", done.stdout)


class Cancelling(AgentCase):
    def test_cancel_ends_the_running_test_and_skips_the_rest(self):
        self.start(request(*numbered([sh("sleep 300"), sh("true")])))
        self.event("test-started")
        self.assertEqual(self.agent("cancel", "--root", self.root, "--run", "12.1.1").returncode, 0)
        end = self.event("agent-finished")
        self.assertEqual((end["outcome"], end["tests"]), ("cancelled", 1))
        self.assertEqual([e["reason"] for e in self.journal() if e["ev"] == "test-finished"], ["cancelled"])
        self.assertEqual(self.agent("cancel", "--root", self.root, "--run", "12.1.1").returncode, 0)

    def test_clean_refuses_a_living_leg_and_removes_a_finished_one(self):
        self.start(request(sh("sleep 300")))
        self.event("test-started")
        clean = ("clean", "--root", self.root, "--run", "12.1.1")
        done = self.agent(*clean)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"alive", done.stderr)
        self.agent("cancel", "--root", self.root, "--run", "12.1.1")
        self.event("agent-finished")
        self.wait_for("the lock", lambda: self.agent(*clean).returncode == 0)
        self.assertFalse(os.path.exists(os.path.join(self.root, "runs/12.1.1")))
        self.assertEqual(self.agent(*clean).returncode, 0)


class Machine(AgentCase):
    def test_facts_are_this_machine(self):
        facts = json.loads(self.agent("facts").stdout)
        self.assertEqual(facts["release"], os.uname().release)
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as f:
            self.assertEqual(facts["boot_id"], f.read().strip())
        self.assertEqual(facts["page_size"], os.sysconf("SC_PAGESIZE"))
        self.assertEqual(facts["cpus"], os.sysconf("SC_NPROCESSORS_ONLN"))
        self.assertEqual(set(facts), {"release", "version", "machine", "build_id", "boot_id", "cmdline", "cache_line",
                                      "cache", "cpu", "cpus", "memory_kib", "page_size", "uptime_us", "agent", "arch"})
        with open("/sys/kernel/notes", "rb") as f:
            notes = f.read().hex()
        if facts["build_id"]:
            self.assertIn("474e5500" + facts["build_id"], notes)

    def test_sha256(self):
        done = self.agent("sha256", AGENT, os.path.join(self.root, "nothing"))
        want = subprocess.run(["sha256sum", AGENT], capture_output=True, check=True).stdout
        self.assertEqual(done.stdout, want + b"-  %s/nothing\n" % self.root.encode())
        self.assertEqual(done.returncode, 0)

    def test_usage(self):
        for args in ([], ["dance"], ["run"], ["run", "--root", "relative"], ["follow", "--root", "/x"],
                     ["follow", "--root", "/x", "--run", "1.1.1", "--from", "-1"], ["facts", "more"]):
            done = self.agent(*args, input=b"")
            self.assertEqual(done.returncode, 2, args)
            self.assertIn(b"usage:", done.stderr)


class Kills(AgentCase):
    """Each planned test is finished exactly once over all legs, whenever the worker is killed."""

    ROUNDS = 100
    TESTS = 6

    def test_seeded_kills(self):
        seed = int(os.environ.get("COHORT_SEED", "0")) or int.from_bytes(os.urandom(4), "big")
        print("seed %d" % seed, file=sys.stderr)
        dice = random.Random(seed)
        for number in range(1, self.ROUNDS + 1):
            with self.subTest(seed=seed, round=number):
                self.one_round(number, dice)

    def one_round(self, run, dice):
        ran = os.path.join(self.root, "ran-%d" % run)
        left = numbered([sh("echo %d >> %s; exec sleep 0.00%d" % (i, ran, dice.randrange(1, 10)))
                         for i in range(self.TESTS)])
        finished = []
        for leg in range(1, 50):
            doc = request(*left, run=run, leg=leg, fence=run)
            kill_at = dice.uniform(0, 0.03) if leg < 5 else None
            events = self.one_leg(doc, kill_at)
            finished += [e["id"] for e in events if e["ev"] == "test-finished"]
            left = [t for t in left if t["id"] not in finished]
            if not left:
                break
        self.assertEqual(sorted(finished), list(range(self.TESTS)))

    def one_leg(self, doc, kill_at):
        """The leg's whole journal, put together from two followers with a cut in between."""
        name = "%d.1.%d" % (doc["run"], doc["leg"])
        self.assertEqual(self.start(doc)[1]["ok"], True)
        pid = self.event("agent-started", name)["pid"]
        with subprocess.Popen([AGENT, "follow", "--root", self.root, "--run", name],
                              stdout=subprocess.PIPE) as follower:
            if kill_at is not None:
                threading.Event().wait(kill_at)
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            data = follower.stdout.read()
            code = follower.wait(DEADLINE_S)
        events = [json.loads(line) for line in data.splitlines()]
        self.assertEqual(code, 0 if events[-1]["ev"] == "agent-finished" else 3)
        cut = data.rfind(b"\n", 0, len(data) // 2) + 1
        again = self.follow(name, cut)
        self.assertEqual((again.returncode, again.stdout), (code, data[cut:]))
        return events


@unittest.skipUnless(os.geteuid() == 0, "puts a pipe in the place of /dev/kmsg, which takes root")
class Oops(AgentCase):
    """A kernel's log of the tests' own: in the agent's mount namespace, /dev/kmsg is a pipe that its tests write to."""

    OOPS = "printf '0,1,5000,-;Internal error: Oops: 17 [#1] ARM\\n' >/dev/kmsg"

    def agent(self, *args, **kwargs):
        pipe = os.path.join(self.root, "kmsg")
        if not os.path.exists(pipe):
            os.mkfifo(pipe)
        return subprocess.run(["unshare", "-m", "sh", "-c", 'mount --bind "$1" /dev/kmsg && shift && exec "$@"', "sh", pipe, AGENT, *args],
                              capture_output=True, timeout=DEADLINE_S, env=ENV, check=False, **kwargs)

    def verdicts(self, events):
        return [(e["id"], e["verdict"]) for e in events if e["ev"] == "test-finished"]

    def test_stops_behind_the_test_with_the_oops(self):
        events = self.run_all(sh("true"), sh(self.OOPS), sh("true"), stop_on_oops=True)
        self.assertEqual(self.verdicts(events), [(0, "pass"), (1, "pass")])
        self.assertEqual([(e["id"], e["kind"]) for e in events if e["ev"] == "kernel-warning"], [(1, "oops")])
        self.assertEqual((events[-1]["outcome"], events[-1]["tests"]), ("stopped", 2))

    def test_goes_on_when_not_asked_to_stop(self):
        events = self.run_all(sh(self.OOPS), sh("true"))
        self.assertEqual(self.verdicts(events), [(0, "pass"), (1, "pass")])
        self.assertEqual(events[-1]["outcome"], "complete")

    def test_a_leg_with_nothing_left_is_complete(self):
        events = self.run_all(sh(self.OOPS), stop_on_oops=True)
        self.assertEqual(events[-1]["outcome"], "complete")


if __name__ == "__main__":
    unittest.main()
