"""The core set of the coherence suite on a QEMU board of each cache class, through cohort-board and the agent: every contract
test passes, or skips for a reason that is true there; nothing hides in a skip. And what a board's bad day does to it.

QEMU holds one copy of memory, so this says nothing about coherency: it holds the tests themselves to account."""

import hashlib
import json
import os
import random
import subprocess
import unittest

import farm
import test_qemu
from test_board import of, read, wire_file
from test_qemu import CLASSES, build_of

SUITE = os.path.join(farm.TOP, "build/agent-armel/jobs/coherence/coherence")
SEED = int(os.environ.get("COHORT_SEED", "0")) or random.randrange(1, 1 << 31)
KILL_ROUNDS = 100
# Resident memory of all processes of a test together, each counted with what it shares.
MEMORY_KIB = 12 << 10
# Tests that skip as a whole, and why, by board. The farm's own kernels have all that the suite needs.
SKIPS = {
    "vivt": {},
    "vipt-aliasing": {},
    "armv7": {},
}

# Rounds of random tests that are killed at a random moment, with what they started or without; cleanup then leaves nothing.
KILLS = """
c=$1 seed=$2 rounds=$3
next() { seed=$(((seed * 1103515245 + 12345) % 2147483648)); drawn=$((seed / 65536 % $1)); }
left() {
	for loop in /sys/block/loop*; do [ ! -e $loop/loop ] || echo "loop: $loop $(cat $loop/loop/backing_file)"; done
	for map in /sys/block/dm-*; do [ ! -e $map ] || echo "map: $(cat $map/dm/name)"; done
	for zram in /sys/block/zram*; do [ ! -e $zram ] || [ "$(cat $zram/disksize)" = 0 ] || echo "zram: $zram"; done
	sed -n '2,$s/^/swap: /p' /proc/swaps
	[ "$(cat /sys/kernel/mm/ksm/run)" = 0 ] || echo "ksm runs"
	grep -s coherence /sys/kernel/tracing/uprobe_events
	[ "$(wc -l </proc/mounts)" = "$mounts" ] || { echo "mounts:"; cat /proc/mounts; }
}
mounts=$(wc -l </proc/mounts)
i=0
while [ $i -lt $rounds ]; do
	next 7
	case $drawn in 0) tests='dio-read-*' ;; 1) tests='write-mmap mmap-write-read' ;; 2) tests='zram-swap' ;; 3) tests='ksm-merge' ;;
	4) tests='uprobe-xol' ;; 5) tests='loop-write-mmap' ;; *) tests='dio-sweep' ;; esac
	setsid $c run --iterations 20 $tests >/dev/null 2>&1 &
	pid=$!
	next 300
	usleep $((drawn * 1000))
	next 2
	# the runner and its test at once, or the runner alone, whose test dies with it
	kids=
	[ $drawn = 0 ] || kids=$(awk -v p=$pid '$4 == p { print $1 }' /proc/[0-9]*/stat 2>/dev/null)
	kill -9 $pid $kids 2>/dev/null
	wait $pid 2>/dev/null
	i=$((i + 1))
done
$c cleanup >/dev/null
tries=0
while [ -n "$(left)" ] && [ $tries -lt 50 ]; do tries=$((tries + 1)); usleep 100000; $c cleanup >/dev/null; done
left=$(left)
[ -z "$left" ] && echo '{"type":"result","verdict":"pass"}' && exit 0
echo "seed $2: $left"
exit 1
"""

# Bad circumstances, each made in a mount namespace that goes again: the suite has to end by itself, a pass must have made
# trials, and what could not be done is a skip or an error with its reason.
BAD = {
    "tmp-read-only": "mount -o bind /proc/version /tmp 2>/dev/null; mount -t tmpfs -o ro none /tmp",
    "tmp-full": "mount -t tmpfs -o size=4k none /tmp; echo >/tmp/full",
    "no-devices": "mount -t tmpfs none /dev",
    "few-descriptors": "ulimit -n 16",
    "16-MiB-free": "mount -t tmpfs -o size=100% none /mnt; dd if=/dev/zero of=/mnt/fill bs=1024 "
                   "count=$(awk '/^MemAvailable/ { print $2 - 16384 }' /proc/meminfo) 2>/dev/null",
}
BAD_TESTS = ["dio-read-anon", "write-mmap", "zram-swap", "jit-cacheflush", "shared-alias"]
BIG_TESTS = ["fork-cow", "ksm-merge", "compact-migrate"]


def bad_tests(how):
    return BAD_TESTS + BIG_TESTS if how == "16-MiB-free" else BAD_TESTS


WORSE = """
mkdir -p /mnt /root/out
out=/root/out/$2
unshare -m sh -c "$3
	$1 run --iterations 1 $4 >$out 2>&1"
sed -n 's/^{"type":"result"/bad '$2' &/p' $out

rm -rf $out
"""


