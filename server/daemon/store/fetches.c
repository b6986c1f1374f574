#include "server/daemon/store/fetches.h"

#include "common/err.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/store/columns.h"
#include "server/daemon/store/store.h"

#include <inttypes.h>
#include <string.h>

void fetch_row_release(struct fetch_row *row)
{
	free(row->name);
	json_decref(row->request);
	*row = (struct fetch_row){0};
}

json_t *fetch_build(const json_t *request)
{
	json_t *build = json_deep_copy(request), *file;
	const char *role;

	json_object_foreach(json_object_get(request, "files"), role, file)
	{
		(void)json_object_set(json_object_get(build, "files"), role,
		                      json_object_get(file, "sha256"));
	}
	return build;
}

static int event(struct db *db, int64_t id, const char *name, const char *state, const char *detail,
                 int64_t build, int64_t now_us, struct err *err)
{
	return db_event(db, now_us, "fetch", 0, 0, NULL,
	                json_pack("{s:I, s:s, s:s, s:s, s:o}", "fetch", (json_int_t)id, "name",
	                          name, "state", state, "detail", detail, "build",
	                          build ? json_integer(build) : json_null()),
	                err);
}

/* ---- Asking ---- */

static int name_free(struct db *db, const char *name, struct err *err)
{
	int rc = db_step(db, db_query(db, "SELECT 1 FROM build WHERE name = ?1", "s", name), err);

	if (rc == 1)
		return err_set(err, ERR_CONFLICT, "there is a build %s already", name);
	return rc;
}

static int64_t ask_new(struct db *db, const char *name, const char *text, int64_t now_us,
                       struct err *err)
{
	if (name_free(db, name, err) < 0 ||
	    db_exec(db, err, NULL,
	            "INSERT INTO fetch (name, request, state, created, updated)"
	            " VALUES (?1, ?2, 'fetching', ?3, ?3)",
	            "ssi", name, text, now_us) < 0)
		return -1;
	return db_last_id(db);
}

/* One that has failed may say otherwise what it is now. */
static int ask_again(struct db *db, int64_t id, const char *name, const char *text, int64_t now_us,
                     struct err *err)
{
	if (name_free(db, name, err) < 0)
		return -1;
	return db_exec(db, err, NULL,
	               "UPDATE fetch SET state = 'fetching', detail = '', request = ?2,"
	               " updated = ?3 WHERE id = ?1",
	               "isi", id, text, now_us);
}

int64_t fetch_ask(struct db *db, const char *name, const json_t *request, int64_t now_us,
                  bool *fresh, struct err *err)
{
	SCOPED_STR text = json_dumps(request, JSON_COMPACT | JSON_SORT_KEYS);
	sqlite3_stmt *stmt =
		db_query(db, "SELECT id, state, request FROM fetch WHERE name = ?1", "s", name);
	int rc = db_step(db, stmt, err);
	int64_t id;

	*fresh = true;
	if (rc < 0)
		return -1;
	if (rc == 0) {
		id = ask_new(db, name, text, now_us, err);
	} else {
		id = db_int(stmt, 0);
		if (strcmp(db_text(stmt, 1), "failed") == 0) {
			if (ask_again(db, id, name, text, now_us, err) < 0)
				return -1;
		} else if (strcmp(db_text(stmt, 2), text) == 0) {
			*fresh = false;
			return id;
		} else {
			return err_set(
				err, ERR_CONFLICT,
				"build %s was asked for with another content: fetch %" PRId64, name,
				id);
		}
	}
	return id < 0 || event(db, id, name, "fetching", "", 0, now_us, err) < 0 ? -1 : id;
}

/* ---- The fetcher's ---- */

int fetch_next(struct db *db, struct fetch_row *row, struct err *err)
{
	sqlite3_stmt *stmt = db_query(db,
	                              "SELECT id, name, request FROM fetch"
	                              " WHERE state = 'fetching' ORDER BY id LIMIT 1",
	                              "");
	int rc = db_step(db, stmt, err);

	if (rc == 1)
		*row = (struct fetch_row){.id = db_int(stmt, 0),
		                          .name = xstrdup(db_text(stmt, 1)),
		                          .request = column_json(stmt, 2)};
	return rc;
}

int fetch_progress(struct db *db, const struct fetch_row *row, const char *role, int64_t done,
                   int64_t total, int64_t now_us, struct err *err)
{
	SCOPED_STR what = xasprintf("%s %s", row->name, role);

	return db_event(db, now_us, "progress", 0, 0, NULL,
	                json_pack("{s:s, s:s, s:I, s:o, s:I}", "stage", "fetch", "what", what,
	                          "done", (json_int_t)done, "total",
	                          total < 0 ? json_null() : json_integer(total), "fetch",
	                          (json_int_t)row->id),
	                err);
}

int fetch_end(struct db *db, int64_t id, const char *name, const char *detail, int64_t build,
              int64_t now_us, struct err *err)
{
	const char *state = build ? "done" : "failed";

	if (db_exec(db, err, NULL,
	            "UPDATE fetch SET state = ?2, detail = ?3, build = ?4, updated = ?5"
	            " WHERE id = ?1",
	            "issIi", id, state, detail ? detail : "", build ? &build : NULL, now_us) < 0)
		return -1;
	return event(db, id, name, state, detail ? detail : "", build, now_us, err);
}

/* ---- Reading ---- */

#define FETCH_COLUMNS "SELECT id, name, state, detail, build, created, updated, request FROM fetch"

static json_t *files_json(const json_t *request)
{
	json_t *list = json_array(), *file;
	const char *role;

	json_object_foreach(json_object_get(request, "files"), role, file)
	{
		(void)json_array_append_new(list, json_pack("{s:s, s:O, s:O}", "role", role, "url",
		                                            json_object_get(file, "url"), "sha256",
		                                            json_object_get(file, "sha256")));
	}
	return list;
}

static json_t *fetch_json(sqlite3_stmt *stmt)
{
	SCOPED_JSON request = column_json(stmt, 7);

	return json_pack("{s:I, s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "id",
	                 (json_int_t)db_int(stmt, 0), "name", db_text(stmt, 1), "state",
	                 db_text(stmt, 2), "detail", db_text(stmt, 3), "build",
	                 db_text_or_null(stmt, 4) ? json_integer(db_int(stmt, 4)) : json_null(),
	                 "created", column_time(stmt, 5), "updated", column_time(stmt, 6), "files",
	                 files_json(request));
}

json_t *fetch_get(struct db *db, int64_t id, struct err *err)
{
	sqlite3_stmt *stmt = db_query(db, FETCH_COLUMNS " WHERE id = ?1", "i", id);
	int rc = db_step(db, stmt, err);

	if (rc == 0)
		(void)err_set(err, ERR_NOTFOUND, "no such fetch: %" PRId64, id);
	return rc == 1 ? fetch_json(stmt) : NULL;
}

json_t *fetch_list(struct db *db, int64_t before, int64_t limit, struct err *err)
{
	sqlite3_stmt *stmt = db_query(db, FETCH_COLUMNS " WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
	                              "ii", before, limit);
	SCOPED_JSON list = json_array();
	int rc;

	while ((rc = db_step(db, stmt, err)) == 1)
		(void)json_array_append_new(list, fetch_json(stmt));
	return rc < 0 ? NULL : take_json(&list);
}
