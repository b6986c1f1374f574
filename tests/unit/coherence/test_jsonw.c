/* test_jsonw.c - what a board says must never break a line of JSON. */
#include "jobs/coherence/jsonw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static char text[256];

static const char *string_value(const char *value)
{
	struct jsonw json;

	jsonw_start(&json, text, sizeof(text));
	jsonw_string(&json, NULL, value);
	assert_int_equal(jsonw_finish(&json), 0);
	return text;
}

static void test_structure(void **state)
{
	struct jsonw json;

	(void)state;
	jsonw_start(&json, text, sizeof(text));
	jsonw_open_object(&json, NULL);
	jsonw_unsigned(&json, "u", UINT64_MAX);
	jsonw_signed(&json, "s", INT64_MIN);
	jsonw_open_array(&json, "a");
	jsonw_bool(&json, NULL, true);
	jsonw_null(&json, NULL);
	jsonw_close_array(&json);
	jsonw_open_object(&json, "o");
	jsonw_close_object(&json);
	jsonw_hex(&json, "h", "\x01\xfe", 2);
	jsonw_close_object(&json);
	assert_int_equal(jsonw_finish(&json), 0);
	assert_string_equal(text, "{\"u\":18446744073709551615,\"s\":-9223372036854775808,"
	                          "\"a\":[true,null],\"o\":{},\"h\":\"01fe\"}");
}

static void test_escapes(void **state)
{
	(void)state;
	assert_string_equal(string_value("a\"b\\c\n\x7f"), "\"a\\\"b\\\\c\\u000a\\u007f\"");
	assert_string_equal(string_value("\xc3\xa4\xf0\x9f\x98\x80"),
	                    "\"\xc3\xa4\xf0\x9f\x98\x80\"");
	assert_string_equal(string_value(NULL), "null");
}

static void test_not_utf8(void **state)
{
	(void)state;
	assert_string_equal(string_value("a\xff"), "\"a\\ufffd\"");
	assert_string_equal(string_value("\xc3"), "\"\\ufffd\"");            /* cut short */
	assert_string_equal(string_value("\xc0\xaf"), "\"\\ufffd\\ufffd\""); /* overlong */
	assert_string_equal(string_value("\xed\xa0\x80"),
	                    "\"\\ufffd\\ufffd\\ufffd\""); /* a surrogate */
	assert_string_equal(string_value("\xf5z"), "\"\\ufffdz\"");
}

/* Whatever the room, nothing is written behind it and the caller learns that it was too small. */
static void test_room(void **state)
{
	(void)state;
	for (size_t room = 1; room < 16; room++) {
		struct jsonw json;

		memset(text, 'x', sizeof(text));
		jsonw_start(&json, text, room);
		jsonw_string(&json, NULL, "0123456789\n");
		assert_int_equal(jsonw_finish(&json), -1);
		assert_int_equal(text[room], 'x');
		assert_true(strlen(text) < room);
	}
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_structure),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_not_utf8),
		cmocka_unit_test(test_room),
	};

	return cmocka_run_group_tests(cases, NULL, NULL);
}
