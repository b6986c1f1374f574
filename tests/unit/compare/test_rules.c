/* Each class of change, each state and each column verdict by an example. */
#include "server/daemon/compare/compare.h"
#include "server/daemon/compare/stats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Tallies of one board. */
#define PASS(n)                                                                                    \
	{                                                                                          \
		.pass = (n), .boards_clean = 1                                                     \
	}
#define FAIL(n)                                                                                    \
	{                                                                                          \
		.fail = (n), .boards_bad = 1                                                       \
	}
#define KNOWN(n)                                                                                   \
	{                                                                                          \
		.fail = (n), .known = (n), .boards_bad = 1                                         \
	}
#define SOME(p, f)                                                                                 \
	{                                                                                          \
		.pass = (p), .fail = (f), .boards_mixed = 1                                        \
	}
#define SKIP                                                                                       \
	{                                                                                          \
		.skip = 3                                                                          \
	}
#define MISSING                                                                                    \
	{                                                                                          \
		.missing = 3                                                                       \
	}
#define PENDING                                                                                    \
	{                                                                                          \
		.pending = 3                                                                       \
	}
#define BROKE                                                                                      \
	{                                                                                          \
		.other = 3                                                                         \
	}
#define PART(p, m)                                                                                 \
	{                                                                                          \
		.pass = (p), .missing = (m), .boards_clean = 1                                     \
	}
#define WARNED(p, w)                                                                               \
	{                                                                                          \
		.pass = (p), .warned = (w), .boards_bad = (p) == (w), .boards_mixed = (p) != (w)   \
	}
#define DISAGREE                                                                                   \
	{                                                                                          \
		.pass = 3, .fail = 3, .boards_clean = 1, .boards_bad = 1                           \
	}
#define ABSENT                                                                                     \
	{                                                                                          \
		0                                                                                  \
	}

