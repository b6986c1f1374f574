/* request.h - what cohort-board asks for: a plan of tests and their limits (docs/WIRE.md, section 2). */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

#define REQUEST_MAX       (4u << 20) /* bytes of a request */
#define REQUEST_TESTS_MAX 100000

struct planned {
	int64_t id, rep, time_limit_s;
	const char *name; /* borrowed from the document */
	json_t *argv;     /* borrowed; strings only, at least one */
	bool ktap;        /* its stdout is KTAP; else it may print records */
};

struct request {
	json_t *doc; /* owned: everything else points into it */
	int64_t run, attempt, leg, fence;
	bool stop_on_oops;     /* end the leg behind the test in which the kernel had one */
	int64_t memory_mib;    /* resident, of one test's processes together */
	int64_t output_bytes;  /* of one test: both streams together */
	const char *device;    /* borrowed: a block device that tests may read, or NULL */
	int64_t make_jobs;     /* compilers at a time; 0: the program decides */
	int64_t iterations;    /* that a test is to make; 0: its own */
	int64_t bench_ms;      /* least time of one sample of a benchmark; 0: the program decides */
	struct planned *tests; /* owned */
	size_t count;
};

/* Read a request. Each thing that is wrong with it is named by JSON pointer in *err (ERR_INVALID, ERR_TOOBIG).
 * Returns 0, or -1 with *req empty. */
int request_parse(struct request *req, const char *text, size_t len, struct err *err);

void request_release(struct request *req);

/* Do both ask for the same? */
bool request_same(const struct request *a, const struct request *b);
