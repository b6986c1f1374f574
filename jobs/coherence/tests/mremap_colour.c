/* mremap-colour: a page that is moved to another address, of the same or of another colour.
 *
 * Lines under the old address must be written and dropped before the page appears at the new one, or the new address shows
 * old memory, and the old lines are written over newer words later. An ordinary mremap unmaps the old range afterwards, and
 * that flushes, too late but well enough to hide the fault; with MREMAP_DONTUNMAP nothing does. delta is the distance in
 * colour of the two addresses. Variants: lengths around the 16 KiB above which the kernel flushes the whole cache, a move
 * there and back, a move that grows 5 MiB, and stores at the new address before the old lines can have gone (late). */
#include "pool.h"
#include "tests.h"

#include <errno.h>
#include <sys/mman.h>

enum {
	VARIANT_MOVE,
	VARIANT_12K,
	VARIANT_20K,
	VARIANT_BACK,
	VARIANT_GROW,
	VARIANT_DONTUNMAP,
	VARIANT_DONTUNMAP_12K,
	VARIANT_DONTUNMAP_LATE,
	VARIANTS,
};

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

#define FENCE_BYTES ((size_t)16 * PAGE_BYTES)
#define GROW_BYTES  ((size_t)5 * 1024 * 1024)
#define COLOUR_SPAN ((size_t)COLOURS * PAGE_BYTES)

static const struct form {
	size_t before, after; /* bytes */
	size_t target;        /* offset of the page that we look at */
	int flags;
} forms[VARIANTS] = {
	[VARIANT_MOVE] = {PAGE_BYTES, PAGE_BYTES, 0, 0},
	[VARIANT_12K] = {3 * PAGE_BYTES, 3 * PAGE_BYTES, 2 * PAGE_BYTES, 0},
	[VARIANT_20K] = {5 * PAGE_BYTES, 5 * PAGE_BYTES, 4 * PAGE_BYTES, 0},
	[VARIANT_BACK] = {PAGE_BYTES, PAGE_BYTES, 0, 0},
	[VARIANT_GROW] = {GROW_BYTES, GROW_BYTES + PAGE_BYTES, GROW_BYTES / 2, 0},
	[VARIANT_DONTUNMAP] = {PAGE_BYTES, PAGE_BYTES, 0, MREMAP_DONTUNMAP},
	[VARIANT_DONTUNMAP_12K] = {3 * PAGE_BYTES, 3 * PAGE_BYTES, PAGE_BYTES, MREMAP_DONTUNMAP},
	[VARIANT_DONTUNMAP_LATE] = {PAGE_BYTES, PAGE_BYTES, 0, MREMAP_DONTUNMAP},
};

static struct pool pool;
static uint8_t *area_a, *area_b; /* at colour 0, PROT_NONE, with fences */
static struct form form;         /* of the running variant */

