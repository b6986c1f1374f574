#include "server/daemon/store/ranges.h"

#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/plan/plan.h"
#include "server/daemon/store/columns.h"
#include "server/daemon/store/git_runs.h"
#include "server/daemon/store/store.h"

#include <inttypes.h>

#define SECOND_US INT64_C(1000000)

/* ---- Asking ---- */

/* The open one that was asked in the same words: 0 when there is none, -1 with *err. */
static int64_t open_find(struct db *db, const struct range_new *ask, struct err *err)
{
	const int64_t *version = ask->version ? &ask->version : NULL;
	sqlite3_stmt *s = db_query(
		db,
		"SELECT id FROM git_range WHERE state IN ('waiting', 'reading') AND tree = "
		"?1 AND span = ?2 AND series IS ?3 AND version IS ?4",
		"sssI", ask->plan->tree, ask->span, ask->series, version);
	int rc = db_step(db, s, err);

	return rc == 1 ? db_int(s, 0) : rc;
}

/* A job of its own, so that it is seen and can be cancelled as any other. */
static int64_t job_insert_git(struct db *db, const struct range_new *ask, int64_t now,
                              struct err *err)
{
	SCOPED_STR name = xasprintf("%s %s", ask->plan->tree, ask->span);
	SCOPED_JSON labels = json_pack("[s]", ask->span);
	SCOPED_STR text = jx_text(labels);
	int64_t job;

	if (db_exec(db, err, NULL,
	            "INSERT INTO job (name, request, suite, labels, priority, state, created) "
	            "VALUES (?1, ?2, '" PLAN_GIT_SUITE "', ?3, 0, 'queued', ?4)",
	            "sssi", name, ask->request, text, now) < 0)
		return -1;
	job = db_last_id(db);
	if (db_event(db, now, "job", job, 0, NULL,
	             json_pack("{s:s, s:i, s:i}", "state", "queued", "planned", 1, "arrived", 0),
	             err) < 0)
		return -1;
	return job;
}

static int64_t run_insert(struct db *db, const struct range_new *ask, int64_t now, struct err *err)
{
	SCOPED_STR boards = jx_text(ask->plan->builders);
	struct git_run_new run = {.build = git_build_row(db, now, err),
	                          .max_attempts = ask->plan->submission.max_attempts,
	                          .ttl_us = ask->plan->submission.ttl_s * SECOND_US,
	                          .boards = boards,
	                          .text = ask->plan->ask_text};

	run.job = run.build < 0 ? -1 : job_insert_git(db, ask, now, err);
	return run.job < 0 ? -1 : git_run_insert(db, &run, now, err);
}

int64_t range_ask(struct db *db, const struct range_new *ask, int64_t now, bool *fresh,
                  struct err *err)
{
	const int64_t *version = ask->version ? &ask->version : NULL;
	int64_t id = open_find(db, ask, err), run;

	*fresh = id == 0;
	if (id != 0)
		return id;
	run = run_insert(db, ask, now, err);
	if (run < 0 ||
	    db_exec(db, err, NULL,
	            "INSERT INTO git_range (tree, span, series, version, state, run, created, "
	            "updated) VALUES (?1, ?2, ?3, ?4, 'waiting', ?5, ?6, ?6)",
	            "sssIii", ask->plan->tree, ask->span, ask->series, version, run, now) < 0)
		return -1;
	return db_last_id(db);
}

/* ---- Showing ---- */

#define RANGE_SELECT                                                                                \
	"SELECT g.id, g.tree, g.span, coalesce(s.name, g.series), coalesce(v.version, "             \
	"g.version), g.state, g.detail, g.run, r.job, v.id, g.created, g.updated FROM git_range g " \
	"JOIN run r ON r.id = g.run LEFT JOIN revision v ON v.id = g.revision LEFT JOIN series s "  \
	"ON s.id = v.series "

static json_t *range_json(sqlite3_stmt *s)
{
	json_t *url = json_null();

	if (db_text_or_null(s, 9))
		url = json_sprintf("/api/v1/series/%s/revisions/%" PRId64, db_text(s, 3),
		                   db_int(s, 4));
	return json_pack("{s:I, s:s, s:s, s:o, s:o, s:s, s:s, s:I, s:I, s:o, s:o, s:o}", "id",
	                 (json_int_t)db_int(s, 0), "tree", db_text(s, 1), "range", db_text(s, 2),
	                 "series", column_text(s, 3), "version", column_id(s, 4), "state",
	                 db_text(s, 5), "detail", db_text(s, 6), "run", (json_int_t)db_int(s, 7),
	                 "job", (json_int_t)db_int(s, 8), "revision", url, "created",
	                 column_time(s, 10), "updated", column_time(s, 11));
}

