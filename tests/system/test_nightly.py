"""Schedules, the report and what goes out, on the real cohortd with fake boards (fake_board.py)."""

import email
import email.policy
import hashlib
import hmac
import http.server
import json
import os
import shutil
import socket
import sqlite3
import struct
import subprocess
import tempfile
import threading
import time
import unittest

import farm
import test_farm
import test_study

AIOSMTPD = shutil.which("aiosmtpd") or "/usr/bin/aiosmtpd"


def schedule(name="night", **fields):
    return {"name": name, "cron": "30 2 * * *", "zone": "Europe/Berlin",
            "job": {"builds": ["running"], "boards": {"cache": ["none"]}, "suite": "fake"}, **fields}


class Case(unittest.TestCase):
    def setUp(self):
        self.farm = test_farm.FakeFarm()
        self.addCleanup(self.farm.remove)
        self.addCleanup(self.farm.stop)
        self.farm.board("b1")

    def open(self):
        self.farm.open()
        self.api = self.farm.api
        return self.api

    def zone(self, name, when):
        """A time zone in which a minute begins at the time when, off by seconds: nobody has to wait for one that is full.
        Before the daemon is opened, or at least a zone."""
        directory, offset = os.path.join(self.farm.directory, "zones"), -when % 60
        block = struct.pack(">4sc15x6l", b"TZif", b"2", 0, 0, 0, 0, 1, 4) + struct.pack(">lBB", offset, 0, 0) + b"SIM\0"
        os.makedirs(directory, exist_ok=True)
        with open(os.path.join(directory, name), "wb") as file:
            file.write(block * 2 + f"\n<SIM>-0:00:{offset:02}\n".encode())
        self.farm.environment["TZDIR"] = directory
        return name

    def runs(self, name="night"):
        return self.api.get(f"/api/v1/schedules/{name}/runs")["items"]

    def cohort(self, *args, code=0):
        done = subprocess.run([farm.COHORT, "--server", f"http://127.0.0.1:{self.api.port}", "--token", self.api.token, *args],
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stdout


class Schedules(Case):
    def test_api(self):
        api = self.open()
        made = api.post("/api/v1/schedules", schedule(window_s=3600, overlap="queue", catch_up="once", report=True))
        self.assertEqual((made["name"], made["zone"], made["overlap"], made["catch_up"], made["report"], made["last"]),
                         ("night", "Europe/Berlin", "queue", "once", True, []))
        self.assertEqual(len(made["next"]), 5)
        for instant in made["next"]:
            self.assertRegex(instant["local"], r"^\d{4}-\d\d-\d\d (02:30|03:00) \+0[12]00$")
        self.assertEqual(api.get("/api/v1/schedules/night"), made)
        self.assertEqual(api.get("/api/v1/schedules")["items"], [made])
        self.assertEqual(api.call("POST", "/api/v1/schedules", schedule())[0], 409)
        self.assertEqual(api.call("DELETE", "/api/v1/schedules/night")[0], 200)
        self.assertEqual(api.call("DELETE", "/api/v1/schedules/night")[0], 404)
        for path in ("", "/runs"):
            self.assertEqual(api.call("GET", f"/api/v1/schedules/night{path}")[0], 404)

    def test_every_complaint_at_once(self):
        api = self.open()
        wrong = schedule("bad name", cron="61 * * * *", zone="Europe/Atlantis", overlap="maybe", catch_up="twice", window_s=5,
                         colour="red")
        wrong["job"].update(builds=["latest:nothing", "gone"], priority=1000)
        status, document = api.call("POST", "/api/v1/schedules", wrong)
        self.assertEqual(status, 422)
        got = {e["pointer"] for e in document["errors"]}
        self.assertEqual(got, {"/name", "/cron", "/zone", "/overlap", "/catch_up", "/window_s", "/colour", "/job/builds/0"})
        wrong["job"]["builds"] = ["gone"]
        got = {e["pointer"] for e in api.call("POST", "/api/v1/schedules", wrong)[1]["errors"]}
        self.assertLessEqual({"/job/builds/0", "/job/priority"}, got)
        self.assertEqual(api.get("/api/v1/schedules")["items"], [])

    def test_run_now_and_disable(self):
        api = self.open()
        api.post("/api/v1/schedules", schedule(window_s=3600))
        run = api.post("/api/v1/schedules/night/run", {})
        self.assertEqual((run["outcome"], run["why"]), ("submitted", "by hand"))
        job = self.farm.wait_job(run["job"])
        self.assertTrue(job["complete"])
        self.assertRegex(job["name"], r"^night \d{4}-\d\d-\d\d$")
        changed = api.call("PATCH", "/api/v1/schedules/night", {"disabled": "holiday"})[1]
        self.assertEqual((changed["disabled_reason"], changed["next"]), ("holiday", []))
        for wrong in ({}, {"disabled": ""}, {"disabled": 1}, {"disabled": None, "x": 1}):
            self.assertEqual(api.call("PATCH", "/api/v1/schedules/night", wrong)[0], 422, wrong)
        changed = api.call("PATCH", "/api/v1/schedules/night", {"disabled": None})[1]
        self.assertEqual((changed["disabled_reason"], len(changed["next"])), (None, 5))

    def test_change(self):
        api = self.open()
        made = api.post("/api/v1/schedules", schedule(window_s=3600, overlap="queue", report=True))
        changes = {"cron": "15 4 * * mon", "zone": "UTC", "overlap": "cancel-old", "catch_up": "once", "window_s": None, "report": False}
        changed = api.call("PATCH", "/api/v1/schedules/night", changes)
        self.assertEqual(changed, (200, {**made, **changes, "next": changed[1]["next"]}))
        for instant in changed[1]["next"]:
            self.assertRegex(instant["local"], r"^\d{4}-\d\d-\d\d 04:15 \+0000$")
        job = {**schedule()["job"], "tests": ["t-1"]}
        both = api.call("PATCH", "/api/v1/schedules/night", {"job": job, "disabled": "holiday", "zone": None, "overlap": None})[1]
        self.assertEqual((both["job"], both["disabled_reason"], both["next"], both["zone"], both["overlap"], both["cron"]),
                         (job, "holiday", [], "UTC", "skip", "15 4 * * mon"))
        self.assertEqual(self.runs(), [], "nothing of the past was due")
        self.assertEqual(api.call("PATCH", "/api/v1/schedules/day", {"cron": "@daily"})[0], 404)

    def test_change_complains_of_all_at_once(self):
        api = self.open()
        made = api.post("/api/v1/schedules", schedule())
        wrong = {"cron": "61 * * * *", "zone": "Europe/Atlantis", "overlap": "maybe", "catch_up": "twice", "window_s": 5, "colour": "red",
                 "name": "other", "disabled": "", "report": 1, "job": {**schedule()["job"], "builds": ["gone"], "priority": 1000}}
        status, document = api.call("PATCH", "/api/v1/schedules/night", wrong)
        self.assertEqual(status, 422)
        self.assertEqual({e["pointer"] for e in document["errors"]}, {f"/{name}" for name in wrong if name != "job"} |
                         {"/job/builds/0", "/job/priority"})
        for body, pointer in (({}, ""), ({"cron": None}, "/cron"), ({"job": None}, "/job"), ({"name": "night"}, "/name"), ({"job": 1}, "/job")):
            status, document = api.call("PATCH", "/api/v1/schedules/night", body)
            self.assertEqual((status, [e["pointer"] for e in document["errors"]]), (422, [pointer]), body)
        self.assertEqual(api.get("/api/v1/schedules/night"), made, "a change that is refused changes nothing")

    def test_change_and_the_past(self):
        """The daemon was down over instants, and the schedule is changed: the old ones are missed, the new has none of its own."""
        api = self.open()
        api.post("/api/v1/schedules", schedule(cron="0 * * * *", zone="UTC"))
        api.call("PATCH", "/api/v1/schedules/night", {"disabled": "holiday"})
        self.farm.stop()
        db = sqlite3.connect(os.path.join(self.farm.state, "cohort.db"))
        with db:
            db.execute("UPDATE schedule SET seen = seen - 36000000000, since = 0")
        db.close()
        self.farm.start()
        self.api = api = self.farm.api
        api.call("PATCH", "/api/v1/schedules/night", {"cron": "*/7 * * * *", "disabled": None})
        run, = self.runs()
        self.assertEqual((run["outcome"], run["why"], run["instant"][14:19]), ("skipped", "disabled: holiday", "00:00"))
        self.assertIn(run["count"], (10, 11))

    def test_a_zone_that_went_away(self):
        """The system has lost the zone: the schedule says so, and a change repairs it."""
        api = self.open()
        api.post("/api/v1/schedules", schedule())
        self.farm.stop()
        db = sqlite3.connect(os.path.join(self.farm.state, "cohort.db"))
        with db:
            db.execute("UPDATE schedule SET zone = 'Europe/Atlantis'")
        db.close()
        self.farm.start()
        self.api = api = self.farm.api
        self.assertIn("Atlantis", api.get("/api/v1/schedules/night")["disabled_reason"])
        self.assertEqual(api.call("PATCH", "/api/v1/schedules/night", {"window_s": 60})[0], 422)
        changed = api.call("PATCH", "/api/v1/schedules/night", {"zone": "Europe/Berlin"})[1]
        self.assertEqual((changed["disabled_reason"], len(changed["next"])), (None, 5))

    def test_the_clock_submits(self):
        """The real clock: the next minute, and it is there once. The same of two schedules for one board."""
        self.zone("Any", 0)
        api = self.open()
        when = int(time.time()) + 4
        zone = self.zone("Soon", when)
        for name in ("one", "two"):
            api.post("/api/v1/schedules", schedule(name, cron="* * * * *", zone=zone))
        for name in ("one", "two"):
            run = farm.wait_for(f"{name} was submitted", lambda name=name: self.runs(name), 70)[-1]
            self.assertEqual((run["outcome"], run["count"]), ("submitted", 1))
            self.assertEqual(run["instant"], time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(when)))
            self.assertTrue(self.farm.wait_job(run["job"])["complete"])
            self.assertEqual(api.call("DELETE", f"/api/v1/schedules/{name}")[0], 200)

    def test_latest(self):
        api = self.open()
        document = schedule()
        document["job"]["builds"] = ["running", "latest:mainline/*-v5"]
        for name in ("m1-v5", "m2-v5", "m3-v7"):
            api.post("/api/v1/builds", {"name": name, "arch": "x86-64", "series": "mainline"})
        api.post("/api/v1/schedules", document)
        job = self.farm.wait_job(api.post("/api/v1/schedules/night/run", {})["job"])
        self.assertEqual((job["labels"], [b["name"] for b in job["builds"]]), (["running", "mainline/*-v5"], ["running", "m2-v5"]))
        api.post("/api/v1/builds", {"name": "m4-v5", "arch": "x86-64", "series": "mainline"})
        job = self.farm.wait_job(api.post("/api/v1/schedules/night/run", {})["job"])
        self.assertEqual((job["labels"], [b["name"] for b in job["builds"]]), (["running", "mainline/*-v5"], ["running", "m4-v5"]))

    def test_command(self):
        self.open()
        path = os.path.join(self.farm.directory, "night.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(schedule(), file)
        self.assertEqual(self.cohort("schedule", "add", path).count("02:30 +0"), 5)
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"name": "night", "cron": "45 3 * * *"}, file)
        self.assertEqual(self.cohort("schedule", "edit", path).count("03:45 +0"), 5)
        self.assertEqual(self.api.get("/api/v1/schedules/night")["zone"], "Europe/Berlin")
        job = self.cohort("schedule", "run-now", "night").split()[1]
        self.farm.wait_job(int(job))
        self.assertIn("by hand", self.cohort("schedule", "runs", "night"))
        self.cohort("schedule", "disable", "night", "moving house")
        self.assertIn("moving house", self.cohort("schedule", "list"))
        self.assertIn("moving house", self.cohort("schedule", "show", "night"))
        self.cohort("schedule", "enable", "night")
        self.assertEqual(json.loads(self.cohort("schedule", "list", "--json"))[0]["name"], "night")
        report = self.cohort("report", job)
        self.assertIn("t-bad", report)
        self.cohort("schedule", "rm", "night")
        self.assertEqual(self.cohort("schedule", "list").count("night"), 0)
        self.cohort("schedule", "dance", code=2)


