#include "server/daemon/store/series.h"

#include "common/err.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/series/series.h"
#include "server/daemon/series/subject.h"
#include "server/daemon/store/builds.h"
#include "server/daemon/store/columns.h"
#include "server/daemon/store/jobs.h"
#include "server/daemon/store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BUILDS_MAX 100 /* of a revision, newest first */
#define JOBS_MAX   100

/* ---- Where a revision belongs ---- */

/* The series in the row, if there is one. 1, 0 or -1. */
static int place_take(struct db *db, sqlite3_stmt *stmt, struct series_place *place,
                      struct err *err)
{
	int rc = db_step(db, stmt, err);

	if (rc != 1)
		return rc;
	place->series = db_int(stmt, 0);
	(void)snprintf(place->name, sizeof(place->name), "%s", db_text(stmt, 1));
	return 1;
}

/* "Name <address>" and "Other Name <address>" are one author. */
static bool same_address(const char *author, const char *address)
{
	size_t len = strlen(address), all = strlen(author);

	if (strcasecmp(author, address) == 0)
		return true;
	return all > len + 2 && author[all - 1] == '>' && author[all - len - 2] == '<' &&
	       strncasecmp(author + all - len - 1, address, len) == 0;
}

/* By title and author; with a change-id only those that have none yet. The newest. */
static int place_by_subject(struct db *db, const struct series_revision *r,
                            struct series_place *place, struct err *err)
{
	sqlite3_stmt *stmt = db_query(
		db,
		"SELECT id, name, author, change_id FROM series WHERE title = ?1 ORDER BY id DESC",
		"s", r->title);
	int rc;

	while ((rc = db_step(db, stmt, err)) == 1) {
		if (!same_address(db_text(stmt, 2), r->address) ||
		    (r->change_id && db_text_or_null(stmt, 3)))
			continue;
		place->series = db_int(stmt, 0);
		(void)snprintf(place->name, sizeof(place->name), "%s", db_text(stmt, 1));
		return 1;
	}
	return rc;
}

static int place_find(struct db *db, const struct series_revision *r, const char *name,
                      struct series_place *place, struct err *err)
{
	int rc;

	if (name)
		return place_take(
			db, db_query(db, "SELECT id, name FROM series WHERE name = ?1", "s", name),
			place, err);
	if (r->change_id) {
		rc = place_take(db,
		                db_query(db, "SELECT id, name FROM series WHERE change_id = ?1",
		                         "s", r->change_id),
		                place, err);
		if (rc != 0)
			return rc;
	}
	return place_by_subject(db, r, place, err);
}

/* A name that no series has: the short one, else with a number behind. */
static int name_make(struct db *db, const struct series_revision *r, char out[65], struct err *err)
{
	SCOPED_STR base = series_short_name(r);
	int rc = 1;

	for (int n = 1; rc == 1; n++) {
		if (n == 1)
			(void)snprintf(out, 65, "%s", base);
		else
			(void)snprintf(out, 65, "%.48s-%d", base, n);
		rc = db_step(db, db_query(db, "SELECT 1 FROM series WHERE name = ?1", "s", out),
		             err);
	}
	return rc;
}

/* The revision of this version, when it has the same diffs. */
static int revision_match(struct db *db, const struct series_revision *r,
                          struct series_place *place, struct err *err)
{
	sqlite3_stmt *stmt = db_query(db,
	                              "SELECT v.id, p.n, p.diff_sha256 FROM revision v"
	                              " JOIN patch p ON p.revision = v.id"
	                              " WHERE v.series = ?1 AND v.version = ?2 ORDER BY p.n",
	                              "ii", place->series, r->version);
	size_t n = 0;
	int rc;

