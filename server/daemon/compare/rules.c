/* The rules of the comparison: what a tally says, and what two of them say about a change. */
#include "server/daemon/compare/compare.h"

#include <math.h>
#include <string.h>

/* Chance of being wrong that calling a difference real may have. */
#define ALPHA 0.05

enum compare_state compare_state_of(const struct compare_tally *t)
{
	size_t told = t->pass + t->fail, bad = t->fail + t->warned;

	if (told + t->skip + t->other + t->missing + t->pending == 0)
		return STATE_ABSENT;
	if (t->boards_clean > 0 && t->boards_bad > 0 && t->boards_mixed == 0)
		return STATE_CONFLICT;
	if (bad > 0)
		return bad == told ? STATE_BAD : STATE_MIXED;
	if (t->other + t->missing + t->pending > 0)
		return STATE_UNKNOWN;
	return told > 0 ? STATE_CLEAN : STATE_SKIP;
}

/* If trials fail at the rate of mixed, would that many clean ones in a row be a surprise? */
static bool surprising(const struct compare_tally *mixed, const struct compare_tally *clean)
{
	double rate = (double)(mixed->fail + mixed->warned) / (double)(mixed->pass + mixed->fail);

	return pow(1.0 - rate, (double)(clean->pass + clean->fail)) <= ALPHA;
}

/* Both columns have trials that passed or failed, on boards that agree. */
static enum compare_change change_of_trials(const struct compare_tally *first,
                                            const struct compare_tally *last)
{
	if (first->state == STATE_CLEAN) {
		if (last->state == STATE_CLEAN)
			return CHANGE_STILL_PASSING;
		return surprising(last, first) ? CHANGE_REGRESSED : CHANGE_FLAKY;
	}
	if (last->state == STATE_CLEAN)
		return surprising(first, last) ? CHANGE_FIXED : CHANGE_FLAKY;
	if (first->state == STATE_BAD && last->state == STATE_BAD)
		return CHANGE_STILL_FAILING;
	return CHANGE_FLAKY;
}

static enum compare_change change_of_contract(const struct compare_tally *first,
                                              const struct compare_tally *last)
{
	if (first->state == STATE_ABSENT && last->state == STATE_ABSENT)
		return CHANGE_NO_VERDICT; /* a build in between has it */
	if (first->state == STATE_ABSENT)
		return CHANGE_NEW;
	if (last->state == STATE_ABSENT)
		return CHANGE_GONE;
	if (first->state == STATE_CONFLICT || last->state == STATE_CONFLICT)
		return CHANGE_CONFLICT;
	if (last->state == STATE_SKIP)
		return CHANGE_SKIPPED;
	if (first->state == STATE_UNKNOWN || last->state == STATE_UNKNOWN ||
	    first->state == STATE_SKIP)
		return CHANGE_NO_VERDICT;
	return change_of_trials(first, last);
}

enum compare_change compare_change_of(const struct compare_tally *first,
                                      const struct compare_tally *last, enum compare_test_kind kind)
{
	enum compare_change change = change_of_contract(first, last);

	if (kind != COMPARE_CONTRACT &&
	    (change == CHANGE_REGRESSED || change == CHANGE_STILL_FAILING ||
	     change == CHANGE_FLAKY || change == CHANGE_CONFLICT))
		return CHANGE_EXPECTED_GAP;
	if ((change == CHANGE_STILL_FAILING || change == CHANGE_FLAKY ||
	     change == CHANGE_CONFLICT) &&
	    first->known + last->known > 0 && first->known == first->fail &&
	    last->known == last->fail)
		return CHANGE_KNOWN_FAILING;
	return change;
}

/* Missing, broken and untold results never make a green column. */
enum compare_verdict compare_verdict_of(const struct compare_column *c)
{
	if (c->open > 0)
		return COLUMN_RUNNING;
	if (c->fail + c->cell_fail + c->warnings > 0)
		return COLUMN_FAIL;
	if (c->runs == 0)
		return COLUMN_NO_VERDICT;
	if (c->missing + c->contract_other + c->broken > 0)
		return COLUMN_INCOMPLETE;
	return c->contract_pass > 0 ? COLUMN_PASS : COLUMN_NO_VERDICT;
}

const char *compare_change_name(enum compare_change change)
{
	static const char *const names[CHANGE_COUNT] = {
		[CHANGE_REGRESSED] = "regressed",
		[CHANGE_CONFLICT] = "conflict",
		[CHANGE_FLAKY] = "flaky",
		[CHANGE_STILL_FAILING] = "still-failing",
		[CHANGE_FIXED] = "fixed",
		[CHANGE_NO_VERDICT] = "no-verdict",
		[CHANGE_NEW] = "new",
		[CHANGE_GONE] = "gone",
		[CHANGE_EXPECTED_GAP] = "expected-gap",
		[CHANGE_KNOWN_FAILING] = "known-failing",
		[CHANGE_SKIPPED] = "skipped",
		[CHANGE_STILL_PASSING] = "still-passing",
	};

	return names[change];
}

const char *compare_verdict_name(enum compare_verdict verdict)
{
	static const char *const names[] = {
		[COLUMN_PASS] = "pass",
		[COLUMN_FAIL] = "fail",
		[COLUMN_NO_VERDICT] = "no-verdict",
		[COLUMN_INCOMPLETE] = "incomplete",
		[COLUMN_RUNNING] = "running",
	};

	return names[verdict];
}

static const char *const kinds[] = {"contract", "gap", "info"};

const char *compare_kind_name(enum compare_test_kind kind)
{
	return kinds[kind];
}

enum compare_test_kind compare_kind_parse(const char *name)
{
	for (unsigned i = COMPARE_GAP; i <= COMPARE_INFO; i++)
		if (strcmp(kinds[i], name) == 0)
			return (enum compare_test_kind)i;
	return COMPARE_CONTRACT;
}
