/* dontneed-late-evict: a frame that was given back must have no dirty lines left.
 *
 * A page is dirty in the cache when its mapping goes. If the kernel does not write or drop those lines then, they are written
 * whenever they are evicted, over whatever the frame holds by that time. The test gives one page back, has the kernel fill
 * files until the same frame comes round again, and only then evicts the cache: what the file holds must be what the kernel
 * wrote. A trial in which the frame did not come back proves nothing and does not count. */
#include "pool.h"
#include "tests.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { VARIANT_DONTNEED, VARIANT_MUNMAP, VARIANT_REPLACE, VARIANT_DONTNEED_20K, VARIANTS };

#define PAGES_MAX 5U  /* of the area that is given back */
#define REFILL    24U /* pages of the file that is written then: 4 of 5, and some */

static struct pool pool;
static void *slots;   /* the test page's */
static void *windows; /* where the pages of the file are looked for */
static uint8_t *area; /* what is given back, in a slot */
static int file;
static size_t bytes; /* of the running variant */
static uint32_t tried, recycled;

static int base(struct ctx *ctx, struct target *target)
{
	uint8_t *page;

	target->va = area;
	if (mmap(area, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
	         0) == MAP_FAILED)
		return ctx_cannot(ctx, "mapping test pages");
	for (page = area; page < area + bytes; page += PAGE_BYTES)
		pattern_store(page, &target->base);
	target->pfn = page_frame(target->va);
	if (target->pfn == 0)
		return ctx_skip(ctx, REASON_NOPERM, "/proc/self/pagemap hides frame numbers");
	if (ftruncate(file, 0) < 0)
		return ctx_error(ctx, "emptying the test file");
	return 0;
}

static int aim(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	(void)cell;
	target->user = pattern_of(ctx_stamp(ctx, WRITER_USER, ctx_generation(ctx), target->page));
	target->expect =
		pattern_of(ctx_stamp(ctx, WRITER_KERNEL, ctx_generation(ctx), target->page));
	pattern_store(ctx->source, &target->expect);
	return 0;
}

/* Absent means: stored without loading, so that a cache that allocates on reads has no line. */
static int state(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	(void)ctx;
	if (cell->user == USER_DIRTY)
		user_dirty(target->va, &target->user);
	else
		pattern_store(target->va, &target->user);
	return 0;
}

/* The kernel fills pages through its own alias; the frame just given back is the first that it takes. */
static int refill(struct ctx *ctx)
{
	for (unsigned int i = 0; i < REFILL; i++) {
		if (pwrite(file, ctx->source, PAGE_BYTES, (off_t)i * (off_t)PAGE_BYTES) !=
		    (ssize_t)PAGE_BYTES)
			return ctx_cannot(ctx, "filling the test file");
	}
	return 0;
}

static int act_dontneed(struct ctx *ctx, struct target *target)
{
	(void)target;
	return madvise(area, bytes, MADV_DONTNEED) < 0 ? ctx_error(ctx, "madvise") : refill(ctx);
}

static int act_munmap(struct ctx *ctx, struct target *target)
{
	(void)target;
	return munmap(area, bytes) < 0 ? ctx_error(ctx, "munmap") : refill(ctx);
}

