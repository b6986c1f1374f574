/* cow-private-over-shared: a private copy of a page that is dirty through a shared mapping.
 *
 * The copy that the first store to a private mapping makes is of the page's memory, or of the kernel's lines, while the newest
 * words are in lines under the shared mapping's address. The kernel promises nothing here (POSIX leaves open whether a private
 * mapping shows later stores), so this is a gap: the result is a fact. Variants: the first access to the private mapping is the
 * store, or a load, which maps the page itself first. */
#include "pool.h"
#include "tests.h"

#include <sys/mman.h>

enum { VARIANT_STORE, VARIANT_LOAD, VARIANTS };

static struct pool pool;
static void *slots;

static int base(struct ctx *ctx, struct target *target)
{
	pattern_store(target->alias, &target->base);
	/* A hole: unmapping something there at the time of the act would flush all of a cache that aliases. */
	return munmap(target->va, PAGE_BYTES) < 0 ? ctx_error(ctx, "munmap") : 0;
}

static int aim(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	target->user = pattern_of(ctx_stamp(ctx, WRITER_USER, ctx_generation(ctx), target->page));
	target->expect = cell->user == USER_DIRTY ? target->user : target->base;
	/* One word of ours, the first: the rest of the page is what is to be copied. */
	target->expect.over = ctx_stamp(ctx, WRITER_USER, ctx_generation(ctx), target->page);
	target->expect.to = 1;
	return 0;
}

/* The state of the shared mapping. */
static int state(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	(void)ctx;
	if (cell->user == USER_CLEAN)
		user_load(target->alias);
	else if (cell->user == USER_DIRTY)
		user_dirty(target->alias, &target->user);
	return 0;
}

static int act_store(struct ctx *ctx, struct target *target)
{
	if (target_map(ctx, target, PROT_READ | PROT_WRITE, MAP_PRIVATE) < 0)
		return -1;
	pattern_store_over(target->va, &target->expect);
	return 0;
}

static int act_load(struct ctx *ctx, struct target *target)
{
	if (target_map(ctx, target, PROT_READ | PROT_WRITE, MAP_PRIVATE) < 0)
		return -1;
	(void)*(volatile uint32_t *)target->va;
	pattern_store_over(target->va, &target->expect);
	return 0;
}

/* Our copy, not the file. */
static int kernel_view(struct ctx *ctx, struct target *target)
{
	if (kernel_read_own(ctx->self_mem, target->va, ctx->buffer) < 0)
		return ctx_error(ctx, "reading /proc/self/mem");
	view_take(&target->views[VIEW_KERNEL], VIEW_KERNEL, ctx->buffer, &target->expect,
	          ctx->inject);
	return 0;
}

/* The pool's own mapping is the shared one; the private one is in another slot, at the same colour. */
static int run(struct ctx *ctx)
{
	static const struct trial_ops ops[VARIANTS] = {
		[VARIANT_STORE] = {.base = base,
	                           .aim = aim,
	                           .state = state,
	                           .act = act_store,
	                           .kernel_view = kernel_view,
	                           .end = target_unmap},
		[VARIANT_LOAD] = {.base = base,
	                          .aim = aim,
	                          .state = state,
	                          .act = act_load,
	                          .kernel_view = kernel_view,
	                          .end = target_unmap},
	};

	slots = slots_reserve(POOL_MAX);
	if (slots == NULL)
		return ctx_error(ctx, "reserving addresses");
	if (pool_files(ctx, &pool, file_on_tmpfs) < 0)
		return -1;
	for (unsigned int i = 0; i < pool.count; i++) {
		struct target *target = &pool.targets[i];

		target->alias = target->va;
		target->slot = slots;
		target->slot_index = i;
		target->va = slot_at(slots, i, colour_of(target->alias));
	}
	return trial_run_variant(ctx, VARIANT_STORE, &ops[VARIANT_STORE], &pool) < 0
	               ? -1
	               : trial_run_variant(ctx, VARIANT_LOAD, &ops[VARIANT_LOAD], &pool);
}

static const struct variant variants[VARIANTS] = {
	[VARIANT_STORE] = {"store", KIND_GAP, USER_ALL, KERNEL_ALL, DELTA_ALL},
	[VARIANT_LOAD] = {"load", KIND_GAP, USER_ALL, KERNEL_ALL, DELTA_ALL},
};

const struct test test_cow_private_over_shared = {
	.name = "cow-private-over-shared",
	.description = "a private copy has what a shared mapping of the page last stored",
	.api = "copy_user_highpage from a page-cache page in do_cow_fault and wp_page_copy",
	.kind = KIND_GAP,
	.set = SET_EXTENDED,
	.classes = CLASS_ALIASING,
	.needs = NEED_ROOT | NEED_PAGEMAP | NEED_TMPFS,
	.time_limit_s = 60,
	.iterations = 2,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
