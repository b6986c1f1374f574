/* fetch.h - builds that were made elsewhere come in by URL: a thread that fetches their files one by one and registers the
 * build when all are there.
 *
 * What is to be fetched is in the store (table fetch) and what came of a file is in STATE/files/incoming, so that a restart of
 * cohortd goes on where it was. Nothing here runs on the store's thread but short transactions. */
#pragma once
#include "server/daemon/fetch/where.h"

#include <stdint.h>

struct err;
struct fetcher; /* opaque */
struct store;

struct fetch_config {
	struct store *store; /* borrowed, as all else */
	const char *state_dir;
	struct fetch_where where;
	const char *ca; /* NULL: the system's */
	int64_t file_max;
};

/* Start the thread, which takes up what is not done. NULL with *err. */
struct fetcher *fetch_open(const struct fetch_config *config, struct err *err);

/* There may be something new in the store. Any thread. */
void fetch_kick(struct fetcher *fetcher);

const struct fetch_where *fetch_where(const struct fetcher *fetcher);

/* End within a second; what is not done stays for the next start. fetcher may be NULL. */
void fetch_close(struct fetcher *fetcher);
