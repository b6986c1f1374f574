/* git_runs.h - runs of the purpose `git`: what a builder's repository is asked, and what it answers (docs/SERIES.md). The
 * question stands in the run's plan. */
#pragma once
#include "server/daemon/schedule/run.h"

#include <jansson.h>

struct db;
struct err;

/* The row of build that stands in a git run which is about no kernel: no name of a build, and in no list. */
#define GIT_BUILD "(git)"

struct git_run_new {
	int64_t job, build, column, max_attempts, ttl_us;
	const char *boards, *text;
};

/* Its id, or -1 with *err. */
int64_t git_build_row(struct db *db, int64_t now, struct err *err);

/* Queue it, before all that waits with a lower priority. Returns its id, or -1 with *err. */
int64_t git_run_insert(struct db *db, const struct git_run_new *run, int64_t now, struct err *err);

/* What it left behind. */
struct git_answer {
	json_t *plan; /* owned: the run's, with the question */
	char *commit; /* owned: of step resolve, a full id; NULL: it said none */
	char *mails; /* owned: of step range, SHA-256 of a file of the store; NULL: there are none */
	char *step, *text; /* owned: with neither of them, where and why not */
	bool farm;         /* the farm is to blame for that, not the question */
};

/* The run's state changed: when it has ended, let follow what waits for its answer. */
int git_run_follow(struct db *db, int64_t run, const struct run_state *state, int64_t now,
                   struct err *err);
