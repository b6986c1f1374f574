/* The table of docs/EXPORT.md, row by row. */
#include "server/daemon/export/outcome.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	struct outcome_facts facts;
	const char *name;
	bool ok;
	const char *directive;
	enum outcome_junit junit;
	const char *kcidb, *b4;
} rows[] = {
	{{VERDICT_MISSING, "contract", false, false},
         "missing",
         false,
         "ERROR",
         JUNIT_ERROR,
         "MISS",
         "warn"},
	{{VERDICT_MISSING, "gap", true, true},
         "missing",
         false,
         "ERROR",
         JUNIT_ERROR,
         "MISS",
         "warn"},
	{{VERDICT_ERROR, "contract", false, false},
         "error",
         false,
         "ERROR",
         JUNIT_ERROR,
         "ERROR",
         "warn"},
	{{VERDICT_INCONCLUSIVE, "gap", false, false},
         "inconclusive",
         false,
         "ERROR",
         JUNIT_ERROR,
         "ERROR",
         "warn"},
	{{VERDICT_SKIP, "contract", false, true},
         "skip",
         true,
         "SKIP",
         JUNIT_SKIPPED,
         "SKIP",
         NULL},
	{{VERDICT_FAIL, "gap", true, false}, "gap", false, "XFAIL", JUNIT_SKIPPED, "DONE", NULL},
	{{VERDICT_FAIL, "info", false, true}, "gap", false, "XFAIL", JUNIT_SKIPPED, "DONE", NULL},
	{{VERDICT_FAIL, "contract", true, false},
         "known",
         false,
         "XFAIL",
         JUNIT_SKIPPED,
         "FAIL",
         NULL},
	{{VERDICT_FAIL, "contract", false, false},
         "fail",
         false,
         NULL,
         JUNIT_FAILURE,
         "FAIL",
         "fail"},
	{{VERDICT_PASS, "contract", false, true},
         "warned",
         false,
         NULL,
         JUNIT_FAILURE,
         "FAIL",
         "fail"},
	{{VERDICT_PASS, "info", false, false},
         "measured",
         true,
         NULL,
         JUNIT_NOTHING,
         "DONE",
         "pass"},
	{{VERDICT_PASS, "gap", true, false}, "pass", true, NULL, JUNIT_NOTHING, "PASS", "pass"},
	{{VERDICT_PASS, "contract", false, false},
         "pass",
         true,
         NULL,
         JUNIT_NOTHING,
         "PASS",
         "pass"},
};

static void each_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct outcome_row *row = outcome_row(outcome_of(&rows[i].facts));

		assert_string_equal(row->name, rows[i].name);
		assert_int_equal(row->ktap_ok, rows[i].ok);
		assert_string_equal(row->ktap_directive ? row->ktap_directive : "",
		                    rows[i].directive ? rows[i].directive : "");
		assert_int_equal(row->junit, rows[i].junit);
		assert_string_equal(row->kcidb, rows[i].kcidb);
		assert_string_equal(row->b4 ? row->b4 : "", rows[i].b4 ? rows[i].b4 : "");
	}
}

/* KTAP's "ok" must not hide what another format calls bad. */
static void the_formats_agree(void **state)
{
	(void)state;
	for (unsigned i = 0; i < OUTCOME_COUNT; i++) {
		const struct outcome_row *row = outcome_row((enum outcome)i);
		bool good = row->junit == JUNIT_NOTHING || row->junit == JUNIT_SKIPPED;
		bool xfail = row->ktap_directive && strcmp(row->ktap_directive, "XFAIL") == 0;

		assert_int_equal(row->ktap_ok || xfail, good);
		assert_int_equal(row->junit == JUNIT_FAILURE,
		                 row->b4 && strcmp(row->b4, "fail") == 0);
		assert_int_equal(row->junit == JUNIT_ERROR,
		                 row->b4 && strcmp(row->b4, "warn") == 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row),
		cmocka_unit_test(the_formats_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
