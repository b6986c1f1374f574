/* delivery.c: the table of docs/NIGHTLY.md, and how long it is tried. */
#include "server/daemon/report/delivery.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000)
#define HOUR   (3600 * SECOND)

static void test_table(void **state)
{
	enum { N = -1 }; /* does not apply */
	static const int next[5][6] = {
		/* START, HAND, SENT, TROUBLE, REFUSED, LOST */
		[DELIVERY_QUEUED] = {DELIVERY_SENDING, N, N, N, N, N},
		[DELIVERY_SENDING] = {N, DELIVERY_HANDED, DELIVERY_SENT, DELIVERY_QUEUED,
	                              DELIVERY_FAILED, DELIVERY_QUEUED},
		[DELIVERY_HANDED] = {N, N, DELIVERY_SENT, DELIVERY_QUEUED, DELIVERY_FAILED,
	                             DELIVERY_QUEUED},
		[DELIVERY_SENT] = {N, N, N, N, N, N},
		[DELIVERY_FAILED] = {N, N, N, N, N, N},
	};

	(void)state;
	for (int phase = 0; phase < 5; phase++)
		for (int event = 0; event < 6; event++) {
			struct delivery_state s = {.phase = (enum delivery_phase)phase, .tries = 1};
			struct delivery_state before = s;
			bool applied = delivery_apply(&s, (enum delivery_event)event, 0);

			assert_int_equal(applied, next[phase][event] != N);
			assert_int_equal(s.phase, applied ? (enum delivery_phase)next[phase][event]
			                                  : before.phase);
			assert_int_equal(s.doubt,
			                 phase == DELIVERY_HANDED && event == DELIVERY_EV_LOST);
			assert_int_equal(s.tries, 1 + (applied && event == DELIVERY_EV_START));
		}
}

static void test_doubt_ends(void **state)
{
	struct delivery_state s = {0};

	(void)state;
	for (int i = 0; i < DELIVERY_DOUBT; i++) {
		assert_int_equal(s.phase, DELIVERY_QUEUED);
		assert_true(delivery_apply(&s, DELIVERY_EV_START, 0));
		assert_true(delivery_apply(&s, DELIVERY_EV_HAND, 0));
		assert_true(delivery_apply(&s, DELIVERY_EV_LOST, 0));
	}
	assert_int_equal(s.phase, DELIVERY_FAILED);
}

/* A mail server that is down for a day delays; one that is down for good ends it after about three days. */
static void test_back_off(void **state)
{
	struct delivery_state s = {0};
	int64_t now = 0, last = 0;

	(void)state;
	while (s.phase == DELIVERY_QUEUED) {
		assert_true(delivery_apply(&s, DELIVERY_EV_START, now));
		assert_true(delivery_apply(&s, DELIVERY_EV_TROUBLE, now));
		assert_in_range(s.next_try - now, last, HOUR);
		last = s.next_try - now;
		now = s.next_try;
	}
	assert_int_equal(s.tries, DELIVERY_TRIES);
	assert_in_range(now, 70 * HOUR, 74 * HOUR);
}

static void test_due(void **state)
{
	(void)state;
	assert_true(delivery_due(5, 5));
	assert_false(delivery_due(6, 5));
	assert_true(delivery_due(5 + 2 * HOUR, 5)); /* planned by a clock that was ahead */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_doubt_ends),
		cmocka_unit_test(test_back_off),
		cmocka_unit_test(test_due),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
