/* report.h - what one test found.
 *
 * A report lives in memory shared by the runner and the test's process, so that whatever was
 * found before that process died is still there. The test's side fills it in and never prints
 * (printing would run on the cache under test); the runner's side judges and prints. No bool
 * in it: what a process that ran wild leaves in one is undefined to read. */
#pragma once
#include "test.h"
#include "view.h"

#include <stdbool.h>
#include <stdint.h>

enum verdict { VERDICT_PASS, VERDICT_SKIP, VERDICT_INCONCLUSIVE, VERDICT_ERROR, VERDICT_FAIL };

enum reason {
	REASON_NONE,
	REASON_NOCONFIG,
	REASON_NODEV,
	REASON_NOPERM,
	REASON_NOSYS,
	REASON_OLD_KERNEL,
	REASON_NO_MEMORY,
	REASON_NOT_APPLICABLE,
	REASON_MASKED,  /* inconclusive: another process ran in most trials */
	REASON_NOTHING, /* inconclusive: no trial was made */
	REASON_CLOCK,   /* inconclusive: the processor's clock changed during a measurement */
	REASON_SIGNAL,  /* error: the test's process died */
	REASON_TIMEOUT, /* error */
	REASON_ERRNO,   /* error: a call that must work failed */
	REASON_COUNT,
};

enum fault {
	FAULT_NONE,
	FAULT_STALE_USER,
	FAULT_STALE_MEMORY,
	FAULT_STALE_KERNEL,
	FAULT_LOST_WRITE,
	FAULT_LATE_WRITEBACK,
	FAULT_STALE_CODE,
	FAULT_MIXED,
	FAULT_NOT_CACHE,
	FAULT_COUNT,
};

/* Which views are wrong, as bits 1 << enum view_index. 0 is GGG. */
#define SIGNATURES 8U

#define MISMATCHES_MAX 8U
#define DETAIL_MAX     240U

struct cell_result {
	uint32_t trials, bad, masked;
	uint32_t control_trials, control_bad;
	uint32_t signatures[SIGNATURES]; /* half-lines with each signature */
	uint32_t number_trials;          /* of trials: those by number_check() */
	uint32_t number_faults[FAULT_COUNT];
	enum reason skip; /* REASON_NONE when it ran */
	uint8_t unsteady; /* a measurement: the clock changed meanwhile */
};

/* Where a page is and who looked at it. */
struct place {
	uint64_t va, pfn;                  /* pfn 0: unknown */
	int8_t user_colour, kernel_colour; /* -1: unknown */
	int8_t arch_before, arch_after;    /* KPF_ARCH; -1: unknown */
	uint8_t by_child;                  /* seen by a forked child, not by the test itself */
};

struct mismatch {
	unsigned int cell, iteration;
	struct place place;
	unsigned int offset, length; /* first and all bytes from the first to the last bad one */
	uint32_t expected[8], actual[8];
	struct halves halves;
	uint32_t tags[TAG_COUNT];
	uint8_t signature; /* union over the page */
	uint8_t several;   /* half-lines of the page differ in their signature */
	uint8_t by_number; /* not from views: fault is what the test said */
	enum fault fault;  /* else filled in by report_judge() */
	uint32_t nvcsw, nivcsw, repeats;
};

#define VALUES_MAX   48U
#define SAMPLES_KEPT 9U

/* What was measured in a cell (measure.h). */
struct value {
	unsigned int cell, pages, without;
	char operation[24];
	uint32_t repeats;                 /* operations in a sample */
	uint64_t sample_ns[SAMPLES_KEPT]; /* of all of them together */
	uint64_t loop_ns[2];              /* of the fixed loop, before and after */
	unsigned int sample_count;
};

struct report {
	const struct test *test;
	uint32_t seed, iterations;
	unsigned int cell_count;
	struct cell_result cells[CELLS_MAX];
	unsigned int mismatch_count;
	struct mismatch mismatches[MISMATCHES_MAX];
	unsigned int value_count;
	struct value values[VALUES_MAX];
	unsigned int running_cell; /* for the text when the test's process dies */
	uint8_t finished;          /* the test's process came to its end */
	enum verdict stop;         /* why the whole test stopped early: PASS, SKIP, ERROR */
	enum reason stop_reason;
	char detail[DETAIL_MAX];

	/* Filled in by report_judge(). */
	enum verdict cell_verdicts[CELLS_MAX];
	enum fault cell_faults[CELLS_MAX];
	enum verdict verdict;
	enum reason reason;
	uint64_t trials, bad, masked;
	uint64_t duration_us;
};

/* A page's three views and what they should have been. */
struct finding {
	unsigned int cell, iteration;
	bool control;
	const struct view *views; /* VIEW_COUNT of them */
	const struct pattern *expect;
	const void *cipher; /* or NULL */
	struct place place;
	uint32_t nvcsw, nivcsw;
};

/* Count one trial. Returns true when something was wrong. */
bool report_finding(struct report *report, const struct finding *finding);

/* Note a fault that number_check() found, of the class mismatch->fault. mismatch says all but the counts. */
void report_number(struct report *report, const struct mismatch *mismatch);

/* Judge every cell and the test. The report may come from a process that went wrong, so counts
 * in it are limited first. */
void report_judge(struct report *report);

const char *verdict_name(enum verdict verdict);
/* NULL for REASON_NONE. */
const char *reason_name(enum reason reason);
/* NULL for FAULT_NONE. */
const char *fault_name(enum fault fault);
