#include "server/daemon/compare/stats.h"

#include <gsl/gsl_randist.h>
#include <math.h>

struct stats_interval stats_wilson(size_t bad, size_t n)
{
	const double z = 1.959963984540054, z2 = z * z; /* of STATS_ALPHA, both tails */
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