	while ((rc = db_step(db, stmt, err)) == 1) {
		place->revision = db_int(stmt, 0);
		if (n < r->patches_count &&
		    strcmp(r->patches[n].diff_sha256, db_text(stmt, 2)) == 0) {
			n++;
			continue;
		}
		return err_set(err, ERR_CONFLICT,
		               "series %s has a v%" PRId64 " already, and its patch %" PRId64
		               " is another: say which version this is",
		               place->name, r->version, db_int(stmt, 1));
	}
	if (rc < 0 || !place->revision || n == r->patches_count)
		return rc;
	return err_set(err, ERR_CONFLICT,
	               "series %s has a v%" PRId64
	               " already, of %zu patches and not %zu: say which version this is",
	               place->name, r->version, n, r->patches_count);
}

int series_place(struct db *db, const struct series_revision *revision, const char *name,
                 struct series_place *place, struct err *err)
{
	int rc;

	*place = (struct series_place){0};
	rc = place_find(db, revision, name, place, err);
	if (rc == 1)
		return revision_match(db, revision, place, err);
	if (rc == 0 && name)
		(void)snprintf(place->name, sizeof(place->name), "%s", name);
	else if (rc == 0)
		rc = name_make(db, revision, place->name, err);
	return rc;
}

/* ---- Writing ---- */

/* What ties further revisions; when that is another series' already, only the user's word does. */
static int key_make(struct db *db, const struct series_revision *r, const char *name, char **key,
                    struct err *err)
{
	int rc;

	*key = r->change_id ? xasprintf("change-id %s", r->change_id) : series_subject_key(r);
	rc = db_step(db, db_query(db, "SELECT 1 FROM series WHERE key = ?1", "s", *key), err);
	if (rc == 1) {
		free(*key);
		*key = xasprintf("name %s", name);
	}
	return rc < 0 ? -1 : 0;
}

static int series_insert(struct db *db, const struct series_revision *r, struct series_place *place,
                         int64_t now_us, struct err *err)
{
	SCOPED_STR key = NULL;
	bool own;

	if (key_make(db, r, place->name, &key, err) < 0)
		return -1;
	own = strncmp(key, "name ", 5) != 0;
	if (db_exec(db, err, NULL,
	            "INSERT INTO series (name, key, title, author, change_id, created)"
	            " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
	            "sssssi", place->name, key, r->title, r->author, own ? r->change_id : NULL,
	            now_us) < 0)
		return -1;
	place->series = db_last_id(db);
	return 0;
}

/* A series that was tied by its subject is tied by its change-id from now on. */
static int change_id_learn(struct db *db, const struct series_revision *r, int64_t series,
                           struct err *err)
{
	if (!r->change_id)
		return 0;
	return db_exec(db, err, NULL,
	               "UPDATE series SET change_id = ?2 WHERE id = ?1 AND change_id IS NULL"
	               " AND NOT EXISTS (SELECT 1 FROM series WHERE change_id = ?2)",
	               "is", series, r->change_id);
}

static int revision_insert(struct db *db, const struct series_revision *r,
                           struct series_place *place, int64_t now_us, struct err *err)
{
	const int64_t *date = r->date_us ? &r->date_us : NULL;
	char label[32];

	(void)snprintf(label, sizeof(label), "v%" PRId64, r->version);
	if (db_exec(db, err, NULL,
	            "INSERT INTO revision (series, version, label, title, author, message_id,"
	            " base_commit, cover, patchset_hash, date, created)"
	            " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
	            "iisssssssIi", place->series, r->version, label, r->title, r->author,
	            r->message_id, *r->base_commit ? r->base_commit : NULL, r->cover,
	            r->patchset_hash, date, now_us) < 0)
		return -1;
	place->revision = db_last_id(db);
	for (size_t i = 0; i < r->patches_count; i++) {
		const struct series_patch *p = &r->patches[i];

		if (db_exec(db, err, NULL,
		            "INSERT INTO patch (revision, n, subject, author, message_id, sha256,"
		            " diff_sha256) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
		            "iisssss", place->revision, (int64_t)i + 1, p->subject, p->author,
		            p->message_id, p->sha256, p->diff_sha256) < 0)
			return -1;
	}
	return db_event(db, now_us, "series", 0, 0, NULL,
	                json_pack("{s:s, s:I, s:s}", "series", place->name, "version",
	                          (json_int_t)r->version, "label", label),
	                err);
}

