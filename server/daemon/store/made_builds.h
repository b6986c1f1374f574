/* made_builds.h - builds that the farm makes: from the recipe to the row, from the build run's end to the build's state,
 * and from there to the runs that wait for it (schedule/build.h has the states). */
#pragma once
#include "server/daemon/schedule/build.h"

struct db;
struct err;
struct plan;
struct plan_recipe;

/* The build of the recipe: made when there is none, made again when the farm was to blame that there is none. *state is
 * its state, *make says that it needs a build run (made_build_run()). Returns its id, or -1 with *err. */
int64_t made_build_want(struct db *db, const struct plan_recipe *recipe, int64_t now,
                        struct build_state *state, bool *make, struct err *err);

/* The build of the recipe as it is: 0 when there is none, -1 with *err. */
int64_t made_build_find(struct db *db, const char *recipe_sha256, struct build_state *state,
                        struct err *err);

/* The same for one who needs it: *make says that it is to be made again, and needs a build run (made_build_queue()). */
int64_t made_build_take(struct db *db, const char *recipe_sha256, struct build_state *state,
                        bool *make, struct err *err);

/* A build of that name, which waits for its recipe to be resolved (resolve.h). Returns its id, or -1 with *err. */
int64_t made_build_unresolved(struct db *db, const struct plan_recipe *recipe, const char *name,
                              int64_t now, struct err *err);

/* It will not be made: failure (JSON, docs/API.md) says why. Then made_build_tell(). */
int made_build_refuse(struct db *db, int64_t build, const char *failure, struct err *err);

/* What there is to know of a run that makes a build. */
struct made_run {
	int64_t job, column, build, planned, priority, max_attempts, ttl_us;
	const char *boards, *text;
};
int made_build_queue(struct db *db, const struct made_run *r, int64_t now, struct err *err);

/* Queue the run that makes it, for the job. */
int made_build_run(struct db *db, const struct plan *plan, const struct plan_recipe *recipe,
                   int64_t build, int64_t job, int64_t now, struct err *err);

/* How a build stands; an uploaded one is complete. 0, or -1 with *err (ERR_NOTFOUND). */
int made_build_state(struct db *db, int64_t build, struct build_state *state, struct err *err);

/* The build's state changed by that run: tell each job that has to do with it, and let go on what waited for its end. */
int made_build_tell(struct db *db, int64_t build, int64_t run, int64_t now, struct err *err);

/* The build run's state changed: let its build follow, and the runs that wait for it. */
int made_build_follow(struct db *db, int64_t run, const struct run_state *state, int64_t now,
                      struct err *err);

/* The job that asked for this open build run is cancelled: hand the run over to another that waits for it. *adopted
 * says whether there was one. */
int made_build_adopt(struct db *db, int64_t run, bool *adopted, int64_t now, struct err *err);

/* Runs of the job whose kernel will never be there end. */
int made_build_fail_waiting(struct db *db, int64_t job, int64_t now, struct err *err);
