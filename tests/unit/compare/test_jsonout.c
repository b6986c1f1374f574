/* What jsonout writes, jansson reads back. */
#include "server/daemon/compare/jsonout.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void comma(struct jsonout *out)
{
	jsonout_raw(out, out->len > 1 ? "," : "");
}

static void test_texts(void **state)
{
	static const char *const texts[] = {
		"", "plain", "a\"b\\c", "\n\x01\x1f", "\xc3\xa9\xe2\x86\x92", "/"};
	struct jsonout out = {0};
	json_t *list;
	char *text;

	(void)state;
	jsonout_raw(&out, "[");
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		comma(&out);
		jsonout_text(&out, texts[i]);
	}
	comma(&out);
	jsonout_text(&out, NULL);
	jsonout_raw(&out, "]");
	text = jsonout_end(&out);
	list = json_loads(text, 0, NULL);
	assert_non_null(list);
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		assert_string_equal(json_string_value(json_array_get(list, i)), texts[i]);
	assert_true(json_is_null(json_array_get(list, sizeof(texts) / sizeof(*texts))));
	json_decref(list);
	free(text);
}

static void test_numbers(void **state)
{
	static const int64_t whole[] = {0, 7, -1, 1234567890123, INT64_MAX, INT64_MIN};
	static const double parts[] = {0, 1, 0.5, 0.012643, 0.000001, 0.999999, 0.1};
	struct jsonout out = {0};
	json_t *list;
	char *text;
	size_t at = 0;

	(void)state;
	jsonout_raw(&out, "[");
	for (size_t i = 0; i < sizeof(whole) / sizeof(*whole); i++) {
		comma(&out);
		jsonout_int(&out, whole[i]);
	}
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		comma(&out);
		jsonout_part(&out, parts[i]);
	}
	comma(&out);
	jsonout_number(&out, 1.25e-7);
	comma(&out);
	jsonout_number(&out, NAN);
	comma(&out);
	jsonout_number(&out, INFINITY);
	jsonout_raw(&out, "]");
	text = jsonout_end(&out);
	list = json_loads(text, 0, NULL);
	assert_non_null(list);
	for (size_t i = 0; i < sizeof(whole) / sizeof(*whole); i++)
		assert_true(json_integer_value(json_array_get(list, at++)) == whole[i]);
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		assert_true(fabs(json_number_value(json_array_get(list, at++)) - parts[i]) < 1e-9);
	assert_true(fabs(json_number_value(json_array_get(list, at++)) - 1.25e-7) < 1e-12);
	assert_true(json_is_null(json_array_get(list, at)));
	assert_true(json_is_null(json_array_get(list, at + 1)));
	json_decref(list);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
