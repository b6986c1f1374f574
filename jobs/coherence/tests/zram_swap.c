/* zram-swap: a page that went to swap and came back holds what was last written.
 *
 * A compressor is a swap device that reads through the kernel's own alias, so the user's dirty
 * lines must be written before. Patterns make the page take every way through it: kept as it is
 * (noise), compressed (lz), and one word only (same). MADV_PAGEOUT flushes the range by itself
 * when it starts; `pressure` lets a memory cgroup press the page out, where the flush that counts
 * is that of unmapping, one page at a time so that nothing else takes the lines away.
 *
 * zram-swap-stale-k: the same with kernel lines of the page left by an earlier read. Reclaim
 * cleans the user's lines and nobody invalidates the kernel's: the compressor takes the old
 * bytes. The kernel promises nothing there, hence a gap. On VIVT it depends on the size of the
 * VMA, because more than 16 KiB are flushed by flushing all of the cache. */
#include "knob.h"
#include "memcg.h"
#include "pool.h"
#include "tests.h"
#include "zramdev.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21 /* 5.4 */
#endif

enum { SWAP_NOISE, SWAP_LZ, SWAP_SAME, SWAP_ZSWAP, SWAP_PRESSURE, SWAP_VARIANTS };

#define SWAP_BYTES     (2U << 20)
#define ATTEMPTS       8U
#define PRESS_ATTEMPTS 64U

static struct pool pool;
static struct zram zram;
static enum writer writer; /* of the running variant */
static unsigned int vma_pages = 1;

static int base(struct ctx *ctx, struct target *target)
{
	target->base = pattern_of(ctx_stamp(ctx, writer, ctx_generation(ctx), target->page));
	pattern_store(target->va, &target->base);
	target->pfn = page_frame(target->va);
	return 0;
}

static int aim(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	target->user = pattern_of(ctx_stamp(ctx, writer, ctx_generation(ctx), target->page));
	target->expect = cell->user == USER_DIRTY ? target->user : target->base;
	return 0;
}

/* A page that somebody holds for a moment does not go at once. */
static int page_out(struct ctx *ctx, struct target *target)
{
	for (unsigned int i = 0; i < ATTEMPTS; i++) {
		if (madvise(target->va, PAGE_BYTES, MADV_PAGEOUT) < 0)
			return ctx_error(ctx, "MADV_PAGEOUT");
		if (page_swapped(target->va))
			return 0;
	}
	target->idle = true;
	return 0;
}

static int press_out(struct ctx *ctx, struct target *target)
{
	for (unsigned int i = 0; i < PRESS_ATTEMPTS; i++) {
		if (memcg_reclaim(PAGE_BYTES) < 0)
			return ctx_error(ctx, "memory.reclaim");
		if (page_swapped(target->va))
			return 0;
	}
	target->idle = true;
	return 0;
}

static int swap_on(struct ctx *ctx)
{
	if (madvise(pool.targets[0].va, PAGE_BYTES, MADV_PAGEOUT) < 0 && errno == EINVAL)
		return ctx_skip(ctx, REASON_OLD_KERNEL, "no MADV_PAGEOUT");
	if (zram_open(ctx, &zram, SWAP_BYTES, NULL) < 0) {
		if (errno == ENODEV)
			return ctx_skip(ctx, REASON_NOCONFIG, "no zram");
		return ctx_cannot(ctx, "zram device");
	}
	if (zram_swapon(&zram) < 0)
		return ctx_cannot(ctx, "swapon");
	return 0;
}

static int run_zswap(struct ctx *ctx, const struct trial_ops *ops)
{
	if (!knob_exists(KNOB_ZSWAP_ENABLED) || knob_set(ctx, KNOB_ZSWAP_ENABLED, "Y") < 0) {
		ctx_skip_variant(ctx, SWAP_ZSWAP, REASON_NOCONFIG);
		return 0;
	}
	if (trial_run_variant(ctx, SWAP_ZSWAP, ops, &pool) < 0)
		return -1;
	return knob_set(ctx, KNOB_ZSWAP_ENABLED, "N") < 0 ? ctx_error(ctx, "zswap off") : 0;
}

static int run_pressure(struct ctx *ctx)
{
	static const struct trial_ops ops = {
		.base = base, .aim = aim, .act = press_out, .batch = 1};

	pool_free(&pool);
	if (memcg_enter(ctx) < 0 || memcg_reclaim(PAGE_BYTES) < 0) {
		enum reason reason = errno == ENOENT ? REASON_OLD_KERNEL : ctx_reason(errno);

		if (reason == REASON_NONE)
			return ctx_error(ctx, "memory cgroup");
		ctx_skip_variant(ctx, SWAP_PRESSURE, reason);
		return 0;
	}
	if (pool_anon(ctx, &pool) < 0)
		return -1;
	return trial_run_variant(ctx, SWAP_PRESSURE, &ops, &pool);
}

