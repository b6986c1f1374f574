/* A comparison's words become b4's. */
#include "server/daemon/export/b4.h"

#include "common/scoped.h"
#include "common/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *text_of(const json_t *checks, const char *name)
{
	return json_string_value(json_object_get(json_array_get(checks, 0), name));
}

/* base, v2 and a control in one class; v2's verdict, state and why as given. */
static json_t *comparison(bool proves, const char *verdict, const char *state)
{
	json_t *doc = json_pack(
		"{s:[s,s,s], s:[{s:s},{s:s},{s:s}], s:[{s:s, s:s, s:b, s:s, s:[{s:s, s:s}, {s:s, "
		"s:s, s:s?, s:s?, s:i, s:i, s:i}, {s:s}], s:[]}]}",
		"labels", "base", "v2", "m1", "columns", "role", "base", "role", "revision", "role",
		"control", "classes", "cache", "vivt", "kind", "emulated", "proves_coherency",
		proves, "note", "a note", "columns", "label", "base", "state", "pass", "label",
		"v2", "state", state, "verdict", verdict, "why", verdict ? "so it is" : NULL,
		"pass", 9, "fail", 1, "missing", 2, "label", "m1", "rows");

	assert_non_null(doc);
	return doc;
}

static void add_row(json_t *doc, const char *test, const char *cell, const char *change,
                    const char *state)
{
	json_t *class = json_array_get(json_object_get(doc, "classes"), 0);
	json_t *row = json_pack("{s:s, s:s?, s:s, s:[n,s?,n], s:[{s:s},{s:s},{s:s}]}", "test", test,
	                        "cell", cell, "test_kind", "contract", "changes", change, "cells",
	                        "state", state, "state", state, "state", "bad");

	assert_non_null(row);
	(void)json_array_append_new(json_object_get(class, "rows"), row);
}

static void statuses(void **state)
{
	static const struct {
		bool proves;
		const char *verdict, *state, *status;
	} rows[] = {
		{true, "good", "pass", "pass"},        {true, "bad", "fail", "fail"},
		{true, "costs", "pass", "warn"},       {true, "no-verdict", "fail", "warn"},
		{false, "no-verdict", "pass", "warn"}, {true, NULL, "pass", "pass"},
		{false, NULL, "pass", "warn"},         {true, NULL, "fail", "fail"},
		{true, NULL, "running", "warn"},       {true, NULL, "not-sensitive", "warn"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		SCOPED_JSON doc = comparison(rows[i].proves, rows[i].verdict, rows[i].state);
		SCOPED_JSON checks = export_b4(doc, 1, 5, "http://farm");

		assert_int_equal(json_array_size(checks), 1);
		assert_string_equal(text_of(checks, "status"), rows[i].status);
	}
}

static void words(void **state)
{
	SCOPED_JSON doc = comparison(true, "bad", "fail");
	SCOPED_JSON checks = NULL;
	SCOPED_JSON alone = NULL;

	(void)state;
	add_row(doc, "one", NULL, "regressed", "bad");
	add_row(doc, "one", "u=dirty", "regressed", "bad");
	add_row(doc, "two", NULL, "fixed", "clean");
	add_row(doc, "three", NULL, "known-failing", "bad");
	add_row(doc, "four", NULL, "still-passing", "clean");
	checks = export_b4(doc, 1, 5, "http://farm");
	assert_string_equal(text_of(checks, "tool"), "cohort/vivt/emulated");
	assert_string_equal(
		text_of(checks, "summary"),
		"v2 against base on emulated vivt: bad: so it is (10 results, 2 missing)");
	assert_string_equal(text_of(checks, "details"),
	                    "regressed:\n  one\n  one u=dirty\nfixed:\n  two\na note\n");
	assert_string_equal(text_of(checks, "url"), "http://farm/compare.html?job=5");
	/* The base by itself: nothing to compare with. */
	alone = export_b4(doc, 0, 5, NULL);
	assert_string_equal(text_of(alone, "summary"), "base on emulated vivt: pass (0 results)");
	assert_string_equal(text_of(alone, "details"),
	                    "failing:\n  one\n  one u=dirty\n  three\na note\n");
	assert_string_equal(text_of(alone, "url"), "");
}

static void many_rows_are_counted(void **state)
{
	SCOPED_JSON doc = comparison(true, "bad", "fail");
	SCOPED_JSON checks = NULL;

	(void)state;
	for (int i = 0; i < 25; i++)
		add_row(doc, "one", "c", "regressed", "bad");
	checks = export_b4(doc, 1, 5, NULL);
	assert_non_null(strstr(text_of(checks, "details"), "  one c\n  and 5 more\n"));
}

static void a_control_is_not_what_a_job_is_about(void **state)
{
	SCOPED_JSON doc = comparison(true, "good", "pass");
	SCOPED_JSON none = json_pack("{s:[]}", "columns");

	(void)state;
	assert_int_equal(export_b4_column(doc), 1);
	assert_int_equal(export_b4_column(none), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(statuses),
		cmocka_unit_test(words),
		cmocka_unit_test(many_rows_are_counted),
		cmocka_unit_test(a_control_is_not_what_a_job_is_about),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
