#include "common/lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct seen {
	char text[512];
	uint64_t end;
	int stop_after;
};

static int note_line(void *arg, char *text, size_t len, uint64_t end)
{
	struct seen *seen = arg;
	size_t used = strlen(seen->text);

	assert_int_equal(strlen(text), len);
	(void)snprintf(seen->text + used, sizeof(seen->text) - used, "%s|", text);
	seen->end = end;
	return seen->stop_after > 0 && --seen->stop_after == 0 ? -1 : 0;
}

/* However the stream is cut into pieces, the lines and their offsets are the same. */
static void any_cut_gives_the_same(void **state)
{
	static const char stream[] = "one\n\ntwo\na line that is far too long\nfour\nunfinished";

	(void)state;
	for (size_t piece = 1; piece <= sizeof(stream); piece++) {
		struct seen seen = {0};
		struct lines l;

		lines_init(&l, 10);
		for (size_t at = 0; at < sizeof(stream) - 1; at += piece) {
			size_t left = sizeof(stream) - 1 - at;

			assert_int_equal(lines_feed(&l, at, stream + at,
			                            left < piece ? left : piece, note_line, &seen),
			                 0);
		}
		assert_string_equal(seen.text, "one||two|four|");
		assert_int_equal(seen.end, strlen(stream) - strlen("unfinished"));
		assert_int_equal(l.dropped, 1);
		lines_release(&l);
	}
}

static void the_bound_itself_fits(void **state)
{
	struct seen seen = {0};
	struct lines l;

	(void)state;
	lines_init(&l, 4);
	assert_int_equal(lines_feed(&l, 0, "abcd\nabcde\n", 11, note_line, &seen), 0);
	assert_string_equal(seen.text, "abcd|");
	assert_int_equal(l.dropped, 1);
	lines_release(&l);
}

static void the_reader_can_stop(void **state)
{
	struct seen seen = {.stop_after = 1};
	struct lines l;

	(void)state;
	lines_init(&l, 10);
	assert_int_equal(lines_feed(&l, 100, "a\nb\n", 4, note_line, &seen), -1);
	assert_string_equal(seen.text, "a|");
	assert_int_equal(seen.end, 102);
	lines_release(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_cut_gives_the_same),
		cmocka_unit_test(the_bound_itself_fits),
		cmocka_unit_test(the_reader_can_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
