#include "server/daemon/nightly/tzrule.h"

#include "server/daemon/nightly/civil.h"

#include <string.h>

#define HOURS_MAX 167 /* RFC 8536, section 3.3.1 */

/* ---- Parsing ---- */

static bool number(const char **at, int max, int *value)
{
	int n = 0, digits = 0;

	for (; **at >= '0' && **at <= '9' && digits < 4; (*at)++, digits++)
		n = n * 10 + (**at - '0');
	*value = n;
	return digits > 0 && n <= max;
}

static bool literal(const char **at, char c)
{
	if (**at != c)
		return false;
	(*at)++;
	return true;
}

/* "CET" or "<+0330>". */
static bool name_skip(const char **at)
{
	const char *from = *at;

	if (literal(at, '<')) {
		*at += strcspn(*at, ">");
		return literal(at, '>');
	}
	while ((**at >= 'A' && **at <= 'Z') || (**at >= 'a' && **at <= 'z'))
		(*at)++;
	return *at - from >= 3;
}

/* [+-]hh[:mm[:ss]] */
static bool clock_time(const char **at, int64_t *seconds)
{
	int h, m = 0, s = 0;
	bool minus = literal(at, '-');

	if (!minus)
		(void)literal(at, '+');
	if (!number(at, HOURS_MAX, &h))
		return false;
	if (literal(at, ':') && !number(at, 59, &m))
		return false;
	if (literal(at, ':') && !number(at, 59, &s))
		return false;
	*seconds = (int64_t)h * 3600 + m * 60 + s;
	if (minus)
		*seconds = -*seconds;
	return true;
}

static bool day_of(const char **at, struct tzrule_date *d)
{
	if (literal(at, 'M')) {
		d->kind = TZRULE_MONTH;
		return number(at, 12, &d->month) && d->month > 0 && literal(at, '.') &&
		       number(at, 5, &d->week) && d->week > 0 && literal(at, '.') &&
		       number(at, 6, &d->day);
	}
	if (literal(at, 'J')) {
		d->kind = TZRULE_JULIAN;
		return number(at, 365, &d->day) && d->day > 0;
	}
	d->kind = TZRULE_DAY;
	return number(at, 365, &d->day);
}

static bool date(const char **at, struct tzrule_date *d)
{
	d->time = 7200;
	if (!literal(at, ',') || !day_of(at, d))
		return false;
	return !literal(at, '/') || clock_time(at, &d->time);
}

/* ---- Summers ---- */

static int64_t day_in(const struct tzrule_date *d, int64_t year)
{
	int64_t first = civil_days(year, 1, 1), day, next;
	bool leap = civil_days(year + 1, 1, 1) - first == 366;

	if (d->kind == TZRULE_DAY)
		return first + d->day;
	if (d->kind == TZRULE_JULIAN) /* never the 29th of February */
		return first + d->day - 1 + (leap && d->day >= 60);
	day = civil_days(year, d->month, 1);
	day += (d->day - civil_date(day).weekday + 7) % 7 + (int64_t)7 * (d->week - 1);
	next = d->month == 12 ? civil_days(year + 1, 1, 1) : civil_days(year, d->month + 1, 1);
	return day < next ? day : day - 7; /* the fifth may be the last */
}

struct summer {
	int64_t begin, end; /* UTC seconds; lasts when begin < end */
};

/* The one that begins in that year: it ends in the same, or south of the equator in the next. */
static struct summer summer_of(const struct tzrule *rule, int64_t year)
{
	struct summer s;

	s.begin = day_in(&rule->begin, year) * DAY_S + rule->begin.time - rule->standard;
	s.end = day_in(&rule->end, year) * DAY_S + rule->end.time - rule->summer;
	if (s.end < s.begin)
		s.end = day_in(&rule->end, year + 1) * DAY_S + rule->end.time - rule->summer;
	return s;
}

static bool lasts(const struct summer *s)
{
	return s->begin < s->end;
}

static bool runs_into(const struct summer *s, const struct summer *next)
{
	return lasts(s) && lasts(next) && next->begin <= s->end;
}

#define CYCLE 400 /* years: then days of months and of weeks come again */

/* A rule whose changes change nothing is one without. */
static void settle(struct tzrule *rule)
{
	struct summer next = summer_of(rule, 2000);
	bool always = true, never = true;

	for (int64_t year = 2000; year < 2000 + CYCLE; year++) {
		struct summer s = next;

		next = summer_of(rule, year + 1);
		never = never && !lasts(&s);
		always = always && runs_into(&s, &next);
	}
	if (always)
		rule->standard = rule->summer;
	rule->changes = !always && !never && rule->standard != rule->summer;
}

struct tzrule_span tzrule_span_at(const struct tzrule *rule, int64_t t)
{
	int64_t last = civil_date(floor_div(t, DAY_S)).year + 1, first;
	struct summer s = summer_of(rule, last), beside;

	/* The last that began. Both loops end within a cycle: settle() saw a summer, and an end of one. */
	while (!lasts(&s) || s.begin > t)
		s = summer_of(rule, --last);
	for (first = last; beside = summer_of(rule, first - 1), runs_into(&beside, &s); first--)
		s.begin = beside.begin;
	for (; beside = summer_of(rule, last + 1), runs_into(&s, &beside); last++)
		s.end = beside.end;
	if (t < s.end)
		return (struct tzrule_span){s.begin, s.end, rule->summer, rule->standard};
	while (!lasts(&beside))
		beside = summer_of(rule, ++last + 1);
	return (struct tzrule_span){s.end, beside.begin, rule->standard, rule->summer};
}

/* ---- The rule ---- */

int tzrule_parse(const char *text, struct tzrule *rule)
{
	const char *at = text;
	int64_t west;

	memset(rule, 0, sizeof(*rule));
	if (!name_skip(&at) || !clock_time(&at, &west))
		return -1;
	rule->standard = -west;
	if (*at == '\0')
		return 0;
	rule->summer = rule->standard + 3600;
	if (!name_skip(&at))
		return -1;
	if (*at != ',') {
		if (!clock_time(&at, &west))
			return -1;
		rule->summer = -west;
	}
	rule->changes = true;
	if (!date(&at, &rule->begin) || !date(&at, &rule->end))
		return -1;
	if (*at != '\0')
		return -1;
	settle(rule);
	return 0;
}
