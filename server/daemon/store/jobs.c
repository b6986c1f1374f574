#include "server/daemon/store/jobs.h"

#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/plan/plan.h"
#include "server/daemon/store/columns.h"
#include "server/daemon/store/git_runs.h"
#include "server/daemon/store/made_builds.h"
#include "server/daemon/store/resolve.h"
#include "server/daemon/store/run_views.h"
#include "server/daemon/suite.h"

#include <inttypes.h>
#include <string.h>

#define SECOND_US INT64_C(1000000)

/* --- storing --- */

/* What is known of the kernels while a job is stored. */
struct storing {
	struct db *db;
	const struct plan *plan;
	int64_t job, now_us;
	int64_t *recipe_builds;     /* owned: id by the plan's recipe */
	struct resolving resolving; /* builds whose base has a name */
	bool failed;                /* a build is, so runs that wait for it will not run */
};

static int64_t run_build(const struct storing *st, const struct plan_run *run)
{
	return run->build ? run->build->id : st->recipe_builds[run->recipe];
}

/* Does the run wait for its kernel, or its slot's? Slots are the runs of one round that have one class and kind. */
static int run_waits(const struct storing *st, const struct plan_run *run, bool *waits,
                     struct err *err)
{
	const struct plan *plan = st->plan;
	struct build_state own, other;
	bool settled = true;

	if (made_build_state(st->db, run_build(st, run), &own, err) < 0)
		return -1;
	for (size_t i = 0; i < plan->runs_count && run->round > 1 && settled; i++) {
		const struct plan_run *r = &plan->runs[i];

		if (r->round > 1)
			break; /* each slot has all of its columns in the first round */
		if (strcmp(r->cache, run->cache) != 0 || strcmp(r->kind, run->kind) != 0)
			continue;
		if (made_build_state(st->db, run_build(st, r), &other, err) < 0)
			return -1;
		settled = build_settled(&other);
	}
	*waits = !build_lets_run(&own, (int64_t)run->round, settled);
	return 0;
}

static int insert_run(struct storing *st, const struct plan_run *run, struct err *err)
{
	const struct plan *plan = st->plan;
	const struct submission *s = &plan->submission;
	SCOPED_STR boards = jx_text(run->boards);
	bool waits;

	if (run_waits(st, run, &waits, err) < 0)
		return -1;
	if (db_exec(st->db, err, NULL,
	            "INSERT INTO run (job, col, build, cache, kind, boards, plan, planned, "
	            "priority, state, max_attempts, expires, created, round, stage) VALUES (?1, "
	            "?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 'queued', ?10, ?11, ?12, ?13, ?14)",
	            "iiissssiiiiiis", st->job, (int64_t)run->column, run_build(st, run), run->cache,
	            run->kind, boards, plan->text, (int64_t)plan->planned, s->priority,
	            s->max_attempts, st->now_us + s->ttl_s * SECOND_US, st->now_us,
	            (int64_t)run->round, waits ? "build" : NULL) < 0)
		return -1;
	return db_event(st->db, st->now_us, "run", st->job, db_last_id(st->db), NULL,
	                json_pack("{s:s, s:s?, s:i, s:n}", "state", "queued", "stage",
	                          waits ? "build" : NULL, "attempt", 0, "fault"),
	                err);
}

/* Kernels first: their runs are the oldest of the job. */
static int insert_builds(struct storing *st, struct err *err)
{
	const struct plan *plan = st->plan;
	struct build_state state;
	bool make;

	for (size_t i = 0; i < plan->recipes_count; i++) {
		const struct plan_recipe *r = &plan->recipes[i];
		int64_t id;

		if (r->unresolved) {
			st->recipe_builds[i] = resolve_want(&st->resolving, i, err);
			if (st->recipe_builds[i] < 0)
				return -1;
			continue;
		}
		id = made_build_want(st->db, r, st->now_us, &state, &make, err);
		if (id < 0 ||
		    (make && made_build_run(st->db, plan, r, id, st->job, st->now_us, err) < 0))
			return -1;
		st->recipe_builds[i] = id;
		st->failed |= state.phase == BUILD_FAILED;
	}
	return resolve_ask(&st->resolving, err);
}

