"""Builds that were made elsewhere come in by URL: over https from a server of our own on loopback, which the configuration has
to allow; through cuts, redirects, refusals and a kill -9 in the middle."""

import http.server
import json
import os
import random
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import farm  # noqa: E402
import web  # noqa: E402

SEED = int(os.environ.get("COHORT_SEED", random.SystemRandom().randrange(1 << 32)))


class Ci:
    """An https server. files: path -> bytes; ways: path -> what happens, one a request, then it serves."""

    def __init__(self, directory):
        self.files, self.ways, self.asked = {}, {}, []
        self.gate = threading.Event()
        ci = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                ci.asked.append((self.path, self.headers.get("Range")))
                ways = ci.ways.get(self.path, [])
                ci.answer(self, ways.pop(0) if ways else "serve")

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(directory, "cert.pem"), os.path.join(directory, "key.pem"))
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, handler, way):
        word, _, argument = way.partition(" ")
        data = self.files.get(handler.path, b"")
        first = 0
        if word == "status" or (word == "serve" and handler.path not in self.files):
            handler.send_response(int(argument or 404))
            handler.send_header("Content-Length", "5")
            handler.end_headers()
            handler.wfile.write(b"sorry")
            return
        if word == "to":
            handler.send_response(302)
            handler.send_header("Location", argument)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        wanted = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range") or "")
        if wanted and "norange" not in way:
            first = int(wanted[1])
            handler.send_response(206)
            said = first + 1 if word == "lie" else first
            handler.send_header("Content-Range", f"bytes {said}-{len(data) - 1}/{len(data)}")
        else:
            handler.send_response(200)
        handler.send_header("Content-Length", str(len(data) - first))
        handler.end_headers()
        if word in ("cut", "gate"):
            handler.wfile.write(data[first:(first + len(data)) // 2])
            handler.wfile.flush()
            if word == "gate":
                self.gate.wait(farm.DEADLINE_S)
            handler.close_connection = True
            return
        try:
            handler.wfile.write(data[first:])
        except OSError:
            handler.close_connection = True

    def stop(self):
        self.gate.set()
        self.server.shutdown()
        self.server.server_close()


class Fetch(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        print(f"seed {SEED}", file=sys.stderr)
        cls.random = random.Random(SEED)
        cls.directory = tempfile.mkdtemp(prefix="cohort-fetch-")
        cls.addClassCleanup(shutil.rmtree, cls.directory)
        cert, key = (os.path.join(cls.directory, name) for name in ("cert.pem", "key.pem"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cert],
                       check=True, capture_output=True)
        cls.ci = Ci(cls.directory)
        cls.addClassCleanup(cls.ci.stop)
        cls.other = Ci(cls.directory)
        cls.addClassCleanup(cls.other.stop)
        cls.host = f"localhost:{cls.ci.port}"
        cls.server = web.Server("--fetch-host", cls.host, "--fetch-private", cls.host, "--fetch-ca", cert,
                                "--fetch-host", f"127.0.0.1:{cls.other.port}")
        cls.addClassCleanup(cls.server.remove)
        cls.addClassCleanup(lambda: cls.server.stop())
        cls.server.start()
        cls.description = web.Description(cls.server.api.get("/api/v1/openapi.json"))

    def call(self, method, path, body=None):
        status, headers, data = self.server.send(method, path, json.dumps(body) if body is not None else None, self.server.writes())
        document = json.loads(data)
        self.assertEqual(self.description.check(method, path.partition("?")[0], status, headers["Content-Type"], document), [])
        return status, document

    def file(self, path, *ways, size=300_000):
        """Something at path of the CI, and how to ask for it."""
        data = self.random.randbytes(size)
        self.ci.files[path] = data
        self.ci.ways[path] = list(ways)
        return {"url": f"https://{self.host}{path}", "sha256": web.sha256(data)}

    def ask(self, name, status=202, **files):
        got, document = self.call("POST", "/api/v1/fetches", {"name": name, "files": files})
        self.assertEqual(got, status, document)
        return document

    def end(self, fetch):
        def ended():
            document = self.call("GET", f"/api/v1/fetches/{fetch['id']}")[1]
            return document if document["state"] != "fetching" else None
        return farm.wait_for(f"fetch {fetch['id']} has ended", ended)

    def done(self, name, **files):
        document = self.end(self.ask(name, **files))
        self.assertEqual((document["state"], document["detail"]), ("done", ""))
        build = self.server.api.get(f"/api/v1/builds/{document['build']}")
        self.assertEqual(build["name"], name)
        for role, file in files.items():
            self.assertEqual(build["files"][role]["sha256"], file["sha256"])
            status, _, data = self.server.send("GET", f"/api/v1/files/{file['sha256']}")
            self.assertEqual((status, web.sha256(data)), (200, file["sha256"]))
        return document

    def failed(self, name, detail, **files):
        document = self.end(self.ask(name, **files))
        self.assertEqual(document["state"], "failed")
        self.assertIn(detail, document["detail"])
        self.assertNotIn(name, [build["name"] for build in self.server.api.get("/api/v1/builds?limit=500")["items"]])
        return document

    def test_whole_build(self):
        stream = web.Stream(self.server)
        self.addCleanup(stream.close)
        document = self.done("whole", kernel=self.file("/whole/zImage"), dtb=self.file("/whole/dtb", size=0))
        self.assertEqual({file["role"]: (file["whole"], file["received"]) for file in document["files"]}, {"kernel": (True, 300_000), "dtb": (True, 0)})
        told = []
        while not told or told[-1].get("state") != "done":
            told += [data for _, _, data in stream.take(1, lambda data: data.get("fetch") == document["id"])]
        self.assertEqual([data["state"] for data in told if data["kind"] == "fetch"], ["fetching", "done"])
        last = {data["what"]: (data["stage"], data["done"], data["total"]) for data in told if data["kind"] == "progress"}
        self.assertEqual(last, {"whole kernel": ("fetch", 300_000, 300_000), "whole dtb": ("fetch", 0, 0)})

    def test_cut_goes_on(self):
        file = self.file("/cut", "cut", "cut", "cut")
        self.done("cut", kernel=file)
        self.assertEqual([wanted for path, wanted in self.ci.asked if path == "/cut"], [None, "bytes=150000-", "bytes=225000-", "bytes=262500-"])

    def test_server_without_ranges(self):
        self.done("norange", kernel=self.file("/norange", "cut norange", "serve norange"))

    def test_lying_range(self):
        self.done("lie", kernel=self.file("/lie", "cut", "lie", "serve"))

    def test_errors_that_pass(self):
        self.done("busy", kernel=self.file("/busy", "status 503", "status 429"))

    def test_redirects(self):
        good = self.file("/there")
        self.ci.ways["/here"] = ["to /hop", "to /hop"]
        self.ci.ways["/hop"] = [f"to https://{self.host}/there"]
        self.done("redirected", kernel={"url": f"https://{self.host}/here", "sha256": good["sha256"]})
        for number, (to, detail) in enumerate((("https://evil.example.org/x", "is not among cohortd's fetch_hosts"),
                                               (f"http://{self.host}/there", "must be https"),
                                               ("file:///etc/passwd", "must be https"),
                                               (f"https://user:word@{self.host}/there", "must not have a user"),
                                               (f"https://127.0.0.1:{self.other.port}/x", "its address is not a public one"))):
            self.ci.ways["/away"] = [f"to {to}"]
            self.failed(f"away-{number}", detail, kernel={"url": f"https://{self.host}/away", "sha256": "1" * 64})
        self.ci.ways["/round"] = ["to /round"] * 20
        self.failed("round", "more than 5 redirects", kernel={"url": f"https://{self.host}/round", "sha256": "1" * 64})
        self.assertEqual(self.other.asked, [])

    def test_failures_are_final_until_asked_again(self):
        file = self.file("/again", "status 404")
        first = self.failed("again", "the server answers 404", kernel=file)
        second = self.ask("again", kernel=file)
        self.assertEqual(second["id"], first["id"])
        self.assertEqual(self.end(second)["state"], "done")
        self.assertEqual(self.ask("again", 200, kernel=file)["state"], "done")

    def test_wrong_content(self):
        file = self.file("/wrong")
        file["sha256"] = "0" * 64
        self.failed("wrong", "the content's SHA-256 is", kernel=file)
        self.assertEqual(os.listdir(os.path.join(self.server.state, "files", "incoming")), [])

    def test_private_address(self):
        self.failed("private", "its address is not a public one (see fetch_private)",
                    kernel={"url": f"https://127.0.0.1:{self.other.port}/x", "sha256": "1" * 64})
        self.assertEqual(self.other.asked, [])

    def test_refused(self):
        good = self.file("/refused")
        rows = (({"kernel": {**good, "url": "https://evil.example.org/x"}}, "/files/kernel/url"),
                ({"kernel": {**good, "url": "http://" + self.host}}, "/files/kernel/url"),
                ({"kernel": {**good, "sha256": "x"}}, "/files/kernel/sha256"),
                ({"kernel": {"url": good["url"]}}, "/files/kernel/sha256"),
                ({"kernel": good["sha256"]}, "/files/kernel"),
                ({"elsewhere": good}, "/files/elsewhere"), ({}, "/files"))
        for files, pointer in rows:
            status, problem = self.call("POST", "/api/v1/fetches", {"name": "refused", "files": files})
            self.assertEqual((status, problem["errors"][0]["pointer"]), (422, pointer))
        self.server.api.post("/api/v1/builds", {"name": "taken"})
        self.assertEqual(self.call("POST", "/api/v1/fetches", {"name": "taken", "files": {"kernel": good}})[0], 409)

    def test_off_without_hosts(self):
        server = web.Server()
        self.addCleanup(server.remove)
        self.addCleanup(server.stop)
        server.start()
        status, problem = server.api.call("POST", "/api/v1/fetches", {"name": "x", "files": {}})
        self.assertEqual(status, 403)
        self.assertIn("fetch_hosts", problem["detail"])

    def test_kill_in_the_middle(self):
        file = self.file("/kill", "gate", size=4_000_000)
        fetch = self.ask("killed", kernel=file)
        farm.wait_for("half of it", lambda: self.call("GET", f"/api/v1/fetches/{fetch['id']}")[1]["files"][0]["received"] == 2_000_000)
        self.server.kill()
        self.ci.gate.set()
        self.server.start()
        self.assertEqual(self.end(fetch)["state"], "done")
        self.assertEqual([wanted for path, wanted in self.ci.asked if path == "/kill"], [None, "bytes=2000000-"])

    def test_command_line(self):
        manifest = os.path.join(self.directory, "manifest.json")
        with open(manifest, "w", encoding="utf-8") as file:
            json.dump({"name": "cli", "release": "6.1", "class": "vivt", "files": {"kernel": self.file("/cli")}}, file)
        environment = {"PATH": os.environ["PATH"], "HOME": self.directory, "COHORT_SERVER": f"http://127.0.0.1:{self.server.api.port}",
                       "COHORT_TOKEN_FILE": os.path.join(self.server.state, "admin.token")}
        done = subprocess.run([farm.COHORT, "build", "fetch", manifest, "--wait"], env=environment, capture_output=True, text=True, check=False,
                              timeout=farm.DEADLINE_S)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"^build \d+ cli\n$")


if __name__ == "__main__":
    unittest.main()
