#include "server/daemon/compare/open.h"

#include "server/daemon/compare/stats.h"

#include <math.h>
#include <string.h>

static double rate(const struct open_tally *t)
{
	return (double)t->bad / (double)t->told;
}

/* clean has never failed: has it been tried often enough to say that it does not, at the rate of bad? */
static bool too_few(const struct open_tally *clean, const struct open_tally *bad)
{
	return clean->told < stats_clean_needed(rate(bad), STATS_ALPHA);
}

bool open_pair(const struct open_tally *base, const struct open_tally *other)
{
	struct stats_interval a, b;

	if (base->told == 0 || other->told == 0)
		return false; /* nothing to go on from; what was lost is tried again by itself */
	if (base->bad == 0)
		return other->bad > 0 && too_few(base, other);
	if (other->bad == 0)
		return too_few(other, base);
	if (base->bad == base->told && other->bad == other->told)
		return false;
	/* Both fail: until it shows that the rates differ. */
	a = stats_wilson(base->bad, base->told);
	b = stats_wilson(other->bad, other->told);
	return a.low <= b.high && b.low <= a.high &&
	       stats_fisher(base->bad, base->told, other->bad, other->told) > STATS_ALPHA;
}

bool open_interval(double low, double high)
{
	if (isnan(low) || isnan(high))
		return false;
	return low <= 1 && high >= 1 && !(low >= 1 - OPEN_RATIO && high <= 1 + OPEN_RATIO);
}

bool study_open(const struct open_view *view, bool *rows, bool *ratios, bool *columns)
{
	bool any = false;

	(void)memset(columns, 0, view->columns * sizeof(*columns));
	for (size_t i = 0; i < view->rows_count; i++) {
		const struct open_row *row = &view->rows[i];

		rows[i] = false;
		for (size_t c = 1; c < view->columns; c++) {
			bool open = view->asked[c] && open_pair(&row->tally[0], &row->tally[c]);

			rows[i] |= open;
			columns[c] |= open;
		}
		any |= rows[i];
	}
	for (size_t i = 0; i < view->ratios_count; i++) {
		const struct open_ratio *ratio = &view->ratios[i];

		ratios[i] = false;
		for (size_t c = 1; c < view->columns; c++) {
			bool open = view->asked[c] && open_interval(ratio->low[c], ratio->high[c]);

			ratios[i] |= open;
			columns[c] |= open;
		}
		any |= ratios[i];
	}
	columns[0] = any; /* each round has its base */
	return any;
}
