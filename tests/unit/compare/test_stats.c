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
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++)
		close_to(stats_fisher(rows[i].bad1, rows[i].bad1 + rows[i].good1, rows[i].bad2,
		                      rows[i].bad2 + rows[i].good2),
		         rows[i].p);
}

/* mannwhitneyu(x, y), exact where there is no tie, else asymptotic. The last of the exact ones is the placental
 * permeability of Hollander and Wolfe 1973, p. 69, of R's manual. */
static void test_mann_whitney(void **state)
{
	static const double a[] = {19, 22, 16, 29, 24}, b[] = {20, 11, 17, 12}, c[] = {1, 2, 3},
			    d[] = {4, 5, 6}, e[] = {1, 1, 2, 3, 3}, f[] = {2, 3, 4, 4, 5},
			    term[] = {0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46},
			    weeks12[] = {1.15, 0.88, 0.90, 0.74, 1.21};
	double many[40], later[30];

	(void)state;
	close_to(stats_mann_whitney(a, 5, b, 4), 0.1111111111111111);
	close_to(stats_mann_whitney(c, 3, d, 3), 0.1);
	close_to(stats_mann_whitney(d, 3, c, 3), 0.1);
	close_to(stats_mann_whitney(term, 10, weeks12, 5), 0.2544122544122544);
	close_to(stats_mann_whitney(e, 5, f, 5), 0.06960100257898734);
	close_to(stats_mann_whitney(a, 5, b, 0), 1);
	close_to(stats_mann_whitney(e, 2, e, 2), 1); /* all the same */
	for (int i = 0; i < 40; i++)
		many[i] = i * 1.5;
	for (int i = 0; i < 30; i++)
		later[i] = 10.2 + i * 2;
	close_to(stats_mann_whitney(many, 40, later, 30), 0.030320623515809587);
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

static void test_median(void **state)
{
	double odd[] = {3, 1, 2}, even[] = {4, 1, 3, 2};

	(void)state;
	close_to(stats_median(odd, 3), 2);
	close_to(stats_median(even, 4), 2.5);
	close_to(stats_median(even, 0), 0);
}

/* scipy.stats.bootstrap((x, y), statistic=lambda x, y: median(y) / median(x), method="percentile") draws otherwise:
 * the ends agree to 1 %. */
static void test_ratio(void **state)
{
	static const double x[] = {100, 101, 99, 102, 98, 100.5, 99.5, 103, 97, 100.2},
			    y[] = {110, 112, 108, 111, 109, 113, 110.5, 107, 109.5, 111.5};
	struct stats_interval is = stats_ratio(x, 10, y, 10, 20000, 1),
			      again = stats_ratio(x, 10, y, 10, 20000, 1),
			      same = stats_ratio(x, 10, x, 10, 20000, 1);

	(void)state;
	assert_true(fabs(is.low - 1.0833) < 0.01 && fabs(is.high - 1.1212) < 0.01);
	close_to(again.low, is.low);
	close_to(again.high, is.high);
	assert_true(same.low < 1 && same.high > 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wilson),       cmocka_unit_test(test_fisher),
		cmocka_unit_test(test_mann_whitney), cmocka_unit_test(test_clean_runs),
		cmocka_unit_test(test_median),       cmocka_unit_test(test_ratio),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
