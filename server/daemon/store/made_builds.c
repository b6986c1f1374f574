#include "server/daemon/store/made_builds.h"

#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/plan/plan.h"
#include "server/daemon/recipe/kernels.h"
#include "server/daemon/store/build_judge.h"
#include "server/daemon/store/runs.h"
#include "server/daemon/store/store.h"

#include <inttypes.h>
#include <string.h>

#define SECOND_US INT64_C(1000000)

/* ---- Wanting one ---- */

static int state_read(sqlite3_stmt *s, int column, struct build_state *state, struct err *err)
{
	SCOPED_JSON failure = NULL;

	*state = (struct build_state){0};
	if (!build_phase_parse(db_text(s, column), &state->phase))
		return err_set(err, ERR_IO, "a build with the state '%s'", db_text(s, column));
	if (db_text_or_null(s, column + 1))
		failure = json_loads(db_text(s, column + 1), 0, NULL);
	state->farm = json_is_true(json_object_get(failure, "farm"));
	return 0;
}

int made_build_state(struct db *db, int64_t build, struct build_state *state, struct err *err)
{
	sqlite3_stmt *s =
		db_query(db, "SELECT state, failure FROM build WHERE id = ?1", "i", build);
	int rc = db_step(db, s, err);

	if (rc == 0)
		return err_set(err, ERR_NOTFOUND, "there is no build %" PRId64, build);
	return rc < 0 ? -1 : state_read(s, 0, state, err);
}

static int state_write(struct db *db, int64_t build, const struct build_state *state,
                       struct err *err)
{
	return db_exec(db, err, NULL,
	               "UPDATE build SET state = ?2, failure = CASE WHEN ?2 = 'failed' THEN "
	               "failure END WHERE id = ?1",
	               "is", build, build_phase_name(state->phase));
}

/* One whose recipe is not known yet has no hash of it. */
static int64_t build_insert(struct db *db, const struct plan_recipe *r, int64_t now,
                            struct err *err)
{
	const int64_t *revision = r->revision ? &r->revision : NULL;
	const char *sha256 = r->unresolved ? NULL : r->recipe.sha256;

	if (db_exec(db, err, NULL,
	            "INSERT INTO build (name, arch, description, cmdline, series, revision, created,"
	            " state, recipe, recipe_sha256, revision_id)"
	            " VALUES (?1, ?2, '', ?3, ?4, ?5, ?6, 'waiting', ?7, ?8, ?9)",
	            "sssssissI", r->name, r->flavour->arch, r->flavour->cmdline, r->series,
	            r->label, now, r->recipe.text, sha256, revision) < 0)
		return -1;
	return db_last_id(db);
}

int64_t made_build_find(struct db *db, const char *recipe_sha256, struct build_state *state,
                        struct err *err)
{
	sqlite3_stmt *s =
		db_query(db, "SELECT id, state, failure FROM build WHERE recipe_sha256 = ?1", "s",
	                 recipe_sha256);
	int rc = db_step(db, s, err);

	if (rc < 1)
		return rc;
	return state_read(s, 1, state, err) < 0 ? -1 : db_int(s, 0);
}

int64_t made_build_take(struct db *db, const char *recipe_sha256, struct build_state *state,
                        bool *make, struct err *err)
{
	int64_t id = made_build_find(db, recipe_sha256, state, err);

	*make = id > 0 && build_want(state);
	return *make && state_write(db, id, state, err) < 0 ? -1 : id;
}

int64_t made_build_want(struct db *db, const struct plan_recipe *recipe, int64_t now,
                        struct build_state *state, bool *make, struct err *err)
{
	int64_t id = made_build_take(db, recipe->recipe.sha256, state, make, err);

	if (id != 0)
		return id;
	*state = (struct build_state){.phase = BUILD_WAITING};
	*make = true;
	return build_insert(db, recipe, now, err);
}

int64_t made_build_unresolved(struct db *db, const struct plan_recipe *recipe, const char *name,
                              int64_t now, struct err *err)
{
	struct plan_recipe named = *recipe;
	SCOPED_STR own = xstrdup(name);

	named.name = own;
	return build_insert(db, &named, now, err);
}

int made_build_refuse(struct db *db, int64_t build, const char *failure, struct err *err)
{
	return db_exec(db, err, NULL,
	               "UPDATE build SET state = 'failed', failure = ?2 WHERE id = ?1", "is", build,
	               failure);
}

/* ---- Its run ---- */

int made_build_queue(struct db *db, const struct made_run *r, int64_t now, struct err *err)
{
	if (db_exec(db, err, NULL,
	            "INSERT INTO run (job, col, build, cache, kind, boards, plan, planned, "
	            "priority, state, max_attempts, expires, created, purpose) VALUES (?1, ?2, ?3, "
	            "'none', '" PLAN_BUILDER "', ?4, ?5, ?6, ?7, 'queued', ?8, ?9, ?10, 'build')",
	            "iiissiiiii", r->job, r->column, r->build, r->boards, r->text, r->planned,
	            r->priority, r->max_attempts, now + r->ttl_us, now) < 0)
		return -1;
	return store_run_event(db, db_last_id(db), now, err);
}

