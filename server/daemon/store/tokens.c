#include "server/daemon/store/tokens.h"

#include "common/scoped.h"
#include "server/daemon/store/store.h"

int token_set(struct db *db, const char *name, const char *sha256, int64_t now_us, struct err *err)
{
	if (db_exec(db, err, NULL, "DELETE FROM token WHERE name = ?1 AND sha256 <> ?2", "ss", name,
	            sha256) < 0)
		return -1;
	return db_exec(db, err, NULL,
	               "INSERT INTO token (sha256, name, created) VALUES (?1, ?2, ?3)"
	               " ON CONFLICT (sha256) DO NOTHING",
	               "ssi", sha256, name, now_us);
}

json_t *token_hashes(struct db *db, struct err *err)
{
	sqlite3_stmt *stmt = db_query(db, "SELECT sha256 FROM token ORDER BY created", "");
	SCOPED_JSON list = json_array();
	int rc;

	while ((rc = db_step(db, stmt, err)) == 1)
		(void)json_array_append_new(list, json_string(db_text(stmt, 0)));
	return rc < 0 ? NULL : take_json(&list);
}
