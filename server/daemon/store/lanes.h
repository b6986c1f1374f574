/* lanes.h - the table lane: what the ended runs of a column on a board say together (compare/lane.h).
 *
 * A run is folded into its lane in the transaction that ends it, so that a comparison reads some rows and not each result.
 * Runs that are open are read as they are. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct compare_lane;
struct db;
struct err;
struct intern;
struct lane;
struct store;

/* The run has ended: fold it, unless it is. faulted: its last attempt ended with a fault that the table attempt does not
 * have yet. Inside a write transaction. */
int lane_fold(struct db *db, int64_t run, bool faulted, struct err *err);

/* Fold ended runs of a store that an older cohortd wrote, or that a program filled: some hundreds in a transaction. Call it
 * before anything compares; it does nothing when there are none. */
int lanes_rebuild(struct store *store, struct err *err);

/* What a run that is not folded says, added to lane: its results, its kernel warnings (counted), and once it has ended the
 * numbers that it measured. */
struct lane_run {
	int64_t id, attempt, planned;
	bool open;
};
int lane_load_run(struct db *db, const struct lane_run *run, struct lane *lane, size_t *warnings,
                  struct intern *texts, struct err *err);
