#include "server/daemon/store/events.h"

#include "common/scoped.h"
#include "common/timeus.h"
#include "server/daemon/store/store.h"

#include <string.h>

static json_t *id_or_null(int64_t id)
{
	return id ? json_integer(id) : json_null();
}

/* The columns id, time, kind, job, run, board, data as one object. */
static json_t *event_json(sqlite3_stmt *stmt)
{
	const char *board = db_text_or_null(stmt, 5);
	json_t *data = json_loads(db_text(stmt, 6), 0, NULL);
	char when[32];
	json_t *event;

	time_format(db_int(stmt, 1), when);
	event = json_pack("{s:I, s:s, s:s, s:o, s:o}", "id", (json_int_t)db_int(stmt, 0), "time",
	                  when, "kind", db_text(stmt, 2), "job", id_or_null(db_int(stmt, 3)), "run",
	                  id_or_null(db_int(stmt, 4)));
	/* An event that is not of a board may still tell one: that of a run. */
	if (board || !json_object_get(data, "board"))
		(void)json_object_set_new(event, "board", board ? json_string(board) : json_null());
	(void)json_object_update_missing(event, data);
	json_decref(data);
	return event;
}

static sqlite3_stmt *events_query(struct db *db, int64_t job, int64_t run, int64_t after,
                                  int64_t limit)
{
	/* Three statements, so that each has its index: a filter with OR would scan. */
	if (run)
		return db_query(db,
		                "SELECT id, time, kind, job, run, board, data FROM event"
		                " WHERE run = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
		                "iii", run, after, limit);
	if (job)
		return db_query(db,
		                "SELECT id, time, kind, job, run, board, data FROM event"
		                " WHERE job = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
		                "iii", job, after, limit);
	return db_query(db,
	                "SELECT id, time, kind, job, run, board, data FROM event"
	                " WHERE id > ?1 ORDER BY id LIMIT ?2",
	                "ii", after, limit);
}

json_t *events_after(struct db *db, int64_t job, int64_t run, int64_t after, int64_t limit,
                     struct err *err)
{
	sqlite3_stmt *stmt = events_query(db, job, run, after, limit);
	SCOPED_JSON list = json_array();
	int rc;

	while ((rc = db_step(db, stmt, err)) == 1)
		(void)json_array_append_new(list, event_json(stmt));
	return rc < 0 ? NULL : take_json(&list);
}
