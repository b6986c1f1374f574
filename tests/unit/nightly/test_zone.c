/* zone.c against the C library: offsets over a hundred years, spans edge by edge, names and files that are none. */
#include "common/err.h"
#include "common/xalloc.h"
#include "server/daemon/nightly/civil.h"
#include "server/daemon/nightly/zone.h"
#include "tests/unit/nightly/glibc.h"
#include "tests/zone_rule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char *const names[] = {
	"UTC",
	"Europe/Berlin",
	"Europe/Dublin", /* winter is the exception there: negative daylight saving */
	"Europe/London",
	"America/New_York",
	"America/St_Johns",
	"America/Nuuk",
	"America/Sao_Paulo",
	"America/Caracas",
	"Australia/Lord_Howe", /* half an hour */
	"Africa/Casablanca",   /* twice a year around Ramadan, by a table */
	"Africa/Cairo",
	"Asia/Kathmandu",
	"Asia/Gaza",
	"Asia/Tehran",
	"Asia/Pyongyang",
	"Pacific/Apia", /* a day that was not */
	"Pacific/Chatham",
	"Antarctica/Troll", /* two hours */
};

#define NAMES (sizeof(names) / sizeof(names[0]))

static struct zone *load(const char *name)
{
	struct err err;
	struct zone *zone = zone_load(ZONE_DIR, name, &err);

	if (!zone)
		fail_msg("%s: %s", name, err.text);
	return zone;
}

static void check_edge(const char *name, const struct zone *zone, int64_t at)
{
	for (int64_t t = at - 1; t <= at; t++)
		if (zone_span_at(zone, t).offset != glibc_offset(t))
			fail_msg("%s at %lld: %lld, the C library has %lld", name, (long long)t,
			         (long long)zone_span_at(zone, t).offset,
			         (long long)glibc_offset(t));
}

/* From span to span: each is right at both ends and in its middle, they join, and none is longer than the truth. */
static void test_spans(void **state)
{
	const int64_t begin = civil_days(1970, 1, 1) * DAY_S, end = civil_days(2120, 1, 1) * DAY_S;

	(void)state;
	for (size_t i = 0; i < NAMES; i++) {
		struct zone *zone = load(names[i]);
		struct zone_span before = zone_span_at(zone, begin);

		glibc_zone(names[i]);
		for (int64_t t = begin; t < end; t += 6 * 3600 + 77)
			if (zone_span_at(zone, t).offset != glibc_offset(t))
				check_edge(names[i], zone, t);
		while (before.until < end) {
			struct zone_span span = zone_span_at(zone, before.until);

			assert_int_equal(span.from, before.until);
			assert_int_equal(span.before, before.offset);
			assert_int_not_equal(span.offset, span.before);
			check_edge(names[i], zone, span.from);
			before = span;
		}
		zone_free(zone);
	}
}

static void test_known(void **state)
{
	static const struct {
		const char *zone;
		int64_t t;
		const char *text;
	} rows[] = {
		{"Europe/Berlin", 1792888199, "2026-10-25 02:29 +0200"},
		{"Europe/Berlin", 1792891800, "2026-10-25 02:30 +0100"},
		{"Australia/Lord_Howe", 1790433000, "2026-09-27 01:00 +1030"},
		{"Asia/Kathmandu", 0, "1970-01-01 05:30 +0530"},
		{"America/St_Johns", 4102444800, "2099-12-31 20:30 -0330"},
	};
	char text[32];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct zone *zone = load(rows[i].zone);

		zone_format(zone, rows[i].t * 1000000, text);
		assert_string_equal(text, rows[i].text);
		zone_free(zone);
	}
}

static void test_names(void **state)
{
	static const char *const bad[] = {
		"",
		"/etc/passwd",
		"../passwd",
		"Europe/../UTC",
		"Europe/Atlantis",
		"Europe",
		".",
		"UTC ",
		"Europe/Berlin\n",
		"zone.tab",
		"tzdata.zi",
		"12345678901234567890123456789012345678901234567890123456789012345"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err err = {0};

		if (zone_load(ZONE_DIR, bad[i], &err))
			fail_msg("'%s' is a zone", bad[i]);
		assert_int_not_equal(err.kind, ERR_NONE);
	}
}

/* Each file that is cut short, and each byte of its counts that is wrong, is refused or read; never read beyond. */
static void test_broken(void **state)
{
	FILE *file = fopen(ZONE_DIR "/Europe/Berlin", "r");
	char data[8192];
	size_t len, refused = 0;

	(void)state;
	assert_non_null(file);
	len = fread(data, 1, sizeof(data), file);
	(void)fclose(file);
	for (size_t cut = 0; cut < len; cut++) {
		struct err err;
		char *copy = xcalloc(1, cut + 1);

		memcpy(copy, data, cut);
		assert_null(zone_parse(copy, cut, &err));
		free(copy);
	}
	for (size_t i = 0; i < 44; i++)
		for (int bit = 0; bit < 8; bit++) {
			struct err err;
			struct zone *zone;

			data[i] = (char)(data[i] ^ 1 << bit);
			zone = zone_parse(data, len, &err);
			refused += !zone;
			zone_free(zone);
			data[i] = (char)(data[i] ^ 1 << bit);
		}
	assert_true(refused > 100);
}

/* Summer that ends as it begins is none; one that ends as the next begins, or later, is for ever. In no year and
 * no month does that depend on where one looks from. */
static void test_rules_that_meet(void **state)
{
	static const struct {
		const char *rule;
		int64_t offset;
	} table[] = {
		{"CET-1CEST,M5.5.0,M5.5.0/3", 3600},
		{"XXX3EDT4,0/0,J365/23", -4 * 3600},
		{"EST5EDT,0/0,J365/25", -4 * 3600},
		{"XXX5EDT,0/0,J365/30", -4 * 3600},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct zone *zone = zone_of_rule(table[i].rule);

		assert_non_null(zone);
		for (int64_t year = 2000; year < 2100; year++)
			for (int month = 1; month <= 12; month++)
				for (int day = 1; day <= 28; day += 9)
					assert_int_equal(
						zone_span_at(zone,
					                     civil_days(year, month, day) * 86400)
							.offset,
						table[i].offset);
		zone_free(zone);
	}
}

/* Day 365 is the last of leap years only: there summer ends eleven hours before the next, elsewhere it goes on. Each span holds what
 * it was asked for, and those side by side share their edge. */
static void test_summers_of_years(void **state)
{
	struct zone *zone = zone_of_rule("XXX6EDT4,0/8,365/23");
	int64_t t = civil_days(1999, 6, 1) * 86400, end = civil_days(2110, 1, 2) * 86400;
	struct zone_span last = zone_span_at(zone, t);
	int winters = 0;

	(void)state;
	assert_non_null(zone);
	for (t += 3600; t < end; t += 3600) {
		struct zone_span span = zone_span_at(zone, t);

		assert_true(span.from <= t && t < span.until);
		if (span.from != last.from) {
			assert_true(span.from == last.until);
			assert_int_equal(span.before, last.offset);
			winters += span.offset == -6 * 3600;
			if (span.offset == -6 * 3600)
				assert_int_equal(span.until - span.from, 11 * 3600);
		} else
			assert_memory_equal(&span, &last, sizeof(span));
		last = span;
	}
	assert_int_equal(winters, 27); /* the leap years from 2000 to 2108, without 2100 */
	zone_free(zone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_summers_of_years),
		cmocka_unit_test(test_spans),
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_rules_that_meet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
