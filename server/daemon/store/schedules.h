/* schedules.h - the tables schedule and schedule_run. */
#pragma once
#include "server/daemon/nightly/decide.h"

#include <jansson.h>

struct db;
struct err;

/* What a person says of a schedule; all borrowed, checked before. */
struct schedules_new {
	const char *name, *cron, *zone;
	json_t *job;
	int64_t window_s;
	const char *overlap, *catch_up;
	bool report;
};

/* Make it; instants count from now on. 0, or -1 with *err (ERR_CONFLICT: the name is taken). */
int schedules_create(struct db *db, const struct schedules_new *schedule, int64_t now_us,
                     struct err *err);

/* Make an existing one what schedule says but for the name; instants count from now on, and what came before is the caller's
 * business (nightly_settle()). Without report, what no digest has told of is not told any more. */
int schedules_change(struct db *db, int64_t id, const struct schedules_new *schedule,
                     int64_t now_us, struct err *err);

/* Remove it with what became of its instants; its jobs stay. ERR_NOTFOUND. */
int schedules_remove(struct db *db, const char *name, struct err *err);

/* A schedule as the thread sees it. */
struct schedules_row {
	int64_t id;
	char *name; /* owned, as the next two */
	char *disabled;
	json_t *job;
	const struct zone *zone;
	struct nightly_plan plan;
	int64_t since; /* it is as it is from here on */
	bool report;
};
void schedules_row_release(struct schedules_row *row);

/* Read one by id, or by name (id 0). A zone or an expression that this system has lost is ERR_INVALID. */
int schedules_load(struct db *db, int64_t id, const char *name, struct schedules_row *row,
                   struct err *err);

/* Ids of all. A JSON array of integers that the caller owns. */
json_t *schedules_ids(struct db *db, struct err *err);

int schedules_seen_set(struct db *db, int64_t id, int64_t seen, struct err *err);
/* With a reason, or NULL to enable. */
int schedules_disabled_set(struct db *db, int64_t id, const char *reason, struct err *err);

/* What became of an instant, or of several. */
struct schedules_run {
	int64_t instant, first;
	size_t count;
	const char *outcome; /* submitted | skipped | waiting */
	const char *why;
	int64_t job; /* 0: none */
};

/* Keep it, with its event. An instant that has its row already is left alone: *made (may be NULL) is false. */
int schedules_run_add(struct db *db, const struct schedules_row *schedule,
                      const struct schedules_run *run, int64_t now_us, bool *made, struct err *err);

/* The first row that stands for instants behind after: from first to last. INT64_MAX, both: none. */
int schedules_run_next(struct db *db, int64_t schedule, int64_t after, int64_t *first,
                       int64_t *last, struct err *err);

/* Is there a row for the instant: none, one that is final, or one that was skipped and may be decided again? */
enum schedules_there { SCHEDULES_NONE, SCHEDULES_FINAL, SCHEDULES_SKIPPED };
int schedules_run_is(struct db *db, int64_t schedule, int64_t instant, enum schedules_there *there,
                     struct err *err);

/* The instant that waits; 0: none. */
int schedules_run_waiting(struct db *db, int64_t schedule, int64_t *instant, struct err *err);

/* What became of it is another thing now: it waits no more, or its instant came again. */
int schedules_run_settle(struct db *db, const struct schedules_row *schedule,
                         const struct schedules_run *run, int64_t now_us, struct err *err);

/* The clock is behind instants that are decided: rows of missed ones behind now go, other skipped ones stay until their
 * instant comes again. What was before the schedule's last change stays as it is. *first is the first instant of them all, or
 * INT64_MAX. */
int schedules_runs_take_back(struct db *db, const struct schedules_row *schedule, int64_t now_us,
                             int64_t *first, struct err *err);

/* The newest job of the schedule, with an id below before, that has not ended; 0: none. */
int schedules_job_open(struct db *db, int64_t schedule, int64_t before, int64_t *job,
                       struct err *err);

/* The schedule of a job, and the job of the instant before: 0, NULL where there is none. The caller frees *name. */
struct schedules_job {
	char *name; /* owned; NULL: no schedule made the job */
	int64_t before, before_created;
};
int schedules_of_job(struct db *db, int64_t job, struct schedules_job *out, struct err *err);

/* As docs/NIGHTLY.md has it. References that the caller owns, or NULL with *err (ERR_NOTFOUND). */
json_t *schedules_view(struct db *db, const char *name, int64_t now_us, struct err *err);
json_t *schedules_list(struct db *db, const char *after, int64_t limit, int64_t now_us,
                       struct err *err);
json_t *schedules_run_list(struct db *db, const struct schedules_row *schedule, int64_t before,
                           int64_t limit, struct err *err);