static void test_states(void **state)
{
	static const struct {
		struct compare_tally tally;
		enum compare_state is;
	} rows[] = {
		{ABSENT, STATE_ABSENT},
		{PASS(1), STATE_CLEAN},
		{FAIL(2), STATE_BAD},
		{SOME(1, 1), STATE_MIXED},
		{SKIP, STATE_SKIP},
		{MISSING, STATE_UNKNOWN},
		{PENDING, STATE_UNKNOWN},
		{BROKE, STATE_UNKNOWN},
		{PART(2, 1), STATE_UNKNOWN}, /* missing is never green */
		{{.fail = 1, .missing = 2, .boards_bad = 1},
	         STATE_BAD}, /* what failed has failed */
		{{.pass = 2, .skip = 1, .boards_clean = 1}, STATE_CLEAN},
		{WARNED(3, 3), STATE_BAD},
		{WARNED(3, 1), STATE_MIXED},
		{DISAGREE, STATE_CONFLICT},
		{{.pass = 4, .fail = 3, .boards_clean = 1, .boards_bad = 1, .boards_mixed = 1},
	         STATE_MIXED},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (compare_state_of(&rows[i].tally) != rows[i].is)
			fail_msg("row %u: %d", i, (int)compare_state_of(&rows[i].tally));
}

static void test_changes(void **state)
{
	static const struct {
		struct compare_tally first, last;
		enum compare_test_kind kind;
		const char *is;
	} rows[] = {
		{PASS(3), PASS(3), COMPARE_CONTRACT, "still-passing"},
		{PASS(3), FAIL(3), COMPARE_CONTRACT, "regressed"},
		{FAIL(3), PASS(3), COMPARE_CONTRACT, "fixed"},
		{FAIL(3), FAIL(1), COMPARE_CONTRACT, "still-failing"},
		{PASS(3), WARNED(3, 3), COMPARE_CONTRACT, "regressed"},
		/* 1 of 2 would show in 10 clean trials; 1 of 10 need not. */
		{PASS(10), SOME(1, 1), COMPARE_CONTRACT, "regressed"},
		{PASS(10), SOME(9, 1), COMPARE_CONTRACT, "flaky"},
		{SOME(1, 1), PASS(5), COMPARE_CONTRACT, "fixed"},
		{SOME(1, 1), PASS(4), COMPARE_CONTRACT, "flaky"},
		{SOME(1, 1), SOME(1, 1), COMPARE_CONTRACT, "flaky"},
		{SOME(1, 1), FAIL(2), COMPARE_CONTRACT, "flaky"},
		{FAIL(2), SOME(1, 1), COMPARE_CONTRACT, "flaky"},
		{PASS(3), DISAGREE, COMPARE_CONTRACT, "conflict"},
		{DISAGREE, PASS(3), COMPARE_CONTRACT, "conflict"},
		{ABSENT, PASS(3), COMPARE_CONTRACT, "new"},
		{ABSENT, FAIL(3), COMPARE_CONTRACT, "new"},
		{PASS(3), ABSENT, COMPARE_CONTRACT, "gone"},
		{ABSENT, ABSENT, COMPARE_CONTRACT, "no-verdict"},
		{SKIP, SKIP, COMPARE_CONTRACT, "skipped"},
		{PASS(3), SKIP, COMPARE_CONTRACT, "skipped"},
		{SKIP, PASS(3), COMPARE_CONTRACT, "no-verdict"},
		{PASS(3), MISSING, COMPARE_CONTRACT, "no-verdict"},
		{PASS(3), PART(2, 1), COMPARE_CONTRACT, "no-verdict"},
		{MISSING, PASS(3), COMPARE_CONTRACT, "no-verdict"},
		{PASS(3), PENDING, COMPARE_CONTRACT, "no-verdict"},
		{BROKE, PASS(3), COMPARE_CONTRACT, "no-verdict"},
		{FAIL(3), FAIL(3), COMPARE_GAP, "expected-gap"},
		{PASS(3), FAIL(3), COMPARE_GAP, "expected-gap"},
		{SOME(1, 2), SOME(2, 1), COMPARE_GAP, "expected-gap"},
		{FAIL(3), PASS(3), COMPARE_GAP, "fixed"},
		{PASS(3), PASS(3), COMPARE_INFO, "still-passing"},
		{FAIL(3), FAIL(3), COMPARE_INFO, "expected-gap"},
		{KNOWN(3), KNOWN(3), COMPARE_CONTRACT, "known-failing"},
		{KNOWN(3), FAIL(3), COMPARE_CONTRACT, "still-failing"},
		{KNOWN(3), PASS(3), COMPARE_CONTRACT, "fixed"},
		{PASS(3), KNOWN(3), COMPARE_CONTRACT, "regressed"},
		{KNOWN(3), KNOWN(3), COMPARE_GAP, "expected-gap"},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct compare_tally first = rows[i].first, last = rows[i].last;
		const char *is;

		first.state = compare_state_of(&first);
		last.state = compare_state_of(&last);
		is = compare_change_name(compare_change_of(&first, &last, rows[i].kind));
		if (strcmp(is, rows[i].is) != 0)
			fail_msg("row %u: %s, not %s", i, is, rows[i].is);
	}
}

static void test_lost_again(void **state)
{
	struct compare_tally failed = FAIL(3), passed = PASS(3), some = SOME(1, 1);
	struct compare_tally row[3] = {failed, passed, failed};

	(void)state;
	for (int i = 0; i < 3; i++)
		row[i].state = compare_state_of(&row[i]);
	assert_string_equal(compare_change_name(compare_change_of_row(row, 2, COMPARE_CONTRACT)),
	                    "fixed-then-lost");
	assert_string_equal(compare_change_name(compare_change_of_row(row, 1, COMPARE_CONTRACT)),
	                    "fixed");
	assert_string_equal(compare_change_name(compare_change_of_row(row, 2, COMPARE_GAP)),
	                    "expected-gap");
	/* One good run between proves no fix of what fails every second time. */
	some.state = compare_state_of(&some);
	row[0] = row[2] = some;
	row[1].pass = 1;
	assert_string_equal(compare_change_name(compare_change_of_row(row, 2, COMPARE_CONTRACT)),
	                    "flaky");
}

static void test_proof(void **state)
{
	static const struct {
		struct compare_tally first, last;
		const char *says;
	} rows[] = {
		{SOME(293, 7), PASS(300),
	         "0 of 300; at the old rate of 2.33 % it would have shown with 99.92 %"},
		{SOME(293, 7), PASS(5),
	         "0 of 5; at the old rate of 2.33 % it takes 127 clean trials to tell"},
		{PASS(20), SOME(1, 1),
	         "0 of 20; at the new rate of 50 % it would have shown with 100 %"},
		{SOME(10, 10), SOME(19, 1),
	         "10 of 20, then 1 of 20: the rate changed (p = 0.0033)"},
		{SOME(10, 10), SOME(11, 9),
	         "10 of 20, then 9 of 20: no change of the rate is shown (p = 1)"},
		{FAIL(3), FAIL(3), NULL},
		{PASS(3), PASS(3), NULL},
		{MISSING, PASS(3), NULL},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct compare_tally tally[2] = {rows[i].first, rows[i].last};
		struct compare_row row = {.tally = tally};
		char *is;

		tally[0].state = compare_state_of(&tally[0]);
		tally[1].state = compare_state_of(&tally[1]);
		tally[1].p = stats_fisher(compare_bad(&tally[0]), compare_told(&tally[0]),
		                          compare_bad(&tally[1]), compare_told(&tally[1]));
		is = compare_proof(&row, 1);
		if (rows[i].says)
			assert_string_equal(is, rows[i].says);
		else
			assert_null(is);
		free(is);
	}
}

static void test_trials_needed(void **state)
{
	static const struct {
		struct compare_tally first, last;
		size_t needed;
	} rows[] = {
		{PASS(10), SOME(9, 1), 19}, /* 0.9^29 <= 0.05 < 0.9^28 */
		{SOME(9, 1), PASS(28), 1},   {SOME(9, 1), PASS(29), 0}, {FAIL(3), PASS(3), 0},
		{SOME(9, 1), SOME(9, 1), 0}, {PASS(3), PASS(3), 0},     {MISSING, SOME(9, 1), 0},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct compare_tally first = rows[i].first, last = rows[i].last;

		first.state = compare_state_of(&first);
		last.state = compare_state_of(&last);
		assert_int_equal(compare_trials_needed(&first, &last), rows[i].needed);
	}
}

static void test_columns(void **state)
{
	static const struct {
		struct compare_column column;
		const char *is;
	} rows[] = {
		{{0}, "no-verdict"},
		{{.runs = 1, .open = 1, .fail = 3}, "running"},
		{{.runs = 1, .contract_pass = 3, .pass = 3}, "pass"},
		{{.runs = 1, .contract_pass = 3, .skip = 2}, "pass"},
		{{.runs = 1, .contract_pass = 3, .gap_fail = 2}, "pass"},
		{{.runs = 1, .contract_pass = 3, .fail = 1}, "fail"},
		{{.runs = 1, .contract_pass = 3, .cell_fail = 1}, "fail"},
		{{.runs = 1, .contract_pass = 3, .warnings = 1}, "fail"},
		{{.runs = 1, .contract_pass = 3, .missing = 1}, "incomplete"},
		{{.runs = 1, .contract_pass = 3, .broken = 1}, "incomplete"},
		{{.runs = 1, .contract_pass = 3, .contract_other = 1}, "incomplete"},
		{{.runs = 1, .missing = 1, .fail = 1}, "fail"},
		{{.runs = 1, .skip = 3}, "no-verdict"},
		{{.runs = 1, .broken = 1, .missing = 3, .build_failed = "mm/mmap.c:3"},
	         "no-verdict"},
		{{.runs = 1, .pass = 2}, "no-verdict"}, /* gap and info tests alone prove nothing */
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *is = compare_verdict_name(compare_verdict_of(&rows[i].column));

		if (strcmp(is, rows[i].is) != 0)
			fail_msg("row %u: %s, not %s", i, is, rows[i].is);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states),     cmocka_unit_test(test_changes),
		cmocka_unit_test(test_lost_again), cmocka_unit_test(test_proof),
		cmocka_unit_test(test_columns),    cmocka_unit_test(test_trials_needed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
