// words.js - what the farm's words mean, for people: one table each. Unknown words are shown as they are.

export const SYMBOL = {
	pass: "✓", fail: "✗", known: "✗", skip: "–", inconclusive: "?", error: "!", missing: "∅",
	"no-verdict": "–", incomplete: "◐", running: "▸", "not-sensitive": "⊘", sensitive: "◎",
	good: "✓", bad: "✗", costs: "▲",
	queued: "○", building: "▸", complete: "✓", done: "■", failed: "!", cancelled: "–",
	unknown: "?", idle: "○", busy: "▸", unreachable: "✗", disabled: "‖",
	submitted: "✓", skipped: "–", waiting: "○", sending: "▸", handed: "▸", sent: "✓",
};

// The colour that a word has; words without one are neutral.
export const TONE = {
	pass: "good", fail: "bad", error: "warn", inconclusive: "warn", missing: "warn", incomplete: "warn", running: "busy",
	good: "good", bad: "bad", costs: "warn", "not-sensitive": "warn",
	sent: "good", submitted: "good", waiting: "busy", sending: "busy", handed: "busy",
	failed: "warn", building: "busy", complete: "good", busy: "busy", unreachable: "bad", unknown: "warn", disabled: "warn",
	fixed: "good", "still-passing": "quiet", regressed: "bad", "still-failing": "bad", flaky: "warn", conflict: "warn",
	"fixed-then-lost": "bad", new: "busy", gone: "warn", skipped: "quiet", "no-verdict": "quiet", "expected-gap": "quiet", "known-failing": "quiet",
};

export const VERDICTS = ["pass", "fail", "error", "inconclusive", "skip", "missing"];

export const VERDICT = {
	pass: "The test found nothing wrong.",
	fail: "The kernel gave wrong data, or crashed.",
	skip: "The test cannot run here; the reason says why.",
	inconclusive: "The test ran but its trials prove nothing either way.",
	error: "The test itself broke: a signal, a timeout, or a limit.",
	missing: "Planned, but no result came. Never a pass.",
};

// The worst first: a test with cells counts as the worst of them.
export const CHANGE = {
	regressed: "passed in base, fails in the last revision",
	"fixed-then-lost": "an earlier revision passed, the last fails again",
	conflict: "boards of the same class disagree",
	flaky: "passes and fails, too seldom or too often to call it a change: the rate is n/N",
	"still-failing": "fails in base and in the last revision",
	fixed: "failed in base, passes in the last revision",
	"no-verdict": "was not run, or gave no verdict",
	new: "has no result in base",
	gone: "has no result in the last revision",
	"expected-gap": "fails where the kernel promises nothing: data, not a fault",
	"known-failing": "fails as it is known to on this cache class",
	skipped: "was skipped",
	"still-passing": "passes in base and in the last revision",
};

// Classes that are a change: what "only changes" shows.
export const CHANGED = ["fixed", "regressed", "fixed-then-lost", "flaky", "conflict", "new", "gone"];

export const COLUMN = {
	pass: "pass", fail: "fail", "no-verdict": "no verdict", incomplete: "incomplete", running: "running",
	"not-sensitive": "not sensitive", sensitive: "fails as it must",
};

// The verdict on a revision.
export const JUDGED = {good: "good", bad: "bad", costs: "costs", "no-verdict": "no verdict"};

// What a negative control did with a test that it must fail.
export const SEEN = {fails: "fails, as it must,", passes: "passes what it must fail,", "no-verdict": "has no verdict yet on"};

// What a failing cell's class says (coherence suite).
export const FAULT_CLASS = {
	"stale-user": "The user's own cache lines were not invalidated: user space went on reading old data.",
	"stale-memory": "Memory was old: the new data sat in dirty lines of the kernel's alias and were not written back.",
	"stale-kernel": "The kernel read through an old line of its own alias.",
	"lost-write": "The new data were overwritten, or never reached memory.",
	"late-writeback": "The data were right at first; a dead or dirty alias was written back over them later.",
	"stale-code": "The CPU executed an old instruction after the code was rewritten.",
	mixed: "Several kinds of wrong data in one page.",
	"not-cache": "The control run, which flushes everything, is wrong too: a driver or data bug, not the cache.",
};

export const VIEWS = [
	{name: "V1", what: "user read at once, no system call in between",
		bad: "wrong", good: "right"},
	{name: "V2", what: "kernel's view (pread)",
		bad: "wrong", good: "right"},
	{name: "V3", what: "user read again, after all lines were evicted",
		bad: "wrong", good: "right"},
];

export const SIGNATURE = {
	GGG: "All three views are right.",
	BGG: "Only the first user read is wrong; it is right once caches are flushed. If cells with u=absent fail too, memory itself was old (dirty kernel alias not cleaned), else a user line was not invalidated.",
	GBG: "Only the kernel is wrong: it read an old line of its own alias.",
	BBB: "Wrong for everybody and for good: the new data were overwritten, or never reached memory.",
	GGB: "Right at first, wrong after eviction: a dead or dirty alias was written back late.",
};

export const TAG = {
	stale: "older generation, right place",
	foreign: "a valid block of another page or test",
	cipher: "the raw ciphertext: the result of decryption did not arrive",
	poison: "what the test put there before: nothing arrived",
	zero: "zeroes",
	torn: "two generations inside 16 bytes, or no valid block",
};

// Dimensions of a cell, by key and value.
export const CELL = {
	u: {
		name: "user alias", absent: "no line of the page in the cache through the user's address",
		clean: "clean lines in the cache through the user's address",
		dirty: "dirty lines in the cache through the user's address",
	},
	k: {
		name: "kernel alias", absent: "no line of the page in the cache through the kernel's address",
		clean: "old, clean lines in the cache through the kernel's address",
	},
};

export function cellDelta(value) {
	return value === "0" ? "same colour: user and kernel address meet in the same cache sets" :
		`colours differ by ${value}: user and kernel address land in different cache sets`;
}

export const WRITER = {U: "user", K: "kernel or device", C: "cipher", P: "poison"};

export const KIND = {
	qemu: "QEMU: one copy of memory, no caches", emulated: "emulated caches", physical: "physical board", host: "host, tests the farm only",
	builder: "builder, makes kernels",
};

export const STAGE = {
	build: "waits for its kernel", provision: "files to the board", boot: "booting", prove: "proving kernel and cache class", test: "testing", collect: "collecting",
};

// Fault codes of the farm: never the kernel's fault.
export const FAULT = {
	"ssh-connect": "the board did not answer over SSH", "ssh-auth": "the board refused the farm's SSH key",
	"host-key-mismatch": "the board showed another SSH host key than the pinned one", "ssh-lost": "the SSH connection was lost",
	"provision-failed": "files could not be put on the board", "disk-full": "a disk is full",
	"boot-command-failed": "the boot command failed", "boot-timeout": "the board did not come up in time",
	"wrong-release": "another kernel release runs than the build's", "wrong-build-id": "another kernel build runs than the build's",
	"wrong-cache-class": "the kernel reports another cache class than the board's record",
	"agent-failed": "the agent could not start", "agent-died": "the agent died", "agent-protocol": "the agent's journal makes no sense",
	"board-lost": "the board went silent", "power-lost": "the board is without power",
	"collect-failed": "a file of the build is not what the builder said", "run-timeout": "the run took too long", "lease-lost": "the lease was lost", "worker-died": "the board's process died",
	"build-failed": "there is no kernel: its build failed",
	"no-board": "no fitting board came free in time", internal: "the farm itself failed",
};
