/* runner.h - run one test in a process of its own, and tidy up after it. */
#pragma once
#include "report.h"

#include <stdbool.h>

struct inject;
struct runner; /* opaque: made by runner_new() */

#define BENCH_MS 200U

struct run_options {
	unsigned int iterations; /* 0: the test's own */
	uint32_t seed;
	unsigned int bench_ms; /* least time of one sample; 0: BENCH_MS */
	bool quiet_log;        /* no markers in the kernel log */
	const char *device;    /* the block device that tests may read, or NULL */
	struct inject *inject; /* the self-check's, else NULL */
};

/* Prepare: shared memory, signals, leftovers of runners that were killed.
 * Returns NULL after a message on stderr. One for each process. */
struct runner *runner_new(void);

/* Run test and judge it. The report belongs to the runner and is good until the next call.
 * Whatever the test did, its processes are gone and its devices removed when this returns. */
const struct report *runner_run(struct runner *runner, const struct test *test,
                                const struct run_options *options);

/* True when a signal asked us to end; the test that ran then is an error. */
bool runner_interrupted(const struct runner *runner);
