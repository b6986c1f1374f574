/* samples.h - what measured numbers prove. Pure.
 *
 * Sources: Mann and Whitney 1947 (U; the counts of its exact distribution are the Gaussian binomial coefficients);
 * Efron 1979 (percentile bootstrap), Davison and Hinkley 1997, 3.8 (with groups: first whole groups are drawn, then values
 * in them). */
#pragma once
#include "server/daemon/compare/stats.h"

#include <stddef.h>
#include <stdint.h>

/* Numbers that were measured in groups: all of one boot are more like each other than like those of the next. */
struct samples {
	double *values;
	size_t *ends; /* of each group, in values: ends[groups - 1] is count */
	size_t count, groups;
};

/* p of the Mann-Whitney U test: do the samples come from one distribution? Exact up to SAMPLES_EXACT values in all and
 * without ties, else by the normal approximation with corrections for ties and continuity. 1 when a side is empty. */
#define SAMPLES_EXACT 50
double samples_mann_whitney(const double *x, size_t nx, const double *y, size_t ny);

/* Median (of an even number the mean of the two in the middle), median absolute deviation from it, and the least; all 0 when
 * there are none. values are left alone. */
struct samples_summary {
	double median, mad, min;
};
struct samples_summary samples_summarise(const double *values, size_t n);

/* The medians of SAMPLES_ROUNDS samples drawn with replacement, from a generator with that seed: the same arguments give
 * the same medians. Of several groups first groups are drawn, then values of them. At most SAMPLES_MAX values. */
#define SAMPLES_ROUNDS 1000
#define SAMPLES_MAX    64
void samples_bootstrap(const struct samples *samples, uint64_t seed,
                       double medians[SAMPLES_ROUNDS]);

/* The 95 % interval of SAMPLES_ROUNDS numbers, which are reordered. */
struct stats_interval samples_interval(double numbers[SAMPLES_ROUNDS]);
