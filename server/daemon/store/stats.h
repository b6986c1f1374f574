/* stats.h - numbers over the whole store, for /metrics. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct db;
struct err;

#define STATS_BOARD_STATES 5
#define STATS_RUN_STATES   5
#define STATS_VERDICTS     6 /* VERDICT_COUNT */

struct stats_count {
	const char *word;
	int64_t count;
};

struct stats_gauges {
	struct stats_count boards[STATS_BOARD_STATES], runs[STATS_RUN_STATES];
	int64_t queue; /* runs that are queued */
};

int stats_gauges(struct db *db, struct stats_gauges *gauges, struct err *err);

/* Counts that only grow are kept by the caller, and brought up to date by the rows that are new: a table with millions
 * of results is not read for each scrape. Begin with zeros. */
struct stats_totals {
	int64_t result_id; /* the newest that is counted */
	struct stats_count verdicts[STATS_VERDICTS];
};

int stats_totals_update(struct db *db, struct stats_totals *totals, struct err *err);
