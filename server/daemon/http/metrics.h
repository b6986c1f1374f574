/* metrics.h - what the server counts of itself, and /metrics. */
#pragma once
#include "server/daemon/http/http.h"

struct metrics; /* opaque; its counters are atomic */

/* For the routes of tables (borrowed). */
struct metrics *metrics_new(const struct http_route *const *tables);
void metrics_free(struct metrics *metrics);

/* One request was answered; route NULL: none matched. */
void metrics_request(struct metrics *metrics, const struct http_route *route, int status);

/* A write waited this long for its commit. */
void metrics_commit(struct metrics *metrics, int64_t us);

/* One stream of events more (+1) or less (-1). Returns how many there are now. */
int metrics_streams(struct metrics *metrics, int change);

/* The whole page; the caller frees it. NULL with *err. */
char *metrics_text(struct metrics *metrics, struct db *db, size_t *len, struct err *err);
