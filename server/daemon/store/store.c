/* The writer thread, the readers' pool and the event waiters. A write is a function that waits in a queue; the
 * writer takes all that wait, runs them in one transaction and wakes their callers behind the COMMIT. */
#include "server/daemon/store/store.h"

#include "common/err.h"
#include "common/fsio.h"
#include "common/logline.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/store/db.h"
#include "server/daemon/store/schema.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#define WRITE_BATCH 256 /* writes that share a commit: bounds how long the first of them waits */
#define PROBE_S     1   /* how often a store that failed is tried again */
#define READERS_MAX 16  /* idle connections that are kept */

struct write {
	store_write_fn *fn;
	void *arg;
	struct err *err;
	int rc;
	bool done;
	pthread_cond_t cond;
	struct write *next;
};

struct store {
	char *path;  /* owned */
	int lock_fd; /* owned: flock held while the store is open */
	struct db *writer;
	pthread_t thread;
	pthread_mutex_t mutex; /* of all below */
	pthread_cond_t work;   /* queue or stop changed */
	struct write *head, **tail;
	bool stop, healthy;
	struct err why; /* of not healthy */

	pthread_mutex_t readers_mutex; /* of the next three */
	pthread_cond_t readers_back;
	struct db *readers;
	size_t readers_idle, readers_open;

	pthread_mutex_t event_mutex;
	pthread_cond_t event_cond;
	_Atomic int64_t event_last;
	uint64_t event_wakes;
};

/* ---- Writer ---- */

static int write_one(struct db *db, struct write *w)
{
	int64_t events = db->event_max;
	struct err ignored;

	if (db_exec(db, w->err, NULL, "SAVEPOINT one", "") < 0)
		return -1;
	w->rc = w->fn(db, w->arg, w->err);
	db_reset(db);
	if (w->rc == 0 && db_exec(db, w->err, NULL, "RELEASE one", "") == 0)
		return 0;
	w->rc = -1;
	db->event_max = events;
	/* SQLite may have ended the whole transaction on a full disk: then there is nothing to go back to. */
	if (sqlite3_get_autocommit(db->handle))
		return -1;
	if (db_exec(db, &ignored, NULL, "ROLLBACK TO one", "") < 0 ||
	    db_exec(db, &ignored, NULL, "RELEASE one", "") < 0)
		return -1;
	return 0;
}

/* All of the batch in one transaction; -1 with *err when none of it is on disk. */
static int write_batch(struct db *db, struct write *batch, struct err *err)
{
	if (db_exec(db, err, NULL, "BEGIN IMMEDIATE", "") < 0)
		return -1;
	for (struct write *w = batch; w; w = w->next)
		if (write_one(db, w) < 0) {
			if (w->err)
				*err = *w->err;
			return -1;
		}
	return db_exec(db, err, NULL, "COMMIT", "");
}

static void events_publish(struct store *store, int64_t newest)
{
	if (newest <= atomic_load(&store->event_last))
		return;
	(void)pthread_mutex_lock(&store->event_mutex);
	atomic_store(&store->event_last, newest);
	(void)pthread_cond_broadcast(&store->event_cond);
	(void)pthread_mutex_unlock(&store->event_mutex);
}

/* Keep the store's health; call with the mutex held. A batch that changed nothing proves nothing. */
static void health_note(struct store *store, int rc, bool changed, const struct err *err)
{
	if (rc < 0 || store->writer->fault) {
		if (store->healthy)
			log_error("the store cannot be written: %s", err->text);
		store->healthy = false;
		store->why = *err;
	} else if (changed && !store->healthy) {
		log_note("the store can be written again");
		store->healthy = true;
	}
}

static void batch_run(struct store *store, struct write *batch)
{
	struct db *db = store->writer;
	int64_t before = sqlite3_total_changes64(db->handle);
	struct err err = {.kind = ERR_IO, .text = "store: a statement failed"};
	int rc;

	db->fault = false;
	rc = write_batch(db, batch, &err);
	db_reset(db);
	if (rc < 0 && !sqlite3_get_autocommit(db->handle))
		(void)db_script(db, "ROLLBACK", NULL);
	if (rc == 0)
		events_publish(store, db->event_max);
	else
		db->event_max = atomic_load(&store->event_last);
	(void)pthread_mutex_lock(&store->mutex);
	health_note(store, rc, sqlite3_total_changes64(db->handle) != before, &err);
	for (struct write *w = batch, *next; w; w = next) {
		next = w->next;
		if (rc < 0) {
			if (w->err && w->rc == 0)
				*w->err = err;
			w->rc = -1;
		}
		w->done = true;
		(void)pthread_cond_signal(&w->cond); /* w is gone once its caller runs */
	}
	(void)pthread_mutex_unlock(&store->mutex);
}

static int probe(struct db *db, void *arg, struct err *err)
{
	(void)arg;
	return db_exec(db, err, NULL,
	               "INSERT INTO meta (key, value) VALUES ('probe', '1')"
	               " ON CONFLICT (key) DO UPDATE SET value = 1 - meta.value",
	               "");
}

