/* When a difference of measured numbers is shown: each condition alone is not enough. */
#include "server/daemon/compare/cost.h"

#include "server/daemon/compare/intern.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct side {
	double first, step;
	size_t count;
};

static void measure(struct lane *lane, struct intern *texts, const char *cell, const char *unit,
                    const struct side *side)
{
	double values[SAMPLES_MAX];
	size_t end = side->count;
	const struct lane_value v = {.test = intern_text(texts, "bench"),
	                             .cell = intern_text(texts, cell),
	                             .name = intern_text(texts, "turn"),
	                             .unit = intern_text(texts, unit),
	                             .samples = {values, &end, side->count, 1}};

	for (size_t i = 0; i < side->count; i++)
		values[i] = side->first + (double)i * side->step;
	lane_add_value(lane, &v);
}

static void test_conditions(void **state)
{
	static const struct {
		const char *unit;
		struct side base, revision;
		enum cost_change change;
	} rows[] = {
		{"ns", {1000, 1, 9}, {1200, 1, 9}, COST_MORE},
		{"ns", {1000, 1, 9}, {800, 1, 9}, COST_LESS},
		{"MiB/s", {1000, 1, 9}, {800, 1, 9}, COST_MORE}, /* a rate */
		{"ns", {1000, 1, 9}, {1020, 1, 9}, COST_SAME},   /* 2 % */
		{"ns", {1000, 50, 9}, {1100, 50, 9}, COST_SAME}, /* within 3 MAD */
		{"ns", {1000, 1, 3}, {1200, 1, 3}, COST_SAME},   /* p is 0.1: too few */
		{"ns", {1000, 0, 9}, {1000, 0, 9}, COST_SAME},
		{"ns",
	         {1000, 0, 9},
	         {1040, 0, 9},
	         COST_MORE}, /* an emulator's clock has no noise */
		{"ns", {1000, 1, 0}, {1200, 1, 9}, COST_NONE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct intern texts = {0};
		struct lane lanes[2] = {0};
		struct cost_lane list[2] = {{0, "b", &lanes[0]}, {1, "b", &lanes[1]}};
		struct cost_summary summaries[2] = {0};
		struct cost_table table;

		measure(&lanes[0], &texts, "", rows[i].unit, &rows[i].base);
		measure(&lanes[1], &texts, "", rows[i].unit, &rows[i].revision);
		cost_make(&table, summaries, 2, list, 2);
		assert_int_equal(table.count, 1);
		if (table.rows[0].cells[1].change != rows[i].change)
			fail_msg("row %zu: %d", i, (int)table.rows[0].cells[1].change);
		assert_int_equal(summaries[1].more, rows[i].change == COST_MORE);
		assert_int_equal(summaries[1].less, rows[i].change == COST_LESS);
		assert_int_equal(summaries[1].compared, rows[i].change != COST_NONE);
		cost_release(&table);
		lane_release(&lanes[0]);
		lane_release(&lanes[1]);
		intern_release(&texts);
	}
}

/* The mean of a column is that of ratios, and boards do not meet. */
static void test_summary(void **state)
{
	static const struct side base = {1000, 1, 9}, twice = {2000, 2, 9}, half = {500, 0.5, 9},
				 other = {9000, 1, 9};
	struct intern texts = {0};
	struct lane lanes[3] = {0};
	struct cost_lane list[3] = {{0, "b", &lanes[0]}, {1, "b", &lanes[1]}, {1, "x", &lanes[2]}};
	struct cost_summary summaries[2] = {0};
	struct cost_table table;

	(void)state;
	measure(&lanes[0], &texts, "a", "ns", &base);
	measure(&lanes[0], &texts, "c", "ns", &base);
	measure(&lanes[1], &texts, "a", "ns", &twice);
	measure(&lanes[1], &texts, "c", "ns", &half);
	measure(&lanes[2], &texts, "a", "ns", &other);
	cost_make(&table, summaries, 2, list, 3);
	assert_int_equal(table.count, 3);
	assert_int_equal(summaries[1].compared, 2);
	assert_int_equal(summaries[1].more, 1);
	assert_int_equal(summaries[1].less, 1);
	assert_int_equal(summaries[1].worst, 0);
	assert_true(fabs(summaries[1].ratio - 1) < 1e-9);
	assert_true(summaries[1].low <= 1 && summaries[1].high >= 1);
	assert_true(summaries[1].low > 0.98 && summaries[1].high < 1.02);
	cost_release(&table);
	for (size_t i = 0; i < 3; i++)
		lane_release(&lanes[i]);
	intern_release(&texts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conditions),
		cmocka_unit_test(test_summary),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