class Window(Case):
    """What is queued later than the job knows its time window, too."""

    def setUp(self):
        super().setUp()
        self.farm.board("b1", test_ms=200, values={build: [1000, 300, "even"] for build in ("running", "v2")})

    def change(self, *statement):
        """While the daemon is down."""
        self.farm.stop()
        db = sqlite3.connect(os.path.join(self.farm.state, "cohort.db"))
        with db:
            rows = db.execute(*statement).fetchall()
        db.close()
        self.farm.start()
        self.api = self.farm.api
        return rows

    def test_no_further_rounds(self):
        """A study that would go on for 50 rounds: its window ends in the fourth or so."""
        api = self.open()
        api.post("/api/v1/builds", {"name": "v2", "arch": "x86-64"})
        document = schedule(window_s=3600)
        document["job"].update(builds=["running", "v2"], tests=["t-1"], rounds=2, until={"decided": True, "max_rounds": 50})
        api.post("/api/v1/schedules", document)
        job = api.post("/api/v1/schedules/night/run", {})["job"]
        path = f"/api/v1/jobs/{job}"
        farm.wait_for("a round that was added", lambda: api.get(path)["round"] > 2)
        times = self.change("SELECT r.round, r.expires - j.window_ends, j.window_ends - s.instant FROM run r JOIN job j ON j.id = r.job"
                            " JOIN schedule_run s ON s.job = j.id WHERE j.id = ?", (job,))
        self.assertEqual({ends for _, _, ends in times}, {3600 * 10**6})
        self.assertEqual({late for round, late, _ in times if round > 2}, {0}, "a later round has no time of its own")
        self.assertLessEqual({late for _, late, _ in times}, {0} | set(range(-10**6, 10**6)))
        farm.wait_for("one more", lambda: self.api.get(path)["round"] > max(round for round, _, _ in times))
        before = self.change("UPDATE job SET window_ends = created RETURNING (SELECT max(round) FROM run)")[0][0]
        ended = self.farm.wait_job(job)
        self.assertEqual((ended["state"], ended["study"]["stopped"], ended["deciding"]), ("done", "its time window has ended", False))
        self.assertEqual(ended["round"], before, "what was queued ran, and no round was added")


