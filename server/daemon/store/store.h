/* store.h - the SQLite store: one writer thread that groups commits, a pool of readers.
 *
 * A writer hands in a function; many that wait together share one transaction and one fsync, each inside a
 * savepoint of its own, so that one that fails takes nothing of the others with it. store_write()
 * returns only when the commit is on disk. Statements are prepared once a connection and kept.
 *
 * All SQL of the daemon is in server/daemon/store/: a file a table or family. Thread-safe. */
#pragma once
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

struct err;
struct store; /* opaque */
struct db;    /* one connection, with its statement cache */

/* Open or create DIR/cohort.db (WAL, synchronous=FULL, foreign_keys). Brings an older schema up to date; refuses
 * a newer one (ERR_CONFLICT). Returns a store the caller owns, or NULL with *err. */
struct store *store_open(const char *dir, struct err *err);
void store_close(struct store *store);

/* Work inside the write transaction: 0, or -1 with *err, and then all it did is rolled back. */
typedef int store_write_fn(struct db *db, void *arg, struct err *err);
int store_write(struct store *store, store_write_fn *fn, void *arg, struct err *err);

/* A read-only connection from the pool, inside one read transaction until it is given back. Never NULL. */
struct db *store_read_begin(struct store *store);
void store_read_end(struct store *store, struct db *db);

/* The id of the newest committed event, and waiting for a newer one: returns the newest id, at the latest when
 * timeout_ms passed or store_wake() was called. */
int64_t store_event_last(struct store *store);
int64_t store_event_wait(struct store *store, int64_t after, int timeout_ms);
void store_wake(struct store *store);

/* Is the last commit good? False after a write error of the disk until one succeeds; text says why. */
bool store_healthy(struct store *store, struct err *err);

/* Prepared statement for sql (a literal: cached by its address) with the parameters bound by format, one character each:
 * i int64_t, I int64_t* (NULL = null), s const char* (NULL = null); $N (or ?N) in it is the Nth of them. Use db_step() on it until false, then nothing more:
 * it is reset there or by the next db_query() of the same sql. */
sqlite3_stmt *db_query(struct db *db, const char *sql, const char *format, ...);

/* Next row: 1, none: 0, or -1 with *err. */
int db_step(struct db *db, sqlite3_stmt *stmt, struct err *err);

/* A statement without rows; *changes (may be NULL) gets the number of rows it changed. */
int db_exec(struct db *db, struct err *err, int64_t *changes, const char *sql, const char *format,
            ...);
int64_t db_last_id(struct db *db);

/* Column helpers: text is "" for null and valid until the next step. */
const char *db_text(sqlite3_stmt *stmt, int column);
const char *db_text_or_null(sqlite3_stmt *stmt, int column);
int64_t db_int(sqlite3_stmt *stmt, int column);

/* Append an event (docs/API.md, "Events"); data is a JSON object that the call takes over. job, run: 0 = none. */
struct json_t;
int db_event(struct db *db, int64_t time_us, const char *kind, int64_t job, int64_t run,
             const char *board, struct json_t *data, struct err *err);
