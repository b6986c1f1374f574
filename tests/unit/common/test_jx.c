#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void refuse(const char *text, size_t len, enum err_kind kind, const char *says)
{
	struct err err = {0};

	assert_null(jx_parse(text, len, 64, &err));
	assert_int_equal(err.kind, kind);
	assert_non_null(strstr(err.text, says));
}

static void parse_refuses(void **state)
{
	char deep[80];

	(void)state;
	refuse("{\"a\":1,\n\"a\":2}", 13, ERR_INVALID, "line 2");
	refuse("{\"a\":\"\xff\"}", 9, ERR_INVALID, "0xff");
	refuse("{\"a\":\"\\u0000\"}", 14, ERR_INVALID, "\\u0000");
	refuse("{} x", 4, ERR_INVALID, "line 1");
	refuse("", 0, ERR_INVALID, "line 1");
	(void)memset(deep, ' ', sizeof(deep));
	refuse(deep, sizeof(deep), ERR_TOOBIG, "at most 64");
	(void)memset(deep, '[', 33);
	refuse(deep, 64, ERR_INVALID, "deeper than 32");
}

static void depth_knows_strings(void **state)
{
	static const char text[] = "{\"a\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[\"}";
	SCOPED_JSON doc = jx_parse(text, strlen(text), 64, NULL);

	(void)state;
	assert_non_null(doc);
}

struct thing {
	const char *name;
	int64_t size;
	bool on;
	json_t *tags;
};

static const struct jx_field fields[] = {
	{"name", JX_STRING, true, 1, 8, offsetof(struct thing, name)},
	{"size", JX_INT, false, 1, 10, offsetof(struct thing, size)},
	{"on", JX_BOOL, false, 0, 0, offsetof(struct thing, on)},
	{"tags", JX_ARRAY, false, 0, 2, offsetof(struct thing, tags)},
};

static bool read_thing(const char *text, struct thing *thing, struct jx_errors *errors)
{
	json_t *doc = jx_parse(text, strlen(text), 1000, NULL);
	bool ok = jx_read(doc, fields, 4, thing, "/t", errors);

	/* The borrowed members are not looked at after this. */
	json_decref(doc);
	return ok;
}

static void reads_and_keeps_defaults(void **state)
{
	struct thing thing = {.size = 7};
	struct jx_errors errors = {0};

	(void)state;
	assert_true(read_thing("{\"name\":\"x\",\"on\":true,\"size\":null}", &thing, &errors));
	assert_int_equal(thing.size, 7);
	assert_true(thing.on);
	assert_true(jx_ok(&errors));
}

static void complains_of_all_at_once(void **state)
{
	struct thing thing = {0};
	struct jx_errors errors = {0};
	struct err err = {0};

	(void)state;
	assert_false(read_thing("{\"size\":11,\"on\":1,\"tags\":[1,2,3],\"colour\":0}", &thing,
	                        &errors));
	assert_int_equal(json_array_size(errors.list), 5);
	assert_int_equal(jx_errors_to_err(&errors, &err), -1);
	assert_non_null(strstr(err.text, "/t/colour: unknown field"));
	assert_non_null(strstr(err.text, "/t/name: is required: a string"));
	assert_non_null(strstr(err.text, "/t/size: must be 1 to 10"));
	assert_non_null(strstr(err.text, "/t/on: must be true or false"));
	assert_non_null(strstr(err.text, "/t/tags: must be 0 to 2 items"));
	jx_errors_release(&errors);
}

/* A key that is cut inside a UTF-8 sequence must still be complained of. */
static void a_long_foreign_key_is_not_lost(void **state)
{
	struct thing thing = {0};
	struct jx_errors errors = {0};
	char text[256] = "{\"name\":\"x\",\"a";

	(void)state;
	for (int i = 0; i < 60; i++)
		(void)strncat(text, "\xc3\xa9", 3);
	(void)strncat(text, "\":1}", 5);
	assert_false(read_thing(text, &thing, &errors));
	assert_int_equal(json_array_size(errors.list), 1);
	jx_errors_release(&errors);
}

static void names(void **state)
{
	(void)state;
	assert_true(jx_name_valid("qemu-vivt"));
	assert_true(jx_name_valid("6.1.192+x_y"));
	assert_false(jx_name_valid(""));
	assert_false(jx_name_valid(".."));
	assert_false(jx_name_valid("-a"));
	assert_false(jx_name_valid("a/b"));
	assert_false(
		jx_name_valid("12345678901234567890123456789012345678901234567890123456789012345"));
}

/* Only the first complaints are kept, but each one counts: a reader that says true must have filled its struct. */
static void complaints_beyond_the_kept_ones_count(void **state)
{
	static const struct jx_field field = {"name", JX_STRING, true, 1, 0, 0};
	struct jx_errors errors = {0};
	json_t *empty = json_object();
	const char *name = NULL;

	(void)state;
	for (int i = 0; i < 300; i++)
		assert_false(jx_read(empty, &field, 1, &name, "/x", &errors));
	assert_int_equal(json_array_size(errors.list), 100);
	assert_false(jx_ok(&errors));
	jx_errors_release(&errors);
	assert_true(jx_ok(&errors));
	json_decref(empty);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse_refuses),
		cmocka_unit_test(depth_knows_strings),
		cmocka_unit_test(reads_and_keeps_defaults),
		cmocka_unit_test(complains_of_all_at_once),
		cmocka_unit_test(a_long_foreign_key_is_not_lost),
		cmocka_unit_test(names),
		cmocka_unit_test(complaints_beyond_the_kept_ones_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
