/* test_stats.c - the statistics against published values and against SciPy 1.10.1, whose calls stand beside them. */
#include "server/daemon/compare/stats.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define LENGTH(a) (sizeof(a) / sizeof(*(a)))

static void close_to(double is, double wanted)
{
	if (!(fabs(is - wanted) <= 1e-9 * (1 + fabs(wanted))))
		fail_msg("%.15g, not %.15g", is, wanted);
}

/* binomtest(k, n).proportion_ci(0.95, "wilson") */
static void test_wilson(void **state)
{
	static const struct {
		size_t k, n;
		double low, high;
	} rows[] = {
		{0, 10, 0.0, 0.27753279986288926},
		{1, 10, 0.017876213095072896, 0.4041500267952385},
		{5, 10, 0.236593090512564, 0.7634069094874361},
		{10, 10, 0.7224672001371109, 1.0},
		{7, 300, 0.011347660299125234, 0.04737197226827532},
		{0, 300, 0.0, 0.012642971224546036},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct stats_interval is = stats_wilson(rows[i].k, rows[i].n);

		close_to(is.low, rows[i].low);
		close_to(is.high, rows[i].high);
	}
	close_to(stats_wilson(0, 0).low, 0);
	close_to(stats_wilson(0, 0).high, 1);
}

/* fisher_exact(); (3, 1, 1, 3) is Fisher's lady tasting tea, 34/70. */
static void test_fisher(void **state)
{
	static const struct {
		size_t bad1, good1, bad2, good2;
		double p;
	} rows[] = {
		{3, 1, 1, 3, 34.0 / 70},
		{8, 2, 1, 5, 0.034965034965034975},
		{1, 9, 11, 3, 0.0027594561852200836},
		{0, 10, 10, 0, 1.082508822446903e-05},
		{10, 10, 10, 10, 1.0},
		{0, 5, 0, 7, 1.0},
		{7, 293, 0, 300, 0.015081792148407757},
		{2, 15, 3, 15, 1.0},
		{190, 800, 200, 900, 0.5741118581260882},
		{667, 0, 667, 0, 1.0},
		{40, 627, 21, 646, 0.017642817693106758},
		{300, 367, 100, 567, 1.1468257122810265e-33},
		{500, 167, 0, 667, 1.96102762098233e-220},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		double p = stats_fisher(rows[i].bad1, rows[i].bad1 + rows[i].good1, rows[i].bad2,
		                        rows[i].bad2 + rows[i].good2);

		/* Also of what is tiny, the digits. */
		if (!(fabs(p - rows[i].p) <= 1e-7 * rows[i].p))
			fail_msg("row %zu: %.15g, not %.15g", i, p, rows[i].p);
	}
}

static void test_clean_runs(void **state)
{
	(void)state;
	assert_int_equal(stats_clean_needed(0.023, 0.001), 297);
	assert_int_equal(stats_clean_needed(0.5, 0.05), 5);
	assert_int_equal(stats_clean_needed(1, 0.05), 1);
	assert_true(stats_clean_needed(0, 0.05) == SIZE_MAX);
	close_to(stats_would_show(0.023, 300), 1 - pow(0.977, 300));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wilson),
		cmocka_unit_test(test_fisher),
		cmocka_unit_test(test_clean_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
