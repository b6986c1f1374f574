/* stats.h - what counts prove. Pure.
 *
 * Rates are of bad trials. All p values are two-sided. Sources: Wilson 1927 (score interval without correction for
 * continuity, as Brown, Cai, DasGupta 2001 recommend for small n); Fisher 1935 (sum of all tables that are no
 * likelier than the one seen, as R's fisher.test). */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* The chance of being wrong that calling a difference real may have. */
#define STATS_ALPHA 0.05

struct stats_interval {
	double low, high;
};

/* Where the true rate lies, with 95 % confidence, when bad of n trials were bad. n 0: 0 to 1. */
struct stats_interval stats_wilson(size_t bad, size_t n);

/* How many clean trials in a row are a surprise (at alpha) when trials fail at rate: n >= ln(alpha) / ln(1 - rate).
 * SIZE_MAX when no number is: rate 0. */
size_t stats_clean_needed(double rate, double alpha);

/* The chance that n trials at this rate show at least one failure. */
double stats_would_show(double rate, size_t n);

/* p of Fisher's exact test: do bad1 of n1 and bad2 of n2 come from one rate? */
double stats_fisher(size_t bad1, size_t n1, size_t bad2, size_t n2);
