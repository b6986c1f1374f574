#include "server/daemon/store/stats.h"

#include "common/verdict.h"
#include "server/daemon/store/boards.h"
#include "server/daemon/store/store.h"

#include <string.h>

_Static_assert(STATS_VERDICTS == VERDICT_COUNT, "a verdict was added");

/* Add the rows (word, count) of stmt to the counts of these words. */
static int count_rows(struct db *db, sqlite3_stmt *stmt, struct stats_count *counts, size_t size,
                      struct err *err)
{
	int rc;

	while ((rc = db_step(db, stmt, err)) == 1)
		for (size_t i = 0; i < size; i++)
			if (strcmp(counts[i].word, db_text(stmt, 0)) == 0)
				counts[i].count += db_int(stmt, 1);
	return rc;
}

int stats_gauges(struct db *db, struct stats_gauges *gauges, struct err *err)
{
	*gauges = (struct stats_gauges){
		.boards = {{"unknown", 0},
	                   {"idle", 0},
	                   {"busy", 0},
	                   {"unreachable", 0},
	                   {"disabled", 0}},
		.runs = {{"queued", 0},
	                 {"running", 0},
	                 {"done", 0},
	                 {"failed", 0},
	                 {"cancelled", 0}},
	};
	if (count_rows(db,
	               db_query(db,
	                        "SELECT " BOARD_STATE_SQL ", count(*) FROM board b"
	                        " LEFT JOIN lease l ON l.board = b.name GROUP BY 1",
	                        ""),
	               gauges->boards, STATS_BOARD_STATES, err) < 0)
		return -1;
	if (count_rows(db, db_query(db, "SELECT state, count(*) FROM run GROUP BY state", ""),
	               gauges->runs, STATS_RUN_STATES, err) < 0)
		return -1;
	gauges->queue = gauges->runs[0].count;
	return 0;
}

int stats_totals_update(struct db *db, struct stats_totals *totals, struct err *err)
{
	sqlite3_stmt *stmt = db_query(db, "SELECT coalesce(max(id), 0) FROM result", "");
	int64_t newest;

	for (int i = 0; i < STATS_VERDICTS; i++)
		totals->verdicts[i].word = verdict_name((enum verdict)i);
	if (db_step(db, stmt, err) < 1)
		return -1;
	newest = db_int(stmt, 0);
	if (newest <= totals->result_id)
		return 0;
	if (count_rows(db,
	               db_query(db,
	                        "SELECT verdict, count(*) FROM result"
	                        " WHERE id > ?1 AND id <= ?2 AND cell = '' GROUP BY verdict",
	                        "ii", totals->result_id, newest),
	               totals->verdicts, STATS_VERDICTS, err) < 0)
		return -1;
	totals->result_id = newest;
	return 0;
}
