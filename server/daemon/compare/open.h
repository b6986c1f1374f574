/* open.h - which questions of a comparison more rounds would answer (docs/COMPARE.md, "Until it is decided"). Pure.
 *
 * Who looks after each round and stops at the first difference finds one by chance some time, so each look may be wrong with a
 * part of STATS_ALPHA only: with 1/(k(k+1)) of it at the k-th look, parts that add up to 1 however many looks there are
 * (alpha spending: Lan, DeMets 1983). */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* Trials of a row in a column: those that passed or failed, and how many of them were bad. */
struct open_tally {
	size_t told, bad;
};

/* A row of contract tests, or of their cells. */
struct open_row {
	const char *test;
	const struct open_tally *tally; /* one a column, base first */
};

/* A measured number: the interval of its ratio to base's, and the p of their difference, corrected for how many numbers its
 * column has. One a column; NAN: it was not measured there, or is base. */
struct open_ratio {
	const char *test;
	const double *low, *high, *p;
};

struct open_view {
	const struct open_row *rows;
	size_t rows_count;
	const struct open_ratio *ratios;
	size_t ratios_count, columns;
	size_t look;       /* 1 behind the first round */
	const bool *asked; /* one a column: is it a question at all? Base and controls are none */
};

/* Do trials of base and of a column leave it open whether they differ? */
bool open_pair(const struct open_tally *base, const struct open_tally *other, size_t look);

/* Is the ratio neither shown to be another than 1, nor to be within OPEN_RATIO of it? */
#define OPEN_RATIO 0.03
bool open_interval(double low, double high, double p, size_t look);

/* Mark what is open: rows, ratios and columns are arrays as long as those of view. True when anything is. */
bool study_open(const struct open_view *view, bool *rows, bool *ratios, bool *columns);
