#include "server/daemon/store/files.h"

#include "common/err.h"
#include "server/daemon/store/store.h"

#include <stddef.h>

int64_t file_size(struct db *db, const char *sha256, struct err *err)
{
	sqlite3_stmt *stmt = db_query(db, "SELECT size FROM file WHERE sha256 = ?1", "s", sha256);
	int rc = db_step(db, stmt, err);

	if (rc == 1)
		return db_int(stmt, 0);
	if (rc == 0)
		(void)err_set(err, ERR_NOTFOUND, "no such file: %s", sha256);
	return -1;
}

int file_put(struct db *db, const char *sha256, int64_t size, int64_t now_us, struct err *err)
{
	return db_exec(db, err, NULL,
	               "INSERT INTO file (sha256, size, created) VALUES (?1, ?2, ?3)"
	               " ON CONFLICT (sha256) DO NOTHING",
	               "sii", sha256, size, now_us);
}
