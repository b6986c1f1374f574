#include "server/daemon/compare/cost.h"

#include "common/scoped.h"
#include "common/xalloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One lane's samples of one number. */
struct measured {
	const struct cost_lane *lane;
	const struct lane_value *value;
};

/* What a column has while it is worked on: its bootstrapped medians of one row, and the logarithms of its ratios summed
 * over rows, round by round. */
struct rounds {
	double medians[SAMPLES_ROUNDS], sums[SAMPLES_ROUNDS];
};

static int by_row(const struct measured *a, const struct measured *b)
{
	const char *const left[] = {a->value->test, a->value->cell, a->value->name, a->value->unit,
	                            a->lane->board},
			  *const right[] = {b->value->test, b->value->cell, b->value->name,
	                                    b->value->unit, b->lane->board};
	int order = 0;

	for (size_t i = 0; i < sizeof(left) / sizeof(*left) && order == 0; i++)
		order = left[i] == right[i] ? 0 : strcmp(left[i], right[i]);
	return order;
}

static int by_row_and_column(const void *a, const void *b)
{
	const struct measured *left = a, *right = b;
	int order = by_row(left, right);

	return order ? order
	             : (left->lane->column > right->lane->column) -
	                       (left->lane->column < right->lane->column);
}

/* "MiB/s" is more where it costs less. */
static bool is_rate(const char *unit)
{
	size_t len = strlen(unit);

	return len >= 2 && strcmp(unit + len - 2, "/s") == 0;
}

/* --- one row --- */

static void compare_cell(struct cost_cell *cell, const struct cost_cell *base,
                         const struct samples *samples, const struct samples *base_samples,
                         bool rate, const double *base_medians, struct rounds *rounds)
{
	double ratios[SAMPLES_ROUNDS];
	struct stats_interval interval;

	for (size_t i = 0; i < SAMPLES_ROUNDS; i++) {
		ratios[i] = rate ? base_medians[i] / rounds->medians[i]
		                 : rounds->medians[i] / base_medians[i];
		rounds->sums[i] += log(ratios[i]);
	}
	interval = samples_interval(ratios);
	cell->low = interval.low;
	cell->high = interval.high;
	cell->ratio = rate ? base->median / cell->median : cell->median / base->median;
	cell->p = samples_mann_whitney(base_samples->values, base_samples->count, samples->values,
	                               samples->count);
	cell->change = COST_SAME;
}

/* found are the row's, by column. */
static void make_row(struct cost_row *row, const struct measured *found, size_t count, size_t n,
                     struct rounds *rounds, size_t columns)
{
	const struct samples *base = NULL;

	for (size_t i = 0; i < count; i++) {
		size_t c = found[i].lane->column;
		const struct samples *samples = &found[i].value->samples;
		struct samples_summary summary = samples_summarise(samples->values, samples->count);
		struct cost_cell *cell = &row->cells[c];

		if (samples->count == 0)
			continue;
		*cell = (struct cost_cell){.count = samples->count,
		                           .groups = samples->groups,
		                           .median = summary.median,
		                           .mad = summary.mad,
		                           .min = summary.min,
		                           .change = c == 0 ? COST_BASE : COST_NONE};
		if (c > 0 && !base)
			continue;
		/* Each number and column draws from a generator of its own. */
		samples_bootstrap(samples, n * columns + c + 1, rounds[c].medians);
		if (c == 0)
			base = samples;
		else
			compare_cell(cell, &row->cells[0], samples, base, is_rate(row->unit),
			             rounds[0].medians, &rounds[c]);
	}
}

/* --- a column --- */

/* All numbers of the column are a question each: without the correction one of twenty would be a difference by chance. */
static enum cost_change change_of(const struct cost_cell *base, const struct cost_cell *cell,
                                  size_t compared)
{
	double mad = fmax(base->mad, cell->mad);

	if (cell->p * (double)compared > STATS_ALPHA || fabs(cell->ratio - 1) <= COST_PART ||
	    fabs(cell->median - base->median) <= COST_MADS * mad ||
	    (cell->low <= 1 && cell->high >= 1))
		return COST_SAME;
	return cell->ratio > 1 ? COST_MORE : COST_LESS;
}

