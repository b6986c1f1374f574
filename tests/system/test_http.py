"""The HTTP API from outside: errors and where they point, bounds, tokens, Idempotency-Key, boards, builds, pages."""

import concurrent.futures
import http.client
import json
import os
import re
import select
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import farm  # noqa: E402
import web  # noqa: E402

MIB = 1024 * 1024


class Case(unittest.TestCase):
    options = ()

    @classmethod
    def setUpClass(cls):
        cls.server = web.Server(*cls.options)
        cls.addClassCleanup(cls.server.remove)
        cls.addClassCleanup(cls.server.stop)
        cls.api = cls.server.start()

    def problem(self, reply, status, says="", pointers=None):
        """reply = (status, headers, body) is a problem document with exactly these pointers."""
        got, headers, body = reply
        self.assertEqual(got, status, body)
        self.assertEqual(headers["Content-Type"], "application/problem+json")
        document = json.loads(body)
        self.assertEqual(document["status"], status)
        self.assertEqual(document["type"], "about:blank")
        self.assertIn(says, document["detail"])
        found = [error["pointer"] for error in document.get("errors", [])]
        self.assertEqual(sorted(found), sorted(pointers or []), document)
        return document

    def post(self, path, body, **headers):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.server.send("POST", path, data, self.server.writes(**headers))


