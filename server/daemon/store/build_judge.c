#include "server/daemon/store/build_judge.h"

#include "common/buildrole.h"
#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/sha256.h"
#include "common/utf8.h"
#include "common/xalloc.h"
#include "server/daemon/recipe/recipe.h"
#include "server/daemon/store/runs.h"
#include "server/daemon/store/store.h"

#include <inttypes.h>
#include <string.h>

#define TEXT_MAX  8192
#define FIELD_MAX 256

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* A copy of at most cap bytes, clean; NULL for what is no text. */
static char *cut(const char *text, size_t cap)
{
	size_t used;
	SCOPED_STR out = text ? xcalloc(1, cap + 1) : NULL;

	if (text)
		(void)utf8_clean(text, strlen(text), out, cap + 1, &used);
	return take_str(&out);
}

/* The record of that type in the attempt, or NULL. */
static json_t *record_of(struct db *db, int64_t run, int64_t attempt, const char *type,
                         struct err *err)
{
	sqlite3_stmt *s =
		db_query(db,
	                 "SELECT record FROM evidence WHERE run = ?1 AND attempt = ?2 AND "
	                 "json_extract(record, '$.type') = ?3 ORDER BY id LIMIT 1",
	                 "iis", run, attempt, type);

	return db_step(db, s, err) == 1 ? json_loads(db_text(s, 0), 0, NULL) : NULL;
}

static int failure_write(struct db *db, int64_t build, const json_t *failure, struct err *err)
{
	SCOPED_STR text = jx_text(failure);

	return db_exec(db, err, NULL, "UPDATE build SET failure = ?2 WHERE id = ?1", "is", build,
	               text);
}

/* Why the farm has no kernel. */
static int fail_farm(struct db *db, int64_t run, int64_t build, const char *step, const char *text,
                     struct err *err)
{
	SCOPED_STR clean = cut(text, TEXT_MAX);
	SCOPED_JSON failure =
		json_pack("{s:s?, s:s, s:n, s:n, s:n, s:b, s:I}", "step", step, "text", clean,
	                  "patch", "file", "line", "farm", 1, "run", (json_int_t)run);

	return failure_write(db, build, failure, err);
}

/* ---- Files ---- */

/* Of a kernel: what else a builder brings is no file of a build. */
static bool role_known(const char *role)
{
	enum build_role known = role ? build_role_parse(role) : ROLE_COUNT;

	return known != ROLE_COUNT && known != ROLE_MAILS;
}

static int file_add(struct db *db, int64_t build, const char *role, const char *sha256,
                    struct err *err)
{
	return db_exec(db, err, NULL,
	               "INSERT INTO build_file (build, role, sha256) VALUES (?1, ?2, ?3)"
	               " ON CONFLICT (build, role) DO UPDATE SET sha256 = excluded.sha256",
	               "iss", build, role, sha256);
}

/* What cohort-board fetched and the farm has taken in. */
static int files_made(struct db *db, int64_t run, int64_t attempt, int64_t build, bool *kernel,
                      struct err *err)
{
	sqlite3_stmt *s =
		db_query(db,
	                 "SELECT record FROM evidence WHERE run = ?1 AND attempt = ?2 AND "
	                 "json_extract(record, '$.type') = 'file' ORDER BY id",
	                 "ii", run, attempt);
	int rc;

	*kernel = false;
	while ((rc = db_step(db, s, err)) == 1) {
		SCOPED_JSON record = json_loads(db_text(s, 0), 0, NULL);
		const char *role = text_of(record, "role"), *sha256 = text_of(record, "sha256");

		if (!role_known(role) || !sha256)
			continue;
		if (file_add(db, build, role, sha256, err) < 0)
			return -1;
		*kernel |= strcmp(role, "kernel") == 0;
	}
	return rc;
}

/* What goes with every kernel of the flavour. */
static int files_given(struct db *db, int64_t build, const json_t *recipe, struct err *err)
{
	json_t *files = json_object_get(recipe, "files"), *sha256;
	const char *role;

	json_object_foreach(files, role, sha256)
	{
		if (file_add(db, build, role, json_string_value(sha256), err) < 0)
			return -1;
	}
	return 0;
}

/* ---- A step that failed ---- */

static int fail_step(struct db *db, int64_t run, int64_t attempt, int64_t build, const char *step,
                     const char *detail, struct err *err)
{
	SCOPED_JSON record = record_of(db, run, attempt, "failure", err);
	const char *said = text_of(record, "text");
	SCOPED_STR text = cut(said && *said ? said : detail, TEXT_MAX);
	SCOPED_STR named = cut(text_of(record, "step"), FIELD_MAX);
	SCOPED_STR file = cut(text_of(record, "file"), FIELD_MAX);
	json_t *patch = json_object_get(record, "patch"), *line = json_object_get(record, "line");
	SCOPED_JSON failure = json_pack("{s:s, s:s, s:O, s:s?, s:O, s:b, s:I}", "step",
	                                named ? named : step, "text", text ? text : "", "patch",
	                                json_is_integer(patch) ? patch : json_null(), "file", file,
	                                "line", json_is_integer(line) ? line : json_null(), "farm",
	                                0, "run", (json_int_t)run);

	return failure_write(db, build, failure, err);
}

/* The first step that is not good: 1 with what was made of it, 0: there is none, -1. */
static int judge_steps(struct db *db, int64_t run, int64_t attempt, int64_t build,
                       enum build_made *made, struct err *err)
{
	sqlite3_stmt *s =
		db_query(db,
	                 "SELECT test, verdict, reason, detail FROM result WHERE run = ?1 "
	                 "AND attempt = ?2 AND cell = '' AND verdict <> 'pass' ORDER BY "
	                 "test_id LIMIT 1",
	                 "ii", run, attempt);
	int rc = db_step(db, s, err);
	SCOPED_STR step = NULL;
	SCOPED_STR text = NULL;
	bool failed;

