#include "server/daemon/store/run_views.h"

#include "common/err.h"
#include "common/scoped.h"
#include "server/daemon/plan/plan.h"
#include "server/daemon/store/columns.h"

#include <inttypes.h>

#define RUN_SELECT                                                                                 \
	"SELECT r.id, r.job, r.col, r.build, b.name, b.release, r.cache, r.kind, r.board, "        \
	"r.state, r.stage, r.attempt, r.max_attempts, r.created, r.started, r.ended, r.planned, "  \
	"r.arrived, r.fault, r.current_test, r.purpose, r.round FROM run r JOIN build b ON b.id "  \
	"= r.build "

/* {"pass": 3, ...} of the tests' own results in an attempt. */
static json_t *verdicts(struct db *db, int64_t run, int64_t attempt, struct err *err)
{
	sqlite3_stmt *stmt =
		db_query(db,
	                 "SELECT verdict, count(*) FROM result WHERE run = ?1 AND attempt = ?2 AND "
	                 "cell = '' GROUP BY verdict",
	                 "ii", run, attempt);
	SCOPED_JSON counts = json_object();
	int rc;

	while ((rc = db_step(db, stmt, err)) == 1)
		(void)json_object_set_new(counts, db_text(stmt, 0), json_integer(db_int(stmt, 1)));
	return rc < 0 ? NULL : take_json(&counts);
}

static json_t *run_json(struct db *db, sqlite3_stmt *s, struct err *err)
{
	json_t *counts = verdicts(db, db_int(s, 0), db_int(s, 11), err);

	if (!counts)
		return NULL;
	return json_pack("{s:I, s:I, s:I, s:{s:I, s:s, s:s?}, s:s, s:s, s:s?, s:s, s:s?, s:I, s:I, "
	                 "s:o, s:o, s:o, s:I, s:I, s:o, s:o, s:s?, s:s, s:I}",
	                 "id", (json_int_t)db_int(s, 0), "job", (json_int_t)db_int(s, 1), "column",
	                 (json_int_t)db_int(s, 2), "build", "id", (json_int_t)db_int(s, 3), "name",
	                 db_text(s, 4), "release", db_text_or_null(s, 5), "cache", db_text(s, 6),
	                 "kind", db_text(s, 7), "board", db_text_or_null(s, 8), "state",
	                 db_text(s, 9), "stage", db_text_or_null(s, 10), "attempt",
	                 (json_int_t)db_int(s, 11), "max_attempts", (json_int_t)db_int(s, 12),
	                 "created", column_time(s, 13), "started", column_time(s, 14), "ended",
	                 column_time(s, 15), "planned", (json_int_t)db_int(s, 16), "arrived",
	                 (json_int_t)db_int(s, 17), "verdicts", counts, "fault", column_json(s, 18),
	                 "current_test", db_text_or_null(s, 19), "purpose", db_text(s, 20), "round",
	                 (json_int_t)db_int(s, 21));
}

static json_t *run_rows(struct db *db, sqlite3_stmt *stmt, struct err *err)
{
	SCOPED_JSON list = json_array();
	int rc;

	while ((rc = db_step(db, stmt, err)) == 1) {
		json_t *run = run_json(db, stmt, err);

		if (!run)
			return NULL;
		(void)json_array_append_new(list, run);
	}
	return rc < 0 ? NULL : take_json(&list);
}

json_t *run_of_job(struct db *db, int64_t job, struct err *err)
{
	/* Those that make kernels stand with the job's builds, unless they are all there is. */
	return run_rows(db,
	                db_query(db,
	                         RUN_SELECT "JOIN job j ON j.id = r.job WHERE r.job = ?1 AND "
	                                    "(r.purpose = 'test' OR j.suite IN " PLAN_BUILDER_SUITES
	                                    ") ORDER BY r.id",
	                         "i", job),
	                err);
}

