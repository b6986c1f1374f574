/* Each row of the presets gives a machine that can be made. */
#include "rig.h"

#include "emulator/machine.h"
#include "emulator/presets.h"

#include <stdio.h>
#include <stdlib.h>

static void test_rows(void **state)
{
	char *text = NULL;
	size_t len = 0;
	FILE *file = open_memstream(&text, &len);
	char *rest;
	unsigned rows = 0;

	(void)state;
	presets_print(file);
	assert_int_equal(fclose(file), 0);
	rest = text;
	for (char *line; (line = strsep(&rest, "\n")) && *line; rows++) {
		struct machine_config config = {.d.seed = 5};
		struct cache *d, *i;
		struct err err;

		line[strcspn(line, " ")] = '\0';
		assert_int_equal(presets_apply(line, &config, &err), 0);
		assert_int_equal(config.d.seed, 5);
		d = cache_new(NULL, &config.d, &err);
		i = cache_new(NULL, &config.i, &err);
		assert_non_null(d);
		assert_non_null(i);
		cache_free(d);
		cache_free(i);
	}
	assert_true(rows > 10);
	free(text);
}

static void test_unknown(void **state)
{
	struct machine_config config = {.d.seed = 5};
	struct err err;

	(void)state;
	assert_int_equal(presets_apply("pdp11", &config, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_non_null(strstr(err.text, "pdp11"));
	assert_int_equal(config.d.bytes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
