/* Each row of docs/STATES.md, "Run", and what must not happen. */
#include "server/daemon/schedule/run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define S 1000000LL

static struct run_state queued(void)
{
	return (struct run_state){.max_attempts = 3, .expires = 1000 * S};
}

static struct run_state running(void)
{
	struct run_state run = queued();
	const struct run_event lease = {.kind = RUN_EV_LEASE, .now = S, .fence = 7};

	assert_true(run_apply(&run, &lease));
	return run;
}

static bool end_it(struct run_state *run, enum run_outcome outcome, int64_t fence, int64_t now)
{
	const struct run_event event = {
		.kind = RUN_EV_ENDED, .now = now, .fence = fence, .outcome = outcome};

	return run_apply(run, &event);
}

static void test_lease(void **state)
{
	struct run_state run = running();
	const struct run_event again = {.kind = RUN_EV_LEASE, .now = S, .fence = 8};

	(void)state;
	assert_int_equal(run.phase, RUN_RUNNING);
	assert_int_equal(run.attempt, 1);
	assert_int_equal(run_act(&run), RUN_ACT_RUN);
	assert_false(run_apply(&run, &again));
	assert_int_equal(run.fence, 7);
}

static void test_complete(void **state)
{
	struct run_state run = running();

	(void)state;
	assert_true(end_it(&run, RUN_OUTCOME_COMPLETE, 7, 2 * S));
	assert_int_equal(run.phase, RUN_DONE);
	assert_int_equal(run_act(&run), RUN_ACT_FILL | RUN_ACT_RELEASE);
	run_released(&run);
	assert_int_equal(run_act(&run), RUN_ACT_FILL);
	assert_false(end_it(&run, RUN_OUTCOME_FAULT, 7, 3 * S));
	assert_int_equal(run.phase, RUN_DONE);
}

static void test_stale_fence(void **state)
{
	struct run_state run = running();

	(void)state;
	assert_false(end_it(&run, RUN_OUTCOME_FAULT, 6, 2 * S));
	assert_false(end_it(&run, RUN_OUTCOME_FAULT, 8, 2 * S));
	assert_int_equal(run.phase, RUN_RUNNING);
}

static void test_faults_back_off(void **state)
{
	static const int64_t waits[] = {1 * S, 4 * S};
	struct run_state run = queued();

	(void)state;
	run.max_attempts = 3;
	for (int64_t i = 0; i < 3; i++) {
		struct run_event lease = {
			.kind = RUN_EV_LEASE, .now = run.not_before - 1, .fence = 10 + i};

		if (i > 0)
			assert_false(run_apply(&run, &lease)); /* too early */
		lease.now = run.not_before;
		assert_true(run_apply(&run, &lease));
		assert_true(end_it(&run, RUN_OUTCOME_FAULT, 10 + i, 100 * S));
		if (i == 2)
			break;
		assert_int_equal(run.phase, RUN_QUEUED);
		assert_int_equal(run.not_before, 100 * S + waits[i]);
		assert_int_equal(run_act(&run), RUN_ACT_RELEASE);
		run_released(&run);
	}
	assert_int_equal(run.phase, RUN_FAILED);
	assert_int_equal(run.attempt, 3);
	assert_int_equal(run_act(&run), RUN_ACT_FILL | RUN_ACT_RELEASE);
}

static void test_cancel(void **state)
{
	const struct run_event cancel = {.kind = RUN_EV_CANCEL, .now = S};
	struct run_state run = queued();

	(void)state;
	assert_true(run_apply(&run, &cancel));
	assert_int_equal(run.phase, RUN_CANCELLED);
	assert_int_equal(run_act(&run), 0);
	assert_false(run_apply(&run, &cancel));

	/* One that runs ends as cancelled, however its attempt ends. */
	for (int i = RUN_OUTCOME_COMPLETE; i <= RUN_OUTCOME_FAULT; i++) {
		run = running();
		assert_true(run_apply(&run, &cancel));
		assert_int_equal(run.phase, RUN_RUNNING);
		assert_int_equal(run_act(&run), RUN_ACT_RUN | RUN_ACT_CANCEL);
		assert_true(end_it(&run, (enum run_outcome)i, 7, 2 * S));
		assert_int_equal(run.phase, RUN_CANCELLED);
		assert_int_equal(run_act(&run), RUN_ACT_RELEASE);
	}
}

static void test_time(void **state)
{
	struct run_event now = {.kind = RUN_EV_TIME, .now = 1000 * S - 1};
	struct run_state run = queued();

	(void)state;
	assert_int_equal(run_due(&run), 1000 * S);
	assert_false(run_apply(&run, &now));
	now.now++;
	assert_true(run_apply(&run, &now));
	assert_int_equal(run.phase, RUN_FAILED);
	assert_int_equal(run_act(&run), RUN_ACT_FILL);
	run = running();
	assert_false(run_apply(&run, &now)); /* one that runs is not late */
}

static void test_names(void **state)
{
	enum run_phase phase;
	enum run_outcome outcome;

	(void)state;
	for (int i = RUN_QUEUED; i <= RUN_CANCELLED; i++) {
		assert_true(run_phase_parse(run_phase_name((enum run_phase)i), &phase));
		assert_int_equal(phase, i);
	}
	assert_false(run_phase_parse("leased", &phase));
	assert_true(run_outcome_parse("fault", &outcome));
	assert_int_equal(outcome, RUN_OUTCOME_FAULT);
	assert_false(run_outcome_parse("", &outcome));
}

/* A run whose kernel is not there stands in no queue: neither a board nor time takes it. */
static void test_waiting(void **state)
{
	const struct run_event lease = {.kind = RUN_EV_LEASE, .now = S, .fence = 7};
	const struct run_event late = {.kind = RUN_EV_TIME, .now = 5000 * S};
	const struct run_event built = {.kind = RUN_EV_BUILT, .now = 6000 * S, .expires = 7000 * S};
	const struct run_event unbuilt = {.kind = RUN_EV_UNBUILT, .now = S};
	const struct run_event cancel = {.kind = RUN_EV_CANCEL, .now = S};
	struct run_state run = queued(), other;

	(void)state;
	assert_false(run_apply(&run, &built)); /* it waits for nothing */
	run.waiting = true;
	assert_false(run_apply(&run, &lease));
	assert_false(run_apply(&run, &late));
	assert_int_equal(run_due(&run), INT64_MAX);
	assert_int_equal(run_act(&run), 0);
	other = run;
	assert_true(run_apply(&other, &unbuilt));
	assert_int_equal(other.phase, RUN_FAILED);
	assert_int_equal(run_act(&other), RUN_ACT_FILL);
	assert_false(run_apply(&other, &built));
	other = run;
	assert_true(run_apply(&other, &cancel));
	assert_int_equal(other.phase, RUN_CANCELLED);
	assert_true(run_apply(&run, &built));
	assert_int_equal(run_due(&run), 7000 * S);
	assert_false(run_apply(&run, &built));
	assert_true(run_apply(&run, &lease));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_waiting),
		cmocka_unit_test(test_lease),
		cmocka_unit_test(test_complete),
		cmocka_unit_test(test_stale_fence),
		cmocka_unit_test(test_faults_back_off),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
