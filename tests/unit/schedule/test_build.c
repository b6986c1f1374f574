/* Each row of docs/STATES.md, "Build", and which runs a build lets go. */
#include "server/daemon/schedule/build.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
	enum build_phase from;
	enum run_phase run;
	enum build_made made;
	bool others, changes;
	enum build_phase to;
	bool farm;
} rows[] = {
	{BUILD_WAITING, RUN_RUNNING, BUILD_MADE_NOTHING, false, true, BUILD_BUILDING, false},
	{BUILD_WAITING, RUN_QUEUED, BUILD_MADE_NOTHING, false, false, BUILD_WAITING, false},
	{BUILD_BUILDING, RUN_QUEUED, BUILD_MADE_NOTHING, false, true, BUILD_WAITING, false},
	{BUILD_BUILDING, RUN_DONE, BUILD_MADE_KERNEL, false, true, BUILD_COMPLETE, false},
	{BUILD_BUILDING, RUN_DONE, BUILD_MADE_FAILURE, true, true, BUILD_FAILED, false},
	{BUILD_BUILDING, RUN_DONE, BUILD_MADE_NOTHING, true, true, BUILD_FAILED, true},
	{BUILD_BUILDING, RUN_FAILED, BUILD_MADE_NOTHING, true, true, BUILD_FAILED, true},
	{BUILD_WAITING, RUN_FAILED, BUILD_MADE_NOTHING, false, true, BUILD_FAILED, true},
	{BUILD_BUILDING, RUN_CANCELLED, BUILD_MADE_NOTHING, false, true, BUILD_FAILED, true},
	/* Somebody else waits: another run is to make it. */
	{BUILD_BUILDING, RUN_CANCELLED, BUILD_MADE_NOTHING, true, true, BUILD_WAITING, false},
	{BUILD_WAITING, RUN_CANCELLED, BUILD_MADE_NOTHING, true, true, BUILD_WAITING, false},
	/* What is settled stays. */
	{BUILD_COMPLETE, RUN_FAILED, BUILD_MADE_NOTHING, true, false, BUILD_COMPLETE, false},
	{BUILD_FAILED, RUN_RUNNING, BUILD_MADE_KERNEL, true, false, BUILD_FAILED, false},
	{BUILD_FAILED, RUN_CANCELLED, BUILD_MADE_NOTHING, true, false, BUILD_FAILED, false},
};

static void test_follow(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct build_state build = {.phase = rows[i].from};

		if (build_follow(&build, rows[i].run, rows[i].made, rows[i].others) !=
		            rows[i].changes ||
		    build.phase != rows[i].to || build.farm != rows[i].farm)
			fail_msg("row %zu: %s", i, build_phase_name(build.phase));
	}
}

/* Only what the farm broke is made again. */
static void test_want(void **state)
{
	(void)state;
	for (enum build_phase p = BUILD_WAITING; p <= BUILD_FAILED; p++) {
		struct build_state build = {.phase = p}, farm = {.phase = p, .farm = true};

		assert_false(build_want(&build));
		assert_int_equal(build.phase, p);
		assert_int_equal(build_want(&farm), p == BUILD_FAILED);
		assert_int_equal(farm.phase, p == BUILD_FAILED ? BUILD_WAITING : p);
	}
}

static void test_lets_run(void **state)
{
	const struct build_state complete = {.phase = BUILD_COMPLETE},
				 other = {.phase = BUILD_BUILDING};

	(void)state;
	assert_true(build_lets_run(&complete, 1, false));
	assert_false(build_lets_run(&complete, 2, false));
	assert_true(build_lets_run(&complete, 2, true));
	assert_false(build_lets_run(&other, 1, true));
}

static void test_names(void **state)
{
	enum build_phase phase;

	(void)state;
	for (enum build_phase p = BUILD_WAITING; p <= BUILD_FAILED; p++) {
		assert_true(build_phase_parse(build_phase_name(p), &phase));
		assert_int_equal(phase, p);
	}
	assert_false(build_phase_parse("made", &phase));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_follow),
		cmocka_unit_test(test_want),
		cmocka_unit_test(test_lets_run),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
