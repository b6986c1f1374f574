/* A mismatch record as a terminal shows it, and what a hostile one may not do. */
#include "cli/evidence.h"
#include "common/scoped.h"
#include "common/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* What print writes to stdout for the JSON text; the caller frees. */
static char *printed(void (*print)(const json_t *), const char *text)
{
	SCOPED_JSON result = json_loads(text, 0, NULL);
	FILE *file = tmpfile();
	int saved = dup(STDOUT_FILENO);
	char *out = xcalloc(1, 8192);

	assert_non_null(result);
	(void)fflush(stdout);
	assert_true(dup2(fileno(file), STDOUT_FILENO) >= 0);
	print(result);
	(void)fflush(stdout);
	assert_true(dup2(saved, STDOUT_FILENO) >= 0);
	(void)close(saved);
	rewind(file);
	(void)!fread(out, 1, 8191, file);
	(void)fclose(file);
	return out;
}

static const char stale[] =
	"{\"id\":7,\"test\":\"dio-read-anon\",\"board\":\"n810\",\"verdict\":\"fail\",\"evidence\":[{\"type\":\"mismatch\",\"cell\":\"u=dirty\","
	"\"class\":\"stale-memory\",\"signature\":\"BBB\",\"offset\":16,\"expected\":\"00112233\",\"actual\":\"00ff2233\","
	"\"halfline_bitmap\":\"5000000000000000000000000000000000000000000000000000000000000001\",\"tags\":{\"stale\":3,\"zero\":0}}]}";

static void the_map_shows_each_half_line(void **state)
{
	SCOPED_STR out = printed(evidence_print, stale);

	(void)state;
	assert_non_null(strstr(out, "3 of 256 half-lines wrong, first at offset 16"));
	assert_non_null(strstr(out, "0x000   .#.#............\n"));
	assert_non_null(strstr(out, "0xf00   ...............#\n"));
	assert_null(strstr(out, "0x100"));
	assert_non_null(strstr(out, "expected  00*11 22 33"));
	assert_non_null(strstr(out, "blocks: 3 stale\n"));
}

static void line(const json_t *result)
{
	assert_true(evidence_print_line(result, "What failed:"));
}

static void no_line(const json_t *result)
{
	assert_false(evidence_print_line(result, "What failed:"));
}

static void without_a_record_there_is_no_line(void **state)
{
	SCOPED_STR out =
		printed(no_line, "{\"id\":7,\"test\":\"t\",\"evidence\":[{\"type\":\"value\"}]}");

	(void)state;
	assert_string_equal(out, "");
}

static void one_line_names_the_place(void **state)
{
	SCOPED_STR out = printed(line, stale);

	(void)state;
	assert_string_equal(
		out,
		"\nWhat failed:\n  dio-read-anon on n810, u=dirty: 3 of 256 half-lines stale-memory, first at offset 16 (cohort results 7)\n");
}

static void a_hostile_record_does_nothing(void **state)
{
	SCOPED_STR out = printed(
		evidence_print,
		"{\"test\":\"\\u001b[2J\",\"evidence\":[{\"type\":\"mismatch\",\"halfline_bitmap\":\"zz\",\"expected\":\"0\","
		"\"tags\":[],\"class\":7},{\"type\":\"kernel-warning\",\"text\":\"a\\u001bc\\nb\"},{},3]}");

	(void)state;
	assert_null(strchr(out, '\033'));
	assert_non_null(strstr(out, "    a?c\n    b\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_map_shows_each_half_line),
		cmocka_unit_test(one_line_names_the_place),
		cmocka_unit_test(without_a_record_there_is_no_line),
		cmocka_unit_test(a_hostile_record_does_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
