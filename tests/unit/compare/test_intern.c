/* Equal texts have one address, also after the table grew. */
#include "server/daemon/compare/intern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void test_many(void **state)
{
	static const char *first[5000];
	struct intern table = {0};
	char text[32];

	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 5000; i++) {
			const char *kept;

			(void)snprintf(text, sizeof(text), "cell-%u", i);
			kept = intern_text(&table, text);
			assert_string_equal(kept, text);
			if (round == 0)
				first[i] = kept;
			assert_ptr_equal(kept, first[i]);
		}
	}
	assert_int_equal(table.count, 5000);
	intern_release(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_many)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
