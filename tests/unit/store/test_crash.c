/* What the store promises when it is killed, and when its disk is full: a write that returned is there; one that could not
 * be written says so, and the store is well again when there is room. Seed: COHORT_SEED. */
#include "common/err.h"
#include "common/timeus.h"
#include "common/xalloc.h"
#include "server/daemon/store/store.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define ROUNDS  12
#define THREADS 4

static char dir[64];

static int setup(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/cohort-crash.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	static const char *const names[] = {"cohort.db", "cohort.db-wal", "cohort.db-shm", "lock"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[128];

		(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)unlink(path);
	}
	return rmdir(dir);
}

static int put(struct db *db, void *arg, struct err *err)
{
	return db_exec(db, err, NULL,
	               "INSERT INTO token (sha256, name, created) VALUES ($1, $2, 1)", "ss",
	               (const char *)arg, "n");
}

/* ---- kill -9 ---- */

struct key {
	int32_t round, thread, i;
};

struct writer {
	struct store *store;
	int ack, round, thread;
};

static void *writer_main(void *arg)
{
	const struct writer *w = arg;

	for (int32_t i = 0;; i++) {
		const struct key key = {w->round, w->thread, i};
		char text[64];

		(void)snprintf(text, sizeof(text), "%d.%d.%d", key.round, key.thread, key.i);
		if (store_write(w->store, put, text, NULL) < 0)
			_exit(3);
		if (write(w->ack, &key, sizeof(key)) != (ssize_t)sizeof(key))
			_exit(4);
	}
	return NULL;
}

static void child(int ack, int round)
{
	struct writer writers[THREADS];
	pthread_t thread;
	struct err err;
	struct store *store = store_open(dir, &err);

	if (!store)
		_exit(2);
	for (int i = 0; i < THREADS; i++) {
		writers[i] = (struct writer){store, ack, round, i};
		if (pthread_create(&thread, NULL, writer_main, &writers[i]) != 0)
			_exit(5);
	}
	for (;;)
		(void)pause();
}

static bool there(struct db *db, const struct key *key)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "%d.%d.%d", key->round, key->thread, key->i);
	return db_step(db, db_query(db, "SELECT 1 FROM token WHERE sha256 = $1", "s", text),
	               NULL) == 1;
}

/* Kill it behind that many acknowledged writes; returns how many there were in the end. */
static int round_run(int round, int acks)
{
	struct key key;
	struct key *keys = NULL;
	int ends[2], count = 0, status;
	pid_t pid;
	struct err err;
	struct store *store;
	struct db *db;
	sqlite3_stmt *stmt;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		(void)close(ends[0]);
		child(ends[1], round);
	}
	(void)close(ends[1]);
	while (read(ends[0], &key, sizeof(key)) == (ssize_t)sizeof(key)) {
		keys = xrealloc(keys, (size_t)(count + 1) * sizeof(*keys));
		keys[count++] = key;
		if (count == acks)
			(void)kill(pid, SIGKILL);
	}
	(void)close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	store = store_open(dir, &err);
	assert_non_null(store);
	db = store_read_begin(store);
	stmt = db_query(db, "PRAGMA integrity_check", "");
	assert_int_equal(db_step(db, stmt, &err), 1);
	assert_string_equal(db_text(stmt, 0), "ok");
	for (int i = 0; i < count; i++)
		assert_true(there(db, &keys[i]));
	store_read_end(store, db);
	store_close(store);
	free(keys);
	return count;
}

static void test_killed(void **state)
{
	const char *given = getenv("COHORT_SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time_wall_us();

	(void)state;
	(void)printf("seed %u (COHORT_SEED)\n", seed);
	srandom(seed);
	for (int round = 0; round < ROUNDS; round++) {
		int acks = 1 + (int)(random() % 400);

		assert_true(round_run(round, acks) >= acks);
	}
}

/* ---- A full disk ---- */

static int64_t rows(struct store *store)
{
	struct db *db = store_read_begin(store);
	sqlite3_stmt *stmt = db_query(db, "SELECT count(*) FROM token", "");
	int64_t n = db_step(db, stmt, NULL) == 1 ? db_int(stmt, 0) : -1;

	store_read_end(store, db);
	return n;
}

static void room(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Files may not grow any more, which the kernel says at the same place as it says that a disk is full. */
static void test_full(void **state)
{
	struct err err = {.kind = ERR_NONE};
	struct store *store = store_open(dir, &err);
	char path[128], key[32];
	struct stat st;
	int64_t good = 0, until;
	int bad = 0;

	(void)state;
	assert_non_null(store);
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)snprintf(path, sizeof(path), "%s/cohort.db-wal", dir);
	assert_int_equal(stat(path, &st), 0);
	room((rlim_t)st.st_size + 100000);
	for (int i = 0; i < 200; i++) {
		(void)snprintf(key, sizeof(key), "k%d", i);
		if (store_write(store, put, key, &err) == 0)
			good++;
		else
			bad++;
	}
	assert_true(good > 0 && bad > 0);
	assert_true(err.kind == ERR_IO || err.kind == ERR_NOSPACE);
	assert_false(store_healthy(store, &err));
	assert_true(err.kind == ERR_IO || err.kind == ERR_NOSPACE);
	assert_int_equal(rows(store), good); /* what failed is not there, what did not is */
	room(RLIM_INFINITY);
	/* Nobody writes: the store finds out by itself. */
	for (until = time_mono_us() + 10000000; !store_healthy(store, NULL);)
		assert_true(time_mono_us() < until);
	(void)snprintf(key, sizeof(key), "last");
	assert_int_equal(store_write(store, put, key, &err), 0);
	assert_int_equal(rows(store), good + 1);
	store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_killed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
