/* rounds.h - the rounds that a job adds until it is decided (docs/SERIES.md, "A study").
 *
 * A slot here is what is compared: all runs of a job on one cache class and kind of board. Behind each of its rounds the
 * comparison says what is still open; that, and base, gets the next one. Deciding reads, making writes: the round that is
 * made names the one that it follows, so that neither a restart nor two deciders make it twice. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct db;
struct err;
struct suites;

/* Jobs that may get another round. fn returns 0 to go on. */
typedef int round_job_fn(void *arg, int64_t job);
int rounds_jobs(struct db *db, round_job_fn *fn, void *arg, struct err *err);

struct rounds_config {
	const struct suites *suites; /* what is known to fail is no question */
	int64_t now_us;
	json_t *closed; /* an object, kept from call to call: slots that need no look until they have another round */
};

/* What is to be done about a job: {"job", "busy": slots with runs that have not ended, "rounds": [{"cache", "kind", "follows":
 * round, "columns": [numbers], "tests": [names]}]}. NULL with *err. */
json_t *rounds_decide(struct db *db, int64_t job, const struct rounds_config *config,
                      struct err *err);

/* Make the rounds, or end the job's deciding when there is nothing to make and nothing busy. *made: runs that were made. */
int rounds_make(struct db *db, const json_t *decision, int64_t now, int64_t *made, struct err *err);
