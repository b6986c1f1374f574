#include "server/daemon/store/schema.h"

#include "common/err.h"
#include "server/daemon/store/db.h"

#include <stdio.h>

extern const char store_schema[]; /* schema.sql */

/* migrations[i] brings a store from version i to i + 1. A new one (0) takes schema.sql as it is today. */
static const char *const migrations[] = {NULL};

#define SCHEMA_VERSION ((int64_t)(sizeof(migrations) / sizeof(migrations[0])))

static int schema_version(struct db *db, int64_t *version, struct err *err)
{
	sqlite3_stmt *stmt = db_query(db, "PRAGMA user_version", "");

	if (db_step(db, stmt, err) < 1)
		return -1;
	*version = db_int(stmt, 0);
	db_reset(db);
	return 0;
}

static int schema_steps(struct db *db, int64_t version, struct err *err)
{
	char set[64];

	(void)snprintf(set, sizeof(set), "PRAGMA user_version = %d", (int)SCHEMA_VERSION);
	if (version == 0 && db_script(db, store_schema, err) < 0)
		return -1;
	for (int64_t i = version; version > 0 && i < SCHEMA_VERSION; i++)
		if (db_script(db, migrations[i], err) < 0)
			return err_context(err, "migration to version %d", (int)i + 1);
	return db_script(db, set, err);
}

int schema_update(struct db *db, struct err *err)
{
	int64_t version;

	if (db_script(db, "BEGIN IMMEDIATE", err) < 0 || schema_version(db, &version, err) < 0)
		return -1;
	if (version > SCHEMA_VERSION)
		return err_set(err, ERR_CONFLICT,
		               "the store has schema version %d, this cohortd knows up to %d",
		               (int)version, (int)SCHEMA_VERSION);
	if (version < SCHEMA_VERSION && schema_steps(db, version, err) < 0)
		return -1;
	return db_script(db, "COMMIT", err);
}