json_t *range_get(struct db *db, int64_t id, struct err *err)
{
	sqlite3_stmt *s = db_query(db, RANGE_SELECT "WHERE g.id = ?1", "i", id);
	int rc = db_step(db, s, err);

	if (rc == 0)
		(void)err_set(err, ERR_NOTFOUND, "no such range: %" PRId64, id);
	return rc == 1 ? range_json(s) : NULL;
}

json_t *range_list(struct db *db, int64_t before, int64_t limit, struct err *err)
{
	sqlite3_stmt *s = db_query(db, RANGE_SELECT "WHERE g.id < ?1 ORDER BY g.id DESC LIMIT ?2",
	                           "ii", before, limit);
	SCOPED_JSON list = json_array();
	int rc;

	while ((rc = db_step(db, s, err)) == 1)
		(void)json_array_append_new(list, range_json(s));
	return rc < 0 ? NULL : take_json(&list);
}

/* ---- Its way ---- */

static int tell(struct db *db, int64_t id, int64_t now, struct err *err)
{
	SCOPED_JSON range = range_get(db, id, err);

	if (!range)
		return -1;
	return db_event(
		db, now, "range", json_integer_value(json_object_get(range, "job")), 0, NULL,
		json_pack("{s:O, s:O, s:O, s:O, s:O, s:O, s:O}", "range",
	                  json_object_get(range, "id"), "tree", json_object_get(range, "tree"),
	                  "commits", json_object_get(range, "range"), "range_state",
	                  json_object_get(range, "state"), "detail",
	                  json_object_get(range, "detail"), "series",
	                  json_object_get(range, "series"), "version",
	                  json_object_get(range, "version")),
		err);
}

int range_settle(struct db *db, int64_t run, const struct git_answer *answer, int64_t now,
                 struct err *err)
{
	const char *why = answer->text ? answer->text : "the builder brought no mails";
	sqlite3_stmt *s = db_query(
		db, "SELECT id FROM git_range WHERE run = ?1 AND state = 'waiting'", "i", run);
	int rc = db_step(db, s, err);
	int64_t id;

	if (rc < 1)
		return rc;
	id = db_int(s, 0);
	if (db_exec(db, err, NULL,
	            "UPDATE git_range SET state = CASE WHEN ?2 IS NULL THEN 'failed' ELSE "
	            "'reading' END, mails = ?2, detail = ?3, updated = ?4 WHERE id = ?1",
	            "issi", id, answer->mails, answer->mails ? "" : why, now) < 0)
		return -1;
	return tell(db, id, now, err);
}

/* The second condition is that of the index. */
int range_next(struct db *db, struct range_row *row, struct err *err)
{
	sqlite3_stmt *s = db_query(db,
	                           "SELECT id, coalesce(version, 0), mails, series FROM git_range "
	                           "WHERE state = 'reading' AND state IN ('waiting', 'reading') "
	                           "ORDER BY id LIMIT 1",
	                           "");
	int rc = db_step(db, s, err);

	if (rc < 1)
		return rc;
	*row = (struct range_row){.id = db_int(s, 0),
	                          .version = db_int(s, 1),
	                          .mails = xstrdup(db_text(s, 2)),
	                          .series = db_text_or_null(s, 3) ? xstrdup(db_text(s, 3)) : NULL};
	return 1;
}

void range_row_release(struct range_row *row)
{
	free(row->mails);
	free(row->series);
	*row = (struct range_row){0};
}

int range_end(struct db *db, int64_t id, int64_t revision, const char *detail, int64_t now,
              struct err *err)
{
	const int64_t *of = revision ? &revision : NULL;

	if (db_exec(db, err, NULL,
	            "UPDATE git_range SET state = CASE WHEN ?2 IS NULL THEN 'failed' ELSE 'done' "
	            "END, revision = ?2, detail = ?3, updated = ?4 WHERE id = ?1",
	            "iIsi", id, of, detail, now) < 0)
		return -1;
	return tell(db, id, now, err);
}
