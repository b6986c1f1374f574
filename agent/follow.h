/* follow.h - print a leg's journal from an offset, live. */
#pragma once
#include "agent/leg.h"

struct err;

enum follow_end {
	FOLLOW_FINISHED = 0, /* agent-finished was printed */
	FOLLOW_DEAD = 3,     /* the worker is dead without it */
	FOLLOW_NO_LEG = 4,
	FOLLOW_GONE = 5, /* nobody reads out any more */
};

/* Write whole lines of the leg's journal from byte offset from on to out, as they come, until it ends. bell is a
 * descriptor that becomes readable with each line and at the worker's death (start.h), or -1: then the file is watched.
 * An offset behind the end is an error (ERR_INVALID). Returns one of enum follow_end, or -1 with *err. */
int follow_leg(const struct leg *leg, int64_t from, int out, int bell, struct err *err);
