/* resolve.h - builds of a job whose base is named by a branch or tag: they stand for builds that nobody knows yet, until a
 * builder has said what commit that is (docs/SERIES.md, "Builds that the farm makes"). */
#pragma once
#include <jansson.h>
#include <stdint.h>

struct db;
struct err;
struct git_answer;
struct plan;

/* What a job that is being stored waits for. */
struct resolving {
	struct db *db;
	const struct plan *plan;
	int64_t job, now;
	json_t *builds; /* owned; NULL: nothing */
};

/* A build in the place of the plan's i-th recipe. Returns its id, or -1 with *err. */
int64_t resolve_want(struct resolving *r, size_t i, struct err *err);

/* Queue the one run that asks, when anything is wanted, and release. */
int resolve_ask(struct resolving *r, struct err *err);

/* The run that asked has ended: its builds become the builds of their recipes, or fail with what the answer says. */
int resolve_settle(struct db *db, int64_t run, const struct git_answer *answer, int64_t now,
                   struct err *err);
