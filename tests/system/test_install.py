"""`cmake --install` puts a farm in place: the installed cohortd starts with the installed files and runs a job by the installed
programs, from wherever the tree was put."""

import json
import os
import shutil
import subprocess
import tempfile
import unittest

import farm


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.mkdtemp(prefix="cohort-install-")
        subprocess.run(["cmake", "--install", farm.BUILD, "--prefix", "/usr"], check=True, stdout=subprocess.DEVNULL,
                       env=dict(os.environ, DESTDIR=cls.directory))
        cls.usr = os.path.join(cls.directory, "usr")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.directory, ignore_errors=True)

    def path(self, *parts):
        return os.path.join(self.usr, *parts)

    def test_nothing_names_the_place_it_was_built(self):
        for name in os.listdir(self.path("share/cohort/suites")):
            with open(self.path("share/cohort/suites", name), encoding="utf-8") as file:
                text = file.read()
            self.assertNotIn(self.directory, text)
            self.assertNotIn(farm.TOP, text)

    def test_the_example_configuration_fits(self):
        """configs/server/cohortd.json with /usr moved to where this test has it."""
        with open(self.path("share/doc/cohort/configs/server/cohortd.json"), encoding="utf-8") as file:
            config = json.load(file)
        for key, value in config.items():
            if isinstance(value, str) and value.startswith(("/usr/", "/etc/", "/var/")):
                config[key] = self.directory + value
        for name in ("boards", "keys", "state"):
            os.makedirs(config[name])
        config["listen"] = "127.0.0.1:0"
        path = os.path.join(self.directory, "cohortd.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(config, file)
        done = subprocess.run([self.path("bin/cohortd"), "--config", path, "--check-config"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_job_runs_by_what_was_installed(self):
        sshd = farm.Sshd(os.path.join(self.directory, "sshd"))
        self.addCleanup(sshd.stop)
        installed = farm.Farm(os.path.join(self.directory, "farm"), suites=self.path("share/cohort/suites"), agents=self.path("lib/cohort"))
        installed.programs = (self.path("bin/cohortd"), self.path("lib/cohort/cohort-board"))
        root = os.path.join(self.directory, "root")
        os.makedirs(root)
        installed.add_board(farm.board_document("b", sshd, root))
        api = installed.start()
        self.addCleanup(installed.stop)
        api.post("/api/v1/builds", {"name": "running"})
        job = api.post("/api/v1/jobs", {"name": "installed", "builds": ["running"], "boards": {"cache": ["none"]}, "suite": "coherence",
                                        "tests": ["jit-cacheflush"]})
        self.assertEqual(installed.wait_job(job["id"])["arrived"], 1)

    def test_the_unit_is_one(self):
        unit = self.path("lib/systemd/system/cohortd.service")
        if not shutil.which("systemd-analyze"):
            with open(unit, encoding="utf-8") as file:
                self.assertIn("ExecStart=/usr/bin/cohortd --config /etc/cohort/cohortd.json\n", file.read())
            return
        done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
        said = [line for line in done.stderr.splitlines() if "cohortd.service" in line and "not executable" not in line]
        self.assertEqual(said, [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
