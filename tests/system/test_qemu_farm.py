"""The whole farm with real kernels: cohortd, cohort-board, SSH, and QEMU boards that crash, freeze, lose their power and
boot the wrong thing. test_qemu.py has the same machines below cohort-board alone.

The kernels are those of setup/builds, which must have been made. All tests share one farm; each names its board."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import farm

QEMU_BOARD = os.path.join(farm.TOP, "configs/boards/qemu-board")
QEMU_BOARD_FILE = os.path.join(farm.TOP, "configs/boards/qemu-board-file")
BOOT_S = 45  # the limit of the boards here; a boot takes 6 s on a busy machine
JOB_S = 500

# A test that ends when let_go() says so, in each attempt again: a board's /tmp does not live through a boot.
SUITE = {"name": "qemu", "version": "1", "description": "tests to be struck in", "tests": [
    {"name": "first", "kind": "contract", "time_limit_s": 30, "argv": ["echo", "{}"]},
    {"name": "crash", "kind": "contract", "time_limit_s": 120, "argv": ["sh", "-c", "echo c >/proc/sysrq-trigger; sleep 100"]},
    {"name": "middle", "kind": "contract", "time_limit_s": 300,
     "argv": ["sh", "-c", "until [ -e /tmp/go ]; do sleep 1; done; rm /tmp/go"]},
    {"name": "last", "kind": "contract", "time_limit_s": 30, "argv": ["uname", "-r"]}]}


def output(*argv):
    return subprocess.run(argv, stdout=subprocess.PIPE, check=True).stdout.decode().strip()


def made_builds():
    """Manifests of the VIVT builds, stock first; each with the path of its directory."""
    done = subprocess.run([os.path.join(farm.TOP, "setup/builds"), "--print"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f"no kernels to test with: {done.stderr.strip()}")
    with open(done.stdout.strip(), encoding="utf-8") as file:
        builds = [build for build in json.load(file)["builds"] if build["class"] == "vivt"]
    manifests = []
    for build in builds:
        with open(build["manifest"], encoding="utf-8") as file:
            manifests.append(dict(json.load(file), directory=os.path.dirname(build["manifest"])))
    return manifests


class Machine:
    """One QEMU board. Its directory is where qemu-board keeps it; declared: what the lab owner says its cache is."""

    def __init__(self, top, name, declared="vivt"):
        self.name, self.directory = name, os.path.join(top, name)
        output(QEMU_BOARD, "init", self.directory, "vivt", str(farm.free_port()))
        self.document = json.loads(output(QEMU_BOARD_FILE, QEMU_BOARD, self.directory))
        self.document.update(name=name, cache=declared)
        self.document["boot"]["time_limit_s"] = BOOT_S

    def pid(self):
        with open(os.path.join(self.directory, "qemu.pid"), encoding="ascii") as file:
            return int(file.read())

    def is_on(self):
        done = subprocess.run([QEMU_BOARD, "status", self.directory], stdout=subprocess.DEVNULL, check=False)
        assert done.returncode in (0, 3), f"qemu-board status ended with {done.returncode}"
        return done.returncode == 0

    def off(self):
        output(QEMU_BOARD, "off", self.directory)

    def let_go(self):
        """End the test `middle`, over an SSH session of our own."""
        ssh = self.document["ssh"]
        known = os.path.join(self.directory, "known_hosts")
        with open(ssh["host_key_file"], encoding="ascii") as key, open(known, "w", encoding="ascii") as file:
            file.write(f"[127.0.0.1]:{ssh['port']} {key.read()}")
        output("ssh", "-F", "none", "-i", ssh["key"], "-p", str(ssh["port"]), "-o", f"UserKnownHostsFile={known}",
               "-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR",
               "root@127.0.0.1", "touch /tmp/go")


class QemuFarm(farm.Farm):
    def __init__(self):
        directory = tempfile.mkdtemp(prefix="cohort-qf-")
        suites = os.path.join(directory, "suites")
        os.makedirs(suites)
        for name in ("smoke", "coherence"):
            shutil.copy(os.path.join(farm.BUILD, "suites", name + ".json"), suites)
        with open(os.path.join(suites, "qemu.json"), "w", encoding="utf-8") as file:
            json.dump(SUITE, file)
        super().__init__(directory, suites=suites)

    def upload(self, data):
        digest = hashlib.sha256(data).hexdigest()
        status, document = self.api.call("PUT", f"/api/v1/files/{digest}", data)
        assert status in (200, 201), (status, document)
        return digest

    def add_build(self, manifest, name=None, without=(), **changed):
        """Register the build of a manifest with its files; changed: fields, or the bytes of a file."""
        files = {}
        for role, path in manifest["files"].items():
            if role in changed:
                files[role] = self.upload(changed.pop(role))
            elif role not in without:
                with open(os.path.join(manifest["directory"], path), "rb") as file:
                    files[role] = self.upload(file.read())
        build = {key: manifest[key] for key in ("release", "build_id", "arch", "description")}
        build.update(changed, name=name or manifest["name"], files=files)
        return self.api.post("/api/v1/builds", build)["name"]

    def submit(self, board, builds, tests, suite="qemu", **fields):
        job = {"name": "qemu", "builds": builds, "boards": {"names": [board.name]}, "suite": suite, "tests": tests}
        job.update(fields)
        return self.api.post("/api/v1/jobs", job)["id"]

    def run_of(self, job):
        return self.api.get(f"/api/v1/jobs/{job}")["runs"][0]

    def attempts(self, run):
        return sorted(self.api.get(f"/api/v1/runs/{run}/attempts")["items"], key=lambda one: one["attempt"])

    def wait_middle(self, job, attempt=1):
        """Until the attempt is in the test that waits; a run that ended before it says why."""
        def there():
            run = self.run_of(job)
            if run["state"] not in ("queued", "running"):
                raise AssertionError(f"the run ended before the test: {run}")
            return run["attempt"] == attempt and run["current_test"] == "middle"
        farm.wait_for(f"job {job}, attempt {attempt}, in its test", there, JOB_S)

    def run_log(self, run):
        return self.api.call("GET", f"/api/v1/runs/{run}/log")[1].decode()


class Qemu(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        manifests = made_builds()
        cls.farm = QemuFarm()
        cls.addClassCleanup(cls.farm.remove)
        cls.board = cls.machine("board")
        cls.liar = cls.machine("liar", declared="vipt-aliasing")
        cls.farm.start()
        cls.addClassCleanup(cls.farm.stop)
        cls.manifest = manifests[0]
        cls.stock, cls.control = [cls.farm.add_build(manifest) for manifest in manifests]

    @classmethod
    def machine(cls, name, **how):
        machine = Machine(cls.farm.directory, name, **how)
        cls.addClassCleanup(machine.off)
        cls.farm.add_board(machine.document)
        return machine

    @classmethod
    def tearDownClass(cls):
        cls.farm.stop()
        on = [machine.name for machine in (cls.board, cls.liar) if machine.is_on()]
        assert not on, f"still on after cohortd ended in order: {on}\n{cls.farm.tail()}"

    def results(self, run):
        return [result for result in self.farm.api.all_results(f"run={run}") if result["cell"] is None]

    def ended(self, job, state="done", attempts=1):
        """The job's only run, which must have ended so, each planned test with one result, all of the last attempt."""
        run = self.farm.wait_job(job, JOB_S)["runs"][0]
        where = f"{run}\n{self.farm.attempts(run['id'])}\n{self.farm.run_log(run['id'])}"
        self.assertEqual((run["state"], run["attempt"]), (state, attempts), where)
        results = self.results(run["id"])
        names = self.farm.api.get(f"/api/v1/runs/{run['id']}")["tests"]
        self.assertEqual(sorted(result["test"] for result in results), sorted(names), where)
        self.assertEqual({result["attempt"] for result in results}, {attempts}, where)
        return run

    def fault_of(self, run, code, stage):
        """The one fault of a run that failed; nothing in it counts."""
        self.assertEqual((run["fault"]["code"], run["fault"]["stage"]), (code, stage), run)
        self.assertEqual(run["verdicts"], {"missing": run["planned"]})
        self.assertEqual({result["verdict"] for result in self.results(run["id"])}, {"missing"})
        return run["fault"]["detail"]

    def verdicts(self, run):
        return {result["test"]: (result["verdict"], result["reason"]) for result in self.results(run["id"])}

    def wait_idle(self, machine):
        farm.wait_for(f"{machine.name} idle",
                      lambda: self.farm.api.get(f"/api/v1/boards/{machine.name}")["state"] == "idle", 60)

    def test_boots_proves_and_tests(self):
        smoke = self.farm.submit(self.board, [self.stock], ["*"], suite="smoke")
        coherence = self.farm.submit(self.board, [self.control], ["dio-read-anon", "jit-control"], suite="coherence")
        run = self.ended(smoke)
        self.assertEqual(run["verdicts"], {"pass": 4, "skip": 1, "fail": 1})
        facts = self.farm.api.get(f"/api/v1/runs/{run['id']}")["facts"]
        self.assertEqual((facts["release"], facts["build_id"]), (self.manifest["release"], self.manifest["build_id"]))
        self.assertRegex(facts["cache_line"], "CPU: VIVT data cache, VIVT instruction cache")
        self.assertEqual(facts["cache"], "vivt")
        self.assertIn(self.manifest["release"], self.farm.run_log(run["id"]))

        run = self.ended(coherence)
        self.assertEqual(self.verdicts(run), {"dio-read-anon": ("pass", None), "jit-control": ("pass", None)})
        cells = [r for r in self.farm.api.all_results(f"run={run['id']}") if r["test"] == "dio-read-anon" and r["cell"]]
        self.assertGreater(len(cells), 1)
        facts = self.farm.api.get(f"/api/v1/runs/{run['id']}")["facts"]
        self.assertNotEqual(facts["build_id"], self.manifest["build_id"])

    def test_a_crash_is_the_kernels(self):
        run = self.ended(self.farm.submit(self.board, [self.stock], ["first", "crash", "last"]))
        self.assertEqual(self.verdicts(run), {"first": ("pass", None), "crash": ("fail", "kernel-crash"), "last": ("pass", None)})
        self.assertEqual([(one["outcome"], one["fault"]) for one in self.farm.attempts(run["id"])], [("complete", None)])
        crash = [result for result in self.results(run["id"]) if result["test"] == "crash"][0]
        evidence = self.farm.api.get(f"/api/v1/results/{crash['id']}")["evidence"]
        said = "\n".join(one["text"] for one in evidence if one["type"] == "kernel-warning")
        self.assertIn("Kernel panic - not syncing: sysrq triggered crash", said)
        self.assertNotIn("\r", said)
        quiet = [result for result in self.results(run["id"]) if result["test"] == "last"][0]
        self.assertEqual(self.farm.api.get(f"/api/v1/results/{quiet['id']}")["evidence"], [])

    def test_power_lost(self):
        job = self.farm.submit(self.board, [self.stock], ["first", "middle", "last"])
        self.farm.wait_middle(job)
        os.kill(self.board.pid(), signal.SIGKILL)
        self.farm.wait_middle(job, attempt=2)
        self.board.let_go()
        run = self.ended(job, attempts=2)
        self.assertEqual(run["verdicts"], {"pass": 3})
        first = self.farm.attempts(run["id"])[0]
        self.assertEqual((first["outcome"], first["fault"]["code"], first["fault"]["stage"]), ("fault", "power-lost", "test"))

    def test_frozen(self):
        """Silence that nothing explains: power cycle, and the run is tried again."""
        job = self.farm.submit(self.board, [self.stock], ["first", "middle", "last"])
        self.farm.wait_middle(job)
        pid = self.board.pid()
        os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()

        def fault():
            return self.farm.attempts(self.farm.run_of(job)["id"])[0]["fault"]
        found = farm.wait_for("the end of the attempt", fault, BOOT_S + 60)
        self.assertEqual((found["code"], found["stage"]), ("board-lost", "test"))
        self.assertGreaterEqual(time.monotonic() - began, BOOT_S)
        self.farm.wait_middle(job, attempt=2)
        self.assertNotEqual(self.board.pid(), pid)
        self.board.let_go()
        self.assertEqual(self.ended(job, attempts=2)["verdicts"], {"pass": 3})

    def test_other_kernel_than_the_build_says(self):
        release = self.farm.add_build(self.manifest, name="other-release", release="6.1.0-other")
        build_id = self.farm.add_build(self.manifest, name="other-build-id", build_id="0123456789" * 4)
        job = self.farm.submit(self.board, [release], ["first", "last"], max_attempts=1)
        detail = self.fault_of(self.ended(job, state="failed"), "wrong-release", "prove")
        self.assertIn("6.1.0-other", detail)
        self.assertIn(self.manifest["release"], detail)
        job = self.farm.submit(self.board, [build_id], ["first", "last"], max_attempts=1)
        detail = self.fault_of(self.ended(job, state="failed"), "wrong-build-id", "prove")
        self.assertIn("0123456789" * 4, detail)
        self.assertIn(self.manifest["build_id"], detail)

    def test_board_of_another_class(self):
        job = self.farm.submit(self.liar, [self.stock], ["first", "last"], max_attempts=1)
        detail = self.fault_of(self.ended(job, state="failed"), "wrong-cache-class", "prove")
        self.assertIn("VIVT data cache", detail)
        self.assertIn("vipt-aliasing", detail)
        self.liar.off()

    def test_kernel_that_never_boots(self):
        garbage = self.farm.add_build(self.manifest, name="garbage", kernel=b"\0" * 4096)
        no_dtb = self.farm.add_build(self.manifest, name="no-dtb", without=("dtb",))
        began = time.monotonic()
        run = self.ended(self.farm.submit(self.board, [garbage], ["first"], max_attempts=1), state="failed")
        # The board's limit; the job's own is an hour.
        self.assertLess(time.monotonic() - began, BOOT_S + 60)
        self.fault_of(run, "boot-timeout", "boot")
        run = self.ended(self.farm.submit(self.board, [no_dtb], ["first"], max_attempts=1), state="failed")
        self.assertIn("COHORT_DTB is not set", self.fault_of(run, "boot-command-failed", "boot"))
        self.wait_idle(self.board)
        self.assertEqual(self.ended(self.farm.submit(self.board, [self.stock], ["first"]))["verdicts"], {"pass": 1})

    def test_server_programs_die(self):
        job = self.farm.submit(self.board, [self.stock], ["first", "middle", "last"])
        self.farm.wait_middle(job)
        self.farm.kill()
        self.farm.start()
        for pid in farm.wait_for("cohort-board", self.farm.board_processes):
            os.kill(pid, signal.SIGKILL)
        self.farm.wait_middle(job)
        self.board.let_go()
        run = self.ended(job)
        self.assertEqual(run["verdicts"], {"pass": 3})
        self.assertEqual([(one["outcome"], one["fault"]) for one in self.farm.attempts(run["id"])], [("complete", None)])


if __name__ == "__main__":
    unittest.main()
