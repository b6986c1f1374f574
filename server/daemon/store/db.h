/* db.h - the inside of struct db, for the store's engine only; all others see store.h. */
#pragma once
#include "server/daemon/store/store.h"

#include <stddef.h>

struct db_stmt {
	const char *sql; /* the literal: its address is the key */
	sqlite3_stmt *stmt;
	bool used; /* in db.used: it may be in the middle of its rows */
};

struct db {
	sqlite3 *handle;
	struct db_stmt *stmts; /* open addressing; size is a power of two */
	size_t stmts_size, stmts_count;
	size_t *used; /* indexes into stmts, of the current transaction */
	size_t used_count, used_room;
	int64_t event_max;  /* newest event that this transaction made */
	bool fault;         /* the disk refused something since db_fault_clear() */
	struct err *broken; /* owned: why the last db_query() gave NULL */
	struct db *next;    /* in the pool */
};

/* Open the database at path; flags as for sqlite3_open_v2(). NULL with *err. */
struct db *db_open(const char *path, int flags, struct err *err);
void db_close(struct db *db); /* db may be NULL */

/* Reset every statement of the current transaction, so that none holds a lock or a snapshot. */
void db_reset(struct db *db);

/* Run SQL text without parameters, as pragmas and schemas are. 0, or -1 with *err. */
int db_script(struct db *db, const char *sql, struct err *err);

/* Set *err from what SQLite said last; a full or failing disk sets db->fault too. Returns -1. */
int db_fail(struct db *db, const char *sql, struct err *err);
