/* What formats make of a small job, and of texts that a board thought up. */
#include "common/scoped.h"
#include "server/daemon/export/export.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(list) (sizeof(list) / sizeof(*(list)))

static const struct export_build build = {.id = 3,
                                          .created = 5000000,
                                          .name = "v2",
                                          .arch = "x86-64",
                                          .description = "",
                                          .cmdline = "",
                                          .state = "complete"};

static struct export_run run_of(int64_t planned)
{
	return (struct export_run){.id = 7,
	                           .attempt = 1,
	                           .planned = planned,
	                           .created = 6000000,
	                           .started = 7000000,
	                           .build = &build,
	                           .cache = "vivt",
	                           .kind = "emulated",
	                           .state = "done",
	                           .board = "b1",
	                           .proves = true};
}

static struct export_result result_of(int64_t test_id, const char *test, const char *cell,
                                      const char *verdict)
{
	return (struct export_result){.test_id = test_id,
	                              .rep = 1,
	                              .test = test,
	                              .cell = cell,
	                              .kind = "contract",
	                              .verdict = verdict,
	                              .time = 9000000};
}

/* The export of a job with one run. The caller frees. */
static char *export(const struct export_format *format, const struct export_run *run,
                    struct export_result *list, size_t count, const char *base)
{
	static const struct compare_known known[] = {
		{.test = "known", .cells = "old*", .cache = "vivt", .why = "a <fact>"},
		{.test = "known", .cells = "other", .cache = "pipt", .why = "elsewhere"},
		{.test = "kn?wn",
	         .cells = "*",
	         .cache = "vivt",
	         .board = "b2",
	         .why = "another board"},
		{.test = "crash?",
	         .cells = "*",
	         .cache = "vivt",
	         .board = "b*",
	         .why = "it crashes"}};
	static const char *const celled[] = {"crash2", "known"};
	const struct export_job job = {.id = 1,
	                               .created = 4000000,
	                               .name = "job",
	                               .suite = "s",
	                               .state = "done",
	                               .runs = run,
	                               .runs_count = 1,
	                               .builds = &build,
	                               .builds_count = 1,
	                               .known = known,
	                               .known_count = COUNT(known),
	                               .celled = celled,
	                               .celled_count = COUNT(celled)};
	struct export_results results = {list, count};
	struct export_writer w = {.job = &job,
	                          .options = {.origin = "o", .base = base, .cells = true}};
	char *text = NULL;
	size_t len;

	export_judge(&job, run, &results);
	w.out = open_memstream(&text, &len);
	format->begin(&w);
	format->run(&w, run, &results);
	format->end(&w);
	(void)fclose(w.out);
	if (w.state)
		format->free(w.state);
	return text;
}

static void has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' is not in:\n%s", part, text);
}

static void has_not(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("'%s' is in:\n%s", part, text);
}

static void ktap_whole(void **state)
{
	struct export_run run = run_of(2);
	struct export_result list[] = {result_of(0, "one", "", "pass"),
	                               result_of(0, "one", "c", "pass"),
	                               result_of(1, "one", "", "fail")};
	SCOPED_STR text = export(&export_ktap, &run, list, COUNT(list), NULL);

	(void)state;
	assert_string_equal(text, "KTAP version 1\n"
	                          "# cohort job 1 (done)\n"
	                          "1..1\n"
	                          "  KTAP version 1\n"
	                          "  # Subtest: s\n"
	                          "  1..1\n"
	                          "    KTAP version 1\n"
	                          "    # Subtest: vivt emulated v2\n"
	                          "    1..2\n"
	                          "    # board b1, run 7, attempt 1\n"
	                          "      KTAP version 1\n"
	                          "      # Subtest: one\n"
	                          "      1..1\n"
	                          "      ok 1 - c\n"
	                          "    ok 1 - one\n"
	                          "    not ok 2 - one~2\n"
	                          "  not ok 1 - vivt emulated v2\n"
	                          "not ok 1 - s\n");
}

/* A result that hides what is in it, a run that has not all its results, cells without their test. */
static void ktap_hides_nothing(void **state)
{
	struct export_run run = run_of(3);
	struct export_result list[] = {result_of(0, "one", "", "pass"),
	                               result_of(0, "one", "c", "fail"),
	                               result_of(1, "two", "c", "pass")};
	SCOPED_STR text = NULL;

	(void)state;
	run.state = "running";
	text = export(&export_ktap, &run, list, COUNT(list), NULL);
	has(text, "    not ok 1 - one\n");
	has_not(text, "two");
	has(text, "  not ok 1 - vivt emulated v2\n");
	text[0] = '\0';
	list[1].verdict = "pass";
	free(take_str(&text));
	text = export(&export_ktap, &run, list, COUNT(list), NULL);
	has(text, "  not ok 1 - vivt emulated v2 # ERROR running\nnot ok 1 - s\n");
}

