/* glibc.h - local time by the C library: another reader of the same zone files to hold ours against. It wants the
 * environment changed, which is why the daemon does not use it. One thread only. */
#pragma once
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

static inline void glibc_zone(const char *name)
{
	(void)setenv("TZ", name, 1);
	tzset();
}

static inline int64_t glibc_offset(int64_t t)
{
	time_t time = (time_t)t;
	struct tm tm;

	(void)localtime_r(&time, &tm);
	return tm.tm_gmtoff;
}
