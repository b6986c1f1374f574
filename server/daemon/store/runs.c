#include "server/daemon/store/runs.h"

#include "common/err.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/schedule/schedule.h"
#include "server/daemon/store/git_runs.h"
#include "server/daemon/store/lanes.h"
#include "server/daemon/store/made_builds.h"
#include "server/daemon/store/missing.h"
#include "server/daemon/store/store.h"

#include <inttypes.h>
#include <string.h>

struct loaded {
	int64_t job;
	bool all_arrived;
	enum run_purpose purpose;
	struct run_state state;
};

static int run_load(struct db *db, int64_t run, struct loaded *out, struct err *err)
{
	sqlite3_stmt *stmt = db_query(
		db,
		"SELECT r.job, r.state, r.cancelling, r.attempt, r.max_attempts, r.not_before,"
		" r.expires, r.arrived >= r.planned, coalesce(l.fence, 0), r.purpose,"
		" r.state = 'queued' AND coalesce(r.stage, '') = 'build'"
		" FROM run r LEFT JOIN lease l ON l.run = r.id WHERE r.id = $1",
		"i", run);
	int rc = db_step(db, stmt, err);

	if (rc < 0)
		return -1;
	if (rc == 0)
		return err_set(err, ERR_NOTFOUND, "there is no run %" PRId64, run);
	*out = (struct loaded){
		.job = db_int(stmt, 0),
		.state = {.cancelling = db_int(stmt, 2) != 0,
	                  .attempt = db_int(stmt, 3),
	                  .max_attempts = db_int(stmt, 4),
	                  .not_before = db_int(stmt, 5),
	                  .expires = db_int(stmt, 6),
	                  .fence = db_int(stmt, 8),
	                  .waiting = db_int(stmt, 10) != 0},
		.all_arrived = db_int(stmt, 7) != 0,
	};
	if (!run_purpose_parse(db_text(stmt, 9), &out->purpose) ||
	    !run_phase_parse(db_text(stmt, 1), &out->state.phase))
		return err_set(err, ERR_IO, "run %" PRId64 ": state '%s'", run, db_text(stmt, 1));
	return 0;
}

static json_t *json_or_null(const char *text)
{
	json_t *value = text ? json_loads(text, 0, NULL) : NULL;

	return value ? value : json_null();
}

int store_run_event(struct db *db, int64_t run, int64_t now, struct err *err)
{
	sqlite3_stmt *stmt = db_query(
		db,
		"SELECT job, state, stage, attempt, board, fault, cancelling FROM run WHERE id = $1",
		"i", run);
	int64_t job;
	json_t *data;
	SCOPED_STR board = NULL;

	if (db_step(db, stmt, err) < 1)
		return -1;
	job = db_int(stmt, 0);
	board = db_text_or_null(stmt, 4) ? xstrdup(db_text(stmt, 4)) : NULL;
	data = json_pack("{s:s, s:s?, s:I, s:s?, s:o, s:b}", "state", db_text(stmt, 1), "stage",
	                 db_text_or_null(stmt, 2), "attempt", (json_int_t)db_int(stmt, 3), "board",
	                 db_text_or_null(stmt, 4), "fault", json_or_null(db_text_or_null(stmt, 5)),
	                 "cancelling", (int)db_int(stmt, 6));
	return db_event(db, now, "run", job, run, board, data, err);
}

/* ---- The job ---- */

static int job_event(struct db *db, int64_t job, const char *state, int64_t now, struct err *err)
{
	sqlite3_stmt *stmt = db_query(
		db,
		"SELECT coalesce(sum(planned), 0), coalesce(sum(arrived), 0) FROM run WHERE job = $1",
		"i", job);
	json_t *data;

	if (db_step(db, stmt, err) < 1)
		return -1;
	data = json_pack("{s:s, s:I, s:I}", "state", state, "planned", (json_int_t)db_int(stmt, 0),
	                 "arrived", (json_int_t)db_int(stmt, 1));
	return db_event(db, now, "job", job, 0, NULL, data, err);
}

/* Does sql (a literal) find a row for job? 1, 0, or -1. */
static int job_has(struct db *db, int64_t job, const char *sql, struct err *err)
{
	return db_step(db, db_query(db, sql, "i", job), err);
}

