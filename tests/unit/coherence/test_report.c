/* test_report.c - from views to classes and verdicts (catalogue section 3, the signature table). */
#include "jobs/coherence/emit.h"
#include "jobs/coherence/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct variant variants[] = {
	{"main", KIND_CONTRACT, USER_ALL, 0, 0},
	{"hole", KIND_GAP, 0, 0, 0},
};

static const struct test made_up = {
	.name = "made-up", .kind = KIND_CONTRACT, .variants = variants, .variant_count = 2};

enum { ABSENT, CLEAN, DIRTY, HOLE };

static struct report report;

static int set_up(void **state)
{
	(void)state;
	memset(&report, 0, sizeof(report));
	report.test = &made_up;
	report.cell_count = test_cells(&made_up);
	report.finished = 1;
	return 0;
}

/* One trial of cell: half-line 10 is wrong in these views, half-line 20 in those. */
static void trial(unsigned int cell, unsigned int views10, unsigned int views20, bool control)
{
	static struct view views[VIEW_COUNT];
	struct pattern expect = {.base = {.generation = 5, .writer = WRITER_USER}};
	struct stamp old = {.generation = 4, .writer = WRITER_USER};
	struct finding finding = {
		.cell = cell, .control = control, .views = views, .expect = &expect};

	memset(views, 0, sizeof(views));
	for (unsigned int view = 0; view < VIEW_COUNT; view++) {
		stamp_half(&old, 10, views[view].seen + (size_t)10 * HALF_WORDS);
		stamp_half(&old, 20, views[view].seen + (size_t)20 * HALF_WORDS);
		if ((views10 >> view & 1U) != 0)
			halves_set(&views[view].bad, 10);
		if ((views20 >> view & 1U) != 0)
			halves_set(&views[view].bad, 20);
	}
	assert_int_equal(report_finding(&report, &finding), (views10 | views20) != 0);
}

static void all_good(void)
{
	for (unsigned int cell = 0; cell < report.cell_count; cell++)
		trial(cell, 0, 0, false);
}

static void test_pass(void **state)
{
	(void)state;
	all_good();
	report_judge(&report);
	assert_int_equal(report.verdict, VERDICT_PASS);
	assert_int_equal(report.trials, 4);
}

static void test_classes(void **state)
{
	static const struct {
		unsigned int views;
		enum fault fault;
	} rows[] = {
		{1, FAULT_STALE_USER},     {2, FAULT_STALE_KERNEL}, {7, FAULT_LOST_WRITE},
		{4, FAULT_LATE_WRITEBACK}, {3, FAULT_MIXED},        {5, FAULT_MIXED},
		{6, FAULT_MIXED},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)set_up(state);
		all_good();
		trial(DIRTY, rows[i].views, rows[i].views, false);
		report_judge(&report);
		assert_int_equal(report.verdict, VERDICT_FAIL);
		assert_int_equal(report.cell_verdicts[DIRTY], VERDICT_FAIL);
		assert_int_equal(report.cell_faults[DIRTY], rows[i].fault);
		assert_int_equal(report.mismatches[0].fault, rows[i].fault);
		assert_int_equal(report.mismatches[0].offset, 160);
		assert_int_equal(report.mismatches[0].length, 176);
		assert_int_equal(report.mismatches[0].tags[TAG_STALE], 2);
	}
}

/* The user's view is wrong although the user had no line: memory was old, in both cells. */
static void test_stale_memory(void **state)
{
	(void)state;
	all_good();
	trial(ABSENT, 1, 0, false);
	trial(CLEAN, 1, 0, false);
	report_judge(&report);
	assert_int_equal(report.cell_faults[ABSENT], FAULT_STALE_MEMORY);
	assert_int_equal(report.cell_faults[CLEAN], FAULT_STALE_MEMORY);
}

static void test_half_lines_differ(void **state)
{
	(void)state;
	all_good();
	trial(DIRTY, 1, 4, false);
	report_judge(&report);
	assert_int_equal(report.cell_faults[DIRTY], FAULT_MIXED);
	assert_int_equal(report.mismatches[0].fault, FAULT_MIXED);
}

static void test_not_cache(void **state)
{
	(void)state;
	all_good();
	trial(DIRTY, 7, 0, false);
	trial(DIRTY, 7, 0, true);
	report_judge(&report);
	assert_int_equal(report.verdict, VERDICT_FAIL);
	assert_int_equal(report.cell_faults[DIRTY], FAULT_NOT_CACHE);
	assert_int_equal(report.cells[DIRTY].trials, 2);
}

