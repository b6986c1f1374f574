/* civil.h - days since 1970 and dates of the Gregorian calendar. Pure. */
#pragma once
#include <stdint.h>

#define DAY_S 86400

/* Division that rounds down. */
static inline int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* Days since 1970-01-01 of a date; month 1 ... 12. Counted in years that begin in March, so that the leap day is the
 * last of its year. */
static inline int64_t civil_days(int64_t year, int month, int day)
{
	int64_t y = month > 2 ? year : year - 1, m = month > 2 ? month - 3 : month + 9;

	return 365 * y + floor_div(y, 4) - floor_div(y, 100) + floor_div(y, 400) +
	       (153 * m + 2) / 5 + day - 1 - 719468;
}

struct civil {
	int64_t year;
	int month, day, weekday; /* 1 ... 12, 1 ... 31, 0 = Sunday */
};

static inline struct civil civil_date(int64_t days)
{
	int64_t z = days + 719468, era = floor_div(z, 146097), in_era = z - era * 146097;
	int64_t y = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	int64_t in_year = in_era - (365 * y + y / 4 - y / 100), m = (5 * in_year + 2) / 153;
	int month = (int)(m < 10 ? m + 3 : m - 9);

	return (struct civil){.year = y + era * 400 + (month <= 2),
	                      .month = month,
	                      .day = (int)(in_year - (153 * m + 2) / 5 + 1),
	                      .weekday = (int)((days + 4) - 7 * floor_div(days + 4, 7))};
}
