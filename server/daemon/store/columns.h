/* columns.h - columns of a row as members of the API's objects. */
#pragma once
#include "common/timeus.h"
#include "server/daemon/store/store.h"

#include <jansson.h>

/* Text, or null. */
static inline json_t *column_text(sqlite3_stmt *stmt, int column)
{
	const char *text = db_text_or_null(stmt, column);

	return text ? json_string(text) : json_null();
}

/* A wall time as RFC 3339 text, or null. */
static inline json_t *column_time(sqlite3_stmt *stmt, int column)
{
	char when[32];

	if (!db_text_or_null(stmt, column))
		return json_null();
	time_format(db_int(stmt, column), when);
	return json_string(when);
}

/* The document in a column of JSON text, or null. */
static inline json_t *column_json(sqlite3_stmt *stmt, int column)
{
	const char *text = db_text_or_null(stmt, column);
	json_t *value = text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;

	return value ? value : json_null();
}

/* The id in a column, or null. */
static inline json_t *column_id(sqlite3_stmt *stmt, int column)
{
	return db_text_or_null(stmt, column) ? json_integer(db_int(stmt, column)) : json_null();
}
