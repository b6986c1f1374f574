#include "server/daemon/store/farm_boards.h"

#include "common/jx.h"
#include "common/scoped.h"
#include "server/daemon/store/store.h"

int store_board_stamps(struct db *db, store_board_stamp_fn *fn, void *arg, struct err *err)
{
	/* In the order of its index, so that the wide rows are not touched. */
	sqlite3_stmt *stmt = db_query(db, "SELECT id, updated FROM board ORDER BY updated", "");
	int rc;

	while ((rc = db_step(db, stmt, err)) == 1)
		if (fn(arg, db_int(stmt, 0), db_int(stmt, 1)) < 0)
			break;
	return rc < 0 ? -1 : 0;
}

int store_board_read(struct db *db, int64_t id, store_board_fn *fn, void *arg, struct err *err)
{
	sqlite3_stmt *stmt = db_query(db,
	                              "SELECT updated, name, arch, origin, document, path,"
	                              " disabled_reason IS NOT NULL FROM board WHERE id = $1",
	                              "i", id);
	int rc = db_step(db, stmt, err);
	struct farm_board_row row = {.id = id};

	if (rc <= 0)
		return rc;
	row.updated = db_int(stmt, 0);
	row.name = db_text(stmt, 1);
	row.arch = db_text(stmt, 2);
	row.origin = db_text(stmt, 3);
	row.document = db_text(stmt, 4);
	row.path = db_text_or_null(stmt, 5);
	row.disabled = db_int(stmt, 6) != 0;
	return fn(arg, &row);
}

int store_board_seen(struct db *db, const struct board_seen *seen, int64_t now, struct err *err)
{
	SCOPED_STR facts = seen->facts ? jx_text(seen->facts) : NULL;
	int64_t changed;

	if (db_exec(db, err, &changed,
	            "UPDATE board SET state = $2, state_detail = $3"
	            " WHERE name = $1 AND (state <> $2 OR state_detail <> $3)",
	            "sss", seen->name, seen->state, seen->detail) < 0)
		return -1;
	if ((seen->seen || facts) &&
	    db_exec(db, err, NULL,
	            "UPDATE board SET last_seen = $2, facts = coalesce($3, facts) WHERE name = $1",
	            "sis", seen->name, now, facts) < 0)
		return -1;
	if (!changed)
		return 0;
	return db_event(db, now, "board", 0, 0, seen->name,
	                json_pack("{s:s, s:s}", "state", seen->state, "detail", seen->detail), err);
}
