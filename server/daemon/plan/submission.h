/* submission.h - what a user submits as a job (docs/API.md, "Jobs"), read and checked by itself.
 * Pure: what the farm has (boards, builds, suites) comes in with plan.h. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct jx_errors;

#define SUBMISSION_COLUMNS    16   /* builds of one job that names them */
#define SUBMISSION_ROUNDS     1000 /* that a job may ask for */
#define SUBMISSION_ITERATIONS 1000000

/* What a job says that names a series in place of builds (docs/SERIES.md, "A study"). series NULL: it does not. */
struct submission_study {
	json_t *series;            /* id or name */
	json_t *revisions;         /* labels or versions; NULL: all */
	json_t *controls;          /* names; NULL: none */
	const char *tree, *commit; /* NULL: the only tree there is; the revisions' own base */
	const char *flavour;
	bool commits; /* a column for each patch, too */
};

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
	json_t *tests;      /* globs; NULL: all */
	int64_t iterations; /* of each case within a test; 0: the test's own */
	int64_t repetitions, priority, max_attempts;
	int64_t boot_s, run_s, ttl_s;
	size_t columns; /* 0 when the builds were wrong, and for a study */
	struct submission_study study;
	int64_t rounds,
		max_rounds; /* runs of each column in each slot, from the start and with until.decided */
	bool decided;       /* add rounds where the answer is open */
};

/* Read doc into *out and complain about everything that is wrong with it by itself. True when nothing was. */
bool submission_read(json_t *doc, struct submission *out, struct jx_errors *errors);
