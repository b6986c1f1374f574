#include "common/gitname.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define FORTY "0123456789abcdef0123456789abcdef01234567"

static void test_ids(void **state)
{
	(void)state;
	assert_true(git_id_valid(FORTY));
	assert_true(git_id_valid(FORTY "0123456789abcdef01234567"));
	assert_false(git_id_valid(""));
	assert_false(git_id_valid("0123456789abcdef"));
	assert_false(git_id_valid(FORTY "0"));
	assert_false(git_id_valid("0123456789ABCDEF0123456789abcdef01234567"));
}

static void test_names(void **state)
{
	static const char *const good[] = {"v6.1",      "main", "user/topic", "refs/heads/x",
	                                   "a-b_c+d.e", FORTY,  "0"};
	static const char *const bad[] = {
		"",     "-v",    "--output=x", ".",      "..",       ".x",       "/x",
		"a..b", "a b",   "a\n",        "HEAD~1", "a^",       "a^{tree}", "a:b",
		"@",    "x@{1}", "a*",         "a?",     "a[b]",     "a\\b",     "a;b",
		"a$b",  "a`b`",  "a\"b",       "a'b",    "\xc3\xa4", "a\x7f",    "a=b"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		if (!git_name_valid(good[i]))
			fail_msg("'%s' is refused", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (git_name_valid(bad[i]))
			fail_msg("'%s' is taken", bad[i]);
}

static void test_ranges(void **state)
{
	static const char *const good[] = {"v6.1..topic", FORTY ".." FORTY, "a/b..c/d"};
	static const char *const bad[] = {"",          "a",       "..",       "a..",
	                                  "..b",       "a...b",   "a..b..c",  "--output=x..y",
	                                  "a..--exec", "a..-b",   "-a..b",    "HEAD~2..HEAD",
	                                  "a ..b",     "a.. b",   "a..b\n",   "^a..b",
	                                  "a..b^!",    "a..@{u}", "a..b:file"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		if (!git_range_valid(good[i]))
			fail_msg("'%s' is refused", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (git_range_valid(bad[i]))
			fail_msg("'%s' is taken", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
