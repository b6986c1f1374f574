/* test_samples.c - Mann-Whitney and the bootstrap against published values and SciPy 1.10.1, whose calls stand beside
 * them. */
#include "server/daemon/compare/samples.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void close_to(double is, double wanted)
{
	if (!(fabs(is - wanted) <= 1e-9 * (1 + fabs(wanted))))
		fail_msg("%.15g, not %.15g", is, wanted);
}

/* mannwhitneyu(x, y), exact where there is no tie, else asymptotic. The last of the exact ones is the placental
 * permeability of Hollander and Wolfe 1973, p. 69, of R's manual. */
static void test_mann_whitney(void **state)
{
	static const double a[] = {19, 22, 16, 29, 24}, b[] = {20, 11, 17, 12}, c[] = {1, 2, 3},
			    d[] = {4, 5, 6}, e[] = {1, 1, 2, 3, 3}, f[] = {2, 3, 4, 4, 5},
			    term[] = {0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46},
			    weeks12[] = {1.15, 0.88, 0.90, 0.74, 1.21},
			    g[] = {5, 5, 6, 7, 7, 8, 9, 9, 9, 10},
			    h[] = {7, 8, 8, 9, 10, 10, 11, 12, 12};
	double many[40], later[30], flat[9], higher[9];

	(void)state;
	close_to(samples_mann_whitney(a, 5, b, 4), 0.1111111111111111);
	close_to(samples_mann_whitney(c, 3, d, 3), 0.1);
	close_to(samples_mann_whitney(d, 3, c, 3), 0.1);
	close_to(samples_mann_whitney(term, 10, weeks12, 5), 0.2544122544122544);
	close_to(samples_mann_whitney(e, 5, f, 5), 0.06960100257898734);
	close_to(samples_mann_whitney(g, 10, h, 9), 0.03190518700493921);
	close_to(samples_mann_whitney(a, 5, b, 0), 1);
	close_to(samples_mann_whitney(e, 2, e, 2), 1); /* all the same */
	for (int i = 0; i < 40; i++)
		many[i] = i * 1.5;
	for (int i = 0; i < 30; i++)
		later[i] = 10.2 + i * 2;
	close_to(samples_mann_whitney(many, 40, later, 30), 0.030320623515809587);
	/* An emulator counts instructions: the same number nine times. */
	for (int i = 0; i < 9; i++) {
		flat[i] = 1234;
		higher[i] = 1400;
	}
	close_to(samples_mann_whitney(flat, 9, higher, 9), 4.657054587626058e-05);
}

static void test_median(void **state)
{
	static const double some[] = {5, 1, 4, 2, 90}, even[] = {4, 1, 3, 2};
	struct samples_summary summary = samples_summarise(some, 5);

	(void)state;
	close_to(samples_summarise(even, 4).median, 2.5);
	close_to(samples_summarise(even, 0).median, 0);
	close_to(summary.median, 4);
	close_to(summary.mad, 2);
	close_to(summary.min, 1);
	close_to(some[0], 5);
}

static struct stats_interval ratio_of(const struct samples *x, const struct samples *y)
{
	static double below[SAMPLES_ROUNDS], above[SAMPLES_ROUNDS];

	samples_bootstrap(x, 1, below);
	samples_bootstrap(y, 2, above);
	for (size_t i = 0; i < SAMPLES_ROUNDS; i++)
		above[i] /= below[i];
	return samples_interval(above);
}

/* scipy.stats.bootstrap((x, y), lambda x, y, axis: median(y, axis) / median(x, axis), method="percentile",
 * n_resamples=100000) draws otherwise: the ends agree to half a percent. */
static void test_ratio(void **state)
{
	double x[] = {100, 101, 99, 102, 98, 100.5, 99.5, 103, 97},
	       y[] = {110, 112, 108, 111, 109, 113, 110.5, 107, 109.5},
	       z[] = {101, 103, 104, 100.2, 98.3, 105, 99.7, 102.5, 106};
	size_t end = 9;
	struct samples base = {x, &end, 9, 1}, dearer = {y, &end, 9, 1}, near = {z, &end, 9, 1};
	struct stats_interval is = ratio_of(&base, &dearer), again = ratio_of(&base, &dearer);

	(void)state;
	assert_true(fabs(is.low - 1.0784313725490196) < 0.005);
	assert_true(fabs(is.high - 1.1224489795918366) < 0.005);
	close_to(again.low, is.low);
	close_to(again.high, is.high);
	is = ratio_of(&base, &near);
	assert_true(fabs(is.low - 0.9920792079207921) < 0.005);
	assert_true(fabs(is.high - 1.0505050505050506) < 0.005);
}

/* Three boots that differ more than the samples of each: whole boots are drawn, so the interval is that of three
 * numbers, not of nine. */
static void test_groups(void **state)
{
	static double medians[SAMPLES_ROUNDS];
	double boots[] = {100, 101, 102, 200, 201, 202, 110, 111, 112}, flat[] = {7, 7, 7, 7};
	size_t ends[] = {3, 6, 9}, one = 9, four = 4;
	struct samples grouped = {boots, ends, 9, 3}, pooled = {boots, &one, 9, 1},
		       same = {flat, &four, 4, 1};
	struct stats_interval g, p;

	(void)state;
	samples_bootstrap(&grouped, 1, medians);
	g = samples_interval(medians);
	samples_bootstrap(&pooled, 1, medians);
	p = samples_interval(medians);
	assert_true(g.high >= 201 && g.low <= 102);
	assert_true(p.high <= 201);
	samples_bootstrap(&same, 1, medians);
	close_to(samples_interval(medians).low, 7);
	close_to(samples_interval(medians).high, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mann_whitney),
		cmocka_unit_test(test_median),
		cmocka_unit_test(test_ratio),
		cmocka_unit_test(test_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
