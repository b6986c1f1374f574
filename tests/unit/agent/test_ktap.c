#include "agent/ktap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct seen {
	char text[8192]; /* "path=verdict(reason)|" of each cell; an expected failure has "~" */
	size_t len, cells;
	char detail[KTAP_TEXT + 1]; /* of the last cell that has one */
};

static void on_cell(void *arg, const struct ktap_cell *c)
{
	struct seen *s = arg;

	s->cells++;
	if (s->len < sizeof(s->text) - 400)
		s->len += (size_t)snprintf(s->text + s->len, sizeof(s->text) - s->len,
		                           "%s=%s%s%s%s%s|", c->path, c->expected ? "~" : "",
		                           verdict_name(c->verdict), *c->reason ? "(" : "",
		                           c->reason, *c->reason ? ")" : "");
	if (*c->detail)
		(void)snprintf(s->detail, sizeof(s->detail), "%s", c->detail);
}

static struct ktap_outcome feed(const char *text, struct seen *s)
{
	struct ktap *k = ktap_new(on_cell, s);
	struct ktap_outcome out;

	*s = (struct seen){0};
	while (*text) {
		size_t len = strcspn(text, "\n");

		ktap_line(k, text, len);
		text += len + (text[len] == '\n');
	}
	ktap_end(k, &out);
	ktap_free(k);
	return out;
}

static void expect(const char *text, const char *cells, const char *verdict, const char *reason)
{
	struct seen s;
	struct ktap_outcome out = feed(text, &s);

	assert_string_equal(s.text, cells);
	assert_string_equal(verdict_name(out.verdict), verdict);
	assert_string_equal(out.reason, reason);
}

static void plain_results(void **state)
{
	(void)state;
	expect("KTAP version 1\n1..2\nok 1 - a\nok 2 b\n", "a=pass|b=pass|", "pass", "");
	expect("TAP version 13\nok 1\nnot ok 2 - b c\n1..2\n", "test-1=pass|b c=fail|", "fail", "");
	expect("noise\nok 1 a\n  indented noise\nok then\nok2 b\nokay 3 c\nok 3x d\n", "a=pass|",
	       "pass", "");
	expect("ok 1 a\r\nok 2 b\x01\x7f\xff z\n", "a=pass|b  \xEF\xBF\xBD z=pass|", "pass", "");
}

static void directives(void **state)
{
	(void)state;
	expect("ok 1 a # SKIP noconfig no X\nnot ok 2 b # skip: tired\nok 3 c\n",
	       "a=skip(noconfig)|b=skip|c=pass|", "pass", "");
	expect("not ok 1 a # XFAIL\nok 2 b # XFAIL why\nnot ok 3 c # TODO\nok 4 d # TODO\nok 5 e # XPASS\n",
	       "a=~fail|b=~fail|c=~fail|d=pass|e=pass|", "pass", "");
	expect("not ok 1 a # TIMEOUT 45 seconds\n", "a=error(timeout)|", "error", "timeout");
	expect("not ok 1 # error it broke\n", "it broke=error(error)|", "error", "error");
	expect("not ok 1 a # exit=139\n", "a=fail|", "fail", "");
	expect("ok 1 # SKIP nosys\nok 2 # SKIP nosys\n", "nosys=skip(nosys)|nosys#2=skip(nosys)|",
	       "skip", "nosys");
	expect("ok 1 a#3 b #4 # SKIP\n", "a#3 b #4=skip|", "skip", "");
	expect("1..0 # SKIP nodev no run_kselftest.sh\n", "", "skip", "nodev");
	expect("1..0 # SKIP whatever\n", "", "skip", "");
}

static void same_names_are_numbered(void **state)
{
	(void)state;
	expect("ok 1 x\nok 2 x\nok 3 x\n", "x=pass|x#2=pass|x#3=pass|", "pass", "");
	expect("ok 1 x#2\nok 2 x\nok 3 x\n", "x#2=pass|x=pass|x#3=pass|", "pass", "");
}

static void subtests(void **state)
{
	(void)state;
	expect("KTAP version 1\n1..1\n  KTAP version 1\n  1..2\n    KTAP version 1\n    1..1\n    not ok 1 t\n"
	       "  not ok 1 b\n  ok 2 c\nnot ok 1 a\n",
	       "a/b/t=fail|a/b=fail|a/c=pass|a=fail|", "fail", "");
	/* The parent fails if a child does, whatever it says. */
	expect("  KTAP version 1\n  not ok 1 b\nok 1 a\n", "a/b=fail|a=fail(inside)|", "fail", "");
	expect("  KTAP version 1\n  not ok 1 b # XFAIL\nok 1 a\n", "a/b=~fail|a=pass|", "pass", "");
	expect("  KTAP version 1\n  ok 1 b # SKIP\nok 1 a # SKIP\n", "a/b=skip|a=skip|", "skip",
	       "");
	expect("  KTAP version 1\n  not ok 1 b\nnot ok 1 a # XFAIL\n", "a/b=~fail|a=~fail|", "pass",
	       "");
	expect("1..1\n    not ok 1 c\n  not ok 1 b\nnot ok 1 a # XFAIL\n",
	       "a/b/c=~fail|a/b=~fail|a=~fail|", "pass", "");
	/* Two levels at once, and one without a version line. */
	expect("  1..1\n      ok 1 x\n  ok 1 y\nok 1 z\n", "z/y/x=pass|z/y=pass|z=pass|", "pass",
	       "");
}

