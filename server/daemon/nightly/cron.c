#include "server/daemon/nightly/cron.h"

#include "common/err.h"
#include "server/daemon/nightly/civil.h"
#include "server/daemon/nightly/zone.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define AHEAD_S (12 * INT64_C(366) * DAY_S) /* 1896 to 1904 has no leap day, nor 2096 to 2104 */

/* ---- Parsing ---- */

static const char *const months[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                     "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const weekdays[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

static const struct field {
	const char *name;
	int min, max;
	const char *const *words; /* NULL: none */
	int words_count, words_from;
} fields[] = {
	{"minute", 0, 59, NULL, 0, 0},         {"hour", 0, 23, NULL, 0, 0},
	{"day of month", 1, 31, NULL, 0, 0},   {"month", 1, 12, months, 12, 1},
	{"day of week", 0, 7, weekdays, 7, 0},
};

#define FIELDS 5

static const struct {
	const char *name, *fields;
} macros[] = {
	{"@hourly", "0 * * * *"},   {"@daily", "0 0 * * *"},   {"@midnight", "0 0 * * *"},
	{"@weekly", "0 0 * * 0"},   {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"},
	{"@annually", "0 0 1 1 *"},
};

/* A number or a word of the field. */
static bool value_read(const char **at, const struct field *f, int *value)
{
	int n = 0, digits = 0;

	for (int i = 0; i < f->words_count; i++) {
		if (strncasecmp(*at, f->words[i], 3) != 0)
			continue;
		*at += 3;
		*value = i + f->words_from;
		return true;
	}
	for (; **at >= '0' && **at <= '9' && digits < 3; (*at)++, digits++)
		n = n * 10 + (**at - '0');
	*value = n;
	return digits > 0 && n >= f->min && n <= f->max;
}

static bool step_read(const char **at, const struct field *f, int *step)
{
	const struct field number = {.min = 1, .max = f->max - f->min + 1};

	*step = 1;
	if (**at != '/')
		return true;
	(*at)++;
	return value_read(at, &number, step);
}

/* One item of a list: star, value or range, and a step. "5/15" goes on to the end, as Vixie's cron has it. */
static bool item_read(const char **at, const struct field *f, uint64_t *bits)
{
	int from = f->min, to = f->max, step;
	bool star = **at == '*';

	if (star) {
		(*at)++;
	} else {
		if (!value_read(at, f, &from))
			return false;
		to = **at == '/' ? f->max : from;
		if (**at == '-') {
			(*at)++;
			if (!value_read(at, f, &to) || to < from)
				return false;
		}
	}
	if (!step_read(at, f, &step))
		return false;
	for (int i = from; i <= to; i += step)
		*bits |= UINT64_C(1) << i;
	return true;
}

static bool field_read(const char *text, size_t len, const struct field *f, uint64_t *bits)
{
	const char *at = text, *end = text + len;

	*bits = 0;
	for (;;) {
		if (!item_read(&at, f, bits) || at > end)
			return false;
		if (at == end)
			return true;
		if (*at++ != ',')
			return false;
	}
}

/* Is there a year with such a day? */
static bool possible(const struct cron *cron)
{
	static const int longest[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	if (!cron->any_weekday) /* every weekday is in every month */
		return true;
	for (int m = 1; m <= 12; m++)
		if ((cron->month >> m & 1) && (cron->day & ((UINT64_C(2) << longest[m - 1]) - 2)))
			return true;
	return false;
}

static void cron_set(struct cron *cron, const uint64_t bits[FIELDS])
{
	cron->minute = bits[0];
	cron->hour = (uint32_t)bits[1];
	cron->day = (uint32_t)bits[2];
	cron->month = (uint16_t)bits[3];
	cron->weekday = (uint8_t)((bits[4] & 0x7f) | bits[4] >> 7);
	cron->real_time = cron->hour == 0xffffff;
}

int cron_parse(const char *text, struct cron *cron, struct err *err)
{
	const char *at = text;
	uint64_t bits[FIELDS];

	if (strlen(text) > CRON_MAX)
		return err_set(err, ERR_INVALID, "longer than %d bytes", CRON_MAX);
	for (size_t i = 0; i < sizeof(macros) / sizeof(macros[0]); i++)
		if (strcmp(text, macros[i].name) == 0)
			at = macros[i].fields;
	memset(cron, 0, sizeof(*cron));
	for (int i = 0; i < FIELDS; i++) {
		size_t len;

		at += strspn(at, " \t");
		len = strcspn(at, " \t");
		if (len == 0)
			return err_set(err, ERR_INVALID, "has %d of 5 fields: there is no %s", i,
			               fields[i].name);
		if (!field_read(at, len, &fields[i], &bits[i]))
			return err_set(err, ERR_INVALID,
			               "the field %s, '%.*s', is wrong: values are %d to %d",
			               fields[i].name, (int)len, at, fields[i].min, fields[i].max);
		if (i == 2)
			cron->any_day = *at == '*';
		if (i == 4)
			cron->any_weekday = *at == '*';
		at += len;
	}
	if (at[strspn(at, " \t")] != '\0')
		return err_set(err, ERR_INVALID, "has more than 5 fields");
	cron_set(cron, bits);
	if (!possible(cron))
		return err_set(err, ERR_INVALID, "no calendar has such a day");
	return 0;
}

/* ---- Local times ---- */

static bool day_fits(const struct cron *cron, const struct civil *d)
{
	bool day = cron->day >> d->day & 1, weekday = cron->weekday >> d->weekday & 1;

	if (!(cron->month >> d->month & 1))
		return false;
	return cron->any_day || cron->any_weekday ? day && weekday : day || weekday;
}

bool cron_fits(const struct cron *cron, int64_t day, int minute)
{
	struct civil d = civil_date(day);

	return day_fits(cron, &d) && (cron->hour >> (minute / 60) & 1) &&
	       (cron->minute >> (minute % 60) & 1);
}

/* The first minute of the day that fits, from minute on; -1: none. */
static int minute_in_day(const struct cron *cron, int minute)
{
	for (int h = minute / 60; h < 24; h++) {
		int from = h == minute / 60 ? minute % 60 : 0;
		uint64_t left = cron->minute >> from;

		if ((cron->hour >> h & 1) && left != 0)
			return h * 60 + from + __builtin_ctzll(left);
	}
	return -1;
}

/* The first local time in [from, until) that fits, or until. */
static int64_t local_next(const struct cron *cron, int64_t from, int64_t until)
{
	int64_t at = floor_div(from + 59, 60) * 60;

	while (at < until) {
		int64_t day = floor_div(at, DAY_S);
		struct civil d = civil_date(day);
		int minute = (int)((at - day * DAY_S) / 60);

		if (day_fits(cron, &d)) {
			minute = minute_in_day(cron, minute);
			if (minute >= 0) {
				at = day * DAY_S + (int64_t)minute * 60;
				return at < until ? at : until;
			}
		} else if (!(cron->month >> d.month & 1)) {
			day = d.month == 12 ? civil_days(d.year + 1, 1, 1) - 1
			                    : civil_days(d.year, d.month + 1, 1) - 1;
		}
		at = (day + 1) * DAY_S;
	}
	return until;
}

/* ---- Instants ---- */

/* The first instant in [t, until) of a span that holds t; INT64_MAX: none. */
static int64_t span_next(const struct cron *cron, const struct zone_span *span, int64_t t,
                         int64_t until)
{
	int64_t from = t + span->offset, found;

	if (!cron->real_time && span->from != INT64_MIN) {
		int64_t old = span->from + span->before, new = span->from + span->offset;

		/* What the clocks jump over happens when they jump; what they go through again has happened. */
		if (t == span->from && old < new &&local_next(cron, old, new) < new)
			return t;
		if (from < old)
			from = old;
	}
	found = local_next(cron, from, until + span->offset);
	return found < until + span->offset ? found - span->offset : INT64_MAX;
}

int64_t cron_next(const struct cron *cron, const struct zone *zone, int64_t after)
{
	const int64_t limit = after + AHEAD_S;
	int64_t t = after + 1;

	while (t < limit) {
		struct zone_span span = zone_span_at(zone, t);
		int64_t until = span.until < limit ? span.until : limit;
		int64_t found = span_next(cron, &span, t, until);

		if (found != INT64_MAX)
			return found;
		t = until;
	}
	return INT64_MAX;
}

int64_t cron_last(const struct cron *cron, const struct zone *zone, int64_t after, int64_t until)
{
	int64_t last = INT64_MIN, next;

	/* Look back further and further, so that a year of minutes is not walked through. */
	for (int64_t back = 3600; last == INT64_MIN; back *= 8) {
		int64_t from = until - after > back ? until - back : after;

		for (next = cron_next(cron, zone, from); next <= until;
		     next = cron_next(cron, zone, next))
			last = next;
		if (from == after)
			break;
	}
	return last;
}

size_t cron_count(const struct cron *cron, const struct zone *zone, int64_t after, int64_t until,
                  size_t most)
{
	size_t count = 0;

	while (count < most && (after = cron_next(cron, zone, after)) <= until)
		count++;
	return count;
}