class Errors(Case):
    def test_bad_documents(self):
        bad = {
            b"": "line 1",
            b"{": "line 1",
            b'{"name":\n "a",}': "line 2",
            b'{"name":"a"} x': "line 1",
            b'{"name":"\xff"}': "byte 0xff",
            b'{"name":"a","name":"b"}': "duplicate",
            b'{"name":"a\\u0000b"}': "line 1",
            b'{"name":"a\x00b"}': "line 1",
            b'"text"': "line 1",
            b"[" * 33 + b"]" * 33: "32 levels",
            b'{"a":' * 33 + b"1" + b"}" * 33: "32 levels",
        }
        for body, says in bad.items():
            with self.subTest(body=body[:40]):
                self.problem(self.post("/api/v1/builds", body), 400, says)

    def test_32_levels_are_fine(self):
        self.problem(self.post("/api/v1/builds", b'{"name":"a","files":' + b"[" * 31 + b"]" * 31 + b"}"), 422,
                     pointers=["/files"])

    def test_body_bounds(self):
        body = json.dumps({"name": "big", "description": "x" * MIB}).encode()
        fits = body[:MIB - 2] + b'"}'
        self.problem(self.post("/api/v1/builds", fits), 422, pointers=["/description"])
        self.problem(self.post("/api/v1/builds", b" " * (MIB + 1)), 413, "1048577")
        chunks = iter([b" " * 65536] * 17)
        reply = self.server.send("POST", "/api/v1/builds", chunks, self.server.writes())
        self.problem(reply, 413, "1048576")

    def test_huge_body_is_refused_at_once(self):
        with self.server.connect() as peer:
            peer.sendall(f"POST /api/v1/builds HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self.api.token}\r\n"
                         "Content-Type: application/json\r\nContent-Length: 9999999999\r\n\r\n".encode())
            self.assertIn(b" 413 ", peer.recv(4096))

    def test_expect_continue(self):
        head = (f"POST /api/v1/builds HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self.api.token}\r\n"
                "Content-Type: application/json\r\nExpect: 100-continue\r\nConnection: close\r\n")
        body = b'{"name":"expected"}'
        with self.server.connect() as peer:
            peer.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode())
            self.assertIn(b" 100 ", peer.recv(4096))
            peer.sendall(body)
            self.assertIn(b" 201 ", peer.recv(4096))
        with self.server.connect() as peer:
            peer.sendall(f"{head}Content-Length: 2000000\r\n\r\n".encode())
            self.assertIn(b" 413 ", peer.recv(4096))

    def test_missing_length_and_type(self):
        reply = self.server.raw(f"POST /api/v1/builds HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                                f"Authorization: Bearer {self.api.token}\r\nContent-Type: application/json\r\n\r\n".encode())
        self.assertIn(b" 411 ", reply.splitlines()[0])
        for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""):
            headers = self.server.writes()
            headers["Content-Type"] = kind
            self.problem(self.server.send("POST", "/api/v1/builds", b"{}", headers), 415, "application/json")
        headers["Content-Type"] = "application/json; charset=utf-8"
        self.assertEqual(self.server.send("POST", "/api/v1/builds", b'{"name":"typed"}', headers)[0], 201)

    def test_framing(self):
        head = (f"POST /api/v1/builds HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self.api.token}\r\n"
                "Content-Type: application/json\r\nConnection: close\r\n")
        for lines in ("Content-Length: 2\r\nContent-Length: 3\r\n", "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
                      "Transfer-Encoding: gzip\r\n", "Content-Length: 2\r\nHost: other\r\n"):
            with self.subTest(lines=lines):
                reply = self.server.raw(f"{head}{lines}\r\n{{}}".encode())
                self.assertIn(b" 400 ", reply.splitlines()[0])

    def test_all_wrong_fields_at_once(self):
        self.problem(self.post("/api/v1/builds", {
            "name": "-a", "release": 5, "arch": "", "build_id": "xyz", "config_sha256": "12", "cmdline": "a\nb",
            "nonsense": 1, "files": {"kernel": "0", "boat": web.sha256(b""), "dtb": 7}}), 422, "wrong",
            ["/name", "/release", "/arch", "/build_id", "/config_sha256", "/cmdline", "/nonsense", "/files/kernel",
             "/files/boat", "/files/dtb"])
        self.problem(self.post("/api/v1/builds", {}), 422, pointers=["/name"])
        self.problem(self.post("/api/v1/builds", []), 422, pointers=[""])
        self.problem(self.post("/api/v1/builds", {"name": "a", "files": {"kernel": web.sha256(b"none")}}), 422,
                     pointers=["/files/kernel"])

    def test_queries(self):
        get = lambda path: self.server.send("GET", path)
        self.problem(get("/api/v1/boards?chache=vivt"), 422, pointers=["?chache"])
        self.problem(get("/api/v1/boards?limit=0&cursor=abc"), 422, pointers=["?limit", "?cursor"])
        self.problem(get("/api/v1/boards?limit=501"), 422, pointers=["?limit"])
        self.problem(get("/api/v1/boards?limit=x"), 422, pointers=["?limit"])
        self.problem(get("/api/v1/boards?limit=1&limit=2"), 400, "twice")
        self.problem(get("/api/v1/boards?tag=%ff"), 400, "UTF-8")
        self.problem(get("/api/v1/boards?tag=%00"), 400, "control")
        self.problem(get("/api/v1/boards?tag=%zz"), 400, "escape")
        self.problem(get("/api/v1/events?after=x"), 422, pointers=["?after"])
        for path, names in (("jobs", ["state"]), ("runs", ["state", "cache"]), ("boards", ["cache", "kind", "state"]),
                            ("results", ["verdict", "cache"]), ("results", ["format"])):
            wrong = "&".join(f"{name}=wrong" for name in names)
            self.problem(get(f"/api/v1/{path}?{wrong}"), 422, pointers=[f"?{name}" for name in names])
            self.problem(get(f"/api/v1/{path}?{names[0]}="), 422, pointers=[f"?{names[0]}"])

    def test_unknown_things(self):
        for path in ("/api", "/api/v1", "/api/v2/boards", "/api/v1/boards/none", "/api/v1/builds/999", "/api/v1/builds/0",
                     "/api/v1/builds/x", "/api/v1/builds/99999999999999999999", "/api/v1/suites/none", "/api/v1/jobs/77",
                     "/api/v1/runs/77", "/api/v1/runs/77/log", "/api/v1/results/77", "/nothing.html"):
            with self.subTest(path=path):
                self.problem(self.server.send("GET", path), 404, "no such")

    def test_wrong_paths(self):
        for path in ("/a/../b", "/a/%2e%2e/b", "//", "/a//b", "/a/", "/%00", "/%ff", "/a%2fb", "/" + "a" * 5000):
            with self.subTest(path=path[:30]):
                self.assertEqual(self.server.send("GET", path)[0], 400)

    def test_head_is_get_without_body(self):
        status, headers, body = self.server.send("HEAD", "/api/v1/boards")
        self.assertEqual((status, body), (200, b""))
        self.assertEqual(int(headers["Content-Length"]), len(self.server.send("GET", "/api/v1/boards")[2]))

    def test_host_names(self):
        for host, status in (("localhost", 200), ("127.0.0.1:80", 200), ("[::1]:80", 200), ("LOCALHOST", 200),
                             ("evil.example", 421), ("localhost.evil.example", 421), ("127.0.0.1.evil.example:80", 421)):
            self.assertEqual(self.server.send("GET", "/healthz", headers={"Host": host})[0], status, host)

    def test_page_of_another_site_cannot_write(self):
        """What a form on another page can send has no JSON type, and no token."""
        reply = self.server.send("POST", "/api/v1/builds", b'{"name":"x"}', {"Content-Type": "text/plain"})
        self.problem(reply, 401)


