/* cron.c: the parser by a table, and instants against a scan of each minute of years by the C library's local time. */
#include "common/err.h"
#include "common/xalloc.h"
#include "server/daemon/nightly/civil.h"
#include "server/daemon/nightly/cron.h"
#include "server/daemon/nightly/zone.h"
#include "tests/unit/nightly/glibc.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct zone *load(const char *name)
{
	struct err err;
	struct zone *zone = zone_load(ZONE_DIR, name, &err);

	if (!zone)
		fail_msg("%s: %s", name, err.text);
	return zone;
}

static struct cron parse(const char *text)
{
	struct cron cron;
	struct err err;

	if (cron_parse(text, &cron, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return cron;
}

static void test_good(void **state)
{
	static const struct {
		const char *text;
		struct cron is;
	} rows[] = {
		{"* * * * *",
	         {0xfffffffffffffff, 0xffffff, 0xfffffffe, 0x1ffe, 0x7f, true, true, true}},
		{"30 2 * * *", {1 << 30, 1 << 2, 0xfffffffe, 0x1ffe, 0x7f, true, true, false}},
		{" 0\t0  1 1 7 ", {1, 1, 2, 2, 1, false, false, false}},
		{"0,30 8-10 */10 jan-MAR mon-fri",
	         {0x40000001, 7 << 8, 1 << 1 | 1 << 11 | 1 << 21 | 1U << 31, 0xe, 0x3e, true, false,
	          false}},
		{"5/20 0-23/12 31 12 5-7",
	         {1 << 5 | 1 << 25 | UINT64_C(1) << 45, 0x1001, 1U << 31, 1 << 12, 0x61, false,
	          false, false}},
		{"0 */1 * * *", {1, 0xffffff, 0xfffffffe, 0x1ffe, 0x7f, true, true, true}},
		{"@weekly", {1, 1, 0xfffffffe, 0x1ffe, 1, true, false, false}},
		{"0 0 29 feb *", {1, 1, 1 << 29, 4, 0x7f, false, true, false}},
		{"0 0 31 2 mon", {1, 1, 1U << 31, 4, 2, false, false, false}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cron got = parse(rows[i].text);
		const struct cron *is = &rows[i].is;

		if (got.minute != is->minute || got.hour != is->hour || got.day != is->day ||
		    got.month != is->month || got.weekday != is->weekday ||
		    got.any_day != is->any_day || got.any_weekday != is->any_weekday ||
		    got.real_time != is->real_time)
			fail_msg("'%s' is read wrong: %" PRIx64 " %x %x %x %x", rows[i].text,
			         got.minute, got.hour, got.day, got.month, got.weekday);
	}
}

static void test_bad(void **state)
{
	static const char *const rows[] = {
		"",
		"* * * *",
		"* * * * * *",
		"60 * * * *",
		"* 24 * * *",
		"* * 0 * *",
		"* * 32 * *",
		"* * * 13 *",
		"* * * 0 *",
		"* * * * 8",
		"-1 * * * *",
		"5-1 * * * *",
		"*/0 * * * *",
		"*/61 * * * *",
		"1,,2 * * * *",
		"1, * * * *",
		",1 * * * *",
		"1- * * * *",
		"1-2-3 * * * *",
		"a * * * *",
		"* * * foo *",
		"* * * * mond",
		"0 0 31 2 *",
		"0 0 30,31 2 *",
		"@reboot",
		"@daily x",
		"* * * * *\n",
		"1e3 * * * *",
		"0x1 * * * *",
		"0000001 * * * *",
		"* * L * *",
		"0 0 31 4,6,9,11 *",
		"0                                                                                                       "
		"                                                                                              0 * * * *",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err err = {0};
		struct cron cron;

		if (cron_parse(rows[i], &cron, &err) == 0)
			fail_msg("'%s' is taken", rows[i]);
		assert_int_equal(err.kind, ERR_INVALID);
	}
}

/* What docs/NIGHTLY.md says about hours that are not there or there twice. */
static const struct {
	const char *zone, *cron, *after, *next[3];
} rules[] = {
	{"Europe/Berlin",
         "30 2 * * *",
         "2026-03-28 12:00 +0100",
         {"2026-03-29 03:00 +0200", "2026-03-30 02:30 +0200", "2026-03-31 02:30 +0200"}},
	{"Europe/Berlin",
         "30 2 * * *",
         "2026-10-24 12:00 +0200",
         {"2026-10-25 02:30 +0200", "2026-10-26 02:30 +0100", "2026-10-27 02:30 +0100"}},
	{"Europe/Berlin",
         "*/20 2,3 29 3 *",
         "2026-03-29 01:00 +0100",
         {"2026-03-29 03:00 +0200", "2026-03-29 03:20 +0200", "2026-03-29 03:40 +0200"}},
	{"Europe/Berlin",
         "*/30 * * * *",
         "2026-10-25 02:00 +0200",
         {"2026-10-25 02:30 +0200", "2026-10-25 02:00 +0100", "2026-10-25 02:30 +0100"}},
	{"Europe/Berlin",
         "30 * * * *",
         "2026-03-29 01:00 +0100",
         {"2026-03-29 01:30 +0100", "2026-03-29 03:30 +0200", "2026-03-29 04:30 +0200"}},
	{"Australia/Lord_Howe",
         "15 2 * * *",
         "2026-10-03 12:00 +1030",
         {"2026-10-04 02:30 +1100", "2026-10-05 02:15 +1100", "2026-10-06 02:15 +1100"}},
	{"Australia/Lord_Howe",
         "45 1 * * *",
         "2026-04-04 12:00 +1100",
         {"2026-04-05 01:45 +1100", "2026-04-06 01:45 +1030", "2026-04-07 01:45 +1030"}},
	{"UTC",
         "0 0 29 2 *",
         "2096-03-01 00:00 +0000",
         {"2104-02-29 00:00 +0000", "2108-02-29 00:00 +0000", "2112-02-29 00:00 +0000"}},
	{"UTC",
         "0 12 13 * fri",
         "2026-02-07 00:00 +0000",
         {"2026-02-13 12:00 +0000", "2026-02-20 12:00 +0000", "2026-02-27 12:00 +0000"}},
};

static void test_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		struct zone *zone = load(rules[i].zone);
		struct cron cron = parse(rules[i].cron);
		int y, mo, d, h, mi, away;
		char text[32];
		int64_t t;

		assert_int_equal(
			sscanf(rules[i].after, "%d-%d-%d %d:%d %d", &y, &mo, &d, &h, &mi, &away),
			6);
		t = civil_days(y, mo, d) * DAY_S + h * 3600 + mi * 60 -
		    (away / 100 * 3600 + away % 100 * 60);
		zone_format(zone, t * 1000000, text);
		assert_string_equal(text, rules[i].after);
		for (int n = 0; n < 3; n++) {
			t = cron_next(&cron, zone, t);
			zone_format(zone, t * 1000000, text);
			assert_string_equal(text, rules[i].next[n]);
		}
		zone_free(zone);
	}
}

/* ---- The scan ---- */

/* By definition, and by nothing of cron.c but cron_fits(): local minutes are looked at one after the other. high is
 * the local minute behind the latest that was there. */
static bool scan_due(const struct cron *cron, int64_t local, int64_t *high)
{
	bool due;

#define FITS(m) cron_fits(cron, floor_div(m, 1440), (int)((m)-floor_div(m, 1440) * 1440))
	if (cron->real_time)
		return FITS(local);
	if (local < *high)
		return false;
	due = false;
	for (int64_t m = *high; m <= local; m++)
		due |= FITS(m);
	*high = local + 1;
	return due;
}

/* The C library's offset in minutes of each minute from begin on, asked for once a zone: it takes its time. */
static int16_t *offsets_of(const char *name, int64_t begin, int64_t end)
{
	int16_t *offsets = xcalloc((size_t)(end - begin), sizeof(*offsets));

	glibc_zone(name);
	for (int64_t t = begin; t < end; t++) {
		int64_t offset = glibc_offset(t * 60);

		assert_int_equal(offset % 60, 0);
		offsets[t - begin] = (int16_t)(offset / 60);
	}
	return offsets;
}

static void scan(const char *name, const char *text, int64_t begin, int64_t end,
                 const int16_t *offsets)
{
	struct zone *zone = load(name);
	struct cron cron = parse(text);
	int64_t next = cron_next(&cron, zone, begin * 60 - 1), high = begin + offsets[0];
	size_t count = 0;

	for (int64_t t = begin; t < end; t++) {
		bool due = scan_due(&cron, t + offsets[t - begin], &high);

		if (due != (next == t * 60))
			fail_msg("%s in %s: at %" PRId64 " it is %s", text, name, t * 60,
			         due ? "due" : "not due");
		if (due) {
			next = cron_next(&cron, zone, next);
			count++;
		}
	}
	assert_int_equal(cron_count(&cron, zone, begin * 60 - 1, end * 60 - 1, SIZE_MAX), count);
	zone_free(zone);
}

static void test_scan(void **state)
{
	static const struct {
		const char *zone;
		int from, until;
	} zones[] = {
		{"Europe/Berlin", 2026, 2028},
		{"America/New_York", 2039, 2040},
		{"Australia/Lord_Howe", 2026, 2027},
		{"Africa/Casablanca", 2026, 2027},
		{"Africa/Cairo", 2040, 2041},
		{"Pacific/Apia", 2011, 2012},
		{"Pacific/Chatham", 2041, 2042},
		{"Antarctica/Troll", 2027, 2028},
		{"Europe/Dublin", 2026, 2027},
		{"America/St_Johns", 2006, 2007}, /* changed at 00:01 then */
	};
	static const char *const crons[] = {"30 2 * * *", "*/7 * * * *", "1,59 0-3 * * *",
	                                    "15 */2 1,31 * sun", "0 0 * * *"};

	(void)state;
	for (size_t z = 0; z < sizeof(zones) / sizeof(zones[0]); z++) {
		int64_t begin = civil_days(zones[z].from, 1, 1) * 1440,
			end = civil_days(zones[z].until, 1, 1) * 1440;
		int16_t *offsets = offsets_of(zones[z].zone, begin, end);

		for (size_t c = 0; c < sizeof(crons) / sizeof(crons[0]); c++)
			scan(zones[z].zone, crons[c], begin, end, offsets);
		free(offsets);
	}
}

static void test_last(void **state)
{
	static const char *const crons[] = {"30 2 * * *", "* * * * *", "0 0 29 2 *", "0 4 * * 1"};
	const int64_t begin = civil_days(2023, 1, 1) * DAY_S;
	struct zone *zone = load("Europe/Berlin");

	(void)state;
	for (size_t c = 0; c < sizeof(crons) / sizeof(crons[0]); c++) {
		struct cron cron = parse(crons[c]);

		for (int64_t until = begin; until < begin + 900 * (int64_t)DAY_S;
		     until += 7 * DAY_S + 1801) {
			int64_t last = cron_last(&cron, zone, begin, until);

			if (last == INT64_MIN) {
				assert_true(cron_next(&cron, zone, begin) > until);
				continue;
			}
			assert_in_range(last, begin + 1, until);
			assert_int_equal(cron_next(&cron, zone, last - 1), last);
			assert_true(cron_next(&cron, zone, last) > until);
		}
	}
	zone_free(zone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),  cmocka_unit_test(test_bad),
		cmocka_unit_test(test_rules), cmocka_unit_test(test_scan),
		cmocka_unit_test(test_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
