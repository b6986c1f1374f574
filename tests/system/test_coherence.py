"""coherence from the outside, on this machine: what it prints, how it ends, and what it leaves behind when killed.

This machine's caches are coherent, so contract tests pass or skip here. What needs root (frame numbers, loop devices)
is skipped without it, and says so."""

import collections
import fcntl
import functools
import json
import os
import random
import signal
import subprocess
import unittest

from farm import BUILD, TOP, children_of, wait_for

COHERENCE = os.path.join(BUILD, "jobs/coherence/coherence")
# As it goes to boards, where ./check has built it: the self-check alone takes over a minute with the sanitizers, under which
# the tests themselves run here anyway.
PLAIN = os.path.join(TOP, "build/agent-native/jobs/coherence/coherence")
WORDS = {"noconfig", "nodev", "noperm", "nosys", "old-kernel", "no-memory", "not-applicable"}
SEED = int(os.environ.get("COHORT_SEED", "0")) or random.randrange(1, 1 << 31)
KILL_ROUNDS = 40
KSM_SLEEP = "/sys/kernel/mm/ksm/sleep_millisecs"


def coherence(*args, env=None, preexec=None, program=COHERENCE):
    return subprocess.run([program, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=600,
                          env={**os.environ, **(env or {})}, check=False, preexec_fn=preexec)


@functools.cache
def core_set():
    """One run of all core tests, for those who look at it; with the sanitizers it takes long."""
    return coherence("run", "--iterations", "1", "--seed", "7")


def lines_of(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def listed():
    return {test["name"]: test for test in json.loads(coherence("list", "--json").stdout)["tests"]}


def names_of(wanted_set):
    return [name for name, test in listed().items() if test["set"] == wanted_set]


def read_setting(path):
    with open(path, encoding="ascii") as file:
        return file.read().strip()


def write_setting(path, value):
    with open(path, "w", encoding="ascii") as file:
        file.write(value)


def loops_of(pids):
    """Loop devices over files of runs with these PIDs; other runs may be going on on this machine."""
    labels = [f"cohort-coherence-{pid} " for pid in pids]
    found = []
    for name in os.listdir("/sys/block"):
        try:
            with open(f"/sys/block/{name}/loop/backing_file", encoding="utf-8", errors="replace") as file:
                backing = file.read() + " "
                if any(label in backing for label in labels):
                    found.append(name)
        except OSError:
            continue
    return found


class Table(unittest.TestCase):
    def test_list(self):
        document = json.loads(coherence("list", "--json").stdout)
        self.assertEqual(document["suite"], "coherence")
        names = [test["name"] for test in document["tests"]]
        core = names_of("core")
        self.assertEqual((core[:2], core[-1]), (["dio-read-anon", "dio-read-mapped"], "jit-control"))
        self.assertEqual(names[-len(names_of("bench")):], names_of("bench"))
        for test in document["tests"]:
            self.assertIn(test["kind"], ("contract", "gap", "info"))
            self.assertIn(test["set"], ("core", "extended", "bench"))
            self.assertEqual(len(set(test["cells"])), len(test["cells"]))
            self.assertLessEqual(set(test["gap_cells"]), set(test["cells"]))
        text = coherence("list")
        self.assertEqual([line.split()[0] for line in text.stdout.splitlines()], names)

    def test_matrix(self):
        cells = listed()["dio-read-anon"]["cells"]
        want = [f"u={u},k={k},delta={d}" for u in ("absent", "clean", "dirty") for k in ("absent", "clean")
                for d in range(4)]
        self.assertEqual(cells, want)

    def test_usage(self):
        for args in ([], ["no-such"], ["run", "--iterations", "-1", "jit-control"], ["run", "--iterations", "x"],
                     ["run", "--seed", "4294967296"], ["run", "no-such-test"], ["run", "--nonsense"], ["list", "x"]):
            done = coherence(*args)
            self.assertEqual(done.returncode, 64, args)
            self.assertEqual(done.stdout, "", args)
            self.assertNotEqual(done.stderr, "", args)
        self.assertIn("no-such-test", coherence("run", "no-such-test").stderr)
        done = coherence("run", "jit-control", env={"COHORT_BENCH_MS": "soon"})
        self.assertEqual((done.returncode, done.stdout), (64, ""))
        self.assertIn("COHORT_BENCH_MS: not a number up to 60000: soon", done.stderr)

    def test_env(self):
        done = coherence("env")
        self.assertEqual(done.returncode, 0)
        record = json.loads(done.stdout)
        self.assertEqual(record["type"], "env")
        self.assertEqual(record["uname"]["release"], os.uname().release)
        self.assertIn(record["dcache_by_timing"]["allocation"], ("read", "read-write", "unknown"))

    def test_document(self):
        """docs/TESTS.md is what the table says: jobs/coherence/make-doc PROGRAM >docs/TESTS.md."""
        done = subprocess.run([os.path.join(TOP, "jobs/coherence/make-doc"), COHERENCE], stdout=subprocess.PIPE, text=True, check=True)
        with open(os.path.join(TOP, "docs/TESTS.md"), encoding="utf-8") as file:
            self.assertEqual(file.read(), done.stdout)


class Run(unittest.TestCase):
    def check_result(self, records, name):
        """The lines of one test: every planned cell once, the result last, and nothing that contradicts itself."""
        row = listed()[name]
        self.assertEqual([r["type"] for r in records].count("result"), 1)
        result = records[-1]
        self.assertEqual((result["type"], result["test"], result["kind"]), ("result", name, row["kind"]))
        cells = [r for r in records if r["type"] == "cell"]
        self.assertEqual([r["cell"] for r in cells], row["cells"])
        for cell in cells:
            self.assertEqual(cell["kind"] == "gap", cell["cell"] in row["gap_cells"])
            if cell["verdict"] == "skip":
                self.assertIn(cell["reason"], WORDS, cell)
                self.assertEqual(cell["trials"], 0)
            else:
                self.assertGreater(cell["trials"], 0, cell)
        return result

    def test_every_test(self):
        done = core_set()
        records = lines_of(done)
        self.assertTrue(all(len(line) <= 16384 for line in done.stdout.splitlines()))
        by_test = collections.defaultdict(list)
        for record in records:
            by_test[record["test"]].append(record)
        self.assertEqual(set(by_test), set(names_of("core")))
        for name, rows in by_test.items():
            result = self.check_result(rows, name)
            self.assertIn(result["verdict"], ("pass", "skip"), result)
            if result["verdict"] == "skip":
                self.assertIn(result["reason"], WORDS)
                self.assertNotEqual(result["detail"], "")
        skipped = any(rows[-1]["verdict"] == "skip" for rows in by_test.values())
        self.assertEqual(done.returncode, 4 if skipped else 0)

    @unittest.skipUnless(os.geteuid() == 0, "frame numbers need root")
    def test_skips_are_these(self):
        """Nothing hides in a skip: as root only what this machine cannot do is skipped."""
        results = {r["test"]: r for r in lines_of(core_set()) if r["type"] == "result"}
        with open("/proc/misc", encoding="ascii") as file:
            has_dm = "device-mapper" in file.read()
        # This kernel may lack these; compaction may find nothing to move in a large memory.
        may = {"afalg-cipher": "noconfig", "afalg-hash": "noconfig", "compact-migrate": "no-memory"}
        if not has_dm:
            may |= {"dio-read-anon": "noconfig", "dio-read-mapped": "noconfig"}
        for name, result in results.items():
            if result["verdict"] == "skip":
                self.assertEqual(result["reason"], may.get(name), result)
            else:
                self.assertEqual(result["verdict"], "pass", result)

    def test_benchmarks(self):
        """Each cell that ran has its value, with nine samples that it follows from."""
        done = coherence("run", "bench-*", env={"COHORT_BENCH_MS": "1"})
        records = lines_of(done)
        self.assertEqual([r["test"] for r in records if r["type"] == "result"], names_of("bench"))
        values = {(r["test"], r["cell"]): r for r in records if r["type"] == "value"}
        ran = {(r["test"], r["cell"]) for r in records if r["type"] == "cell" and r["verdict"] != "skip"}
        self.assertEqual(set(values), ran)
        self.assertIn(("bench-write-mapped", "map=rw"), ran)
        for record in values.values():
            samples = sorted(record["samples"])
            self.assertEqual((len(samples), record["value"], record["min"]), (9, samples[4], samples[0]), record)
            self.assertEqual(record["mad"], sorted(abs(s - record["value"]) for s in samples)[4])
            self.assertGreater(record["value"], 0)
        for record in records:
            if record["type"] == "result" and record["verdict"] == "inconclusive":
                self.assertEqual(record["reason"], "clock-changed")

    def test_globs_and_exit_code(self):
        done = coherence("run", "--iterations", "1", "jit-*")
        self.assertEqual([r["test"] for r in lines_of(done) if r["type"] == "result"],
                         [name for name in listed() if name.startswith("jit-")])
        self.assertEqual(done.returncode, 0)

    def test_ktap(self):
        done = coherence("run", "--ktap", "--iterations", "1", "jit-cacheflush", "jit-control")
        lines = done.stdout.splitlines()
        self.assertEqual(lines[:2], ["KTAP version 1", "1..2"])
        self.assertEqual([line for line in lines if not line.startswith(" ")][2:],
                         ["ok 1 jit-cacheflush", "ok 2 jit-control"])
        inner = [line for line in lines if line.startswith("  ok") or line.startswith("  not ok")]
        cells = listed()["jit-cacheflush"]["cells"] + listed()["jit-control"]["cells"]
        self.assertEqual([line.split()[2] for line in inner], cells)
        self.assertIn("  # Subtest: jit-control", lines)

    @unittest.skipUnless(os.geteuid() == 0, "only root can become nobody")
    def test_without_root(self):
        def become_nobody():
            os.setgid(65534)
            os.setuid(65534)

        with open(COHERENCE, "rb") as program:  # nobody may not reach the build directory
            path = f"/proc/self/fd/{program.fileno()}"
            done = subprocess.run([path, "run", "--iterations", "1"], stdout=subprocess.PIPE, text=True, timeout=120,
                                  pass_fds=[program.fileno()], check=False, preexec_fn=become_nobody)
        results = {r["test"]: r for r in lines_of(done) if r["type"] == "result"}
        self.assertEqual(set(results), set(names_of("core")))
        for name in ("write-mmap", "mmap-write-read", "fork-cow"):
            self.assertEqual((results[name]["verdict"], results[name]["reason"]), ("skip", "noperm"))
        for name in ("shared-alias", "jit-cacheflush", "jit-control"):
            self.assertEqual(results[name]["verdict"], "pass", results[name])

    def test_full_output(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([COHERENCE, "run", "jit-control"], stdout=full, stderr=subprocess.PIPE, timeout=60,
                                  check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"standard output", done.stderr)


class SelfCheck(unittest.TestCase):
    def test_reporting(self):
        done = coherence("selftest", program=PLAIN if os.path.exists(PLAIN) else COHERENCE)
        self.assertEqual(done.returncode, 0, done.stdout)
        lines = done.stdout.splitlines()
        self.assertTrue(all(line.startswith("ok - ") for line in lines), done.stdout)
        ran = [line for line in lines if "# SKIP" not in line]
        self.assertIn("ok - jit-cacheflush: another number is what the test says", ran)
        self.assertGreaterEqual(len(ran), 33 if os.geteuid() == 0 else 9)

    def test_never_in_a_job(self):
        done = coherence("selftest", env={"COHORT_RUN": "1"})
        self.assertEqual((done.returncode, done.stdout), (64, ""))


@unittest.skipUnless(os.geteuid() == 0, "loop devices need root")
class Killed(unittest.TestCase):
    def start(self, *args):
        return subprocess.Popen([COHERENCE, "run", *args], stdout=subprocess.PIPE, start_new_session=True)

    def test_test_process_killed(self):
        """SIGKILL to the test's own process: an error that names the cell, a clean machine, and the run goes on."""
        process = self.start("--iterations", "50", "write-mmap", "jit-control")
        child = wait_for("the test's process", lambda: children_of(process.pid))[0]
        wait_for("its loop device", lambda: loops_of([process.pid]) or process.poll() is not None)
        os.kill(child, signal.SIGKILL)
        out, _ = process.communicate(timeout=60)
        results = [json.loads(line) for line in out.splitlines() if b'"type":"result"' in line]
        self.assertEqual([r["test"] for r in results], ["write-mmap", "jit-control"])
        self.assertEqual((results[0]["verdict"], results[0]["reason"]), ("error", "signal"))
        self.assertIn("signal 9 in cell ", results[0]["detail"])
        self.assertEqual(results[1]["verdict"], "pass")
        self.assertEqual(loops_of([process.pid]), [])

    def test_asked_to_end(self):
        process = self.start("--iterations", "1000", "write-mmap", "jit-control")
        wait_for("the test's process", lambda: children_of(process.pid))
        process.terminate()
        out, _ = process.communicate(timeout=60)
        results = [json.loads(line) for line in out.splitlines() if b'"type":"result"' in line]
        self.assertEqual([(r["test"], r["verdict"]) for r in results], [("write-mmap", "error")])
        self.assertEqual(process.returncode, 2)
        self.assertEqual(loops_of([process.pid]), [])

    def test_everything_killed(self):
        """The whole group at random moments: nothing stays behind once a later run, or cleanup, has looked."""
        rng = random.Random(SEED)
        pids = []
        for number in range(KILL_ROUNDS):
            process = self.start("--iterations", "20", "write-mmap", "mmap-write-read")
            pids.append(process.pid)
            with self.subTest(round=number, seed=SEED):
                wait_for("the test's process", lambda p=process: children_of(p.pid) or p.poll() is not None)
                try:
                    process.wait(rng.random() * 0.3)
                except subprocess.TimeoutExpired:
                    pass
                victims = [process.pid] if rng.random() < 0.5 else children_of(process.pid) + [process.pid]
                for pid in victims:
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
                process.communicate(timeout=60)
        self.assertEqual(coherence("cleanup").returncode, 0)
        wait_for("loop devices to go", lambda: loops_of(pids) == [], 20)

    @unittest.skipUnless(os.geteuid() == 0 and os.access(KSM_SLEEP, os.W_OK), "needs root and KSM")
    def test_sweep_waits_for_the_test_that_dies(self):
        """A killed test may still be inside its write to a setting: what it had been comes back after that, not before."""
        gone = subprocess.Popen(["true"])
        gone.wait()
        old = read_setting(KSM_SLEEP)
        self.addCleanup(write_setting, KSM_SLEEP, old)
        name = f"/run/cohort-coherence-{gone.pid}.knobs"
        with open(name, "w", encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            # of two values of one setting the older is what it was before all tests
            file.write(f"{KSM_SLEEP} {old}\n{KSM_SLEEP} 77\n")
            file.flush()
            write_setting(KSM_SLEEP, "77")
            sweep = subprocess.Popen([COHERENCE, "cleanup"], stdout=subprocess.DEVNULL)
            with self.assertRaises(subprocess.TimeoutExpired):
                sweep.wait(1)
            self.assertEqual(read_setting(KSM_SLEEP), "77")
            write_setting(KSM_SLEEP, "78")
        self.assertEqual(sweep.wait(20), 0)
        self.assertEqual(read_setting(KSM_SLEEP), old)
        self.assertFalse(os.path.exists(name))


if __name__ == "__main__":
    print(f"seed {SEED}")
    unittest.main()
