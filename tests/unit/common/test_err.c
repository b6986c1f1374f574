/* test_err.c - an error's text, whatever goes into it. */
#include "common/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_text_and_context(void **state)
{
	struct err err = {0};

	(void)state;
	errno = ENOENT;
	assert_int_equal(err_errno(&err, ERR_IO, "file %s", "x"), -1);
	assert_int_equal(err.kind, ERR_IO);
	assert_string_equal(err.text, "file x: No such file or directory");
	assert_int_equal(errno, ENOENT);
	assert_int_equal(err_context(&err, "board %d", 7), -1);
	assert_string_equal(err.text, "board 7: file x: No such file or directory");
	errno = ENOSPC;
	(void)err_errno(&err, ERR_IO, "y");
	assert_int_equal(err.kind, ERR_NOSPACE);
	assert_int_equal(err_set(NULL, ERR_IO, "nobody asks"), -1);
}

/* JSON that it goes into refuses anything else, and a result would be lost for that. */
static void test_text_is_utf8(void **state)
{
	char text[sizeof(((struct err *)0)->text) + 2];
	struct err err;

	(void)state;
	(void)err_set(&err, ERR_IO, "a \xff\xc3 b \xc3\xa9 c \xe2\x82");
	assert_string_equal(err.text, "a ?? b \xc3\xa9 c ??");
	for (size_t i = 0; i + 1 < sizeof(text); i++)
		text[i] = i % 2 ? '\xa9' : '\xc3';
	text[sizeof(text) - 1] = '\0';
	(void)err_set(&err, ERR_IO, "%s", text);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	assert_int_equal(err.text[sizeof(err.text) - 2], '?');
	(void)err_context(&err, "%.3s", text);
	assert_memory_equal(err.text, "\xc3\xa9?: \xc3\xa9", 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_and_context),
		cmocka_unit_test(test_text_is_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