/* The whole area has nothing in it again. */
static int clear(struct ctx *ctx, uint8_t *area)
{
	if (mmap(area, form.after + COLOUR_SPAN, PROT_NONE,
	         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
		return ctx_error(ctx, "reserving addresses");
	return 0;
}

static uint8_t *new_place(const struct target *target)
{
	return area_b + (size_t)target->delta * PAGE_BYTES;
}

/* Old content at A. */
static int base(struct ctx *ctx, struct target *target)
{
	if (clear(ctx, area_a) < 0 || clear(ctx, area_b) < 0)
		return -1;
	if (mmap(area_a, form.before, PROT_READ | PROT_WRITE,
	         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
		return ctx_cannot(ctx, "mapping test pages");
	/* A hole: unmapping something there at the time of the act would flush all of a cache that aliases. */
	if (munmap(new_place(target), form.after) < 0)
		return ctx_error(ctx, "munmap");
	target->alias = area_a + form.target;
	target->va = new_place(target) + form.target;
	pattern_store(target->alias, &target->base);
	target->pfn = page_frame(target->alias);
	return 0;
}

static int aim(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	target->user = pattern_of(ctx_stamp(ctx, WRITER_USER, ctx_generation(ctx), target->page));
	target->expect = cell->user == USER_DIRTY ? target->user : target->base;
	return 0;
}

/* In the variants that store at the new address: every second half-line is newer there. */
static int aim_stored(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	(void)aim(ctx, target, cell);
	target->expect.over = ctx_stamp(ctx, WRITER_USER, ctx_generation(ctx), target->page);
	target->expect.to = PAGE_WORDS;
	target->expect.mask = PATTERN_EVEN_HALVES;
	return 0;
}

static int state(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	(void)ctx;
	if (cell->user == USER_CLEAN)
		user_load(target->alias);
	else if (cell->user == USER_DIRTY)
		user_dirty(target->alias, &target->user);
	return 0;
}

static int move(struct ctx *ctx, uint8_t *from, uint8_t *to, size_t length, int flags)
{
	if (mremap(from, length, form.after, MREMAP_MAYMOVE | MREMAP_FIXED | flags, to) ==
	    MAP_FAILED)
		return ctx_error(ctx, "mremap");
	return 0;
}

static int act_move(struct ctx *ctx, struct target *target)
{
	return move(ctx, area_a, new_place(target), form.before, form.flags);
}

static int act_late(struct ctx *ctx, struct target *target)
{
	if (act_move(ctx, target) < 0)
		return -1;
	user_dirty_over(target->va, &target->expect);
	return 0;
}

/* There, some stores, and back again: now A's own old lines would be the wrong ones. */
static int act_back(struct ctx *ctx, struct target *target)
{
	if (act_late(ctx, target) < 0)
		return -1;
	target->va = target->alias;
	return move(ctx, new_place(target), area_a, form.after, 0);
}

/* Views are of anonymous memory at va, as the engine takes them by itself. */
static const struct trial_ops ops_move = {
	.base = base, .aim = aim, .state = state, .act = act_move, .batch = 1};
static const struct trial_ops ops_late = {
	.base = base, .aim = aim_stored, .state = state, .act = act_late, .batch = 1};
static const struct trial_ops ops_back = {
	.base = base, .aim = aim_stored, .state = state, .act = act_back, .batch = 1};

/* An area that starts at colour 0, with fences on both sides. */
static uint8_t *reserve(struct ctx *ctx)
{
	uint8_t *start = mmap(NULL, GROW_BYTES + 2 * FENCE_BYTES + COLOUR_SPAN, PROT_NONE,
	                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (start == MAP_FAILED) {
		(void)ctx_cannot(ctx, "reserving addresses");
		return NULL;
	}
	return start + FENCE_BYTES + (COLOUR_SPAN - (uintptr_t)start % COLOUR_SPAN);
}

/* Does this kernel have MREMAP_DONTUNMAP (5.7)? */
static bool has_dontunmap(struct ctx *ctx)
{
	bool has;

	form = forms[VARIANT_DONTUNMAP];
	if (clear(ctx, area_a) < 0 || clear(ctx, area_b) < 0)
		return false;
	has = mremap(area_a, PAGE_BYTES, PAGE_BYTES,
	             MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, area_b) != MAP_FAILED;
	return has || errno != EINVAL;
}

static int run(struct ctx *ctx)
{
	area_a = reserve(ctx);
	area_b = reserve(ctx);
	if (area_a == NULL || area_b == NULL)
		return -1;
	if (!has_dontunmap(ctx)) {
		ctx_skip_variant(ctx, VARIANT_DONTUNMAP, REASON_OLD_KERNEL);
		ctx_skip_variant(ctx, VARIANT_DONTUNMAP_12K, REASON_OLD_KERNEL);
		ctx_skip_variant(ctx, VARIANT_DONTUNMAP_LATE, REASON_OLD_KERNEL);
	}
	if (pool_start(ctx, &pool) < 0)
		return -1;
	pool.count = DELTA_COUNT;
	for (unsigned int i = 0; i < pool.count; i++)
		pool.targets[i] = (struct target){.fd = -1,
		                                  .delta = (int)i,
		                                  .page = i,
		                                  .views = pool.views + (size_t)VIEW_COUNT * i};
	for (unsigned int variant = 0; variant < VARIANTS; variant++) {
		const struct trial_ops *ops = &ops_move;

		if (variant == VARIANT_DONTUNMAP_LATE)
			ops = &ops_late;
		else if (variant == VARIANT_BACK)
			ops = &ops_back;
		form = forms[variant];
		if (trial_run_variant(ctx, variant, ops, &pool) < 0)
			return -1;
	}
	return 0;
}

static const struct variant variants[VARIANTS] = {
	[VARIANT_MOVE] = {"move", KIND_CONTRACT, USER_ALL, 0, DELTA_ALL},
	[VARIANT_12K] = {"move,size=12288", KIND_CONTRACT, USER_ALL, 0, DELTA_ALL},
	[VARIANT_20K] = {"move,size=20480", KIND_CONTRACT, USER_ALL, 0, DELTA_ALL},
	[VARIANT_BACK] = {"back", KIND_CONTRACT, USER_ALL, 0, DELTA_ALL},
	[VARIANT_GROW] = {"grow", KIND_CONTRACT, USER_ALL, 0, DELTA_ALL},
	[VARIANT_DONTUNMAP] = {"dontunmap", KIND_CONTRACT, USER_ALL, 0, DELTA_ALL},
	[VARIANT_DONTUNMAP_12K] = {"dontunmap,size=12288", KIND_CONTRACT, USER_ALL, 0, DELTA_ALL},
	[VARIANT_DONTUNMAP_LATE] = {"dontunmap,late", KIND_CONTRACT, USER_ALL, 0, DELTA_ALL},
};

const struct test test_mremap_colour = {
	.name = "mremap-colour",
	.description = "a page moved to another address shows there what was last stored",
	.api = "flush_cache_range in move_page_tables",
	.kind = KIND_CONTRACT,
	.set = SET_CORE,
	.classes = CLASS_ALIASING,
	.time_limit_s = 60,
	.iterations = 2,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
