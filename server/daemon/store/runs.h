/* runs.h - what happens to a run in the store: each event of schedule/run.h in one place, with everything that
 * follows from it: the lease that goes, `missing` results, the job's state, the events for watchers. */
#pragma once
#include "server/daemon/schedule/run.h"

struct db;
struct err;

/* Cancel a run or the open runs of a job, inside a write transaction; call farm_kick() behind it. A run that runs
 * ends when its board says so. 0, or -1 with *err: ERR_NOTFOUND, or ERR_CONFLICT when it has ended. */
int store_run_cancel(struct db *db, int64_t run, int64_t now, struct err *err);
int store_job_cancel(struct db *db, int64_t job, int64_t now, struct err *err);

/* The job's state from those of its runs; and telling watchers of it, also when it is as it was. */
int store_job_derive(struct db *db, int64_t job, int64_t now, struct err *err);
int store_job_tell(struct db *db, int64_t job, int64_t now, struct err *err);

struct run_change {
	struct run_event event;
	const char *board; /* RUN_EV_LEASE */
	const char *fault; /* JSON of a fault, or NULL */
};

/* Let change happen to run. *applied says whether it did; *state (may be NULL) is the run's after it.
 * 0, or -1 with *err. */
int store_run_apply(struct db *db, int64_t run, const struct run_change *change, bool *applied,
                    struct run_state *state, struct err *err);

/* The queued runs with an id above after, oldest first, for the scheduler. fn returns 0 to go on. */
struct schedule_run;
typedef int store_queued_fn(void *arg, const struct schedule_run *run);
int store_runs_queued(struct db *db, int64_t after, store_queued_fn *fn, void *arg,
                      struct err *err);

/* The same for one run; fn is not called when it is not queued. */
int store_run_queued(struct db *db, int64_t run, store_queued_fn *fn, void *arg, struct err *err);

/* The same for the jobs that use the build of that run: it was a builder's, has ended, and runs of theirs may have waited for
 * it. */
int store_runs_queued_behind(struct db *db, int64_t run, store_queued_fn *fn, void *arg,
                             struct err *err);

/* Runs that run and are to be cancelled. */
typedef int store_run_fn(void *arg, int64_t run);
int store_runs_cancelling(struct db *db, store_run_fn *fn, void *arg, struct err *err);

/* The time window of a scheduled job, after which nothing of it starts; INT64_MAX: it has none. Of the job, or of a run's. */
int store_job_window_set(struct db *db, int64_t job, int64_t ends, struct err *err);
int store_job_window(struct db *db, int64_t job, int64_t *ends, struct err *err);
int store_run_window(struct db *db, int64_t run, int64_t *ends, struct err *err);

/* What a failed run's fault says: its stage (NULL: none), and "CODE: DETAIL". Both are the caller's. 0, or -1 with *err. */
int store_run_fault(struct db *db, int64_t run, char **stage, char **words, struct err *err);

/* The run as the event `run` has it; also after other changes of its row (stage). */
int store_run_event(struct db *db, int64_t run, int64_t now, struct err *err);
