/* Stores of every older version become what a new store is: the same tables, columns and indexes.
 * versions/N.sql is schema.sql as it was at version N. */
#include "common/err.h"
#include "common/xalloc.h"
#include "server/daemon/store/db.h"
#include "server/daemon/store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define VERSIONS 1 /* the newest that farms have; a step behind it may still change */
#define OPEN     (SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)

static char dir[64];

static char *path_of(const char *name)
{
	return xasprintf("%s/%s", dir, name);
}

static int setup(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/cohort-migrate.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	static const char *const names[] = {"cohort.db", "cohort.db-wal", "cohort.db-shm", "lock"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *path = path_of(names[i]);

		(void)unlink(path);
		free(path);
	}
	return rmdir(dir);
}

static char *read_version(int version)
{
	char *path = xasprintf("%s/%d.sql", STORE_VERSIONS, version);
	char *text = xcalloc(1, 1 << 17);
	FILE *file = fopen(path, "r");

	assert_non_null(file);
	assert_true(fread(text, 1, (1 << 17) - 1, file) > 1000);
	(void)fclose(file);
	free(path);
	return text;
}

/* What a store is made of: a line a column and a line an index. */
static char *shape(void)
{
	static const char sql[] =
		"SELECT group_concat(line, char(10)) FROM (SELECT m.name || '.' || c.name || ' ' ||"
		" c.type || ' ' || c.\"notnull\" || ' ' || coalesce(c.dflt_value, '-') AS line"
		" FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table'"
		" UNION ALL SELECT 'index ' || name || ' on ' || tbl_name || ' ' || coalesce("
		"substr(sql, instr(sql, '(')), '') FROM sqlite_master WHERE type = 'index'"
		" ORDER BY 1)";
	char *path = path_of("cohort.db"), *text;
	struct err err;
	struct db *db = db_open(path, OPEN, &err);
	sqlite3_stmt *stmt;

	assert_non_null(db);
	stmt = db_query(db, sql, "");
	assert_int_equal(db_step(db, stmt, &err), 1);
	text = xstrdup(db_text(stmt, 0));
	db_close(db);
	free(path);
	return text;
}

static void make_version(int version)
{
	char *path = path_of("cohort.db"), *text = read_version(version), set[64];
	struct err err;
	struct db *db = db_open(path, OPEN, &err);

	(void)snprintf(set, sizeof(set), "PRAGMA user_version = %d", version);
	assert_non_null(db);
	assert_int_equal(db_script(db, text, &err), 0);
	assert_int_equal(db_script(db,
	                           "INSERT INTO build (name, arch, description, cmdline, created)"
	                           " VALUES ('old', 'arm', '', '', 1)",
	                           &err),
	                 0);
	assert_int_equal(db_script(db, set, &err), 0);
	db_close(db);
	free(text);
	free(path);
}

static char *open_and_shape(void)
{
	struct err err;
	struct store *store = store_open(dir, &err);

	if (!store)
		fail_msg("%s", err.text);
	store_close(store);
	return shape();
}

static void test_versions(void **state)
{
	for (int version = 1; version <= VERSIONS; version++) {
		char *fresh = open_and_shape(), *old;

		assert_int_equal(teardown(state), 0);
		assert_int_equal(setup(state), 0);
		make_version(version);
		old = open_and_shape();
		assert_string_equal(old, fresh);
		free(old);
		free(fresh);
		assert_int_equal(teardown(state), 0);
		assert_int_equal(setup(state), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_versions, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