static int act_replace(struct ctx *ctx, struct target *target)
{
	(void)target;
	if (mmap(area, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	    MAP_FAILED)
		return ctx_error(ctx, "mapping over the test page");
	return refill(ctx);
}

/* A look at the file before the eviction would bring its lines in and tell nothing: the first two views are of what the file
 * was written from. */
static void look(struct ctx *ctx, struct target *target)
{
	view_take(&target->views[VIEW_USER], VIEW_USER, ctx->source, &target->expect, ctx->inject);
	view_take(&target->views[VIEW_KERNEL], VIEW_KERNEL, ctx->source, &target->expect,
	          ctx->inject);
}

/* Find the page of the file that has the frame now, and look at it from here on. */
static int find(struct ctx *ctx, struct target *target)
{
	slot_clear(slots, 0);
	tried++;
	for (unsigned int i = 0; i < REFILL; i++) {
		void *at = mmap(slot_at(windows, 0, i % COLOURS), PAGE_BYTES, PROT_READ,
		                MAP_SHARED | MAP_FIXED, file, (off_t)i * (off_t)PAGE_BYTES);

		if (at == MAP_FAILED)
			return ctx_error(ctx, "mapping the test file");
		(void)*(volatile uint32_t *)at;
		if (page_frame(at) == target->pfn) {
			target->va = at;
			recycled++;
			return 0;
		}
	}
	target->idle = true;
	target->va = ctx->source; /* what is expected, so that nothing is found */
	return 0;
}

static int end(struct ctx *ctx, struct target *target)
{
	(void)ctx;
	target->va = area;
	slot_clear(slots, 0);
	slot_clear(windows, 0);
	return 0;
}

static const struct trial_ops ops_of[VARIANTS] = {
	[VARIANT_DONTNEED] = {.act = act_dontneed},
	[VARIANT_MUNMAP] = {.act = act_munmap},
	[VARIANT_REPLACE] = {.act = act_replace},
	[VARIANT_DONTNEED_20K] = {.act = act_dontneed},
};

static int run_variant(struct ctx *ctx, unsigned int variant)
{
	struct trial_ops ops = {.base = base,
	                        .aim = aim,
	                        .state = state,
	                        .look = look,
	                        .kernel_view = find,
	                        .end = end,
	                        .batch = 1};

	ops.act = ops_of[variant].act;
	bytes = variant == VARIANT_DONTNEED_20K ? PAGES_MAX * PAGE_BYTES : PAGE_BYTES;
	return trial_run_variant(ctx, variant, &ops, &pool);
}

static int run(struct ctx *ctx)
{
	slots = slots_reserve(1);
	windows = slots_reserve(1);
	if (slots == NULL || windows == NULL)
		return ctx_error(ctx, "reserving addresses");
	area = slot_at(slots, 0, 0);
	file = file_on_tmpfs(ctx, 0, 0);
	if (file < 0)
		return -1;
	if (pool_start(ctx, &pool) < 0)
		return -1;
	pool.count = TARGETS_PER_DELTA;
	for (unsigned int i = 0; i < pool.count; i++)
		pool.targets[i] = (struct target){.fd = -1,
		                                  .delta = -1,
		                                  .page = i,
		                                  .va = area,
		                                  .views = pool.views + (size_t)VIEW_COUNT * i};
	for (unsigned int variant = 0; variant < VARIANTS; variant++) {
		if (run_variant(ctx, variant) < 0)
			return -1;
	}
	ctx_note(ctx, "%u of %u frames came back", recycled, tried);
	return 0;
}

#define USER_WRITES (1U << USER_ABSENT | 1U << USER_DIRTY)

static const struct variant variants[VARIANTS] = {
	[VARIANT_DONTNEED] = {"dontneed", KIND_CONTRACT, USER_WRITES, 0, 0},
	[VARIANT_MUNMAP] = {"munmap", KIND_CONTRACT, USER_WRITES, 0, 0},
	[VARIANT_REPLACE] = {"replace", KIND_CONTRACT, USER_WRITES, 0, 0},
	[VARIANT_DONTNEED_20K] = {"dontneed,size=20480", KIND_CONTRACT, USER_WRITES, 0, 0},
};

const struct test test_dontneed_late_evict = {
	.name = "dontneed-late-evict",
	.description =
		"dirty lines of a page that was given back do not come over the frame's next content",
	.api = "flush_cache_range in tlb_start_vma",
	.kind = KIND_CONTRACT,
	.set = SET_CORE,
	.classes = CLASS_ALIASING,
	.needs = NEED_ROOT | NEED_PAGEMAP | NEED_TMPFS,
	.time_limit_s = 60,
	.iterations = 3,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
