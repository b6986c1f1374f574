/* test_table.c - the table of tests is what a planner may rely on. */
#include "jobs/coherence/emit.h"
#include "jobs/coherence/test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < test_count; i++) {
		const struct test *test = tests[i];

		assert_non_null(test->run);
		assert_true(test->time_limit_s > 0 && test->iterations > 0);
		assert_true(test->classes != 0);
		assert_true(strspn(test->name, "abcdefghijklmnopqrstuvwxyz0123456789-") ==
		            strlen(test->name));
		assert_ptr_equal(test_find(test->name), test);
		assert_in_range(test_cells(test), 1, CELLS_MAX);
	}
	assert_null(test_find("no-such-test"));
}

/* No name twice, none cut short, none with what KTAP or JSON readers would stumble over. */
static void test_cell_names(void **state)
{
	static char names[CELLS_MAX][CELL_NAME_MAX];

	(void)state;
	for (size_t i = 0; i < test_count; i++) {
		for (unsigned int cell = 0; cell < test_cells(tests[i]); cell++) {
			test_cell_name(tests[i], cell, names[cell]);
			assert_in_range(strlen(names[cell]), 1, CELL_NAME_MAX - 2);
			assert_null(strpbrk(names[cell], "# \"\\\n"));
			for (unsigned int other = 0; other < cell; other++)
				assert_string_not_equal(names[cell], names[other]);
		}
	}
}

static const struct variant variants[] = {
	{"a", KIND_CONTRACT, 5, 3, 15},
	{"b", KIND_GAP, 0, 2, 0},
	{"c", KIND_INFO, 0, 0, 0},
};

static const struct test made_up = {
	.name = "made-up", .kind = KIND_CONTRACT, .variants = variants, .variant_count = 3};

static void test_order(void **state)
{
	char name[CELL_NAME_MAX];

	(void)state;
	assert_int_equal(test_cells(&made_up), 18);
	test_cell_name(&made_up, 0, name);
	assert_string_equal(name, "a,u=absent,k=absent,delta=0");
	test_cell_name(&made_up, 7, name);
	assert_string_equal(name, "a,u=absent,k=clean,delta=3");
	test_cell_name(&made_up, 8, name);
	assert_string_equal(name, "a,u=dirty,k=absent,delta=0");
	test_cell_name(&made_up, 16, name);
	assert_string_equal(name, "b,k=clean");
	test_cell_name(&made_up, 17, name);
	assert_string_equal(name, "c");
	assert_int_equal(test_cell_kind(&made_up, 16), KIND_GAP);
	assert_int_equal(test_cell_kind(&made_up, 17), KIND_INFO);
}

static void test_list_fits(void **state)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	(void)state;
	assert_non_null(out);
	assert_int_equal(emit_list(out), 0);
	assert_int_equal(fclose(out), 0);
	assert_true(length > 1000 && text[length - 1] == '\n');
	assert_non_null(strstr(text, "\"gap_cells\":[\"private,u=clean,k=absent,delta=0\""));
	free(text);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_cell_names),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_list_fits),
	};

	return cmocka_run_group_tests(cases, NULL, NULL);
}
