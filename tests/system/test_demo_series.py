"""setup/tree and the series of jobs/series: the repository is what its tags say, and each revision's mails apply there and make
of flush_dcache_page() what the series' README tells. The first call makes the repository, which takes a minute."""

import contextlib
import mailbox
import os
import re
import subprocess
import tempfile
import unittest

import farm

SERIES = os.path.join(farm.TOP, "jobs/series/flush-dcache")
BASE = "flush-dcache-base"
FLUSH = "arch/arm/mm/flush.c"


class Revisions(unittest.TestCase):
    """One worktree with nothing but arch/arm/mm in it, where the mails of each revision are applied in turn."""

    @classmethod
    def setUpClass(cls):
        cls.repository = subprocess.run([os.path.join(farm.TOP, "setup/tree")], stdout=subprocess.PIPE, check=True, text=True).stdout.strip()
        cls.top = tempfile.TemporaryDirectory(prefix="cohort-series-")
        cls.addClassCleanup(cls.top.cleanup)
        # Objects are borrowed, so that nothing is left behind in the repository.
        cls.tree = os.path.join(cls.top.name, "linux")
        subprocess.run(["git", "clone", "-q", "--shared", "--no-checkout", cls.repository, cls.tree], check=True)
        cls.git("sparse-checkout", "set", "--no-cone", "/arch/arm/mm/*")
        for version in (1, 2, 3):
            cls.git("checkout", "-q", "--detach", BASE)
            # git am takes no cover letter that has a line of "---", as b4's have.
            cls.git("am", "-q", input="".join(mail.as_string(unixfrom=True) for mail in cls.mails(version)[1:]))
            cls.git("tag", f"v{version}")

    @classmethod
    def git(cls, *argv, **more):
        done = subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *argv], cwd=cls.tree, text=True,
                              capture_output=True, check=False, **more)
        if done.returncode != 0:
            raise AssertionError((argv, done.stderr))
        return done.stdout.strip()

    @classmethod
    def mails(cls, version):
        with contextlib.closing(mailbox.mbox(os.path.join(SERIES, f"v{version}.mbox"))) as box:
            return list(box)

    def trailers(self, name):
        """What each revision's cover letter says behind "name:"."""
        return [re.findall(f"^{name}: (.*)$", self.mails(version)[0].get_payload(), re.M) for version in (1, 2, 3)]

    def test_tags(self):
        self.assertEqual(self.git("rev-list", "--count", "linux-6.1"), "1")
        self.assertEqual(self.git("rev-parse", BASE + "^"), self.git("rev-parse", "linux-6.1"))
        self.assertEqual(self.git("diff", "--stat", "linux-6.1", BASE).split()[0], FLUSH)
        self.assertIn("depends on ARCH_MULTI_V5 || ARCH_MULTI_V6", self.git("show", "linux-6.1:arch/arm/mach-versatile/Kconfig"))
        # Links and programs are what they were.
        self.assertTrue(self.git("ls-tree", "linux-6.1", "scripts/checkpatch.pl").startswith("100755 "))
        self.assertTrue(self.git("ls-tree", "linux-6.1", "scripts/dtc/include-prefixes/arm").startswith("120000 "))

    def test_mails(self):
        for version in (1, 2, 3):
            tag = "PATCH" if version == 1 else f"PATCH v{version}"
            mails = self.mails(version)
            self.assertEqual([re.match(r"\[(.*?) (\d/\d)\]", mail["Subject"]).groups() for mail in mails],
                             [(tag, "0/2"), (tag, "1/2"), (tag, "2/2")])
            self.assertEqual({mail["In-Reply-To"] for mail in mails[1:]}, {mails[0]["Message-Id"]})
        ids = [mail["Message-Id"] for version in (1, 2, 3) for mail in self.mails(version)]
        self.assertEqual(len(set(ids)), 9)
        changes = self.trailers("change-id")
        self.assertRegex(changes[0][0], r"^\d{8}-flush-dcache-[0-9a-f]{12}$")
        self.assertEqual(changes, [changes[0]] * 3)

    def test_base_commit(self):
        """The mails name the commit that the package they were written on makes."""
        bases = self.trailers("base-commit")
        self.assertEqual(bases, [bases[0]] * 3)
        with open(os.path.join(SERIES, "README.md"), encoding="utf-8") as file:
            package = re.search(r"linux-source-6\.1 (\S+) makes", file.read()).group(1)
        if self.git("log", "-1", "--format=%s", "linux-6.1").endswith(" " + package):
            self.assertEqual(bases[0], [self.git("rev-parse", BASE)])

    def flush(self, commit):
        """flush_dcache_page() as it is in a commit."""
        text = self.git("show", f"{commit}:{FLUSH}")
        return re.search(r"^void flush_dcache_page\(.*?^}", text, re.M | re.S).group(0)

    def test_what_each_revision_does(self):
        later, at_once = "clear_bit(PG_dcache_clean, &page->flags);\n\telse", "flush_dcache_all_aliases("
        for commit in (BASE, "v1", "v3"):
            self.assertIn(later, self.flush(commit))
        self.assertIn("else if (cache_ops_need_broadcast())", self.flush(BASE))
        self.assertIn("else if (cache_ops_need_broadcast() || !mapping)", self.flush("v1"))
        self.assertNotIn(later, self.flush("v2"))
        for commit in ("v1", "v2", "v3"):
            self.assertIn(at_once, self.flush(commit))
            self.assertEqual(self.git("rev-list", "--count", f"{BASE}..{commit}"), "2")
            self.assertEqual(self.git("diff", "--name-only", BASE, commit), FLUSH)
            # The first patch moves code only: without it nothing else changes.
            self.assertEqual(self.flush(commit + "^").count("cache_ops_need_broadcast()"), self.flush(BASE).count("cache_ops_need_broadcast()"))
        self.assertEqual(self.git("rev-parse", f"v2^:{FLUSH}"), self.git("rev-parse", f"v3^:{FLUSH}"))

    def test_ranges(self):
        """Between v1 and v2 both patches change, between v2 and v3 the second."""
        for old, new, marks in (("v1", "v2", "!!"), ("v2", "v3", "=!")):
            text = self.git("range-diff", "--no-color", f"{BASE}..{old}", f"{BASE}..{new}")
            self.assertEqual("".join(re.findall(r"^[\d-]+: +[\w-]+ ([=!<>]) [\d-]+: ", text, re.M)), marks, text)


if __name__ == "__main__":
    unittest.main()
