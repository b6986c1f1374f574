#include "server/daemon/http/range.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void ranges(void **state)
{
	static const struct {
		const char *text;
		int64_t size;
		enum range_kind kind;
		int64_t first, last;
	} rows[] = {
		{"bytes=0-0", 10, RANGE_OK, 0, 0},
		{"bytes=2-5", 10, RANGE_OK, 2, 5},
		{"BYTES=2-5", 10, RANGE_OK, 2, 5},
		{"bytes=2-", 10, RANGE_OK, 2, 9},
		{"bytes=2-99", 10, RANGE_OK, 2, 9},
		{"bytes=-3", 10, RANGE_OK, 7, 9},
		{"bytes=-30", 10, RANGE_OK, 0, 9},
		{"bytes=10-", 10, RANGE_UNSATISFIABLE, 0, 0},
		{"bytes=-0", 10, RANGE_UNSATISFIABLE, 0, 0},
		{"bytes=0-", 0, RANGE_UNSATISFIABLE, 0, 0},
		{"bytes=-5", 0, RANGE_UNSATISFIABLE, 0, 0},
		{"bytes=5-2", 10, RANGE_NONE, 0, 0},
		{"bytes=0-1,3-4", 10, RANGE_NONE, 0, 0},
		{"bytes=", 10, RANGE_NONE, 0, 0},
		{"bytes=-", 10, RANGE_NONE, 0, 0},
		{"bytes=a-b", 10, RANGE_NONE, 0, 0},
		{"bytes=99999999999999999999-", 10, RANGE_NONE, 0, 0},
		{"lines=1-2", 10, RANGE_NONE, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t first = 0, last = 0;

		if (range_parse(rows[i].text, rows[i].size, &first, &last) != rows[i].kind)
			fail_msg("%s", rows[i].text);
		if (rows[i].kind == RANGE_OK && (first != rows[i].first || last != rows[i].last))
			fail_msg("%s: %lld-%lld", rows[i].text, (long long)first, (long long)last);
	}
}

static void content_ranges(void **state)
{
	static const char *const bad[] = {"",
	                                  "bytes",
	                                  "bytes 0-1",
	                                  "bytes 0-1/*",
	                                  "bytes 1-0/2",
	                                  "bytes 0-2/2",
	                                  "bytes 0-1/2 ",
	                                  "bytes */2",
	                                  "bytes=0-1/2",
	                                  "bytes -1/2",
	                                  "bytes 0-99999999999999999999/9"};
	int64_t first, last, total;

	(void)state;
	assert_true(content_range_parse("bytes 4-9/10", &first, &last, &total));
	assert_int_equal(first, 4);
	assert_int_equal(last, 9);
	assert_int_equal(total, 10);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (content_range_parse(bad[i], &first, &last, &total))
			fail_msg("%s", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges),
		cmocka_unit_test(content_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
