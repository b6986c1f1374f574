/* command_selftest.c - does a fault come out as what it is?
 *
 * Each contract test runs with wrong bytes put in front of its checks, one kind of fault after
 * another, and every cell and record must name exactly that fault. This checks the reporting;
 * it says nothing about a kernel and nothing about whether a missing flush would be met. */
#include "commands.h"
#include "inject.h"
#include "runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	EARLY = 1U << VIEW_USER,
	KERNEL = 1U << VIEW_KERNEL,
	LATE = 1U << VIEW_LATE,
};

/* A kind of fault: where it shows, what is there, and what must be reported. */
static const struct form {
	const char *name;
	enum fault fault;
	unsigned int views;
	unsigned int other_views; /* of every second half-line; 0: as views */
	enum tag tag;
	bool absent_too, control_too;
	bool numbers; /* spoils number_check(), not pages */
} forms[] = {
	{"stale user lines", FAULT_STALE_USER, EARLY, 0, TAG_STALE, false, false, false},
	{"old memory", FAULT_STALE_MEMORY, EARLY, 0, TAG_STALE, true, false, false},
	{"stale kernel lines", FAULT_STALE_KERNEL, KERNEL, 0, TAG_STALE, true, false, false},
	{"lost half-lines", FAULT_LOST_WRITE, EARLY | KERNEL | LATE, 0, TAG_POISON, true, false,
         false},
	{"late write-back", FAULT_LATE_WRITEBACK, LATE, 0, TAG_FOREIGN, true, false, false},
	{"torn half-lines", FAULT_LOST_WRITE, EARLY | KERNEL | LATE, 0, TAG_TORN, true, false,
         false},
	{"two faults", FAULT_MIXED, EARLY, LATE, TAG_STALE, true, false, false},
	{"wrong data without a cache", FAULT_NOT_CACHE, EARLY | KERNEL | LATE, 0, TAG_STALE, true,
         true, false},
	{"another number", FAULT_NONE, 0, 0, TAG_STALE, true, false,
         true}, /* the class is the test's */
};

#define FORMS (sizeof(forms) / sizeof(forms[0]))

/* Some half-lines, of both parities and at both ends of the page. */
static const unsigned int spoilt[] = {0, 1, 6, 129, 134, 200, 255};

#define SPOILT (sizeof(spoilt) / sizeof(spoilt[0]))

static void build(struct inject *inject, const struct form *form)
{
	memset(inject, 0, sizeof(*inject));
	inject->name = form->name;
	inject->class_name = form->numbers ? "what the test says" : fault_name(form->fault);
	inject->numbers = form->numbers;
	inject->tag = form->tag;
	inject->absent_too = form->absent_too;
	inject->control_too = form->control_too;
	for (size_t i = 0; i < SPOILT; i++) {
		unsigned int views =
			form->other_views != 0 && i % 2 == 1 ? form->other_views : form->views;

		for (unsigned int view = 0; view < VIEW_COUNT; view++) {
			if ((views >> view & 1U) != 0)
				halves_set(&inject->halves[view], spoilt[i]);
		}
	}
}

/* All half-lines that inject spoils, in any view. */
static struct halves spoilt_halves(const struct inject *inject)
{
	struct halves all = inject->halves[0];

	for (unsigned int view = 1; view < VIEW_COUNT; view++) {
		for (size_t i = 0; i < sizeof(all.bits) / sizeof(all.bits[0]); i++)
			all.bits[i] |= inject->halves[view].bits[i];
	}
	return all;
}

struct check {
	const struct report *report;
	const struct inject *inject;
	const struct form *form;
	unsigned int problems;
};

static void problem(struct check *check, unsigned int cell, const char *what)
{
	char name[CELL_NAME_MAX];

	test_cell_name(check->report->test, cell, name);
	if (check->problems++ < 4)
		(void)printf("# %s, %s: %s: %s\n", check->report->test->name, check->inject->name,
		             name, what);
}

/* How many trials of this cell the fault is put into. */
static unsigned int trials_hit(const struct check *check, unsigned int index)
{
	struct cell cell = test_cell(check->report->test, index);
	const struct cell_result *result = &check->report->cells[index];

	if (check->form->numbers)
		return result->number_trials;
	if (cell.user == USER_ABSENT && !check->inject->absent_too)
		return 0;
	return result->trials - result->number_trials;
}

/* Old memory can only be told from stale user lines where a cell without user lines exists. */
static enum fault expected_fault(const struct check *check, unsigned int index)
{
	struct cell cell = test_cell(check->report->test, index);
	unsigned int mask = test_variants(check->report->test)[cell.variant].user;

	for (unsigned int i = FAULT_NONE + 1; check->form->numbers && i < FAULT_COUNT; i++) {
		if (check->report->cells[index].number_faults[i] > 0)
			return (enum fault)i;
	}
	if (check->form->fault == FAULT_STALE_MEMORY && (mask & 1U << USER_ABSENT) == 0)
		return FAULT_STALE_USER;
	return check->form->fault;
}