static void kselftest(void **state)
{
	static const char *const text =
		"TAP version 13\n1..3\n# selftests: net/x: prog.sh\n# TAP version 13\n# 1..2\n# ok 1 x\n"
		"# # it is late\n# not ok 2 y\n# # Totals: pass:1 fail:1\nnot ok 1 selftests: net/x: prog.sh # exit=1\n"
		"# selftests: net/x: quiet\nok 2 selftests: net/x: quiet\n"
		"# selftests: net/x: dead\n# 1..88\n# Bail out! no mount\n"
		"not ok 3 selftests: net/x: dead # exit=1\n";
	struct seen s;

	(void)state;
	expect(text,
	       "net/x:prog.sh/x=pass|net/x:prog.sh/y=fail|net/x:prog.sh=fail|net/x:quiet=pass|net/x:dead=fail|",
	       "fail", "");
	(void)feed(text, &s);
	assert_string_equal(s.detail, "exit=1\nno mount");
	/* A program that skips in the middle of its plan. */
	expect("1..1\n# selftests: a: b\n# 1..5\n# ok 1 x\n# ok 2 # SKIP noperm not root\n"
	       "ok 1 selftests: a: b # SKIP\n",
	       "a:b/x=pass|a:b/noperm not root=skip(noperm)|a:b=skip|", "skip", "");
	/* Several collections, one after the other. */
	expect("TAP version 13\n1..1\nok 1 selftests: a: b\nTAP version 13\n1..1\nok 1 selftests: c: d\n",
	       "a:b=pass|c:d=pass|", "pass", "");
}

static void plans(void **state)
{
	struct ktap_outcome out;
	struct seen s;

	(void)state;
	expect("1..3\nok 1 a\nok 2 b\n", "a=pass|b=pass|", "error", "plan-not-met");
	expect("1..3\nok 1 a\nnot ok 2 b\n", "a=pass|b=fail|", "fail", "");
	expect("1..1\nok 1 a\nok 2 b\n", "a=pass|b=pass|", "pass", "");
	expect("1..1\n  1..3\n  ok 1 a\nok 1 s\n", "s/a=pass|s=error(inside)|", "error",
	       "plan-not-met");
	expect("", "", "error", "no-results");
	expect("KTAP version 1\n1..2\n", "", "error", "plan-not-met");
	expect("1..9\nok 1 a\nBail out! no memory\nok 2 b\n", "a=pass|", "error", "bail-out");
	out = feed("1..4\nok 1 a\n", &s);
	assert_string_equal(out.detail, "4 results were planned, 1 came");
	out = feed("ok 1 a\nnot ok 2 b\nnot ok 3 c\n", &s);
	assert_string_equal(out.detail, "2 of 3 failed, the first: b");
	assert_int_equal(out.trials, 3);
	assert_int_equal(out.bad, 2);
}

static void a_suite_that_died(void **state)
{
	(void)state;
	/* KUnit's names come before the results, so that what was not finished still has one. */
	expect("KTAP version 1\n1..2\n    KTAP version 1\n    # Subtest: flush\n    1..2\n    ok 1 one\n",
	       "flush/one=pass|flush=error(unfinished)|", "error", "plan-not-met");
	expect("1..2\n# selftests: a: b\n# ok 1 x\n", "a:b/x=pass|a:b=error(unfinished)|", "error",
	       "unfinished");
	/* The next one begins: the first is left behind. */
	expect("KTAP version 1\n1..2\n    # Subtest: one\n    1..1\n    ok 1 x\n    # Subtest: two\n    1..1\n"
	       "    ok 1 y\nok 2 two\n",
	       "one/x=pass|one=error(unfinished)|two/y=pass|two=pass|", "error", "unfinished");
}

static void stamps_of_the_kernel_log(void **state)
{
	(void)state;
	expect("[    9.999999] KTAP version 1\n[    9.999999] 1..1\n[   10.000001]     KTAP version 1\n"
	       "<6>[   10.000001][ T1]     ok 1 a\n[  100.000001] ok 1 s\n[1] ok 2 no\n",
	       "s/a=pass|s=pass|", "pass", "");
}

static void bounded(void **state)
{
	struct ktap *k;
	struct ktap_outcome out;
	struct seen s = {0};
	char line[4000];

	(void)state;
	k = ktap_new(on_cell, &s);
	for (int i = 0; i < 3 * KTAP_CELLS; i++)
		ktap_line(k, "  ok 1 x", 8);
	ktap_end(k, &out);
	ktap_free(k);
	assert_int_equal(s.cells, KTAP_CELLS);
	assert_string_equal(out.reason, "too-many-results");
	assert_int_equal(out.verdict, VERDICT_ERROR);

	(void)memset(line, ' ', sizeof(line));
	k = ktap_new(on_cell, &s);
	for (size_t indent = 0; indent < 40; indent += 2) {
		(void)memcpy(line + indent, "ok 1 d", 6);
		ktap_line(k, line, indent + 6);
		(void)memset(line, ' ', sizeof(line));
	}
	ktap_end(k, &out);
	ktap_free(k);
	assert_string_equal(out.reason, "too-many-results");

	s = (struct seen){0};
	k = ktap_new(on_cell, &s);
	(void)memset(line, 'n', sizeof(line));
	(void)memcpy(line, "ok 1 ", 5);
	ktap_line(k, line, sizeof(line));
	ktap_line(k, line, sizeof(line));
	ktap_end(k, &out);
	ktap_free(k);
	assert_int_equal(s.len, 2 * (KTAP_NAME + strlen("=pass|")) + strlen("#2"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_results),
		cmocka_unit_test(directives),
		cmocka_unit_test(same_names_are_numbered),
		cmocka_unit_test(subtests),
		cmocka_unit_test(kselftest),
		cmocka_unit_test(plans),
		cmocka_unit_test(a_suite_that_died),
		cmocka_unit_test(stamps_of_the_kernel_log),
		cmocka_unit_test(bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
