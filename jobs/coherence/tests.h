/* tests.h - the rows of the table in table.c; each is defined in a file of its own. */
#pragma once
#include "test.h"

extern const struct test test_dio_read_anon;
extern const struct test test_dio_read_mapped;
extern const struct test test_write_mmap;
extern const struct test test_mmap_write_read;
extern const struct test test_shared_alias;
extern const struct test test_fork_cow;
extern const struct test test_jit_cacheflush;
extern const struct test test_jit_control;