static int insert_runs(struct storing *st, struct err *err)
{
	const struct plan *plan = st->plan;
	int64_t planned = (int64_t)plan->planned * (int64_t)plan->runs_count;

	if (db_event(st->db, st->now_us, "job", st->job, 0, NULL,
	             json_pack("{s:s, s:I, s:i}", "state", "queued", "planned", (json_int_t)planned,
	                       "arrived", 0),
	             err) < 0 ||
	    insert_builds(st, err) < 0)
		return -1;
	for (size_t i = 0; i < plan->runs_count; i++)
		if (insert_run(st, &plan->runs[i], err) < 0)
			return -1;
	return st->failed ? made_build_fail_waiting(st->db, st->job, st->now_us, err) : 0;
}

int job_insert(struct db *db, const struct plan *plan, const char *request, int64_t now_us,
               int64_t *id, struct err *err)
{
	const struct submission *s = &plan->submission;
	struct storing st = {.db = db, .plan = plan, .now_us = now_us};
	SCOPED_STR labels = jx_text(plan->labels);
	SCOPED_STR columns = jx_text(plan->columns);
	SCOPED_MEM mem = xcalloc(plan->recipes_count + 1, sizeof(int64_t));
	const int64_t *series = plan->series ? &plan->series : NULL;
	int rc;

	if (db_exec(db, err, NULL,
	            "INSERT INTO job (name, request, suite, labels, priority, state, created, "
	            "columns, series, study, deciding) VALUES (?1, ?2, ?3, ?4, ?5, 'queued', ?6, "
	            "?7, ?8, ?9, ?10)",
	            "ssssiisIsi", s->name ? s->name : plan->suite->name, request, plan->suite->name,
	            labels, s->priority, now_us, columns, series, plan->study,
	            (int64_t)s->decided) < 0)
		return -1;
	*id = st.job = db_last_id(db);
	st.recipe_builds = mem;
	st.resolving = (struct resolving){.db = db, .plan = plan, .job = *id, .now = now_us};
	rc = insert_runs(&st, err);
	json_decref(st.resolving.builds);
	return rc;
}

/* --- showing --- */

/* What counts are the runs that test; of a job for builders alone, theirs. */
#define JOB_COUNTS "(r.purpose = 'test' OR j.suite IN " PLAN_BUILDER_SUITES ")"

#define JOB_SELECT                                                                                 \
	"SELECT j.id, j.name, j.state, j.created, j.ended, j.priority, j.suite, j.labels, "        \
	"j.request, coalesce((SELECT sum(r.planned) FROM run r WHERE r.job = j.id AND " JOB_COUNTS \
	"), 0), "                                                                                  \
	"coalesce((SELECT sum(r.arrived) FROM run r WHERE r.job = j.id AND " JOB_COUNTS "), 0), "  \
	"(SELECT count(*) FROM run r WHERE r.job = j.id AND r.state <> 'done' AND " JOB_COUNTS     \
	"), j.columns, (SELECT s.name FROM series s WHERE s.id = j.series), j.study, j.deciding, " \
	"(SELECT coalesce(max(r.round), 1) FROM run r WHERE r.job = j.id), "                       \
	"EXISTS (SELECT 1 FROM run r JOIN build b ON b.id = r.build WHERE r.job = j.id AND "       \
	"r.state IN ('queued', 'running') AND b.state IN ('waiting', 'building')) FROM job j "

/* The builds of each column, in their order: one, or one a class. run: what makes it now, or made it. */
static json_t *job_builds(struct db *db, int64_t job, struct err *err)
{
	sqlite3_stmt *s =
		db_query(db,
	                 "SELECT r.col, b.id, b.name, b.release, b.state, b.failure, min(r.cache), "
	                 "(SELECT max(m.id) FROM run m WHERE m.build = b.id AND m.purpose = "
	                 "'build') FROM run r JOIN build b ON b.id = r.build JOIN job j ON j.id = "
	                 "r.job WHERE r.job = ?1 AND b.name <> '" GIT_BUILD "' AND " JOB_COUNTS
	                 " GROUP BY r.col, b.id ORDER BY "
	                 "r.col, min(r.id)",
	                 "i", job);
	SCOPED_JSON list = json_array();
	int rc;

	while ((rc = db_step(db, s, err)) == 1)
		(void)json_array_append_new(
			list, json_pack("{s:I, s:I, s:s, s:s?, s:s, s:o, s:s, s:o}", "column",
		                        (json_int_t)db_int(s, 0), "id", (json_int_t)db_int(s, 1),
		                        "name", db_text(s, 2), "release", db_text_or_null(s, 3),
		                        "state", db_text(s, 4), "failure", column_json(s, 5),
		                        "cache", db_text(s, 6), "run", column_id(s, 7)));
	return rc < 0 ? NULL : take_json(&list);
}

