"""Uploads: whole, in parts, cut, resumed, at once; and that a known file need not be sent again."""

import concurrent.futures
import json
import os
import random
import socket
import struct
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import farm  # noqa: E402
import web  # noqa: E402

SEED = int(os.environ.get("COHORT_SEED", random.SystemRandom().randrange(1 << 32)))


class Uploads(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        print(f"seed {SEED}", file=sys.stderr)
        cls.random = random.Random(SEED)
        cls.server = web.Server()
        cls.addClassCleanup(cls.server.remove)
        cls.addClassCleanup(cls.server.stop)
        cls.server.start()

    def put(self, digest, data, content_range=None, **headers):
        headers.update(self.server.writes())
        if content_range:
            headers["Content-Range"] = content_range
        status, got, body = self.server.send("PUT", f"/api/v1/files/{digest}", data, headers)
        return status, json.loads(body), got

    def offset(self, digest):
        """None: whole. Else how much is there."""
        status, headers, _ = self.server.send("HEAD", f"/api/v1/files/{digest}")
        if status == 200:
            return None
        self.assertEqual(status, 404)
        return int(headers["Upload-Offset"])

    def content(self, digest):
        status, _, body = self.server.send("GET", f"/api/v1/files/{digest}")
        self.assertEqual(status, 200)
        return body

    def parts_left(self):
        return os.listdir(os.path.join(self.server.state, "files", "incoming"))

    def test_whole(self):
        data = self.random.randbytes(3_000_000)
        digest = web.sha256(data)
        self.assertEqual(self.offset(digest), 0)
        self.assertEqual(self.put(digest, data)[:2], (201, {"sha256": digest, "size": len(data)}))
        status, headers, _ = self.server.send("HEAD", f"/api/v1/files/{digest}")
        self.assertEqual((status, int(headers["Content-Length"])), (200, len(data)))
        self.assertEqual(self.content(digest), data)
        self.assertEqual(self.put(digest, b"whatever")[:2], (200, {"sha256": digest, "size": len(data)}))
        self.assertEqual(self.content(digest), data)
        with open(os.path.join(self.server.state, "files", digest[:2], digest), "rb") as file:
            self.assertEqual(file.read(), data)

    def test_empty_and_chunked(self):
        self.assertEqual(self.put(web.sha256(b""), b"")[0], 201)
        self.assertEqual(self.content(web.sha256(b"")), b"")
        pieces = [self.random.randbytes(50_000) for _ in range(20)]
        digest = web.sha256(b"".join(pieces))
        self.assertEqual(self.put(digest, iter(pieces))[0], 201)
        self.assertEqual(self.content(digest), b"".join(pieces))

    def test_ranges(self):
        data = self.random.randbytes(1000)
        digest = web.sha256(data)
        self.put(digest, data)
        get = lambda value: self.server.send("GET", f"/api/v1/files/{digest}", headers={"Range": value})
        status, headers, body = get("bytes=10-19")
        self.assertEqual((status, headers["Content-Range"], body), (206, "bytes 10-19/1000", data[10:20]))
        self.assertEqual(get("bytes=-5")[2], data[-5:])
        self.assertEqual(get("bytes=990-")[2], data[990:])
        status, headers, _ = get("bytes=1000-")
        self.assertEqual((status, headers["Content-Range"]), (416, "bytes */1000"))

    def test_parts(self):
        data = self.random.randbytes(100_000)
        digest = web.sha256(data)
        self.assertEqual(self.put(digest, data[:40_000], "bytes 0-39999/100000")[:2], (202, {"received": 40_000}))
        self.assertEqual(self.offset(digest), 40_000)
        for part, text in ((data[50_000:], "bytes 50000-99999/100000"), (data[:40_000], "bytes 0-39999/100000")):
            status, problem, headers = self.put(digest, part, text)
            self.assertEqual((status, problem["received"]), (409, 40_000))
            self.assertEqual(headers["Content-Type"], "application/problem+json")
        self.assertEqual(self.server.send("GET", f"/api/v1/files/{digest}")[0], 404)
        self.assertEqual(self.put(digest, data[40_000:], "bytes 40000-99999/100000")[0], 201)
        self.assertEqual(self.content(digest), data)

    def test_wrong(self):
        digest = web.sha256(b"right")
        status, problem, _ = self.put(digest, b"wrong")
        self.assertEqual(status, 422)
        self.assertIn(web.sha256(b"wrong"), problem["detail"])
        self.assertEqual(self.offset(digest), 0)
        self.put(digest, b"wro", "bytes 0-2/5")
        self.assertEqual(self.put(digest, b"ng", "bytes 3-4/5")[0], 422)
        self.assertEqual(self.offset(digest), 0)
        for text in ("bytes 0-2/2", "bytes 2-0/5", "bytes x", "0-4/5", "bytes 0-3/5", "bytes 0-9/10"):
            self.assertEqual(self.put(digest, b"right", text)[0], 400, text)
        self.assertEqual(self.put(digest, b"right", f"bytes 0-4/{641 << 20}")[0], 413)
        for name in ("x", digest.upper(), digest[:-1], digest + "0"):
            self.assertEqual(self.put(name, b"right")[0], 422)
        self.assertEqual(self.server.send("PUT", f"/api/v1/files/{digest}", b"right")[0], 401)
        self.assertEqual(self.put(digest, b"right")[0], 201)

    def cut(self, digest, data, first, stop):
        """Send data[first:stop] of a part that was to be data[first:], and reset the connection."""
        with self.server.connect() as peer:
            peer.sendall(f"PUT /api/v1/files/{digest} HTTP/1.1\r\nHost: localhost\r\n"
                         f"Authorization: Bearer {self.server.api.token}\r\n"
                         f"Content-Range: bytes {first}-{len(data) - 1}/{len(data)}\r\n"
                         f"Content-Length: {len(data) - first}\r\n\r\n".encode() + data[first:stop])
            farm.wait_for("some of it", lambda: self.offset(digest) > first, 20)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def test_cut_and_resumed(self):
        for round_ in range(15):
            data = self.random.randbytes(self.random.randrange(200_000, 2_000_000))
            digest = web.sha256(data)
            offset = 0
            for _ in range(self.random.randrange(1, 5)):
                stop = self.random.randrange(offset + 1, len(data))
                self.cut(digest, data, offset, stop)
                self.assertLessEqual(self.offset(digest), stop)
                offset = self.resume_point(digest)
                if offset > len(data) - 10:
                    break
            self.assertEqual(self.server.send("GET", f"/api/v1/files/{digest}")[0], 404, round_)
            status, _, _ = self.put(digest, data[offset:], f"bytes {offset}-{len(data) - 1}/{len(data)}")
            self.assertEqual(status, 201)
            self.assertEqual(self.content(digest), data)
        self.assertEqual([name for name in self.parts_left() if digest in name], [])

    def resume_point(self, digest):
        """What is there once the server has seen that the connection is gone: an out-of-order part says so under the lock."""
        status, problem, _ = self.put(digest, b"x", f"bytes {1 << 28}-{1 << 28}/{(1 << 28) + 1}")
        self.assertEqual(status, 409)
        return problem["received"]

    def test_killed_and_resumed(self):
        data = self.random.randbytes(1_000_000)
        digest = web.sha256(data)
        self.cut(digest, data, 0, 600_000)
        self.server.kill()
        self.server.start()
        offset = self.offset(digest)
        self.assertTrue(0 < offset <= 600_000)
        self.assertEqual(self.put(digest, data[offset:], f"bytes {offset}-999999/1000000")[0], 201)
        self.server.kill()
        self.server.start()
        self.assertEqual(self.content(digest), data)

    def test_many_at_once(self):
        """Eight clients send the same file: each is told 200 or 201, and it is whole."""
        for _ in range(5):
            data = self.random.randbytes(2_000_000)
            digest = web.sha256(data)
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                statuses = sorted(status for status, _, _ in pool.map(lambda _, d=data, h=digest: self.put(h, d), range(8)))
            self.assertEqual(statuses, [200] * 7 + [201])
            self.assertEqual(self.content(digest), data)
            self.assertEqual(self.parts_left(), [])

    def test_builds_name_files(self):
        api = self.server.api
        data = self.random.randbytes(1000)
        digest = web.sha256(data)
        missing = web.sha256(b"missing")
        status, problem = api.call("POST", "/api/v1/builds", {"name": "k", "files": {"kernel": digest, "dtb": missing}})
        self.assertEqual((status, {error["pointer"] for error in problem["errors"]}), (422, {"/files/kernel", "/files/dtb"}))
        self.put(digest, data)
        build = api.post("/api/v1/builds", {"name": "k", "files": {"kernel": digest}})
        self.assertEqual(build["files"], {"kernel": {"sha256": digest, "size": 1000}})
        self.assertEqual(api.post("/api/v1/builds", {"name": "k", "files": {"kernel": digest}}, 200), build)
        self.assertEqual(api.call("POST", "/api/v1/builds", {"name": "k"})[0], 409)


@unittest.skipUnless(os.geteuid() == 0, "needs root, to mount")
class FullDisk(unittest.TestCase):
    """A file system of two or so MiB, for the files or for everything."""

    def small(self, directory, size):
        os.makedirs(directory)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=750", "cohort-test", directory]
        if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
            self.skipTest("may not mount")
        self.addCleanup(subprocess.run, ["umount", directory], check=True)

    def test_files(self):
        server = web.Server()
        self.addCleanup(server.remove)
        files = os.path.join(server.state, "files")
        self.small(files, "2m")
        self.addCleanup(server.stop)
        server.start()
        data = os.urandom(4 << 20)
        digest = web.sha256(data)
        status, headers, body = server.send("PUT", f"/api/v1/files/{digest}", data, server.writes())
        self.assertEqual((status, headers["Content-Type"]), (507, "application/problem+json"), body)
        status, headers, _ = server.send("HEAD", f"/api/v1/files/{digest}")
        self.assertEqual((status, headers["Upload-Offset"]), (404, "0"))
        self.assertEqual(os.listdir(os.path.join(files, "incoming")), [])
        small = os.urandom(1 << 20)
        self.assertEqual(server.send("PUT", f"/api/v1/files/{web.sha256(small)}", small, server.writes())[0], 201)

    def test_store(self):
        """A store that is full refuses writes, says so, goes on reading, and takes up writing when there is room."""
        server = web.Server()
        self.addCleanup(server.remove)
        self.small(server.state, "8m")
        self.addCleanup(server.stop)
        api = server.start()
        ballast = os.path.join(server.state, "ballast")
        with open(ballast, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass
        statuses, names = [], []
        for i in range(400):
            status, _ = api.call("POST", "/api/v1/builds", {"name": f"b{i}", "description": "x" * 4000})
            statuses.append(status)
            if status != 201:
                break
            names.append(f"b{i}")
        self.assertEqual(statuses[-1], 507)
        self.assertEqual(api.call("GET", "/healthz")[0], 503)
        page = api.get("/api/v1/builds?limit=500")["items"]
        self.assertEqual(sorted(build["name"] for build in page), sorted(names))
        os.unlink(ballast)
        farm.wait_for("health", lambda: api.call("GET", "/healthz")[0] == 200, 20)
        api.post("/api/v1/builds", {"name": "after"})


if __name__ == "__main__":
    unittest.main()
