/* Times as text, and back. */
#include "common/timeus.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_there_and_back(void **state)
{
	static const int64_t times[] = {0, 1, 1790000000123456, 951782400000000,
	                                253402300799999999};

	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
		char text[32];
		int64_t again;

		time_format(times[i], text);
		assert_true(time_parse(text, &again));
		assert_true(again == times[i]);
	}
}

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		int64_t us; /* -1: refused */
	} rows[] = {
		{"2026-11-22", 1795305600000000},
		{"2026-11-22T14:32:00Z", 1795357920000000},
		{"2026-11-22T14:32:00.5Z", 1795357920500000},
		{"2024-02-29", 1709164800000000},
		{"2026-02-29", -1},
		{"2026-11-31", -1},
		{"2026-11-22T14:32:00", -1},
		{"2026-11-22T14:32:61Z", -1},
		{"2026-11-22T24:00:00Z", -1},
		{"2026-11-22 ", -1},
		{"2026-13-01", -1},
		{"tomorrow", -1},
		{"", -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int64_t us = -1;

		if (time_parse(rows[i].text, &us) != (rows[i].us >= 0) || us != rows[i].us)
			fail_msg("%s: %lld", rows[i].text, (long long)us);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_parse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
