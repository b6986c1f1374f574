#include "server/daemon/store/results.h"

#include "common/err.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/store/columns.h"

#include <inttypes.h>
#include <string.h>

#define EVIDENCE_MAX 200 /* records shown with a result */

#define RESULT_COLUMNS                                                                             \
	"SELECT s.id, s.run, r.job, r.build, r.col, coalesce(a.board, r.board), r.cache, r.kind, " \
	"s.test, s.rep, s.cell, s.test_kind, s.verdict, s.reason, s.detail, s.trials, s.bad, "     \
	"s.masked, s.fault_class, s.duration_us, s.attempt, s.time, s.test_id FROM result s "      \
	"JOIN run r ON r.id = s.run "                                                              \
	"LEFT JOIN attempt a ON a.run = s.run AND a.attempt = s.attempt "

/* ?1 to ?5 of each list. */
#define FILTER                                                                                     \
	"WHERE s.attempt = r.attempt AND (?1 IS NULL OR s.test = ?1) AND (?2 IS NULL OR s.cell = " \
	"?2) AND (?3 IS NULL OR s.verdict = ?3) AND (?4 IS NULL OR r.cache = ?4) AND (?5 IS NULL " \
	"OR coalesce(a.board, r.board) = ?5) "
#define FILTER_FORMAT    "sssss"
#define FILTER_VALUES(f) (f)->test, (f)->cell, (f)->verdict, (f)->cache, (f)->board

static json_t *result_json(sqlite3_stmt *s)
{
	static const struct {
		const char *name;
		int column;
		enum { TEXT, INT, TIME, CELL } type;
	} members[] = {
		{"id", 0, INT},        {"run", 1, INT},          {"job", 2, INT},
		{"build", 3, INT},     {"column", 4, INT},       {"board", 5, TEXT},
		{"cache", 6, TEXT},    {"kind", 7, TEXT},        {"test", 8, TEXT},
		{"rep", 9, INT},       {"cell", 10, CELL},       {"test_kind", 11, TEXT},
		{"verdict", 12, TEXT}, {"reason", 13, TEXT},     {"detail", 14, TEXT},
		{"trials", 15, INT},   {"bad", 16, INT},         {"masked", 17, INT},
		{"class", 18, TEXT},   {"duration_us", 19, INT}, {"attempt", 20, INT},
		{"time", 21, TIME},
	};
	json_t *result = json_object();

	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
		int column = members[i].column;
		json_t *value;

		if (members[i].type == INT)
			value = json_integer((json_int_t)db_int(s, column));
		else if (members[i].type == TIME)
			value = column_time(s, column);
		else if (members[i].type == CELL && !*db_text(s, column))
			value = json_null();
		else
			value = column_text(s, column);
		(void)json_object_set_new_nocheck(result, members[i].name, value);
	}
	return result;
}

static json_t *result_rows(struct db *db, sqlite3_stmt *s, struct err *err)
{
	SCOPED_JSON list = json_array();
	int rc;

	while ((rc = db_step(db, s, err)) == 1)
		(void)json_array_append_new(list, result_json(s));
	return rc < 0 ? NULL : take_json(&list);
}

/* The id of the newest result, 0 when there is none, -1 with *err. */
static int64_t newest(struct db *db, struct err *err)
{
	sqlite3_stmt *s = db_query(db, "SELECT coalesce(max(id), 0) FROM result", "");

	return db_step(db, s, err) == 1 ? db_int(s, 0) : -1;
}

/* floor: no id below it is looked at. One statement a kind of filter, so that each has its index. */
static sqlite3_stmt *list_query(struct db *db, const struct result_filter *f, int64_t before,
                                int64_t limit, int64_t floor)
{
	if (f->run)
		return db_query(db,
		                RESULT_COLUMNS FILTER
		                "AND s.run = ?6 AND (?7 = 0 OR r.job = ?7) AND s.id < ?8 ORDER BY "
		                "s.id DESC LIMIT ?9",
		                FILTER_FORMAT "iiii", FILTER_VALUES(f), f->run, f->job, before,
		                limit);
	if (f->job)
		return db_query(db,
		                RESULT_COLUMNS FILTER
		                "AND r.job = ?6 AND s.id < ?7 ORDER BY s.id DESC LIMIT ?8",
		                FILTER_FORMAT "iii", FILTER_VALUES(f), f->job, before, limit);
	return db_query(db,
	                RESULT_COLUMNS FILTER
	                "AND s.id < ?6 AND s.id >= ?7 ORDER BY s.id DESC LIMIT ?8",
	                FILTER_FORMAT "iii", FILTER_VALUES(f), before, floor, limit);
}

