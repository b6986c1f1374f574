/* judge.c - from counts to verdicts: the part of report.h that the runner's side uses. */
#include "report.h"

#include <stdio.h>

const char *verdict_name(enum verdict verdict)
{
	static const char *const names[] = {"pass", "skip", "inconclusive", "error", "fail"};

	return names[verdict];
}

const char *reason_name(enum reason reason)
{
	static const char *const names[REASON_COUNT] = {
		[REASON_NOCONFIG] = "noconfig",
		[REASON_NODEV] = "nodev",
		[REASON_NOPERM] = "noperm",
		[REASON_NOSYS] = "nosys",
		[REASON_OLD_KERNEL] = "old-kernel",
		[REASON_NO_MEMORY] = "no-memory",
		[REASON_NOT_APPLICABLE] = "not-applicable",
		[REASON_MASKED] = "masked",
		[REASON_NOTHING] = "no-trials",
		[REASON_CLOCK] = "clock-changed",
		[REASON_SIGNAL] = "signal",
		[REASON_TIMEOUT] = "timeout",
		[REASON_ERRNO] = "errno",
	};

	return names[reason];
}

const char *fault_name(enum fault fault)
{
	static const char *const names[FAULT_COUNT] = {
		[FAULT_STALE_USER] = "stale-user",
		[FAULT_STALE_MEMORY] = "stale-memory",
		[FAULT_STALE_KERNEL] = "stale-kernel",
		[FAULT_LOST_WRITE] = "lost-write",
		[FAULT_LATE_WRITEBACK] = "late-writeback",
		[FAULT_STALE_CODE] = "stale-code",
		[FAULT_MIXED] = "mixed",
		[FAULT_NOT_CACHE] = "not-cache",
	};

	return names[fault];
}

/* The same trial with the user alias absent, or the cell itself when there is none. */
static unsigned int absent_sibling(const struct report *report, unsigned int index)
{
	struct cell want = test_cell(report->test, index);

	for (unsigned int i = 0; i < report->cell_count; i++) {
		struct cell cell = test_cell(report->test, i);

		if (cell.variant == want.variant && cell.kernel == want.kernel &&
		    cell.delta == want.delta && cell.user == USER_ABSENT)
			return i;
	}
	return index;
}

/* A user view that is wrong although no user line was there means that memory was old. */
static enum fault first_view_fault(const struct report *report, unsigned int index)
{
	unsigned int absent = absent_sibling(report, index);

	if (test_cell(report->test, absent).user == USER_ABSENT &&
	    report->cells[absent].signatures[1U << VIEW_USER] > 0)
		return FAULT_STALE_MEMORY;
	return FAULT_STALE_USER;
}

static enum fault signature_fault(const struct report *report, unsigned int index,
                                  unsigned int signature)
{
	switch (signature) {
	case 0:
		return FAULT_NONE;
	case 1U << VIEW_USER:
		return first_view_fault(report, index);
	case 1U << VIEW_KERNEL:
		return FAULT_STALE_KERNEL;
	case 1U << VIEW_LATE:
		return FAULT_LATE_WRITEBACK;
	case SIGNATURES - 1:
		return FAULT_LOST_WRITE;
	default:
		return FAULT_MIXED;
	}
}

/* Two findings are of one class, or mixed. */
static enum fault join(enum fault one, enum fault other)
{
	return one == FAULT_NONE || one == other ? other : FAULT_MIXED;
}

static enum fault cell_fault(const struct report *report, unsigned int index)
{
	const struct cell_result *cell = &report->cells[index];
	enum fault fault = FAULT_NONE;

	if (cell->bad == 0)
		return FAULT_NONE;
	if (cell->control_bad > 0)
		return FAULT_NOT_CACHE;
	for (unsigned int i = FAULT_NONE + 1; i < FAULT_COUNT; i++) {
		if (cell->number_faults[i] > 0)
			fault = join(fault, (enum fault)i);
	}
	for (unsigned int signature = 1; signature < SIGNATURES; signature++) {
		if (cell->signatures[signature] > 0)
			fault = join(fault, signature_fault(report, index, signature));
	}
	return fault;
}

static enum verdict cell_verdict(const struct report *report, unsigned int index)
{
	const struct cell_result *cell = &report->cells[index];

	if (cell->unsteady != 0)
		return VERDICT_INCONCLUSIVE;
	if (test_cell_kind(report->test, index) == KIND_INFO)
		return cell->trials > 0 ? VERDICT_PASS : VERDICT_SKIP;
	if (cell->bad > 0)
		return VERDICT_FAIL;
	if (cell->skip != REASON_NONE)
		return VERDICT_SKIP;
	if (report->stop == VERDICT_ERROR && index == report->running_cell)
		return VERDICT_ERROR; /* cut short in the middle of this cell */
	if (cell->trials == 0 && report->stop != VERDICT_PASS)
		return report->stop;
	if (cell->trials == 0)
		return VERDICT_INCONCLUSIVE; /* no page of that colour, say */
	if (cell->masked > cell->trials / 2)
		return VERDICT_INCONCLUSIVE;
	return VERDICT_PASS;
}

