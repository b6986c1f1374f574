/* Globs, one by one and against a slow matcher on random ones. */
#include "server/daemon/plan/glob.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_examples(void **state)
{
	static const struct {
		const char *pattern, *name;
		bool fits;
	} rows[] = {
		{"*", "", true},          {"", "", true},
		{"", "a", false},         {"dio-*", "dio-read", true},
		{"dio-*", "dio", false},  {"*-read", "dio-read", true},
		{"?", "a", true},         {"?", "", false},
		{"a?c", "abc", true},     {"*a*b", "xaxbxb", true},
		{"*a*b", "xaxbx", false}, {"[ab]", "a", false},
		{"a*", "a", true},        {"**", "x", true},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (glob_match(rows[i].pattern, rows[i].name) != rows[i].fits)
			fail_msg("'%s' and '%s'", rows[i].pattern, rows[i].name);
}

static bool slow(const char *pattern, const char *name)
{
	if (!*pattern)
		return !*name;
	if (*pattern == '*')
		return slow(pattern + 1, name) || (*name && slow(pattern, name + 1));
	return *name && (*pattern == '?' || *pattern == *name) && slow(pattern + 1, name + 1);
}

static void test_random(void **state)
{
	unsigned seed = 20130503;

	(void)state;
	for (unsigned i = 0; i < 200000; i++) {
		char pattern[9] = "", name[9] = "";

		for (unsigned k = (unsigned)rand_r(&seed) % 9; k > 0; k--)
			pattern[k - 1] = "ab*?"[rand_r(&seed) % 4];
		for (unsigned k = (unsigned)rand_r(&seed) % 9; k > 0; k--)
			name[k - 1] = "ab"[rand_r(&seed) % 2];
		if (glob_match(pattern, name) != slow(pattern, name))
			fail_msg("'%s' and '%s'", pattern, name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
