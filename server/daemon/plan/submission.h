/* submission.h - what a user submits as a job (docs/API.md, "Jobs"), read and checked by itself.
 * Pure: what the farm has (boards, builds, suites) comes in with plan.h. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct jx_errors;

#define SUBMISSION_COLUMNS 16 /* builds of one job */

/* Members are borrowed from the document. Arrays are NULL when they are not given, or were wrong. */
struct submission {
	const char *name;        /* NULL: the suite's */
	json_t *builds;          /* ids and names, base first ... */
	json_t *builds_by_cache; /* ... or class -> such an array; exactly one of the two */
	json_t *labels;          /* one a column */
	json_t *boards;          /* the selector as it came; NULL when it was wrong */
	json_t *cache, *names, *tags, *kinds; /* its members */
	const char *each;                     /* "class" or "board" */
	const char *suite;
	json_t *tests; /* globs; NULL: all */
	int64_t repetitions, priority, max_attempts;
	int64_t boot_s, run_s, ttl_s;
	size_t columns; /* 0 when the builds were wrong */
};

/* Read doc into *out and complain about everything that is wrong with it by itself. True when nothing was. */
bool submission_read(json_t *doc, struct submission *out, struct jx_errors *errors);
