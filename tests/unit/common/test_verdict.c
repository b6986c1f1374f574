#include "common/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void names_round_trip(void **state)
{
	enum verdict v;

	(void)state;
	for (int i = 0; i < VERDICT_COUNT; i++) {
		assert_true(verdict_parse(verdict_name((enum verdict)i), &v));
		assert_int_equal(v, i);
	}
	assert_false(verdict_parse("PASS", &v));
	assert_false(verdict_parse("", &v));
}

static void exit_codes(void **state)
{
	(void)state;
	assert_int_equal(verdict_of_exit(0), VERDICT_PASS);
	assert_int_equal(verdict_of_exit(1), VERDICT_FAIL);
	assert_int_equal(verdict_of_exit(4), VERDICT_SKIP);
	/* Anything else is the test's own trouble, never the kernel's. */
	assert_int_equal(verdict_of_exit(2), VERDICT_ERROR);
	assert_int_equal(verdict_of_exit(127), VERDICT_ERROR);
	assert_int_equal(verdict_of_exit(-1), VERDICT_ERROR);
}

static void skip_words(void **state)
{
	(void)state;
	assert_true(skip_reason_valid("noconfig"));
	assert_true(skip_reason_valid("not-applicable"));
	assert_true(skip_reason_valid("not-applicable(pipt)"));
	assert_false(skip_reason_valid("not-applicable(pipt"));
	assert_false(skip_reason_valid("because"));
	assert_false(skip_reason_valid(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_round_trip),
		cmocka_unit_test(exit_codes),
		cmocka_unit_test(skip_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
