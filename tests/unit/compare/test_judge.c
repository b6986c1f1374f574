/* Each rule of the verdict on a revision by an example, and the order of the rules. */
#include "server/daemon/compare/judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RAN .ran = true, .base_ran = true, .passed = 12
#define ONE(t)                                                                                     \
	{                                                                                          \
		.count = 1, .test = (t), .bad_before = 0, .told_before = 9, .bad = 3, .told = 9    \
	}
#define TWO(t)                                                                                     \
	{                                                                                          \
		.count = 2, .test = (t), .bad_before = 0, .told_before = 9, .bad = 3, .told = 9    \
	}

static const struct {
	struct judge_facts facts;
	const char *verdict, *why;
} rows[] = {
	/* nothing to judge */
	{{.build_failed = "2/2 does not apply: mm/mmap.c:3"},
         "no-verdict",
         "does not build: 2/2 does not apply: mm/mmap.c:3"},
	{{.build_failed = ""}, "no-verdict", "does not build"},
	{{0}, "no-verdict", "was not run here"},
	{{RAN, .running = true}, "no-verdict", "still running"},
	{{RAN, .running = true, .regressed = ONE("t")},
         "no-verdict",
         "still running, 1 test regressed so far"},
	/* bad, whatever else is open */
	{{RAN, .regressed = ONE("t"), .without = 3, .sense = SENSE_NOT, .control = "c",
          .control_test = "t"},
         "bad",
         "regresses t (0 of 9 before, 3 of 9 now)"},
	{{RAN, .regressed = TWO("t"), .proves_nothing = "QEMU"},
         "bad",
         "regresses t and 1 more test (0 of 9 before, 3 of 9 now)"},
	{{RAN, .lost = ONE("t")}, "bad", "loses what an earlier revision fixed: t"},
	{{RAN, .left = TWO("t"), .left_by = "v2", .fixed = ONE("u")},
         "bad",
         "leaves t and 1 more test failing, which v2 fixes"},
	{{RAN, .added = ONE("t")}, "bad", "fails t, which base does not have"},
	{{RAN, .warnings = 2}, "bad", "the kernel warned 2 times, base's did not"},
	/* not good */
	{{RAN, .conflict = ONE("t")}, "no-verdict", "boards of this class disagree on t"},
	{{RAN, .flaky = ONE("t"), .needed = 4},
         "no-verdict",
         "t fails now and then (0 of 9 before, 3 of 9 now): 4 more clean trials would tell"},
	{{RAN, .flaky = ONE("t")},
         "no-verdict",
         "t fails now and then (0 of 9 before, 3 of 9 now)"},
	{{RAN, .unmatched = ONE("t")}, "no-verdict", "fails t, on which base has no verdict"},
	{{RAN, .unfixed = ONE("t"), .fixed = ONE("u")},
         "no-verdict",
         "t fails as on base and no revision fixes it: a known issue, or not done"},
	{{RAN, .unfixed = TWO("t")},
         "no-verdict",
         "t and 1 more test fail as on base and no revision fixes them: a known issue, or not done"},
	{{RAN, .warnings = 1, .base_warnings = 1},
         "no-verdict",
         "the kernel warned 1 time, as base's did"},
	{{.ran = true, .passed = 1, .warnings = 1},
         "no-verdict",
         "the kernel warned 1 time, and base was not run"},
	{{RAN, .without = 1}, "no-verdict", "1 result is missing or without a verdict"},
	{{RAN, .gone = ONE("t")}, "no-verdict", "base has results of t, this has none"},
	{{.ran = true}, "no-verdict", "no contract test passed or failed"},
	{{.ran = true, .known = 2}, "no-verdict", "nothing but known failures"},
	{{RAN, .proves_nothing = "QEMU holds one copy"}, "no-verdict", "QEMU holds one copy"},
	{{RAN, .sense = SENSE_NOT, .control = "no-flush", .control_test = "t"},
         "no-verdict",
         "not sensitive: no-flush passes t, which it must fail"},
	{{RAN, .sense = SENSE_UNKNOWN, .control = "no-flush", .control_test = "t"},
         "no-verdict",
         "no-flush has no verdict on t, which it must fail"},
	/* costs, good */
	{{RAN, .fixed = ONE("u"), .compared = 9, .dearer = 1, .cost_test = "bench-dio-read",
          .cost_cell = "anon,4096", .cost_more = 0.184, .cost_low = 0.12, .cost_high = 0.251},
         "costs",
         "fixes u, 12 results pass, but dearer: bench-dio-read anon,4096 +18.4 % (+12 to +25.1 %)"},
	{{RAN, .compared = 9, .dearer = 3, .cost_test = "b", .cost_cell = "", .cost_more = 0.184,
          .cost_low = 0.12, .cost_high = 0.251},
         "costs",
         "12 results pass, but dearer: b +18.4 % (+12 to +25.1 %) and 2 more of 9 benchmarks"},
	{{RAN, .fixed = TWO("t"), .known = 1, .compared = 9, .sense = SENSE_SENSITIVE},
         "good",
         "fixes t and 1 more test, 12 results pass, 1 fails as known, no cost shown in 9 benchmarks"},
	{{.ran = true, .passed = 1}, "good", "1 result passes"},
};

static void test_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char *why;
		const char *verdict = judgement_name(judge_revision(&rows[i].facts, &why));

		if (strcmp(verdict, rows[i].verdict) != 0 || strcmp(why, rows[i].why) != 0)
			fail_msg("row %zu: %s: %s", i, verdict, why);
		free(why);
		assert_string_equal(judgement_name(judge_revision(&rows[i].facts, NULL)),
		                    rows[i].verdict);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rules)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