class Methods(Case):
    def test_every_route(self):
        """Each path answers the methods that it does not have with 405 and Allow, and each has its own 404."""
        document = self.api.get("/api/v1/openapi.json")
        for pattern, methods in document["paths"].items():
            path = re.sub(r"\{\w+\}", "1", pattern)
            allowed = {name.upper() for name in methods} | ({"HEAD"} if "get" in methods else set())
            for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} - allowed:
                with self.subTest(path=path, method=method):
                    status, headers, _ = self.server.send(method, path, b"", self.server.writes())
                    self.assertEqual(status, 405)
                    self.assertEqual(set(headers["Allow"].split(", ")), allowed)
            self.assertEqual(self.server.send("GET", path + "/no/such")[0], 404)
        status, headers, _ = self.server.send("DELETE", "/index.html", headers=self.server.writes())
        self.assertEqual((status, headers["Allow"]), (405, "GET, HEAD"))

    def test_writing_needs_a_token(self):
        document = self.api.get("/api/v1/openapi.json")
        for pattern, methods in document["paths"].items():
            for method in methods.keys() - {"get"}:
                with self.subTest(method=method, pattern=pattern):
                    path = re.sub(r"\{\w+\}", "1", pattern)
                    self.problem(self.server.send(method.upper(), path, b"{}"), 401)


class Tokens(Case):
    options = ("--read-token-required",)

    def test_tokens(self):
        token = self.api.token
        for value, says in ((None, ""), ("Bearer", "invalid"), (f"Basic {token}", "invalid"), ("Bearer x", "invalid"),
                            (f"Bearer {token}x", "invalid"), (f"Bearer {token[:-1]}", "invalid")):
            status, headers, _ = self.server.send("GET", "/api/v1/boards", headers={"Authorization": value} if value else {})
            self.assertEqual(status, 401, value)
            self.assertIn("Bearer", headers["WWW-Authenticate"])
            self.assertEqual("invalid_token" in headers["WWW-Authenticate"], says == "invalid")
        for value in (f"Bearer {token}", f"bearer {token}", f"Bearer   {token}"):
            self.assertEqual(self.server.send("GET", "/api/v1/boards", headers={"Authorization": value})[0], 200)

    def test_public(self):
        for path, status in (("/healthz", 200), ("/api/v1/openapi.json", 200), ("/", 200), ("/metrics", 401),
                             ("/api/v1/events", 401), ("/api/v1/builds", 401)):
            self.assertEqual(self.server.send("GET", path)[0], status, path)

    def test_the_file(self):
        path = os.path.join(self.server.state, "admin.token")
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        with open(os.path.join(self.server.state, "cohort.db"), "rb") as file:
            self.assertNotIn(self.api.token.encode(), file.read())


