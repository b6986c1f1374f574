/* The report of a study of 4 revisions, 6 boards and 46 tests, some of which fail: three screens of 72 columns, and what it says. */
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/report/digest.h"
#include "server/daemon/report/fields.h"
#include "server/daemon/report/findings.h"
#include "server/daemon/report/page.h"
#include "server/daemon/report/since.h"
#include "server/daemon/report/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const labels[] = {"base", "v1", "v2", "v3"};
static const struct {
	const char *cache, *kind, *board;
} classes[] = {
	{"vivt", "physical", "sheevaplug-under-the-desk"},
	{"vivt", "emulated", "emu-926"},
	{"vipt-aliasing", "physical", "n810"},
	{"vipt-aliasing", "emulated", "emu-1136"},
	{"vipt-nonaliasing", "physical", "imx6"},
	{"vipt-nonaliasing", "qemu", "q-a15"},
};

#define TESTS 46

/* Does test t fail in column c of class k? Every change that there is comes of it. */
static bool fails(size_t k, size_t t, size_t c, bool before)
{
	if (k >= 4)
		return false;
	if (t < 4) /* fixed by v2; last night not yet */
		return c < (before ? 4 : 2);
	if (t < 7) /* regressed by v3 */
		return c == 3;
	return t < 9; /* still failing */
}

static json_t *cell_of(bool bad, size_t id)
{
	return json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:I}", "state", bad ? "bad" : "clean",
	                 "n", 3, "pass", bad ? 0 : 3, "fail", bad ? 3 : 0, "skip", 0, "other", 0,
	                 "warnings", 0, "result", (json_int_t)id + 1);
}

static const char *change_of(bool first, bool last)
{
	if (first == last)
		return first ? "still-failing" : "still-passing";
	return first ? "fixed" : "regressed";
}

static json_t *class_of(size_t k, bool before)
{
	json_t *rows = json_array(), *columns = json_array();

	for (size_t c = 0; c < 4; c++) {
		size_t bad = 0;

		for (size_t t = 0; t < TESTS; t++)
			bad += fails(k, t, c, before);
		(void)json_array_append_new(
			columns, json_pack("{s:s, s:s, s:I, s:I}", "label", labels[c], "state",
		                           bad ? "fail" : "pass", "pass", (json_int_t)(TESTS - bad),
		                           "fail", (json_int_t)bad));
	}
	for (size_t t = 0; t < TESTS; t++) {
		json_t *cells = json_array();

		for (size_t c = 0; c < 4; c++)
			(void)json_array_append_new(
				cells, cell_of(fails(k, t, c, before), (k * TESTS + t) * 4 + c));
		(void)json_array_append_new(
			rows, json_pack("{s:o, s:n, s:s, s:s, s:o}", "test",
		                        json_sprintf("coherence-test-%zu", t), "cell", "test_kind",
		                        "contract", "class_of_change",
		                        change_of(fails(k, t, 0, before), fails(k, t, 3, before)),
		                        "cells", cells));
	}
	return json_pack("{s:s, s:s, s:b, s:o, s:o}", "cache", classes[k].cache, "kind",
	                 classes[k].kind, "proves_coherency", strcmp(classes[k].kind, "qemu") != 0,
	                 "columns", columns, "rows", rows);
}

static json_t *compare_of(bool before)
{
	json_t *list = json_array();

	for (size_t k = 0; k < 6; k++)
		(void)json_array_append_new(list, class_of(k, before));
	return json_pack(
		"{s:[s,s,s,s], s:o, s:s}", "labels", labels[0], labels[1], labels[2], labels[3],
		"classes", list, "headline",
		"v3 against base: vivt (physical) 3 regressed, 2 still-failing, 4 fixed (5 failed)");
}

static json_t *job_of(void)
{
	json_t *runs = json_array();

	for (size_t k = 0; k < 6; k++)
		(void)json_array_append_new(runs,
		                            json_pack("{s:i, s:s, s:s, s:s}", "column", 3, "cache",
		                                      classes[k].cache, "kind", classes[k].kind,
		                                      "board", classes[k].board));
	return json_pack("{s:i, s:s, s:s, s:b, s:s, s:s, s:o}", "id", 41, "name",
	                 "flush_dcache_page nightly", "state", "done", "complete", 1, "created",
	                 "2026-05-04T00:30:00.000000Z", "suite", "coherence", "runs", runs);
}

static json_t *facts_of(void)
{
	json_t *facts =
		json_pack("{s:o, s:o, s:{s:i, s:s}}", "job", job_of(), "compare", compare_of(false),
	                  "before", "id", 40, "created", "2026-05-03T00:30:00.000000Z");
	SCOPED_JSON then = compare_of(true);
	json_t *findings = findings_make(json_object_get(facts, "compare")), *one;
	size_t i;

	json_array_foreach(findings, i, one)(void) json_object_update_new(
		one,
		json_pack(
			"{s:s, s:s, s:i, s:i, s:i, s:[{s:s, s:s, s:s, s:i, s:s}], s:s}", "board",
			"emu-926", "build", "flush-v3-v5", "run", 7, "trials", 300, "bad", 300,
			"evidence", "type", "mismatch", "halfline_bitmap", "f00f", "class",
			"stale-user", "offset", 64, "signature", "BGG", "log_excerpt",
			"2026-05-04T00:31:00.000000Z line one\n2026-05-04T00:31:00.000000Z \033[31mtwo\n"));
	(void)json_object_set_new(facts, "findings", findings);
	(void)json_object_set_new(facts, "since",
	                          since_make(json_object_get(facts, "compare"), then));
	return facts;
}

