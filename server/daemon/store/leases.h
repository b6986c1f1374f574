/* leases.h - who has which board: the table lease, with the attempt that goes with it. */
#pragma once
#include <stdint.h>

struct attempt_ref;
struct db;
struct err;

enum lease_answer {
	LEASE_GIVEN,
	LEASE_NO_RUN,   /* it is not queued any more, or not yet to be tried again */
	LEASE_NO_BOARD, /* it is not idle in the store, or disabled */
};

/* Give board to run, all in this transaction: the board's next fencing number, the lease, the attempt, the run's
 * state, the events. 0 with *answer, and *ref to be released when LEASE_GIVEN; or -1 with *err. */
int store_lease_give(struct db *db, int64_t run, const char *board, int64_t now,
                     enum lease_answer *answer, struct attempt_ref *ref, struct err *err);

/* Each lease. fn returns 0 to go on. */
struct lease {
	const char *board;
	int64_t fence, run, attempt, since;
};
typedef int store_lease_fn(void *arg, const struct lease *lease);
int store_leases(struct db *db, store_lease_fn *fn, void *arg, struct err *err);
