/* attempts.h - what the journal of an attempt brings into the store: stages, results, evidence, its end.
 * Each may be done again with the same values (a replay) and then changes nothing. */
#pragma once
#include "server/daemon/schedule/run.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct db;
struct err;
struct run_state;

/* What does not change during an attempt. */
struct attempt_ref {
	int64_t run, attempt, fence;
	int64_t job, build, column;
	enum run_purpose purpose;   /* PURPOSE_BUILD: another job may take the run over */
	char *board, *cache, *kind; /* owned */
	json_t *plan;               /* owned: run.plan */
	int64_t offset;             /* in the store */
};

/* Read it. The caller calls attempt_ref_release(). 0, or -1 with *err (ERR_NOTFOUND). */
int store_attempt_ref(struct db *db, int64_t run, int64_t attempt, struct attempt_ref *ref,
                      struct err *err);
void attempt_ref_release(struct attempt_ref *ref);

/* Ids of the plan's tests that have a result in this attempt. */
typedef int store_finished_fn(void *arg, int64_t test_id);
int store_attempt_finished(struct db *db, const struct attempt_ref *ref, store_finished_fn *fn,
                           void *arg, struct err *err);

int store_attempt_offset(struct db *db, const struct attempt_ref *ref, int64_t offset,
                         struct err *err);
int store_attempt_stage(struct db *db, const struct attempt_ref *ref, const char *stage,
                        int64_t now, struct err *err);

/* Facts of the machine as proved: they become the board's too. */
int store_attempt_facts(struct db *db, const struct attempt_ref *ref, const json_t *facts,
                        int64_t now, struct err *err);

/* The test that runs now; NULL: none. */
int store_attempt_test(struct db *db, const struct attempt_ref *ref, const char *name,
                       struct err *err);

struct attempt_result {
	int64_t test_id, rep;
	const char *test, *cell; /* cell "": the test's own result */
	const char *test_kind, *verdict;
	const char *reason, *detail, *fault_class; /* may be NULL */
	int64_t trials, bad, masked, duration_us, time;
};

/* A test's own result also counts as arrived and is told to watchers. */
int store_attempt_result(struct db *db, const struct attempt_ref *ref,
                         const struct attempt_result *result, struct err *err);

/* test_id NULL: between tests. */
int store_attempt_evidence(struct db *db, const struct attempt_ref *ref, const int64_t *test_id,
                           const char *cell, const json_t *record, struct err *err);

/* How many rows of evidence the attempt has. */
int store_attempt_evidence_count(struct db *db, const struct attempt_ref *ref, int64_t *count,
                                 struct err *err);

/* An event of its run for watchers; data is taken over. */
int store_attempt_event(struct db *db, const struct attempt_ref *ref, const char *kind, int64_t now,
                        json_t *data, struct err *err);

/* The attempt ended, with all that follows for the run (runs.h). outcome: as run.h names it; fault: JSON or NULL. *state
 * is the run's after it. *applied false: the lease is not this attempt's, and nothing changed. */
int store_attempt_end(struct db *db, const struct attempt_ref *ref, const char *outcome,
                      const char *fault, int64_t now, bool *applied, struct run_state *state,
                      struct err *err);
