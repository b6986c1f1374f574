/* run_views.h - runs and their attempts as the API shows them (docs/API.md). Changing them: runs.h. */
#pragma once
#include <jansson.h>
#include <stdint.h>

struct db;
struct err;

struct run_filter {
	int64_t job;                       /* 0: of any job */
	const char *board, *state, *cache; /* NULL: any */
	int64_t before, limit;             /* ids below, newest first */
};

/* All return a reference that the caller owns, or NULL with *err; ERR_NOTFOUND when there is no such run. */
json_t *run_list(struct db *db, const struct run_filter *filter, struct err *err);
json_t *run_of_job(struct db *db, int64_t job, struct err *err); /* all, oldest first */

/* One run with its facts and the names of its tests. */
json_t *run_view(struct db *db, int64_t id, struct err *err);

/* Oldest first. */
json_t *run_attempts(struct db *db, int64_t id, struct err *err);

/* The last attempt of the run: 0 when it has none yet; -1 with *err. */
int64_t run_last_attempt(struct db *db, int64_t id, struct err *err);
