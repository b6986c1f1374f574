/* verdict.h - the words a result can end with, in one table (docs/WIRE.md, "Verdicts"). */
#pragma once
#include <stdbool.h>

enum verdict {
	VERDICT_MISSING = 0, /* planned, no result: never a pass */
	VERDICT_PASS,
	VERDICT_FAIL,
	VERDICT_SKIP, /* with one of the fixed reason words */
	VERDICT_INCONCLUSIVE,
	VERDICT_ERROR, /* the test broke, not the kernel */
	VERDICT_COUNT,
};

const char *verdict_name(enum verdict v);

/* Set *v from its name; false when there is no such verdict. */
bool verdict_parse(const char *name, enum verdict *v);

/* The verdict of a program that printed no result line, from its kselftest exit code:
 * 0 pass, 1 fail, 4 skip, anything else error. */
enum verdict verdict_of_exit(int code);

/* Is word one of the fixed skip reasons (noconfig nodev noperm nosys old-kernel no-memory
 * not-applicable)? not-applicable may carry "(class)". */
bool skip_reason_valid(const char *word);
