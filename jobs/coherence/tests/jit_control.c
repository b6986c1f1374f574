/* jit-control: jit-cacheflush without the flush, to learn about the board.
 *
 * Where instruction and data cache are separate and not coherent, the old instructions run.
 * That proves that this board's caches are real and that the loop can see a stale line; where
 * nothing is stale (QEMU, x86) a pass of the other tests proves little. Never a verdict. */
#include "jit.h"
#include "tests.h"

#define FUNCTIONS 20U
#define SPACING   64U

static int run(struct ctx *ctx)
{
	uint8_t *code = jit_pages(ctx);

	if (code == NULL)
		return -1;
	if (jit_catch_faults() < 0)
		return ctx_error(ctx, "signal handlers");
	for (unsigned int iteration = 0; iteration < ctx->iterations; iteration++) {
		for (unsigned int i = 0; i < FUNCTIONS; i++) {
			if (jit_trial(ctx, 0, iteration, code + (size_t)i * SPACING, JIT_NATIVE,
			              false) < 0)
				return -1;
		}
	}
	ctx_note(ctx, "%u of %u calls ran stale code", ctx->report->cells[0].bad,
	         ctx->report->cells[0].trials);
	return 0;
}

static const struct variant variants[] = {
	{NULL, KIND_INFO, 0, 0, 0},
};

const struct test test_jit_control = {
	.name = "jit-control",
	.description = "how often old code runs when nothing is flushed: are the caches real?",
	.api = "none: the control of jit-cacheflush",
	.kind = KIND_INFO,
	.classes = CLASS_ALL,
	.time_limit_s = 30,
	.iterations = 1,
	.variants = variants,
	.variant_count = 1,
	.run = run,
};
