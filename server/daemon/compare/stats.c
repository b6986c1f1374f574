#include "server/daemon/compare/stats.h"

#include <math.h>
#include <stdbool.h>

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

/* All tables with these sums, one for each number k of the first's bad ones, weigh w(k) against each other:
 * w(k + 1) / w(k) = (bad - k)(n1 - k) / ((k + 1)(good - n1 + k + 1)). Beginning with the likeliest, nothing overflows, and what
 * gets too small for a double is no more than that. */
struct tables {
	double bad, good, n1;
	size_t first, last, likeliest;
};

static double step_up(const struct tables *t, size_t k)
{
	double at = (double)k;

	return (t->bad - at) * (t->n1 - at) / ((at + 1) * (t->good - t->n1 + at + 1));
}

/* The weight of the tables from k on, away from the likeliest, of those that weigh no more than most. */
static double sum_from(const struct tables *t, double most, bool up)
{
	double sum = 0, weight = 1;
	size_t k = t->likeliest;

	while (up ? k < t->last : k > t->first) {
		weight = up ? weight * step_up(t, k) : weight / step_up(t, k - 1);
		k = up ? k + 1 : k - 1;
		sum += weight <= most ? weight : 0;
	}
	return sum;
}

static double weight_of(const struct tables *t, size_t k)
{
	double weight = 1;

	for (size_t i = t->likeliest; i < k; i++)
		weight *= step_up(t, i);
	for (size_t i = t->likeliest; i > k; i--)
		weight /= step_up(t, i - 1);
	return weight;
}

double stats_fisher(size_t bad1, size_t n1, size_t bad2, size_t n2)
{
	size_t bad = bad1 + bad2, all = n1 + n2;
	struct tables t = {.bad = (double)bad, .good = (double)(all - bad), .n1 = (double)n1};
	double most, far, p;

	t.first = bad > n2 ? bad - n2 : 0;
	t.last = bad < n1 ? bad : n1;
	t.likeliest = (size_t)((t.n1 + 1) * (t.bad + 1) / ((double)all + 2));
	if (t.likeliest < t.first)
		t.likeliest = t.first;
	if (t.likeliest > t.last)
		t.likeliest = t.last;
	/* The factor is R's: equal tables must count in spite of rounding. */
	most = weight_of(&t, bad1) * (1 + 1e-7);
	far = (most >= 1 ? 1 : 0) + sum_from(&t, most, true) + sum_from(&t, most, false);
	p = far / (1 + sum_from(&t, HUGE_VAL, true) + sum_from(&t, HUGE_VAL, false));
	return p < 1 ? p : 1;
}
