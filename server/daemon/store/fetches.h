/* fetches.h - the table fetch: builds that come in by URL (server/daemon/fetch). */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct db;
struct err;

struct fetch_row {
	int64_t id;
	char *name;      /* owned: of the build */
	json_t *request; /* owned: the build, its files {"kernel": {"url", "sha256"}} */
};
void fetch_row_release(struct fetch_row *row);

/* The request as what POST /builds takes: its files by SHA-256. The caller owns it. */
json_t *fetch_build(const json_t *request);

/* Ask for it, or find that it was asked for: *fresh says that there is something to do. A build that was asked for with
 * another content, or has the name, is ERR_CONFLICT; one that failed is tried again. Returns the id, or -1 with *err. */
int64_t fetch_ask(struct db *db, const char *name, const json_t *request, int64_t now_us,
                  bool *fresh, struct err *err);

/* The oldest that is not done: 1, none: 0, or -1 with *err. The caller calls fetch_row_release(). */
int fetch_next(struct db *db, struct fetch_row *row, struct err *err);

/* Tell watchers how far a file is; total -1: not known. */
int fetch_progress(struct db *db, const struct fetch_row *row, const char *role, int64_t done,
                   int64_t total, int64_t now_us, struct err *err);

/* It became this build; or (build 0) it failed, for what detail says. */
int fetch_end(struct db *db, int64_t id, const char *name, const char *detail, int64_t build,
              int64_t now_us, struct err *err);

/* As docs/API.md has them, but for what came of each file. The caller owns it; NULL with *err. */
json_t *fetch_get(struct db *db, int64_t id, struct err *err);
json_t *fetch_list(struct db *db, int64_t before, int64_t limit, struct err *err);
