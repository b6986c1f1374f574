/* The rules of the comparison: what a tally says, and what two of them say about a change. */
#include "server/daemon/compare/compare.h"

#include "common/xalloc.h"
#include "server/daemon/compare/stats.h"

#include <stdlib.h>
#include <string.h>

size_t compare_told(const struct compare_tally *t)
{
	return t->pass + t->fail;
}

size_t compare_bad(const struct compare_tally *t)
{
	return t->fail + t->warned;
}

enum compare_state compare_state_of(const struct compare_tally *t)
{
	size_t told = compare_told(t), bad = compare_bad(t);

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
	double rate = (double)compare_bad(mixed) / (double)compare_told(mixed);

	return stats_would_show(rate, compare_told(clean)) >= 1 - STATS_ALPHA;
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

enum compare_change compare_change_of_row(const struct compare_tally *tally, size_t last,
                                          enum compare_test_kind kind)
{
	enum compare_change change = compare_change_of(&tally[0], &tally[last], kind);

	if (change != CHANGE_STILL_FAILING && change != CHANGE_FLAKY &&
	    change != CHANGE_KNOWN_FAILING)
		return change;
	for (size_t c = 1; c < last; c++)
		if (compare_change_of(&tally[0], &tally[c], kind) == CHANGE_FIXED &&
		    compare_change_of(&tally[c], &tally[last], kind) == CHANGE_REGRESSED)
			return CHANGE_FIXED_THEN_LOST;
	return change;
}

size_t compare_trials_needed(const struct compare_tally *first, const struct compare_tally *last)
{
	const struct compare_tally *clean = first->state == STATE_CLEAN ? first : last;
	const struct compare_tally *bad = clean == first ? last : first;
	size_t needed;

	if (clean->state != STATE_CLEAN || bad->state != STATE_MIXED)
		return 0;
	needed = stats_clean_needed((double)compare_bad(bad) / (double)compare_told(bad),
	                            STATS_ALPHA);
	return needed > compare_told(clean) && needed < SIZE_MAX ? needed - compare_told(clean) : 0;
}

/* bad is not clean: what do clean's trials prove beside bad's rate? */
static char *proof_of_clean(const struct compare_tally *bad, const struct compare_tally *clean,
                            const char *which)
{
	double rate = (double)compare_bad(bad) / (double)compare_told(bad);
	size_t n = compare_told(clean), needed = stats_clean_needed(rate, STATS_ALPHA);

	if (n >= needed && bad->state == STATE_BAD)
		return NULL; /* goes without saying */
	if (n >= needed)
		return xasprintf(
			"0 of %zu; at the %s rate of %.3g %% it would have shown with %.4g %%", n,
			which, 100 * rate, 100 * stats_would_show(rate, n));
	return xasprintf("0 of %zu; at the %s rate of %.3g %% it takes %zu clean trials to tell", n,
	                 which, 100 * rate, needed);
}

char *compare_proof(const struct compare_row *row, size_t column)
{
	const struct compare_tally *first = &row->tally[0], *last = &row->tally[column];

	if (column == 0 || compare_told(first) == 0 || compare_told(last) == 0)
		return NULL;
	if (compare_bad(first) > 0 && compare_bad(last) == 0)
		return proof_of_clean(first, last, "old");
	if (compare_bad(first) == 0 && compare_bad(last) > 0)
		return proof_of_clean(last, first, "new");
	if (first->state != STATE_MIXED && last->state != STATE_MIXED)
		return NULL;
	return xasprintf("%zu of %zu, then %zu of %zu: %s (p = %.2g)", compare_bad(first),
	                 compare_told(first), compare_bad(last), compare_told(last),
	                 last->p <= STATS_ALPHA ? "the rate changed"
	                                        : "no change of the rate is shown",
	                 last->p);
}

/* Missing, broken and untold results never make a green column. */
enum compare_verdict compare_verdict_of(const struct compare_column *c)
{
	if (c->build_failed)
		return COLUMN_NO_VERDICT;
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

const char *compare_state_name(enum compare_state state)
{
	static const char *const names[] = {
		[STATE_ABSENT] = "absent",     [STATE_UNKNOWN] = "unknown", [STATE_SKIP] = "skip",
		[STATE_CLEAN] = "clean",       [STATE_BAD] = "bad",         [STATE_MIXED] = "mixed",
		[STATE_CONFLICT] = "conflict",
	};

	return names[state];
}

/* For the line of a row: F→F→P. */
char compare_state_letter(enum compare_state state)
{
	static const char letters[] = {
		[STATE_ABSENT] = '-',   [STATE_UNKNOWN] = '?', [STATE_SKIP] = 'S',
		[STATE_CLEAN] = 'P',    [STATE_BAD] = 'F',     [STATE_MIXED] = 'f',
		[STATE_CONFLICT] = 'C',
	};

	return letters[state];
}

const char *compare_seen_name(enum compare_seen seen)
{
	static const char *const names[] = {
		[SEEN_FAILING] = "fails", [SEEN_PASSING] = "passes", [SEEN_NOTHING] = "no-verdict"};

	return names[seen];
}

const char *compare_note(const char *cache, const char *kind)
{
	if (strcmp(kind, "qemu") == 0)
		return "QEMU holds one copy of memory: a pass here says nothing about coherency";
	if (strcmp(kind, "host") == 0)
		return "a host tests the farm itself: a pass here says nothing about coherency";
	if (strcmp(cache, "none") == 0)
		return "no ARM cache here: a pass says nothing about coherency";
	return NULL;
}

const char *compare_change_name(enum compare_change change)
{
	static const char *const names[CHANGE_COUNT] = {
		[CHANGE_REGRESSED] = "regressed",
		[CHANGE_FIXED_THEN_LOST] = "fixed-then-lost",
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
		[COLUMN_NOT_SENSITIVE] = "not-sensitive",
		[COLUMN_SENSITIVE] = "sensitive",
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