static json_t *job_verdicts(struct db *db, int64_t job, struct err *err)
{
	sqlite3_stmt *s =
		db_query(db,
	                 "SELECT s.verdict, count(*) FROM run r JOIN result s ON s.run = r.id AND "
	                 "s.attempt = r.attempt AND s.cell = '' JOIN job j ON j.id = r.job WHERE "
	                 "r.job = ?1 AND " JOB_COUNTS " GROUP BY s.verdict",
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
	json_t *repetitions, *job;

	if (!counts)
		return NULL;
	*request = column_json(s, 8);
	repetitions = json_object_get(*request, "repetitions");
	job = json_pack(
		"{s:I, s:s, s:s, s:b, s:o, s:o, s:I, s:s, s:I, s:o, s:O, s:I, s:I, s:O}", "id",
		(json_int_t)id, "name", db_text(s, 1), "state", db_text(s, 2), "complete", complete,
		"created", column_time(s, 3), "ended", column_time(s, 4), "priority",
		(json_int_t)db_int(s, 5), "suite", db_text(s, 6), "repetitions",
		json_is_integer(repetitions) ? json_integer_value(repetitions) : (json_int_t)1,
		"labels", column_json(s, 7), "builds", builds, "planned", (json_int_t)db_int(s, 9),
		"arrived", (json_int_t)db_int(s, 10), "verdicts", counts);
	(void)json_object_update_new(
		job, json_pack("{s:s?, s:o, s:s?, s:o, s:b, s:I, s:O?}", "stage",
	                       db_int(s, 17) ? "build" : NULL, "columns", column_json(s, 12),
	                       "series", db_text_or_null(s, 13), "study", column_json(s, 14),
	                       "deciding", (int)db_int(s, 15), "round", (json_int_t)db_int(s, 16),
	                       "iterations", json_object_get(*request, "iterations")));
	return job;
}

/* Names of the tests, from the plan that all runs of the job share. */
static json_t *job_tests(struct db *db, int64_t job, struct err *err)
{
	sqlite3_stmt *s = db_query(
		db,
		"SELECT r.plan FROM run r JOIN job j ON j.id = r.job WHERE r.job = ?1 AND " JOB_COUNTS
		" ORDER BY r.id LIMIT 1",
		"i", job);
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
	json_t *runs, *selector;

	if (rc == 0)
		(void)err_set(err, ERR_NOTFOUND, "no such job: %" PRId64, id);
	if (!job)
		return NULL;
	runs = run_of_job(db, id, err);
	if (!runs)
		return NULL;
	(void)json_object_set_new(job, "runs", runs);
	(void)json_object_set_new(job, "tests", job_tests(db, id, err));
	selector = json_object_get(request, "boards"); /* what is for builders has none */
	(void)json_object_set(job, "selector", selector ? selector : json_null());
	return take_json(&job);
}

/* The jobs of all rows. */
static json_t *rows_json(struct db *db, sqlite3_stmt *s, struct err *err)
{
	SCOPED_JSON list = json_array();
	int rc;

	while ((rc = db_step(db, s, err)) == 1) {
		SCOPED_JSON request = NULL;
		json_t *job = job_json(db, s, &request, err);

		if (!job)
			return NULL;
		(void)json_array_append_new(list, job);
	}
	return rc < 0 ? NULL : take_json(&list);
}

json_t *job_list(struct db *db, const char *state, int64_t before, int64_t limit, struct err *err)
{
	sqlite3_stmt *s;

	if (state)
		s = db_query(db,
		             JOB_SELECT
		             "WHERE j.state = ?1 AND j.id < ?2 ORDER BY j.id DESC LIMIT ?3",
		             "sii", state, before, limit);
	else
		s = db_query(db, JOB_SELECT "WHERE j.id < ?1 ORDER BY j.id DESC LIMIT ?2", "ii",
		             before, limit);
	return rows_json(db, s, err);
}

json_t *jobs_of_revision(struct db *db, int64_t revision, int64_t limit, struct err *err)
{
	return rows_json(db,
	                 db_query(db,
	                          JOB_SELECT "WHERE j.id IN (SELECT r.job FROM build b JOIN run r"
	                                     " ON r.build = b.id WHERE b.revision_id = ?1)"
	                                     " ORDER BY j.id DESC LIMIT ?2",
	                          "ii", revision, limit),
	                 err);
}
