/* delivery.h - the states of something that goes out (docs/NIGHTLY.md, "Deliveries"): pure, times are wall
 * microseconds. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define DELIVERY_TRIES 76 /* with the waits between them: about three days */
#define DELIVERY_DOUBT 2  /* times that it may be handed over without an answer */

enum delivery_phase {
	DELIVERY_QUEUED,
	DELIVERY_SENDING,
	DELIVERY_HANDED, /* a mail that is whole with the other side, but for the line that ends it */
	DELIVERY_SENT,
	DELIVERY_FAILED,
};

struct delivery_state {
	enum delivery_phase phase;
	int64_t tries, doubt, next_try;
};

enum delivery_event {
	DELIVERY_EV_START,
	DELIVERY_EV_HAND,
	DELIVERY_EV_SENT,    /* the other side has it, and said so */
	DELIVERY_EV_TROUBLE, /* not now: it said so, or was not there */
	DELIVERY_EV_REFUSED, /* never */
	DELIVERY_EV_LOST,    /* whoever was sending went away, or the answer did not come */
};

/* Change state by event. False when the event does not apply; state is unchanged then. */
bool delivery_apply(struct delivery_state *state, enum delivery_event event, int64_t now);

/* Is it time to try? A try that is further away than any wait was planned by a clock that is set back now. */
bool delivery_due(int64_t next_try, int64_t now);

const char *delivery_phase_name(enum delivery_phase phase);
bool delivery_phase_parse(const char *name, enum delivery_phase *phase);
