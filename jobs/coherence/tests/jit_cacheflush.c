/* jit-cacheflush: new instructions run after cacheflush(2), and nothing old does.
 *
 * A function is written, flushed and called; then it is written again with another number,
 * flushed and called. Variants: one at a time and a page of them at once, functions that cross
 * a cache line or a page, Thumb, and the arguments that the call must refuse. */
#include "jit.h"
#include "number.h"
#include "tests.h"

#include <errno.h>
#include <string.h>

enum {
	VARIANT_SINGLE,
	VARIANT_PAGE,
	VARIANT_LINE_CROSS,
	VARIANT_PAGE_CROSS,
	VARIANT_THUMB,
	VARIANT_EINVAL,
	VARIANT_EFAULT,
	VARIANTS,
};

#define FUNCTIONS 64U
#define SPACING   (PAGE_BYTES / FUNCTIONS)
#define LINE      32U
#define CROSSING  4U /* bytes of a crossing function that lie before the border */

/* Each of FUNCTIONS slots in turn, shift bytes into it. */
static int run_each(struct ctx *ctx, unsigned int cell, uint8_t *code, unsigned int shift,
                    enum jit_set set)
{
	for (unsigned int iteration = 0; iteration < ctx->iterations; iteration++) {
		for (unsigned int i = 0; i < FUNCTIONS; i++) {
			if (jit_trial(ctx, cell, iteration, code + (size_t)i * SPACING + shift, set,
			              true) < 0)
				return -1;
		}
	}
	return 0;
}

static int run_page_cross(struct ctx *ctx, uint8_t *code)
{
	for (unsigned int iteration = 0; iteration < ctx->iterations * FUNCTIONS; iteration++) {
		if (jit_trial(ctx, VARIANT_PAGE_CROSS, iteration, code + PAGE_BYTES - CROSSING,
		              JIT_NATIVE, true) < 0)
			return -1;
	}
	return 0;
}

/* A whole page of functions is rewritten, flushed by one call, and called. */
static int run_page(struct ctx *ctx, uint8_t *code)
{
	for (unsigned int iteration = 0; iteration < ctx->iterations; iteration++) {
		uint16_t first = ctx_generation(ctx);

		for (unsigned int i = 0; i < FUNCTIONS; i++)
			jit_emit(code + (size_t)i * SPACING, JIT_NATIVE,
			         (uint16_t)(first + i * 7U + iteration));
		if (jit_flush(code, code + PAGE_BYTES) < 0)
			return ctx_error(ctx, "cacheflush");
		for (unsigned int i = 0; i < FUNCTIONS; i++) {
			uint8_t *at = code + (size_t)i * SPACING;

			jit_check(ctx, VARIANT_PAGE, iteration, at, JIT_NATIVE,
			          (uint16_t)(first + i * 7U + iteration));
		}
	}
	return 0;
}

/* Arguments that must be refused. There is nothing to read back: the errno is the result. */
static void run_refusal(struct ctx *ctx, unsigned int cell, void *start, void *end, int error)
{
	for (unsigned int i = 0; i < ctx->iterations; i++) {
		struct number number = {.cell = cell,
		                        .iteration = i,
		                        .fault = FAULT_NOT_CACHE,
		                        .want = (uint32_t)error,
		                        .before = machine_switches()};

		number.got = jit_flush(start, end) < 0 ? (uint32_t)errno : 0;
		if (number_check(ctx, &number))
			ctx_note(ctx, "cacheflush(%p, %p) was not refused with error %d", start,
			         end, error);
	}
}

#ifdef __arm__

static void run_refusals(struct ctx *ctx, uint8_t *code)
{
	/* Of the kernel's, whatever the split between user and kernel addresses is. */
	uintptr_t kernel = 0xfff00000U;
	void *start;
	void *end;

	memcpy(&start, &kernel, sizeof(start));
	kernel += PAGE_BYTES;
	memcpy(&end, &kernel, sizeof(end));
	run_refusal(ctx, VARIANT_EINVAL, code + LINE, code, EINVAL);
	run_refusal(ctx, VARIANT_EFAULT, start, end, EFAULT);
}

#else

static void run_refusals(struct ctx *ctx, const uint8_t *code)
{
	(void)code;
	(void)run_refusal; /* there is no system call to refuse anything */
	ctx_skip_cell(ctx, VARIANT_EINVAL, REASON_NOT_APPLICABLE);
	ctx_skip_cell(ctx, VARIANT_EFAULT, REASON_NOT_APPLICABLE);
}

#endif

static int run(struct ctx *ctx)
{
	uint8_t *code = jit_pages(ctx);

	if (code == NULL)
		return -1;
	if (jit_catch_faults() < 0)
		return ctx_error(ctx, "signal handlers");
	if (run_each(ctx, VARIANT_SINGLE, code, 0, JIT_NATIVE) < 0 || run_page(ctx, code) < 0 ||
	    run_each(ctx, VARIANT_LINE_CROSS, code, LINE - CROSSING, JIT_NATIVE) < 0 ||
	    run_page_cross(ctx, code) < 0)
		return -1;
	if (!jit_has(JIT_THUMB))
		ctx_skip_cell(ctx, VARIANT_THUMB, REASON_NOT_APPLICABLE);
	else if (run_each(ctx, VARIANT_THUMB, code, 0, JIT_THUMB) < 0)
		return -1;
	run_refusals(ctx, code);
	return 0;
}

static const struct variant variants[VARIANTS] = {
	[VARIANT_SINGLE] = {"single", KIND_CONTRACT, 0, 0, 0},
	[VARIANT_PAGE] = {"page", KIND_CONTRACT, 0, 0, 0},
	[VARIANT_LINE_CROSS] = {"line-cross", KIND_CONTRACT, 0, 0, 0},
	[VARIANT_PAGE_CROSS] = {"page-cross", KIND_CONTRACT, 0, 0, 0},
	[VARIANT_THUMB] = {"thumb", KIND_CONTRACT, 0, 0, 0},
	[VARIANT_EINVAL] = {"einval", KIND_CONTRACT, 0, 0, 0},
	[VARIANT_EFAULT] = {"efault", KIND_CONTRACT, 0, 0, 0},
};

const struct test test_jit_cacheflush = {
	.name = "jit-cacheflush",
	.description = "code that was rewritten and flushed by cacheflush(2) is what runs",
	.api = "cacheflush(2): flush_icache_user_range, coherent_user_range",
	.kind = KIND_CONTRACT,
	.classes = CLASS_ALL,
	.time_limit_s = 30,
	.iterations = 10,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
