/* plan.h - a submission becomes runs: what would be tested where, or everything that is wrong with it.
 *
 * Pure and deterministic: the same submission in the same farm gives the same plan, which is what a dry run shows
 * and what a submission stores. */
#pragma once
#include "server/daemon/plan/submission.h"

#include <stddef.h>

struct jx_errors;
struct suite;
struct suites;

#define PLAN_RUN_TESTS 10000  /* tests x repetitions of one run */
#define PLAN_RUNS      1000   /* runs of one job */
#define PLAN_RESULTS   100000 /* planned results of one job */

struct plan_board {
	const char *name, *kind, *cache, *arch;
	const char *tags;  /* JSON array */
	bool needs_kernel; /* its boot method starts the build's kernel */
};

struct plan_build {
	int64_t id;
	const char *name, *release, *arch; /* release may be NULL */
	bool files, kernel;                /* does it have files at all, a kernel? */
};

/* What the farm has. */
struct plan_world {
	const struct suites *suites;
	const struct plan_board *boards; /* by name */
	size_t boards_count;
	/* The build of that id or name, valid while the plan lives, or NULL. */
	const struct plan_build *(*build)(void *arg, const json_t *id_or_name);
	void *arg;
};

struct plan_run {
	size_t column;
	const struct plan_build *build; /* borrowed from the world, as cache and kind are */
	const char *cache, *kind;
	json_t *boards; /* owned: names of the boards that fit */
};

struct plan {
	struct submission submission; /* borrowed from its document */
	const struct suite *suite;
	json_t *labels; /* owned: one a column */
	json_t *tests;  /* owned: names, in the suite's order */
	char *text;     /* owned: what each run keeps: suite, tests with ids, limits */
	struct plan_run *runs;
	size_t runs_count, planned; /* planned: results of one run */
};

/* Make the plan of a submission that was read, also when its reading complained: then whatever else can be found
 * wrong is. Returns a plan that the caller frees, or NULL with all complaints in *errors. */
struct plan *plan_make(const struct submission *s, const struct plan_world *world,
                       struct jx_errors *errors);
void plan_free(struct plan *plan); /* plan may be NULL */

/* What a dry run answers: {"valid": true, "runs": [...]}. */
json_t *plan_preview(const struct plan *plan);
