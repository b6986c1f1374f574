/* series.h - the tables series, revision and patch. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct db;
struct err;
struct series_revision;

/* Where a revision belongs. */
struct series_place {
	int64_t series;   /* 0: it is to be made */
	int64_t revision; /* 0: it is new; else the one with the same diffs */
	char name[65];    /* of the series */
};

/* Find it. name: the user's word, or NULL. 0, or -1 with *err: ERR_CONFLICT when the series has this version with other
 * diffs. */
int series_place(struct db *db, const struct series_revision *revision, const char *name,
                 struct series_place *place, struct err *err);

/* Make what is not there of place, whose revision is 0; the files of the patches are in the store. Sets its ids. */
int series_add(struct db *db, const struct series_revision *revision, struct series_place *place,
               int64_t now_us, struct err *err);

/* Series by newest first, with ids below before; or one, by name. As docs/API.md has them; the caller owns it; NULL with
 * *err (ERR_NOTFOUND). */
json_t *series_list(struct db *db, int64_t before, int64_t limit, struct err *err);
json_t *series_get(struct db *db, const char *name, struct err *err);

/* The id of a revision, or -1 with *err (ERR_NOTFOUND). */
int64_t series_find_revision(struct db *db, const char *name, int64_t version, struct err *err);

/* One revision with its cover letter, builds and jobs. */
json_t *series_revision_get(struct db *db, int64_t revision, struct err *err);

/* Its patches: [{"n","subject","author","message_id","sha256","size"}]. */
json_t *series_patches(struct db *db, int64_t revision, struct err *err);

/* The newest file of role range-diff that a build of this revision has, when `from` is the version before it: its SHA-256,
 * "" when there is none. -1 with *err. */
int series_range_diff(struct db *db, int64_t from, int64_t to, char sha256[65], struct err *err);