#define RUN_LIST(first)                                                                            \
	RUN_SELECT "WHERE " first " AND (?1 = 0 OR r.job = ?1) AND (?2 IS NULL OR r.board = ?2) "  \
		   "AND (?3 IS NULL OR r.state = ?3) AND (?4 IS NULL OR r.cache = ?4) AND "        \
		   "r.id < ?5 ORDER BY r.id DESC LIMIT ?6"

json_t *run_list(struct db *db, const struct run_filter *f, struct err *err)
{
	/* One statement a kind of filter, so that each has its index: by OR none is found. */
	const char *sql = f->job     ? RUN_LIST("r.job = ?1")
	                  : f->board ? RUN_LIST("r.board = ?2")
	                  : f->state ? RUN_LIST("r.state = ?3")
	                             : RUN_LIST("1");

	return run_rows(db,
	                db_query(db, sql, "isssii", f->job, f->board, f->state, f->cache, f->before,
	                         f->limit),
	                err);
}

/* Add the facts of the last attempt and the names of the planned tests to the run. */
static int add_details(struct db *db, json_t *run, int64_t id, struct err *err)
{
	sqlite3_stmt *stmt =
		db_query(db,
	                 "SELECT r.plan, a.facts FROM run r LEFT JOIN attempt a ON a.run = r.id "
	                 "AND a.attempt = r.attempt WHERE r.id = ?1",
	                 "i", id);
	json_t *names = json_array(), *test;
	SCOPED_JSON plan = NULL;
	size_t i;

	(void)json_object_set_new(run, "tests", names);
	if (db_step(db, stmt, err) != 1)
		return -1;
	plan = column_json(stmt, 0);
	(void)json_object_set_new(run, "facts", column_json(stmt, 1));
	json_array_foreach(json_object_get(plan, "tests"), i, test)
	{
		if (json_integer_value(json_object_get(test, "rep")) == 1)
			(void)json_array_append(names, json_object_get(test, "name"));
	}
	return 0;
}

json_t *run_view(struct db *db, int64_t id, struct err *err)
{
	SCOPED_JSON rows = run_rows(db, db_query(db, RUN_SELECT "WHERE r.id = ?1", "i", id), err);
	json_t *run = json_array_get(rows, 0);

	if (rows && !run)
		(void)err_set(err, ERR_NOTFOUND, "no such run: %" PRId64, id);
	if (!run || add_details(db, run, id, err) < 0)
		return NULL;
	return json_incref(run);
}

int64_t run_last_attempt(struct db *db, int64_t id, struct err *err)
{
	sqlite3_stmt *stmt = db_query(db, "SELECT attempt FROM run WHERE id = ?1", "i", id);
	int rc = db_step(db, stmt, err);

	if (rc == 0)
		return err_set(err, ERR_NOTFOUND, "no such run: %" PRId64, id);
	return rc < 0 ? -1 : db_int(stmt, 0);
}

json_t *run_attempts(struct db *db, int64_t id, struct err *err)
{
	SCOPED_JSON list = json_array();
	sqlite3_stmt *s;
	int rc;

	if (run_last_attempt(db, id, err) < 0)
		return NULL;
	s = db_query(db,
	             "SELECT attempt, board, fence, state, CASE state WHEN 'leased' THEN NULL WHEN "
	             "'ended' THEN NULL ELSE state END, started, ended, outcome, fault, \"offset\" "
	             "FROM attempt WHERE run = ?1 ORDER BY attempt",
	             "i", id);
	while ((rc = db_step(db, s, err)) == 1)
		(void)json_array_append_new(
			list,
			json_pack("{s:I, s:s, s:I, s:s, s:s?, s:o, s:o, s:s?, s:o, s:I}", "attempt",
		                  (json_int_t)db_int(s, 0), "board", db_text(s, 1), "fence",
		                  (json_int_t)db_int(s, 2), "state", db_text(s, 3), "stage",
		                  db_text_or_null(s, 4), "started", column_time(s, 5), "ended",
		                  column_time(s, 6), "outcome", db_text_or_null(s, 7), "fault",
		                  column_json(s, 8), "offset", (json_int_t)db_int(s, 9)));
	return rc < 0 ? NULL : take_json(&list);
}
