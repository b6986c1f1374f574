/* table.c - every test there is, in the order in which they run. */
#include "tests.h"

#include <string.h>

const struct test *const tests[] = {
	&test_dio_read_anon, &test_dio_read_mapped, &test_write_mmap,     &test_mmap_write_read,
	&test_shared_alias,  &test_fork_cow,        &test_jit_cacheflush, &test_jit_control,
};

const size_t test_count = sizeof(tests) / sizeof(tests[0]);

const struct test *test_find(const char *name)
{
	for (size_t i = 0; i < test_count; i++) {
		if (strcmp(tests[i]->name, name) == 0)
			return tests[i];
	}
	return NULL;
}
