#include "server/daemon/store/boards.h"

#include "common/boardfile.h"
#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/store/columns.h"
#include "server/daemon/store/store.h"

#include <string.h>

#define GONE "its board file is gone"

#define BOARD_COLUMNS                                                                              \
	"SELECT b.name, b.kind, b.cache, b.arch, b.tags, b.description, " BOARD_STATE_SQL          \
	", b.state_detail, b.disabled_reason, l.run, b.facts, b.document, b.origin, b.last_seen,"  \
	" b.updated FROM board b LEFT JOIN lease l ON l.board = b.name"

/* The address part of a board file: never a path of a key, never a command. */
static json_t *ssh_json(json_t *document)
{
	json_t *ssh = json_object_get(document, "ssh");
	json_t *port = json_object_get(ssh, "port"), *user = json_object_get(ssh, "user");

	return json_pack("{s:O?, s:o, s:o, s:O?}", "host", json_object_get(ssh, "host"), "port",
	                 port ? json_incref(port) : json_integer(22), "user",
	                 user ? json_incref(user) : json_string("root"), "host_key",
	                 json_object_get(ssh, "host_key"));
}

static json_t *board_json(sqlite3_stmt *stmt)
{
	SCOPED_JSON document = json_loads(db_text(stmt, 11), 0, NULL);
	json_t *method = json_object_get(json_object_get(document, "boot"), "method");
	json_t *board = json_object();
	static const char *const texts[] = {"name", "kind", "cache", "arch"};

	for (int i = 0; i < 4; i++)
		(void)json_object_set_new(board, texts[i], json_string(db_text(stmt, i)));
	(void)json_object_set_new(board, "tags", column_json(stmt, 4));
	(void)json_object_set_new(board, "description", json_string(db_text(stmt, 5)));
	(void)json_object_set_new(board, "state", json_string(db_text(stmt, 6)));
	(void)json_object_set_new(board, "state_detail", json_string(db_text(stmt, 7)));
	(void)json_object_set_new(board, "disabled_reason", column_text(stmt, 8));
	(void)json_object_set_new(board, "current_run",
	                          db_text_or_null(stmt, 9) ? json_integer(db_int(stmt, 9))
	                                                   : json_null());
	(void)json_object_set_new(board, "facts", column_json(stmt, 10));
	(void)json_object_set_new(board, "ssh", ssh_json(document));
	(void)json_object_set_new(
		board, "boot",
		json_pack("{s:o}", "method", method ? json_incref(method) : json_string("none")));
	(void)json_object_set_new(board, "origin", json_string(db_text(stmt, 12)));
	(void)json_object_set_new(board, "last_seen", column_time(stmt, 13));
	(void)json_object_set_new(board, "updated", column_time(stmt, 14));
	return board;
}

json_t *boards_list(struct db *db, const struct board_filter *filter, const char *after,
                    int64_t limit, struct err *err)
{
	sqlite3_stmt *stmt = db_query(
		db,
		BOARD_COLUMNS " WHERE b.name > ?1 AND (?2 IS NULL OR b.cache = ?2)"
			      " AND (?3 IS NULL OR b.kind = ?3)"
			      " AND (?4 IS NULL OR " BOARD_STATE_SQL " = ?4)"
			      " AND (?5 IS NULL OR EXISTS (SELECT 1 FROM json_each(b.tags) t"
			      " WHERE t.value = ?5)) ORDER BY b.name LIMIT ?6",
		"sssssi", after, filter->cache, filter->kind, filter->state, filter->tag, limit);
	SCOPED_JSON list = json_array();
	int rc;

	while ((rc = db_step(db, stmt, err)) == 1)
		(void)json_array_append_new(list, board_json(stmt));
	return rc < 0 ? NULL : take_json(&list);
}

json_t *board_get(struct db *db, const char *name, struct err *err)
{
	sqlite3_stmt *stmt = db_query(db, BOARD_COLUMNS " WHERE b.name = ?1", "s", name);
	int rc = db_step(db, stmt, err);

	if (rc == 1)
		return board_json(stmt);
	if (rc == 0)
		(void)err_set(err, ERR_NOTFOUND, "no such board: %s", name);
	return NULL;
}

static int board_event(struct db *db, const char *name, const char *state, const char *detail,
                       int64_t now_us, struct err *err)
{
	return db_event(db, now_us, "board", 0, 0, name,
	                json_pack("{s:s, s:s}", "state", state, "detail", detail), err);
}

/* Insert, or make the row as the file says; disabled is a reason or NULL. */
static int board_put(struct db *db, const struct board_file *file, const char *path,
                     const char *disabled, int64_t now_us, struct err *err)
{
	SCOPED_STR document = jx_text(file->doc);
	SCOPED_STR tags = file->tags ? jx_text(file->tags) : xstrdup("[]");
	const char *state = disabled ? "disabled" : "unknown";

	if (db_exec(db, err, NULL,
	            "INSERT INTO board (name, kind, cache, arch, tags, description, origin, document,"
	            " path, state, disabled_reason, updated)"
	            " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"
	            " ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, cache = excluded.cache,"
	            " arch = excluded.arch, tags = excluded.tags, description = excluded.description,"
	            " document = excluded.document, path = excluded.path, state = excluded.state,"
	            " disabled_reason = excluded.disabled_reason, updated = excluded.updated",
	            "sssssssssssi", file->name, board_kind_name(file->kind),
	            cache_class_name(file->cache), file->arch, tags, file->description,
	            path ? "file" : "api", document, path, state, disabled, now_us) < 0)
		return -1;
	return board_event(db, file->name, state, disabled ? disabled : "registered", now_us, err);
}