class Boards(Case):
    def test_register(self):
        document = web.board("reg-1", tags=["a", "b"], description="on the shelf", disabled="not wired yet")
        status, headers, body = self.post("/api/v1/boards", document)
        self.assertEqual(status, 201, body)
        self.assertEqual(headers["Location"], "/api/v1/boards/reg-1")
        board = json.loads(body)
        self.assertEqual(board["ssh"], {"host": "127.0.0.1", "port": 1, "user": "root", "host_key": web.host_key()})
        self.assertEqual((board["state"], board["disabled_reason"], board["origin"]), ("disabled", "not wired yet", "api"))
        self.assertNotIn("client", body.decode())
        self.problem(self.post("/api/v1/boards", document), 409, "reg-1")

    def test_commands_are_refused(self):
        commands = {"boot": {"method": "command", "command": ["reboot"]}, "console": {"command": ["cu"]},
                    "power": {"on": ["x"], "off": ["x"], "cycle": ["x"], "status": ["x"]}}
        problem = self.problem(self.post("/api/v1/boards", web.board("cmd", **commands)), 422, pointers=[
            "/boot/command", "/console/command", "/power/on", "/power/off", "/power/cycle", "/power/status"])
        self.assertEqual({error["detail"] for error in problem["errors"]},
                         {"commands are the lab owner's configuration; put the file into the boards directory"})
        self.problem(self.post("/api/v1/boards", web.board("unix", console={"unix": "/run/docker.sock"})), 422,
                     pointers=["/console/unix"])

    def test_keys(self):
        for key in ("../keys/client", "/etc/passwd", "none", ".", "..", ""):
            document = web.board("key")
            document["ssh"]["key"] = key
            reply = self.post("/api/v1/boards", document)
            self.assertEqual(reply[0], 422, key)
            self.assertIn("/ssh/key", reply[2].decode())

    def test_wrong_fields(self):
        self.problem(self.post("/api/v1/boards", {"name": 1, "cache": 5, "boat": 1, "boot": {"method": "pray"}}), 422,
                     pointers=["/name", "/kind", "/cache", "/arch", "/boat", "/ssh", "/boot/method"])
        self.problem(self.post("/api/v1/boards", web.board("x", kind="toaster", cache="big", arch="arm", tags=["a b"])), 422,
                     pointers=["/kind", "/cache", "/arch", "/tags/0"])

    def test_change(self):
        self.post("/api/v1/boards", web.board("chg", disabled="wait"))
        patch = lambda body: self.server.send("PATCH", "/api/v1/boards/chg", json.dumps(body).encode(), self.server.writes())
        status, _, body = patch({"tags": ["t1"], "description": "d", "disabled": "the fan is broken"})
        board = json.loads(body)
        self.assertEqual((status, board["tags"], board["description"], board["disabled_reason"], board["state"]),
                         (200, ["t1"], "d", "the fan is broken", "disabled"))
        board = json.loads(patch({"disabled": None})[2])
        self.assertIsNone(board["disabled_reason"])
        self.assertNotEqual(board["state"], "disabled")
        self.assertEqual(board["tags"], ["t1"])
        patch({"disabled": "again"})
        self.problem(patch({"tags": ["a b", 5], "disabled": "", "cache": "vivt"}), 422,
                     pointers=["/tags/0", "/tags/1", "/disabled", "/cache"])
        reply = self.server.send("PATCH", "/api/v1/boards/none", b"{}", self.server.writes())
        self.problem(reply, 404, "none")

    def test_lists(self):
        names = [f"list-{i:02}" for i in range(7)]
        for i, name in enumerate(names):
            self.api.post("/api/v1/boards", web.board(name, disabled="x", cache=("vivt", "pipt")[i % 2], tags=["lot", f"n{i}"]))
        seen, cursor = [], ""
        while cursor is not None:
            page = self.api.get(f"/api/v1/boards?tag=lot&limit=3{cursor}")
            seen += [board["name"] for board in page["items"]]
            self.assertLessEqual(len(page["items"]), 3)
            cursor = page["next"] and f"&cursor={page['next']}"
        self.assertEqual(seen, names)
        only = lambda query: [board["name"] for board in self.api.get(f"/api/v1/boards?{query}")["items"]]
        self.assertEqual(only("tag=lot&cache=pipt"), names[1::2])
        self.assertEqual(only("tag=n3"), [names[3]])
        self.assertEqual(only("tag=lot&state=idle"), [])
        self.assertEqual(only("tag=lot&kind=qemu"), [])
        self.assertEqual(only("tag=lot&state=disabled&kind=host"), names)

    def test_directory(self):
        """Files at start, again at SIGHUP; a bad file then changes nothing, and one that is gone disables its board."""
        server = web.Server()
        self.addCleanup(server.remove)
        self.addCleanup(server.stop)
        key = os.path.join(server.directory, "keys", "client")
        good = web.board("from-file", disabled="no machine")
        good["ssh"]["key"] = key
        server.add_board(good)
        api = server.start()
        self.assertEqual(api.get("/api/v1/boards/from-file")["origin"], "file")
        other = json.loads(json.dumps(good).replace("from-file", "second"))
        server.add_board(other)
        server.process.send_signal(signal.SIGHUP)
        farm.wait_for("the second board", lambda: api.call("GET", "/api/v1/boards/second")[0] == 200, 20)
        with open(os.path.join(server.boards, "third.json"), "w", encoding="utf-8") as file:
            file.write('{"name":"third"}')
        server.process.send_signal(signal.SIGHUP)
        farm.wait_for("a complaint", lambda: "third.json" in server.tail() and "/kind" in server.tail(), 20)
        self.assertEqual(api.call("GET", "/api/v1/boards/second")[0], 200)
        os.unlink(os.path.join(server.boards, "third.json"))
        api.call("PATCH", "/api/v1/boards/from-file", {"tags": ["kept"], "disabled": None})
        os.unlink(os.path.join(server.boards, "second.json"))
        other["name"] = "fourth"
        server.add_board(other)
        server.process.send_signal(signal.SIGHUP)
        farm.wait_for("the fourth board", lambda: api.call("GET", "/api/v1/boards/fourth")[0] == 200, 20)
        self.assertEqual(api.get("/api/v1/boards/from-file")["tags"], ["kept"])
        self.assertEqual(api.get("/api/v1/boards/second")["state"], "disabled")
        self.assertNotEqual(api.get("/api/v1/boards/from-file")["state"], "disabled")
        # Who disabled it knows why: a word more in its file does not put it back to work.
        api.call("PATCH", "/api/v1/boards/from-file", {"disabled": "smells burnt"})
        changed = dict(good, description="changed")
        del changed["disabled"]
        server.add_board(changed)
        server.process.send_signal(signal.SIGHUP)
        farm.wait_for("the change", lambda: api.get("/api/v1/boards/from-file")["description"] == "changed", 20)
        self.assertEqual(api.get("/api/v1/boards/from-file")["disabled_reason"], "smells burnt")

    def test_bad_file_at_start(self):
        server = web.Server()
        self.addCleanup(server.remove)
        with open(os.path.join(server.boards, "bad.json"), "w", encoding="utf-8") as file:
            file.write('{"name":"bad"}')
        with self.assertRaisesRegex(AssertionError, "(?s)bad.json.*/kind"):
            server.start()
        server.stop()