/* Take the writes that wait; the mutex is held. */
static struct write *batch_take(struct store *store)
{
	struct write *batch = store->head, *last = batch;

	for (int n = 1; last && last->next && n < WRITE_BATCH; n++)
		last = last->next;
	if (!last)
		return NULL;
	store->head = last->next;
	last->next = NULL;
	if (!store->head)
		store->tail = &store->head;
	return batch;
}

static void *writer_main(void *arg)
{
	struct store *store = arg;
	struct err err;
	struct write try = {.fn = probe, .err = &err};

	(void)pthread_setname_np(pthread_self(), "store");
	(void)pthread_cond_init(&try.cond, NULL);
	(void)pthread_mutex_lock(&store->mutex);
	for (;;) {
		struct write *batch = batch_take(store);

		if (!batch && store->stop)
			break;
		if (!batch && store->healthy) {
			(void)pthread_cond_wait(&store->work, &store->mutex);
			continue;
		}
		if (!batch) {
			struct timespec at;

			(void)clock_gettime(CLOCK_MONOTONIC, &at);
			at.tv_sec += PROBE_S;
			if (pthread_cond_timedwait(&store->work, &store->mutex, &at) != ETIMEDOUT)
				continue;
			try.next = NULL;
			try.rc = 0;
			batch = &try;
		}
		(void)pthread_mutex_unlock(&store->mutex);
		batch_run(store, batch);
		(void)pthread_mutex_lock(&store->mutex);
	}
	(void)pthread_mutex_unlock(&store->mutex);
	(void)pthread_cond_destroy(&try.cond);
	return NULL;
}

int store_write(struct store *store, store_write_fn *fn, void *arg, struct err *err)
{
	struct err own = {.kind = ERR_NONE};
	struct write w = {.fn = fn, .arg = arg, .err = err ? err : &own};

	(void)pthread_cond_init(&w.cond, NULL);
	(void)pthread_mutex_lock(&store->mutex);
	/* w is waited for below, and out of the queue by then. */
	/* cppcheck-suppress autoVariables */
	*store->tail = &w;
	/* cppcheck-suppress autoVariables */
	store->tail = &w.next;
	(void)pthread_cond_signal(&store->work);
	while (!w.done)
		(void)pthread_cond_wait(&w.cond, &store->mutex);
	(void)pthread_mutex_unlock(&store->mutex);
	(void)pthread_cond_destroy(&w.cond);
	return w.rc;
}

bool store_healthy(struct store *store, struct err *err)
{
	bool healthy;

	(void)pthread_mutex_lock(&store->mutex);
	healthy = store->healthy;
	if (!healthy && err)
		*err = store->why;
	(void)pthread_mutex_unlock(&store->mutex);
	return healthy;
}

/* ---- Readers ---- */

static struct db *reader_open(struct store *store, struct err *err)
{
	struct db *db = db_open(store->path, SQLITE_OPEN_READONLY, err);

	if (db && db_script(db, "PRAGMA cache_size = -1024", err) < 0) {
		db_close(db);
		return NULL;
	}
	return db;
}

struct db *store_read_begin(struct store *store)
{
	struct db *db;
	struct err err;

	(void)pthread_mutex_lock(&store->readers_mutex);
	db = store->readers;
	if (!db) {
		/* Without a descriptor for one more, wait for one of the others. */
		db = reader_open(store, &err);
		while (!db && !store->readers) {
			if (store->readers_open == 0) {
				(void)fprintf(stderr, "<2>cohortd: no reader: %s\n", err.text);
				abort();
			}
			(void)pthread_cond_wait(&store->readers_back, &store->readers_mutex);
		}
		if (db)
			store->readers_open++;
	}
	if (!db)
		db = store->readers;
	if (db == store->readers) {
		store->readers = db->next;
		store->readers_idle--;
	}
	(void)pthread_mutex_unlock(&store->readers_mutex);
	(void)db_exec(db, &err, NULL, "BEGIN", "");
	return db;
}

void store_read_end(struct store *store, struct db *db)
{
	struct err err;
	bool keep;

	db_reset(db);
	(void)db_exec(db, &err, NULL, "COMMIT", "");
	db_reset(db);
	(void)pthread_mutex_lock(&store->readers_mutex);
	keep = store->readers_idle < READERS_MAX && sqlite3_get_autocommit(db->handle);
	if (keep) {
		db->next = store->readers;
		store->readers = db;
		store->readers_idle++;
	} else {
		store->readers_open--;
	}
	(void)pthread_cond_signal(&store->readers_back);
	(void)pthread_mutex_unlock(&store->readers_mutex);
	if (!keep)
		db_close(db);
}

/* ---- Event waiters ---- */

int64_t store_event_last(struct store *store)
{
	return atomic_load(&store->event_last);
}

