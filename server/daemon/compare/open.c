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

static bool shown(double p, size_t look)
{
	return p * (double)look * (double)(look + 1) <= STATS_ALPHA;
}

bool open_pair(const struct open_tally *base, const struct open_tally *other, size_t look)
{
	if (base->told == 0 || other->told == 0)
		return false; /* nothing to go on from; what was lost is tried again by itself */
	if (base->bad == 0)
		return other->bad > 0 && too_few(base, other);
	if (other->bad == 0)
		return too_few(other, base);
	if (base->bad == base->told && other->bad == other->told)
		return false;
	/* Both fail: until it shows that the rates differ. */
	return !shown(stats_fisher(base->bad, base->told, other->bad, other->told), look);
}

bool open_interval(double low, double high, double p, size_t look)
{
	if (isnan(low) || isnan(high) || isnan(p))
		return false;
	if (low >= 1 - OPEN_RATIO && high <= 1 + OPEN_RATIO)
		return false;
	return (low <= 1 && high >= 1) || !shown(p, look);
}

bool study_open(const struct open_view *view, bool *rows, bool *ratios, bool *columns)
{
	bool any = false;

	(void)memset(columns, 0, view->columns * sizeof(*columns));
	for (size_t i = 0; i < view->rows_count; i++) {
		const struct open_row *row = &view->rows[i];

		rows[i] = false;
		for (size_t c = 1; c < view->columns; c++) {
			bool open = view->asked[c] &&
			            open_pair(&row->tally[0], &row->tally[c], view->look);

			rows[i] |= open;
			columns[c] |= open;
		}
		any |= rows[i];
	}
	for (size_t i = 0; i < view->ratios_count; i++) {
		const struct open_ratio *ratio = &view->ratios[i];

		ratios[i] = false;
		for (size_t c = 1; c < view->columns; c++) {
			bool open = view->asked[c] && open_interval(ratio->low[c], ratio->high[c],
			                                            ratio->p[c], view->look);

			ratios[i] |= open;
			columns[c] |= open;
		}
		any |= ratios[i];
	}
	columns[0] = any; /* each round has its base */
	return any;
}
