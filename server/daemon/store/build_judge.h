/* build_judge.h - what a build run left behind, judged when it has ended. */
#pragma once
#include "server/daemon/schedule/build.h"

struct db;
struct err;

/* Look at the records of the run's last attempt: write what is known into the build's row (its files, release, build-id, or
 * why it failed) and say in *made what it is. The state of the row is the caller's. 0, or -1 with *err. */
int build_judge(struct db *db, int64_t run, int64_t build, const struct run_state *state,
                enum build_made *made, struct err *err);

/* The fault of a run whose build failed, as JSON, from the build's failure (may be NULL). The caller frees. */
char *build_fault(const char *failure);
