#include "server/daemon/store/leases.h"

#include "common/err.h"
#include "server/daemon/store/attempts.h"
#include "server/daemon/store/runs.h"
#include "server/daemon/store/store.h"

#include <jansson.h>

/* The board's next fence, or 0 when it cannot be had, or -1. */
static int64_t next_fence(struct db *db, const char *board, struct err *err)
{
	sqlite3_stmt *stmt =
		db_query(db,
	                 "SELECT b.fence + 1 FROM board b WHERE b.name = $1 AND b.state = 'idle'"
	                 " AND b.disabled_reason IS NULL"
	                 " AND NOT EXISTS (SELECT 1 FROM lease l WHERE l.board = b.name)",
	                 "s", board);
	int rc = db_step(db, stmt, err);

	return rc == 1 ? db_int(stmt, 0) : rc;
}

static int rows_make(struct db *db, int64_t run, int64_t attempt, const char *board, int64_t fence,
                     int64_t now, struct err *err)
{
	if (db_exec(db, err, NULL,
	            "UPDATE board SET fence = $2, state = 'busy', state_detail = ''"
	            " WHERE name = $1",
	            "si", board, fence) < 0 ||
	    db_exec(db, err, NULL,
	            "INSERT INTO lease (board, fence, run, attempt, since)"
	            " VALUES ($1, $2, $3, $4, $5)",
	            "siiii", board, fence, run, attempt, now) < 0 ||
	    db_exec(db, err, NULL,
	            "INSERT INTO attempt (run, attempt, board, fence, state, started)"
	            " VALUES ($1, $2, $3, $4, 'leased', $5)",
	            "iisii", run, attempt, board, fence, now) < 0)
		return -1;
	return db_event(db, now, "board", 0, run, board,
	                json_pack("{s:s, s:s}", "state", "busy", "detail", ""), err);
}

int store_lease_give(struct db *db, int64_t run, const char *board, int64_t now,
                     enum lease_answer *answer, struct attempt_ref *ref, struct err *err)
{
	struct run_change change = {.event = {.kind = RUN_EV_LEASE, .now = now}, .board = board};
	struct run_state state;
	bool applied;

	*answer = LEASE_NO_BOARD;
	change.event.fence = next_fence(db, board, err);
	if (change.event.fence <= 0)
		return change.event.fence < 0 ? -1 : 0;
	*answer = LEASE_NO_RUN;
	if (store_run_apply(db, run, &change, &applied, &state, err) < 0)
		return -1;
	if (!applied)
		return 0;
	*answer = LEASE_GIVEN;
	if (rows_make(db, run, state.attempt, board, change.event.fence, now, err) < 0)
		return -1;
	return store_attempt_ref(db, run, state.attempt, ref, err);
}

int store_leases(struct db *db, store_lease_fn *fn, void *arg, struct err *err)
{
	sqlite3_stmt *stmt =
		db_query(db, "SELECT board, fence, run, attempt, since FROM lease", "");
	int rc;

	while ((rc = db_step(db, stmt, err)) == 1) {
		const struct lease lease = {.board = db_text(stmt, 0),
		                            .fence = db_int(stmt, 1),
		                            .run = db_int(stmt, 2),
		                            .attempt = db_int(stmt, 3),
		                            .since = db_int(stmt, 4)};

		if (fn(arg, &lease) < 0)
			break;
	}
	return rc < 0 ? -1 : 0;
}
