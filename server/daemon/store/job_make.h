/* job_make.h - a job document becomes a job inside a write transaction, as POST /jobs makes it: for what submits by
 * itself. */
#pragma once
#include <jansson.h>
#include <stdint.h>

struct db;
struct err;
struct jx_errors;
struct world_config;

/* Plan doc and store its job. Complaints go to *errors, and then nothing is stored. *job gets the id (0 with
 * complaints); job NULL: only see whether it could be made. 0, or -1 with *err. */
int job_make(struct db *db, const struct world_config *config, json_t *doc, int64_t now_us,
             int64_t *job, struct jx_errors *errors, struct err *err);

/* Put the names of builds in the place of "latest:SERIES" and "latest:SERIES/PATTERN" (docs/NIGHTLY.md). Columns that
 * such a reference stands for are labelled by it where doc has no labels, so that they have one name every night.
 * Complains where there is no such build. 0, or -1 with *err. */
int job_latest(struct db *db, json_t *doc, struct jx_errors *errors, struct err *err);