/* A run of the job changed its state, so not all of them are queued any more. */
int store_job_derive(struct db *db, int64_t job, int64_t now, struct err *err)
{
	const char *state = "running";
	int64_t changed;
	int has = job_has(db, job,
	                  "SELECT 1 FROM run WHERE job = $1 AND state IN ('queued', 'running')"
	                  " LIMIT 1",
	                  err);

	if (has < 0)
		return -1;
	if (has == 0)
		has = job_has(db, job, "SELECT 1 FROM job WHERE id = $1 AND deciding = 1", err);
	if (has == 0) {
		has = job_has(db, job,
		              "SELECT 1 FROM run WHERE job = $1 AND state = 'cancelled' LIMIT 1",
		              err);
		if (has < 0)
			return -1;
		state = has ? "cancelled" : "done";
	}
	if (db_exec(db, err, &changed,
	            "UPDATE job SET state = $2, ended = CASE WHEN $2 = 'running' THEN NULL ELSE $3 END"
	            " WHERE id = $1 AND state <> $2",
	            "isi", job, state, now) < 0)
		return -1;
	return changed ? job_event(db, job, state, now, err) : 0;
}

int store_job_tell(struct db *db, int64_t job, int64_t now, struct err *err)
{
	sqlite3_stmt *stmt = db_query(db, "SELECT state FROM job WHERE id = $1", "i", job);
	SCOPED_STR state = NULL;

	if (db_step(db, stmt, err) < 1)
		return -1;
	state = xstrdup(db_text(stmt, 0));
	return job_event(db, job, state, now, err);
}

/* ---- Changes ---- */

static int row_write(struct db *db, int64_t run, const struct run_change *change,
                     const struct run_state *state, struct err *err)
{
	const char *fault = change->fault;
	int64_t lease = change->event.kind == RUN_EV_LEASE, now = change->event.now;

	if (change->event.kind == RUN_EV_TIME)
		fault = "{\"code\":\"no-board\",\"stage\":null,\"detail\":\"no fitting board was free"
			" before the run's time to live ended\"}";
	if (db_exec(db, err, NULL,
	            "UPDATE run SET state = $2, cancelling = $3, attempt = $4, not_before = $5,"
	            " expires = $6 WHERE id = $1",
	            "isiiii", run, run_phase_name(state->phase), (int64_t)state->cancelling,
	            state->attempt, state->not_before, state->expires) < 0)
		return -1;
	if (lease && db_exec(db, err, NULL,
	                     "UPDATE run SET board = $2, started = coalesce(started, $3),"
	                     " arrived = 0, stage = NULL, current_test = NULL WHERE id = $1",
	                     "isi", run, change->board, now) < 0)
		return -1;
	if (state->phase != RUN_RUNNING &&
	    db_exec(db, err, NULL,
	            "UPDATE run SET stage = NULL, current_test = NULL, fault = $2 WHERE id = $1",
	            "is", run, fault) < 0)
		return -1;
	if (run_ended(state) &&
	    db_exec(db, err, NULL, "UPDATE run SET ended = $2 WHERE id = $1", "ii", run, now) < 0)
		return -1;
	return 0;
}

/* What run_act() asks for, as far as the store does it. Doing it twice does no harm. */
static int acts_do(struct db *db, int64_t run, struct loaded *l, const struct run_change *change,
                   struct err *err)
{
	unsigned acts = run_act(&l->state);
	int64_t now = change->event.now;

	if ((acts & RUN_ACT_FILL) && !(l->all_arrived && l->state.phase == RUN_DONE) &&
	    store_missing_fill(db, run, l->state.attempt, now, err) < 0)
		return -1;
	if (acts & RUN_ACT_RELEASE) {
		if (db_exec(db, err, NULL, "DELETE FROM lease WHERE run = $1", "i", run) < 0)
			return -1;
		run_released(&l->state);
	}
	if (!run_ended(&l->state))
		return 0;
	if (db_exec(db, err, NULL, "DELETE FROM event WHERE run = $1 AND kind = 'progress'", "i",
	            run) < 0)
		return -1;
	return lane_fold(db, run,
	                 change->event.kind == RUN_EV_ENDED &&
	                         change->event.outcome == RUN_OUTCOME_FAULT,
	                 err);
}

