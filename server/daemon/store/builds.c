#include "server/daemon/store/builds.h"

#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "server/daemon/store/columns.h"
#include "server/daemon/store/files.h"
#include "server/daemon/store/git_runs.h"
#include "server/daemon/store/store.h"

#include <stdio.h>
#include <string.h>

/* ---- Reading ---- */

#define BUILD_COLUMNS                                                                              \
	"SELECT id, name, release, build_id, arch, description, cmdline, config_sha256,"           \
	" compiler, series, revision, created, state, recipe, failure, folded, revision_id,"       \
	" (SELECT max(m.id) FROM run m WHERE m.build = build.id AND m.purpose = 'build')"          \
	" FROM build"

json_t *build_files(struct db *db, int64_t build, struct err *err)
{
	sqlite3_stmt *stmt = db_query(db,
	                              "SELECT bf.role, bf.sha256, f.size FROM build_file bf"
	                              " JOIN file f ON f.sha256 = bf.sha256 WHERE bf.build = ?1"
	                              " ORDER BY bf.role",
	                              "i", build);
	SCOPED_JSON files = json_object();
	int rc;

	while ((rc = db_step(db, stmt, err)) == 1)
		(void)json_object_set_new(files, db_text(stmt, 0),
		                          json_pack("{s:s, s:I}", "sha256", db_text(stmt, 1),
		                                    "size", (json_int_t)db_int(stmt, 2)));
	return rc < 0 ? NULL : take_json(&files);
}

/* The columns of the row, without the files. */
static json_t *build_json(sqlite3_stmt *stmt)
{
	static const char *const members[] = {
		"name",    "release",       "build_id", "arch",   "description",
		"cmdline", "config_sha256", "compiler", "series", "revision",
	};
	json_t *build = json_object();

	(void)json_object_set_new(build, "id", json_integer(db_int(stmt, 0)));
	for (int i = 0; i < (int)(sizeof(members) / sizeof(members[0])); i++)
		(void)json_object_set_new(build, members[i], column_text(stmt, i + 1));
	(void)json_object_set_new(build, "created", column_time(stmt, 11));
	(void)json_object_set_new(build, "state", column_text(stmt, 12));
	(void)json_object_set_new(build, "recipe", column_json(stmt, 13));
	(void)json_object_set_new(build, "failure", column_json(stmt, 14));
	(void)json_object_set_new(build, "folded", column_text(stmt, 15));
	(void)json_object_set_new(build, "revision_id", column_id(stmt, 16));
	(void)json_object_set_new(build, "run", column_id(stmt, 17));
	return build;
}

static int files_add(struct db *db, json_t *build, struct err *err)
{
	json_t *files = build_files(db, json_integer_value(json_object_get(build, "id")), err);

	if (!files)
		return -1;
	(void)json_object_set_new(build, "files", files);
	return 0;
}

json_t *build_get(struct db *db, int64_t id, struct err *err)
{
	sqlite3_stmt *stmt = db_query(db, BUILD_COLUMNS " WHERE id = ?1", "i", id);
	SCOPED_JSON build = NULL;
	int rc = db_step(db, stmt, err);

	if (rc == 0)
		(void)err_set(err, ERR_NOTFOUND, "no such build: %lld", (long long)id);
	if (rc <= 0)
		return NULL;
	build = build_json(stmt);
	return files_add(db, build, err) < 0 ? NULL : take_json(&build);
}

/* The builds of all rows, with their files. */
static json_t *rows_json(struct db *db, sqlite3_stmt *stmt, struct err *err)
{
	SCOPED_JSON list = json_array();
	json_t *build;
	size_t i;
	int rc;

	while ((rc = db_step(db, stmt, err)) == 1)
		(void)json_array_append_new(list, build_json(stmt));
	if (rc < 0)
		return NULL;
	json_array_foreach(list, i, build)
	{
		if (files_add(db, build, err) < 0)
			return NULL;
	}
	return take_json(&list);
}

json_t *builds_list(struct db *db, const struct build_filter *filter, struct err *err)
{
	return rows_json(db,
	                 db_query(db,
	                          BUILD_COLUMNS " WHERE id < ?1 AND name <> '" GIT_BUILD
	                                        "' AND (?3 IS NULL OR state = ?3) AND (?4 IS "
	                                        "NULL OR series = ?4) ORDER BY id DESC LIMIT ?2",
	                          "iiss", filter->before, filter->limit, filter->state,
	                          filter->series),
	                 err);
}

