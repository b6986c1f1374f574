/* exports.h - the rows of the store that exports are made from (export/export.h). */
#pragma once
#include "server/daemon/export/export.h"

#include <stdbool.h>
#include <stdint.h>

struct db;
struct err;
struct suites;
struct export_source; /* a job with its builds and runs; opaque */

/* The job as it is now. The caller frees it; NULL with *err (ERR_NOTFOUND). suites: what is known to fail; known issues that
 * have expired by now count no more. */
struct export_source *export_source_load(struct db *db, int64_t job, const struct suites *suites,
                                         int64_t now_us, struct err *err);
void export_source_free(struct export_source *source); /* source may be NULL */
const struct export_job *export_source_job(const struct export_source *source);

/* The results of its i-th run, judged; valid until the next call. 0, or -1 with *err. */
int export_source_results(struct export_source *source, struct db *db, size_t i,
                          struct export_results *results, struct err *err);

/* The newest job that tested the revision that a mail is of, and the column of that revision: by Message-ID of its cover
 * letter or of a patch; else the newest revision of the series with that change-id. Either may be NULL. *job is 0 when the
 * farm knows nothing of it. 0, or -1 with *err. */
int export_find_mail(struct db *db, const char *message_id, const char *change_id, int64_t *job,
                     int64_t *column, struct err *err);
