/* compact-migrate: a page that compaction moves to another frame arrives with what was last written.
 *
 * The kernel copies it through its own alias, so the user's dirty lines must be written before, and none may
 * stay that are written back to the old frame later. Only a page whose
 * frame number changed counts.
 * A small cache has lost most of the lines when compaction comes to the page, so a missing flush shows in
 * few trials of many with 16 KiB, and in most with 64.
 * Variants: anon; shared is a file's page mapped twice by this process; exec is code in the page cache, called
 * after the move at places where no instruction was fetched before. The stale-k ones are gaps: the
 * kernel has lines of the page from an earlier read, and unmapping drops the user's lines only. */
#include "jit.h"
#include "lowpages.h"
#include "pool.h"
#include "tests.h"

#include <sys/mman.h>
#include <unistd.h>

enum {
	VARIANT_ANON,
	VARIANT_SHARED,
	VARIANT_EXEC,
	VARIANT_ANON_STALE,
	VARIANT_SHARED_STALE,
	VARIANTS
};

#define FUNCTIONS  16U
#define SPACING    (PAGE_BYTES / FUNCTIONS)
#define EXEC_TRIES 16U
#define PAGE_TRIES 8U

static struct pool pool;
static void *alias_slots;
static unsigned int moved;

static void *alias_of(const struct target *target)
{
	return slot_at(alias_slots, target->page, colour_of(target->va));
}

static int base_anon(struct ctx *ctx, struct target *target)
{
	if (low_anon(ctx, target) < 0)
		return -1;
	pattern_store(target->va, &target->base);
	return 0;
}

static int base_shared(struct ctx *ctx, struct target *target)
{
	if (low_file(ctx, target, PROT_READ | PROT_WRITE) < 0)
		return -1;
	target->alias = mmap(alias_of(target), PAGE_BYTES, PROT_READ | PROT_WRITE,
	                     MAP_SHARED | MAP_FIXED, target->fd, target->offset);
	if (target->alias == MAP_FAILED)
		return ctx_error(ctx, "mapping a page twice");
	user_load(target->alias);
	pattern_store(target->va, &target->base);
	return 0;
}

static int aim(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	target->user = pattern_of(ctx_stamp(ctx, WRITER_USER, ctx_generation(ctx), target->page));
	target->expect = cell->user == USER_DIRTY ? target->user : target->base;
	return 0;
}

static int act(struct ctx *ctx, struct target *target)
{
	(void)target;
	return low_compact(ctx);
}

/* Whether it moved is asked when all is seen: reading it takes lines, too. */
static void look(struct ctx *ctx, struct target *target)
{
	struct view *view = &target->views[VIEW_USER];
	uint64_t frame;

	view_take(view, VIEW_USER, target->va, &target->expect, ctx->inject);
	if (target->alias != NULL)
		view_take(view, VIEW_USER, target->alias, &target->expect, ctx->inject);
	frame = page_frame(target->va);
	target->idle = frame == target->pfn;
	moved += target->idle ? 0U : 1U;
	target->pfn = frame;
}

static int end(struct ctx *ctx, struct target *target)
{
	if (target->alias != NULL)
		slot_clear(alias_slots, target->page);
	target->alias = NULL;
	if (target->fd >= 0)
		(void)close(target->fd);
	target->fd = -1;
	return target_unmap(ctx, target);
}

/* Write functions through a mapping of their own, so that nothing was ever fetched at va. */
static int put_code(struct ctx *ctx, struct target *target, uint16_t first)
{
	uint8_t *writing = mmap(alias_of(target), PAGE_BYTES, PROT_READ | PROT_WRITE,
	                        MAP_SHARED | MAP_FIXED, target->fd, target->offset);

	if (writing == MAP_FAILED)
		return ctx_error(ctx, "mapping code for writing");
	for (unsigned int i = 0; i < FUNCTIONS; i++)
		jit_emit(writing + (size_t)i * SPACING, JIT_NATIVE, (uint16_t)(first + i));
	if (jit_flush(writing, writing + PAGE_BYTES) < 0 ||
	    jit_flush(target->va, (uint8_t *)target->va + PAGE_BYTES) < 0)
		return ctx_error(ctx, "cacheflush");
	slot_clear(alias_slots, target->page);
	return 0;
}

static int try_code(struct ctx *ctx, unsigned int cell, unsigned int iteration,
                    struct target *target, uint16_t first)
{
	uint64_t frame;