json_t *result_list(struct db *db, const struct result_filter *f, int64_t before, int64_t limit,
                    int64_t *next, struct err *err)
{
	int64_t top = f->run || f->job ? 0 : newest(db, err), floor = 0;
	json_t *list;

	if (top < 0)
		return NULL;
	if (!f->run && !f->job) {
		before = before <= top ? before : top + 1;
		floor = before > RESULT_LOOK ? before - RESULT_LOOK : 0;
	}
	list = result_rows(db, list_query(db, f, before, limit + 1, floor), err);
	*next = floor > 1 ? floor : 0;
	if (json_array_size(list) > (size_t)limit) {
		(void)json_array_remove(list, (size_t)limit);
		*next = json_integer_value(
			json_object_get(json_array_get(list, (size_t)limit - 1), "id"));
	}
	return list;
}

/* --- walking --- */

void result_walk_release(struct result_walk *walk)
{
	free(walk->cell);
	walk->cell = NULL;
}

/* The run behind the walk's: 0 when there is none. -1 with *err. */
static int64_t next_run(struct db *db, const struct result_filter *f,
                        const struct result_walk *walk, struct err *err)
{
	sqlite3_stmt *s;
	int rc;

	if (f->run && f->run <= walk->run)
		return 0;
	if (f->run)
		s = db_query(db, "SELECT id FROM run WHERE id = ?1 AND (?2 = 0 OR job = ?2)", "ii",
		             f->run, f->job);
	else
		s = db_query(db,
		             "SELECT id FROM run WHERE job = ?1 AND id > ?2 ORDER BY id LIMIT 1",
		             "ii", f->job, walk->run);
	rc = db_step(db, s, err);
	return rc < 0 ? -1 : rc == 0 ? 0 : db_int(s, 0);
}

static void walk_to(struct result_walk *walk, int64_t run, int64_t test_id, const char *cell)
{
	char *old = walk->cell;

	walk->run = run;
	walk->test_id = test_id;
	walk->cell = xstrdup(cell);
	free(old);
}

/* Append results of the walk's run. -1 with *err. */
static int walk_run(struct db *db, const struct result_filter *f, struct result_walk *walk,
                    int64_t limit, json_t *list, struct err *err)
{
	sqlite3_stmt *s = db_query(db,
	                           RESULT_COLUMNS FILTER
	                           "AND s.run = ?6 AND (s.test_id, s.cell) > (?7, ?8) ORDER BY "
	                           "s.attempt, s.test_id, s.cell LIMIT ?9",
	                           FILTER_FORMAT "iisi", FILTER_VALUES(f), walk->run, walk->test_id,
	                           walk->cell ? walk->cell : "", limit);
	int rc;

	while ((rc = db_step(db, s, err)) == 1) {
		walk_to(walk, walk->run, db_int(s, 22), db_text(s, 10));
		(void)json_array_append_new(list, result_json(s));
	}
	return rc;
}

static json_t *walk_runs(struct db *db, const struct result_filter *f, struct result_walk *walk,
                         int64_t limit, struct err *err)
{
	SCOPED_JSON list = json_array();

	for (;;) {
		int64_t left = limit - (int64_t)json_array_size(list), run;

		if (walk->run && walk_run(db, f, walk, left, list, err) < 0)
			return NULL;
		if ((int64_t)json_array_size(list) >= limit)
			return take_json(&list);
		run = next_run(db, f, walk, err);
		if (run < 0)
			return NULL;
		if (run == 0)
			return take_json(&list);
		walk_to(walk, run, -1, "");
	}
}

