/* measure.h - what an operation costs: the protocol that every benchmark follows.
 *
 * Ten samples of at least ctx->bench_ms each, the first dropped; median, median absolute deviation and minimum of
 * the nine others are worked out by who prints. A loop of fixed length runs before and after: when its time has changed by
 * more than 2 %, the clock of the processor has, and the cell is inconclusive. */
#pragma once
#include "ctx.h"
#include "report.h"

/* Do the operation count times. Returns 0, or -1 after ctx_error(). */
typedef int measure_fn(struct ctx *ctx, unsigned int count);

struct measure {
	unsigned int cell;
	const char *operation; /* what one is, in a word; the name of the value */
	unsigned int pages;    /* that one operation is about; 0: says nothing a page */
	unsigned int
		without; /* the cell that does the same without these pages' flush, or MEASURE_ALONE */
	measure_fn *run;
};

#define MEASURE_ALONE 0xffffffffU

/* Measure and put the samples into the report. Returns 0, or -1 when the test cannot go on. */
int measure_run(struct ctx *ctx, const struct measure *measure);

/* The cell of variant, for tests whose variants have one each. */
unsigned int measure_cell(const struct ctx *ctx, unsigned int variant);

/* What the samples of one value say, in ns for one operation. */
struct statistic {
	uint64_t median, mad, least;
	uint64_t samples[SAMPLES_KEPT];
	unsigned int count;
};

/* Work it out; a value without samples has count 0. */
struct statistic measure_statistic(const struct value *value);

/* The cost of one page: what the value has more than that of the cell without, by its pages. Returns false when
 * there is none. */
bool measure_per_page(const struct report *report, const struct value *value, int64_t *per_page);
