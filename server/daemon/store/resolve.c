#include "server/daemon/store/resolve.h"

#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/sha256.h"
#include "common/xalloc.h"
#include "server/daemon/plan/plan.h"
#include "server/daemon/store/git_runs.h"
#include "server/daemon/store/made_builds.h"
#include "server/daemon/store/store.h"

#include <inttypes.h>
#include <string.h>

#define SECOND_US INT64_C(1000000)

/* ---- Asking ---- */

int64_t resolve_want(struct resolving *r, size_t i, struct err *err)
{
	const struct plan_recipe *recipe = &r->plan->recipes[i];
	SCOPED_STR name = xasprintf("%s-%" PRId64 ".%zu", recipe->name, r->job, i);
	int64_t id = made_build_unresolved(r->db, recipe, name, r->now, err);

	if (id < 0)
		return -1;
	if (!r->builds)
		r->builds = json_array();
	(void)json_array_append_new(r->builds,
	                            json_pack("{s:I, s:I, s:s}", "build", (json_int_t)id, "column",
	                                      (json_int_t)recipe->column, "name", recipe->name));
	return id;
}

int resolve_ask(struct resolving *r, struct err *err)
{
	const struct plan *plan = r->plan;
	SCOPED_JSON doc = r->builds ? json_loads(plan->ask_text, 0, NULL) : NULL;
	SCOPED_JSON text = r->builds ? json_loads(plan->build_text, 0, NULL) : NULL;
	SCOPED_STR boards = NULL;
	SCOPED_STR asked = NULL;
	const json_t *first;
	struct git_run_new run = {.job = r->job,
	                          .max_attempts = plan->submission.max_attempts,
	                          .ttl_us = plan->submission.ttl_s * SECOND_US};

	if (!r->builds)
		return 0;
	first = json_array_get(r->builds, 0);
	run.build = json_integer_value(json_object_get(first, "build"));
	run.column = json_integer_value(json_object_get(first, "column"));
	/* What will make the kernels is known now, and asked for by nobody later. */
	(void)json_object_set_new(doc, "then",
	                          json_pack("{s:O, s:I, s:I, s:o}", "plan", text, "planned",
	                                    (json_int_t)plan->build_planned, "priority",
	                                    (json_int_t)plan->submission.priority, "builds",
	                                    r->builds));
	r->builds = NULL;
	boards = jx_text(plan->builders);
	asked = jx_text(doc);
	run.boards = boards;
	run.text = asked;
	return git_run_insert(r->db, &run, r->now, err) < 0 ? -1 : 0;
}

/* ---- The answer ---- */

struct settling {
	struct db *db;
	const struct git_answer *answer;
	const json_t *then; /* borrowed: of the run's plan */
	struct made_run
		run; /* of a build that is to be made; boards and text owned by the caller */
	int64_t now;
};

/* The recipe of the build at the commit that the answer names. The caller frees; NULL with *err. */
static char *recipe_at(struct settling *s, int64_t build, struct err *err)
{
	sqlite3_stmt *stmt =
		db_query(s->db,
	                 "SELECT recipe FROM build WHERE id = ?1 AND state = 'waiting' "
	                 "AND recipe_sha256 IS NULL",
	                 "i", build);
	SCOPED_JSON recipe = NULL;
	int rc = db_step(s->db, stmt, err);

	if (rc == 0)
		(void)err_set(err, ERR_NOTFOUND, "build %" PRId64 " waits for no recipe", build);
	if (rc < 1)
		return NULL;
	recipe = json_loads(db_text(stmt, 0), 0, NULL);
	(void)json_object_set_new(recipe, "commit", json_string(s->answer->commit));
	return json_dumps(recipe, JSON_COMPACT | JSON_SORT_KEYS);
}

/* The build is that of this recipe from now on. */
static int build_become(struct settling *s, int64_t build, const char *name, const char *recipe,
                        const char *sha256, struct err *err)
{
	SCOPED_STR full = xasprintf("%s-%.*s", name, RECIPE_DIGITS, sha256);

	return db_exec(s->db, err, NULL,
	               "UPDATE build SET recipe = ?2, recipe_sha256 = ?3, name = ?4 WHERE id = ?1",
	               "isss", build, recipe, sha256, full);
}

