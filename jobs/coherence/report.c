#include "report.h"

#include <stdio.h>
#include <string.h>

static unsigned int half_signature(const struct view *views, unsigned int half)
{
	unsigned int signature = 0;

	for (unsigned int view = 0; view < VIEW_COUNT; view++) {
		if (halves_test(&views[view].bad, half))
			signature |= 1U << view;
	}
	return signature;
}

/* Whether 32 half-lines, those of one word, hold a bad one. */
static bool group_bad(const struct view *views, unsigned int group)
{
	uint32_t bad = 0;

	for (unsigned int view = 0; view < VIEW_COUNT; view++)
		bad |= views[view].bad.bits[group];
	return bad != 0;
}

static bool any_bad(const struct view *views)
{
	bool bad = false;

	for (unsigned int group = 0; group < PAGE_HALVES / 32U; group++)
		bad |= group_bad(views, group);
	return bad;
}

static void count_signatures(const struct view *views, uint32_t signatures[SIGNATURES])
{
	for (unsigned int half = 0; half < PAGE_HALVES; half++) {
		if (half % 32U == 0 && !group_bad(views, half / 32U)) {
			signatures[0] += 32U;
			half += 31U;
		} else {
			signatures[half_signature(views, half)]++;
		}
	}
}

/* The words of the first view in which half is wrong. */
static const uint32_t *half_seen(const struct view *views, unsigned int half)
{
	unsigned int view = 0;

	while (view + 1 < VIEW_COUNT && !halves_test(&views[view].bad, half))
		view++;
	return views[view].seen + (size_t)half * HALF_WORDS;
}

/* Fill in the first 32 bytes of the evidence: the first bad half-line, and the one after it
 * when that is bad too (what is not bad is as expected). */
static void copy_evidence(struct mismatch *mismatch, const struct finding *finding,
                          unsigned int half)
{
	for (unsigned int i = 0; i < 2; i++, half++) {
		uint32_t *expected = mismatch->expected + (size_t)i * HALF_WORDS;
		uint32_t *actual = mismatch->actual + (size_t)i * HALF_WORDS;

		if (half >= PAGE_HALVES)
			return;
		pattern_half(finding->expect, half, expected);
		memcpy(actual, expected, HALF_BYTES);
		if (halves_test(&mismatch->halves, half))
			memcpy(actual, half_seen(finding->views, half), HALF_BYTES);
	}
}

static void describe(struct mismatch *mismatch, const struct finding *finding)
{
	unsigned int first = PAGE_HALVES;
	unsigned int last = 0;
	unsigned int one = 0;

	for (unsigned int half = 0; half < PAGE_HALVES; half++) {
		unsigned int signature = half_signature(finding->views, half);

		if (signature == 0)
			continue;
		if (first == PAGE_HALVES) {
			first = half;
			one = signature;
		}
		last = half;
		halves_set(&mismatch->halves, half);
		mismatch->signature |= (uint8_t)signature;
		mismatch->several |= signature != one ? 1U : 0U;
		mismatch->tags[block_tag(half_seen(finding->views, half), half, finding->expect,
		                         finding->cipher)]++;
	}
	mismatch->offset = first * HALF_BYTES;
	mismatch->length = (last - first + 1) * HALF_BYTES;
	copy_evidence(mismatch, finding, first);
}

/* Keep mismatch, or count it with one of the same cell and signature that is kept already. */
static void keep(struct report *report, const struct mismatch *mismatch)
{
	for (unsigned int i = 0; i < report->mismatch_count; i++) {
		struct mismatch *kept = &report->mismatches[i];

		if (kept->cell == mismatch->cell && kept->signature == mismatch->signature &&
		    kept->several == mismatch->several && kept->by_number == mismatch->by_number &&
		    kept->fault == mismatch->fault &&
		    kept->place.by_child == mismatch->place.by_child) {
			kept->repeats++;
			return;
		}
	}
	if (report->mismatch_count < MISMATCHES_MAX)
		report->mismatches[report->mismatch_count++] = *mismatch;
}

bool report_finding(struct report *report, const struct finding *finding)
{
	struct cell_result *cell = &report->cells[finding->cell];
	struct mismatch mismatch = {
		.cell = finding->cell,
		.iteration = finding->iteration,
		.place = finding->place,
		.nvcsw = finding->nvcsw,
		.nivcsw = finding->nivcsw,
	};
	bool bad = any_bad(finding->views);

	if (finding->control) {
		cell->control_trials++;
		cell->control_bad += bad ? 1U : 0U;
		return bad;
	}
	cell->trials++;
	count_signatures(finding->views, cell->signatures);
	if (!bad)
		return false;
	cell->bad++;
	describe(&mismatch, finding);
	keep(report, &mismatch);
	return true;
}

void report_number(struct report *report, const struct mismatch *mismatch)
{
	report->cells[mismatch->cell].number_faults[mismatch->fault]++;
	keep(report, mismatch);
}
