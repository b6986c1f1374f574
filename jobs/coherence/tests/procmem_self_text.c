/* procmem-self-text: a process rewrites its own code through /proc/self/mem and runs it.
 *
 * That is what a debugger's store is. The kernel stores through its own alias of the page and must bring the
 * instructions of the user's address up to date (copy_to_user_page); there is no cacheflush(2). `anon` is memory that
 * is writable as well, `text` a private mapping of a file that is not, of which the first store makes a copy, and
 * `neighbour` changes a function and runs the one before it, too, whose instructions are in the same line. */
#include "jit.h"
#include "number.h"
#include "pool.h"
#include "tests.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { VARIANT_ANON, VARIANT_TEXT, VARIANT_NEIGHBOUR, VARIANT_THUMB, VARIANTS };

#define SPACING 16U /* two functions in one line of 32 bytes */
#define PAIRS   8U

/* Store a function through the kernel. */
static int poke(struct ctx *ctx, uint8_t *at, enum jit_set set, uint16_t value)
{
	_Alignas(8) uint8_t code[JIT_FUNCTION_MAX];
	size_t bytes = jit_size(set);

	jit_emit(code, set, value);
	if (pwrite(ctx->self_mem, code, bytes, (off_t)(uintptr_t)at) == (ssize_t)bytes)
		return 0;
	if (errno == EIO)
		return ctx_skip(ctx, REASON_NOPERM, "/proc/self/mem does not write code here");
	return ctx_error(ctx, "writing /proc/self/mem");
}

/* One function. */
static int trial(struct ctx *ctx, const struct jit_where *where, uint8_t *at)
{
	struct switches before;
	uint16_t want;

	if (poke(ctx, at, where->set, ctx_generation(ctx)) < 0)
		return -1;
	(void)jit_call(at, where->set);
	want = ctx_generation(ctx);
	before = machine_switches();
	if (poke(ctx, at, where->set, want) < 0)
		return -1;
	jit_check_since(ctx, where, at, want, &before);
	return 0;
}

/* Two in a line: the second changes, the first must stay. */
static int trial_pair(struct ctx *ctx, const struct jit_where *where, uint8_t *at)
{
	uint16_t first = ctx_generation(ctx);
	struct switches before;

	if (poke(ctx, at, where->set, first) < 0)
		return -1;
	(void)jit_call(at, where->set);
	before = machine_switches();
	if (trial(ctx, where, at + SPACING) < 0)
		return -1;
	jit_check_since(ctx, where, at, first, &before);
	return 0;
}

static int run_variant(struct ctx *ctx, unsigned int variant, uint8_t *page)
{
	struct jit_where where = {
		.cell = variant,
		.set = variant == VARIANT_THUMB ? JIT_THUMB : JIT_NATIVE,
	};

	ctx->report->running_cell = variant;
	for (; where.iteration < ctx->iterations; where.iteration++) {
		for (unsigned int i = 0; i < PAIRS; i++) {
			uint8_t *at = page + (size_t)i * SPACING * 2;
			int result = variant == VARIANT_NEIGHBOUR ? trial_pair(ctx, &where, at)
			                                          : trial(ctx, &where, at);

			if (result < 0)
				return -1;
		}
	}
	return 0;
}

/* A private page of a file, not writable. */
static uint8_t *map_text(struct ctx *ctx)
{
	int fd = file_on_tmpfs(ctx, 0, PAGE_BYTES);
	void *slots = slots_reserve(1);
	void *page;

	if (fd < 0)
		return NULL;
	if (slots == NULL) {
		(void)ctx_error(ctx, "reserving addresses");
		return NULL;
	}
	page = mmap(slot_at(slots, 0, 0), PAGE_BYTES, PROT_READ | PROT_EXEC,
	            MAP_PRIVATE | MAP_FIXED, fd, 0);
	(void)close(fd);
	if (page == MAP_FAILED) {
		(void)ctx_cannot(ctx, "executable memory of a file");
		return NULL;
	}
	return page;
}

static int run(struct ctx *ctx)
{
	uint8_t *anon = jit_pages(ctx);
	uint8_t *text = anon != NULL ? map_text(ctx) : NULL;

	if (text == NULL)
		return -1;
	if (jit_catch_faults() < 0)
		return ctx_error(ctx, "signal handlers");
	if (run_variant(ctx, VARIANT_ANON, anon) < 0 || run_variant(ctx, VARIANT_TEXT, text) < 0 ||
	    run_variant(ctx, VARIANT_NEIGHBOUR, anon) < 0)
		return -1;
	if (!jit_has(JIT_THUMB))
		ctx_skip_cell(ctx, VARIANT_THUMB, REASON_NOT_APPLICABLE);
	else if (run_variant(ctx, VARIANT_THUMB, text) < 0)
		return -1;
	return 0;
}

static const struct variant variants[VARIANTS] = {
	[VARIANT_ANON] = {"anon", KIND_CONTRACT, 0, 0, 0},
	[VARIANT_TEXT] = {"text", KIND_CONTRACT, 0, 0, 0},
	[VARIANT_NEIGHBOUR] = {"neighbour", KIND_CONTRACT, 0, 0, 0},
	[VARIANT_THUMB] = {"text,thumb", KIND_CONTRACT, 0, 0, 0},
};

const struct test test_procmem_self_text = {
	.name = "procmem-self-text",
	.description = "code rewritten through /proc/self/mem is what runs",
	.api = "copy_to_user_page in access_remote_vm",
	.kind = KIND_CONTRACT,
	.classes = CLASS_ALL,
	.needs = NEED_TMPFS,
	.time_limit_s = 30,
	.iterations = 8,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
