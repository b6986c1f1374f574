/* cron.h - when a schedule is due: five cron fields in the local time of a zone. Pure; docs/NIGHTLY.md has the rules for
 * hours that come twice or not at all. Seconds since 1970, UTC. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct zone;

struct cron {
	uint64_t minute; /* bit n: n fits */
	uint32_t hour, day;
	uint16_t month;
	uint8_t weekday;           /* bit 0: Sunday */
	bool any_day, any_weekday; /* the field begins with a star */
	bool real_time;            /* each hour: counts real time, not local times */
};

#define CRON_MAX 200 /* bytes of an expression */

/* Read an expression. 0, or -1 with *err (ERR_INVALID) that names the field. */
int cron_parse(const char *text, struct cron *cron, struct err *err);

/* The first instant behind after. Each expression has one; INT64_MAX when none comes in the next 12 years. */
int64_t cron_next(const struct cron *cron, const struct zone *zone, int64_t after);

/* The last instant in (after, until]; INT64_MIN when there is none. */
int64_t cron_last(const struct cron *cron, const struct zone *zone, int64_t after, int64_t until);

/* How many instants are in (after, until]; stops counting at most. */
size_t cron_count(const struct cron *cron, const struct zone *zone, int64_t after, int64_t until,
                  size_t most);

/* Does the local time fit? Days since 1970 and minute of the day. */
bool cron_fits(const struct cron *cron, int64_t day, int minute);