class Idempotency(Case):
    def test_replay(self):
        one = self.post("/api/v1/builds", {"name": "once"}, **{"Idempotency-Key": "k1"})
        two = self.post("/api/v1/builds", {"name": "once"}, **{"Idempotency-Key": "k1"})
        self.assertEqual((one[0], one[2]), (201, two[2]))
        self.assertEqual(two[0], 201)
        self.assertEqual(two[1]["Idempotency-Replayed"], "true")
        self.assertEqual(one[1]["Location"], two[1]["Location"])
        self.problem(self.post("/api/v1/builds", {"name": "other"}, **{"Idempotency-Key": "k1"}), 409, "k1")
        self.problem(self.post("/api/v1/boards", web.board("other"), **{"Idempotency-Key": "k1"}), 409, "k1")

    def test_failed_request_uses_no_key(self):
        self.post("/api/v1/builds", {"name": "-"}, **{"Idempotency-Key": "k2"})
        self.assertEqual(self.post("/api/v1/builds", {"name": "k2"}, **{"Idempotency-Key": "k2"})[0], 201)

    def test_bad_keys(self):
        for key in ("a b", "x" * 129, "\xe4"):
            self.problem(self.post("/api/v1/builds", {"name": "key"}, **{"Idempotency-Key": key}), 400, "Idempotency-Key")
        self.assertEqual(self.post("/api/v1/builds", {"name": "longest"}, **{"Idempotency-Key": "x" * 128})[0], 201)

    def test_concurrent(self):
        """Eight at once with one key: one board, and the same answer to all."""
        for round_ in range(10):
            send = lambda _, n=round_: self.post("/api/v1/boards", web.board(f"conc-{n}", disabled="x"),
                                                 **{"Idempotency-Key": f"conc-{n}"})
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                replies = list(pool.map(send, range(8)))
            self.assertEqual({(reply[0], reply[2]) for reply in replies}, {(201, replies[0][2])})
            self.assertEqual(sum(reply[1]["Idempotency-Replayed"] is None for reply in replies), 1)

    def test_survives_restart(self):
        one = self.post("/api/v1/builds", {"name": "kept"}, **{"Idempotency-Key": "kept"})
        self.server.kill()
        type(self).api = self.server.start()
        two = self.post("/api/v1/builds", {"name": "kept"}, **{"Idempotency-Key": "kept"})
        self.assertEqual((two[0], two[2]), (201, one[2]))


class Builds(Case):
    def test_same_name(self):
        full = {"name": "full", "release": "6.1.1", "build_id": "9f00", "arch": "arm", "description": "d", "cmdline": "x=1",
                "config_sha256": web.sha256(b"c"), "compiler": "gcc 12", "series": "s", "revision": "v2", "files": {}}
        build = self.api.post("/api/v1/builds", full)
        self.assertEqual({key: build[key] for key in full}, full)
        self.assertEqual(self.api.post("/api/v1/builds", full, 200), build)
        for field in full.keys() - {"name", "files"}:
            changed = dict(full, **{field: "ab" if field != "config_sha256" else web.sha256(b"d")})
            self.problem(self.post("/api/v1/builds", changed), 409, "full")
        self.assertEqual(self.api.get(f"/api/v1/builds/{build['id']}"), build)

    def test_pages(self):
        ids = [self.api.post("/api/v1/builds", {"name": f"page-{i}"})["id"] for i in range(5)]
        first = self.api.get("/api/v1/builds?limit=2")
        self.assertEqual([build["id"] for build in first["items"]], [ids[4], ids[3]])
        self.api.post("/api/v1/builds", {"name": "newer"})
        second = self.api.get(f"/api/v1/builds?limit=2&cursor={first['next']}")
        self.assertEqual([build["id"] for build in second["items"]], [ids[2], ids[1]])


