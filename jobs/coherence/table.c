/* table.c - the tests of tests/tests.h and bench/bench.h as an array. */
#include "bench/bench.h"
#include "tests/tests.h"

#include <string.h>

#define POINT_AT_TEST(name) &test_##name,

const struct test *const tests[] = {EACH_TEST(POINT_AT_TEST) EACH_BENCH(POINT_AT_TEST)};

const size_t test_count = sizeof(tests) / sizeof(tests[0]);

const struct test *test_find(const char *name)
{
	for (size_t i = 0; i < test_count; i++) {
		if (strcmp(tests[i]->name, name) == 0)
			return tests[i];
	}
	return NULL;
}
