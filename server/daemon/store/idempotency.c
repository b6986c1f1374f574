#include "server/daemon/store/idempotency.h"

#include "common/xalloc.h"
#include "server/daemon/store/store.h"

#include <string.h>

enum idempotency_found idempotency_find(struct db *db, const char *key, const char *request_sha256,
                                        int64_t now_us, int *status, char **body, struct err *err)
{
	sqlite3_stmt *stmt = db_query(db,
	                              "SELECT request_sha256, status, body FROM idempotency"
	                              " WHERE key = ?1 AND created > ?2",
	                              "si", key, now_us - IDEMPOTENCY_US);
	int rc = db_step(db, stmt, err);

	if (rc <= 0)
		return rc < 0 ? IDEMPOTENCY_ERROR : IDEMPOTENCY_NEW;
	if (strcmp(db_text(stmt, 0), request_sha256) != 0)
		return IDEMPOTENCY_OTHER;
	*status = (int)db_int(stmt, 1);
	*body = xstrdup(db_text(stmt, 2));
	return IDEMPOTENCY_SAME;
}

int idempotency_put(struct db *db, const char *key, const char *request_sha256, int status,
                    const char *body, int64_t now_us, struct err *err)
{
	return db_exec(db, err, NULL,
	               "INSERT INTO idempotency (key, request_sha256, status, body, created)"
	               " VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (key) DO UPDATE SET"
	               " request_sha256 = excluded.request_sha256, status = excluded.status,"
	               " body = excluded.body, created = excluded.created",
	               "ssisi", key, request_sha256, (int64_t)status, body, now_us);
}

int idempotency_purge(struct db *db, int64_t now_us, struct err *err)
{
	return db_exec(db, err, NULL, "DELETE FROM idempotency WHERE created <= ?1", "i",
	               now_us - IDEMPOTENCY_US);
}
