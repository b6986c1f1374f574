/* step.h - the schedules, looked at once: what is due is decided and submitted, in one transaction a schedule. Whoever
 * calls owns the time; a step that is repeated at the same time changes nothing. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct db;
struct err;
struct jx_errors;
struct schedules_row;
struct store;
struct world_config;

struct nightly_outlook {
	int64_t due;    /* when to look again; INT64_MAX: never */
	bool waiting;   /* an instant waits for a job to end */
	bool submitted; /* there are new jobs */
};

/* 0, or -1 with *err: then at least one schedule could not be looked at or decided, and is to be tried again. */
int nightly_step(struct store *store, const struct world_config *world, int64_t now_us,
                 struct nightly_outlook *outlook, struct err *err);

/* The rest is for a write transaction of the caller. */

/* Submit the job of the schedule now. *job is 0 when there are complaints. */
int nightly_run_now(struct db *db, const struct world_config *world,
                    const struct schedules_row *row, int64_t now_us, int64_t *job,
                    struct jx_errors *errors, struct err *err);

/* The schedule is about to be changed (schedules_change()): what has come up to now is decided as it is. One whose zone this
 * system has lost has nothing to decide. */
int nightly_settle(struct db *db, const struct world_config *world, int64_t id, int64_t now_us,
                   struct err *err);

/* Disable with a reason, or enable with NULL: the instants that passed meanwhile get a row that says so. */
int nightly_disable(struct db *db, const struct schedules_row *row, const char *reason,
                    int64_t now_us, struct err *err);