int64_t store_event_wait(struct store *store, int64_t after, int timeout_ms)
{
	struct timespec at;
	uint64_t wakes;
	int rc = 0;

	(void)clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec += timeout_ms / 1000;
	at.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (at.tv_nsec >= 1000000000) {
		at.tv_sec++;
		at.tv_nsec -= 1000000000;
	}
	(void)pthread_mutex_lock(&store->event_mutex);
	wakes = store->event_wakes;
	while (rc != ETIMEDOUT && wakes == store->event_wakes &&
	       atomic_load(&store->event_last) <= after)
		rc = pthread_cond_timedwait(&store->event_cond, &store->event_mutex, &at);
	(void)pthread_mutex_unlock(&store->event_mutex);
	return atomic_load(&store->event_last);
}

void store_wake(struct store *store)
{
	(void)pthread_mutex_lock(&store->event_mutex);
	store->event_wakes++;
	(void)pthread_cond_broadcast(&store->event_cond);
	(void)pthread_mutex_unlock(&store->event_mutex);
}

/* ---- Open and close ---- */

/* Two cohortd on one store would give out the same leases. A cohortd that was killed while it started a cohort-board is
 * survived for a moment by the child that had not come to its exec yet, which still holds the lock: hence the tries. */
#define LOCK_TRIES  100
#define LOCK_TRY_MS 20

static int store_lock(struct store *store, const char *dir, struct err *err)
{
	SCOPED_STR path = xasprintf("%s/lock", dir);

	store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (store->lock_fd < 0)
		return err_errno(err, ERR_IO, "%s", path);
	for (unsigned i = 0; i < LOCK_TRIES; i++) {
		if (flock(store->lock_fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		(void)poll(NULL, 0, LOCK_TRY_MS);
	}
	return err_set(err, ERR_CONFLICT, "%s: another cohortd uses this directory", dir);
}

static int store_prepare(struct store *store, struct err *err)
{
	sqlite3_stmt *stmt;

	store->writer = db_open(store->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, err);
	if (!store->writer ||
	    db_script(store->writer,
	              "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
	              "PRAGMA foreign_keys = ON; PRAGMA journal_size_limit = 8388608;"
	              "PRAGMA cache_size = -4096;",
	              err) < 0 ||
	    schema_update(store->writer, err) < 0)
		return -1;
	/* Not max(id): the newest event may have been pruned. */
	stmt = db_query(store->writer, "SELECT seq FROM sqlite_sequence WHERE name = 'event'", "");
	switch (db_step(store->writer, stmt, err)) {
	case 1:
		atomic_store(&store->event_last, db_int(stmt, 0));
		break;
	case 0:
		break;
	default:
		return -1;
	}
	db_reset(store->writer);
	store->writer->event_max = atomic_load(&store->event_last);
	store->readers = reader_open(store, err);
	if (!store->readers)
		return -1;
	store->readers_open = store->readers_idle = 1;
	return 0;
}

static void store_free(struct store *store)
{
	for (struct db *db = store->readers, *next; db; db = next) {
		next = db->next;
		db_close(db);
	}
	db_close(store->writer);
	if (store->lock_fd >= 0)
		(void)close(store->lock_fd);
	(void)pthread_mutex_destroy(&store->mutex);
	(void)pthread_cond_destroy(&store->work);
	(void)pthread_mutex_destroy(&store->readers_mutex);
	(void)pthread_cond_destroy(&store->readers_back);
	(void)pthread_mutex_destroy(&store->event_mutex);
	(void)pthread_cond_destroy(&store->event_cond);
	free(store->path);
	free(store);
}

static struct store *store_new(const char *dir)
{
	struct store *store = xcalloc(1, sizeof(*store));
	pthread_condattr_t mono;

	store->path = xasprintf("%s/cohort.db", dir);
	store->lock_fd = -1;
	store->tail = &store->head;
	store->healthy = true;
	(void)pthread_condattr_init(&mono);
	(void)pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
	(void)pthread_mutex_init(&store->mutex, NULL);
	(void)pthread_cond_init(&store->work, &mono);
	(void)pthread_mutex_init(&store->readers_mutex, NULL);
	(void)pthread_cond_init(&store->readers_back, NULL);
	(void)pthread_mutex_init(&store->event_mutex, NULL);
	(void)pthread_cond_init(&store->event_cond, &mono);
	(void)pthread_condattr_destroy(&mono);
	return store;
}

struct store *store_open(const char *dir, struct err *err)
{
	struct store *store;
	int rc;

	if (fs_mkdirs(dir, err) < 0)
		return NULL;
	store = store_new(dir);
	if (store_lock(store, dir, err) < 0 || store_prepare(store, err) < 0) {
		store_free(store);
		return NULL;
	}
	rc = pthread_create(&store->thread, NULL, writer_main, store);
	if (rc != 0) {
		errno = rc;
		(void)err_errno(err, ERR_IO, "the store's writer thread");
		store_free(store);
		return NULL;
	}
	return store;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	(void)pthread_mutex_lock(&store->mutex);
	store->stop = true;
	(void)pthread_cond_signal(&store->work);
	(void)pthread_mutex_unlock(&store->mutex);
	(void)pthread_join(store->thread, NULL);
	store_free(store);
}
