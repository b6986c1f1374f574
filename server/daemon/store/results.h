/* results.h - reading the tables result and evidence. A run's results are those of its last attempt. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct db;
struct err;

struct result_filter {
	int64_t job, run; /* 0: any */
	const char *test, *cell, *verdict, *cache,
		*board; /* NULL: any; cell "": tests' own results */
};

/* How many results one call looks at when neither a job nor a run says where to look: a filter that nothing fits must
 * not read the whole table. */
#define RESULT_LOOK 50000

/* At most limit results with ids below before, newest first; *next is what to give as before for more, or 0 at the
 * end. There may be fewer than limit, even none, and still more to come (RESULT_LOOK). The caller owns the array;
 * NULL with *err. */
json_t *result_list(struct db *db, const struct result_filter *filter, int64_t before,
                    int64_t limit, int64_t *next, struct err *err);

/* Where a walk over all results of a filter is: behind the last result it gave. Starts as zeros. */
struct result_walk {
	bool ended;           /* there are no more */
	int64_t id;           /* without a job or a run */
	int64_t run, test_id; /* with one */
	char *cell;           /* owned */
};
void result_walk_release(struct result_walk *walk);

/* The next results, at most limit, oldest first: of a job or run by run and then in the order of the plan. Moves *walk
 * on. An empty array is the end only when walk->ended says so (RESULT_LOOK); NULL with *err. */
json_t *result_walk(struct db *db, const struct result_filter *filter, struct result_walk *walk,
                    int64_t limit, struct err *err);

/* One result with its "evidence". NULL with *err (ERR_NOTFOUND). */
json_t *result_view(struct db *db, int64_t id, struct err *err);

/* Its attempt, and when its test ran: tests run one after the other, so it is from the end of the one before. */
struct result_window {
	int64_t run, attempt, from_us, to_us;
};
int result_window(struct db *db, int64_t id, struct result_window *window, struct err *err);
