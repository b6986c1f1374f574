/* ranges.h - the table git_range: commits of a builder's repository that are to become a revision (docs/SERIES.md has its
 * states). */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct db;
struct err;
struct git_answer;
struct plan;

struct range_new {
	const struct plan *plan; /* plan_make_range() */
	const char *span;
	const char *series;  /* may be NULL */
	int64_t version;     /* 0: not said */
	const char *request; /* JSON, as it came */
};

/* Ask a builder for it; one that is asked for and open is the same. Returns its id, or -1 with *err. */
int64_t range_ask(struct db *db, const struct range_new *ask, int64_t now, bool *fresh,
                  struct err *err);

/* As docs/API.md has them; the caller owns it; NULL with *err (ERR_NOTFOUND). The list: newest first, with ids below before. */
json_t *range_get(struct db *db, int64_t id, struct err *err);
json_t *range_list(struct db *db, int64_t before, int64_t limit, struct err *err);

/* Its run has ended. */
int range_settle(struct db *db, int64_t run, const struct git_answer *answer, int64_t now,
                 struct err *err);

/* One whose mails wait to be read. */
struct range_row {
	int64_t id, version;
	char *mails, *series; /* owned; series may be NULL */
};

/* 1: there is one, and the caller calls range_row_release(); 0: none; -1 with *err. */
int range_next(struct db *db, struct range_row *row, struct err *err);
void range_row_release(struct range_row *row);

/* They were read: they are that revision, or 0 and detail says why not. */
int range_end(struct db *db, int64_t id, int64_t revision, const char *detail, int64_t now,
              struct err *err);
