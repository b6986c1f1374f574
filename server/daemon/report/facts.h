/* facts.h - everything that a report tells, read from the store and the logs. */
#pragma once
#include <jansson.h>
#include <stdint.h>

struct db;
struct err;
struct suites;

struct facts_source {
	const struct suites *suites;
	const char *state_dir;
	int64_t now_us; /* wall */
};

/* {"job","schedule","compare","before","since","findings","without"} of one job; findings are those with evidence, without
 * counts the rest. The caller owns it; NULL with *err (ERR_NOTFOUND). */
json_t *facts_load(struct db *db, const struct facts_source *source, int64_t id, struct err *err);

/* The same without findings and without, for which nobody has to read logs. */
json_t *facts_summary(struct db *db, const struct facts_source *source, int64_t id,
                      struct err *err);