static void check_page(const struct page *page)
{
	assert_true(page->lines <= PAGE_LINES);
	for (const char *line = page->text; *line; line += strcspn(line, "\n") + 1)
		if (strcspn(line, "\n") > PAGE_COLUMNS)
			fail_msg("too long: %.*s", (int)strcspn(line, "\n"), line);
}

static void has(const struct page *page, const char *text)
{
	if (!strstr(page->text, text))
		fail_msg("'%s' is not in\n%s", text, page->text);
}

static void test_report(void **state)
{
	const struct report_style style = {
		.from = "farm@example.org", .url = "https://farm.example.org", .lines = PAGE_LINES};
	SCOPED_JSON facts = facts_of();
	struct page page = {0};

	(void)state;
	report_text(&page, facts, &style);
	check_page(&page);
	has(&page, "flush_dcache_page nightly: job 41 of 2026-05-04\n");
	has(&page, "https://farm.example.org/compare.html?job=41\n");
	has(&page, "cache class, kind of board  base       v1         v2         v3\n");
	has(&page, "vivt, physical              FAIL 6/46  FAIL 6/46  FAIL 2/46  FAIL 5/46\n");
	has(&page, "vipt-nonaliasing, qemu *    pass 46/46 pass 46/46 pass 46/46 pass 46/46\n");
	has(&page,
	    "Since job 40 of 2026-05-03:\n  fixed: coherence-test-0 on vivt, physical, v2: 0/3 failed, was 3/3\n");
	has(&page,
	    "What v3 changes against base:\n  regressed: coherence-test-4 on vivt, physical: 3/3 failed on v3\n");
	has(&page,
	    "Evidence:\n1. coherence-test-4 on emu-926 (vivt, physical), v3: 3/3 failed\n"
	    "   300 of 300 trials bad, run 7\n   8 of 256 half-lines stale-user, first at offset 64, views BGG\n"
	    "   | line one\n   | ?[31mtwo\n"
	    "   $ cohort submit --build flush-v3-v5 --board emu-926 --suite \\\n"
	    "       coherence --test coherence-test-4\n");
	has(&page, "\nTested-by: Cohort <farm@example.org> # imx6 (vipt-nonaliasing, physical)\n");
	has(&page, "Ran, no Tested-by: q-a15 (vipt-nonaliasing, qemu)\n");
	assert_null(strstr(page.text, "Tested-by: Cohort <farm@example.org> # n810"));
	page_release(&page);
}

static void test_digest(void **state)
{
	const struct report_style style = {.from = "farm@example.org", .lines = PAGE_LINES};
	SCOPED_JSON digest = json_pack("{s:[], s:[]}", "jobs", "skipped");
	struct page page = {0};
	char *subject;

	(void)state;
	for (int i = 0; i < 20; i++)
		(void)json_array_append_new(
			json_object_get(digest, "skipped"),
			json_pack("{s:s, s:s, s:i, s:s}", "schedule", "night", "instant",
		                  "2026-05-03T00:30:00.000000Z", "count", i + 1, "why",
		                  "missed: the farm was not there, or its clock was off"));
	for (size_t jobs = 1; jobs <= 5; jobs++) {
		(void)json_array_append_new(json_object_get(digest, "jobs"), facts_of());
		subject = digest_text(&page, digest, &style);
		check_page(&page);
		has(&page, "Not run since the last mail:\n  night, 2026-05-03 00:30Z: missed");
		has(&page, "  ... and 14 more");
		has(&page, "\n-- \nCohort ");
		assert_non_null(strstr(
			subject, jobs == 1 ? "nightly: 12 regressed, 8 still-failing, 16 fixed"
					   : " jobs: "));
		free(subject);
		page_release(&page);
	}
}

static void test_since(void **state)
{
	SCOPED_JSON now = compare_of(false);
	SCOPED_JSON same = since_make(now, now);
	SCOPED_JSON then = compare_of(true);
	SCOPED_JSON changed = since_make(now, then);
	json_t *one;
	size_t i;

	(void)state;
	assert_int_equal(json_array_size(json_object_get(same, "tests")), 0);
	assert_int_equal(json_array_size(json_object_get(same, "matrix")), 0);
	assert_int_equal(json_array_size(json_object_get(changed, "tests")),
	                 4 * 4 * 2); /* classes, tests, v2 and v3 */
	json_array_foreach(json_object_get(changed, "tests"), i, one)
		assert_string_equal(field_text(one, "change"), "fixed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_digest),
		cmocka_unit_test(test_since),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