class Replies(Case):
    """Real replies are as openapi.json says."""

    def check(self, method, path, body=None, headers=None, query=""):
        status, got, data = self.server.send(method, path + query, body and json.dumps(body).encode(),
                                             dict(self.server.writes(), **(headers or {})))
        document = json.loads(data) if "json" in got["Content-Type"] else data.decode()
        self.assertEqual(self.description.check(method, path, status, got["Content-Type"], document), [])
        return document

    def test_replies(self):
        self.description = web.Description(self.api.get("/api/v1/openapi.json"))
        self.check("POST", "/api/v1/boards", web.board("one", disabled="x"))
        self.check("POST", "/api/v1/boards", web.board("one", disabled="x"))
        self.check("POST", "/api/v1/boards", {})
        self.check("PATCH", "/api/v1/boards/one", {"tags": ["x"]})
        build = self.check("POST", "/api/v1/builds", {"name": "b"})
        self.check("POST", "/api/v1/builds", {"name": "b"})
        submission = {"name": "j", "builds": [build["id"]], "boards": {"names": ["one"]}, "suite": "small"}
        self.check("POST", "/api/v1/jobs", submission, query="?dry_run=true")
        job = self.check("POST", "/api/v1/jobs", submission)
        run = job["runs"][0]["id"]
        for path in ("/boards", "/boards/one", "/builds", f"/builds/{build['id']}", "/suites", "/suites/small", "/jobs",
                     f"/jobs/{job['id']}", "/runs", f"/runs/{run}", f"/runs/{run}/attempts", f"/runs/{run}/events", "/results",
                     "/openapi.json", "/jobs/999", "/boards/none"):
            self.check("GET", "/api/v1" + path)
        self.check("GET", "/api/v1/compare", query=f"?job={job['id']}")
        issue = self.check("POST", "/api/v1/known-issues", {"suite": "small", "test": "*", "cache": "vivt", "why": "w"})
        self.check("POST", "/api/v1/known-issues", {})
        self.check("GET", "/api/v1/known-issues")
        for method, body in (("GET", None), ("PATCH", {"expires": "2030-01-01"}), ("DELETE", None), ("GET", None)):
            self.check(method, f"/api/v1/known-issues/{issue['id']}", body)
        self.check("GET", "/healthz")
        self.check("GET", "/metrics")
        self.check("POST", f"/api/v1/jobs/{job['id']}/cancel")
        self.check("POST", f"/api/v1/jobs/{job['id']}/cancel")
        self.check("POST", "/api/v1/jobs", {"nonsense": 1})

    def test_metrics(self):
        text = self.server.send("GET", "/metrics")[2].decode()
        for line in text.splitlines():
            self.assertRegex(line, r'^(# (HELP|TYPE) \w+ .+|\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? [0-9.]+)$')
        for name in ("cohortd_boards", "cohortd_runs", "cohortd_queue_length", "cohortd_results_total",
                     "cohortd_http_requests_total", "cohortd_commit_seconds_bucket", "cohortd_event_streams",
                     "cohortd_build_info"):
            self.assertIn(name, text)