int series_add(struct db *db, const struct series_revision *revision, struct series_place *place,
               int64_t now_us, struct err *err)
{
	if (place->series ? change_id_learn(db, revision, place->series, err) < 0
	                  : series_insert(db, revision, place, now_us, err) < 0)
		return -1;
	return revision_insert(db, revision, place, now_us, err);
}

/* ---- Reading ---- */

json_t *series_patches(struct db *db, int64_t revision, struct err *err)
{
	sqlite3_stmt *stmt =
		db_query(db,
	                 "SELECT p.n, p.subject, p.author, p.message_id, p.sha256, f.size"
	                 " FROM patch p JOIN file f ON f.sha256 = p.sha256"
	                 " WHERE p.revision = ?1 ORDER BY p.n",
	                 "i", revision);
	SCOPED_JSON list = json_array();
	int rc;

	while ((rc = db_step(db, stmt, err)) == 1)
		(void)json_array_append_new(
			list,
			json_pack("{s:I, s:s, s:s, s:o, s:s, s:I}", "n",
		                  (json_int_t)db_int(stmt, 0), "subject", db_text(stmt, 1),
		                  "author", db_text(stmt, 2), "message_id", column_text(stmt, 3),
		                  "sha256", db_text(stmt, 4), "size", (json_int_t)db_int(stmt, 5)));
	return rc < 0 ? NULL : take_json(&list);
}

#define REVISION_COLUMNS                                                                           \
	"SELECT v.id, v.version, v.label, v.title, v.author, v.message_id, v.base_commit,"         \
	" v.patchset_hash, v.date, v.created, v.cover, s.name"                                     \
	" FROM revision v JOIN series s ON s.id = v.series"

static json_t *revision_json(sqlite3_stmt *stmt)
{
	return json_pack("{s:I, s:I, s:s, s:s, s:s, s:o, s:o, s:s, s:o, s:o}", "id",
	                 (json_int_t)db_int(stmt, 0), "version", (json_int_t)db_int(stmt, 1),
	                 "label", db_text(stmt, 2), "title", db_text(stmt, 3), "author",
	                 db_text(stmt, 4), "message_id", column_text(stmt, 5), "base_commit",
	                 column_text(stmt, 6), "patchset_hash", db_text(stmt, 7), "date",
	                 column_time(stmt, 8), "created", column_time(stmt, 9));
}

/* Its revisions, oldest first. */
static json_t *revisions_of(struct db *db, int64_t series, struct err *err)
{
	sqlite3_stmt *stmt = db_query(
		db, REVISION_COLUMNS " WHERE v.series = ?1 ORDER BY v.version", "i", series);
	SCOPED_JSON list = json_array();
	json_t *patches;
	int rc;

	while ((rc = db_step(db, stmt, err)) == 1) {
		json_t *revision = revision_json(stmt);

		(void)json_array_append_new(list, revision);
		patches = series_patches(db, db_int(stmt, 0), err);
		if (!patches)
			return NULL;
		(void)json_object_set_new(revision, "patches", patches);
	}
	return rc < 0 ? NULL : take_json(&list);
}

#define SERIES_COLUMNS "SELECT id, name, title, author, change_id, created FROM series"

/* The series in the row, with its revisions; NULL with *err. */
static json_t *series_json(struct db *db, sqlite3_stmt *stmt, struct err *err)
{
	json_t *revisions = revisions_of(db, db_int(stmt, 0), err);

	if (!revisions)
		return NULL;
	return json_pack("{s:I, s:s, s:s, s:s, s:o, s:o, s:o}", "id", (json_int_t)db_int(stmt, 0),
	                 "name", db_text(stmt, 1), "title", db_text(stmt, 2), "author",
	                 db_text(stmt, 3), "change_id", column_text(stmt, 4), "created",
	                 column_time(stmt, 5), "revisions", revisions);
}