class Coherence(test_qemu.Machines):
    def coherence(self, machine, *argvs, variant="stock"):
        """Boot the machine and run what is asked for, each a test. Returns the events of the run."""
        board = self.board(machine)
        build = build_of(CLASSES[machine][0], variant)
        request = self.request(build, *argvs, run_s=900, memory_mib=64, output_bytes=1 << 20)
        request["suite"] = {"name": "coherence", "files": [dict(wire_file(SUITE), name="coherence")]}
        for test in request["tests"]:
            test["time_limit_s"] = 240
        directory = board.run(request)
        events = board.wait_ended(directory, 900)
        self.assertEqual(events[-1]["outcome"], "complete", events[-1])
        proved = of(events, "proved")[0]
        self.assertEqual((proved["release"], proved["build_id"]), (build["release"], build["build_id"]))
        self.assertEqual(proved["cache"], {"armv7": "vipt-nonaliasing"}.get(machine, machine))
        self.assertIn("Linux version", read(directory, "console.log"))
        self.log = read(directory, "run.log")
        return events

    def names(self):
        listed = json.loads(subprocess.run([os.path.join(farm.BUILD, "jobs/coherence/coherence"), "list", "--json"], check=True,
                                           stdout=subprocess.PIPE).stdout)
        return [test["name"] for test in listed["tests"] if test["set"] == "core"]

    def check_core_set(self, machine, names, events):
        """Of the events of the tests names, which were the first of the run."""
        finished = [e for e in of(events, "test-finished") if e["id"] < len(names)]
        records = {id: [e["record"] for e in of(events, "test-record") if e["id"] == id] for id in range(len(names))}
        skips = {}
        for event in finished:
            name, verdict = names[event["id"]], event["verdict"]
            if verdict == "skip":
                skips[name] = event["reason"]
            else:
                bad = [r for r in records[event["id"]] if r["type"] in ("mismatch", "result")]
                self.assertEqual(verdict, "pass", (name, event, bad[-3:]))
                self.assertGreater(event["trials"], 0, name)
            self.assertLess(event["max_rss_kib"], MEMORY_KIB, name)
        self.assertEqual(skips, SKIPS[machine])
        self.assertEqual(len(finished), len(names))
        self.assertEqual(of(events, "kernel-warning"), [])
        control = [r for r in records[names.index("jit-control")] if r["type"] == "result"][0]
        self.assertEqual(control["bad"], 0, "QEMU has caches?")
        spent = sum(event["duration_us"] for event in finished) / 1e6
        print(f"{machine}: {len(names)} tests, {spent:.1f} s, at most {max(e['max_rss_kib'] for e in finished)} KiB")
        slow = sorted(finished, key=lambda e: -e["duration_us"])[:5]
        print("  " + ", ".join(f"{names[e['id']]} {e['duration_us'] / 1e6:.1f} s" for e in slow))

    def core_set(self, machine):
        names = self.names()
        self.check_core_set(machine, names, self.coherence(machine, *(["coherence", "run", name] for name in names)))

    def test_vivt(self):
        """The core set, what bad circumstances do to it, and what killed runs leave."""
        names = self.names()
        with open(SUITE, "rb") as file:
            program = "/var/lib/cohort/files/" + hashlib.sha256(file.read()).hexdigest()
        bad = [["sh", "-c", WORSE, "sh", program, name, how, " ".join(bad_tests(name))] for name, how in BAD.items()]
        kills = ["sh", "-c", KILLS, "sh", program, str(SEED), str(KILL_ROUNDS)]
        events = self.coherence("vivt", *(["coherence", "run", name] for name in names), *bad, kills)
        self.check_core_set("vivt", names, events)
        self.check_bad(self.log)
        self.assertEqual(of(events, "test-finished")[-1]["verdict"], "pass", self.log[-3000:])

    def check_bad(self, log):
        for how in BAD:
            results = [json.loads(line.split(f"bad {how} ", 1)[1]) for line in log.splitlines() if f"| bad {how} " in line]
            self.assertEqual({r["test"] for r in results}, set(bad_tests(how)), how)
            for r in results:
                self.assertIn(r["verdict"], ("pass", "skip", "error"), (how, r))
                if r["verdict"] == "pass":
                    self.assertGreater(r["trials"], 0, (how, r))
                else:
                    self.assertNotEqual(r["detail"], "", (how, r))
            print(f"{how}: " + ", ".join(f"{r['test']} {r['verdict']} {r['reason'] or ''}".strip() for r in results))

    def test_kernel_that_dies_in_one_test(self):
        """It costs that test: the board boots again and the others run. The control has a BUG in process_vm_writev()."""
        events = self.coherence("vivt", *(["coherence", "run", name] for name in ("jit-cacheflush", "process-vm", "jit-control")),
                                variant="crash-process-vm")
        finished = of(events, "test-finished")
        self.assertEqual([(e["verdict"], e["reason"]) for e in finished], [("pass", None), ("fail", "kernel-crash"), ("pass", None)])
        self.assertEqual(finished[1]["detail"], "the kernel died in this test")
        legs = of(events, "leg")
        self.assertEqual([event["leg"] for event in legs], [1, 2])
        self.assertNotEqual(legs[0]["boot_id"], legs[1]["boot_id"])
        self.assertEqual(len(of(events, "proved")), 2)
        warnings = [event for event in of(events, "kernel-warning") if event.get("source") == "console"]
        self.assertTrue(warnings, "the console's panic is not in the journal")
        self.assertEqual(warnings[0]["id"], 1)
        self.assertIn("process_vm_rw_core", "".join(event["text"] for event in warnings))

    def test_vipt_aliasing(self):
        self.core_set("vipt-aliasing")

    def test_armv7(self):
        self.core_set("armv7")


if __name__ == "__main__":
    print(f"seed {SEED}")
    unittest.main(verbosity=2)