class WindowOfKernels(test_study.Case):
    """A kernel that is there only when the window has ended is not tested by day."""

    def boards(self):
        return [self.builder("bob"), self.board("viv", "vivt")]

    def test_too_late(self):
        self.flush_series()
        self.assertEqual(self.api.call("PATCH", "/api/v1/boards/bob", {"disabled": "later"})[0], 200)
        job = {key: value for key, value in self.study(boards={"cache": ["vivt"]}, revisions=["v1"]).items() if key != "name"}
        self.api.post("/api/v1/schedules", schedule(job=job, window_s=3600))
        job = self.api.post("/api/v1/schedules/night/run", {})["job"]
        self.farm.stop()
        db = sqlite3.connect(os.path.join(self.farm.state, "cohort.db"))
        with db:
            db.execute("UPDATE job SET window_ends = created")
        db.close()
        self.api = self.farm.start()
        self.assertEqual(self.api.call("PATCH", "/api/v1/boards/bob", {"disabled": None})[0], 200)
        ended = self.farm.wait_job(job)
        self.assertEqual({b["state"] for b in ended["builds"]}, {"complete"})
        self.assertEqual([(r["state"], r["fault"]["code"]) for r in ended["runs"]], [("failed", "no-board")] * 2)


class Report(Case):
    def test_of_a_scheduled_job(self):
        api = self.open()
        api.post("/api/v1/schedules", schedule())
        jobs = [self.farm.wait_job(api.post("/api/v1/schedules/night/run", {})["job"])["id"] for _ in range(2)]
        status, text = api.call("GET", f"/api/v1/jobs/{jobs[1]}/report")
        text = text.decode()
        self.assertEqual(status, 200)
        lines = text.splitlines()
        self.assertLessEqual(max(len(line) for line in lines), 72, text)
        self.assertLessEqual(len(lines), 72)
        for wanted in (f"job {jobs[1]}", "none, host *", "FAIL 1/3", f"Since job {jobs[0]}", "  nothing", "t-bad",
                       "mismatch", "WARNING: CPU: 0 at mm/fake.c", "$ cohort submit --build running --board b1", "1/1 failed",
                       "Ran, no Tested-by: b1 (none, host)"):
            self.assertIn(wanted, text)
        self.assertNotIn("\nTested-by:", text)


