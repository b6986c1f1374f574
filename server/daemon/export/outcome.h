/* outcome.h - what a result is called elsewhere: the one table of docs/EXPORT.md. Pure. */
#pragma once
#include "common/verdict.h"

#include <stdbool.h>

enum outcome {
	OUTCOME_MISSING,
	OUTCOME_ERROR,
	OUTCOME_INCONCLUSIVE,
	OUTCOME_SKIP,
	OUTCOME_GAP,
	OUTCOME_KNOWN,
	OUTCOME_FAIL,
	OUTCOME_WARNED,
	OUTCOME_MEASURED,
	OUTCOME_PASS,
	OUTCOME_COUNT,
};

enum outcome_junit { JUNIT_NOTHING, JUNIT_FAILURE, JUNIT_ERROR, JUNIT_SKIPPED };

struct outcome_row {
	const char *name;
	bool ktap_ok;
	const char *ktap_directive; /* NULL: none */
	enum outcome_junit junit;
	const char *kcidb;
	const char *b4; /* NULL: it says nothing */
};

/* What is known around a verdict. */
struct outcome_facts {
	enum verdict verdict;
	const char *kind; /* contract, gap, info */
	bool known;       /* to fail on this cache class */
	bool warned;      /* the kernel complained while it ran */
};

enum outcome outcome_of(const struct outcome_facts *facts);
const struct outcome_row *outcome_row(enum outcome outcome);
