/* excerpt.h - the part of an attempt's log that is about one test. Pure. */
#pragma once
#include <stdint.h>

#define EXCERPT_MAX 16384 /* bytes; of more, the first and the last half are given */

/* The lines of log from the first that names test to the last, and a few around. "" when none does. The caller frees. */
char *log_excerpt(const char *log, const char *test, int64_t rep);
