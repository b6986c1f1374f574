"""Server-Sent Events: nothing twice, nothing left out, wherever the client comes back."""

import json
import os
import random
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import farm  # noqa: E402
import web  # noqa: E402

SEED = int(os.environ.get("COHORT_SEED", random.SystemRandom().randrange(1 << 32)))


class Events(unittest.TestCase):
    def setUp(self):
        self.server = web.Server()
        self.addCleanup(self.server.remove)
        self.addCleanup(self.server.stop)
        self.api = self.server.start()
        self.api.post("/api/v1/boards", web.board("b", disabled="start"))

    def make(self, count):
        """Events, one each: the board is disabled for another reason."""
        for i in range(count):
            self.api.call("PATCH", "/api/v1/boards/b", {"disabled": f"reason {i}"})

    @staticmethod
    def made(data):
        """Is it one of ours? The farm has its own to say about the board, at any time."""
        return data.get("detail", "").startswith("reason ")

    def stream(self, last=None, path="/api/v1/events"):
        stream = web.Stream(self.server, path, last)
        self.addCleanup(stream.close)
        return stream

    def reasons(self, count):
        return [f"reason {i}" for i in range(count)]

    def details(self, events):
        return [data["detail"] for _, _, data in events if self.made(data)]

    def test_live(self):
        stream = self.stream()
        self.assertEqual(stream.reply.headers["Content-Type"], "text/event-stream")
        self.make(3)
        events = stream.take(3, self.made)
        self.assertEqual(self.details(events), self.reasons(3))
        for number, kind, data in events:
            self.assertEqual((number, kind, data["board"], data["state"]), (data["id"], "board", "b", "disabled"))

    def test_resume_is_exact(self):
        """Cut at random places; what came in all is what is in the store, in order, each once."""
        print(f"seed {SEED}", file=sys.stderr)
        rand = random.Random(SEED)
        maker = threading.Thread(target=self.make, args=(400,))
        maker.start()
        self.addCleanup(maker.join)
        last, seen = 0, []
        while not seen or seen[-1][2].get("detail") != "reason 399":
            stream = web.Stream(self.server, last=last)
            for event in stream.events():
                seen.append(event)
                last = event[0]
                if rand.random() < 0.05 or event[2].get("detail") == "reason 399":
                    break
            stream.close()
        maker.join()
        self.assertEqual(self.details(seen), self.reasons(400))
        self.assertEqual([number for number, _, _ in seen], list(range(1, len(seen) + 1)))
        self.assertEqual(self.stream(0).take(len(seen)), seen)

    def test_backlog_over_a_restart(self):
        self.make(450)
        self.server.kill()
        self.api = self.server.start()
        self.assertEqual(self.details(self.stream(0).take(450, self.made)), self.reasons(450))

    def test_after(self):
        self.make(5)
        ids = [number for number, _, _ in self.stream(0).take(5, self.made)]
        first = lambda last=None, path="/api/v1/events": self.stream(last, path).take(1, self.made)[0][0]
        self.assertEqual(first(path=f"/api/v1/events?after={ids[2]}"), ids[3])
        self.assertEqual(first(ids[3], path="/api/v1/events?after=0"), ids[4])
        for last in ("x", "-1", "9" * 30):
            self.assertEqual(self.server.send("GET", "/api/v1/events", headers={"Last-Event-ID": last})[0], 400)

    def test_id_of_another_store(self):
        """A client that knew this server before its store was made anew hears what happens now."""
        for last, path in ((10 ** 12, "/api/v1/events"), (None, f"/api/v1/events?after={10 ** 12}")):
            stream = self.stream(last, path)
            self.make(2)
            self.assertEqual(self.details(stream.take(2, self.made)), self.reasons(2))

    def test_filter_by_job(self):
        build = self.api.post("/api/v1/builds", {"name": "b"})
        submission = {"builds": [build["id"]], "boards": {"names": ["b"]}, "suite": "small"}
        one = self.api.post("/api/v1/jobs", dict(submission, name="one"))
        two = self.api.post("/api/v1/jobs", dict(submission, name="two"))
        stream = self.stream(path=f"/api/v1/events?job={two['id']}&after=0")
        self.make(10)
        self.api.post(f"/api/v1/jobs/{one['id']}/cancel", None, 200)
        self.api.post(f"/api/v1/jobs/{two['id']}/cancel", None, 200)
        for number, kind, data in stream.events():
            self.assertEqual(data["job"], two["id"])
            if kind == "job" and data["state"] == "cancelled":
                break
        run = two["runs"][0]["id"]
        events = self.api.get(f"/api/v1/runs/{run}/events")["items"]
        self.assertTrue(events)
        self.assertEqual({event["run"] for event in events}, {run})
        paged, cursor = [], ""
        while cursor is not None:
            page = self.api.get(f"/api/v1/runs/{run}/events?limit=1" + (f"&cursor={cursor}" if cursor else ""))
            self.assertEqual(len(page["items"]), 1)
            paged, cursor = paged + page["items"], page["next"]
        self.assertEqual(paged, events)
        stream = self.stream(0, path=f"/api/v1/runs/{run}/events")
        self.assertEqual([data for _, _, data in stream.take(len(events))], events)

    def test_streams_are_bounded_and_freed(self):
        streams = [self.stream() for _ in range(128)]
        self.assertEqual({stream.status for stream in streams}, {200})
        over = self.stream()
        self.assertEqual((over.status, over.reply.headers["Retry-After"]), (503, "5"))
        self.assertEqual(self.api.get("/api/v1/boards")["next"], None)
        for stream in streams:
            stream.reply.close()
            stream.close()
        metric = lambda: self.server.send("GET", "/metrics")[2].decode()
        farm.wait_for("the streams' end", lambda: "cohortd_event_streams 0\n" in metric(), 20)

    def test_comments(self):
        stream = self.stream(path="/api/v1/events?job=999")
        self.assertEqual(next(stream.lines()), ":")
        began = time.monotonic()
        lines = stream.lines()
        line = next(lines)
        while line == "":
            line = next(lines)
        self.assertEqual(line, ":")
        self.assertTrue(13 < time.monotonic() - began < 20)

    def test_shutdown_ends_streams(self):
        streams = [self.stream() for _ in range(10)]
        began = time.monotonic()
        self.server.process.terminate()
        self.assertEqual(self.server.process.wait(30), 0)
        self.assertLess(time.monotonic() - began, 10)
        for stream in streams:
            self.assertEqual([line for line in stream.lines() if line.startswith("data") and self.made(json.loads(line[6:]))], [])


if __name__ == "__main__":
    unittest.main()
