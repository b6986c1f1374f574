#include "server/daemon/export/outcome.h"

#include <string.h>

static const struct outcome_row rows[OUTCOME_COUNT] = {
	[OUTCOME_MISSING] = {"missing", false, "ERROR", JUNIT_ERROR, "MISS", "warn"},
	[OUTCOME_ERROR] = {"error", false, "ERROR", JUNIT_ERROR, "ERROR", "warn"},
	[OUTCOME_INCONCLUSIVE] = {"inconclusive", false, "ERROR", JUNIT_ERROR, "ERROR", "warn"},
	[OUTCOME_SKIP] = {"skip", true, "SKIP", JUNIT_SKIPPED, "SKIP", NULL},
	[OUTCOME_GAP] = {"gap", false, "XFAIL", JUNIT_SKIPPED, "DONE", NULL},
	[OUTCOME_KNOWN] = {"known", false, "XFAIL", JUNIT_SKIPPED, "FAIL", NULL},
	[OUTCOME_FAIL] = {"fail", false, NULL, JUNIT_FAILURE, "FAIL", "fail"},
	[OUTCOME_WARNED] = {"warned", false, NULL, JUNIT_FAILURE, "FAIL", "fail"},
	[OUTCOME_MEASURED] = {"measured", true, NULL, JUNIT_NOTHING, "DONE", "pass"},
	[OUTCOME_PASS] = {"pass", true, NULL, JUNIT_NOTHING, "PASS", "pass"},
};

static enum outcome of_fail(const struct outcome_facts *f)
{
	if (strcmp(f->kind, "contract") != 0)
		return OUTCOME_GAP;
	return f->known ? OUTCOME_KNOWN : OUTCOME_FAIL;
}

static enum outcome of_pass(const struct outcome_facts *f)
{
	if (f->warned)
		return OUTCOME_WARNED;
	return strcmp(f->kind, "info") == 0 ? OUTCOME_MEASURED : OUTCOME_PASS;
}

enum outcome outcome_of(const struct outcome_facts *f)
{
	switch (f->verdict) {
	case VERDICT_MISSING:
		return OUTCOME_MISSING;
	case VERDICT_PASS:
		return of_pass(f);
	case VERDICT_FAIL:
		return of_fail(f);
	case VERDICT_SKIP:
		return OUTCOME_SKIP;
	case VERDICT_INCONCLUSIVE:
		return OUTCOME_INCONCLUSIVE;
	case VERDICT_ERROR:
	case VERDICT_COUNT:
		break;
	}
	return OUTCOME_ERROR;
}

const struct outcome_row *outcome_row(enum outcome outcome)
{
	return &rows[outcome];
}