static void summarise(const struct cost_table *table, struct cost_summary *s, size_t column,
                      struct rounds *rounds)
{
	struct stats_interval interval;
	double sum = 0;

	for (size_t i = 0; i < table->count; i++) {
		if (table->rows[i].cells[column].change != COST_SAME)
			continue;
		s->compared++;
		sum += log(table->rows[i].cells[column].ratio);
	}
	if (s->compared == 0)
		return;
	for (size_t i = 0; i < table->count; i++) {
		struct cost_cell *cell = &table->rows[i].cells[column];

		if (cell->change != COST_SAME)
			continue;
		cell->change = change_of(&table->rows[i].cells[0], cell, s->compared);
		s->less += cell->change == COST_LESS;
		if (cell->change != COST_MORE)
			continue;
		if (s->more++ == 0 || cell->ratio > table->rows[s->worst].cells[column].ratio)
			s->worst = i;
	}
	for (size_t i = 0; i < SAMPLES_ROUNDS; i++)
		rounds->sums[i] = exp(rounds->sums[i] / (double)s->compared);
	interval = samples_interval(rounds->sums);
	s->ratio = exp(sum / (double)s->compared);
	s->low = interval.low;
	s->high = interval.high;
}

/* --- all --- */

static struct measured *collect(const struct cost_lane *lanes, size_t lanes_count, size_t *count)
{
	struct measured *all;

	*count = 0;
	for (size_t i = 0; i < lanes_count; i++)
		*count += lanes[i].lane->values_count;
	all = xcalloc(*count + 1, sizeof(*all));
	*count = 0;
	for (size_t i = 0; i < lanes_count; i++)
		for (size_t k = 0; k < lanes[i].lane->values_count; k++)
			all[(*count)++] = (struct measured){&lanes[i], &lanes[i].lane->values[k]};
	qsort(all, *count, sizeof(*all), by_row_and_column);
	return all;
}

void cost_make(struct cost_table *table, struct cost_summary *summaries, size_t columns,
               const struct cost_lane *lanes, size_t lanes_count)
{
	size_t count;
	SCOPED_MEM all_mem = collect(lanes, lanes_count, &count);
	SCOPED_MEM rounds_mem = count ? xcalloc(columns, sizeof(struct rounds)) : NULL;
	const struct measured *all = all_mem;
	struct rounds *rounds = rounds_mem;

	*table = (struct cost_table){.rows = xcalloc(count + 1, sizeof(*table->rows)),
	                             .cells = xcalloc(count * columns + 1, sizeof(*table->cells))};
	for (size_t first = 0, end; first < count; first = end) {
		struct cost_row *row = &table->rows[table->count];
		const struct lane_value *v = all[first].value;

		for (end = first + 1; end < count && by_row(&all[first], &all[end]) == 0;)
			end++;
		*row = (struct cost_row){v->test,
		                         v->cell,
		                         v->name,
		                         v->unit,
		                         all[first].lane->board,
		                         &table->cells[table->count * columns]};
		make_row(row, &all[first], end - first, table->count++, rounds, columns);
	}
	for (size_t c = 1; c < columns && count > 0; c++)
		summarise(table, &summaries[c], c, &rounds[c]);
}

void cost_release(struct cost_table *table)
{
	free(table->rows);
	free(table->cells);
	*table = (struct cost_table){0};
}

const char *cost_change_name(enum cost_change change)
{
	static const char *const names[] = {
		[COST_NONE] = NULL,   [COST_BASE] = NULL,   [COST_SAME] = "~",
		[COST_LESS] = "less", [COST_MORE] = "more",
	};

	return names[change];
}
