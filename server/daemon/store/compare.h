/* compare.h - the rows of the store that a comparison is made from. */
#pragma once
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct comparison;
struct db;
struct err;
struct suites;

#define COMPARE_ENTRIES_MAX 1000000 /* rows of all lanes of one comparison */

struct compare_query {
	int64_t job;           /* the runs of this job, or 0 */
	const int64_t *builds; /* else runs of these builds in any job, base first */
	size_t builds_count;
	const char *suite; /* with builds: only of this suite; NULL: the one that they ran */
	const struct suites *suites; /* what is known to fail; may be NULL */
	int64_t now_us;              /* known issues that have expired by now count no more */
};

/* A comparison with all that it borrows. */
struct compare_loaded; /* opaque */

/* The caller frees it; NULL with *err: ERR_NOTFOUND for the job or a build, ERR_INVALID when a suite must be said,
 * ERR_TOOBIG. */
struct compare_loaded *compare_load(struct db *db, const struct compare_query *query,
                                    struct err *err);
void compare_loaded_free(struct compare_loaded *loaded);

const struct comparison *compare_loaded_get(const struct compare_loaded *loaded);

/* The document that docs/API.md has, of *len bytes; the caller frees. */
char *compare_loaded_json(const struct compare_loaded *loaded, size_t *len);

/* The same for who reads it here: compare_load() and the document, as a reference that the caller owns; NULL with *err. */
json_t *compare_document(struct db *db, const struct compare_query *query, struct err *err);
