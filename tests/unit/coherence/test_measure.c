/* test_measure.c - from samples to numbers, and to lines. */
#include "jobs/coherence/emit.h"
#include "jobs/coherence/measure.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct variant variants[] = {
	{"without", KIND_INFO, 0, 0, 0},
	{"with", KIND_INFO, 0, 0, 0},
};

static const struct test made_up = {.name = "made-up",
                                    .kind = KIND_INFO,
                                    .set = SET_BENCH,
                                    .variants = variants,
                                    .variant_count = 2};

static struct report report;

static struct value *put(unsigned int cell, unsigned int pages, unsigned int without,
                         uint64_t first_ns)
{
	struct value *value = &report.values[report.value_count++];

	*value = (struct value){
		.cell = cell, .pages = pages, .without = without, .repeats = 10, .sample_count = 9};
	(void)snprintf(value->operation, sizeof(value->operation), "read");
	for (unsigned int i = 0; i < SAMPLES_KEPT; i++)
		value->sample_ns[i] = first_ns + UINT64_C(100) * ((i * 5U) % SAMPLES_KEPT);
	value->loop_ns[0] = value->loop_ns[1] = 1000;
	report.cells[cell].trials = SAMPLES_KEPT;
	return value;
}

static int setup(void **state)
{
	(void)state;
	memset(&report, 0, sizeof(report));
	report.test = &made_up;
	report.cell_count = 2;
	report.finished = 1;
	return 0;
}

/* Samples are 100, 110 … 180 ns an operation, in another order. */
static void test_statistic(void **state)
{
	struct statistic statistic = measure_statistic(put(0, 1, MEASURE_ALONE, 1000));

	(void)state;
	assert_int_equal(statistic.count, 9);
	assert_int_equal(statistic.median, 140);
	assert_int_equal(statistic.least, 100);
	assert_int_equal(statistic.mad, 20);
	assert_int_equal(statistic.samples[1], 150); /* as they came */
}

static void test_per_page(void **state)
{
	struct value *without = put(0, 4, MEASURE_ALONE, 1000);
	struct value *with = put(1, 4, 0, 5000);
	int64_t per_page;

	(void)state;
	assert_true(measure_per_page(&report, without, &per_page));
	assert_int_equal(per_page, 35);
	assert_true(measure_per_page(&report, with, &per_page));
	assert_int_equal(per_page, 100);
	with->pages = 0;
	assert_false(measure_per_page(&report, with, &per_page));
	with->pages = 4;
	with->without = 7; /* of which there is no value */
	assert_false(measure_per_page(&report, with, &per_page));
}

static void test_cheaper_than_without(void **state)
{
	int64_t per_page;

	(void)state;
	(void)put(0, 4, MEASURE_ALONE, 5000);
	assert_true(measure_per_page(&report, put(1, 4, 0, 1000), &per_page));
	assert_int_equal(per_page, -100);
}

static void test_clock(void **state)
{
	(void)state;
	(void)put(0, 1, MEASURE_ALONE, 1000);
	(void)put(1, 1, 0, 1000);
	report.cells[1].unsteady = 1;
	report_judge(&report);
	assert_int_equal(report.cell_verdicts[0], VERDICT_PASS);
	assert_int_equal(report.cell_verdicts[1], VERDICT_INCONCLUSIVE);
	assert_int_equal(report.verdict, VERDICT_INCONCLUSIVE);
	assert_string_equal(reason_name(report.reason), "clock-changed");
}

/* What a process that ran wild may leave. */
static void test_wild(void **state)
{
	(void)state;
	memset(report.values, 0xff, sizeof(report.values));
	report.value_count = 0xffffffffU;
	report_judge(&report);
	assert_int_equal(report.value_count, VALUES_MAX);
	for (unsigned int i = 0; i < VALUES_MAX; i++) {
		int64_t per_page;

		assert_in_range(report.values[i].cell, 0, 1);
		assert_int_equal(measure_statistic(&report.values[i]).count, 0);
		(void)measure_per_page(&report, &report.values[i], &per_page);
	}
}

/* The longest line there can be, and what is in it. */
static void test_lines(void **state)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	(void)state;
	(void)put(0, 4, MEASURE_ALONE, UINT64_C(1) << 50);
	report_judge(&report);
	emit_json(out, &report);
	emit_ktap(out, &report, 1);
	assert_int_equal(fclose(out), 0);
	assert_in_range(strcspn(text, "\n"), 100, 1024);
	assert_non_null(strstr(text,
	                       "{\"type\":\"value\",\"test\":\"made-up\",\"cell\":\"without\","
	                       "\"name\":\"read\",\"value\":"));
	assert_non_null(strstr(text, "\"unit\":\"ns\""));
	assert_non_null(strstr(text, "\"cell\":\"with\",\"kind\":\"info\",\"verdict\":\"skip\""));
	assert_non_null(strstr(text, "  # without: read "));
	free(text);
}

int main(void)
{
	const struct CMUnitTest unit_tests[] = {
		cmocka_unit_test_setup(test_statistic, setup),
		cmocka_unit_test_setup(test_per_page, setup),
		cmocka_unit_test_setup(test_cheaper_than_without, setup),
		cmocka_unit_test_setup(test_clock, setup),
		cmocka_unit_test_setup(test_wild, setup),
		cmocka_unit_test_setup(test_lines, setup),
	};

	return cmocka_run_group_tests(unit_tests, NULL, NULL);
}