int board_create(struct db *db, const struct board_file *file, int64_t now_us, struct err *err)
{
	sqlite3_stmt *stmt = db_query(db, "SELECT 1 FROM board WHERE name = ?1", "s", file->name);
	int rc = db_step(db, stmt, err);

	if (rc < 0)
		return -1;
	if (rc == 1)
		return err_set(err, ERR_CONFLICT, "there is a board %s already", file->name);
	return board_put(db, file, NULL, file->disabled, now_us, err);
}

static int disabled_set(struct db *db, const char *name, const char *reason, int64_t now_us,
                        struct err *err)
{
	/* A board at work stays busy until its attempt has ended; the farm gives it no other then. */
	const char *state = reason ? "disabled" : "unknown";

	if (db_exec(db, err, NULL,
	            "UPDATE board SET disabled_reason = ?2, state = CASE"
	            " WHEN EXISTS (SELECT 1 FROM lease WHERE board = ?1) THEN state"
	            " WHEN ?2 IS NULL AND state <> 'disabled' THEN state ELSE ?3 END,"
	            " state_detail = '', updated = ?4 WHERE name = ?1",
	            "sssi", name, reason, state, now_us) < 0)
		return -1;
	return board_event(db, name, state, reason ? reason : "enabled", now_us, err);
}

int board_update(struct db *db, const char *name, const struct board_change *change, int64_t now_us,
                 struct err *err)
{
	SCOPED_STR tags = change->tags ? jx_text(change->tags) : NULL;
	int64_t changed;

	if (db_exec(db, err, &changed,
	            "UPDATE board SET tags = coalesce(?2, tags),"
	            " description = coalesce(?3, description), updated = ?4 WHERE name = ?1",
	            "sssi", name, tags, change->description, now_us) < 0)
		return -1;
	if (changed == 0)
		return err_set(err, ERR_NOTFOUND, "no such board: %s", name);
	if (!change->set_disabled)
		return 0;
	return disabled_set(db, name, change->disabled, now_us, err);
}

/* ---- Boards of a directory ---- */

/* The reason for which a person disabled the board by the API, and not its file as it was: that outlives a change of the
 * file. NULL: none. The caller frees it. */
static char *disabled_by_hand(const char *reason, const char *old_document)
{
	SCOPED_JSON old = json_loads(old_document, 0, NULL);
	const char *of_file = json_string_value(json_object_get(old, "disabled"));

	if (!reason || strcmp(reason, GONE) == 0 || (of_file && strcmp(reason, of_file) == 0))
		return NULL;
	return xstrdup(reason);
}

static int sync_one(struct db *db, const struct board_file *file, const char *path, int64_t now_us,
                    struct err *err)
{
	SCOPED_STR document = jx_text(file->doc);
	sqlite3_stmt *stmt = db_query(
		db, "SELECT origin, document, path, disabled_reason FROM board WHERE name = ?1",
		"s", file->name);
	int rc = db_step(db, stmt, err);
	SCOPED_STR by_hand = NULL;
	const char *reason;
	bool same;

	if (rc < 0)
		return -1;
	if (rc == 0)
		return board_put(db, file, path, file->disabled, now_us, err);
	if (strcmp(db_text(stmt, 0), "file") != 0)
		return err_set(err, ERR_CONFLICT, "%s: the API has registered a board %s", path,
		               file->name);
	same = strcmp(db_text(stmt, 1), document) == 0 && strcmp(db_text(stmt, 2), path) == 0;
	reason = db_text_or_null(stmt, 3);
	if (same && reason && strcmp(reason, GONE) == 0)
		return disabled_set(db, file->name, file->disabled, now_us, err);
	if (same)
		return 0;
	by_hand = disabled_by_hand(reason, db_text(stmt, 1));
	return board_put(db, file, path, file->disabled ? file->disabled : by_hand, now_us, err);
}

static bool has_name(struct board_file *const *files, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(files[i]->name, name) == 0)
			return true;
	return false;
}

static int gone_disable(struct db *db, struct board_file *const *files, size_t count,
                        int64_t now_us, struct err *err)
{
	sqlite3_stmt *stmt = db_query(db,
	                              "SELECT name FROM board WHERE origin = 'file'"
	                              " AND disabled_reason IS NULL",
	                              "");
	SCOPED_JSON gone = json_array();
	json_t *name;
	size_t i;
	int rc;

	while ((rc = db_step(db, stmt, err)) == 1)
		if (!has_name(files, count, db_text(stmt, 0)))
			(void)json_array_append_new(gone, json_string(db_text(stmt, 0)));
	if (rc < 0)
		return -1;
	json_array_foreach(gone, i, name)
	{
		if (disabled_set(db, json_string_value(name), GONE, now_us, err) < 0)
			return -1;
	}
	return 0;
}

int boards_sync(struct db *db, struct board_file *const *files, const char *const *paths,
                size_t count, int64_t now_us, struct err *err)
{
	for (size_t i = 0; i < count; i++)
		if (sync_one(db, files[i], paths[i], now_us, err) < 0)
			return -1;
	return gone_disable(db, files, count, now_us, err);
}