json_t *builds_of_revision(struct db *db, int64_t revision, int64_t limit, struct err *err)
{
	return rows_json(db,
	                 db_query(db,
	                          BUILD_COLUMNS " WHERE revision_id = ?1 ORDER BY id DESC LIMIT ?2",
	                          "ii", revision, limit),
	                 err);
}

/* ---- Writing ---- */

static int files_check(struct db *db, json_t *files, struct jx_errors *errors, struct err *err)
{
	const char *role;
	json_t *sha256;

	json_object_foreach(files, role, sha256)
	{
		char pointer[64];

		if (file_size(db, json_string_value(sha256), err) >= 0)
			continue;
		if (err->kind != ERR_NOTFOUND)
			return -1;
		(void)snprintf(pointer, sizeof(pointer), "/files/%s", role);
		jx_complain(errors, pointer, "no such file: upload %s first",
		            json_string_value(sha256));
	}
	return 0;
}

static bool same_text(json_t *have, const char *said)
{
	return said ? json_is_string(have) && strcmp(json_string_value(have), said) == 0
	            : json_is_null(have);
}

static bool same_files(json_t *have, json_t *said)
{
	const char *role;
	json_t *sha256;

	if (json_object_size(have) != json_object_size(said))
		return false;
	json_object_foreach(said, role, sha256)
	{
		json_t *one = json_object_get(json_object_get(have, role), "sha256");

		if (!json_equal(one, sha256))
			return false;
	}
	return true;
}

static bool same_build(json_t *have, const struct build_new *said)
{
	const struct {
		const char *member, *text;
	} texts[] = {
		{"release", said->release},   {"build_id", said->build_id},
		{"arch", said->arch},         {"description", said->description},
		{"cmdline", said->cmdline},   {"config_sha256", said->config_sha256},
		{"compiler", said->compiler}, {"series", said->series},
		{"revision", said->revision},
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (!same_text(json_object_get(have, texts[i].member), texts[i].text))
			return false;
	return same_files(json_object_get(have, "files"), said->files);
}

/* The build with this name: its id, 0 when there is none, -1. */
static int64_t build_find(struct db *db, const char *name, struct err *err)
{
	sqlite3_stmt *stmt = db_query(db, "SELECT id FROM build WHERE name = ?1", "s", name);
	int rc = db_step(db, stmt, err);

	return rc == 1 ? db_int(stmt, 0) : rc;
}

static int64_t build_insert(struct db *db, const struct build_new *b, int64_t now_us,
                            struct err *err)
{
	const char *role;
	json_t *sha256;
	int64_t id;

	if (db_exec(db, err, NULL,
	            "INSERT INTO build (name, release, build_id, arch, description, cmdline,"
	            " config_sha256, compiler, series, revision, created, revision_id)"
	            " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,"
	            " (SELECT v.id FROM revision v JOIN series s ON s.id = v.series"
	            " WHERE s.name = ?9 AND v.label = ?10))",
	            "ssssssssssi", b->name, b->release, b->build_id, b->arch, b->description,
	            b->cmdline, b->config_sha256, b->compiler, b->series, b->revision, now_us) < 0)
		return -1;
	id = db_last_id(db);
	json_object_foreach(b->files, role, sha256)
	{
		if (db_exec(db, err, NULL,
		            "INSERT INTO build_file (build, role, sha256) VALUES (?1, ?2, ?3)",
		            "iss", id, role, json_string_value(sha256)) < 0)
			return -1;
	}
	return id;
}

int64_t build_create(struct db *db, const struct build_new *build, int64_t now_us, bool *old,
                     struct jx_errors *errors, struct err *err)
{
	int64_t id = build_find(db, build->name, err);
	SCOPED_JSON have = NULL;

	*old = id > 0;
	if (id < 0)
		return -1;
	if (id == 0) {
		if (files_check(db, build->files, errors, err) < 0)
			return -1;
		return jx_ok(errors) ? build_insert(db, build, now_us, err) : 0;
	}
	have = build_get(db, id, err);
	if (!have)
		return -1;
	if (!same_build(have, build))
		return err_set(err, ERR_CONFLICT,
		               "there is a build %s with another content: id %lld", build->name,
		               (long long)id);
	return id;
}
