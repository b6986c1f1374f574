/* Which status a class gets, by its column and the base's. */
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

/* A comparison of base and v2 in one class, with one row. */
static json_t *comparison(const char *kind, bool proves, const char *base, const char *v2,
                          const char *base_cell, const char *v2_cell, int known, int warnings)
{
	return json_pack(
		"{s:[s,s], s:[{s:s, s:s, s:b, s:[{s:s,s:s,s:i},{s:s,s:s,s:i,s:i}], s:[{s:s,s:n,s:s,"
		"s:[{s:s},{s:s,s:i,s:i}]}]}]}",
		"labels", "base", "v2", "classes", "cache", "vivt", "kind", kind,
		"proves_coherency", proves, "columns", "label", "base", "state", base, "warnings",
		0, "label", "v2", "state", v2, "warnings", warnings, "pass", 9, "rows", "test",
		"dio", "cell", "test_kind", "contract", "cells", "state", base_cell, "state",
		v2_cell, "known", known, "fail", 1);
}

static void statuses(void **state)
{
	static const struct {
		bool proves;
		const char *base, *v2, *base_cell, *v2_cell;
		int known, warnings;
		const char *status, *says;
	} rows[] = {
		{true, "pass", "pass", "clean", "clean", 0, 0, "pass",
	         "v2 against base on emulated vivt: pass; 9"},
		{false, "pass", "pass", "clean", "clean", 0, 0, "warn", "pass; 9"},
		{true, "pass", "fail", "clean", "bad", 0, 0, "fail", "fail, 1 broken"},
		{true, "pass", "fail", "clean", "mixed", 0, 0, "fail", "fail, 1 broken"},
		{false, "pass", "fail", "clean", "bad", 0, 0, "fail", "fail, 1 broken"},
		{true, "fail", "fail", "bad", "bad", 0, 0, "warn", "fail, 1 still failing"},
		{true, "fail", "pass", "bad", "clean", 0, 0, "pass", "pass, 1 fixed"},
		{true, "fail", "incomplete", "bad", "unknown", 0, 0, "warn", "incomplete; 9"},
		{true, "pass", "pass", "bad", "bad", 1, 0, "pass", "pass; 9"},
		{true, "pass", "fail", "clean", "clean", 0, 2, "fail", "2 kernel warnings"},
		{true, "pass", "running", "clean", "unknown", 0, 0, "warn", "running; 9"},
		{true, "no-verdict", "no-verdict", "skip", "skip", 0, 0, "warn", "no-verdict; 9"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		SCOPED_JSON doc = comparison("emulated", rows[i].proves, rows[i].base, rows[i].v2,
		                             rows[i].base_cell, rows[i].v2_cell, rows[i].known,
		                             rows[i].warnings);
		SCOPED_JSON checks = export_b4(doc, 1, 5, "http://farm");
		const json_t *check = json_array_get(checks, 0);

		assert_int_equal(json_array_size(checks), 1);
		assert_string_equal(json_string_value(json_object_get(check, "status")),
		                    rows[i].status);
		if (!strstr(json_string_value(json_object_get(check, "summary")), rows[i].says))
			fail_msg("row %zu: %s", i,
			         json_string_value(json_object_get(check, "summary")));
		assert_string_equal(json_string_value(json_object_get(check, "url")),
		                    "http://farm/compare.html?job=5");
	}
}

/* A job of one build has no base that could be to blame. */
static void the_base_itself(void **state)
{
	SCOPED_JSON doc = comparison("emulated", true, "fail", "pass", "bad", "clean", 0, 0);
	SCOPED_JSON checks = export_b4(doc, 0, 5, NULL);
	const json_t *check = json_array_get(checks, 0);

	(void)state;
	assert_string_equal(json_string_value(json_object_get(check, "status")), "fail");
	assert_string_equal(json_string_value(json_object_get(check, "details")),
	                    "broken:\n  dio\n");
	assert_string_equal(json_string_value(json_object_get(check, "url")), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(statuses),
		cmocka_unit_test(the_base_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
