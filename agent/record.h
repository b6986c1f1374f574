/* record.h - the records that a test program prints, and the verdict that its end makes of them. */
#pragma once
#include "common/verdict.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Is this an object whose "type" is one of docs/WIRE.md, section 1? record may be NULL. */
bool record_known(const json_t *record);

/* What made a test end, besides its own will. */
enum stop {
	STOP_NONE = 0,
	STOP_TIMEOUT,
	STOP_OUTPUT,
	STOP_MEMORY,
	STOP_CANCEL,
	STOP_EXEC, /* it never ran */
};

struct ending {
	enum stop stop;
	int status;           /* of wait4() */
	const char *why;      /* STOP_EXEC: the reason's text, else NULL */
	const json_t *result; /* the program's result record, or NULL */
	unsigned results;     /* how many came */
};

struct judgement {
	enum verdict verdict;
	char reason[64];               /* "" for none */
	json_t *detail;                /* borrowed from the record, or NULL */
	const char *text;              /* detail when the record has none; may be NULL */
	json_t *trials, *bad;          /* borrowed, or NULL */
	int64_t ktap_trials, ktap_bad; /* of KTAP, in place of them */
};

struct ktap_outcome;

/* The verdict of a program that prints KTAP. What its results say counts; its exit code can make a pass worse, or say that
 * it skipped in the middle. */
struct judgement record_judge_ktap(const struct ending *end, const struct ktap_outcome *ktap);

/* The verdict: how it was stopped outranks a signal, which outranks the result record, which outranks the exit code.
 * A record that breaks the rules (no such verdict, "missing", a skip without a fixed word, two results) is an error. */
struct judgement record_judge(const struct ending *end);
