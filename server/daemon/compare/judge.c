/* The rules are tried one by one, and the first that holds is the verdict: what is bad is so whatever else is open, and
 * nothing is good while something is. */
#include "server/daemon/compare/judge.h"

#include <stdio.h>
#include <stdlib.h>

typedef bool rule_fn(const struct judge_facts *f, FILE *out);

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

/* "dio-read-anon", "dio-read-anon and 2 more tests" */
static void write_tests(FILE *out, const struct judge_tests *t)
{
	(void)fprintf(out, "%s", t->test);
	if (t->count > 1)
		(void)fprintf(out, " and %zu more test%s", t->count - 1, plural(t->count - 1));
}

static void write_rates(FILE *out, const struct judge_tests *t)
{
	(void)fprintf(out, " (%zu of %zu before, %zu of %zu now)", t->bad_before, t->told_before,
	              t->bad, t->told);
}

/* --- there is nothing to judge --- */

static bool does_not_build(const struct judge_facts *f, FILE *out)
{
	if (f->build_failed)
		(void)fprintf(out, "does not build%s%s", *f->build_failed ? ": " : "",
		              f->build_failed);
	return f->build_failed;
}

static bool was_not_run(const struct judge_facts *f, FILE *out)
{
	if (!f->ran)
		(void)fprintf(out, "was not run here");
	return !f->ran;
}

static bool is_running(const struct judge_facts *f, FILE *out)
{
	size_t failing = f->regressed.count + f->lost.count;

	if (f->running)
		(void)fprintf(out, "still running");
	if (f->running && failing > 0)
		(void)fprintf(out, ", %zu test%s regressed so far", failing, plural(failing));
	return f->running;
}

/* --- bad --- */

static bool regresses(const struct judge_facts *f, FILE *out)
{
	if (f->regressed.count == 0)
		return false;
	(void)fprintf(out, "regresses ");
	write_tests(out, &f->regressed);
	write_rates(out, &f->regressed);
	return true;
}

static bool loses(const struct judge_facts *f, FILE *out)
{
	if (f->lost.count == 0)
		return false;
	(void)fprintf(out, "loses what an earlier revision fixed: ");
	write_tests(out, &f->lost);
	return true;
}

static bool leaves(const struct judge_facts *f, FILE *out)
{
	if (f->left.count == 0)
		return false;
	(void)fprintf(out, "leaves ");
	write_tests(out, &f->left);
	(void)fprintf(out, " failing, which %s fixes", f->left_by);
	return true;
}

static bool adds_failures(const struct judge_facts *f, FILE *out)
{
	if (f->added.count == 0)
		return false;
	(void)fprintf(out, "fails ");
	write_tests(out, &f->added);
	(void)fprintf(out, ", which base does not have");
	return true;
}

static bool makes_the_kernel_warn(const struct judge_facts *f, FILE *out)
{
	if (f->warnings == 0 || !f->base_ran || f->base_warnings > 0)
		return false;
	(void)fprintf(out, "the kernel warned %zu time%s, base's did not", f->warnings,
	              plural(f->warnings));
	return true;
}

/* --- not good yet --- */

static bool conflicts(const struct judge_facts *f, FILE *out)
{
	if (f->conflict.count == 0)
		return false;
	(void)fprintf(out, "boards of this class disagree on ");
	write_tests(out, &f->conflict);
	return true;
}

static bool is_flaky(const struct judge_facts *f, FILE *out)
{
	if (f->flaky.count == 0)
		return false;
	write_tests(out, &f->flaky);
	(void)fprintf(out, " fail%s now and then", f->flaky.count == 1 ? "s" : "");
	write_rates(out, &f->flaky);
	if (f->needed > 0)
		(void)fprintf(out, ": %zu more clean trial%s would tell", f->needed,
		              plural(f->needed));
	return true;
}

static bool base_says_nothing(const struct judge_facts *f, FILE *out)
{
	if (f->unmatched.count == 0)
		return false;
	(void)fprintf(out, "fails ");
	write_tests(out, &f->unmatched);
	(void)fprintf(out, ", on which base has no verdict");
	return true;
}

static bool nobody_fixes(const struct judge_facts *f, FILE *out)
{
	if (f->unfixed.count == 0)
		return false;
	write_tests(out, &f->unfixed);
	(void)fprintf(out,
	              " fail%s as on base and no revision fixes %s: a known issue, or not done",
	              f->unfixed.count == 1 ? "s" : "", f->unfixed.count == 1 ? "it" : "them");
	return true;
}

static bool warns_as_base(const struct judge_facts *f, FILE *out)
{
	if (f->warnings > 0)
		(void)fprintf(out, "the kernel warned %zu time%s%s", f->warnings,
		              plural(f->warnings),
		              f->base_ran ? ", as base's did" : ", and base was not run");
	return f->warnings > 0;
}

static bool lacks_results(const struct judge_facts *f, FILE *out)
{
	if (f->without > 0)
		(void)fprintf(out, "%zu result%s missing or without a verdict", f->without,
		              f->without == 1 ? " is" : "s are");
	return f->without > 0;
}

