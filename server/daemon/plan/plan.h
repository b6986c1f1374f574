/* plan.h - a submission becomes runs: what would be tested where, or everything that is wrong with it.
 *
 * Pure and deterministic: the same submission in the same farm gives the same plan, which is what a dry run shows
 * and what a submission stores. */
#pragma once
#include "server/daemon/plan/submission.h"
#include "server/daemon/recipe/recipe.h"

#include <stddef.h>

struct controls;
struct flavour;
struct jx_errors;
struct kernels;
struct suite;
struct suites;

#define PLAN_RUN_TESTS   10000          /* tests x repetitions of one run */
#define PLAN_RUNS        1000           /* runs of one job, those that later rounds add included */
#define PLAN_RESULTS     100000         /* planned results of one job, the same */
#define PLAN_COLUMNS     64             /* of a study */
#define PLAN_BUILDER     "builder"      /* kind of the boards that make kernels */
#define PLAN_BUILD_SUITE "kernel-build" /* what they run */
#define PLAN_GIT_SUITE   "git"          /* what else they run: questions about a repository */

/* SQL: of these suites are jobs for builders alone. */
#define PLAN_BUILDER_SUITES "('" PLAN_BUILD_SUITE "', '" PLAN_GIT_SUITE "')"

struct plan_board {
	const char *name, *kind, *cache, *arch;
	const char *tags;  /* JSON array */
	bool needs_kernel; /* its boot method starts the build's kernel */
	const char *trees; /* JSON object: a builder's repositories by name; may be NULL */
};

struct plan_build {
	int64_t id;
	const char *name, *release, *arch; /* release may be NULL */
	bool files, kernel;                /* does it have files at all, a kernel? */
	bool pending, failed;              /* the farm makes it; the farm could not */
};

/* One posting of a series. */
struct plan_revision {
	int64_t id, version;
	const char *label, *base_commit; /* base_commit may be NULL */
	json_t *patches;                 /* array of SHA-256, in order */
};

struct plan_series {
	int64_t id;
	const char *name;
	const struct plan_revision *revisions; /* by version */
	size_t count;
};

/* What the farm has. */
struct plan_world {
	const struct suites *suites;
	const struct kernels *kernels;   /* NULL: it builds none */
	const struct controls *controls; /* NULL: it has none */
	/* As build below: the series of that id or name, or NULL. May be NULL itself: there are none. */
	const struct plan_series *(*series)(void *arg, const json_t *id_or_name);
	const struct plan_board *boards; /* by name */
	size_t boards_count;
	/* The build of that id or name, valid while the plan lives, or NULL. */
	const struct plan_build *(*build)(void *arg, const json_t *id_or_name);
	void *arg;
};

/* A kernel that is to be made, or is there already: its recipe tells. */
struct plan_recipe {
	struct recipe recipe; /* owned */
	char *name; /* owned: of the build; of an unresolved one what stands before the digits */
	bool unresolved; /* its commit is a name: a builder is asked first, and the hash is not the recipe's */
	const struct flavour *flavour; /* borrowed from the world */
	const char *series, *label;    /* what it is, for people; series may be NULL: a base */
	int64_t revision;              /* 0: none */
	size_t column;                 /* the first that needs it */
};

struct plan_run {
	size_t column, round; /* rounds from 1 */
	const struct plan_build
		*build; /* borrowed from the world, as cache and kind are; NULL: recipe */
	size_t recipe;  /* index in plan.recipes */
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

	/* Of a study, and of a build by hand: */
	struct plan_recipe *recipes; /* owned; in the order in which they are to be made */
	size_t recipes_count;
	char *tree;           /* owned: when nobody named it */
	json_t *builders;     /* owned: names of the boards that can make them */
	char *build_text;     /* owned: as text, of the runs that make them; NULL: there are none */
	size_t build_planned; /* as planned */
	char *ask_text; /* owned: of the run that asks what the base's name is now; NULL: it is an id */
	json_t *columns; /* owned: what each column is (docs/SERIES.md); [] when it is no study */
	int64_t series;  /* 0: none */
	char *study; /* owned: what later rounds need to know, as JSON; NULL: there will be none */
};

/* Make the plan of a submission that was read, also when its reading complained: then whatever else can be found
 * wrong is. Returns a plan that the caller frees, or NULL with all complaints in *errors. */
struct plan *plan_make(const struct submission *s, const struct plan_world *world,
                       struct jx_errors *errors);
void plan_free(struct plan *plan); /* plan may be NULL */

/* One kernel by hand: what the body of POST /recipes says (docs/SERIES.md), with no run but that which makes it. */
struct plan *plan_make_build(json_t *doc, const struct plan_world *world, struct jx_errors *errors);

/* The commits of a range in a builder's tree as mails: builders, tree and ask_text of a plan that has no run yet. tree may be
 * NULL where there is only one. */
struct plan *plan_make_range(const char *tree, const char *range, const struct plan_world *world,
                             struct jx_errors *errors);

/* A later round's text of a run: of the plan text those tests whose names are given, with new ids. *planned is set. NULL
 * when none is left. The caller frees. */
char *plan_narrow(const char *text, const json_t *names, size_t *planned);

/* What a dry run answers: {"valid": true, "runs": [...]}. */
json_t *plan_preview(const struct plan *plan);