/* A gap that fails is a fact about its cell and nothing else. */
static void test_gap(void **state)
{
	(void)state;
	all_good();
	trial(HOLE, 1, 0, false);
	report_judge(&report);
	assert_int_equal(report.cell_verdicts[HOLE], VERDICT_FAIL);
	assert_int_equal(report.verdict, VERDICT_PASS);
	assert_int_equal(report.bad, 0);
}

static void test_masked(void **state)
{
	(void)state;
	all_good();
	all_good();
	report.cells[CLEAN].masked = 1;
	report_judge(&report);
	assert_int_equal(report.verdict, VERDICT_PASS);
	report.cells[CLEAN].masked = 2;
	report_judge(&report);
	assert_int_equal(report.verdict, VERDICT_INCONCLUSIVE);
	assert_int_equal(report.reason, REASON_MASKED);
	trial(DIRTY, 1, 0, false);
	report_judge(&report);
	assert_int_equal(report.verdict, VERDICT_FAIL);
}

static void test_skips(void **state)
{
	(void)state;
	all_good();
	memset(&report.cells[CLEAN], 0, sizeof(report.cells[CLEAN]));
	report.cells[CLEAN].skip = REASON_NOT_APPLICABLE;
	report_judge(&report);
	assert_int_equal(report.verdict, VERDICT_PASS);
	assert_int_equal(report.cell_verdicts[CLEAN], VERDICT_SKIP);
	for (unsigned int cell = ABSENT; cell <= DIRTY; cell++) {
		memset(&report.cells[cell], 0, sizeof(report.cells[cell]));
		report.cells[cell].skip = REASON_NOCONFIG;
	}
	report_judge(&report);
	assert_int_equal(report.verdict, VERDICT_SKIP);
	assert_int_equal(report.reason, REASON_NOCONFIG);
}

/* No trials and no reason is never a pass. */
static void test_nothing_ran(void **state)
{
	(void)state;
	report_judge(&report);
	assert_int_equal(report.verdict, VERDICT_INCONCLUSIVE);
	assert_int_equal(report.reason, REASON_NOTHING);
}

static void test_died(void **state)
{
	(void)state;
	trial(ABSENT, 0, 0, false);
	trial(CLEAN, 0, 0, false);
	report.running_cell = CLEAN;
	report.stop = VERDICT_ERROR;
	report.stop_reason = REASON_SIGNAL;
	report_judge(&report);
	assert_int_equal(report.verdict, VERDICT_ERROR);
	assert_int_equal(report.reason, REASON_SIGNAL);
	assert_int_equal(report.cell_verdicts[ABSENT], VERDICT_PASS);
	assert_int_equal(report.cell_verdicts[CLEAN], VERDICT_ERROR);
	assert_int_equal(report.cell_verdicts[DIRTY], VERDICT_ERROR);
}

/* What a process that ran wild may leave in the shared report. */
static void test_wild(void **state)
{
	(void)state;
	memset(&report, 0xff, sizeof(report));
	report.test = &made_up;
	report_judge(&report);
	assert_true(report.mismatch_count <= MISMATCHES_MAX);
	assert_true(strlen(report.detail) < DETAIL_MAX);
	emit_json(stdout, &report);
	emit_ktap(stdout, &report, 1);
}

static void test_records_are_limited(void **state)
{
	(void)state;
	for (unsigned int views = 1; views < 8; views++) {
		for (unsigned int cell = ABSENT; cell <= HOLE; cell++) {
			trial(cell, views, 0, false);
			trial(cell, views, 0, false);
		}
	}
	assert_int_equal(report.mismatch_count, MISMATCHES_MAX);
	assert_int_equal(report.mismatches[0].repeats, 1);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test_setup(test_pass, set_up),
		cmocka_unit_test_setup(test_classes, set_up),
		cmocka_unit_test_setup(test_stale_memory, set_up),
		cmocka_unit_test_setup(test_half_lines_differ, set_up),
		cmocka_unit_test_setup(test_not_cache, set_up),
		cmocka_unit_test_setup(test_gap, set_up),
		cmocka_unit_test_setup(test_masked, set_up),
		cmocka_unit_test_setup(test_skips, set_up),
		cmocka_unit_test_setup(test_nothing_ran, set_up),
		cmocka_unit_test_setup(test_died, set_up),
		cmocka_unit_test_setup(test_wild, set_up),
		cmocka_unit_test_setup(test_records_are_limited, set_up),
	};

	return cmocka_run_group_tests(cases, NULL, NULL);
}
