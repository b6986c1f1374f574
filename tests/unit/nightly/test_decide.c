/* decide.c: the table of docs/NIGHTLY.md, row by row. The schedule is 02:30 UTC; times are hours since midnight. */
#include "common/err.h"
#include "server/daemon/nightly/civil.h"
#include "server/daemon/nightly/decide.h"
#include "server/daemon/nightly/zone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HOUR (3600 * INT64_C(1000000))

static int64_t day0(void)
{
	return civil_days(2026, 5, 4) * DAY_S * INT64_C(1000000);
}

static struct nightly_plan plan_of(double seen, double window, enum nightly_overlap overlap,
                                   bool catch_up)
{
	struct nightly_plan plan = {.seen = day0() + (int64_t)(seen * (double)HOUR),
	                            .window = (int64_t)(window * (double)HOUR),
	                            .overlap = overlap,
	                            .catch_up = catch_up,
	                            .zone = zone_named("UTC", NULL)};

	assert_int_equal(cron_parse("30 2 * * *", &plan.cron, NULL), 0);
	assert_non_null(plan.zone);
	return plan;
}

static void test_decide(void **state)
{
	static const struct {
		double seen, now, window;
		enum nightly_overlap overlap;
		bool catch_up, open;
		enum nightly_verdict verdict;
		double instant, before; /* before: -1: none */
	} rows[] = {
		{0, 2.4, 0, OVERLAP_SKIP, false, false, NIGHTLY_NOTHING, 0, -1},
		{0, 2.5, 0, OVERLAP_SKIP, false, false, NIGHTLY_SUBMIT, 2.5, -1},
		{2.5, 2.6, 0, OVERLAP_SKIP, false, false, NIGHTLY_NOTHING, 0, -1},
		{0, 4, 0, OVERLAP_SKIP, false, false, NIGHTLY_SUBMIT, 2.5, -1}, /* 90 minutes */
		{0, 4.01, 0, OVERLAP_SKIP, false, false, NIGHTLY_SKIP_MISSED, 2.5, -1},
		{0, 4.01, 0, OVERLAP_SKIP, true, false, NIGHTLY_SUBMIT, 2.5, -1},
		{0, 20, 0, OVERLAP_SKIP, true, false, NIGHTLY_SUBMIT, 2.5, -1},
		{0, 3.5, 1, OVERLAP_SKIP, true, false, NIGHTLY_SKIP_WINDOW, 2.5, -1},
		{0, 3.4, 1, OVERLAP_SKIP, true, false, NIGHTLY_SUBMIT, 2.5, -1},
		{0, 2.5, 0, OVERLAP_SKIP, false, true, NIGHTLY_SKIP_OPEN, 2.5, -1},
		{0, 2.5, 0, OVERLAP_QUEUE, false, true, NIGHTLY_WAIT, 2.5, -1},
		{0, 2.5, 0, OVERLAP_CANCEL_OLD, false, true, NIGHTLY_CANCEL_AND_SUBMIT, 2.5, -1},
		{0, 26.5, 0, OVERLAP_SKIP, false, false, NIGHTLY_SUBMIT, 26.5, 2.5},
		{0, 26.5 + 24 * 9, 0, OVERLAP_SKIP, false, false, NIGHTLY_SUBMIT, 26.5 + 24 * 9,
	         2.5 + 24 * 9},
		{30, 26.5, 0, OVERLAP_SKIP, true, false, NIGHTLY_NOTHING, 0, -1}, /* set back */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct nightly_plan plan =
			plan_of(rows[i].seen, rows[i].window, rows[i].overlap, rows[i].catch_up);
		struct nightly_decision d = nightly_decide(
			&plan, day0() + (int64_t)(rows[i].now * (double)HOUR), rows[i].open);
		int64_t before = rows[i].before < 0
		                         ? INT64_MIN
		                         : day0() + (int64_t)(rows[i].before * (double)HOUR);

		if (d.verdict != rows[i].verdict || d.before != before ||
		    (d.verdict != NIGHTLY_NOTHING &&
		     d.instant != day0() + (int64_t)(rows[i].instant * (double)HOUR)))
			fail_msg("row %zu: verdict %d", i, (int)d.verdict);
	}
}

static void test_waited(void **state)
{
	struct nightly_plan plan = plan_of(0, 2, OVERLAP_QUEUE, false);
	int64_t instant = day0() + 5 * HOUR / 2;

	(void)state;
	assert_int_equal(nightly_waited(&plan, instant, instant + HOUR, true), NIGHTLY_WAIT);
	assert_int_equal(nightly_waited(&plan, instant, instant + HOUR, false), NIGHTLY_SUBMIT);
	assert_int_equal(nightly_waited(&plan, instant, instant + 2 * HOUR, false),
	                 NIGHTLY_SKIP_WINDOW);
}

static void test_between(void **state)
{
	struct nightly_plan plan = plan_of(0, 0, OVERLAP_SKIP, false);
	struct nightly_some some = nightly_between(&plan, day0(), day0() + 240 * HOUR);

	(void)state;
	assert_int_equal(some.count, 10);
	assert_int_equal(some.first, day0() + 5 * HOUR / 2);
	assert_int_equal(some.last, day0() + 5 * HOUR / 2 + 216 * HOUR);
	assert_int_equal(nightly_between(&plan, some.first, some.first + 24 * HOUR - 1).count, 0);
	assert_int_equal(nightly_between(&plan, some.last, some.first).count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decide),
		cmocka_unit_test(test_waited),
		cmocka_unit_test(test_between),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