int made_build_run(struct db *db, const struct plan *plan, const struct plan_recipe *recipe,
                   int64_t build, int64_t job, int64_t now, struct err *err)
{
	SCOPED_STR boards = jx_text(plan->builders);
	const struct made_run run = {
		.job = job,
		.column = (int64_t)recipe->column,
		.build = build,
		.planned = (int64_t)plan->build_planned,
		.priority = plan->submission.priority,
		.max_attempts = plan->submission.max_attempts,
		.ttl_us = plan->submission.ttl_s * SECOND_US,
		.boards = boards,
		.text = plan->build_text,
	};

	return made_build_queue(db, &run, now, err);
}

/* A run like that one, which was cancelled, for a job that still waits. */
static int run_again(struct db *db, int64_t run, int64_t job, int64_t now, struct err *err)
{
	sqlite3_stmt *s = db_query(db,
	                           "SELECT col, build, boards, plan, planned, priority, "
	                           "max_attempts, expires - created FROM run WHERE id = ?1",
	                           "i", run);
	SCOPED_STR boards = NULL;
	SCOPED_STR text = NULL;
	struct made_run again;

	if (db_step(db, s, err) < 1)
		return -1;
	boards = xstrdup(db_text(s, 2));
	text = xstrdup(db_text(s, 3));
	again = (struct made_run){
		.job = job,
		.column = db_int(s, 0),
		.build = db_int(s, 1),
		.planned = db_int(s, 4),
		.priority = db_int(s, 5),
		.max_attempts = db_int(s, 6),
		.ttl_us = db_int(s, 7),
		.boards = boards,
		.text = text,
	};
	return made_build_queue(db, &again, now, err);
}

/* ---- Who waits ---- */

/* A job other than that one with a run that waits for the build: 0 when there is none, -1 with *err. */
static int64_t other_job(struct db *db, int64_t build, int64_t job, struct err *err)
{
	sqlite3_stmt *s = db_query(db,
	                           "SELECT job FROM run WHERE build = ?1 AND job <> ?2 AND state = "
	                           "'queued' AND stage = 'build' ORDER BY id LIMIT 1",
	                           "ii", build, job);
	int rc = db_step(db, s, err);

	return rc == 1 ? db_int(s, 0) : rc;
}

int made_build_adopt(struct db *db, int64_t run, bool *adopted, int64_t now, struct err *err)
{
	sqlite3_stmt *s = db_query(db, "SELECT build, job FROM run WHERE id = ?1", "i", run);
	int64_t other;

	if (db_step(db, s, err) < 1)
		return -1;
	other = other_job(db, db_int(s, 0), db_int(s, 1), err);
	*adopted = other > 0;
	if (other <= 0)
		return (int)other;
	if (db_exec(db, err, NULL, "UPDATE run SET job = ?2 WHERE id = ?1", "ii", run, other) < 0)
		return -1;
	return store_run_event(db, run, now, err);
}

/* Waiting runs that a build's end may set free: ids, read before anything changes. */
struct waiting {
	int64_t *ids; /* owned */
	size_t count, room;
};

static void waiting_add(struct waiting *w, int64_t id)
{
	if (w->count == w->room) {
		w->room = w->room ? w->room * 2 : 16;
		w->ids = xrealloc(w->ids, w->room * sizeof(*w->ids));
	}
	w->ids[w->count++] = id;
}

static int waiting_read(struct db *db, sqlite3_stmt *s, struct waiting *w, struct err *err)
{
	int rc;

	while ((rc = db_step(db, s, err)) == 1)
		waiting_add(w, db_int(s, 0));
	return rc;
}

/* Its own build's state decides, and behind the first round that of each build of the slot. */
static int waiting_decide(struct db *db, int64_t run, int64_t now, struct err *err)
{
	sqlite3_stmt *s = db_query(
		db,
		"SELECT b.state, b.failure, r.round, r.expires - r.created, NOT EXISTS (SELECT 1 FROM "
		"run o JOIN build ob ON ob.id = o.build WHERE o.job = r.job AND o.cache = r.cache AND "
		"o.kind = r.kind AND o.state = 'queued' AND o.stage = 'build' AND ob.state IN "
		"('waiting', 'building')) FROM run r JOIN build b ON b.id = r.build WHERE r.id = ?1 "
		"AND r.state = 'queued' AND r.stage = 'build'",
		"i", run);
	struct run_change change = {.event = {.now = now}};
	struct build_state state;
	SCOPED_STR fault = NULL;
	int64_t window;
	bool applied;
	int rc = db_step(db, s, err);

	if (rc < 1)
		return rc;
	if (state_read(s, 0, &state, err) < 0 || store_run_window(db, run, &window, err) < 0)
		return -1;
	change.event.expires = now + db_int(s, 3);
	if (change.event.expires > window)
		change.event.expires = window;
	if (state.phase == BUILD_FAILED) {
		change.event.kind = RUN_EV_UNBUILT;
		fault = build_fault(db_text_or_null(s, 1));
		change.fault = fault;
	} else if (build_lets_run(&state, db_int(s, 2), db_int(s, 4) != 0)) {
		change.event.kind = RUN_EV_BUILT;
	} else {
		return 0;
	}
	return store_run_apply(db, run, &change, &applied, NULL, err);
}

