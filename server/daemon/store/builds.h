/* builds.h - the tables build and build_file. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct db;
struct err;
struct jx_errors;

/* What a submitter says of a build; NULL where it says nothing. */
struct build_new {
	const char *name, *release, *build_id, *arch, *description, *cmdline;
	const char *config_sha256, *compiler, *series, *revision;
	json_t *files; /* {"kernel": SHA256, ...}, or NULL */
};

/* Make it, or find that it is there with equal content (*old). Files that are not there become complaints at
 * "/files/ROLE". Returns its id; 0 when there are complaints; -1 with *err (ERR_CONFLICT: the name has another content). */
int64_t build_create(struct db *db, const struct build_new *build, int64_t now_us, bool *old,
                     struct jx_errors *errors, struct err *err);

struct build_filter {
	int64_t before, limit;      /* ids below, newest first */
	const char *state, *series; /* NULL: any */
};

/* One build as docs/API.md has it, or a list of them. NULL with *err. */
json_t *build_get(struct db *db, int64_t id, struct err *err);
json_t *builds_list(struct db *db, const struct build_filter *filter, struct err *err);

/* Builds of a revision of a series, newest first. */
json_t *builds_of_revision(struct db *db, int64_t revision, int64_t limit, struct err *err);

/* Its files by role: {"kernel": {"sha256", "size"}}; none when there is no such build. NULL with *err. */
json_t *build_files(struct db *db, int64_t build, struct err *err);