json_t *series_list(struct db *db, int64_t before, int64_t limit, struct err *err)
{
	sqlite3_stmt *stmt = db_query(db, SERIES_COLUMNS " WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
	                              "ii", before, limit);
	SCOPED_JSON list = json_array();
	int rc;

	while ((rc = db_step(db, stmt, err)) == 1) {
		json_t *series = series_json(db, stmt, err);

		if (!series)
			return NULL;
		(void)json_array_append_new(list, series);
	}
	return rc < 0 ? NULL : take_json(&list);
}

json_t *series_get(struct db *db, const char *name, struct err *err)
{
	sqlite3_stmt *stmt = db_query(db, SERIES_COLUMNS " WHERE name = ?1", "s", name);
	int rc = db_step(db, stmt, err);

	if (rc == 0)
		(void)err_set(err, ERR_NOTFOUND, "no such series: %.64s", name);
	return rc == 1 ? series_json(db, stmt, err) : NULL;
}

int64_t series_find_revision(struct db *db, const char *name, int64_t version, struct err *err)
{
	sqlite3_stmt *stmt = db_query(db,
	                              "SELECT s.id, v.id FROM series s LEFT JOIN revision v"
	                              " ON v.series = s.id AND v.version = ?2 WHERE s.name = ?1",
	                              "si", name, version);
	int rc = db_step(db, stmt, err);

	if (rc < 0)
		return -1;
	if (rc == 0)
		return err_set(err, ERR_NOTFOUND, "no such series: %.64s", name);
	if (!db_text_or_null(stmt, 1))
		return err_set(err, ERR_NOTFOUND, "series %.64s has no v%" PRId64, name, version);
	return db_int(stmt, 1);
}

json_t *series_revision_get(struct db *db, int64_t revision, struct err *err)
{
	sqlite3_stmt *stmt = db_query(db, REVISION_COLUMNS " WHERE v.id = ?1", "i", revision);
	SCOPED_JSON one = NULL;
	SCOPED_JSON patches = NULL;
	SCOPED_JSON builds = NULL;
	SCOPED_JSON jobs = NULL;
	int rc = db_step(db, stmt, err);

	if (rc == 0)
		(void)err_set(err, ERR_NOTFOUND, "no such revision: %" PRId64, revision);
	if (rc != 1)
		return NULL;
	one = revision_json(stmt);
	(void)json_object_set_new(one, "cover", json_string(db_text(stmt, 10)));
	(void)json_object_set_new(one, "series", json_string(db_text(stmt, 11)));
	patches = series_patches(db, revision, err);
	builds = patches ? builds_of_revision(db, revision, BUILDS_MAX, err) : NULL;
	jobs = builds ? jobs_of_revision(db, revision, JOBS_MAX, err) : NULL;
	if (!jobs)
		return NULL;
	(void)json_object_set(one, "patches", patches);
	(void)json_object_set(one, "builds", builds);
	(void)json_object_set(one, "jobs", jobs);
	return take_json(&one);
}

int series_range_diff(struct db *db, int64_t from, int64_t to, char sha256[65], struct err *err)
{
	sqlite3_stmt *stmt = db_query(
		db,
		"SELECT bf.sha256 FROM revision v JOIN build b ON b.revision_id = v.id"
		" JOIN build_file bf ON bf.build = b.id AND bf.role = 'range-diff'"
		" WHERE v.id = ?2 AND ?1 = (SELECT w.id FROM revision w WHERE w.series = v.series"
		" AND w.version < v.version ORDER BY w.version DESC LIMIT 1)"
		" ORDER BY b.id DESC LIMIT 1",
		"ii", from, to);
	int rc = db_step(db, stmt, err);

	(void)snprintf(sha256, 65, "%s", rc == 1 ? db_text(stmt, 0) : "");
	return rc < 0 ? -1 : 0;
}