static int waiting_each(struct db *db, struct waiting *w, int64_t now, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < w->count && rc == 0; i++)
		rc = waiting_decide(db, w->ids[i], now, err);
	free(w->ids);
	return rc;
}

/* The build is settled: what waits for it, and in the same slots for it and others, goes on. */
static int waiting_settle(struct db *db, int64_t build, int64_t now, struct err *err)
{
	struct waiting w = {0};
	sqlite3_stmt *s = db_query(
		db,
		"SELECT DISTINCT r.id FROM run m JOIN run r ON r.job = m.job AND r.cache = m.cache AND "
		"r.kind = m.kind WHERE m.build = ?1 AND m.state = 'queued' AND m.stage = 'build' AND "
		"r.state = 'queued' AND r.stage = 'build' ORDER BY r.id",
		"i", build);

	if (waiting_read(db, s, &w, err) < 0) {
		free(w.ids);
		return -1;
	}
	return waiting_each(db, &w, now, err);
}

int made_build_fail_waiting(struct db *db, int64_t job, int64_t now, struct err *err)
{
	struct waiting w = {0};
	sqlite3_stmt *s = db_query(db,
	                           "SELECT r.id FROM run r JOIN build b ON b.id = r.build WHERE "
	                           "r.job = ?1 AND r.state = 'queued' AND r.stage = 'build' AND "
	                           "b.state = 'failed' ORDER BY r.id",
	                           "i", job);

	if (waiting_read(db, s, &w, err) < 0) {
		free(w.ids);
		return -1;
	}
	return waiting_each(db, &w, now, err);
}

/* ---- The build run's way ---- */

/* Tell each job that has to do with the build. */
static int build_event(struct db *db, int64_t build, int64_t run, int64_t now, struct err *err)
{
	struct waiting jobs = {0};
	sqlite3_stmt *s =
		db_query(db,
	                 "SELECT DISTINCT job FROM run WHERE build = ?1 AND (id = ?2 OR (state = "
	                 "'queued' AND stage = 'build')) ORDER BY job",
	                 "ii", build, run);
	int rc = waiting_read(db, s, &jobs, err);
	json_t *failure;

	s = db_query(db, "SELECT name, state, failure FROM build WHERE id = ?1", "i", build);
	if (rc == 0)
		rc = db_step(db, s, err) < 1 ? -1 : 0;
	if (rc == 0) {
		failure = db_text_or_null(s, 2) ? json_loads(db_text(s, 2), 0, NULL) : NULL;
		SCOPED_JSON data = json_pack("{s:I, s:s, s:s, s:o}", "build", (json_int_t)build,
		                             "name", db_text(s, 0), "build_state", db_text(s, 1),
		                             "failure", failure ? failure : json_null());

		for (size_t i = 0; i < jobs.count && rc == 0; i++)
			rc = db_event(db, now, "build", jobs.ids[i], run, NULL, json_copy(data),
			              err);
	}
	free(jobs.ids);
	return rc;
}

int made_build_tell(struct db *db, int64_t build, int64_t run, int64_t now, struct err *err)
{
	struct build_state state;

	if (build_event(db, build, run, now, err) < 0 ||
	    made_build_state(db, build, &state, err) < 0)
		return -1;
	return build_settled(&state) ? waiting_settle(db, build, now, err) : 0;
}

int made_build_follow(struct db *db, int64_t run, const struct run_state *state, int64_t now,
                      struct err *err)
{
	sqlite3_stmt *s = db_query(db,
	                           "SELECT b.id, r.job, b.state, b.failure FROM run r JOIN build b "
	                           "ON b.id = r.build WHERE r.id = ?1",
	                           "i", run);
	enum build_made made = BUILD_MADE_NOTHING;
	struct build_state build;
	int64_t id, job, other;

	if (db_step(db, s, err) < 1)
		return -1;
	id = db_int(s, 0);
	job = db_int(s, 1);
	if (state_read(s, 2, &build, err) < 0)
		return -1;
	other = other_job(db, id, job, err);
	if (other < 0 || (run_ended(state) && !build_settled(&build) &&
	                  build_judge(db, run, id, state, &made, err) < 0))
		return -1;
	if (!build_follow(&build, state->phase, made, other > 0))
		return 0;
	if (state_write(db, id, &build, err) < 0)
		return -1;
	if (state->phase == RUN_CANCELLED && build.phase == BUILD_WAITING &&
	    run_again(db, run, other, now, err) < 0)
		return -1;
	return made_build_tell(db, id, run, now, err);
}
