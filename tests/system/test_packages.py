"""setup/packages.list against what the build and the scripts really use: each header that a compile read, each library that a
program links, and each command that a script calls must come from a listed package, from one that such a package depends
on, or from Debian's essential set. Otherwise a machine that happens to have it hides a missing line."""

import os
import re
import shutil
import subprocess
import unittest

import farm

LIST = os.path.join(farm.TOP, "setup/packages.list")
SHELL_WORDS = re.compile(r"(?:^|[|;&(`]|\bdo\b|\bthen\b|\belse\b|\bif\b|\bwhile\b|\bexec\b|!)\s*([a-z][a-z0-9._+-]*)(?=\s|$|\))", re.M)


def run(*argv):
    return subprocess.run(argv, check=False, capture_output=True, text=True, cwd=farm.TOP).stdout


def listed():
    """Package names of the list; with cmd=NAME also the package that owns that command here."""
    names = set()
    with open(LIST, encoding="utf-8") as file:
        for line in file:
            words = line.split("#")[0].split()
            if words:
                names.add(words[0])
            for word in line.split():
                if word.startswith("cmd="):
                    names |= owners([shutil.which(word[4:]) or "/nonexistent"])
    return names


def owners(paths):
    """Packages that own the files; a path may lie below /lib, which is /usr/lib today."""
    wanted = {os.path.realpath(path) for path in paths} | set(paths)
    wanted |= {path[4:] for path in wanted if path.startswith("/usr/")}
    found = set()
    wanted = sorted(wanted)
    for at in range(0, len(wanted), 200):
        for line in run("dpkg", "-S", *wanted[at:at + 200]).splitlines():
            if ": " in line and not line.startswith("diversion"):
                found |= {name.split(":")[0] for name in line.split(": ")[0].split(", ")}
    return found


def with_dependencies(names):
    """The names and all that they depend on, among what is installed."""
    depends, provides = {}, {}
    for line in run("dpkg-query", "-W", "-f", "${Package}\t${Pre-Depends}, ${Depends}\t${Provides}\n").splitlines():
        package, needs, gives = line.split("\t")
        depends[package] = re.findall(r"(?:^|[,|])\s*([a-z0-9][a-z0-9.+-]+)", needs)
        for gift in re.findall(r"(?:^|,)\s*([a-z0-9][a-z0-9.+-]+)", gives):
            provides.setdefault(gift, []).append(package)
    done, queue = set(), list(names)
    while queue:
        name = queue.pop()
        if name in done:
            continue
        done.add(name)
        queue += depends.get(name, []) + provides.get(name, [])
    return done


def essential():
    lines = run("dpkg-query", "-W", "-f", "${Package} ${Essential} ${Priority}\n").splitlines()
    return {line.split()[0] for line in lines if " yes " in line or line.endswith(" required")}


class Packages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.allowed = with_dependencies(listed() | essential())

    def assert_listed(self, paths, what):
        self.assertTrue(paths, f"no {what} found: this test looks at nothing")
        missing = owners(paths) - self.allowed
        self.assertFalse(missing, f"{what} come from packages that setup/packages.list lacks")

    def test_headers(self):
        deps = run("ninja", "-C", farm.BUILD, "-t", "deps")
        headers = sorted({line.strip() for line in deps.splitlines() if line.startswith("    /usr/include")})
        self.assert_listed(headers, "headers")

    def test_libraries(self):
        paths = set()
        for program in (farm.COHORTD, farm.COHORT_BOARD, farm.COHORT):
            paths |= set(re.findall(r"=> (/\S+)", run("ldd", program)))
        self.assert_listed({path for path in paths if not re.search(r"lib(a|ub)san", path)}, "libraries")

    def test_commands(self):
        commands = set()
        scripts = [path for path in run("git", "ls-files").split() if os.path.isfile(os.path.join(farm.TOP, path))]
        for path in scripts:
            with open(os.path.join(farm.TOP, path), "rb") as file:
                text = file.read()
            if not re.match(rb"#!.*\b(ba)?sh\b|# shellcheck shell=", text):
                continue
            lines = [line for line in text.decode().splitlines() if not line.lstrip().startswith("#")]
            commands |= set(SHELL_WORDS.findall("\n".join(lines)))
        # sudo is what the README asks for; setup/install says so when it is not there.
        paths = {command: shutil.which(command) for command in commands - {"sudo"}}
        self.assert_listed({path for path in paths.values() if path}, "commands")


if __name__ == "__main__":
    unittest.main()
