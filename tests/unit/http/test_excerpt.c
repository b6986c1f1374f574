/* What of a log belongs to a test. */
#include "server/daemon/http/excerpt.h"

#include "common/scoped.h"
#include "common/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define S  INT64_C(1000000)
#define T0 (INT64_C(1790000000) * S) /* 2026-09-21T14:13:20Z */

static const char lines[] = "2026-09-21T14:13:15.000000Z before\n"
			    "goes with before\n"
			    "2026-09-21T14:13:19.999999Z just before\n"
			    "2026-09-21T14:13:20.000000Z begins\n"
			    "no time\n"
			    "2026-09-21T14:13:22.299999Z ends\n"
			    "2026-09-21T14:13:22.300001Z after\n";

static void test_window(void **state)
{
	SCOPED_STR text = log_excerpt(lines, T0, T0 + 2 * S);

	(void)state;
	assert_string_equal(text, "2026-09-21T14:13:20.000000Z begins\n"
	                          "no time\n"
	                          "2026-09-21T14:13:22.299999Z ends\n");
}

static void test_nothing(void **state)
{
	SCOPED_STR none = log_excerpt("", T0, T0);
	SCOPED_STR elsewhere = log_excerpt(lines, T0 + 99 * S, T0 + 100 * S);
	SCOPED_STR no_times = log_excerpt("a\nb", T0, T0);

	(void)state;
	assert_string_equal(none, "");
	assert_string_equal(elsewhere, "");
	assert_string_equal(no_times, "");
}

/* Of a long one, both ends stay, and no character is cut in two. */
static void test_long(void **state)
{
	size_t len = (size_t)3 * EXCERPT_MAX;
	SCOPED_STR log = xcalloc(len + 64, 1);
	SCOPED_STR text = NULL;
	size_t at;

	(void)state;
	at = (size_t)snprintf(log, 64, "2026-09-21T14:13:20.000000Z first ");
	for (; at + 2 < len; at += 2)
		(void)memcpy(log + at, "\xc3\xa4", 2);
	(void)memcpy(log + at, "last\n", 6);
	text = log_excerpt(log, T0, T0);
	assert_in_range(strlen(text), EXCERPT_MAX - 2, EXCERPT_MAX + 64);
	assert_non_null(strstr(text, "first"));
	assert_non_null(strstr(text, "bytes left out"));
	assert_string_equal(text + strlen(text) - 5, "last\n");
	for (at = 0; text[at]; at++)
		if ((unsigned char)text[at] == 0xc3)
			assert_int_equal((unsigned char)text[at + 1], 0xa4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
