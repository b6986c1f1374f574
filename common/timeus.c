#include "common/timeus.h"

#include <stdio.h>
#include <time.h>

static int64_t clock_us(clockid_t id)
{
	struct timespec ts;

	(void)clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t time_wall_us(void)
{
	return clock_us(CLOCK_REALTIME);
}

int64_t time_mono_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

int64_t time_boot_us(void)
{
	return clock_us(CLOCK_BOOTTIME);
}

int time_left_ms(int64_t now_us, int64_t at_us)
{
	const int64_t day_ms = 86400 * 1000;
	int64_t left;

	if (at_us <= now_us)
		return 0;
	left = (at_us - now_us + 999) / 1000;
	return (int)(left > day_ms ? day_ms : left);
}

void time_format(int64_t wall_us, char out[32])
{
	time_t sec = (time_t)(wall_us / 1000000);
	struct tm tm;
	size_t n;

	(void)gmtime_r(&sec, &tm);
	n = strftime(out, 32, "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(out + n, 32 - n, ".%06dZ", (int)(wall_us % 1000000));
}

/* "" or ".123456", then "Z" and the end. */
static bool parse_rest(const char *text, int64_t *us)
{
	int64_t unit = 100000;

	*us = 0;
	if (*text == '.') {
		for (text++; *text >= '0' && *text <= '9' && unit > 0; text++, unit /= 10)
			*us += (*text - '0') * unit;
	}
	return text[0] == 'Z' && text[1] == '\0';
}

bool time_parse(const char *text, int64_t *wall_us)
{
	struct tm tm = {0}, again;
	const char *end = strptime(text, "%Y-%m-%d", &tm);
	int64_t us = 0;
	time_t sec;

	if (end && *end == 'T') {
		end = strptime(end, "T%H:%M:%S", &tm);
		if (!end || !parse_rest(end, &us))
			return false;
	} else if (!end || *end) {
		return false;
	}
	/* strptime() takes the 31st of each month, and a 61st second. */
	again = tm;
	sec = timegm(&again);
	if (again.tm_mday != tm.tm_mday || again.tm_sec != tm.tm_sec || tm.tm_year > 8099)
		return false;
	*wall_us = (int64_t)sec * 1000000 + us;
	return true;
}
