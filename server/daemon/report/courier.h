/* courier.h - takes deliveries of one kind from the store to their carrier, one at a time. */
#pragma once
#include "server/daemon/report/carrier.h"

struct courier; /* opaque: a thread */
struct err;
struct store;

/* Start the thread; what an earlier process had under way is settled first. kind and carrier are borrowed; mail says that
 * it is to be handed over. NULL with *err. */
struct courier *courier_open(struct store *store, const char *kind, const struct carrier *carrier,
                             struct err *err);
void courier_kick(struct courier *courier);  /* there is something new */
void courier_close(struct courier *courier); /* may be NULL */

/* One delivery, if there is one due: for the thread, and for tests that own the time. 1: one was tried, 0: none, and *due
 * says when; -1 with *err. clock gives the time for what happens in it. */
struct courier_step {
	struct store *store;
	const char *kind;
	const struct carrier *carrier;
	int64_t (*clock)(void);
	const _Atomic bool *stop;
};
int courier_step(const struct courier_step *step, int64_t *due, struct err *err);
int courier_recover(const struct courier_step *step, struct err *err);
