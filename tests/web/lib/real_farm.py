"""A farm for the page's tests: cohortd on a free port with one board on a loopback sshd, and a suite whose tests pass, fail with
evidence, and wait until they are let go. Says {"url", "token", "gate"} in one line on stdout, and ends with its stdin."""

import json
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "system"))
import farm  # noqa: E402  (tests/system/farm.py)

# Fails from its second run on, with a mismatch record as jobs/coherence prints it: so the build that runs second has a regression.
FLIP = r"""
if mkdir flipped 2>/dev/null; then
	echo '{"type":"cell","test":"flip","cell":"u=dirty,k=clean,delta=1","kind":"contract","verdict":"pass","trials":16,"bad":0,"masked":0,"class":null}'
	echo '{"type":"cell","test":"flip","cell":"u=absent,k=clean,delta=1","kind":"contract","verdict":"pass","trials":16,"bad":0,"masked":0,"class":null}'
	echo '{"type":"result","test":"flip","verdict":"pass","reason":null,"detail":"","trials":32,"bad":0,"duration_us":1000}'
	exit 0
fi
echo 'about to read through the user alias'
printf 'a board says \033[31mred\033[0m and \342\200\256reversed\n'
echo '@MISMATCH@'
echo '{"type":"cell","test":"flip","cell":"u=dirty,k=clean,delta=1","kind":"contract","verdict":"fail","trials":16,"bad":9,"masked":0,"class":"stale-user"}'
echo '{"type":"cell","test":"flip","cell":"u=absent,k=clean,delta=1","kind":"contract","verdict":"pass","trials":16,"bad":0,"masked":0,"class":null}'
echo '{"type":"result","test":"flip","verdict":"fail","reason":null,"detail":"9 of 32 trials","trials":32,"bad":9,"duration_us":1000}'
exit 1
"""
MISMATCH = {
    "type": "mismatch", "test": "flip", "cell": "u=dirty,k=clean,delta=1", "kind": "contract", "iteration": 3, "va": "0xb6f31000", "pfn": 31337,
    "u_colour": 1, "k_colour": 2, "kpf_arch_before": True, "kpf_arch_after": False, "seen_by": "test", "offset": 16, "length": 4080,
    "expected": "03000800" + "7700" + "4b01" + "fcfff7ff" + "b45a885b" + "03000800" + "77004b02" + "fcfff7ff" + "b45a8858",
    "actual": "03000700" + "7700" + "5501" + "fcfff8ff" + "b45a965b" + "03000800" + "77004b02" + "fcfff7ff" + "b45a8858",
    "halfline_bitmap": "5" * 64, "tags": {"stale": 128, "foreign": 0, "cipher": 0, "poison": 0, "zero": 0, "torn": 0},
    "signature": "BGG", "class": "stale-user", "nvcsw": 0, "nivcsw": 0, "repeat": 8,
}
WAIT = "until [ -e gate ]; do sleep 0.02; done"


def suite(directory):
    def script(text):
        return ["sh", "-c", f"cd {directory} && {text}"]

    return {
        "name": "page", "version": "1", "description": "what a page has to show",
        "tests": [
            {"name": "waits", "argv": script(WAIT), "kind": "contract", "time_limit_s": 60},
            {"name": "flip", "argv": script(FLIP.replace("@MISMATCH@", json.dumps(MISMATCH))), "kind": "contract", "time_limit_s": 30},
            {"name": "skips", "argv": ["sh", "-c", "exit 4"], "kind": "contract", "time_limit_s": 30},
        ],
    }


def main():
    directory = tempfile.mkdtemp(prefix="cohort-page-")
    sshd, one = None, None
    try:
        sshd = farm.Sshd(os.path.join(directory, "sshd"))
        suites = os.path.join(directory, "suites")
        os.mkdir(suites)
        with open(os.path.join(suites, "page.json"), "w", encoding="utf-8") as file:
            json.dump(suite(directory), file)
        one = farm.Farm(directory=os.path.join(directory, "farm"), suites=suites)
        one.add_board(farm.board_document("loop-1", sshd, os.path.join(directory, "board"), description="sshd on this machine"))
        api = one.start()
        print(json.dumps({"url": f"http://127.0.0.1:{api.port}", "token": api.token, "gate": os.path.join(directory, "gate")}), flush=True)
        sys.stdin.read()
    finally:
        if one:
            one.stop()
        if sshd:
            sshd.stop()
        shutil.rmtree(directory, ignore_errors=True)


main()
