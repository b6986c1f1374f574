/* run.h - the states of a run as docs/STATES.md has them: pure functions, no clock, no store.
 *
 * The farm and the simulation (tests/sim) drive the same functions: run_apply() says what an event makes of a
 * run, run_act() what is to be done about it, and doing it twice does no harm. Times are wall microseconds. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum run_phase { RUN_QUEUED, RUN_RUNNING, RUN_DONE, RUN_FAILED, RUN_CANCELLED };

enum run_outcome { RUN_OUTCOME_COMPLETE, RUN_OUTCOME_CANCELLED, RUN_OUTCOME_FAULT };

/* What a run is for. But for the first, builders run it. */
enum run_purpose {
	PURPOSE_TEST,
	PURPOSE_BUILD, /* it makes a kernel */
	PURPOSE_GIT,   /* it asks a repository something */
};

struct run_state {
	enum run_phase phase;
	bool cancelling;
	bool waiting; /* queued, but not in the queue: its kernel is not there yet (build.h) */
	int64_t attempt, max_attempts;
	int64_t fence; /* of the lease that it holds; 0: none */
	int64_t not_before, expires;
};

enum run_event_kind {
	RUN_EV_LEASE,  /* fence: of the lease */
	RUN_EV_CANCEL, /* a person said so */
	RUN_EV_TIME,   /* it is now: has it waited too long? */
	RUN_EV_ENDED,  /* fence: of the attempt that ended; outcome */
	RUN_EV_BUILT, /* its kernel is there: it waits no more; expires: until when it may stand in the queue */
	RUN_EV_UNBUILT, /* its kernel will never be there */
};

struct run_event {
	enum run_event_kind kind;
	int64_t now, fence, expires;
	enum run_outcome outcome;
};

/* Change run by event. False when the event does not apply (another state, a stale fence): run is unchanged. */
bool run_apply(struct run_state *run, const struct run_event *event);

enum run_act {
	RUN_ACT_RUN = 1, /* request.json is to be there and cohort-board to know of the attempt */
	RUN_ACT_CANCEL = 2,  /* cohort-board is to be told to cancel */
	RUN_ACT_FILL = 4,    /* planned tests without a result get `missing` in the last attempt */
	RUN_ACT_RELEASE = 8, /* the lease is to go; then call run_released() */
};

/* What is to be done about run: a set of enum run_act. */
unsigned run_act(const struct run_state *run);

/* The lease is gone. */
void run_released(struct run_state *run);

/* When run_apply() with RUN_EV_TIME will do something: INT64_MAX for never. */
int64_t run_due(const struct run_state *run);

bool run_ended(const struct run_state *run);

/* "queued" … as in the store. */
const char *run_phase_name(enum run_phase phase);
bool run_phase_parse(const char *name, enum run_phase *phase);
bool run_purpose_parse(const char *name, enum run_purpose *purpose);
const char *run_outcome_name(enum run_outcome outcome);
bool run_outcome_parse(const char *name, enum run_outcome *outcome);