class Pages(Case):
    def test_files(self):
        status, headers, body = self.server.send("GET", "/")
        self.assertEqual((status, headers["Content-Type"]), (200, "text/html; charset=utf-8"))
        self.assertEqual(body, self.server.send("GET", "/index.html")[2])
        self.assertIn("default-src 'none'; script-src 'self'", headers["Content-Security-Policy"])
        self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
        self.assertEqual(headers["Referrer-Policy"], "no-referrer")
        status, again, body = self.server.send("GET", "/", headers={"If-None-Match": headers["ETag"]})
        self.assertEqual((status, body, again["ETag"]), (304, b"", headers["ETag"]))
        self.assertEqual(self.server.send("GET", "/style.css")[1]["Content-Type"], "text/css; charset=utf-8")

    def test_nothing_outside(self):
        web_dir = os.path.join(self.server.directory, "web")
        os.makedirs(os.path.join(web_dir, "sub"))
        secret = os.path.join(self.server.directory, "secret")
        for path, text in ((secret, "secret"), (os.path.join(web_dir, ".hidden"), "secret"),
                           (os.path.join(web_dir, "index.html"), "page")):
            with open(path, "w", encoding="ascii") as file:
                file.write(text)
        os.symlink(secret, os.path.join(web_dir, "link"))
        os.symlink("/etc", os.path.join(web_dir, "etc"))
        os.mkfifo(os.path.join(web_dir, "pipe"))
        self.server.stop()
        self.server.options += ["--web", web_dir]
        type(self).api = self.server.start()
        self.assertEqual(self.server.send("GET", "/")[2], b"page")
        for path in ("/../secret", "/%2e%2e/secret", "/sub/%2e%2e/%2e%2e/secret", "/..%2fsecret", "/%2e%2e%2fsecret",
                     "/link", "/etc/passwd", "/.hidden", "/sub", "/sub/", "/pipe", "//etc/passwd", "/index.html%00.css",
                     "/..%5csecret", "/%252e%252e/secret"):
            with self.subTest(path=path):
                reply = self.server.raw(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
                self.assertIn(reply.split()[1], (b"400", b"404"))
                self.assertNotIn(b"secret\n", reply)
                self.assertNotIn(b"root:", reply)


class Slow(Case):
    def test_slow_clients_block_nobody(self):
        """Two hundred connections that never finish their headers, and one that never reads, beside quick requests."""
        peers = [self.server.connect() for _ in range(200)]
        for peer in peers:
            peer.sendall(b"GET / HTTP/1.1\r\nHost: local")
        lazy = self.server.connect()
        lazy.sendall(b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 50)
        for _ in range(50):
            self.assertEqual(self.server.send("GET", "/healthz")[0], 200)
        for peer in [*peers, lazy]:
            peer.close()

    def test_dripping_headers_end(self):
        """A client that sends a little now and then is never idle, and is cut off all the same."""
        peers = [self.server.connect() for _ in range(2)]
        peers[0].sendall(b"GET / HTTP/1.1\r\n")
        peers[1].sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assertIn(b" 200 ", peers[1].recv(4096))
        began = time.monotonic()
        open_ = set(peers)
        while open_:
            self.assertLess(time.monotonic() - began, 45)
            for peer in select.select(list(open_), [], [], 2)[0]:
                if not peer.recv(4096):
                    open_.discard(peer)
            for peer in open_:
                try:
                    peer.sendall(b"X")
                except OSError:
                    pass
        self.assertGreater(time.monotonic() - began, 25)
        for peer in peers:
            peer.close()

    def test_connections_are_bounded(self):
        peers = []
        try:
            for _ in range(560):
                peer = self.server.connect()
                peer.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                peers.append(peer)
                answer = peer.recv(4096)
                if b" 503 " in answer.splitlines()[0]:
                    break
            self.assertIn(b" 503 ", answer.splitlines()[0])
            self.assertIn(b"Retry-After: 1", answer)
            self.assertGreater(len(peers), 500)
        finally:
            for peer in peers:
                peer.close()
        farm.wait_for("room again", lambda: self.server.send("GET", "/healthz")[0] == 200, 30)


class Starting(unittest.TestCase):
    def run_cohortd(self, *options):
        return subprocess.run([farm.COHORTD, *options], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30,
                              check=False)

    def test_refuses_to_listen_beyond_loopback(self):
        server = web.Server()
        self.addCleanup(server.remove)
        for address in ("0.0.0.0:0", "[::]:0"):
            done = self.run_cohortd("--listen", address, "--state", server.state, "--suites", server.suites, "--board-program",
                                    farm.COHORT_BOARD, "--agents", server.agents)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("loopback", done.stderr)
            self.assertNotIn("listening", done.stdout)

    def test_insecure_listen_needs_tokens_to_read(self):
        server = web.Server("--insecure-listen")
        self.addCleanup(server.remove)
        self.addCleanup(server.stop)
        server.options += ["--listen", "0.0.0.0:0"]
        server.start()
        self.assertEqual(server.send("GET", "/api/v1/boards")[0], 401)
        self.assertEqual(server.send("GET", "/api/v1/boards", headers=server.writes())[0], 200)

    def test_bad_configurations(self):
        server = web.Server()
        self.addCleanup(server.remove)
        path = os.path.join(server.directory, "config.json")
        cases = [({"boat": 1, "listen": 5}, ["/boat", "/listen"]), ({"listen": "farm:80"}, ["farm:80"]), ([], ["object"]),
                 ({"tls_cert": "a"}, ["tls_key"]), ({"log_level": "loud"}, ["loud"])]
        for document, says in cases:
            with open(path, "w", encoding="utf-8") as file:
                json.dump(document, file)
            done = self.run_cohortd("--config", path)
            self.assertEqual(done.returncode, 2, done.stderr)
            for word in says:
                self.assertIn(word, done.stderr)
        for options in (("--boat",), ("--listen",), ("word",), ("--config", "/nonexistent")):
            self.assertEqual(self.run_cohortd(*options).returncode, 2)

    def test_open_token_file_is_refused(self):
        server = web.Server()
        self.addCleanup(server.remove)
        self.addCleanup(server.stop)
        server.start()
        server.stop()
        os.chmod(os.path.join(server.state, "admin.token"), 0o644)
        with self.assertRaisesRegex(AssertionError, "chmod 600"):
            server.start()
        server.stop()
        os.unlink(os.path.join(server.state, "admin.token"))
        old = server.api.token
        self.assertNotEqual(server.start().token, old)
        self.assertEqual(server.send("POST", "/api/v1/builds", b"{}", {"Authorization": f"Bearer {old}"})[0], 401)

    def test_options_outrank_the_file(self):
        server = web.Server()
        self.addCleanup(server.remove)
        path = os.path.join(server.directory, "config.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"notes": "x", "state": "rel", "listen": "127.0.0.1:1", "hosts": ["farm.lab"]}, file)
        done = self.run_cohortd("--listen", "127.0.0.1:2", "--config", path, "--print-config")
        shown = json.loads(done.stdout)
        self.assertEqual((shown["state"], shown["listen"], shown["hosts"]),
                         (os.path.join(server.directory, "rel"), "127.0.0.1:2", ["farm.lab"]))

    def test_examples(self):
        """configs/server/*.json are good, and do what they say."""
        directory = os.path.join(farm.TOP, "configs", "server")
        names = sorted(name for name in os.listdir(directory) if name.endswith(".json"))
        self.assertTrue(names)
        for name in names:
            with open(os.path.join(directory, name), encoding="utf-8") as file:
                document = json.load(file)
            done = self.run_cohortd("--config", os.path.join(directory, name), "--print-config")
            self.assertEqual(done.returncode, 0, done.stderr)
            shown = json.loads(done.stdout)
            self.assertEqual({key: shown[key] for key in document if key != "notes"},
                             {key: value for key, value in document.items() if key != "notes"})

    def test_check_config(self):
        server = web.Server()
        self.addCleanup(server.remove)
        options = ["--state", server.state, "--suites", server.suites, "--boards", server.boards, "--check-config"]
        self.assertEqual(self.run_cohortd(*options).returncode, 0)
        with open(os.path.join(server.boards, "bad.json"), "w", encoding="utf-8") as file:
            file.write("{")
        done = self.run_cohortd(*options)
        self.assertEqual(done.returncode, 1)
        self.assertIn("bad.json: line 1", done.stderr)
        self.assertFalse(os.path.exists(server.state))

    def test_tls(self):
        server = web.Server()
        self.addCleanup(server.remove)
        self.addCleanup(server.stop)
        key, cert = (os.path.join(server.directory, name) for name in ("tls.key", "tls.pem"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
                        "1", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key,
                        "-out", cert], check=True, capture_output=True)
        server.options += ["--tls-cert", cert, "--tls-key", key, "--listen", "0.0.0.0:0"]
        api = server.start()
        context = ssl.create_default_context(cafile=cert)

        def get(path, headers):
            connection = http.client.HTTPSConnection("127.0.0.1", api.port, timeout=30, context=context)
            connection.request("GET", path, headers=headers)
            status = connection.getresponse().status
            connection.close()
            return status
        self.assertEqual(get("/healthz", {}), 200)
        self.assertEqual(get("/api/v1/boards", {}), 401)
        self.assertEqual(get("/api/v1/boards", server.writes()), 200)

    def test_ready_and_port(self):
        server = web.Server()
        self.addCleanup(server.remove)
        self.addCleanup(server.stop)
        path = os.path.join(server.directory, "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(path)
            manager.settimeout(30)
            os.environ["NOTIFY_SOCKET"] = path
            try:
                api = server.start()
            finally:
                del os.environ["NOTIFY_SOCKET"]
            self.assertEqual(manager.recv(100), b"READY=1")
        with open(os.path.join(server.state, "port"), encoding="ascii") as file:
            self.assertEqual(int(file.read()), api.port)
        server.process.terminate()
        self.assertEqual(server.process.wait(30), 0, server.tail())


class Durable(unittest.TestCase):
    ROUNDS = 100

    def test_201_then_kill(self):
        """What was answered with 201 is there after kill -9, every time, and whatever was sent beside it is whole or not there."""
        server = web.Server()
        self.addCleanup(server.remove)
        self.addCleanup(server.stop)
        known = {}
        for round_ in range(self.ROUNDS):
            server.start()
            for name, build in list(known.items())[-5:]:
                self.assertEqual(server.api.get(f"/api/v1/builds/{build['id']}"), build, name)
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                jobs = [pool.submit(self.submit, server, f"r{round_}-{i}") for i in range(4)]
                name, build = jobs[round_ % 4].result()
                server.kill()
                known[name] = build
                for job in jobs:
                    if job.exception() is None:
                        known[job.result()[0]] = job.result()[1]
        server.start()
        there, cursor = {}, ""
        while cursor is not None:
            page = server.api.get(f"/api/v1/builds?limit=500{cursor}")
            there.update({build["name"]: build for build in page["items"]})
            cursor = page["next"] and f"&cursor={page['next']}"
        self.assertEqual({name: there.get(name) for name in known}, known)
        self.assertGreaterEqual(len(known), self.ROUNDS)

    def test_store_that_takes_no_transaction(self):
        """Somebody else holds the store's lock: the client is told to come again, and then it works."""
        server = web.Server()
        self.addCleanup(server.remove)
        self.addCleanup(server.stop)
        api = server.start()
        other = sqlite3.connect(os.path.join(server.state, "cohort.db"), isolation_level=None)
        self.addCleanup(other.close)
        other.execute("BEGIN IMMEDIATE")
        status, headers, body = server.send("POST", "/api/v1/builds", '{"name":"b"}', server.writes())
        self.assertEqual((status, headers["Retry-After"]), (503, "5"), body)
        self.assertEqual(api.call("GET", "/healthz")[0], 503)
        other.execute("ROLLBACK")
        farm.wait_for("health", lambda: api.call("GET", "/healthz")[0] == 200, 30)
        self.assertEqual(api.post("/api/v1/builds", {"name": "b"})["name"], "b")

    def submit(self, server, name):
        body = json.dumps({"name": name, "cmdline": "x" * 500})
        status, _, data = server.send("POST", "/api/v1/builds", body, server.writes())
        assert status == 201, data
        return name, json.loads(data)


if __name__ == "__main__":
    unittest.main()
