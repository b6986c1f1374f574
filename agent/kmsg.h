/* kmsg.h - the kernel's log, as far as a test may be to blame for it. */
#pragma once
#include "common/kwarn.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kmsg; /* opaque */

struct kmsg_record {
	unsigned level, facility; /* facility 0 is the kernel; programs write with others */
	uint64_t seq;
	int64_t stamp_us;
	const char *text; /* points into the record */
	size_t len;       /* its first line, without the "KEY=value" lines behind */
};

/* Take one record as /dev/kmsg gives it apart: "6,339,5140900,-;text\n KEY=value\n". False when it is none. */
bool kmsg_parse(const char *record, size_t len, struct kmsg_record *out);

/* Watch from here on, for complaints only: text is at most 8 KiB of UTF-8.
 * Never NULL; a machine whose log may not be read is watched in vain. */
struct kmsg *kmsg_open(void (*fn)(void *arg, enum kwarn_kind kind, const char *text), void *arg);
void kmsg_close(struct kmsg *k);

/* For poll(), or -1. */
int kmsg_fd(const struct kmsg *k);

/* Read what has come. Calls fn for each complaint that has ended. */
void kmsg_drain(struct kmsg *k);

/* Is a complaint being printed just now? Then call kmsg_flush() when nothing came for KMSG_QUIET_US. */
#define KMSG_QUIET_US 200000
bool kmsg_busy(const struct kmsg *k);
void kmsg_flush(struct kmsg *k);

/* Write a line of ours into the log, so that a console log shows what was running. Does nothing when the log cannot
 * be written, or when COHORT_NO_KMSG is set (machines that share one kernel). */
void kmsg_mark(const struct kmsg *k, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The boot line that tells the cache class, or NULL when it is not there (any more). The caller frees. */
char *kmsg_cache_line(void);
