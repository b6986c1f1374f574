#include "server/daemon/compare/samples.h"

#include "common/scoped.h"
#include "common/xalloc.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

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
	return fmin(1, erfc(off / sqrt(2 * variance))); /* both tails of the normal distribution */
}

double samples_mann_whitney(const double *x, size_t nx, const double *y, size_t ny)
{
	SCOPED_MEM mem = xcalloc(nx + ny + 1, sizeof(struct ranked));
	struct ranked *all = mem;
	double ties, u;

	if (nx == 0 || ny == 0)
		return 1;
	for (size_t i = 0; i < nx + ny; i++)
		all[i] = (struct ranked){i < nx ? x[i] : y[i - nx], i < nx};
	u = rank_sum(all, nx + ny, &ties) - (double)nx * ((double)nx + 1) / 2;
	if (ties > 0 || nx + ny > SAMPLES_EXACT)
		return normal_p(u, (double)nx, (double)ny, ties);
	return exact_p(u, nx, ny);
}

/* --- medians --- */

static int by_size(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

/* values are sorted by this. */
static double median_of(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), by_size);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

struct samples_summary samples_summarise(const double *values, size_t n)
{
	SCOPED_MEM mem = xcalloc(n + 1, sizeof(double));
	struct samples_summary summary = {0};
	double *room = mem;

	if (n == 0)
		return summary;
	(void)memcpy(room, values, n * sizeof(*room));
	summary.median = median_of(room, n);
	summary.min = room[0];
	for (size_t i = 0; i < n; i++)
		room[i] = fabs(values[i] - summary.median);
	summary.mad = median_of(room, n);
	return summary;
}

/* --- the bootstrap --- */

/* splitmix64 (Steele, Lea, Flood 2014): a few instructions a number, and good enough to draw indexes with. */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9E3779B97F4A7C15U;

	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
	return z ^ (z >> 31);
}

/* A number below n, which is small: the bias is n in 2^32. */
static size_t draw(uint64_t *state, size_t n)
{
	return (size_t)(((next_random(state) >> 32) * n) >> 32);
}

/* Values by their ranks, so that a sample is how often each was drawn: its median is found by counting, not sorting. */
struct drawing {
	double sorted[SAMPLES_MAX];
	unsigned char rank[SAMPLES_MAX]; /* of the sample's i-th value in sorted */
};

static void prepare(struct drawing *d, const struct samples *samples)
{
	size_t n = samples->count;

	for (size_t i = 0; i < n; i++) {
		size_t below = 0;

		for (size_t k = 0; k < n; k++)
			below += samples->values[k] < samples->values[i] ||
			         (k < i && samples->values[k] <= samples->values[i]);
		d->rank[i] = (unsigned char)below;
		d->sorted[below] = samples->values[i];
	}
}

/* counts says how often each of the sorted values is in the sample of drawn values. */
static double counted_median(const struct drawing *d, const unsigned *counts, size_t drawn)
{
	size_t low = (drawn - 1) / 2, high = drawn / 2, seen = 0, i = 0, k;

	while (seen + counts[i] <= low)
		seen += counts[i++];
	k = i;
	while (seen + counts[k] <= high)
		seen += counts[k++];
	return k == i ? d->sorted[i] : (d->sorted[i] + d->sorted[k]) / 2;
}

void samples_bootstrap(const struct samples *samples, uint64_t seed, double medians[SAMPLES_ROUNDS])
{
	struct drawing d;

	prepare(&d, samples);
	for (size_t round = 0; round < SAMPLES_ROUNDS; round++) {
		unsigned counts[SAMPLES_MAX] = {0};
		size_t drawn = 0;

		for (size_t g = 0; g < samples->groups; g++) {
			size_t group = draw(&seed, samples->groups);
			size_t first = group > 0 ? samples->ends[group - 1] : 0;
			size_t n = samples->ends[group] - first;

			for (size_t i = 0; i < n; i++)
				counts[d.rank[first + draw(&seed, n)]]++;
			drawn += n;
		}
		medians[round] = counted_median(&d, counts, drawn);
	}
}

struct stats_interval samples_interval(double numbers[SAMPLES_ROUNDS])
{
	size_t low = (size_t)(STATS_ALPHA / 2 * SAMPLES_ROUNDS);

	qsort(numbers, SAMPLES_ROUNDS, sizeof(*numbers), by_size);
	return (struct stats_interval){numbers[low], numbers[SAMPLES_ROUNDS - 1 - low]};
}
