/* Text from boards on a terminal: nothing may move the cursor, change the title or turn the text around. */
#include "cli/term.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void hostile_text_is_made_safe(void **state)
{
	static const struct {
		const char *text, *safe;
		bool lines;
	} rows[] = {
		{"plain text", "plain text", false},
		{"\033]0;title\007", "?]0;title?", false},
		{"a\nb\tc", "a?b?c", false},
		{"a\nb\tc\r", "a\nb\tc?", true},
		{"caf\xc3\xa9", "caf\xc3\xa9", false},
		{"\xc2\x9b"
	         "31m",
	         "?\x9b"
	         "31m",
	         false},
		{"a\xe2\x80\xae"
	         "b",
	         "a?\x80\xae"
	         "b",
	         false},
		{"\x7f", "?", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char text[64];

		(void)snprintf(text, sizeof(text), "%s", rows[i].text);
		assert_string_equal(term_safe(text, rows[i].lines), rows[i].safe);
	}
}

static void columns_line_up(void **state)
{
	struct term_table *table = term_table_new();
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	term_cell(table, TERM_PLAIN, "A");
	term_cell(table, TERM_PLAIN, "B");
	term_row_end(table);
	term_cell(table, TERM_PLAIN, "\xc3\xa9\xc3\xa9\xc3\xa9");
	term_cell(table, TERM_PLAIN, "x");
	term_row_end(table);
	term_table_print(table, out);
	(void)fclose(out);
	assert_string_equal(text, "A    B\n\xc3\xa9\xc3\xa9\xc3\xa9  x\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hostile_text_is_made_safe),
		cmocka_unit_test(columns_line_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
