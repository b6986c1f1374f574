"""Patch series: mails as git and mailers write them become revisions, and what comes back applies to the same tree. What was
answered survives a kill -9; what is refused says which mail and line, and leaves nothing."""

import base64
import email.message
import json
import os
import quopri
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import farm  # noqa: E402
import web  # noqa: E402

MARK = "From 0123456789abcdef0123456789abcdef01234567 Mon Sep 17 00:00:00 2001\n"


def patch(subject, number, name="x", added="b"):
    return (f"{MARK}From: Ann Author <ann@example.org>\nDate: Tue, 2 Feb 2021 10:00:00 +0100\nSubject: {subject}\n"
            f"Message-ID: <{number}@example.org>\n\nWhy.\n---\n {name} | 2 +-\n\ndiff --git a/{name} b/{name}\nindex 1..2 100644\n"
            f"--- a/{name}\n+++ b/{name}\n@@ -1 +1 @@\n-a\n+{added}\n-- \n2.39\n\n")


class Git:
    """A repository with a file or two, and what git itself makes of a mailbox."""

    def __init__(self, directory):
        self.directory = directory
        os.makedirs(directory)
        self("init", "-q", "-b", "main")
        self.write("arch/arm/mm/flush.c", "".join(f"line {i}\n" for i in range(60)))
        self.write("Kopf", "K\xf6ln\n", "latin-1")
        self.write("dos.txt", "one\r\ntwo\r\nthree\r\n")
        self.write("with space", "a\nb\n")
        self.write("\u00e4\u00f6.txt", "x\n")
        self.write("script", "#!/bin/sh\n")
        self("add", "-A")
        self("commit", "-qm", "base")
        self.base = self("rev-parse", "HEAD").strip()

    def __call__(self, *argv, data=None):
        names = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER")
                 for what, value in (("NAME", "J\u00f6rg Author, Jr."), ("EMAIL", "jq@example.org"))}
        done = subprocess.run(["git", "-c", "core.quotePath=true", *argv], cwd=self.directory, input=data, capture_output=True, check=False,
                              env={"PATH": os.environ["PATH"], "HOME": self.directory, "GIT_CONFIG_NOSYSTEM": "1", **names})
        if done.returncode != 0:
            raise AssertionError(f"git {argv}: {done.stderr.decode()}{done.stdout.decode()}")
        return done.stdout.decode("utf-8", "surrogateescape")

    def write(self, name, text, encoding="utf-8"):
        path = os.path.join(self.directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding=encoding, newline="") as file:
            file.write(text)

    def change(self):
        """Three commits that do about everything a text patch may."""
        lines = [f"line {i}\n" for i in range(60)]
        lines[10] = "another\n"
        lines[50] = "--- a/../looks like a header\n"
        self.write("arch/arm/mm/flush.c", "".join(lines))
        self("commit", "-qam", "ARM: flush it\n\nFrom here on all is well.\n\nSubject: no header\n>From there\n")
        self.write("Kopf", "K\xf6ln\n\xdcdem\n", "latin-1")
        self.write("dos.txt", "one\r\n2\r\nthree\r\n")
        self("mv", "with space", "moved space")
        self.write("moved space", "a\nb\nc")
        self.write("\u00e4\u00f6.txt", "y\n")
        self("add", "-A")
        self("commit", "-qm", "mm: r\u00e4ume auf, \"quoted\" [sic]\n\nSubject: at the top\nwith text")
        self("rm", "-q", "script")
        self.write("new/empty", "")
        self.write("new/run", "#!/bin/sh\n")
        os.chmod(os.path.join(self.directory, "new/run"), 0o755)
        self("add", "-A")
        self("commit", "-qm", "drivers: new files")
        return self("rev-parse", "HEAD^{tree}").strip()

    def applied(self, mbox):
        """The tree, and the log, when git am has taken the mails on the base."""
        self("checkout", "-q", "--detach", self.base)
        self("am", "-q", "--keep-cr", data=mbox)
        return self("rev-parse", "HEAD^{tree}").strip(), self("log", "--format=%an|%ae|%at|%s|%b", f"{self.base}..HEAD")


