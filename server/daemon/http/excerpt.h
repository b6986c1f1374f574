/* excerpt.h - the part of an attempt's log that is about one test. Pure, but for log_excerpt_read().
 * A line of the log begins with its wall time (docs/WIRE.md, section 5); tests run one after the other, so a time is
 * enough to know whose line it is. */
#pragma once
#include <stdint.h>

#define EXCERPT_MAX 16384 /* bytes; of more, the first and the last half are given */

/* The lines of log from from_us to a moment after to_us; a line without a time goes with the one before it.
 * The caller frees it. */
char *log_excerpt(const char *log, int64_t from_us, int64_t to_us);

/* The same from the log of an attempt below state_dir; "" when there is none. */
char *log_excerpt_read(const char *state_dir, int64_t run, int64_t attempt, int64_t from_us,
                       int64_t to_us);