static int run(struct ctx *ctx)
{
	static const struct trial_ops ops = {.base = base, .aim = aim, .act = page_out};
	static const enum writer writers[] = {
		[SWAP_NOISE] = WRITER_NOISE, [SWAP_LZ] = WRITER_USER, [SWAP_SAME] = WRITER_SAME};

	ctx->act_sleeps = true; /* zram itself does not, but a page may be locked */
	if (pool_anon(ctx, &pool) < 0 || swap_on(ctx) < 0)
		return -1;
	for (unsigned int variant = SWAP_NOISE; variant <= SWAP_SAME; variant++) {
		writer = writers[variant];
		if (trial_run_variant(ctx, variant, &ops, &pool) < 0)
			return -1;
	}
	writer = WRITER_NOISE;
	if (run_zswap(ctx, &ops) < 0)
		return -1;
	writer = WRITER_USER;
	return run_pressure(ctx);
}

/* The VMA of the running variant: the target is one of its pages, all of them are there. */
static int base_in_vma(struct ctx *ctx, struct target *target)
{
	uint8_t *start = slot_at(target->slot, target->slot_index, 0);

	if (vma_pages > 1) {
		if (mmap(start, (size_t)vma_pages * PAGE_BYTES, PROT_READ | PROT_WRITE,
		         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
			return ctx_error(ctx, "a larger VMA");
		for (unsigned int i = 0; i < vma_pages; i++)
			start[(size_t)i * PAGE_BYTES] = 1;
	}
	return base(ctx, target);
}

/* The rest goes too: five pages are one more than slot_clear() knows. */
static int end_vma(struct ctx *ctx, struct target *target)
{
	uint8_t *start = slot_at(target->slot, target->slot_index, 0);

	if (vma_pages == 1)
		return 0;
	if (mmap(start, (size_t)vma_pages * PAGE_BYTES, PROT_NONE,
	         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
		return ctx_error(ctx, "unmapping a VMA");
	return 0;
}

static int run_stale(struct ctx *ctx)
{
	static const struct trial_ops ops = {
		.base = base_in_vma, .aim = aim, .act = page_out, .end = end_vma};
	static const unsigned int sizes[] = {1, 4, 5};

	writer = WRITER_USER;
	ctx->act_sleeps = true;
	if (pool_anon(ctx, &pool) < 0 || swap_on(ctx) < 0)
		return -1;
	for (unsigned int variant = 0; variant < sizeof(sizes) / sizeof(sizes[0]); variant++) {
		vma_pages = sizes[variant];
		if (trial_run_variant(ctx, variant, &ops, &pool) < 0)
			return -1;
	}
	return 0;
}

static const struct variant variants[SWAP_VARIANTS] = {
	[SWAP_NOISE] = {"noise", KIND_CONTRACT, USER_ALL, 0, 0},
	[SWAP_LZ] = {"lz", KIND_CONTRACT, USER_ALL, 0, 0},
	[SWAP_SAME] = {"same", KIND_CONTRACT, USER_ALL, 0, 0},
	[SWAP_ZSWAP] = {"zswap", KIND_CONTRACT, USER_ALL, 0, 0},
	[SWAP_PRESSURE] = {"pressure", KIND_CONTRACT, USER_ALL, 0, 0},
};

#define STALE_USER   (1U << USER_DIRTY)
#define STALE_KERNEL (1U << KERNEL_CLEAN)

static const struct variant stale_variants[] = {
	{"vma=4k", KIND_GAP, STALE_USER, STALE_KERNEL, 0},
	{"vma=16k", KIND_GAP, STALE_USER, STALE_KERNEL, 0},
	{"vma=20k", KIND_GAP, STALE_USER, STALE_KERNEL, 0},
};

const struct test test_zram_swap = {
	.name = "zram-swap",
	.description = "what was written to a page survives swapping it out and in",
	.api = "flush_cache_range in madvise, flush_cache_page in try_to_unmap",
	.kind = KIND_CONTRACT,
	.set = SET_CORE,
	.classes = CLASS_ALIASING,
	.needs = NEED_ROOT | NEED_PAGEMAP | NEED_ZRAM | NEED_SWAP,
	.time_limit_s = 60,
	.iterations = 3,
	.variants = variants,
	.variant_count = SWAP_VARIANTS,
	.run = run,
};

const struct test test_zram_swap_stale_k = {
	.name = "zram-swap-stale-k",
	.description = "swapping out a page of which the kernel has old lines",
	.api = "none: nothing invalidates the kernel's alias before a swap device reads it",
	.kind = KIND_GAP,
	.set = SET_EXTENDED,
	.classes = CLASS_ALIASING,
	.needs = NEED_ROOT | NEED_PAGEMAP | NEED_ZRAM | NEED_SWAP,
	.time_limit_s = 60,
	.iterations = 8,
	.variants = stale_variants,
	.variant_count = sizeof(stale_variants) / sizeof(stale_variants[0]),
	.run = run_stale,
};
