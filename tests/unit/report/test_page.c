/* page.c: no line is longer than a mail's, and none holds what could act. */
#include "server/daemon/report/page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void check(const struct page *page, size_t lines)
{
	size_t count = 0, columns = 0;

	for (const char *p = page->text; *p; p++) {
		if (*p == '\n') {
			assert_true(columns <= PAGE_COLUMNS);
			columns = 0;
			count++;
			continue;
		}
		assert_true((unsigned char)*p >= 0x20 && *p != 0x7f);
		columns += ((unsigned char)*p & 0xc0) != 0x80;
	}
	assert_int_equal(count, lines);
	assert_int_equal(page->lines, lines);
}

static void test_clean(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"plain", "plain"},
		{"a\tb\nc\rd", "a b c d"},
		{"\033[31mred\007", "?[31mred?"},
		{"\xe2\x80\xae"
	         "evil\xe2\x81\xa6",
	         "?evil?"},
		{"\xff\xc3 x", "?? x"},
		{"J\xc3\xbcrgen \xe2\x86\x92", "J\xc3\xbcrgen \xe2\x86\x92"},
		{"\xef\xbb\xbf\xcc\x88\xf3\xa0\x81\x81", "???"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *clean = page_clean(rows[i].in);

		assert_string_equal(clean, rows[i].out);
		free(clean);
	}
}

static void test_lines(void **state)
{
	struct page page = {0};
	char longest[401];

	(void)state;
	memset(longest, 'x', 400);
	longest[400] = '\0';
	page_line(&page, "%s", longest);
	page_line(&page, "trailing   ");
	page_line(&page, "%s", "");
	page_wrap(&page, 3, 2, "1. %s", longest);
	page_wrap(
		&page, 3, 5,
		"one two three four five six seven eight nine ten eleven twelve thirteen fourteen");
	check(&page, 7);
	assert_non_null(strstr(page.text, "xxx...\ntrailing\n\n1.\n   xxx"));
	assert_non_null(strstr(page.text, "thirteen\n   fourteen\n"));
	page_release(&page);
}

static void test_command(void **state)
{
	struct page page = {0};

	(void)state;
	page_command(&page, 3, "$ cohort submit --build %s --board %s --suite %s",
	             "a-build-with-a-long-name", "a-board-with-a-long-name-too", "coherence");
	check(&page, 2);
	assert_string_equal(page.text,
	                    "   $ cohort submit --build a-build-with-a-long-name --board \\\n"
	                    "       a-board-with-a-long-name-too --suite coherence\n");
	page_release(&page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