static void check_cell(struct check *check, unsigned int index)
{
	const struct cell_result *cell = &check->report->cells[index];

	unsigned int hit = trials_hit(check, index);

	if (hit == 0) {
		if (cell->bad > 0)
			problem(check, index, "reported bad, but nothing was wrong");
		return;
	}
	if (cell->bad != hit)
		problem(check, index, "some faults were not reported");
	if (check->report->cell_verdicts[index] != VERDICT_FAIL &&
	    test_cell_kind(check->report->test, index) != KIND_INFO)
		problem(check, index, "the verdict is not fail");
	if (check->report->cell_faults[index] != expected_fault(check, index))
		problem(check, index, "the cell names another class");
}

static void check_record(struct check *check, const struct mismatch *mismatch)
{
	struct halves all = spoilt_halves(check->inject);

	if (mismatch->fault != expected_fault(check, mismatch->cell))
		problem(check, mismatch->cell, "the record names another class");
	if (check->form->numbers)
		return;
	if (memcmp(&mismatch->halves, &all, sizeof(all)) != 0)
		problem(check, mismatch->cell, "the record has another bitmap");
	if (mismatch->tags[check->form->tag] != SPOILT)
		problem(check, mismatch->cell, "the record has other tags");
}

/* Returns how many problems there are. */
static unsigned int check_report(const struct report *report, const struct inject *inject,
                                 const struct form *form)
{
	struct check check = {.report = report, .inject = inject, .form = form};

	if (report->mismatch_count == 0)
		problem(&check, 0, "no record");
	for (unsigned int i = 0; i < report->cell_count; i++)
		check_cell(&check, i);
	for (unsigned int i = 0; i < report->mismatch_count; i++)
		check_record(&check, &report->mismatches[i]);
	return check.problems;
}

/* How many trials of the report could have met the fault of this form. */
static unsigned int all_hit(const struct report *report, const struct inject *inject,
                            const struct form *form)
{
	struct check check = {.report = report, .inject = inject, .form = form};
	unsigned int hit = 0;

	for (unsigned int i = 0; i < report->cell_count; i++)
		hit += trials_hit(&check, i);
	return hit;
}

/* Run one test with one fault. Returns how it went: VERDICT_INCONCLUSIVE when the test does not look at such things. */
static enum verdict try_form(struct runner *runner, const struct test *test,
                             const struct form *form)
{
	struct inject inject;
	struct run_options options = {
		.iterations = 1,
		.seed = 1,
		.quiet_log = true,
		.device = getenv("COHORT_DEVICE"),
		.inject = &inject,
	};
	const struct report *report;

	build(&inject, form);
	report = runner_run(runner, test, &options);
	if (report->verdict == VERDICT_SKIP) {
		(void)printf("ok - %s: %s # SKIP %s\n", test->name, form->name,
		             reason_name(report->reason));
		return VERDICT_SKIP;
	}
	if (report->stop == VERDICT_PASS && all_hit(report, &inject, form) == 0)
		return VERDICT_INCONCLUSIVE;
	if (report->stop != VERDICT_PASS || check_report(report, &inject, form) > 0) {
		(void)printf("not ok - %s: %s is not reported as %s %s\n", test->name, form->name,
		             inject.class_name, report->detail);
		return VERDICT_FAIL;
	}
	(void)printf("ok - %s: %s is %s\n", test->name, form->name, inject.class_name);
	return VERDICT_PASS;
}

/* Every form that fits what the test looks at: pages, numbers, or both. */
static enum verdict try_test(struct runner *runner, const struct test *test)
{
	enum verdict worst = VERDICT_PASS;
	bool pages = true, any = false;

	for (size_t i = 0; i < FORMS && !runner_interrupted(runner); i++) {
		enum verdict verdict;

		if (!forms[i].numbers && !pages)
			continue;
		verdict = try_form(runner, test, &forms[i]);
		if (verdict == VERDICT_SKIP)
			return worst;
		pages &= forms[i].numbers || verdict != VERDICT_INCONCLUSIVE;
		any |= verdict != VERDICT_INCONCLUSIVE;
		if (verdict == VERDICT_FAIL)
			worst = verdict;
		(void)fflush(stdout);
	}
	if (any)
		return worst;
	(void)printf("not ok - %s: no trial was counted\n", test->name);
	return VERDICT_FAIL;
}

int command_selftest(int argc, char **argv)
{
	struct runner *runner;
	enum verdict worst = VERDICT_PASS;

	if (getenv("COHORT_RUN") != NULL) {
		(void)fprintf(stderr, "coherence: selftest makes faults up; not in a farm job\n");
		return EXIT_USAGE;
	}
	runner = runner_new();
	if (runner == NULL)
		return EXIT_BROKEN;
	for (size_t i = 0; i < test_count && !runner_interrupted(runner); i++) {
		enum verdict verdict;

		if (tests[i]->kind != KIND_CONTRACT ||
		    (argc > 1 && strcmp(argv[1], tests[i]->name) != 0))
			continue;
		verdict = try_test(runner, tests[i]);
		worst = verdict > worst ? verdict : worst;
	}
	return worst == VERDICT_FAIL ? EXIT_FAIL : EXIT_PASS;
}