static void limit_counts(struct report *report)
{
	report->cell_count = test_cells(report->test);
	if (report->mismatch_count > MISMATCHES_MAX)
		report->mismatch_count = MISMATCHES_MAX;
	if (report->value_count > VALUES_MAX)
		report->value_count = VALUES_MAX;
	for (unsigned int i = 0; i < report->value_count; i++) {
		struct value *value = &report->values[i];

		value->cell = report->cell_count > 0 ? value->cell % report->cell_count : 0;
		value->operation[sizeof(value->operation) - 1] = '\0';
	}
	if (report->running_cell >= report->cell_count)
		report->running_cell = 0;
	if ((unsigned int)report->stop_reason >= REASON_COUNT)
		report->stop_reason = REASON_NONE;
	if ((unsigned int)report->stop > VERDICT_FAIL)
		report->stop = VERDICT_ERROR;
	report->detail[DETAIL_MAX - 1] = '\0';
	for (unsigned int i = 0; i < report->cell_count; i++) {
		if ((unsigned int)report->cells[i].skip >= REASON_COUNT)
			report->cells[i].skip = REASON_NONE;
	}
	for (unsigned int i = 0; i < report->mismatch_count; i++) {
		struct mismatch *mismatch = &report->mismatches[i];

		mismatch->cell = report->cell_count > 0 ? mismatch->cell % report->cell_count : 0;
		mismatch->signature %= SIGNATURES;
		mismatch->fault = (enum fault)((unsigned int)mismatch->fault % FAULT_COUNT);
	}
}

static void judge_mismatch(struct report *report, struct mismatch *mismatch)
{
	if (report->cells[mismatch->cell].control_bad > 0)
		mismatch->fault = FAULT_NOT_CACHE;
	else if (mismatch->by_number != 0)
		return;
	else if (mismatch->several != 0)
		mismatch->fault = FAULT_MIXED;
	else
		mismatch->fault = signature_fault(report, mismatch->cell, mismatch->signature);
}

/* Does the verdict of a cell of this kind count for the test? */
static bool cell_counts(const struct report *report, unsigned int index)
{
	return test_cell_kind(report->test, index) == report->test->kind;
}

/* The worst verdict of the cells that count; a skip only when all of them were skipped. */
static enum verdict worst_cell(const struct report *report)
{
	enum verdict worst = VERDICT_PASS;
	bool ran = false;

	for (unsigned int i = 0; i < report->cell_count; i++) {
		enum verdict verdict = report->cell_verdicts[i];

		if (!cell_counts(report, i) || verdict == VERDICT_SKIP)
			continue;
		ran = true;
		if (verdict > worst)
			worst = verdict;
	}
	return ran ? worst : VERDICT_SKIP;
}

static enum reason first_skip(const struct report *report)
{
	for (unsigned int i = 0; i < report->cell_count; i++) {
		if (cell_counts(report, i) && report->cells[i].skip != REASON_NONE)
			return report->cells[i].skip;
	}
	return REASON_NONE;
}

static bool any_unsteady(const struct report *report)
{
	for (unsigned int i = 0; i < report->cell_count; i++) {
		if (cell_counts(report, i) && report->cells[i].unsteady != 0)
			return true;
	}
	return false;
}

static bool any_masked(const struct report *report)
{
	for (unsigned int i = 0; i < report->cell_count; i++) {
		if (cell_counts(report, i) && report->cells[i].masked > report->cells[i].trials / 2)
			return true;
	}
	return false;
}

static enum reason verdict_reason(const struct report *report)
{
	switch (report->verdict) {
	case VERDICT_SKIP:
		return report->stop == VERDICT_SKIP ? report->stop_reason : first_skip(report);
	case VERDICT_INCONCLUSIVE:
		if (any_unsteady(report))
			return REASON_CLOCK;
		return any_masked(report) ? REASON_MASKED : REASON_NOTHING;
	case VERDICT_ERROR:
		return report->stop == VERDICT_ERROR ? report->stop_reason : REASON_NOTHING;
	case VERDICT_PASS:
	case VERDICT_FAIL:
	default:
		return REASON_NONE;
	}
}

void report_judge(struct report *report)
{
	limit_counts(report);
	report->trials = report->bad = report->masked = 0;
	for (unsigned int i = 0; i < report->cell_count; i++) {
		report->cell_verdicts[i] = cell_verdict(report, i);
		report->cell_faults[i] = cell_fault(report, i);
		report->trials += report->cells[i].trials;
		report->masked += report->cells[i].masked;
		report->bad += cell_counts(report, i) ? report->cells[i].bad : 0;
	}
	for (unsigned int i = 0; i < report->mismatch_count; i++)
		judge_mismatch(report, &report->mismatches[i]);
	report->verdict = worst_cell(report);
	if (report->verdict < VERDICT_ERROR && report->stop == VERDICT_ERROR)
		report->verdict = VERDICT_ERROR;
	report->reason = verdict_reason(report);
}
