#include "server/daemon/store/jobs.h"

#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "server/daemon/plan/plan.h"
#include "server/daemon/store/columns.h"
#include "server/daemon/store/run_views.h"
#include "server/daemon/suite.h"

#include <inttypes.h>
#include <string.h>

#define SECOND_US INT64_C(1000000)

/* --- storing --- */

static int insert_run(struct db *db, const struct plan *plan, const struct plan_run *run,
                      int64_t job, int64_t now_us, struct err *err)
{
	const struct submission *s = &plan->submission;
	SCOPED_STR boards = jx_text(run->boards);

	if (db_exec(db, err, NULL,
	            "INSERT INTO run (job, col, build, cache, kind, boards, plan, planned, "
	            "priority, state, max_attempts, expires, created) VALUES (?1, ?2, ?3, ?4, ?5, "
	            "?6, ?7, ?8, ?9, 'queued', ?10, ?11, ?12)",
	            "iiissssiiiii", job, (int64_t)run->column, run->build->id, run->cache,
	            run->kind, boards, plan->text, (int64_t)plan->planned, s->priority,
	            s->max_attempts, now_us + s->ttl_s * SECOND_US, now_us) < 0)
		return -1;
	return db_event(db, now_us, "run", job, db_last_id(db), NULL,
	                json_pack("{s:s, s:n, s:i, s:n}", "state", "queued", "stage", "attempt", 0,
	                          "fault"),
	                err);
}

int job_insert(struct db *db, const struct plan *plan, const char *request, int64_t now_us,
               int64_t *id, struct err *err)
{
	const struct submission *s = &plan->submission;
	SCOPED_STR labels = jx_text(plan->labels);

	if (db_exec(db, err, NULL,
	            "INSERT INTO job (name, request, suite, labels, priority, state, created) "
	            "VALUES (?1, ?2, ?3, ?4, ?5, 'queued', ?6)",
	            "ssssii", s->name ? s->name : plan->suite->name, request, plan->suite->name,
	            labels, s->priority, now_us) < 0)
		return -1;
	*id = db_last_id(db);
	if (db_event(db, now_us, "job", *id, 0, NULL,
	             json_pack("{s:s, s:I, s:i}", "state", "queued", "planned",
	                       (json_int_t)plan->planned * (json_int_t)plan->runs_count, "arrived",
	                       0),
	             err) < 0)
		return -1;
	for (size_t i = 0; i < plan->runs_count; i++)
		if (insert_run(db, plan, &plan->runs[i], *id, now_us, err) < 0)
			return -1;
	return 0;
}

/* --- showing --- */

#define JOB_SELECT                                                                                 \
	"SELECT j.id, j.name, j.state, j.created, j.ended, j.priority, j.suite, j.labels, "        \
	"j.request, (SELECT sum(r.planned) FROM run r WHERE r.job = j.id), "                       \
	"(SELECT sum(r.arrived) FROM run r WHERE r.job = j.id), "                                  \
	"(SELECT count(*) FROM run r WHERE r.job = j.id AND r.state <> 'done') FROM job j "

/* The builds of each column, in their order: one, or one a class. */
static json_t *job_builds(struct db *db, int64_t job, struct err *err)
{
	sqlite3_stmt *s =
		db_query(db,
	                 "SELECT r.col, b.id, b.name, b.release FROM run r JOIN build b ON b.id = "
	                 "r.build WHERE r.job = ?1 GROUP BY r.col, b.id, b.name, b.release ORDER "
	                 "BY r.col, min(r.id)",
	                 "i", job);
	SCOPED_JSON list = json_array();
	int rc;

	while ((rc = db_step(db, s, err)) == 1)
		(void)json_array_append_new(
			list, json_pack("{s:I, s:I, s:s, s:s?}", "column", (json_int_t)db_int(s, 0),
		                        "id", (json_int_t)db_int(s, 1), "name", db_text(s, 2),
		                        "release", db_text_or_null(s, 3)));
	return rc < 0 ? NULL : take_json(&list);
}

