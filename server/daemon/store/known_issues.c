#include "server/daemon/store/known_issues.h"

#include "common/err.h"
#include "common/scoped.h"
#include "server/daemon/store/columns.h"

#include <inttypes.h>

#define ISSUE_COLUMNS                                                                              \
	"SELECT id, suite, test, cells, cache, board, why, link, created, expires, expires IS "    \
	"NULL OR expires > ?1 FROM known_issue "

static json_t *issue_json(sqlite3_stmt *s)
{
	return json_pack("{s:I, s:s, s:s, s:s, s:s, s:s?, s:s, s:s?, s:o, s:o, s:b}", "id",
	                 (json_int_t)db_int(s, 0), "suite", db_text(s, 1), "test", db_text(s, 2),
	                 "cells", db_text(s, 3), "cache", db_text(s, 4), "board",
	                 db_text_or_null(s, 5), "why", db_text(s, 6), "link", db_text_or_null(s, 7),
	                 "created", column_time(s, 8), "expires", column_time(s, 9), "active",
	                 (int)db_int(s, 10));
}

json_t *known_issue_list(struct db *db, const char *suite, bool active, int64_t now_us,
                         int64_t before, int64_t limit, struct err *err)
{
	sqlite3_stmt *s = db_query(
		db,
		ISSUE_COLUMNS "WHERE id < ?2 AND (?3 IS NULL OR suite = ?3) AND (?4 = 0 OR expires "
			      "IS NULL OR expires > ?1) ORDER BY id DESC LIMIT ?5",
		"iisii", now_us, before, suite, (int64_t)active, limit);
	SCOPED_JSON list = json_array();
	int rc;

	while ((rc = db_step(db, s, err)) == 1)
		(void)json_array_append_new(list, issue_json(s));
	return rc < 0 ? NULL : take_json(&list);
}

static int no_such(int64_t id, struct err *err)
{
	return err_set(err, ERR_NOTFOUND, "no such known issue: %" PRId64, id);
}

json_t *known_issue_get(struct db *db, int64_t id, int64_t now_us, struct err *err)
{
	sqlite3_stmt *s = db_query(db, ISSUE_COLUMNS "WHERE id = ?2", "ii", now_us, id);
	int rc = db_step(db, s, err);

	if (rc == 0)
		(void)no_such(id, err);
	return rc == 1 ? issue_json(s) : NULL;
}

int known_issue_add(struct db *db, const struct known_issue *i, int64_t now_us, int64_t *id,
                    struct err *err)
{
	if (db_exec(db, err, NULL,
	            "INSERT INTO known_issue (suite, test, cells, cache, board, why, link, "
	            "created, expires) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
	            "sssssssiI", i->suite, i->test, i->cells, i->cache, i->board, i->why, i->link,
	            now_us, i->expires_us ? &i->expires_us : NULL) < 0)
		return -1;
	*id = db_last_id(db);
	return 0;
}

int known_issue_change(struct db *db, int64_t id, const struct known_issue_change *c,
                       struct err *err)
{
	int64_t changed;

	if (db_exec(db, err, &changed,
	            "UPDATE known_issue SET why = coalesce(?2, why), link = coalesce(?3, link), "
	            "expires = CASE WHEN ?4 THEN ?5 ELSE expires END WHERE id = ?1",
	            "issiI", id, c->why, c->link, (int64_t)c->set_expires,
	            c->expires_us ? &c->expires_us : NULL) < 0)
		return -1;
	return changed ? 0 : no_such(id, err);
}

int known_issue_delete(struct db *db, int64_t id, struct err *err)
{
	int64_t changed;

	if (db_exec(db, err, &changed, "DELETE FROM known_issue WHERE id = ?1", "i", id) < 0)
		return -1;
	return changed ? 0 : no_such(id, err);
}

sqlite3_stmt *known_issues_query(struct db *db, const char *suite, int64_t now_us)
{
	return db_query(db,
	                "SELECT id, test, cells, cache, board, why, link FROM known_issue WHERE "
	                "suite = ?1 AND (expires IS NULL OR expires > ?2) ORDER BY id",
	                "si", suite, now_us);
}
