/* jobs.h - the table job: storing a planned submission, and jobs as the API shows them. */
#pragma once
#include <jansson.h>
#include <stdint.h>

struct db;
struct err;
struct plan;

/* Store the job with its runs, queued, and their events; request is the submission as it came. Sets *id. */
int job_insert(struct db *db, const struct plan *plan, const char *request, int64_t now_us,
               int64_t *id, struct err *err);

/* One job with its runs and tests. A reference that the caller owns, or NULL with *err (ERR_NOTFOUND). */
json_t *job_view(struct db *db, int64_t id, struct err *err);

/* Jobs with ids below before, newest first, of one state (NULL: any), without their runs, tests and selectors. */
json_t *job_list(struct db *db, const char *state, int64_t before, int64_t limit, struct err *err);

/* Jobs with runs of builds of a revision, in the same form. */
json_t *jobs_of_revision(struct db *db, int64_t revision, int64_t limit, struct err *err);