/* store_run_apply() without the job. */
static int apply(struct db *db, int64_t run, const struct run_change *change, bool *applied,
                 struct loaded *l, struct err *err)
{
	if (run_load(db, run, l, err) < 0)
		return -1;
	*applied = run_apply(&l->state, &change->event);
	if (!*applied)
		return 0;
	if (row_write(db, run, change, &l->state, err) < 0 || acts_do(db, run, l, change, err) < 0)
		return -1;
	if (store_run_event(db, run, change->event.now, err) < 0)
		return -1;
	switch (l->purpose) {
	case PURPOSE_TEST:
		break;
	case PURPOSE_BUILD:
		return made_build_follow(db, run, &l->state, change->event.now, err);
	case PURPOSE_GIT:
		return git_run_follow(db, run, &l->state, change->event.now, err);
	}
	return 0;
}

int store_run_apply(struct db *db, int64_t run, const struct run_change *change, bool *applied,
                    struct run_state *state, struct err *err)
{
	struct loaded l;

	if (apply(db, run, change, applied, &l, err) < 0)
		return -1;
	if (state)
		*state = l.state;
	return *applied ? store_job_derive(db, l.job, change->event.now, err) : 0;
}

int store_run_cancel(struct db *db, int64_t run, int64_t now, struct err *err)
{
	const struct run_change change = {.event = {.kind = RUN_EV_CANCEL, .now = now}};
	struct run_state state;
	bool applied;

	if (store_run_apply(db, run, &change, &applied, &state, err) < 0)
		return -1;
	if (!applied)
		return err_set(err, ERR_CONFLICT, "run %" PRId64 " has ended (%s)", run,
		               run_phase_name(state.phase));
	return 0;
}

/* The oldest open run of the job behind after that has this purpose; 0: none, -1 with *err. */
static int64_t job_open_run(struct db *db, int64_t job, const char *purpose, int64_t after,
                            struct err *err)
{
	sqlite3_stmt *stmt = db_query(db,
	                              "SELECT id FROM run WHERE job = $1 AND id > $2"
	                              " AND state IN ('queued', 'running') AND purpose = $3"
	                              " ORDER BY id LIMIT 1",
	                              "iis", job, after, purpose);
	int rc = db_step(db, stmt, err);

	return rc == 1 ? db_int(stmt, 0) : rc;
}

static int job_cancel_runs(struct db *db, int64_t job, const char *purpose, int64_t now,
                           struct err *err)
{
	const struct run_change change = {.event = {.kind = RUN_EV_CANCEL, .now = now}};
	bool builds = strcmp(purpose, "build") == 0;
	int64_t run = 0;

	while ((run = job_open_run(db, job, purpose, run, err)) > 0) {
		struct loaded l;
		bool applied = false;

		/* Others may wait for the kernel: then it goes on being made, for them. */
		if (builds && made_build_adopt(db, run, &applied, now, err) < 0)
			return -1;
		if (!applied && apply(db, run, &change, &applied, &l, err) < 0)
			return -1;
	}
	return run < 0 ? -1 : 0;
}

int store_job_cancel(struct db *db, int64_t job, int64_t now, struct err *err)
{
	sqlite3_stmt *stmt = db_query(db, "SELECT state FROM job WHERE id = $1", "i", job);
	int rc = db_step(db, stmt, err);

	if (rc < 0)
		return -1;
	if (rc == 0)
		return err_set(err, ERR_NOTFOUND, "there is no job %" PRId64, job);
	if (strcmp(db_text(stmt, 0), "queued") != 0 && strcmp(db_text(stmt, 0), "running") != 0)
		return err_set(err, ERR_CONFLICT, "job %" PRId64 " has ended (%s)", job,
		               db_text(stmt, 0));
	/* First what waits for kernels, then what finds out which ones, then what makes them. */
	if (db_exec(db, err, NULL, "UPDATE job SET deciding = 0 WHERE id = $1", "i", job) < 0 ||
	    job_cancel_runs(db, job, "test", now, err) < 0 ||
	    job_cancel_runs(db, job, "git", now, err) < 0 ||
	    job_cancel_runs(db, job, "build", now, err) < 0)
		return -1;
	return store_job_derive(db, job, now, err);
}

/* ---- Time windows ---- */