static json_t *job_verdicts(struct db *db, int64_t job, struct err *err)
{
	sqlite3_stmt *s =
		db_query(db,
	                 "SELECT s.verdict, count(*) FROM run r JOIN result s ON s.run = r.id AND "
	                 "s.attempt = r.attempt AND s.cell = '' WHERE r.job = ?1 GROUP BY "
	                 "s.verdict",
	                 "i", job);
	SCOPED_JSON counts = json_object();
	int rc;

	while ((rc = db_step(db, s, err)) == 1)
		(void)json_object_set_new(counts, db_text(s, 0), json_integer(db_int(s, 1)));
	return rc < 0 ? NULL : take_json(&counts);
}

/* What the job has in common with the items of a list; *request gets the submission, owned by the caller. */
static json_t *job_json(struct db *db, sqlite3_stmt *s, json_t **request, struct err *err)
{
	int64_t id = db_int(s, 0);
	bool done = strcmp(db_text(s, 2), "done") == 0;
	bool complete = done && db_int(s, 11) == 0 && db_int(s, 9) == db_int(s, 10);
	SCOPED_JSON builds = job_builds(db, id, err);
	SCOPED_JSON counts = builds ? job_verdicts(db, id, err) : NULL;
	json_t *repetitions;

	if (!counts)
		return NULL;
	*request = column_json(s, 8);
	repetitions = json_object_get(*request, "repetitions");
	return json_pack(
		"{s:I, s:s, s:s, s:b, s:o, s:o, s:I, s:s, s:I, s:o, s:O, s:I, s:I, s:O}", "id",
		(json_int_t)id, "name", db_text(s, 1), "state", db_text(s, 2), "complete", complete,
		"created", column_time(s, 3), "ended", column_time(s, 4), "priority",
		(json_int_t)db_int(s, 5), "suite", db_text(s, 6), "repetitions",
		json_is_integer(repetitions) ? json_integer_value(repetitions) : (json_int_t)1,
		"labels", column_json(s, 7), "builds", builds, "planned", (json_int_t)db_int(s, 9),
		"arrived", (json_int_t)db_int(s, 10), "verdicts", counts);
}

/* Names of the tests, from the plan that all runs of the job share. */
static json_t *job_tests(struct db *db, int64_t job, struct err *err)
{
	sqlite3_stmt *s =
		db_query(db, "SELECT plan FROM run WHERE job = ?1 ORDER BY id LIMIT 1", "i", job);
	json_t *names = json_array(), *test;
	SCOPED_JSON plan = NULL;
	size_t i;

	if (db_step(db, s, err) == 1)
		plan = column_json(s, 0);
	json_array_foreach(json_object_get(plan, "tests"), i, test)
	{
		if (json_integer_value(json_object_get(test, "rep")) == 1)
			(void)json_array_append(names, json_object_get(test, "name"));
	}
	return names;
}

json_t *job_view(struct db *db, int64_t id, struct err *err)
{
	sqlite3_stmt *s = db_query(db, JOB_SELECT "WHERE j.id = ?1", "i", id);
	int rc = db_step(db, s, err);
	SCOPED_JSON request = NULL;
	SCOPED_JSON job = rc == 1 ? job_json(db, s, &request, err) : NULL;
	json_t *runs;

	if (rc == 0)
		(void)err_set(err, ERR_NOTFOUND, "no such job: %" PRId64, id);
	if (!job)
		return NULL;
	runs = run_of_job(db, id, err);
	if (!runs)
		return NULL;
	(void)json_object_set_new(job, "runs", runs);
	(void)json_object_set_new(job, "tests", job_tests(db, id, err));
	(void)json_object_set(job, "selector", json_object_get(request, "boards"));
	return take_json(&job);
}

json_t *job_list(struct db *db, const char *state, int64_t before, int64_t limit, struct err *err)
{
	SCOPED_JSON list = json_array();
	sqlite3_stmt *s;
	int rc;

	if (state)
		s = db_query(db,
		             JOB_SELECT
		             "WHERE j.state = ?1 AND j.id < ?2 ORDER BY j.id DESC LIMIT ?3",
		             "sii", state, before, limit);
	else
		s = db_query(db, JOB_SELECT "WHERE j.id < ?1 ORDER BY j.id DESC LIMIT ?2", "ii",
		             before, limit);
	while ((rc = db_step(db, s, err)) == 1) {
		SCOPED_JSON request = NULL;
		json_t *job = job_json(db, s, &request, err);

		if (!job)
			return NULL;
		(void)json_array_append_new(list, job);
	}
	return rc < 0 ? NULL : take_json(&list);
}
