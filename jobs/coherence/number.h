/* number.h - trials that look at one number instead of a page: what a function returned, how many completions came,
 * whether a wait ended at once. The test says which fault it is when the number is another one. */
#pragma once
#include "ctx.h"

struct number {
	unsigned int cell, iteration;
	enum fault fault;       /* what it is when got is not want */
	uint32_t want, got;     /* go into the record's first words */
	const void *va;         /* what it is about, or NULL */
	unsigned int length;    /* bytes at va; 0: one word */
	enum tag tag;           /* what was found instead; TAG_STALE is 0 */
	struct switches before; /* machine_switches() before the act */
};

/* Count one trial, and when got is not want the fault, with a record. A trial in which another process ran counts as
 * masked where that hides faults. Returns true when it was wrong. */
bool number_check(struct ctx *ctx, const struct number *number);
