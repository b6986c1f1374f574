#include "common/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void expect(const char *in, size_t len, const char *want)
{
	char out[128];
	size_t used;

	assert_int_equal(utf8_clean(in, len, out, sizeof(out), &used), strlen(want));
	assert_string_equal(out, want);
	assert_int_equal(used, len);
}

#define R "\xef\xbf\xbd"

static void good_text_stays(void **state)
{
	(void)state;
	expect("abc\n\t\x7f", 6, "abc\n\t\x7f");
	expect("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xed\x9f\xbf\xf4\x8f\xbf\xbf", 16,
	       "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xed\x9f\xbf\xf4\x8f\xbf\xbf");
	expect("", 0, "");
}

/* RFC 3629: overlong forms, surrogates, beyond U+10FFFF, lone and missing continuation bytes, NUL. */
static void bad_bytes_are_replaced(void **state)
{
	(void)state;
	expect("a\0b", 3, "a" R "b");
	expect("\xc0\x80", 2, R R);
	expect("\xe0\x80\x80", 3, R R R);
	expect("\xed\xa0\x80", 3, R R R);
	expect("\xf4\x90\x80\x80", 4, R R R R);
	expect("\x80x\xff", 3, R "x" R);
	expect("\xe2\x82", 2, R R);
	expect("\xe2\x82x", 3, R R "x");
}

/* No character is ever cut: what no longer fits is left for the next time. */
static void a_small_room_is_filled_with_whole_characters(void **state)
{
	static const char text[] = "a\xe2\x82\xac\xf0\x9f\x98\x80";
	char out[16];

	(void)state;
	for (size_t room = 1; room <= sizeof(text); room++) {
		size_t used, n = utf8_clean(text, sizeof(text) - 1, out, room, &used);

		assert_true(n < room);
		assert_int_equal(n, used);
		assert_true(n == 0 || n == 1 || n == 4 || n == 8);
		assert_memory_equal(out, text, n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_text_stays),
		cmocka_unit_test(bad_bytes_are_replaced),
		cmocka_unit_test(a_small_room_is_filled_with_whole_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