	if (low_compact(ctx) < 0)
		return -1;
	frame = page_frame(target->va);
	if (frame == target->pfn && ctx->inject == NULL)
		return 0; /* it did not move */
	moved++;
	for (unsigned int i = 0; i < FUNCTIONS; i++)
		jit_check(ctx, cell, iteration, (uint8_t *)target->va + (size_t)i * SPACING,
		          JIT_NATIVE, (uint16_t)(first + i));
	return 0;
}

static int run_code(struct ctx *ctx, unsigned int cell, unsigned int iteration)
{
	struct target *target = &pool.targets[iteration % pool.count];
	uint16_t first = 0;

	if (low_file(ctx, target, PROT_READ | PROT_EXEC) < 0)
		return -1;
	for (unsigned int i = 0; i < FUNCTIONS; i++)
		first = ctx_generation(ctx);
	first = (uint16_t)(first + 1U - FUNCTIONS);
	if (put_code(ctx, target, first) < 0)
		return -1;
	machine_settle();
	if (try_code(ctx, cell, iteration, target, first) < 0)
		return -1;
	return end(ctx, target);
}

static int run_exec(struct ctx *ctx)
{
	unsigned int cell = 0;

	while (test_cell(ctx->test, cell).variant != VARIANT_EXEC)
		cell++;
	ctx->report->running_cell = cell;
	if (jit_catch_faults() < 0)
		return ctx_error(ctx, "signal handlers");
	/* One page at a time may well stay where it is: more of them, until as many as wanted have moved. */
	for (unsigned int i = 0; i < ctx->iterations * EXEC_TRIES; i++) {
		if (ctx->report->cells[cell].trials >= ctx->iterations * FUNCTIONS)
			break;
		if (run_code(ctx, cell, i) < 0)
			return -1;
	}
	return 0;
}

/* Until a page moved in each cell: compaction may leave all that it is asked about where they are. */
static int run_pages(struct ctx *ctx, unsigned int variant, const struct trial_ops *ops)
{
	for (unsigned int cell = 0; cell < ctx->report->cell_count; cell++) {
		if (test_cell(ctx->test, cell).variant != variant)
			continue;
		for (unsigned int i = 0; i < PAGE_TRIES && ctx->report->cells[cell].trials == 0;
		     i++) {
			if (trial_run(ctx, cell, ops, &pool) < 0)
				return -1;
		}
	}
	return 0;
}

static int run(struct ctx *ctx)
{
	static const struct trial_ops anon = {
		.base = base_anon, .aim = aim, .act = act, .look = look, .end = end};
	static const struct trial_ops shared = {
		.base = base_shared, .aim = aim, .act = act, .look = look, .end = end};

	alias_slots = slots_reserve(POOL_MAX);
	if (alias_slots == NULL)
		return ctx_error(ctx, "reserving addresses");
	ctx->act_sleeps = true;
	if (pool_anon(ctx, &pool) < 0 || low_init(ctx, &pool.targets[0]) < 0)
		return -1;
	if (run_pages(ctx, VARIANT_ANON, &anon) < 0 ||
	    run_pages(ctx, VARIANT_SHARED, &shared) < 0 || run_exec(ctx) < 0 ||
	    run_pages(ctx, VARIANT_ANON_STALE, &anon) < 0 ||
	    run_pages(ctx, VARIANT_SHARED_STALE, &shared) < 0)
		return -1;
	ctx_note(ctx, "%u pages moved", moved);
	return 0;
}

#define DIRTY (1U << USER_DIRTY)
#define STALE (1U << KERNEL_CLEAN)

static const struct variant variants[VARIANTS] = {
	[VARIANT_ANON] = {"anon", KIND_CONTRACT, USER_ALL, 0, 0},
	[VARIANT_SHARED] = {"shared", KIND_CONTRACT, USER_ALL, 0, 0},
	[VARIANT_EXEC] = {"exec", KIND_CONTRACT, 0, 0, 0},
	[VARIANT_ANON_STALE] = {"anon-stale-k", KIND_GAP, DIRTY, STALE, 0},
	[VARIANT_SHARED_STALE] = {"shared-stale-k", KIND_GAP, DIRTY, STALE, 0},
};

const struct test test_compact_migrate = {
	.name = "compact-migrate",
	.description = "what was written to a page survives its move to another frame",
	.api = "flush_cache_page in try_to_migrate, update_mmu_cache of a page that arrives",
	.kind = KIND_CONTRACT,
	.set = SET_CORE,
	.classes = CLASS_ALL,
	.needs = NEED_ROOT | NEED_PAGEMAP | NEED_COMPACTION | NEED_TMPFS,
	.time_limit_s = 60,
	.iterations = 2,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
