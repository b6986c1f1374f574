#include "number.h"

#include "inject.h"

static struct mismatch describe(const struct number *number, uint32_t got)
{
	unsigned int offset = (unsigned int)((uintptr_t)number->va % PAGE_BYTES);
	unsigned int length = number->length != 0 ? number->length : (unsigned int)sizeof(uint32_t);
	uint64_t pfn = number->va != NULL ? page_frame(number->va) : 0;
	struct mismatch mismatch = {
		.cell = number->cell,
		.iteration = number->iteration,
		.offset = offset,
		.length = length,
		.expected = {number->want},
		.actual = {got},
		.signature = 1U << VIEW_USER,
		.by_number = 1,
		.fault = number->fault,
	};

	mismatch.place = (struct place){
		.va = (uintptr_t)number->va,
		.pfn = pfn,
		.user_colour = (int8_t)(number->va != NULL ? (int)colour_of(number->va) : -1),
		.kernel_colour = (int8_t)(pfn == 0 ? -1 : (int)(pfn & COLOUR_MASK)),
		.arch_before = -1,
		.arch_after = -1,
	};
	for (unsigned int byte = 0; number->va != NULL && byte < length; byte += 4) {
		if (offset + byte < PAGE_BYTES)
			halves_set(&mismatch.halves, (offset + byte) / HALF_BYTES);
	}
	mismatch.tags[number->tag] = 1;
	return mismatch;
}

bool number_check(struct ctx *ctx, const struct number *number)
{
	struct cell_result *result = &ctx->report->cells[number->cell];
	struct switches after = machine_switches();
	uint32_t nvcsw = after.voluntary - number->before.voluntary;
	uint32_t nivcsw = after.involuntary - number->before.involuntary;
	uint32_t got = inject_number(ctx->inject, number->want, number->got);
	struct mismatch mismatch;

	result->trials++;
	result->number_trials++;
	if (ctx->switch_hides && ((!ctx->act_sleeps && nvcsw > 0) || nivcsw > 0))
		result->masked++;
	if (got == number->want)
		return false;
	result->bad++;
	if (test_cell_kind(ctx->test, number->cell) == KIND_INFO)
		return true;
	mismatch = describe(number, got);
	mismatch.nvcsw = nvcsw;
	mismatch.nivcsw = nivcsw;
	report_number(ctx->report, &mismatch);
	return true;
}
