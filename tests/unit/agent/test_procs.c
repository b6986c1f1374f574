#include "agent/procs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char tail[] =
	" S 7 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 100 2371584 317 4294967295 1 1 0\n";

/* A program chooses its own name, and may choose one that looks like the rest of the line. */
static void a_name_cannot_forge_the_fields(void **state)
{
	static const char *const names[] = {"sh", "a b", ") R 1 1 1", "((", "))", ""};
	struct proc proc;
	char line[512];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		(void)snprintf(line, sizeof(line), "4242 (%s)%s", names[i], tail);
		assert_true(procs_parse(line, &proc));
		assert_int_equal(proc.pid, 4242);
		assert_int_equal(proc.state, 'S');
		assert_int_equal(proc.parent, 7);
		assert_int_equal(proc.group, 42);
		assert_int_equal(proc.resident_pages, 317);
	}
}

static void lines_that_are_cut_are_refused(void **state)
{
	static const char *const bad[] = {"",        "1",        "1 (sh",          "1 (sh)",
	                                  "1 (sh) ", "1 (sh) S", "1 (sh) S 1 1 1", "(sh) S 1"};
	struct proc proc;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (procs_parse(bad[i], &proc))
			fail_msg("\"%s\" was taken", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_cannot_forge_the_fields),
		cmocka_unit_test(lines_that_are_cut_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