static bool lacks_tests(const struct judge_facts *f, FILE *out)
{
	if (f->gone.count == 0)
		return false;
	(void)fprintf(out, "base has results of ");
	write_tests(out, &f->gone);
	(void)fprintf(out, ", this has none");
	return true;
}

static bool says_nothing(const struct judge_facts *f, FILE *out)
{
	if (f->passed == 0)
		(void)fprintf(out, "%s",
		              f->known > 0 ? "nothing but known failures"
		                           : "no contract test passed or failed");
	return f->passed == 0;
}

static bool proves_nothing(const struct judge_facts *f, FILE *out)
{
	if (f->proves_nothing)
		(void)fprintf(out, "%s", f->proves_nothing);
	return f->proves_nothing;
}

static bool is_not_sensitive(const struct judge_facts *f, FILE *out)
{
	if (f->sense == SENSE_NOT)
		(void)fprintf(out, "not sensitive: %s passes %s, which it must fail", f->control,
		              f->control_test);
	else if (f->sense == SENSE_UNKNOWN)
		(void)fprintf(out, "%s has no verdict on %s, which it must fail", f->control,
		              f->control_test);
	return f->sense == SENSE_NOT || f->sense == SENSE_UNKNOWN;
}

/* --- good --- */

static void write_passes(const struct judge_facts *f, FILE *out)
{
	if (f->fixed.count > 0) {
		(void)fprintf(out, "fixes ");
		write_tests(out, &f->fixed);
		(void)fprintf(out, ", ");
	}
	(void)fprintf(out, "%zu result%s pass%s", f->passed, plural(f->passed),
	              f->passed == 1 ? "es" : "");
	if (f->known > 0)
		(void)fprintf(out, ", %zu fail%s as known", f->known, f->known == 1 ? "s" : "");
}

static bool costs_more(const struct judge_facts *f, FILE *out)
{
	if (f->dearer == 0)
		return false;
	write_passes(f, out);
	(void)fprintf(out, ", but dearer: %s%s%s %+.3g %% (%+.3g to %+.3g %%)", f->cost_test,
	              *f->cost_cell ? " " : "", f->cost_cell, 100 * f->cost_more, 100 * f->cost_low,
	              100 * f->cost_high);
	if (f->dearer > 1)
		(void)fprintf(out, " and %zu more of %zu benchmarks", f->dearer - 1, f->compared);
	return true;
}

static bool is_good(const struct judge_facts *f, FILE *out)
{
	write_passes(f, out);
	if (f->compared > 0)
		(void)fprintf(out, ", no cost shown in %zu benchmark%s", f->compared,
		              plural(f->compared));
	return true;
}

static const struct {
	rule_fn *holds;
	enum judgement verdict;
} rules[] = {
	{does_not_build, JUDGED_OPEN},
	{was_not_run, JUDGED_OPEN},
	{is_running, JUDGED_OPEN},
	{regresses, JUDGED_BAD},
	{loses, JUDGED_BAD},
	{leaves, JUDGED_BAD},
	{adds_failures, JUDGED_BAD},
	{makes_the_kernel_warn, JUDGED_BAD},
	{conflicts, JUDGED_OPEN},
	{is_flaky, JUDGED_OPEN},
	{base_says_nothing, JUDGED_OPEN},
	{nobody_fixes, JUDGED_OPEN},
	{warns_as_base, JUDGED_OPEN},
	{lacks_results, JUDGED_OPEN},
	{lacks_tests, JUDGED_OPEN},
	{says_nothing, JUDGED_OPEN},
	{proves_nothing, JUDGED_OPEN},
	{is_not_sensitive, JUDGED_OPEN},
	{costs_more, JUDGED_COSTS},
	{is_good, JUDGED_GOOD},
};

enum judgement judge_revision(const struct judge_facts *facts, char **why)
{
	size_t i = 0, len;
	char *text = NULL;
	FILE *out = open_memstream(&text, &len);
	enum judgement verdict;

	if (!out)
		abort(); /* out of memory */
	while (!rules[i].holds(facts, out))
		i++;
	verdict = rules[i].verdict;
	(void)fclose(out);
	if (why)
		*why = text;
	else
		free(text);
	return verdict;
}

const char *judgement_name(enum judgement judgement)
{
	static const char *const names[] = {
		[JUDGED_NOT] = NULL,      [JUDGED_GOOD] = "good",       [JUDGED_BAD] = "bad",
		[JUDGED_COSTS] = "costs", [JUDGED_OPEN] = "no-verdict",
	};

	return names[judgement];
}

const char *judge_sense_name(enum judge_sense sense)
{
	static const char *const names[] = {
		[SENSE_UNASKED] = NULL,
		[SENSE_SENSITIVE] = "sensitive",
		[SENSE_UNKNOWN] = "no-verdict",
		[SENSE_NOT] = "not-sensitive",
	};

	return names[sense];
}
