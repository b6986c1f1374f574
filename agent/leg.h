/* leg.h - where one leg (one agent session inside an attempt) lives below the agent's root, and who may start it.
 *
 *   ROOT/lock                    held while a leg is started or removed; the name of the last leg is in it
 *   ROOT/fence                   the highest fencing number seen
 *   ROOT/runs/RUN.ATTEMPT.LEG/   request.json, journal.ndjson, work/ and
 *                     lock       flock held while the worker lives; the worker's pid is in it
 * A leg exists once its journal has a line. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct err;

struct leg {
	int64_t run, attempt, number;
	char *root, *dir, *request, *journal, *lock, *work; /* owned */
};

void leg_init(struct leg *leg, const char *root, int64_t run, int64_t attempt, int64_t number);

/* The same from "RUN.ATTEMPT.LEG". Returns 0, or -1 with *err (ERR_INVALID). */
int leg_parse(struct leg *leg, const char *root, const char *name, struct err *err);

void leg_release(struct leg *leg);

bool leg_exists(const struct leg *leg);

/* Does a worker hold the leg's lock? */
bool leg_alive(const struct leg *leg);

/* Wait for ROOT/lock. Returns a descriptor that holds it until it is closed, or -1 with *err. */
int root_lock(const char *root, struct err *err);

/* Refuse a fence below the highest that was seen (ERR_DENIED), keep a higher one. With ROOT/lock held. */
int root_fence(const char *root, int64_t fence, struct err *err);

/* Take the leg's lock for the worker-to-be. Returns the descriptor, or -1 with *err (ERR_CONFLICT). */
int leg_lock(const struct leg *leg, struct err *err);

/* Ask the worker to end. Returns 0 also when it has ended; -1 with *err (ERR_NOTFOUND: no such leg). */
int leg_cancel(const struct leg *leg, struct err *err);

/* Make leg the one that ROOT/lock (descriptor root) names. The leg that was named before is over: a worker that still
 * lives is made to end, and what a dead one left running is killed; a board has one worker. Returns 0, or -1 with *err
 * (ERR_CONFLICT: it would not end). */
int leg_take_over(int root, const struct leg *leg, struct err *err);

/* Remove the leg's directory. Refused while a worker lives (ERR_CONFLICT); none there is fine. */
int leg_clean(const struct leg *leg, struct err *err);

/* Remove path and all below it, as far as it can be; never follows a link, never leaves the file system. */
void remove_tree(const char *path);