static void known_failures(void **state)
{
	struct export_run run = run_of(5);
	struct export_result list[] = {
		result_of(0, "known", "", "fail"),      result_of(0, "known", "old1", "fail"),
		result_of(1, "known", "", "fail"),      result_of(1, "known", "old1", "fail"),
		result_of(1, "known", "other", "fail"), result_of(2, "known", "", "fail"),
		result_of(3, "crash1", "", "fail"),     result_of(4, "crash2", "", "fail")};
	SCOPED_STR text = export(&export_ktap, &run, list, COUNT(list), NULL);

	(void)state;
	assert_int_equal(list[0].outcome, OUTCOME_KNOWN);
	assert_int_equal(list[1].outcome, OUTCOME_KNOWN);
	assert_int_equal(list[2].outcome, OUTCOME_FAIL); /* one of its cells is not known here */
	assert_int_equal(list[3].outcome, OUTCOME_KNOWN);
	assert_int_equal(list[4].outcome, OUTCOME_FAIL);
	assert_int_equal(list[5].outcome,
	                 OUTCOME_FAIL); /* without its cells there is nothing to know */
	assert_int_equal(list[6].outcome, OUTCOME_KNOWN);
	assert_int_equal(
		list[7].outcome,
		OUTCOME_FAIL); /* it has cells elsewhere: a pattern of cells explains no crash */
	has(text, "not ok 1 - known # XFAIL known: a <fact>\n");
}

#define NASTY "a\x1b[1;31m#1\x1b[0m <\"&'>\x1b]0;title\a\t\x01\xEF\xBF\xBF\n]]>\xC3\xA9"

static void junit_has_no_illegal_character(void **state)
{
	struct export_run run = run_of(1);
	struct export_result list[] = {result_of(0, "one", "", "fail"),
	                               result_of(0, "one", NASTY, "fail")};
	SCOPED_STR text = NULL;

	(void)state;
	list[0].detail = NASTY;
	list[1].reason = NASTY;
	list[1].excerpt = NASTY "\x1b";
	text = export(&export_junit, &run, list, COUNT(list), NULL);
	for (const char *p = text; *p; p++)
		assert_true((unsigned char)*p >= ' ' || *p == '\n' || *p == '\t');
	has_not(text, "31m");
	has_not(text, "title");
	has_not(text, "\xEF\xBF\xBF");
	has(text, "name=\"a#1 &lt;&quot;&amp;'&gt;&#9;&#10;]]&gt;\xC3\xA9\"");
	has(text, ">a#1 &lt;\"&amp;'&gt;\t\n]]&gt;\xC3\xA9\n</failure>");
	has(text, "tests=\"2\" failures=\"2\" errors=\"0\" skipped=\"0\" time=\"0.000000\" "
	          "timestamp=\"1970-01-01T00:00:07\" hostname=\"b1\" package=\"s\"");
}

static void ktap_names_are_one_line(void **state)
{
	struct export_run run = run_of(1);
	struct export_result list[] = {result_of(0, "one", "", "fail"),
	                               result_of(0, "one", NASTY, "skip")};
	SCOPED_STR text = NULL;

	(void)state;
	list[0].detail = "x # SKIP\nnot ok 7 - y";
	text = export(&export_ktap, &run, list, COUNT(list), NULL);
	has(text, "    # x ~ SKIP\n    # not ok 7 - y\n    not ok 1 - one\n");
	for (const char *p = text; *p; p++)
		assert_true((unsigned char)*p >= ' ' || *p == '\n');
}

static void kcidb_paths_and_urls(void **state)
{
	static const struct {
		const char *cell, *path;
	} rows[] = {
		{"u=dirty,k=clean", "s.one.u_dirty_k_clean"},
		{"net/x:prog.sh/a b", "s.one.net.x_prog_sh.a_b"},
		{"/", "s.one._"},
		{"//a//", "s.one._.a_"},
		{"..", "s.one._"},
		{"\xC3\xA9", "s.one._"},
	};
	struct export_run run = run_of(1);

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct export_result list[] = {result_of(0, "one", "", "missing"),
		                               result_of(0, "one", rows[i].cell, "pass")};
		SCOPED_STR text = export(&export_kcidb, &run, list, COUNT(list),
		                         i % 2 ? "https://farm" : "http://farm");
		SCOPED_JSON doc = json_loads(text, 0, NULL);
		const json_t *tests = json_object_get(doc, "tests");
		const json_t *own = json_array_get(tests, 0), *cell = json_array_get(tests, 1);
		const json_t *url = json_object_get(own, "log_url");

		assert_non_null(doc);
		assert_string_equal(json_string_value(json_object_get(cell, "path")), rows[i].path);
		assert_string_equal(json_string_value(json_object_get(own, "status")), "MISS");
		assert_string_equal(json_string_value(json_object_get(json_object_get(own, "misc"),
		                                                      "error_code")),
		                    "missing");
		if (i % 2)
			assert_string_equal(json_string_value(url),
			                    "https://farm/api/v1/runs/7/log?attempt=1");
		else
			assert_null(url);
	}
}

static void an_excerpt_is_bounded(void **state)
{
	struct export_result r = result_of(0, "one", "", "fail");
	char *text = calloc(1, 20001);
	SCOPED_STR excerpt = NULL;

	(void)state;
	for (size_t i = 0; i < 20000; i += 2)
		(void)memcpy(text + i, "\xC3\xA9", 2);
	r.reason = "x";
	r.excerpt = text;
	excerpt = export_excerpt(&r);
	assert_true(strlen(excerpt) <= EXPORT_EXCERPT_MAX);
	assert_true(strlen(excerpt) >= EXPORT_EXCERPT_MAX - 1);
	assert_null(strstr(excerpt, "\xEF\xBF\xBD"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ktap_whole),
		cmocka_unit_test(ktap_hides_nothing),
		cmocka_unit_test(known_failures),
		cmocka_unit_test(junit_has_no_illegal_character),
		cmocka_unit_test(ktap_names_are_one_line),
		cmocka_unit_test(kcidb_paths_and_urls),
		cmocka_unit_test(an_excerpt_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
