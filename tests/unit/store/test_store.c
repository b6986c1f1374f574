/* The engine behind store.h: grouped writes, savepoints, readers, events, opening twice. */
#include "common/err.h"
#include "common/timeus.h"
#include "common/xalloc.h"
#include "server/daemon/store/db.h"
#include "server/daemon/store/events.h"
#include "server/daemon/store/results.h"
#include "server/daemon/store/run_views.h"
#include "server/daemon/store/store.h"

#include <jansson.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64];

static void remove_dir(void)
{
	static const char *const names[] = {"cohort.db", "cohort.db-wal", "cohort.db-shm", "lock"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[128];

		(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)unlink(path);
	}
	(void)rmdir(dir);
}

static int setup(void **state)
{
	struct err err;

	(void)snprintf(dir, sizeof(dir), "/tmp/cohort-store.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	*state = store_open(dir, &err);
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	store_close(*state);
	remove_dir();
	return 0;
}

static int put(struct db *db, void *arg, struct err *err)
{
	return db_exec(db, err, NULL,
	               "INSERT INTO token (sha256, name, created) VALUES ($1, $2, $3)", "ssi",
	               (const char *)arg, "n", (int64_t)7);
}

static int put_then_fail(struct db *db, void *arg, struct err *err)
{
	if (put(db, arg, err) < 0 ||
	    db_event(db, 1, "note", 1, 2, NULL, json_pack("{s:s}", "text", "x"), err) < 0)
		return -1;
	return err_set(err, ERR_INVALID, "no");
}

static int64_t count(struct store *store)
{
	struct db *db = store_read_begin(store);
	sqlite3_stmt *stmt = db_query(db, "SELECT count(*) FROM token", "");
	int64_t n = db_step(db, stmt, NULL) == 1 ? db_int(stmt, 0) : -1;

	store_read_end(store, db);
	return n;
}

static void test_write_read(void **state)
{
	struct err err;
	struct db *db;
	sqlite3_stmt *stmt;
	char key[] = "a";

	assert_int_equal(store_write(*state, put, key, &err), 0);
	assert_int_equal(store_write(*state, put, key, &err), -1);
	assert_int_equal(err.kind, ERR_CONFLICT);
	assert_true(store_healthy(*state, NULL));
	db = store_read_begin(*state);
	stmt = db_query(db, "SELECT sha256, created, name FROM token WHERE sha256 = $1", "s", key);
	assert_int_equal(db_step(db, stmt, &err), 1);
	assert_string_equal(db_text(stmt, 0), "a");
	assert_int_equal(db_int(stmt, 1), 7);
	assert_int_equal(db_step(db, stmt, &err), 0);
	/* A reader cannot write, and a bad statement is an error and not a crash. */
	assert_int_equal(db_exec(db, &err, NULL, "DELETE FROM token", ""), -1);
	assert_int_equal(db_step(db, db_query(db, "SELECT absent FROM token", ""), &err), -1);
	assert_non_null(strstr(err.text, "no such column"));
	assert_int_equal(db_step(db, db_query(db, "SELECT $1, $2", "i", (int64_t)1), &err), -1);
	store_read_end(*state, db);
}

static void test_failed_write_leaves_nothing(void **state)
{
	struct err err = {.kind = ERR_NONE};
	char key[] = "b";

	assert_int_equal(store_write(*state, put_then_fail, key, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_string_equal(err.text, "no");
	assert_int_equal(count(*state), 0);
	assert_int_equal(store_event_last(*state), 0);
}

#define MANY 5000 /* rows of each table that the lists are not about */

static int put_many(struct db *db, void *arg, struct err *err)
{
	(void)arg;
	if (db_exec(db, err, NULL,
	            "INSERT INTO build (id, name, arch, description, cmdline, created)"
	            " VALUES (1, 'b', 'arm', '', '', 0)",
	            "") < 0 ||
	    db_exec(db, err, NULL,
	            "INSERT INTO job (id, name, request, suite, labels, priority, state, created)"
	            " VALUES (1, 'j', '{}', 's', '[]', 0, 'done', 0),"
	            " (2, 'j', '{}', 's', '[]', 0, 'done', 0)",
	            "") < 0)
		return -1;
	for (int64_t i = 1; i <= MANY; i++)
		if (db_exec(db, err, NULL,
		            "INSERT INTO run (job, col, build, cache, kind, boards, plan, planned,"
		            " priority, state, attempt, max_attempts, board, expires, created)"
		            " VALUES (1, 0, 1, 'vivt', 'qemu', '[]', '{}', 1, 0, 'done', 1, 1, 'b',"
		            " 0, 0)",
		            "") < 0 ||
		    db_exec(db, err, NULL,
		            "INSERT INTO result (run, attempt, test_id, test, rep, test_kind,"
		            " verdict, time) VALUES ($1, 1, 0, 't', 1, 'info', 'pass', 0)",
		            "i", i) < 0 ||
		    db_event(db, 1, "note", 1, i, NULL, json_object(), err) < 0)
			return -1;
	return 0;
}

/* Steps of SQLite's machine that the statements of the connection made: they grow with the rows that are looked at. */
static int steps(const struct db *db)
{
	int sum = 0;

	for (size_t i = 0; i < db->stmts_size; i++)
		if (db->stmts[i].stmt)
			sum += sqlite3_stmt_status(db->stmts[i].stmt, SQLITE_STMTSTATUS_VM_STEP, 1);
	return sum;
}

/* What lists do not show, they do not read. */
static void test_lists_have_indexes(void **state)
{
	const struct run_filter runs[] = {
		{.job = 2, .before = INT64_MAX, .limit = 10},
		{.board = "none", .before = INT64_MAX, .limit = 10},
		{.state = "running", .before = INT64_MAX, .limit = 10},
		{.board = "none",
	         .state = "done",
	         .cache = "vivt",
	         .before = INT64_MAX,
	         .limit = 10},
	};
	const struct result_filter results[] = {{.job = 2}, {.run = MANY + 1}};
	struct err err;
	struct db *db;

	assert_int_equal(store_write(*state, put_many, NULL, &err), 0);
	db = store_read_begin(*state);
	(void)steps(db);
	json_decref(events_after(db, 2, 0, 0, 100, &err));
	json_decref(events_after(db, 0, MANY + 1, 0, 100, &err));
	assert_in_range(steps(db), 1, 500);
	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		json_t *list = run_list(db, &runs[i], &err);

		assert_int_equal(json_array_size(list), 0);
		assert_in_range(steps(db), 1, 500);
		json_decref(list);
	}
	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		int64_t next;
		json_t *list = result_list(db, &results[i], INT64_MAX, 10, &next, &err);

		assert_int_equal(json_array_size(list), 0);
		assert_int_equal(next, 0);
		assert_in_range(steps(db), 1, 500);
		json_decref(list);
	}
	store_read_end(*state, db);
}

/* A reader that was begun before a write and read something sees what was there. */
static void test_snapshot(void **state)
{
	struct err err;
	struct db *db = store_read_begin(*state);
	sqlite3_stmt *stmt = db_query(db, "SELECT count(*) FROM token", "");
	char key[] = "c";

	assert_int_equal(db_step(db, stmt, &err), 1);
	assert_int_equal(store_write(*state, put, key, &err), 0);
	stmt = db_query(db, "SELECT count(*) FROM token", "");
	assert_int_equal(db_step(db, stmt, &err), 1);
	assert_int_equal(db_int(stmt, 0), 0);
	store_read_end(*state, db);
	assert_int_equal(count(*state), 1);
}

static int note(struct db *db, void *arg, struct err *err)
{
	(void)arg;
	return db_event(db, 1, "note", 0, 0, NULL, json_object(), err);
}

static void *note_main(void *arg)
{
	(void)store_write(arg, note, NULL, NULL);
	return NULL;
}

static void test_events(void **state)
{
	struct store *store = *state;
	int64_t before = time_mono_us();
	pthread_t thread;

	assert_int_equal(store_event_wait(store, 0, 30), 0);
	assert_true(time_mono_us() - before >= 29000);
	assert_int_equal(pthread_create(&thread, NULL, note_main, store), 0);
	assert_int_equal(store_event_wait(store, 0, 60000), 1);
	(void)pthread_join(thread, NULL);
	assert_int_equal(store_event_wait(store, 0, 60000), 1);
}

/* The number goes on after the newest events were pruned and the store opened again. */
static int prune(struct db *db, void *arg, struct err *err)
{
	(void)arg;
	return db_exec(db, err, NULL, "DELETE FROM event", "");
}

static void test_event_ids_never_again(void **state)
{
	struct err err;

	assert_int_equal(store_write(*state, note, NULL, &err), 0);
	assert_int_equal(store_write(*state, note, NULL, &err), 0);
	assert_int_equal(store_write(*state, prune, NULL, &err), 0);
	store_close(*state);
	*state = store_open(dir, &err);
	assert_non_null(*state);
	assert_int_equal(store_event_last(*state), 2);
	assert_int_equal(store_write(*state, note, NULL, &err), 0);
	assert_int_equal(store_event_last(*state), 3);
}

static void test_open_twice(void **state)
{
	struct err err;

	(void)state;
	assert_null(store_open(dir, &err));
	assert_int_equal(err.kind, ERR_CONFLICT);
}

static int make_newer(struct db *db, void *arg, struct err *err)
{
	(void)arg;
	return db_exec(db, err, NULL, "PRAGMA user_version = 1000", "");
}

static void test_newer_schema(void **state)
{
	struct err err;

	assert_int_equal(store_write(*state, make_newer, NULL, &err), 0);
	store_close(*state);
	*state = NULL;
	assert_null(store_open(dir, &err));
	assert_int_equal(err.kind, ERR_CONFLICT);
	assert_non_null(strstr(err.text, "1000"));
}

#define THREADS 8
#define EACH    400

struct many {
	struct store *store;
	int id, bad;
};

static void *many_main(void *arg)
{
	struct many *m = arg;

	for (int i = 0; i < EACH; i++) {
		char key[32];
		struct err err;
		bool fails = i % 5 == 4;

		(void)snprintf(key, sizeof(key), "%d.%d", m->id, i);
		if (store_write(m->store, fails ? put_then_fail : put, key, &err) !=
		    (fails ? -1 : 0))
			m->bad++;
		if (count(m->store) < 1)
			m->bad++;
	}
	return NULL;
}

static void test_many_threads(void **state)
{
	struct many many[THREADS];
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++) {
		many[i] = (struct many){.store = *state, .id = i};
		assert_int_equal(pthread_create(&threads[i], NULL, many_main, &many[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		(void)pthread_join(threads[i], NULL);
		assert_int_equal(many[i].bad, 0);
	}
	assert_int_equal(count(*state), THREADS * EACH * 4 / 5);
}

/* More statements than the cache starts with. */
static int many_statements(struct db *db, void *arg, struct err *err)
{
	char(*texts)[32] = arg;

	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 300; i++) {
			sqlite3_stmt *stmt = db_query(db, texts[i], "");

			if (db_step(db, stmt, err) != 1 || db_int(stmt, 0) != i)
				return err_set(err, ERR_INVALID, "statement %d", i);
		}
	return 0;
}

static void test_statement_cache(void **state)
{
	char(*texts)[32] = xcalloc(300, sizeof(*texts));
	struct err err;

	for (int i = 0; i < 300; i++)
		(void)snprintf(texts[i], sizeof(texts[i]), "SELECT %d", i);
	assert_int_equal(store_write(*state, many_statements, texts, &err), 0);
	store_close(*state);
	*state = NULL;
	free(texts);
}

/* $N is the Nth value wherever it stands: to SQLite by itself it would be a name, numbered where it comes first. */
static void test_parameter_order(void **state)
{
	struct db *db = store_read_begin(*state);
	struct err err = {0};
	sqlite3_stmt *stmt =
		db_query(db, "SELECT $2, $1, ?3", "iii", (int64_t)1, (int64_t)2, (int64_t)3);

	assert_int_equal(db_step(db, stmt, &err), 1);
	assert_int_equal(db_int(stmt, 0), 2);
	assert_int_equal(db_int(stmt, 1), 1);
	assert_int_equal(db_int(stmt, 2), 3);
	store_read_end(*state, db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_write_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_parameter_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failed_write_leaves_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lists_have_indexes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_snapshot, setup, teardown),
		cmocka_unit_test_setup_teardown(test_events, setup, teardown),
		cmocka_unit_test_setup_teardown(test_event_ids_never_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_open_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(test_newer_schema, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_threads, setup, teardown),
		cmocka_unit_test_setup_teardown(test_statement_cache, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
