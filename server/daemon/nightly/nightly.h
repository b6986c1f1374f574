/* nightly.h - the thread of cohortd that submits by the clock, makes the digest and the deliveries of webhooks. What it
 * decides is in step.h and report/; this only waits for the right moment, also when the clock is set. */
#pragma once
#include "server/daemon/store/world.h"

#include <stdbool.h>

struct err;
struct nightly; /* opaque */
struct report;
struct store;

struct nightly_config {
	struct store *store; /* borrowed, as all are */
	struct world_config world;
	struct report *report;   /* NULL: nothing goes out */
	void (*kick)(void *arg); /* there are new jobs */
	void *arg;
};

/* Start the thread. Returns what the caller closes, or NULL with *err. */
struct nightly *nightly_open(const struct nightly_config *config, struct err *err);

/* A schedule changed. Any thread. */
void nightly_kick(struct nightly *nightly);
void nightly_close(struct nightly *nightly); /* nightly may be NULL */
