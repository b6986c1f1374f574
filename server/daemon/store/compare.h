/* compare.h - the rows of the store that a comparison is made from. */
#pragma once
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct db;
struct err;

struct suites;

#define COMPARE_RESULTS_MAX 1000000 /* rows of one comparison */

struct compare_query {
	int64_t job;           /* the runs of this job, or 0 */
	const int64_t *builds; /* else runs of these builds in any job, base first */
	size_t builds_count;
	const char *suite; /* with builds: only of this suite; NULL: the one that they ran */
	const struct suites *suites; /* what is known to fail; may be NULL */
};

/* The comparison as docs/API.md has it. The caller owns it; NULL with *err: ERR_NOTFOUND for the job or a build,
 * ERR_INVALID when a suite must be said, ERR_TOOBIG. */
json_t *compare_load(struct db *db, const struct compare_query *query, struct err *err);
