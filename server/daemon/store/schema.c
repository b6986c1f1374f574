#include "server/daemon/store/schema.h"

#include "common/err.h"
#include "server/daemon/store/db.h"

#include <stdio.h>

extern const char store_schema[]; /* schema.sql */

/* migrations[i] brings a store from version i to i + 1. A new one (0) takes schema.sql as it is today. */
static const char *const migrations[] = {
	NULL,
	/* Series, and the builds and studies that are made of them. */
	"ALTER TABLE build ADD COLUMN state TEXT NOT NULL DEFAULT 'complete';"
	"ALTER TABLE build ADD COLUMN recipe TEXT;"
	"ALTER TABLE build ADD COLUMN recipe_sha256 TEXT;"
	"ALTER TABLE build ADD COLUMN revision_id INTEGER REFERENCES revision (id);"
	"ALTER TABLE build ADD COLUMN failure TEXT;"
	"CREATE UNIQUE INDEX build_recipe ON build (recipe_sha256)"
	" WHERE recipe_sha256 IS NOT NULL;"
	"CREATE INDEX build_revision ON build (revision_id) WHERE revision_id IS NOT NULL;"
	"CREATE TABLE series (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
	" key TEXT NOT NULL UNIQUE, title TEXT NOT NULL, author TEXT NOT NULL, change_id TEXT,"
	" created INTEGER NOT NULL) STRICT;"
	"CREATE TABLE revision (id INTEGER PRIMARY KEY,"
	" series INTEGER NOT NULL REFERENCES series (id), version INTEGER NOT NULL,"
	" label TEXT NOT NULL, title TEXT NOT NULL, author TEXT NOT NULL, message_id TEXT,"
	" base_commit TEXT, cover TEXT NOT NULL DEFAULT '', patchset_hash TEXT NOT NULL,"
	" date INTEGER, created INTEGER NOT NULL, UNIQUE (series, version)) STRICT;"
	"CREATE INDEX revision_message ON revision (message_id) WHERE message_id IS NOT NULL;"
	"CREATE TABLE patch (revision INTEGER NOT NULL REFERENCES revision (id),"
	" n INTEGER NOT NULL, subject TEXT NOT NULL, author TEXT NOT NULL, message_id TEXT,"
	" sha256 TEXT NOT NULL REFERENCES file (sha256), diff_sha256 TEXT NOT NULL,"
	" PRIMARY KEY (revision, n)) STRICT;"
	"CREATE INDEX patch_message ON patch (message_id) WHERE message_id IS NOT NULL;"
	"CREATE TABLE fetch (id INTEGER PRIMARY KEY, name TEXT NOT NULL, request TEXT NOT NULL,"
	" state TEXT NOT NULL, detail TEXT NOT NULL DEFAULT '',"
	" build INTEGER REFERENCES build (id), created INTEGER NOT NULL,"
	" updated INTEGER NOT NULL) STRICT;"
	"CREATE INDEX fetch_open ON fetch (id) WHERE state = 'fetching';"
	"ALTER TABLE job ADD COLUMN columns TEXT NOT NULL DEFAULT '[]';"
	"ALTER TABLE job ADD COLUMN series INTEGER REFERENCES series (id);"
	"ALTER TABLE job ADD COLUMN study TEXT;"
	"ALTER TABLE job ADD COLUMN deciding INTEGER NOT NULL DEFAULT 0;"
	"CREATE INDEX job_series ON job (series, id) WHERE series IS NOT NULL;"
	"CREATE INDEX job_deciding ON job (id) WHERE deciding = 1;"
	"ALTER TABLE run ADD COLUMN purpose TEXT NOT NULL DEFAULT 'test';"
	"ALTER TABLE run ADD COLUMN round INTEGER NOT NULL DEFAULT 1;"
	/* What a builder says of a kernel's configuration. */
	"ALTER TABLE build ADD COLUMN folded TEXT;",
	/* Schedules and deliveries. */
	"CREATE TABLE schedule (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, cron"
	" TEXT NOT NULL, zone TEXT NOT NULL, job TEXT NOT NULL, window_s INTEGER NOT "
	"NULL, overlap TEXT NOT NULL, catch_up TEXT NOT NULL, report INTEGER NOT NULL, "
	"disabled TEXT, seen INTEGER NOT NULL, created INTEGER NOT NULL) STRICT;"
	"CREATE TABLE schedule_run (id INTEGER PRIMARY KEY, schedule INTEGER NOT NULL "
	"REFERENCES schedule (id), instant INTEGER NOT NULL, first INTEGER NOT NULL, "
	"count INTEGER NOT NULL, outcome TEXT NOT NULL, why TEXT NOT NULL, job INTEGER "
	"REFERENCES job (id), decided INTEGER NOT NULL, digest INTEGER, UNIQUE "
	"(schedule, instant)) STRICT;"
	"CREATE UNIQUE INDEX schedule_run_job ON schedule_run (job) WHERE job IS NOT "
	"NULL;"
	"CREATE INDEX schedule_run_waiting ON schedule_run (schedule, instant) WHERE outcome = "
	"'waiting';"
	"CREATE INDEX schedule_run_digest ON schedule_run (id) WHERE digest IS NULL;"
	"CREATE TABLE delivery (id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT "
	"NULL, target TEXT NOT NULL, subject TEXT NOT NULL, message_id TEXT NOT NULL "
	"UNIQUE, state TEXT NOT NULL, tries INTEGER NOT NULL DEFAULT 0, doubt INTEGER "
	"NOT NULL DEFAULT 0, next_try INTEGER NOT NULL, detail TEXT NOT NULL DEFAULT "
	"'', created INTEGER NOT NULL, ended INTEGER, message TEXT NOT NULL) STRICT;"
	"CREATE INDEX delivery_open ON delivery (kind, next_try) WHERE ended IS NULL;",
	/* What ended runs say, added up; lanes_rebuild() fills it. Known issues. */
	"ALTER TABLE run ADD COLUMN folded INTEGER NOT NULL DEFAULT 0;"
	"CREATE INDEX run_unfolded ON run (job, id) WHERE folded = 0;"
	"CREATE TABLE lane (id INTEGER PRIMARY KEY, job INTEGER NOT NULL REFERENCES job (id),"
	" col INTEGER NOT NULL, build INTEGER NOT NULL, cache TEXT NOT NULL, kind TEXT NOT NULL,"
	" board TEXT NOT NULL, cancelled INTEGER NOT NULL, runs INTEGER NOT NULL,"
	" broken INTEGER NOT NULL, faults INTEGER NOT NULL, warnings INTEGER NOT NULL,"
	" build_failed TEXT, tallies TEXT NOT NULL,"
	" UNIQUE (job, col, build, cache, kind, board, cancelled)) STRICT;"
	"CREATE INDEX lane_build ON lane (build);"
	"CREATE TABLE known_issue (id INTEGER PRIMARY KEY, suite TEXT NOT NULL,"
	" test TEXT NOT NULL, cells TEXT NOT NULL, cache TEXT NOT NULL, board TEXT,"
	" why TEXT NOT NULL, link TEXT, created INTEGER NOT NULL, expires INTEGER) STRICT;"
	"CREATE INDEX known_issue_suite ON known_issue (suite);",
	/* Revisions from a builder's repository. */
	"CREATE TABLE git_range (id INTEGER PRIMARY KEY, tree TEXT NOT NULL, span TEXT NOT NULL,"
	" series TEXT, version INTEGER, state TEXT NOT NULL, detail TEXT NOT NULL DEFAULT '',"
	" run INTEGER NOT NULL REFERENCES run (id), mails TEXT REFERENCES file (sha256),"
	" revision INTEGER REFERENCES revision (id), created INTEGER NOT NULL,"
	" updated INTEGER NOT NULL) STRICT;"
	"CREATE INDEX git_range_run ON git_range (run);"
	"CREATE INDEX git_range_open ON git_range (id) WHERE state IN ('waiting', 'reading');",
	/* What must not take longer with each year of nights. */
	"CREATE INDEX run_makes ON run (build, id) WHERE purpose = 'build';"
	"CREATE INDEX schedule_run_before ON schedule_run (schedule, job) WHERE job IS NOT NULL;"
	"DROP INDEX schedule_run_digest;"
	"CREATE INDEX schedule_run_digest ON schedule_run (digest);"
	"UPDATE schedule_run SET digest = 0 WHERE digest IS NULL AND schedule IN"
	" (SELECT id FROM schedule WHERE report = 0);"
	/* A schedule that can be changed. */
	"ALTER TABLE schedule ADD COLUMN since INTEGER NOT NULL DEFAULT 0;"
	"UPDATE schedule SET since = created;"
	"ALTER TABLE job ADD COLUMN window_ends INTEGER;",
};

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