/* The job's runs of the build are of that one; nobody else's are. */
static int build_give_way(struct settling *s, int64_t build, int64_t to, struct err *err)
{
	if (db_exec(s->db, err, NULL, "UPDATE run SET build = ?2 WHERE build = ?1", "ii", build,
	            to) < 0 ||
	    db_exec(s->db, err, NULL, "UPDATE lane SET build = ?2 WHERE build = ?1", "ii", build,
	            to) < 0)
		return -1;
	return db_exec(s->db, err, NULL, "DELETE FROM build WHERE id = ?1", "i", build);
}

/* Returns the build that it is, or -1. */
static int64_t build_find(struct settling *s, const json_t *item, struct err *err)
{
	int64_t own = json_integer_value(json_object_get(item, "build")), there;
	SCOPED_STR recipe = recipe_at(s, own, err);
	struct build_state state;
	char sha256[SHA256_HEX];
	bool make;

	if (!recipe)
		return -1;
	sha256_hex(recipe, strlen(recipe), sha256);
	there = made_build_take(s->db, sha256, &state, &make, err);
	if (there < 0)
		return -1;
	if (there == 0 && build_become(s, own, json_string_value(json_object_get(item, "name")),
	                               recipe, sha256, err) < 0)
		return -1;
	if (there > 0 && build_give_way(s, own, there, err) < 0)
		return -1;
	s->run.build = there ? there : own;
	s->run.column = json_integer_value(json_object_get(item, "column"));
	if ((there == 0 || make) && made_build_queue(s->db, &s->run, s->now, err) < 0)
		return -1;
	return s->run.build;
}

static int64_t build_refuse(struct settling *s, const json_t *item, int64_t run, struct err *err)
{
	const struct git_answer *a = s->answer;
	int64_t build = json_integer_value(json_object_get(item, "build"));
	SCOPED_JSON failure =
		json_pack("{s:s, s:s, s:n, s:n, s:n, s:b, s:I}", "step",
	                  a->step && *a->step ? a->step : "resolve", "text",
	                  a->text ? a->text : "the builder named no commit", "patch", "file",
	                  "line", "farm", a->farm || !a->text, "run", (json_int_t)run);
	SCOPED_STR text = jx_text(failure);

	return made_build_refuse(s->db, build, text, err) < 0 ? -1 : build;
}

/* First all builds, then who waits for them: a later round waits for each of its slot. */
static int settle_each(struct settling *s, int64_t run, struct err *err)
{
	SCOPED_JSON known = json_array();
	json_t *item;
	size_t i;

	json_array_foreach(json_object_get(s->then, "builds"), i, item)
	{
		int64_t build = s->answer->commit ? build_find(s, item, err)
		                                  : build_refuse(s, item, run, err);

		if (build < 0)
			return -1;
		(void)json_array_append_new(known, json_integer(build));
	}
	json_array_foreach(known, i, item)
	{
		if (made_build_tell(s->db, json_integer_value(item), run, s->now, err) < 0)
			return -1;
	}
	return 0;
}

static int note_commit(struct settling *s, struct err *err)
{
	return db_exec(s->db, err, NULL,
	               "UPDATE job SET study = json_set(study, '$.base.id', ?2) WHERE id = ?1 AND "
	               "study IS NOT NULL",
	               "is", s->run.job, s->answer->commit);
}

int resolve_settle(struct db *db, int64_t run, const struct git_answer *answer, int64_t now,
                   struct err *err)
{
	struct settling s = {.db = db,
	                     .answer = answer,
	                     .then = json_object_get(answer->plan, "then"),
	                     .now = now};
	sqlite3_stmt *stmt =
		db_query(db,
	                 "SELECT job, boards, max_attempts, expires - created FROM run "
	                 "WHERE id = ?1",
	                 "i", run);
	SCOPED_STR boards = NULL;
	SCOPED_STR text = NULL;

	if (db_step(db, stmt, err) < 1)
		return -1;
	boards = xstrdup(db_text(stmt, 1));
	text = jx_text(json_object_get(s.then, "plan"));
	s.run = (struct made_run){
		.job = db_int(stmt, 0),
		.planned = json_integer_value(json_object_get(s.then, "planned")),
		.priority = json_integer_value(json_object_get(s.then, "priority")),
		.max_attempts = db_int(stmt, 2),
		.ttl_us = db_int(stmt, 3),
		.boards = boards,
		.text = text,
	};
	if (settle_each(&s, run, err) < 0)
		return -1;
	return answer->commit ? note_commit(&s, err) : 0;
}
