#include "server/daemon/store/meta.h"

#include "common/err.h"
#include "server/daemon/store/store.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

static int meta_set(struct db *db, const char *key, const char *value, struct err *err)
{
	return db_exec(db, err, NULL,
	               "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE"
	               " SET value = excluded.value",
	               "ss", key, value);
}

static sqlite3_stmt *meta_query(struct db *db, const char *key)
{
	return db_query(db, "SELECT value FROM meta WHERE key = ?1", "s", key);
}

int meta_int(struct db *db, const char *key, int64_t *value, struct err *err)
{
	sqlite3_stmt *s = meta_query(db, key);
	int rc = db_step(db, s, err);

	if (rc == 1)
		*value = strtoll(db_text(s, 0), NULL, 10);
	return rc < 0 ? -1 : 0;
}

int meta_int_set(struct db *db, const char *key, int64_t value, struct err *err)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRId64, value);
	return meta_set(db, key, text, err);
}

int meta_random(struct db *db, const char *key, char out[17], struct err *err)
{
	sqlite3_stmt *s = meta_query(db, key);
	int rc = db_step(db, s, err);
	unsigned char bytes[8];

	if (rc == 1)
		(void)snprintf(out, 17, "%s", db_text(s, 0));
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	randombytes_buf(bytes, sizeof(bytes));
	(void)sodium_bin2hex(out, 17, bytes, sizeof(bytes));
	return meta_set(db, key, out, err);
}