int store_job_window_set(struct db *db, int64_t job, int64_t ends, struct err *err)
{
	return db_exec(db, err, NULL, "UPDATE job SET window_ends = $2 WHERE id = $1", "ii", job,
	               ends);
}

static int window_read(struct db *db, sqlite3_stmt *stmt, int64_t *ends, struct err *err)
{
	if (db_step(db, stmt, err) < 1)
		return -1;
	*ends = db_int(stmt, 0);
	return 0;
}

int store_job_window(struct db *db, int64_t job, int64_t *ends, struct err *err)
{
	return window_read(db,
	                   db_query(db, "SELECT coalesce(window_ends, $2) FROM job WHERE id = $1",
	                            "ii", job, INT64_MAX),
	                   ends, err);
}

int store_run_window(struct db *db, int64_t run, int64_t *ends, struct err *err)
{
	return window_read(db,
	                   db_query(db,
	                            "SELECT coalesce(j.window_ends, $2) FROM run r JOIN job j ON"
	                            " j.id = r.job WHERE r.id = $1",
	                            "ii", run, INT64_MAX),
	                   ends, err);
}

/* ---- Lists for the farm ---- */

static int queued_give(struct db *db, sqlite3_stmt *stmt, store_queued_fn *fn, void *arg,
                       struct err *err)
{
	int rc;

	while ((rc = db_step(db, stmt, err)) == 1) {
		const struct schedule_run run = {.id = db_int(stmt, 0),
		                                 .priority = db_int(stmt, 1),
		                                 .not_before = db_int(stmt, 2),
		                                 .expires = db_int(stmt, 3),
		                                 .boards = db_text(stmt, 4)};

		if (fn(arg, &run) < 0)
			break;
	}
	return rc < 0 ? -1 : 0;
}

/* Without those that wait for their kernel. */
#define QUEUED_SQL                                                                                 \
	"SELECT id, priority, not_before, expires, boards FROM run WHERE state = 'queued' "        \
	"AND coalesce(stage, '') <> 'build' "

int store_runs_queued(struct db *db, int64_t after, store_queued_fn *fn, void *arg, struct err *err)
{
	sqlite3_stmt *stmt = db_query(db, QUEUED_SQL "AND id > $1 ORDER BY id", "i", after);

	return queued_give(db, stmt, fn, arg, err);
}

int store_run_queued(struct db *db, int64_t run, store_queued_fn *fn, void *arg, struct err *err)
{
	sqlite3_stmt *stmt = db_query(db, QUEUED_SQL "AND id = $1", "i", run);

	return queued_give(db, stmt, fn, arg, err);
}

int store_runs_queued_behind(struct db *db, int64_t run, store_queued_fn *fn, void *arg,
                             struct err *err)
{
	sqlite3_stmt *stmt = db_query(
		db,
		QUEUED_SQL "AND job IN (SELECT o.job FROM run r JOIN run o ON o.build = r.build "
			   "WHERE r.id = $1) ORDER BY id",
		"i", run);

	return queued_give(db, stmt, fn, arg, err);
}

int store_runs_cancelling(struct db *db, store_run_fn *fn, void *arg, struct err *err)
{
	sqlite3_stmt *stmt =
		db_query(db, "SELECT id FROM run WHERE state = 'running' AND cancelling = 1", "");
	int rc;

	while ((rc = db_step(db, stmt, err)) == 1)
		if (fn(arg, db_int(stmt, 0)) < 0)
			break;
	return rc < 0 ? -1 : 0;
}

int store_run_fault(struct db *db, int64_t run, char **stage, char **words, struct err *err)
{
	sqlite3_stmt *s = db_query(db, "SELECT fault FROM run WHERE id = ?1", "i", run);
	SCOPED_JSON fault = NULL;
	const char *code, *detail, *where;

	*stage = *words = NULL;
	if (db_step(db, s, err) < 1)
		return -1;
	fault = db_text_or_null(s, 0) ? json_loads(db_text(s, 0), 0, NULL) : NULL;
	code = json_string_value(json_object_get(fault, "code"));
	detail = json_string_value(json_object_get(fault, "detail"));
	where = json_string_value(json_object_get(fault, "stage"));
	*stage = where ? xstrdup(where) : NULL;
	*words = xasprintf("%s: %s", code ? code : "no fault", detail ? detail : "");
	return 0;
}