class MailServer:
    """aiosmtpd, Debian's SMTP server in Python, on a free port, with the handler of mail_handler.py."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="cohort-mail-")
        self.port = farm.free_port()
        self.process = None

    def start(self, faults=""):
        with open(os.path.join(self.directory, "faults"), "w", encoding="ascii") as file:
            file.write(faults)
        here = os.path.dirname(os.path.abspath(__file__))
        self.process = subprocess.Popen([AIOSMTPD, "-n", "-l", f"127.0.0.1:{self.port}", "-c", "mail_handler.Handler", self.directory],
                                        env=dict(os.environ, PYTHONPATH=here, PYTHONDONTWRITEBYTECODE="1"), stdin=subprocess.DEVNULL)
        farm.wait_for("the mail server", self.answers)

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as peer:
                return peer.recv(3) == b"220"
        except OSError:
            return False

    def release(self):
        with open(os.path.join(self.directory, "release"), "w", encoding="ascii"):
            pass

    @property
    def messages(self):
        """(from, to, bytes) of each mail that it took."""
        found = []
        while os.path.exists(os.path.join(self.directory, f"{len(found)}.json")):
            with open(os.path.join(self.directory, f"{len(found)}.json"), encoding="ascii") as file:
                envelope = json.load(file)
            with open(os.path.join(self.directory, f"{len(found)}.eml"), "rb") as file:
                found.append((envelope["from"], envelope["to"], file.read()))
        return found

    def stop(self):
        self.release()
        farm.end_process(self.process)
        shutil.rmtree(self.directory, ignore_errors=True)


class Receiver:
    """An HTTP server that takes webhooks. faults: statuses for the next posts, "hang" for none at all."""

    def __init__(self):
        self.posts, self.faults, self.released = [], [], threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.posts.append((dict(self.headers), body))
                fault = outer.faults.pop(0) if outer.faults else 204
                if fault == "hang":
                    outer.released.wait(60)
                    return
                self.send_response(fault)
                if fault == 302:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()


class Out(Case):
    """What goes out of a farm whose store already has something to send."""

    def setUp(self):
        super().setUp()
        self.mail = MailServer()
        self.addCleanup(self.mail.stop)
        self.farm.options += ["--smtp-url", f"smtp://127.0.0.1:{self.mail.port}", "--mail-from", "farm@example.org",
                              "--mail-to", "list@example.org", "--mail-to", "lab@example.org", "--mail-at", "0 7 * * *"]

    def deliveries(self, query=""):
        return self.api.get(f"/api/v1/deliveries{query}")["items"]

    def put(self, text="From: a@example.org\nSubject: x\nMessage-ID: <m1@x>\n\nBody\n.\n..dots\nend\n"):
        """A mail that is queued, made while the daemon is down."""
        self.open()
        self.farm.stop()
        db = sqlite3.connect(os.path.join(self.farm.state, "cohort.db"))
        with db:
            db.execute("INSERT INTO delivery (kind, target, subject, message_id, message, state, next_try, created) VALUES "
                       "('mail', 'list@example.org', 'x', 'm1@x', ?, 'queued', 0, 0)", (text,))
        db.close()

    def begin(self):
        self.farm.start()
        self.api = self.farm.api

    def wait_state(self, state, deadline_s=40):
        return farm.wait_for(f"delivery {state}", lambda: next((d for d in self.deliveries() if d["state"] == state), None), deadline_s)


class Mail(Out):
    def test_bytes_and_envelope(self):
        self.mail.start()
        self.put()
        self.begin()
        sent = self.wait_state("sent")
        self.assertEqual((sent["tries"], sent["doubt"], sent["message_id"]), (1, 0, "m1@x"))
        sender, recipients, content = self.mail.messages[0]
        self.assertEqual((sender, recipients), ("farm@example.org", ["list@example.org", "lab@example.org"]))
        self.assertTrue(content.endswith(b"\r\n\r\nBody\r\n.\r\n..dots\r\nend\r\n"), content)
        self.farm.stop()
        self.begin()
        self.assertEqual([d["state"] for d in self.deliveries()], ["sent"])
        self.assertEqual(len(self.mail.messages), 1)

    def test_later(self):
        self.mail.start("later")
        self.put()
        self.begin()
        self.assertEqual(self.wait_state("sent")["tries"], 2)
        self.assertEqual(len(self.mail.messages), 1)

    def test_refused(self):
        self.mail.start("refuse")
        self.put()
        self.begin()
        failed = self.wait_state("failed")
        self.assertEqual(failed["tries"], 1)
        self.assertIn("550", failed["detail"])
        self.assertEqual(self.mail.messages, [])

    def test_server_is_not_there(self):
        self.put()
        self.begin()
        farm.wait_for("a try", lambda: self.deliveries()[0]["detail"])
        self.mail.start()
        self.assertEqual(self.wait_state("sent")["tries"], 2)
        self.assertEqual(len(self.mail.messages), 1)

    def test_the_answer_is_lost(self):
        """Taken, and no 250: the same bytes once more, and never a third time."""
        self.mail.start("drop")
        self.put()
        self.begin()
        sent = self.wait_state("sent")
        self.assertEqual((sent["tries"], sent["doubt"]), (2, 1))
        self.assertEqual(len(self.mail.messages), 2)
        self.assertEqual(self.mail.messages[0], self.mail.messages[1])

    def test_the_answer_is_always_lost(self):
        self.mail.start("drop drop")
        self.put()
        self.begin()
        failed = self.wait_state("failed")
        self.assertIn("may have been taken", failed["detail"])
        self.assertEqual(len(self.mail.messages), 2)

    def test_killed_before_the_answer(self):
        self.mail.start("hold")
        self.put()
        self.begin()
        self.wait_state("handed")
        farm.wait_for("the server has it", lambda: self.mail.messages)
        self.farm.kill()
        self.mail.release()
        self.begin()
        sent = self.wait_state("sent")
        self.assertEqual((sent["tries"], sent["doubt"]), (2, 1))
        self.assertEqual(self.mail.messages[0], self.mail.messages[1])
        self.assertEqual(len(self.mail.messages), 2)

    def test_killed_before_it_is_handed_over(self):
        """The server does not even greet: nobody has the mail, so sending it again is no doubt."""
        self.put()
        with socket.create_server(("127.0.0.1", self.mail.port)) as silent:
            self.begin()
            self.wait_state("sending")
            silent.settimeout(20)
            silent.accept()[0].close()
            self.farm.kill()
        self.mail.start()
        self.begin()
        self.assertEqual(self.wait_state("sent")["doubt"], 0)
        self.assertEqual(len(self.mail.messages), 1)

    def test_a_digest(self):
        """From the schedule to the mail, by the real clock: once, with evidence."""
        self.mail.start()
        zone = self.zone("Soon", int(time.time()) + 12)
        self.farm.options[-1:] = ["* * * * *", "--mail-zone", zone]
        api = self.open()
        api.post("/api/v1/schedules", schedule(report=True, zone=zone))
        job = self.farm.wait_job(api.post("/api/v1/schedules/night/run", {})["job"])
        farm.wait_for("the mail", lambda: self.mail.messages, 70)
        message = email.message_from_bytes(self.mail.messages[0][2], policy=email.policy.default)
        self.assertEqual(message["Subject"], f"[cohort] {job['name']}: 1 still-failing")
        self.assertEqual((message["To"], message["Auto-Submitted"]), ("list@example.org, lab@example.org", "auto-generated"))
        self.assertRegex(message["Message-ID"], r"^<digest\.\d{8}\.\d{4}\.[0-9a-f]{16}@example\.org>$")
        lines = message.get_content().splitlines()
        self.assertLessEqual(max(map(len, lines)), 72)
        self.assertLessEqual(len(lines), 72)
        self.assertIn("   | WARNING: CPU: 0 at mm/fake.c", lines)
        self.wait_state("sent")
        self.farm.stop()
        self.begin()
        self.assertEqual(len(self.deliveries()), 1)
        self.assertEqual(len(self.mail.messages), 1)


class Hooks(Out):
    SECRET = "0123456789abcdef0123"

    def setUp(self):
        super().setUp()
        self.receiver = Receiver()
        self.addCleanup(self.receiver.stop)
        self.path = os.path.join(self.farm.directory, "hooks.json")
        with open(os.path.join(self.farm.directory, "secret"), "w", encoding="ascii") as file:
            file.write(self.SECRET + "\n")
        self.write([{"name": "ci", "url": self.receiver.url, "secret_file": "secret", "events": ["job-ended", "verdict-changed"]}])
        self.farm.options = [*self.farm.options[:4], "--webhooks", self.path]

    def write(self, hooks):
        with open(self.path, "w", encoding="utf-8") as file:
            json.dump(hooks, file)

    def check(self, headers, body):
        mac = hmac.new(self.SECRET.encode(), body, hashlib.sha256).hexdigest()
        self.assertEqual(headers["Cohort-Signature"], f"sha256={mac}")
        document = json.loads(body)
        self.assertEqual((headers["Cohort-Event"], headers["Cohort-Delivery"]), (document["event"], document["delivery"]))
        return document

    def test_job_ended(self):
        self.receiver.faults = [500, 302]
        self.open()
        job = self.farm.wait_job(self.farm.submit()["id"])
        farm.wait_for("two tries", lambda: len(self.receiver.posts) >= 2, 40)
        document = self.check(*self.receiver.posts[0])
        self.assertEqual((document["event"], document["job"]["id"], document["job"]["verdicts"], document["schedule"]),
                         ("job-ended", job["id"], {"pass": 2, "fail": 1}, None))
        self.assertEqual(self.receiver.posts[0], self.receiver.posts[1], "a try is the same as the one before")
        self.farm.stop()
        db = sqlite3.connect(os.path.join(self.farm.state, "cohort.db"))
        with db:
            db.execute("UPDATE delivery SET next_try = 0")
        db.close()
        self.begin()
        self.assertEqual(self.wait_state("sent")["tries"], 3)
        self.assertEqual(len(self.deliveries()), 1)
        self.assertEqual(len(self.receiver.posts), 3)

    def test_a_receiver_that_hangs_holds_up_nobody_else(self):
        other = Receiver()
        self.addCleanup(other.stop)
        self.receiver.faults = ["hang"]
        self.write([{"name": name, "url": url, "secret_file": "secret", "events": ["job-ended"]}
                    for name, url in (("ci", self.receiver.url), ("other", other.url))])
        self.open()
        self.farm.wait_job(self.farm.submit()["id"])
        farm.wait_for("the other has its post", lambda: other.posts, 40)
        farm.wait_for("the tardy one is tried again", lambda: len(self.receiver.posts) >= 2, 60)
        self.assertEqual({d["state"] for d in farm.wait_for(
            "both sent", lambda: [d for d in self.deliveries()] if all(d["state"] == "sent" for d in self.deliveries()) else None)}, {"sent"})
        self.assertEqual(len(other.posts), 1)

    def test_verdict_changed(self):
        """A night without a verdict, since the board is not there, and one that passes."""
        there = os.path.join(self.farm.directory, "there")
        self.farm.board("b1", reachable=there)
        api = self.open()
        document = schedule()
        document["job"]["tests"] = ["t-1"]
        document["job"]["builds"] = ["latest:m"]
        api.post("/api/v1/builds", {"name": "m1", "arch": "x86-64", "series": "m"})
        api.post("/api/v1/schedules", document)
        jobs = [api.post("/api/v1/schedules/night/run", {})["job"]]
        api.post(f"/api/v1/jobs/{jobs[0]}/cancel", {}, status=200)
        farm.wait_for("the first", lambda: self.receiver.posts, 40)
        with open(there, "w", encoding="ascii"):
            pass
        jobs.append(self.farm.wait_job(api.post("/api/v1/schedules/night/run", {})["job"])["id"])
        farm.wait_for("all three", lambda: len(self.receiver.posts) >= 3, 40)
        told = [self.check(*post) for post in self.receiver.posts]
        self.assertEqual([t["event"] for t in told], ["job-ended", "job-ended", "verdict-changed"])
        self.assertEqual([t["job"]["state"] for t in told], ["cancelled", "done", "done"])
        self.assertEqual((told[2]["job"]["id"], told[2]["before"], told[2]["schedule"]), (jobs[1], jobs[0], "night"))
        changes = told[2]["changes"]
        self.assertEqual([(c["cache"], c["kind"], c["label"], c["to"]) for c in changes], [("none", "host", "m", "pass")])
        self.assertIn(changes[0]["from"], ("incomplete", "no-verdict"))

    def test_wrong_files(self):
        good = {"name": "ci", "url": self.receiver.url, "secret_file": "secret", "events": ["job-ended"]}
        for wrong, text in (({"url": "ftp://x/"}, "/0/url"), ({"events": ["x"]}, "/0/events/0"), ({"colour": 1}, "/0/colour"),
                            ({"secret_file": "nowhere"}, "/0/secret_file"), ({"name": "a b"}, "/0/name")):
            self.write([dict(good, **wrong)])
            done = subprocess.run([farm.COHORTD, "--check-config", "--suites", self.farm.suites, "--webhooks", self.path],
                                  capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual(done.returncode, 1, wrong)
            self.assertIn(text, done.stderr)
        for wrong in (["--smtp-url", "http://x"], ["--smtp-url", "smtp://h"], ["--smtp-url", "smtp://h", "--mail-from", "x", "--mail-to", "a@b"],
                      ["--smtp-url", "smtp://h", "--mail-from", "a@b", "--mail-to", "a@b", "--mail-at", "x"],
                      ["--smtp-url", "smtp://h", "--mail-from", "a@b", "--mail-to", "a@b\nBcc: c@d"]):
            done = subprocess.run([farm.COHORTD, "--check-config", "--suites", self.farm.suites, *wrong], capture_output=True, text=True,
                                  timeout=60, check=False)
            self.assertEqual(done.returncode, 1, wrong)


if __name__ == "__main__":
    farm.main_together(8)
