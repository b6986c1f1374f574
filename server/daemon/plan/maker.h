/* maker.h - the inside of the planner: what its files share while one plan is made. */
#pragma once
#include "server/daemon/plan/plan.h"

struct control;
struct slot;

/* A column of a study. */
struct column {
	const char *role; /* "base", "revision", "control" */
	char *label;      /* owned */
	json_t *mails;    /* owned: SHA-256 of what is applied to the base, in order */
	size_t patches;   /* of the revision */
	const struct plan_revision *revision; /* NULL: base, control */
	const struct control *control;        /* NULL: base, revision */
	bool ran;                             /* in a slot at least */
};

struct maker {
	struct plan *plan;
	const struct submission *s;
	const struct plan_world *world;
	struct jx_errors *errors;

	/* Of a study: */
	struct column *columns; /* owned; base first */
	size_t columns_count;
	const struct plan_series *series; /* NULL: not found */
	const char *tree, *commit;        /* of the base; NULL: not known */
	const char *base_at;              /* where the request says so: "/base", or "" */
};

/* study.c: find the columns, give a round of a slot its runs, and say what the columns are. */
void study_begin(struct maker *m);
void study_slot(struct maker *m, const struct slot *slot, size_t round);
void study_end(struct maker *m);
void columns_free(struct maker *m);

/* make_build.c: the boards and the tests that make kernels of m->tree, into the plan. */
void builders_choose(struct maker *m);
/* The plan's recipe for column in flavour; made when it is not there yet. Returns its index. */
size_t recipe_want(struct maker *m, size_t column, const struct flavour *flavour);

/* plan.c */
struct plan_run *plan_add_run(struct plan *plan, const struct slot *slot, size_t column,
                              size_t round);
bool plan_arch_fits(const char *build, const char *board);
