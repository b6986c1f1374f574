/* known_issues.h - the table known_issue: failures that people know of, where, why, and until when. */
#pragma once
#include "server/daemon/store/store.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct err;

struct known_issue {
	const char *suite, *test, *cells; /* test and cells are patterns (plan/glob.h) */
	const char *cache, *board;        /* board: pattern, or NULL: any */
	const char *why, *link;           /* link may be NULL */
	int64_t expires_us;               /* 0: never */
};

/* Issues with ids below before, newest first, as docs/API.md has them; suite NULL: of any; active: only those that count
 * now. The caller owns the array; NULL with *err. */
json_t *known_issue_list(struct db *db, const char *suite, bool active, int64_t now_us,
                         int64_t before, int64_t limit, struct err *err);

/* NULL with *err (ERR_NOTFOUND). */
json_t *known_issue_get(struct db *db, int64_t id, int64_t now_us, struct err *err);

int known_issue_add(struct db *db, const struct known_issue *issue, int64_t now_us, int64_t *id,
                    struct err *err);

/* Members that are NULL stay; so does expires_us without set_expires. ERR_NOTFOUND. */
struct known_issue_change {
	const char *why, *link;
	bool set_expires;
	int64_t expires_us; /* 0: never */
};
int known_issue_change(struct db *db, int64_t id, const struct known_issue_change *change,
                       struct err *err);
int known_issue_delete(struct db *db, int64_t id, struct err *err);

/* The issues of a suite that count now: id, test, cells, cache, board, why, link. */
sqlite3_stmt *known_issues_query(struct db *db, const char *suite, int64_t now_us);
