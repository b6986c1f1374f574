#include "server/daemon/store/missing.h"

#include "common/err.h"
#include "common/scoped.h"
#include "common/verdict.h"
#include "server/daemon/store/store.h"

#include <inttypes.h>

static const char *member(const json_t *object, const char *key, const char *otherwise)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : otherwise;
}

static int fill_one(struct db *db, int64_t run, int64_t attempt, int64_t now, const json_t *test,
                    const char *reason, struct err *err)
{
	return db_exec(
		db, err, NULL,
		"INSERT INTO result (run, attempt, test_id, test, rep, cell, test_kind, verdict,"
		" reason, time) VALUES ($1, $2, $3, $4, $5, '', $6, $7, $8, $9)"
		" ON CONFLICT (run, attempt, test_id, cell) DO NOTHING",
		"iiisisssi", run, attempt, (int64_t)json_integer_value(json_object_get(test, "id")),
		member(test, "name", "?"),
		(int64_t)json_integer_value(json_object_get(test, "rep")),
		member(test, "kind", "contract"), verdict_name(VERDICT_MISSING), reason, now);
}

int store_missing_fill(struct db *db, int64_t run, int64_t attempt, int64_t now, struct err *err)
{
	sqlite3_stmt *stmt = db_query(db, "SELECT plan, fault FROM run WHERE id = $1", "i", run);
	SCOPED_JSON plan = NULL;
	SCOPED_JSON fault = NULL;
	json_t *test;
	size_t i;

	if (db_step(db, stmt, err) < 1)
		return -1;
	plan = json_loads(db_text(stmt, 0), 0, NULL);
	fault = db_text_or_null(stmt, 1) ? json_loads(db_text(stmt, 1), 0, NULL) : NULL;
	if (!json_is_array(json_object_get(plan, "tests")))
		return err_set(err, ERR_IO, "run %" PRId64 ": its plan has no tests", run);
	json_array_foreach(json_object_get(plan, "tests"), i, test)
	{
		if (fill_one(db, run, attempt, now, test, member(fault, "code", NULL), err) < 0)
			return -1;
	}
	return 0;
}
