#include "common/cacheclass.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void boot_lines(void **state)
{
	static const struct {
		const char *line;
		enum cache_class class;
		const char *inst;
	} rows[] = {
		{"CPU: VIVT data cache, VIVT instruction cache", CACHE_VIVT, "VIVT"},
		{"[    0.000000] CPU: VIPT aliasing data cache, unknown instruction cache",
	         CACHE_VIPT_ALIASING, "unknown"},
		{"CPU: PIPT / VIPT nonaliasing data cache, PIPT instruction cache",
	         CACHE_VIPT_NONALIASING, "PIPT"},
		{"CPU: VIPT nonaliasing data cache, VIPT aliasing instruction cache",
	         CACHE_VIPT_NONALIASING, "VIPT aliasing"},
		{"CPU: unknown data cache, unknown instruction cache", CACHE_UNKNOWN, "unknown"},
		{"CPU: ARM926EJ-S [41069265] revision 5 (ARMv5TEJ), cr=00093177", CACHE_UNKNOWN,
	         ""},
		{"CPU: VIVT data cache, ", CACHE_UNKNOWN, ""},
		{"", CACHE_UNKNOWN, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char inst[48];

		assert_int_equal(cache_class_of_boot_line(rows[i].line, inst), rows[i].class);
		assert_string_equal(inst, rows[i].inst);
	}
}

static void names_round_trip(void **state)
{
	(void)state;
	for (int i = CACHE_VIVT; i <= CACHE_NONE; i++)
		assert_int_equal(cache_class_parse(cache_class_name((enum cache_class)i)), i);
	assert_int_equal(cache_class_parse("unknown"), CACHE_UNKNOWN);
	assert_int_equal(cache_class_parse("VIVT"), CACHE_UNKNOWN);
}

static void agreement(void **state)
{
	(void)state;
	assert_true(cache_class_agrees(CACHE_VIVT, CACHE_VIVT));
	assert_false(cache_class_agrees(CACHE_VIVT, CACHE_VIPT_ALIASING));
	assert_false(cache_class_agrees(CACHE_VIVT, CACHE_UNKNOWN));
	/* The kernel prints the two of them alike. */
	assert_true(cache_class_agrees(CACHE_PIPT, CACHE_VIPT_NONALIASING));
	assert_true(cache_class_agrees(CACHE_NONE, CACHE_UNKNOWN));
	assert_false(cache_class_agrees(CACHE_NONE, CACHE_VIVT));
	assert_false(cache_class_agrees(CACHE_UNKNOWN, CACHE_UNKNOWN));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(boot_lines),
		cmocka_unit_test(names_round_trip),
		cmocka_unit_test(agreement),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
