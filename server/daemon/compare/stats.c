#include "server/daemon/compare/stats.h"

#include "common/scoped.h"
#include "common/xalloc.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct stats_interval stats_wilson(size_t bad, size_t n)
{
	double z = gsl_cdf_ugaussian_Qinv(STATS_ALPHA / 2), z2 = z * z;
	double count = (double)n, rate, middle, reach;

	if (n == 0)
		return (struct stats_interval){0, 1};
	rate = (double)bad / count;
	middle = (rate + z2 / (2 * count)) / (1 + z2 / count);
	reach = z / (1 + z2 / count) * sqrt(rate * (1 - rate) / count + z2 / (4 * count * count));
	return (struct stats_interval){bad == 0 ? 0 : middle - reach,
	                               bad == n ? 1 : middle + reach};
}

size_t stats_clean_needed(double rate, double alpha)
{
	double n;

	if (rate <= 0)
		return SIZE_MAX;
	if (rate >= 1)
		return 1;
	n = ceil(log(alpha) / log1p(-rate));
	return n < 1e15 ? (size_t)n : SIZE_MAX;
}

double stats_would_show(double rate, size_t n)
{
	return 1 - pow(1 - rate, (double)n);
}

double stats_fisher(size_t bad1, size_t n1, size_t bad2, size_t n2)
{
	unsigned bad = (unsigned)(bad1 + bad2), good = (unsigned)(n1 + n2) - bad;
	unsigned first = bad > n2 ? bad - (unsigned)n2 : 0;
	unsigned last = bad < n1 ? bad : (unsigned)n1;
	double seen = gsl_ran_hypergeometric_pdf((unsigned)bad1, bad, good, (unsigned)n1), p = 0;

	/* The factor is R's: equal tables must count in spite of rounding. */
	for (unsigned k = first; k <= last; k++) {
		double chance = gsl_ran_hypergeometric_pdf(k, bad, good, (unsigned)n1);

		if (chance <= seen * (1 + 1e-7))
			p += chance;
	}
	return p < 1 ? p : 1;
}

/* --- Mann-Whitney --- */

struct ranked {
	double value;
	bool first; /* of x */
};

static int by_value(const void *a, const void *b)
{
	const struct ranked *left = a, *right = b;

	return (left->value > right->value) - (left->value < right->value);
}

/* The sum of x's ranks, ties with the mean of theirs; *ties gets the sum of t^3 - t over groups of t equal values. */
static double rank_sum(struct ranked *all, size_t n, double *ties)
{
	double sum = 0;

	*ties = 0;
	qsort(all, n, sizeof(*all), by_value);
	for (size_t i = 0, end; i < n; i = end) {
		double t, rank;

		for (end = i + 1; end < n && !(all[end].value > all[i].value);)
			end++;
		t = (double)(end - i);
		rank = (double)(i + end + 1) / 2;
		*ties += t * t * t - t;
		for (size_t k = i; k < end; k++)
			sum += all[k].first ? rank : 0;
	}
	return sum;
}

/* p of a U this far from the middle, without ties. ways[u] counts the orders of nx + ny values that give u, built up
 * value by value: the partitions of u into at most nx parts of at most ny. */
static double exact_p(double u, size_t nx, size_t ny)
{
	size_t most = nx * ny;
	size_t tail = (size_t)fmin(u, (double)most - u);
	SCOPED_MEM mem = xcalloc(most + 1, sizeof(double));
	double *ways = mem, all = 0, far = 0;

	ways[0] = 1;
	for (size_t i = 1; i <= nx; i++) {
		/* times (1 - q^(ny + i)) / (1 - q^i): the Gaussian binomial coefficient */
		for (size_t v = most; v + 1 > ny + i; v--)
			ways[v] -= ways[v - ny - i];
		for (size_t v = i; v <= most; v++)
			ways[v] += ways[v - i];
	}
	for (size_t v = 0; v <= most; v++) {
		all += ways[v];
		far += v <= tail ? ways[v] : 0;
	}
	return fmin(1, 2 * far / all);
}

static double normal_p(double u, double nx, double ny, double ties)
{
	double n = nx + ny;
	double variance = nx * ny / 12 * (n + 1 - ties / (n * (n - 1)));
	double off = fabs(u - nx * ny / 2) - 0.5;

	if (variance <= 0)
		return 1;
	return fmin(1, 2 * gsl_cdf_ugaussian_Q(off / sqrt(variance)));
}

double stats_mann_whitney(const double *x, size_t nx, const double *y, size_t ny)
{
	SCOPED_MEM mem = xcalloc(nx + ny + 1, sizeof(struct ranked));
	struct ranked *all = mem;
	double ties, u;

	if (nx == 0 || ny == 0)
		return 1;
	for (size_t i = 0; i < nx + ny; i++)
		all[i] = (struct ranked){i < nx ? x[i] : y[i - nx], i < nx};
	u = rank_sum(all, nx + ny, &ties) - (double)nx * ((double)nx + 1) / 2;
	if (ties > 0 || nx + ny > STATS_EXACT)
		return normal_p(u, (double)nx, (double)ny, ties);
	return exact_p(u, nx, ny);
}

/* --- medians --- */

static int by_size(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

double stats_median(double *values, size_t n)
{
	if (n == 0)
		return 0;
	qsort(values, n, sizeof(*values), by_size);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static double drawn_median(gsl_rng *random, const double *from, size_t n, double *room)
{
	for (size_t i = 0; i < n; i++)
		room[i] = from[gsl_rng_uniform_int(random, n)];
	return stats_median(room, n);
}

struct stats_interval stats_ratio(const double *x, size_t nx, const double *y, size_t ny,
                                  unsigned rounds, uint64_t seed)
{
	SCOPED_MEM mem = xcalloc(rounds + (nx > ny ? nx : ny), sizeof(double));
	double *ratios = mem, *room = ratios + rounds;
	gsl_rng *random = gsl_rng_alloc(gsl_rng_mt19937);
	struct stats_interval interval;

	gsl_rng_set(random, seed);
	for (unsigned i = 0; i < rounds; i++) {
		double below = drawn_median(random, x, nx, room);

		ratios[i] = drawn_median(random, y, ny, room) / below;
	}
	gsl_rng_free(random);
	qsort(ratios, rounds, sizeof(*ratios), by_size);
	interval.low = ratios[(size_t)(STATS_ALPHA / 2 * rounds)];
	interval.high = ratios[(size_t)((1 - STATS_ALPHA / 2) * (rounds - 1))];
	return interval;
}
