/* When more rounds would tell something, and when they would not. */
#include "server/daemon/compare/open.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
	struct open_tally base, other;
	bool open;
} pairs[] = {
	/* Stable ones ask nothing, however few trials they had. */
	{{1, 0}, {1, 0}, false},
	{{300, 0}, {300, 0}, false},
	{{1, 1}, {1, 1}, false},
	{{0, 0}, {4, 2}, false},
	{{4, 2}, {0, 0}, false},
	/* Always failing before, and clean once: that is no chance. */
	{{3, 3}, {1, 0}, false},
	{{1, 0}, {3, 3}, false},
	/* Failing at 2.33 %: ln(0.05) / ln(1 - 7/300) = 126.88, so 127 clean trials decide, 126 do not. */
	{{300, 7}, {126, 0}, true},
	{{300, 7}, {127, 0}, false},
	{{126, 0}, {300, 7}, true},
	{{127, 0}, {300, 7}, false},
	/* One of two: ln(0.05) / ln(0.5) = 4.32. */
	{{2, 1}, {4, 0}, true},
	{{2, 1}, {5, 0}, false},
	/* Both fail, at rates that are alike, or different: 18 of 20 and 2 of 20. */
	{{20, 9}, {20, 10}, true},
	{{20, 18}, {20, 2}, false},
	{{4, 4}, {4, 2}, true},
	/* p 0.0225 and 0.0373: below a half of 0.05, and not. */
	{{20, 12}, {20, 4}, false},
	{{12, 12}, {12, 7}, true},
	{{40, 40}, {40, 20}, false},
};

static void test_pairs(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if (open_pair(&pairs[i].base, &pairs[i].other, 1) != pairs[i].open)
			fail_msg("pair %zu", i);
}

static void test_intervals(void **state)
{
	(void)state;
	assert_true(open_interval(0.95, 1.05, 0.5, 1));    /* could be either */
	assert_false(open_interval(1.01, 1.20, 0.001, 1)); /* dearer */
	assert_false(open_interval(0.80, 0.99, 0.001, 1)); /* cheaper */
	assert_false(open_interval(0.98, 1.02, 0.5, 1));   /* no difference that counts */
	assert_true(open_interval(0.98, 1.031, 0.5, 1));
	assert_false(open_interval(NAN, 1, NAN, 1));
}

/* The tenth look may be wrong with a 110th of 0.05, and has to see a clearer difference than the first. */
static void test_looks(void **state)
{
	static const struct open_tally base = {20, 12}, other = {20, 4};

	(void)state;
	assert_false(open_interval(1.01, 1.20, 0.025, 1));
	assert_true(open_interval(1.01, 1.20, 0.0251, 1));
	assert_true(open_interval(1.01, 1.20, 0.025, 2));
	assert_true(open_interval(1.01, 1.20, 0.0005, 10));
	assert_false(open_interval(1.01, 1.20, 0.00045, 10));
	assert_false(open_interval(0.98, 1.02, 0.5, 1000));
	assert_false(open_pair(&base, &other, 1));
	assert_true(open_pair(&base, &other, 2));
}

/* Of base and three columns, the last a control: rows and columns that are open, and base with them. */
static void test_view(void **state)
{
	struct open_tally flaky[] = {{4, 2}, {2, 0}, {9, 0}, {2, 0}};
	struct open_tally stable[] = {{4, 0}, {4, 0}, {4, 0}, {4, 2}};
	char a[] = "a", b[] = "b";
	const struct open_row rows[] = {{a, flaky}, {b, stable}};
	const double low[] = {NAN, 1.1, 0.9, 0.9}, high[] = {NAN, 1.2, 1.1, 1.1},
		     p[] = {NAN, 0, 0, 0};
	const struct open_ratio ratios[] = {{"c", low, high, p}};
	const bool asked[] = {false, true, true, false};
	const struct open_view view = {rows, 2, ratios, 1, 4, 1, asked};
	const struct open_view decided = {rows + 1, 1, NULL, 0, 4, 1, asked};
	bool row[2], ratio[1], column[4];

	(void)state;
	assert_true(study_open(&view, row, ratio, column));
	assert_true(row[0]);
	assert_false(row[1]);
	assert_true(ratio[0]);
	assert_true(column[0] && column[1] && column[2]);
	assert_false(column[3]);
	assert_false(study_open(&decided, row, ratio, column));
	assert_false(row[0] || column[0] || column[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_intervals),
		cmocka_unit_test(test_looks),
		cmocka_unit_test(test_view),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