/* The next of all results whose ids are in the next RESULT_LOOK. */
static json_t *walk_ids(struct db *db, const struct result_filter *f, struct result_walk *walk,
                        int64_t limit, struct err *err)
{
	int64_t top = newest(db, err), end = walk->id + RESULT_LOOK;
	json_t *list;
	size_t count;

	if (top < 0)
		return NULL;
	list = result_rows(db,
	                   db_query(db,
	                            RESULT_COLUMNS FILTER
	                            "AND s.id > ?6 AND s.id <= ?7 ORDER BY s.id LIMIT ?8",
	                            FILTER_FORMAT "iii", FILTER_VALUES(f), walk->id, end, limit),
	                   err);
	count = json_array_size(list);
	if (count == (size_t)limit)
		walk->id =
			json_integer_value(json_object_get(json_array_get(list, count - 1), "id"));
	else
		walk->id = end < top ? end : top;
	walk->ended = walk->id >= top;
	return list;
}

json_t *result_walk(struct db *db, const struct result_filter *f, struct result_walk *walk,
                    int64_t limit, struct err *err)
{
	json_t *list;

	if (!f->run && !f->job)
		return walk_ids(db, f, walk, limit, err);
	list = walk_runs(db, f, walk, limit, err);
	walk->ended = json_array_size(list) < (size_t)limit;
	return list;
}

/* --- one --- */

/* What was recorded for the result: for a cell, also what its test has no cell for, as kernel warnings. */
static json_t *evidence_of(struct db *db, int64_t run, int64_t attempt, int64_t test_id,
                           const char *cell, struct err *err)
{
	sqlite3_stmt *s =
		db_query(db,
	                 "SELECT record FROM evidence WHERE run = ?1 AND attempt = ?2 AND "
	                 "test_id = ?3 AND (?4 = '' OR cell IN (?4, '')) ORDER BY id "
	                 "LIMIT ?5",
	                 "iiisi", run, attempt, test_id, cell, (int64_t)EVIDENCE_MAX);
	SCOPED_JSON list = json_array();
	int rc;

	while ((rc = db_step(db, s, err)) == 1)
		(void)json_array_append_new(list, column_json(s, 0));
	return rc < 0 ? NULL : take_json(&list);
}

json_t *result_view(struct db *db, int64_t id, struct err *err)
{
	sqlite3_stmt *s = db_query(db, RESULT_COLUMNS "WHERE s.id = ?1", "i", id);
	int rc = db_step(db, s, err);
	SCOPED_JSON result = NULL;
	json_t *evidence;

	if (rc == 0)
		(void)err_set(err, ERR_NOTFOUND, "no such result: %" PRId64, id);
	if (rc < 1)
		return NULL;
	result = result_json(s);
	evidence = evidence_of(db, db_int(s, 1), db_int(s, 20), db_int(s, 22), db_text(s, 10), err);
	if (!evidence)
		return NULL;
	(void)json_object_set_new(result, "evidence", evidence);
	return take_json(&result);
}

int result_window(struct db *db, int64_t id, struct result_window *w, struct err *err)
{
	sqlite3_stmt *s = db_query(
		db,
		"SELECT s.run, s.attempt, coalesce((SELECT max(p.time) FROM result p WHERE p.run = s.run "
		"AND p.attempt = s.attempt AND p.test_id < s.test_id), a.started, s.time), "
		"(SELECT max(o.time) FROM result o WHERE o.run = s.run AND o.attempt = s.attempt AND "
		"o.test_id = s.test_id) FROM result s LEFT JOIN attempt a ON a.run = s.run AND "
		"a.attempt = s.attempt WHERE s.id = ?1",
		"i", id);
	int rc = db_step(db, s, err);

	if (rc == 0)
		return err_set(err, ERR_NOTFOUND, "no such result: %" PRId64, id);
	if (rc == 1)
		*w = (struct result_window){.run = db_int(s, 0),
		                            .attempt = db_int(s, 1),
		                            .from_us = db_int(s, 2),
		                            .to_us = db_int(s, 3)};
	return rc < 0 ? -1 : 0;
}
