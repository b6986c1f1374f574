#include "server/daemon/store/git_runs.h"

#include "common/err.h"
#include "common/gitname.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/sha256.h"
#include "common/utf8.h"
#include "common/xalloc.h"
#include "server/daemon/plan/plan.h"
#include "server/daemon/store/ranges.h"
#include "server/daemon/store/resolve.h"
#include "server/daemon/store/runs.h"
#include "server/daemon/store/store.h"

#include <string.h>

#define GIT_PRIORITY 100 /* it takes a second, and kernels wait for it */
#define TEXT_MAX     4096

int64_t git_build_row(struct db *db, int64_t now, struct err *err)
{
	sqlite3_stmt *s;

	if (db_exec(db, err, NULL,
	            "INSERT INTO build (name, arch, description, cmdline, created) VALUES ('" GIT_BUILD
	            "', '', '', '', ?1) ON CONFLICT (name) DO NOTHING",
	            "i", now) < 0)
		return -1;
	s = db_query(db, "SELECT id FROM build WHERE name = '" GIT_BUILD "'", "");
	return db_step(db, s, err) < 1 ? -1 : db_int(s, 0);
}

int64_t git_run_insert(struct db *db, const struct git_run_new *r, int64_t now, struct err *err)
{
	int64_t id;

	if (db_exec(db, err, NULL,
	            "INSERT INTO run (job, col, build, cache, kind, boards, plan, planned, "
	            "priority, state, max_attempts, expires, created, purpose) VALUES (?1, ?2, ?3, "
	            "'none', '" PLAN_BUILDER "', ?4, ?5, 1, ?6, 'queued', ?7, ?8, ?9, 'git')",
	            "iiissiiii", r->job, r->column, r->build, r->boards, r->text,
	            (int64_t)GIT_PRIORITY, r->max_attempts, now + r->ttl_us, now) < 0)
		return -1;
	id = db_last_id(db);
	return store_run_event(db, id, now, err) < 0 ? -1 : id;
}

/* ---- The answer ---- */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* A copy of at most TEXT_MAX bytes, clean. */
static char *cut(const char *text)
{
	char *out = xcalloc(1, TEXT_MAX + 1);
	size_t used;

	(void)utf8_clean(text, strlen(text), out, TEXT_MAX + 1, &used);
	return out;
}

static void answer_release(struct git_answer *a)
{
	json_decref(a->plan);
	free(a->commit);
	free(a->mails);
	free(a->step);
	free(a->text);
}

static void say_why(struct git_answer *a, const char *step, const char *text, bool farm)
{
	if (a->text)
		return;
	a->step = cut(step);
	a->text = cut(text);
	a->farm = farm;
}

/* What the step said, record by record. */
static void take_record(struct git_answer *a, const json_t *record)
{
	const char *type = text_of(record, "type"), *id = text_of(record, "id");

	if (strcmp(type, "commit") == 0 && git_id_valid(id) && !a->commit)
		a->commit = xstrdup(id);
	else if (strcmp(type, "file") == 0 && strcmp(text_of(record, "role"), "mails") == 0 &&
	         sha256_valid(text_of(record, "sha256")) && !a->mails)
		a->mails = xstrdup(text_of(record, "sha256"));
	else if (strcmp(type, "failure") == 0)
		say_why(a, text_of(record, "step"), text_of(record, "text"), false);
}

static int read_records(struct db *db, int64_t run, int64_t attempt, struct git_answer *a,
                        struct err *err)
{
	sqlite3_stmt *s = db_query(
		db, "SELECT record FROM evidence WHERE run = ?1 AND attempt = ?2 ORDER BY id", "ii",
		run, attempt);
	int rc;

	while ((rc = db_step(db, s, err)) == 1) {
		SCOPED_JSON record = json_loads(db_text(s, 0), 0, NULL);

		take_record(a, record);
	}
	return rc;
}

/* A run that is done: only a step that passed has an answer, and only one that failed blames the question. */
static int read_done(struct db *db, int64_t run, int64_t attempt, struct git_answer *a,
                     struct err *err)
{
	sqlite3_stmt *s = db_query(db,
	                           "SELECT test, verdict, coalesce(reason, ''), coalesce(detail, "
	                           "'') FROM result WHERE run = ?1 AND attempt = ?2 AND cell = ''",
	                           "ii", run, attempt);
	SCOPED_STR step = NULL;
	SCOPED_STR verdict = NULL;
	SCOPED_STR words = NULL;
	bool passed;

	if (db_step(db, s, err) < 1)
		return -1;
	step = xstrdup(db_text(s, 0));
	verdict = xstrdup(db_text(s, 1));
	words = xasprintf("%s: %s %s %s", step, verdict, db_text(s, 2), db_text(s, 3));
	passed = strcmp(verdict, "pass") == 0;
	if (read_records(db, run, attempt, a, err) < 0)
		return -1;
	if (passed && !a->commit && !a->mails)
		say_why(a, step, "the builder gave no answer", true);
	if (passed)
		return 0;
	free(a->commit);
	free(a->mails);
	a->commit = a->mails = NULL;
	if (strcmp(verdict, "fail") != 0) {
		free(a->step);
		free(a->text);
		a->step = a->text = NULL;
	}
	say_why(a, step, words, strcmp(verdict, "fail") != 0);
	return 0;
}

/* The words of the run's fault. */
static int read_fault(struct db *db, int64_t run, struct git_answer *a, struct err *err)
{
	SCOPED_STR stage = NULL;
	SCOPED_STR words = NULL;

	if (store_run_fault(db, run, &stage, &words, err) < 0)
		return -1;
	say_why(a, stage ? stage : "", words, true);
	return 0;
}

static int answer_read(struct db *db, int64_t run, const struct run_state *state,
                       struct git_answer *a, struct err *err)
{
	sqlite3_stmt *s = db_query(db, "SELECT plan FROM run WHERE id = ?1", "i", run);

	*a = (struct git_answer){0};
	if (db_step(db, s, err) < 1)
		return -1;
	a->plan = json_loads(db_text(s, 0), 0, NULL);
	if (state->phase == RUN_DONE)
		return read_done(db, run, state->attempt, a, err);
	if (state->phase == RUN_FAILED)
		return read_fault(db, run, a, err);
	say_why(a, "", "it was cancelled", true);
	return 0;
}

int git_run_follow(struct db *db, int64_t run, const struct run_state *state, int64_t now,
                   struct err *err)
{
	struct git_answer answer;
	int rc;

	if (!run_ended(state))
		return 0;
	rc = answer_read(db, run, state, &answer, err);
	if (rc == 0 && json_object_get(json_object_get(answer.plan, "question"), "range"))
		rc = range_settle(db, run, &answer, now, err);
	else if (rc == 0)
		rc = resolve_settle(db, run, &answer, now, err);
	answer_release(&answer);
	return rc;
}
