/* cost.h - what revisions cost: measured numbers of a class, board by board, beside base's. Pure.
 *
 * A number of one board never meets that of another. A difference is shown when the Mann-Whitney test says so, corrected for
 * how many numbers the column has, and the medians are more than 3 % and more than 3 MAD apart, and the interval of their
 * ratio excludes 1. */
#pragma once
#include "server/daemon/compare/lane.h"

#include <stdbool.h>
#include <stddef.h>

#define COST_PART 0.03 /* a ratio nearer to 1 counts as none */
#define COST_MADS 3

enum cost_change {
	COST_NONE, /* nothing to compare: no samples here, or none of base */
	COST_BASE,
	COST_SAME, /* nothing is shown */
	COST_LESS,
	COST_MORE,
};

/* A number in a column. */
struct cost_cell {
	size_t count, groups; /* samples, and the runs that they are of */
	double median, mad, min;
	double p, ratio, low,
		high; /* against base: ratio of the medians, its interval; with COST_NONE and COST_BASE unset */
	enum cost_change change;
};

struct cost_row {
	const char *test, *cell, *name, *unit, *board;
	struct cost_cell *cells; /* one a column; owned by the table */
};

struct cost_table {
	struct cost_row *rows; /* owned; by test, cell, name, board */
	size_t count;
	struct cost_cell *cells; /* owned */
};

/* A column's numbers together. */
struct cost_summary {
	size_t compared, more, less;
	double ratio, low,
		high; /* geometric mean of the ratios, and its interval, when compared > 0 */
	size_t worst; /* row of the table with the largest ratio among those that are more; when more > 0 */
};

/* The lanes of one class and kind, by column. */
struct cost_lane {
	size_t column;
	const char *board;
	const struct lane *lane;
};

void cost_make(struct cost_table *table, struct cost_summary *summaries, size_t columns,
               const struct cost_lane *lanes, size_t lanes_count);
void cost_release(struct cost_table *table);

const char *cost_change_name(enum cost_change change); /* "~", "less", "more"; NULL: none, base */
