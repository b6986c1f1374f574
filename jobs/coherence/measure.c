#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CALIBRATE_ROUNDS 8U
#define CALIBRATE_NS     1000000U /* of one round, about */
#define CLOCK_PERCENT    2U
#define REPEATS_MAX      (1U << 28)
#define REST_PART        16U             /* after a sample, rest for this part of its time */
#define SAMPLE_MOST      (INT64_MAX / 4) /* more is nonsense of a process that ran wild */
#define NS_PER_S         UINT64_C(1000000000)

static uint64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* Integer work that no cache and no kernel has a part in. */
static uint64_t time_loop(uint32_t rounds)
{
	volatile uint32_t sink;
	uint32_t word = 1;
	uint64_t start = now_ns();

	for (uint32_t i = 0; i < rounds; i++) {
		word = word * 1664525U + 1013904223U;
		__asm__ volatile("" : "+r"(word));
	}
	sink = word;
	(void)sink;
	return now_ns() - start;
}

/* How many rounds take about CALIBRATE_NS here. */
static uint32_t loop_length(void)
{
	uint32_t rounds = 1024;

	while (rounds < REPEATS_MAX && time_loop(rounds) < CALIBRATE_NS)
		rounds *= 2;
	return rounds;
}

/* The best of several: an interrupt makes some longer, nothing makes one shorter. */
static uint64_t calibrate(uint32_t rounds)
{
	uint64_t best = UINT64_MAX;

	for (unsigned int i = 0; i < CALIBRATE_ROUNDS; i++) {
		uint64_t took = time_loop(rounds);

		if (took < best)
			best = took;
	}
	return best;
}

/* Let others run, or the kernel stops a real-time process for 50 ms of each second, in the middle of a sample. */
static void rest(uint64_t busy_ns)
{
	uint64_t ns = busy_ns / REST_PART;
	struct timespec pause = {.tv_sec = (time_t)(ns / NS_PER_S),
	                         .tv_nsec = (long)(ns % NS_PER_S)};

	(void)nanosleep(&pause, NULL);
}

static int sample(struct ctx *ctx, const struct measure *measure, unsigned int count,
                  uint64_t *took)
{
	uint64_t start = now_ns();

	if (measure->run(ctx, count) < 0)
		return -1;
	*took = now_ns() - start;
	rest(*took);
	return 0;
}

/* Find how often to repeat the operation for a sample that is long enough. */
static int find_count(struct ctx *ctx, const struct measure *measure, unsigned int *count)
{
	uint64_t wanted = (uint64_t)ctx->bench_ms * 1000000U;
	uint64_t took;
	uint64_t scaled;

	for (*count = 1;; *count *= 2) {
		if (sample(ctx, measure, *count, &took) < 0)
			return -1;
		if (took >= wanted / 8U || *count >= REPEATS_MAX)
			break;
	}
	/* An eighth more than needed, because a first try is often slow. */
	scaled = took == 0 ? *count : (wanted + wanted / 8U) * *count / took + 1U;
	if (scaled > *count)
		*count = scaled > REPEATS_MAX ? REPEATS_MAX : (unsigned int)scaled;
	return 0;
}

static bool clock_changed(const uint64_t loop_ns[2])
{
	uint64_t apart =
		loop_ns[0] > loop_ns[1] ? loop_ns[0] - loop_ns[1] : loop_ns[1] - loop_ns[0];

	return apart * 100U > loop_ns[0] * CLOCK_PERCENT;
}

static struct value *add_value(struct ctx *ctx, const struct measure *measure)
{
	struct report *report = ctx->report;
	struct value *value;

	if (report->value_count >= VALUES_MAX) {
		(void)ctx_error(ctx, "more values than a report holds");
		return NULL;
	}
	value = &report->values[report->value_count];
	memset(value, 0, sizeof(*value));
	value->cell = measure->cell;
	value->pages = measure->pages;
	value->without = measure->without;
	(void)snprintf(value->operation, sizeof(value->operation), "%s", measure->operation);
	return value;
}

int measure_run(struct ctx *ctx, const struct measure *measure)
{
	struct cell_result *cell = &ctx->report->cells[measure->cell];
	struct value *value = add_value(ctx, measure);
	uint32_t rounds = loop_length();

	if (value == NULL)
		return -1;
	ctx->report->running_cell = measure->cell;
	if (find_count(ctx, measure, &value->repeats) < 0)
		return -1;
	value->loop_ns[0] = calibrate(rounds);
	for (unsigned int i = 0; i <= SAMPLES_KEPT; i++) {
		uint64_t took;

		if (sample(ctx, measure, value->repeats, &took) < 0)
			return -1;
		if (i > 0)
			value->sample_ns[i - 1U] = took;
	}
	value->loop_ns[1] = calibrate(rounds);
	value->sample_count = SAMPLES_KEPT;
	cell->trials = SAMPLES_KEPT;
	cell->unsteady = clock_changed(value->loop_ns) ? 1U : 0U;
	ctx->report->value_count++;
	return 0;
}

unsigned int measure_cell(const struct ctx *ctx, unsigned int variant)
{
	unsigned int cell = 0;

	while (cell + 1U < ctx->report->cell_count && test_cell(ctx->test, cell).variant != variant)
		cell++;
	return cell;
}

static int compare(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left;
	uint64_t b = *(const uint64_t *)right;

	return a < b ? -1 : a > b ? 1 : 0;
}

static uint64_t median_of(uint64_t *numbers, unsigned int count)
{
	qsort(numbers, count, sizeof(*numbers), compare);
	return numbers[count / 2U];
}

struct statistic measure_statistic(const struct value *value)
{
	struct statistic statistic = {.count = value->sample_count};
	uint64_t sorted[SAMPLES_KEPT];

	if (statistic.count > SAMPLES_KEPT || value->repeats == 0)
		statistic.count = 0;
	for (unsigned int i = 0; i < statistic.count; i++) {
		if (value->sample_ns[i] > SAMPLE_MOST)
			statistic.count = 0;
	}
	if (statistic.count == 0)
		return statistic;
	for (unsigned int i = 0; i < statistic.count; i++)
		sorted[i] = statistic.samples[i] =
			(value->sample_ns[i] + value->repeats / 2U) / value->repeats;
	statistic.median = median_of(sorted, statistic.count);
	statistic.least = sorted[0];
	for (unsigned int i = 0; i < statistic.count; i++)
		sorted[i] = statistic.samples[i] > statistic.median
		                    ? statistic.samples[i] - statistic.median
		                    : statistic.median - statistic.samples[i];
	statistic.mad = median_of(sorted, statistic.count);
	return statistic;
}

bool measure_per_page(const struct report *report, const struct value *value, int64_t *per_page)
{
	int64_t more = (int64_t)measure_statistic(value).median;
	bool known = value->without == MEASURE_ALONE;

	for (unsigned int i = 0; i < report->value_count && !known; i++) {
		struct statistic other = measure_statistic(&report->values[i]);

		if (report->values[i].cell != value->without || other.count == 0)
			continue;
		more -= (int64_t)other.median;
		known = true;
	}
	if (!known || value->pages == 0 || value->pages > INT32_MAX)
		return false;
	*per_page = more / (int64_t)value->pages;
	return true;
}
