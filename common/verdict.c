#include "common/verdict.h"

#include <string.h>

static const char *const names[VERDICT_COUNT] = {
	[VERDICT_MISSING] = "missing",
	[VERDICT_PASS] = "pass",
	[VERDICT_FAIL] = "fail",
	[VERDICT_SKIP] = "skip",
	[VERDICT_INCONCLUSIVE] = "inconclusive",
	[VERDICT_ERROR] = "error",
};

const char *verdict_name(enum verdict v)
{
	return (unsigned)v < VERDICT_COUNT ? names[v] : names[VERDICT_ERROR];
}

bool verdict_parse(const char *name, enum verdict *v)
{
	for (unsigned i = 0; i < VERDICT_COUNT; i++) {
		if (strcmp(names[i], name) == 0) {
			*v = (enum verdict)i;
			return true;
		}
	}
	return false;
}

enum verdict verdict_of_exit(int code)
{
	switch (code) {
	case 0:
		return VERDICT_PASS;
	case 1:
		return VERDICT_FAIL;
	case 4:
		return VERDICT_SKIP;
	default:
		return VERDICT_ERROR;
	}
}

bool skip_reason_valid(const char *word)
{
	static const char *const words[] = {"noconfig",   "nodev",     "noperm",        "nosys",
	                                    "old-kernel", "no-memory", "not-applicable"};

	for (unsigned i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcmp(words[i], word) == 0)
			return true;
	return strncmp(word, "not-applicable(", 15) == 0 && word[strlen(word) - 1] == ')';
}
