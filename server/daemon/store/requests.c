#include "server/daemon/store/requests.h"

#include "common/err.h"
#include "server/daemon/store/builds.h"
#include "server/daemon/store/store.h"

#include <inttypes.h>

json_t *store_request_build(struct db *db, int64_t build, struct err *err)
{
	/* A made build has more files: what a board needs of them are these. */
	static const char *const others[] = {"config", "map", "log", "range-diff"};
	json_t *files = build_files(db, build, err);
	sqlite3_stmt *stmt;
	int rc;

	if (!files)
		return NULL;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		(void)json_object_del(files, others[i]);
	stmt = db_query(db, "SELECT name, release, build_id, cmdline FROM build WHERE id = $1", "i",
	                build);
	rc = db_step(db, stmt, err);
	if (rc == 0)
		(void)err_set(err, ERR_NOTFOUND, "there is no build %" PRId64, build);
	if (rc < 1) {
		json_decref(files);
		return NULL;
	}
	return json_pack("{s:I, s:s, s:s?, s:s?, s:s, s:o}", "id", (json_int_t)build, "name",
	                 db_text(stmt, 0), "release", db_text_or_null(stmt, 1), "build_id",
	                 db_text_or_null(stmt, 2), "cmdline", db_text(stmt, 3), "files", files);
}

json_t *store_request_recipe(struct db *db, int64_t build, struct err *err)
{
	sqlite3_stmt *stmt = db_query(db, "SELECT recipe FROM build WHERE id = $1", "i", build);
	int rc = db_step(db, stmt, err);

	if (rc == 0 || (rc == 1 && !db_text_or_null(stmt, 0)))
		(void)err_set(err, ERR_NOTFOUND, "build %" PRId64 " has no recipe", build);
	return rc == 1 && db_text_or_null(stmt, 0) ? json_string(db_text(stmt, 0)) : NULL;
}
