"""The examples fit each other: every job in jobs/ is a valid submission to a cohortd that has the boards of configs/boards,
the virtual boards of ./demo, the suites of the build, and builds of the names that the jobs use. (That each file reads is
tested beside its reader: unit/board, unit/plan, system/http.)"""

import glob
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import unittest

import farm

BOARDS = os.path.join(farm.TOP, "configs/boards")
RUNS = {"smoke.json": 4, "dio-on-real-vivt.json": 3, "demo.json": 20}


class Examples(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # Nobody is to call at the addresses of the examples: cohort-board is replaced by what ends at once.
        cls.farm = farm.Farm(tempfile.mkdtemp(prefix="cohort-examples-"))
        cls.addClassCleanup(cls.farm.remove)
        kernels = subprocess.run([os.path.join(farm.TOP, "setup/kernels")], check=True, capture_output=True, text=True).stdout.strip()
        cls.farm.options = ["--board-program", "/bin/false", "--kernels", kernels, "--controls", os.path.join(farm.TOP, "jobs/controls")]
        for path in glob.glob(BOARDS + "/*.json"):
            shutil.copy(path, cls.farm.boards)
        emulator = os.path.join(farm.BUILD, "emulator/cohort-emu")
        for machine in ("vivt", "vipt-aliasing", "armv7", "emu-vivt", "emu-vivt-wa", "emu-vipt"):
            directory = os.path.join(cls.farm.directory, machine)
            switch = BOARDS + ("/emu-board" if machine.startswith("emu-") else "/qemu-board")
            subprocess.run([switch, "init", directory, machine, str(farm.free_port())], check=True, env={**os.environ, "COHORT_EMU": emulator})
            done = subprocess.run([BOARDS + "/qemu-board-file", switch, directory], check=True, capture_output=True)
            cls.farm.add_board(json.loads(done.stdout))
        cls.farm.start()
        cls.addClassCleanup(cls.farm.stop)

    def add_build(self, name):
        """A build as ./demo or a developer would have made it; `running` is what a board has booted by itself."""
        kernel = b"a kernel that nobody boots"
        digest = hashlib.sha256(kernel).hexdigest()
        status, document = self.farm.api.call("PUT", f"/api/v1/files/{digest}", kernel)
        self.assertIn(status, (200, 201), document)
        self.farm.api.post("/api/v1/builds", {"name": name, "files": {} if name == "running" else {"kernel": digest}})

    def add_series(self, name):
        for path in sorted(glob.glob(f"{farm.TOP}/jobs/series/{name}/v*.mbox")):
            with open(path, encoding="utf-8") as file:
                self.farm.api.post("/api/v1/series", {"mbox": file.read()})

    def jobs(self):
        for path in sorted(glob.glob(farm.TOP + "/jobs/*.json")):
            with open(path, encoding="utf-8") as file:
                yield os.path.basename(path), json.load(file)

    def test_boards(self):
        boards = {board["name"]: board for board in self.farm.api.get("/api/v1/boards")["items"]}
        self.assertEqual(set(boards), {"sheevaplug", "nokia-n810", "beaglebone", "loopback", "builder-1", "qemu-vivt", "qemu-vipt-aliasing",
                                       "qemu-armv7", "emu-vivt", "emu-vivt-wa", "emu-vipt"})
        self.assertEqual({board["cache"] for board in boards.values()}, {"vivt", "vipt-aliasing", "vipt-nonaliasing", "pipt", "none"})

    def test_jobs(self):
        seen = {}
        for name, job in self.jobs():
            with self.subTest(job=name):
                if "series" in job:
                    self.add_series(job["series"])
                for build in {build for row in job.get("builds_by_cache", {"": job.get("builds", [])}).values() for build in row}:
                    self.add_build(build)
                plan = self.farm.api.post("/api/v1/jobs?dry_run=true", job, status=200)
                self.assertTrue(plan["valid"])
                self.assertTrue(all(run["tests"] > 0 for run in plan["runs"]))
                seen[name] = len(plan["runs"])
        self.assertEqual(seen, RUNS)


if __name__ == "__main__":
    unittest.main()