	if (rc < 1)
		return rc;
	step = xstrdup(db_text(s, 0));
	failed = strcmp(db_text(s, 1), "fail") == 0;
	text = xasprintf("%s: %s %s %s", db_text(s, 0), db_text(s, 1), db_text(s, 2),
	                 db_text(s, 3));
	*made = failed ? BUILD_MADE_FAILURE : BUILD_MADE_NOTHING;
	if (failed)
		rc = fail_step(db, run, attempt, build, step, text, err);
	else
		rc = fail_farm(db, run, build, step, text, err);
	return rc < 0 ? -1 : 1;
}

/* ---- A kernel ---- */

static bool plain(const char *text, size_t max)
{
	size_t len = text ? strlen(text) : 0;

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] <= 0x20 || (unsigned char)text[i] >= 0x7f)
			return false;
	return len > 0 && len <= max;
}

static bool hex(const char *text)
{
	size_t len = text ? strlen(text) : 0;

	return len >= 8 && len <= 128 && len % 2 == 0 && strspn(text, "0123456789abcdef") == len;
}

/* Does the kernel's release say which recipe it was made from? */
static bool release_fits(const char *release, const char *recipe_sha256)
{
	SCOPED_STR tail = xasprintf("-cohort-%.*s", RECIPE_DIGITS, recipe_sha256);
	size_t len = strlen(tail);

	return plain(release, 128) && strlen(release) > len &&
	       strcmp(release + strlen(release) - len, tail) == 0;
}

static int judge_record(struct db *db, int64_t build, const json_t *record,
                        const char *recipe_sha256, char **wrong, struct err *err)
{
	const char *release = text_of(record, "release"), *id = text_of(record, "build_id");
	const char *config = text_of(record, "config_sha256"), *folded = text_of(record, "folded");
	SCOPED_STR compiler = cut(text_of(record, "compiler"), FIELD_MAX);

	if (!record)
		*wrong = xstrdup("the builder said nothing of the kernel");
	else if (!release_fits(release, recipe_sha256))
		*wrong = xasprintf("the kernel's release '%.128s' does not end in -cohort-%.*s",
		                   release ? release : "", RECIPE_DIGITS, recipe_sha256);
	else if (!hex(id))
		*wrong = xstrdup("the kernel has no build-id");
	if (*wrong)
		return 0;
	return db_exec(db, err, NULL,
	               "UPDATE build SET release = ?2, build_id = ?3, config_sha256 = ?4, compiler "
	               "= ?5, folded = ?6, failure = NULL WHERE id = ?1",
	               "isssss", build, release, id, config && sha256_valid(config) ? config : NULL,
	               compiler, folded && strlen(folded) <= 32 ? folded : NULL);
}

static int judge_kernel(struct db *db, int64_t run, int64_t attempt, int64_t build, bool kernel,
                        enum build_made *made, struct err *err)
{
	SCOPED_JSON record = record_of(db, run, attempt, "build", err);
	sqlite3_stmt *s =
		db_query(db, "SELECT recipe, recipe_sha256 FROM build WHERE id = ?1", "i", build);
	SCOPED_JSON recipe = NULL;
	SCOPED_STR sha256 = NULL;
	SCOPED_STR wrong = NULL;

	if (db_step(db, s, err) < 1)
		return -1;
	recipe = json_loads(db_text(s, 0), 0, NULL);
	sha256 = xstrdup(db_text(s, 1));
	if (!kernel)
		wrong = xstrdup("the builder left no kernel behind");
	if (!wrong && judge_record(db, build, record, sha256, &wrong, err) < 0)
		return -1;
	if (wrong)
		return fail_farm(db, run, build, "collect", wrong, err);
	*made = BUILD_MADE_KERNEL;
	return files_given(db, build, recipe, err);
}

/* ---- The whole ---- */

static int judge_done(struct db *db, int64_t run, int64_t build, const struct run_state *state,
                      enum build_made *made, struct err *err)
{
	bool kernel;
	int rc;

	if (files_made(db, run, state->attempt, build, &kernel, err) < 0)
		return -1;
	rc = judge_steps(db, run, state->attempt, build, made, err);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	return judge_kernel(db, run, state->attempt, build, kernel, made, err);
}

/* The words of the run's fault. */
static int judge_fault(struct db *db, int64_t run, int64_t build, struct err *err)
{
	SCOPED_STR stage = NULL;
	SCOPED_STR words = NULL;

	if (store_run_fault(db, run, &stage, &words, err) < 0)
		return -1;
	return fail_farm(db, run, build, stage, words, err);
}

int build_judge(struct db *db, int64_t run, int64_t build, const struct run_state *state,
                enum build_made *made, struct err *err)
{
	*made = BUILD_MADE_NOTHING;
	if (state->phase == RUN_DONE)
		return judge_done(db, run, build, state, made, err);
	if (state->phase == RUN_CANCELLED)
		return fail_farm(db, run, build, NULL, "its build run was cancelled", err);
	return judge_fault(db, run, build, err);
}

char *build_fault(const char *failure)
{
	SCOPED_JSON doc = failure ? json_loads(failure, 0, NULL) : NULL;
	const char *text = text_of(doc, "text");
	SCOPED_STR detail = cut(text ? text : "", 4096);
	SCOPED_JSON fault = json_pack("{s:s, s:s?, s:s}", "code", "build-failed", "stage",
	                              text_of(doc, "step"), "detail", detail);

	return jx_text(fault);
}
