#include "server/daemon/store/db.h"

#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/xalloc.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define DB_STMTS_FIRST 128

struct db *db_open(const char *path, int flags, struct err *err)
{
	struct db *db = xcalloc(1, sizeof(*db));

	db->broken = xcalloc(1, sizeof(*db->broken));
	db->stmts_size = DB_STMTS_FIRST;
	db->stmts = xcalloc(db->stmts_size, sizeof(*db->stmts));
	if (sqlite3_open_v2(path, &db->handle, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
		(void)db_fail(db, path, err);
		db_close(db);
		return NULL;
	}
	(void)sqlite3_extended_result_codes(db->handle, 1);
	(void)sqlite3_busy_timeout(db->handle, 10000);
	return db;
}

void db_close(struct db *db)
{
	if (!db)
		return;
	for (size_t i = 0; i < db->stmts_size; i++)
		(void)sqlite3_finalize(db->stmts[i].stmt);
	(void)sqlite3_close(db->handle);
	free(db->stmts);
	free(db->used);
	free(db->broken);
	free(db);
}

static enum err_kind fail_kind(sqlite3 *handle, int code)
{
	int os = sqlite3_system_errno(handle);

	switch (code & 0xff) {
	case SQLITE_FULL:
		return ERR_NOSPACE;
	case SQLITE_IOERR:
		return os == ENOSPC || os == EDQUOT ? ERR_NOSPACE : ERR_IO;
	case SQLITE_CONSTRAINT:
		return ERR_CONFLICT;
	case SQLITE_TOOBIG:
		return ERR_TOOBIG;
	default:
		return ERR_IO;
	}
}

int db_fail(struct db *db, const char *sql, struct err *err)
{
	int code = db->handle ? sqlite3_extended_errcode(db->handle) : SQLITE_NOMEM;
	int base = code & 0xff;

	if (base != SQLITE_CONSTRAINT && base != SQLITE_TOOBIG)
		db->fault = true;
	return err_set(err, fail_kind(db->handle, code), "store: %s (%.60s)",
	               db->handle ? sqlite3_errmsg(db->handle) : "out of memory", sql);
}

int db_script(struct db *db, const char *sql, struct err *err)
{
	if (sqlite3_exec(db->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
		return db_fail(db, sql, err);
	return 0;
}

void db_reset(struct db *db)
{
	for (size_t i = 0; i < db->used_count; i++) {
		struct db_stmt *s = &db->stmts[db->used[i]];

		(void)sqlite3_reset(s->stmt);
		(void)sqlite3_clear_bindings(s->stmt);
		s->used = false;
	}
	db->used_count = 0;
}

/* The slot of sql, or the free slot where it belongs. */
static size_t slot_of(const struct db_stmt *stmts, size_t size, const char *sql)
{
	size_t i = (size_t)(((uintptr_t)sql * 0x9e3779b97f4a7c15ULL) >> 32) & (size - 1);

	while (stmts[i].sql && stmts[i].sql != sql)
		i = (i + 1) & (size - 1);
	return i;
}

static void stmts_grow(struct db *db)
{
	size_t size = db->stmts_size * 2;
	struct db_stmt *bigger = xcalloc(size, sizeof(*bigger));

	for (size_t i = 0; i < db->stmts_size; i++)
		if (db->stmts[i].sql)
			bigger[slot_of(bigger, size, db->stmts[i].sql)] = db->stmts[i];
	/* The list of used ones holds slots: they have moved. */
	for (size_t i = 0; i < db->used_count; i++)
		db->used[i] = slot_of(bigger, size, db->stmts[db->used[i]].sql);
	free(db->stmts);
	db->stmts = bigger;
	db->stmts_size = size;
}

/* To SQLite $2 is a name, numbered by where it comes first; to PostgreSQL, and to us, it is the second value: ?2. */
static sqlite3_stmt *stmt_prepare(struct db *db, const char *sql)
{
	SCOPED_STR text = xstrdup(sql);
	sqlite3_stmt *stmt = NULL;

	for (char *p = text; *p; p++)
		if (*p == '$' && p[1] >= '1' && p[1] <= '9')
			*p = '?';
	if (sqlite3_prepare_v3(db->handle, text, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) ==
	    SQLITE_OK)
		return stmt;
	(void)db_fail(db, sql, db->broken);
	return NULL;
}

static struct db_stmt *stmt_get(struct db *db, const char *sql)
{
	size_t slot = slot_of(db->stmts, db->stmts_size, sql);
	struct db_stmt *s = &db->stmts[slot];

	if (!s->sql) {
		sqlite3_stmt *stmt = stmt_prepare(db, sql);

		if (!stmt)
			return NULL;
		*s = (struct db_stmt){.sql = sql, .stmt = stmt};
		if (++db->stmts_count * 2 > db->stmts_size) {
			stmts_grow(db);
			slot = slot_of(db->stmts, db->stmts_size, sql);
			s = &db->stmts[slot];
		}
	}
	if (!s->used) {
		if (db->used_count == db->used_room) {
			db->used_room = db->used_room ? db->used_room * 2 : 64;
			db->used = xrealloc(db->used, db->used_room * sizeof(*db->used));
		}
		db->used[db->used_count++] = slot;
		s->used = true;
	}
	(void)sqlite3_reset(s->stmt);
	return s;
}

/* life says whether the caller's texts outlive the statement's steps. */
static sqlite3_stmt *query(struct db *db, const char *sql, const char *format, va_list ap,
                           sqlite3_destructor_type life)
{
	struct db_stmt *s = stmt_get(db, sql);
	int rc = SQLITE_OK, n = 0;

	if (!s)
		return NULL;
	for (const char *f = format; *f && rc == SQLITE_OK; f++) {
		const int64_t *maybe;

		n++;
		if (*f == 'i') {
			rc = sqlite3_bind_int64(s->stmt, n, va_arg(ap, int64_t));
		} else if (*f == 's') {
			rc = sqlite3_bind_text(s->stmt, n, va_arg(ap, const char *), -1, life);
		} else {
			maybe = va_arg(ap, const int64_t *);
			rc = maybe ? sqlite3_bind_int64(s->stmt, n, *maybe)
			           : sqlite3_bind_null(s->stmt, n);
		}
	}
	if (rc != SQLITE_OK || n != sqlite3_bind_parameter_count(s->stmt)) {
		(void)err_set(db->broken, ERR_IO, "store: %d values for %d parameters (%.60s)", n,
		              sqlite3_bind_parameter_count(s->stmt), sql);
		return NULL;
	}
	return s->stmt;
}

sqlite3_stmt *db_query(struct db *db, const char *sql, const char *format, ...)
{
	sqlite3_stmt *stmt;
	va_list ap;

	va_start(ap, format);
	stmt = query(db, sql, format, ap, SQLITE_TRANSIENT);
	va_end(ap);
	return stmt;
}

int db_step(struct db *db, sqlite3_stmt *stmt, struct err *err)
{
	int rc;

	if (!stmt) {
		if (err)
			*err = *db->broken;
		return -1;
	}
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		return 1;
	if (rc != SQLITE_DONE)
		(void)db_fail(db, sqlite3_sql(stmt), err);
	(void)sqlite3_reset(stmt);
	return rc == SQLITE_DONE ? 0 : -1;
}

int db_exec(struct db *db, struct err *err, int64_t *changes, const char *sql, const char *format,
            ...)
{
	sqlite3_stmt *stmt;
	va_list ap;
	int rc;

	va_start(ap, format);
	stmt = query(db, sql, format, ap, SQLITE_STATIC);
	va_end(ap);
	do
		rc = db_step(db, stmt, err);
	while (rc > 0);
	if (stmt)
		(void)sqlite3_clear_bindings(stmt); /* the caller's texts may go now */
	if (rc < 0)
		return -1;
	if (changes)
		*changes = sqlite3_changes64(db->handle);
	return 0;
}

int64_t db_last_id(struct db *db)
{
	return sqlite3_last_insert_rowid(db->handle);
}

const char *db_text_or_null(sqlite3_stmt *stmt, int column)
{
	return (const char *)sqlite3_column_text(stmt, column);
}

const char *db_text(sqlite3_stmt *stmt, int column)
{
	const char *text = db_text_or_null(stmt, column);

	return text ? text : "";
}

int64_t db_int(sqlite3_stmt *stmt, int column)
{
	return sqlite3_column_int64(stmt, column);
}

int db_event(struct db *db, int64_t time_us, const char *kind, int64_t job, int64_t run,
             const char *board, json_t *data, struct err *err)
{
	SCOPED_JSON owned = data;
	SCOPED_STR text = jx_text(owned);

	if (db_exec(db, err, NULL,
	            "INSERT INTO event (time, kind, job, run, board, data)"
	            " VALUES ($1, $2, $3, $4, $5, $6)",
	            "isIIss", time_us, kind, job ? &job : NULL, run ? &run : NULL, board, text) < 0)
		return -1;
	db->event_max = db_last_id(db);
	return 0;
}