class Series(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = web.Server()
        cls.addClassCleanup(cls.server.remove)
        cls.addClassCleanup(lambda: cls.server.stop())
        cls.server.start()
        cls.description = web.Description(cls.server.api.get("/api/v1/openapi.json"))
        cls.directory = tempfile.mkdtemp(prefix="cohort-series-")
        cls.addClassCleanup(shutil.rmtree, cls.directory)

    def call(self, method, path, body=None):
        """(status, document); each reply is as the OpenAPI document says."""
        status, headers, data = self.server.send(method, path, json.dumps(body) if body is not None else None, self.server.writes())
        kind = headers["Content-Type"]
        document = json.loads(data) if "json" in kind else data
        self.assertEqual(self.description.check(method, path.partition("?")[0], status, kind,
                                                document if "json" in kind else data.decode("utf-8", "replace")), [])
        if status == 201:
            self.assertEqual(headers["Location"], document["url"])
        return status, document

    def add(self, mbox, status=201, **more):
        got, document = self.call("POST", "/api/v1/series", {"mbox": mbox, **more})
        self.assertEqual(got, status, document)
        return document

    def upload(self, data):
        digest = web.sha256(data)
        status, _, body = self.server.send("PUT", f"/api/v1/files/{digest}", data, self.server.writes())
        self.assertIn(status, (200, 201), body)
        return digest

    def mbox(self, name, version):
        status, data = self.call("GET", f"/api/v1/series/{name}/revisions/{version}/mbox")
        self.assertEqual(status, 200)
        return data

    def test_git_am_makes_the_same_tree(self):
        git = Git(os.path.join(self.directory, "git"))
        want = git.change()
        sent = git("format-patch", "--stdout", "-v2", "--cover-letter", "--base=" + git.base, f"{git.base}..main").encode("utf-8", "surrogateescape")
        status, document = self.call("POST", "/api/v1/series", {"file": self.upload(sent), "series": "from-git"})
        self.assertEqual(status, 201, document)
        revision = document["revision"]
        self.assertEqual((revision["version"], revision["base_commit"], len(revision["patches"])), (2, git.base, 3))
        self.assertEqual(revision["patches"][0]["author"], "J\u00f6rg Author, Jr <jq@example.org>")
        mails = self.mbox("from-git", 2)
        tree, log = git.applied(mails)
        self.assertEqual(tree, want)
        # Apart from the cover letter, which git am passes over too, git makes the same commits of both.
        self.assertEqual((tree, log), git.applied(git("format-patch", "--stdout", f"{git.base}..main").encode("utf-8", "surrogateescape")))
        for one in revision["patches"]:
            status, _, data = self.server.send("GET", f"/api/v1/files/{one['sha256']}")
            self.assertEqual((status, web.sha256(data)), (200, one["sha256"]))
        names = "".join(one["sha256"] + "\n" for one in revision["patches"])
        self.assertEqual(revision["patchset_hash"], web.sha256(names.encode()))
        # What came back is a revision like any other, and the same one.
        status, again = self.call("POST", "/api/v1/series", {"file": self.upload(mails), "series": "from-git"})
        self.assertEqual((status, again["revision"]["id"]), (200, revision["id"]))

    def test_mailers(self):
        """The same patch in the ways that mail has: git am of what is kept gives one tree."""
        git = Git(os.path.join(self.directory, "mailers"))
        git.write("arch/arm/mm/flush.c", "K\u00f6ln = D\u00fcren\n")
        git("commit", "-qam", "ARM: cities\n\nG\u00e4be es nicht.")
        want = git("rev-parse", "HEAD^{tree}").strip()
        plain = git("format-patch", "--stdout", "-1").encode("utf-8", "surrogateescape")
        head, _, text = plain.partition(b"\n\n")
        names = [line for line in head.split(b"\n") if line.startswith((b"From: ", b"Subject: ", b"Date: "))]
        bare = b"\n".join(names) + b"\nMIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: "
        attached = email.message.EmailMessage()
        attached.set_content("It is attached.\n")
        attached.add_attachment(b"---\n" + text.partition(b"---\n")[2], "text", "x-patch", filename="0001.patch")
        ways = {
            "plain": plain,
            "crlf": plain.replace(b"\n", b"\r\n"),
            "quoted": bare + b"quoted-printable\n\n" + quopri.encodestring(text),
            "base64": bare + b"base64\n\n" + base64.encodebytes(text),
            "base64-crlf": bare + b"base64\n\n" + base64.encodebytes(text.replace(b"\n", b"\r\n")),
            "attached": b"\n".join(names) + b"\n" + attached.as_bytes(),
            "lore": b"From mboxrd@z Thu Jan  1 00:00:00 1970\n" + plain.partition(b"\n")[2],
        }
        for way, data in ways.items():
            with self.subTest(way):
                status, document = self.call("POST", "/api/v1/series", {"file": self.upload(data), "series": f"way-{way}"})
                self.assertEqual(status, 201, document)
                self.assertEqual(git.applied(self.mbox(f"way-{way}", 1))[0], want)

    def test_versions_tie(self):
        first = self.add(patch("[PATCH 1/1] mm: tie", 1))
        self.assertEqual(first["series"]["name"], "mm-tie")
        self.assertEqual(self.add(patch("[PATCH v2 1/1] mm: tie", 2, added="c"))["series"]["id"], first["series"]["id"])
        # Sent again: other mails around the same diff.
        again = self.add(patch("[PATCH RESEND v2 1/1] mm: tie", 3, added="c"), 200)
        self.assertEqual(again["revision"]["message_id"], "2@example.org")
        problem = self.add(patch("[PATCH v2 1/1] mm: tie", 4, added="d"), 409)
        self.assertIn("series mm-tie has a v2 already, and its patch 1 is another", problem["detail"])
        self.assertEqual(self.add(patch("[PATCH v2 1/1] mm: tie", 4, added="d"), version=3)["revision"]["label"], "v3")
        # Another title: the user's word.
        self.add(patch("[PATCH v4 1/1] mm: tie them", 5, added="e"), series="mm-tie")
        listed = self.call("GET", "/api/v1/series/mm-tie")[1]
        self.assertEqual([one["version"] for one in listed["revisions"]], [1, 2, 3, 4])
        # Another author of the same title is another series, with another name.
        other = patch("[PATCH 1/1] mm: tie", 6).replace("ann@", "bob@")
        self.assertEqual(self.add(other)["series"]["name"], "mm-tie-2")

    def test_change_id_ties(self):
        tag = "\nchange-id: 20260101-cache-thing-0a1b2c\n"
        one = self.add(patch("[PATCH] old title", 1).replace("Why.\n", "Why." + tag))
        two = self.add(patch("[PATCH v2] new title", 2, added="c").replace("Why.\n", "Why." + tag))
        self.assertEqual(one["series"]["name"], "cache-thing")
        self.assertEqual(two["series"]["id"], one["series"]["id"])
        # A v3 without it is tied by title and author of the series.
        self.assertEqual(self.add(patch("[PATCH v3] old title", 3, added="d"))["series"]["id"], one["series"]["id"])

    def test_refused(self):
        before = sum(len(files) for _, _, files in os.walk(os.path.join(self.server.state, "files")))
        rows = (
            (patch("[PATCH 1/2] gap", 1), "part 2/2 is missing"),
            (patch("[PATCH] up", 1, "../x"), "mail 1 \"[PATCH] up\", line 7 of its text: the path '../x' has .. in it"),
            (patch("[PATCH] link", 1).replace("index 1..2 100644", "index 1..2 120000"), "line 6 of its text: mode 120000 is a symbolic link"),
            (patch("[PATCH] short", 1).replace("@@ -1 +1 @@", "@@ -1,3 +1 @@"), "line 13 of its text: '2.39' is no line of a diff; the hunk at line 9 says -3 +1 lines"),
            ("Subject: hello\n\nworld\n", "has no From"),
            ("hello", "is no mail"),
        )
        for mbox, detail in rows:
            problem = self.add(mbox, 422)
            self.assertEqual(problem["errors"][0]["pointer"], "/mbox")
            self.assertIn(detail, problem["errors"][0]["detail"])
        for body, pointer in (({}, "/mbox"), ({"mbox": "x", "file": "0" * 64}, "/mbox"), ({"file": "0" * 64}, "/file"), ({"file": "x" * 64}, "/file"),
                              ({"mbox": "x", "series": "../x"}, "/series"), ({"mbox": "x", "version": 0}, "/version"), ({"mbox": "x", "colour": 1}, "/colour")):
            status, problem = self.call("POST", "/api/v1/series", body)
            self.assertEqual((status, problem["errors"][0]["pointer"]), (422, pointer))
        after = sum(len(files) for _, _, files in os.walk(os.path.join(self.server.state, "files")))
        self.assertEqual(after, before)

    def test_deep_mail(self):
        """Nested beyond all reason, in the small stack of a connection's thread."""
        deep = "From: a <a@b>\nSubject: [PATCH] x\nMIME-Version: 1.0\n" + "".join(
            f"Content-Type: multipart/mixed; boundary=b{i}\n\n--b{i}\n" for i in range(5000))
        self.assertIn("has no diff", self.add(deep, 422)["errors"][0]["detail"])
        nested = "From: a <a@b>\nSubject: [PATCH] x\n" + "Content-Type: message/rfc822\n\nFrom: a <a@b>\n" * 3000
        self.assertIn("has no diff", self.add(nested, 422)["errors"][0]["detail"])

    def test_dry_run_stores_nothing(self):
        shown = self.add(patch("[PATCH] dry", 1), 200, dry_run=True)
        self.assertEqual((shown["series"], shown["new"]), ({"name": "dry", "new": True}, True))
        self.assertEqual(self.call("GET", "/api/v1/series/dry")[0], 404)
        added = self.add(patch("[PATCH] dry", 1))
        self.assertEqual(added["revision"]["patchset_hash"], shown["revision"]["patchset_hash"])
        self.assertFalse(self.add(patch("[PATCH] dry", 1), 200, dry_run=True)["new"])
        self.add(patch("[PATCH] dry", 1, added="q"), 409, dry_run=True)

    def test_at_once(self):
        """The same mails from many at a time are one revision."""
        replies = []
        threads = [threading.Thread(target=lambda: replies.append(self.call("POST", "/api/v1/series", {"mbox": patch("[PATCH] once", 1)})))
                   for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(status for status, _ in replies), [200] * 7 + [201])
        self.assertEqual(len({document["revision"]["id"] for _, document in replies}), 1)

    def test_diff(self):
        self.add(patch("[PATCH 1/2] one", 1) + patch("[PATCH 2/2] two", 2, "y"), series="diffed")
        self.add(patch("[PATCH v2 1/3] one", 3) + patch("[PATCH v2 2/3] two", 4, "y", "better") + patch("[PATCH v2 3/3] three", 5, "z"), series="diffed")
        status, text = self.call("GET", "/api/v1/series/diffed/diff?from=1&to=2")
        self.assertEqual(status, 200)
        self.assertEqual(text.decode(), "1: v1 = 1: v2 one\n2: v1 ! 2: v2 two\n    @@\n     +++ b/y\n     @@\n     -a\n    -+b\n    ++better\n     \n"
                                        "-: v1 > 3: v2 three\n")
        self.assertIn("3: v2 < -: v1 three", self.call("GET", "/api/v1/series/diffed/diff?from=v2&to=v1")[1].decode())
        self.assertEqual(self.call("GET", "/api/v1/series/diffed/diff?from=1&to=9")[0], 404)
        self.assertEqual(self.call("GET", "/api/v1/series/diffed/diff?from=1")[0], 422)

    def test_builds_and_jobs_of_a_revision(self):
        revision = self.add(patch("[PATCH v2] built", 1), series="built")["revision"]
        build = self.server.api.post("/api/v1/builds", {"name": "built-v2", "series": "built", "revision": "v2"})
        self.assertEqual(build["revision_id"], revision["id"])
        self.assertIsNone(self.server.api.post("/api/v1/builds", {"name": "built-v9", "series": "built", "revision": "v9"})["revision_id"])
        self.server.api.post("/api/v1/boards", web.board("nobody"))
        job = self.server.api.post("/api/v1/jobs", {"name": "j", "builds": ["built-v2"], "suite": "small", "boards": {"names": ["nobody"]}})
        self.assertIsNone(job["series"])
        shown = self.call("GET", "/api/v1/series/built/revisions/v2")[1]
        self.assertEqual(([one["name"] for one in shown["builds"]], [one["id"] for one in shown["jobs"]]), (["built-v2"], [job["id"]]))

    def test_kill_keeps_what_was_answered(self):
        name = self.add(patch("[PATCH v7] kept", 1))["series"]["name"]
        mails = self.mbox(name, 7)
        self.server.kill()
        self.server.start()
        self.assertEqual(self.mbox(name, 7), mails)

    def test_events(self):
        stream = web.Stream(self.server)
        self.addCleanup(stream.close)
        self.add(patch("[PATCH v5] told", 1))
        event = stream.take(1, lambda data: data["kind"] == "series" and data["series"] == "told")[0]
        self.assertEqual((event[2]["version"], event[2]["label"]), (5, "v5"))

    def cohort(self, *argv, data=None):
        done = subprocess.run([farm.COHORT, *argv], input=data, capture_output=True, timeout=farm.DEADLINE_S, check=False, env={
            "PATH": os.environ["PATH"], "HOME": self.directory, "COHORT_SERVER": f"http://127.0.0.1:{self.server.api.port}",
            "COHORT_TOKEN_FILE": os.path.join(self.server.state, "admin.token")})
        return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")

    def test_command_line(self):
        one = os.path.join(self.directory, "0001.patch")
        two = os.path.join(self.directory, "0002.patch")
        for path, text in ((one, patch("[PATCH v3 1/2] cli one", 1)), (two, patch("[PATCH v3 2/2] cli two", 2, "y").partition("\n")[2])):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        said = "series cli-one v3\n  1/2 cli one\n  2/2 cli two\n"
        self.assertEqual(self.cohort("series", "add", "--dry-run", two, one), (0, said.replace("v3\n", "v3 (not stored)\n"), ""))
        self.assertEqual(self.cohort("series", "add", one, two), (0, said, ""))
        self.assertEqual(self.cohort("series", "add", "-", data=(patch("[PATCH v3 1/2] cli one", 1) + patch("[PATCH v3 2/2] cli two", 2, "y")).encode()),
                         (0, said, ""))
        self.assertRegex(self.cohort("series", "list")[1], r"cli-one +v3 +2 +Ann Author <ann@example.org> +cli one")
        self.assertIn("v3  2021-02-02 09:00:00  cli one\n  1/2 cli one\n", self.cohort("series", "show", "cli-one")[1])
        self.assertEqual(json.loads(self.cohort("series", "show", "cli-one", "3")[1])["label"], "v3")
        self.assertEqual(self.cohort("series", "mbox", "cli-one", "v3")[1].encode(), self.mbox("cli-one", 3))
        code, out, said = self.cohort("series", "add", two)
        self.assertEqual((code, out), (1, ""))
        self.assertIn("  /mbox: the mails: part 1/2 is missing", said)
        # Bytes that are no UTF-8 go by way of an upload.
        latin = patch("[PATCH v4] cli one", 3, added="K\xf6ln").encode("latin-1")
        self.assertEqual(self.cohort("series", "add", "-", "--series", "cli-one", data=latin), (0, "series cli-one v4\n  1/1 cli one\n", ""))
        self.assertIn(b"\n+K\xf6ln\n", self.mbox("cli-one", 4))
        self.assertIn("1: v3 ! 1: v4 cli one", self.cohort("series", "diff", "cli-one", "3", "4")[1])
        # A diff that is no mail.
        diff = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"
        self.assertEqual(self.cohort("series", "add", "-", "--subject", "plain: diff", "--author", "Ann <ann@example.org>", data=diff.encode())[1],
                         "series plain-diff v1\n  1/1 plain: diff\n")
        self.assertEqual(self.cohort("series", "add", one, "--subject", "x")[0], 2)
        self.assertEqual(self.cohort("series")[0], 2)


if __name__ == "__main__":
    unittest.main()
