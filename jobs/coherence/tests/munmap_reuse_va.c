/* munmap-reuse-va: an address that gets another page shows that page, and the old page keeps its words.
 *
 * When a mapping goes, the kernel must write and drop the lines under its addresses, because a cache of virtual addresses
 * does not ask whether a line's page is still the mapped one. Variants: what comes instead (a page of a file, new anonymous
 * memory, nothing and then a page, the file behind a private copy), how the old one goes (replaced, unmapped, MADV_DONTNEED),
 * sizes around the 16 KiB above which the kernel flushes the whole cache, a protection that changes, and whether the page of a
 * file that was unmapped has the user's last words at another address. */
#include "pool.h"
#include "tests.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	VARIANT_FILE,
	VARIANT_FILE_16K,
	VARIANT_FILE_20K,
	VARIANT_ANON,
	VARIANT_ANON_20K,
	VARIANT_HOLE,
	VARIANT_DONTNEED,
	VARIANT_DONTNEED_COPY,
	VARIANT_PROTECT,
	VARIANT_ELSEWHERE,
	VARIANTS,
};

#define AREA_PAGES 16U

static struct pool pool;
static uint8_t *area;  /* where the trials happen, at colour 0, PROT_NONE */
static uint8_t *other; /* another place, for a look at the old page */
static int file_old;
static size_t bytes; /* of the running variant */

static const size_t sizes[VARIANTS] = {
	[VARIANT_FILE_16K] = 4U * PAGE_BYTES,
	[VARIANT_FILE_20K] = 5U * PAGE_BYTES,
	[VARIANT_ANON_20K] = 5U * PAGE_BYTES,
};

static int map(struct ctx *ctx, void *at, int prot, int flags, int fd)
{
	return mmap(at, bytes, prot, flags | MAP_FIXED, fd, 0) == MAP_FAILED
	               ? ctx_cannot(ctx, "mapping test pages")
	               : 0;
}

static int clear(struct ctx *ctx, void *at)
{
	if (mmap(at, (size_t)(AREA_PAGES / 2U) * PAGE_BYTES, PROT_NONE,
	         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
		return ctx_error(ctx, "reserving addresses");
	return 0;
}

static int write_page(struct ctx *ctx, int fd, const struct pattern *pattern)
{
	pattern_store(ctx->source, pattern);
	if (pwrite(fd, ctx->source, PAGE_BYTES, 0) != (ssize_t)PAGE_BYTES)
		return ctx_error(ctx, "writing a test file");
	return 0;
}

/* Anonymous memory with old content, the last of the pages that we look at. */
static int base_anon(struct ctx *ctx, struct target *target)
{
	if (clear(ctx, area) < 0 ||
	    map(ctx, area, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1) < 0)
		return -1;
	memset(area, 1, bytes); /* all of it is there */
	pattern_store(target->va, &target->base);
	target->pfn = page_frame(target->va);
	return 0;
}

static int base_file(struct ctx *ctx, struct target *target)
{
	if (clear(ctx, area) < 0 || clear(ctx, other) < 0 ||
	    map(ctx, area, PROT_READ | PROT_WRITE, MAP_SHARED, file_old) < 0)
		return -1;
	target->va = area;
	pattern_store(target->va, &target->base);
	target->pfn = page_frame(target->va);
	return 0;
}

/* A private copy of a page of a file. */
static int base_copy(struct ctx *ctx, struct target *target)
{
	struct pattern under =
		pattern_of(ctx_stamp(ctx, WRITER_KERNEL, ctx_generation(ctx), target->page));

	if (write_page(ctx, target->fd, &under) < 0 || clear(ctx, area) < 0 ||
	    map(ctx, area, PROT_READ | PROT_WRITE, MAP_PRIVATE, target->fd) < 0)
		return -1;
	pattern_store(target->va, &target->base);
	target->pfn = page_frame(target->va);
	target->expect = under;
	return 0;
}

/* What is to appear: a page of the file, written before any of it is cached under the user's address. */
static int aim_file(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	size_t offset = bytes - PAGE_BYTES;

	(void)cell;
	target->user = pattern_of(ctx_stamp(ctx, WRITER_USER, ctx_generation(ctx), target->page));
	target->expect =
		pattern_of(ctx_stamp(ctx, WRITER_KERNEL, ctx_generation(ctx), target->page));
	target->offset = (off_t)offset;
	pattern_store(ctx->source, &target->expect);
	if (pwrite(target->fd, ctx->source, PAGE_BYTES, target->offset) != (ssize_t)PAGE_BYTES)
		return ctx_error(ctx, "writing a test file");
	return 0;
}

static int aim_zero(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	(void)cell;
	target->user = pattern_of(ctx_stamp(ctx, WRITER_USER, ctx_generation(ctx), target->page));
	target->expect = target->user;
	target->expect.base.writer = WRITER_ZERO;
	return 0;
}

static int aim_copy(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	(void)cell; /* what is to appear is what base_copy() put under the copy */
	target->user = pattern_of(ctx_stamp(ctx, WRITER_USER, ctx_generation(ctx), target->page));
	return 0;
}

static int aim_kept(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	target->user = pattern_of(ctx_stamp(ctx, WRITER_USER, ctx_generation(ctx), target->page));
	target->expect = cell->user == USER_DIRTY ? target->user : target->base;
	return 0;
}

static int act_file(struct ctx *ctx, struct target *target)
{
	return map(ctx, area, PROT_READ, MAP_SHARED, target->fd);
}

static int act_anon(struct ctx *ctx, struct target *target)
{
	(void)target;
	return map(ctx, area, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static int act_hole(struct ctx *ctx, struct target *target)
{
	if (munmap(area, bytes) < 0)
		return ctx_error(ctx, "munmap");
	if (map(ctx, area, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1) < 0)
		return -1;
	return act_file(ctx, target);
}

static int act_dontneed(struct ctx *ctx, struct target *target)
{
	(void)target;
	return madvise(area, bytes, MADV_DONTNEED) < 0 ? ctx_error(ctx, "madvise") : 0;
}

/* Read-only, not at all, and as it was: nothing may be lost, and nothing old may come back. */
static int act_protect(struct ctx *ctx, struct target *target)
{
	(void)target;
	if (mprotect(area, bytes, PROT_READ) < 0 || mprotect(area, bytes, PROT_NONE) < 0 ||
	    mprotect(area, bytes, PROT_READ | PROT_WRITE) < 0)
		return ctx_error(ctx, "mprotect");
	return 0;
}

static int act_elsewhere(struct ctx *ctx, struct target *target)
{
	if (munmap(area, bytes) < 0)
		return ctx_error(ctx, "munmap");
	target->va = other;
	return map(ctx, other, PROT_READ, MAP_SHARED, file_old);
}

/* Anonymous memory that was never written has no page of its own: its view is by /proc/self/mem, too. */
static int kernel_view_memory(struct ctx *ctx, struct target *target)
{
	if (kernel_read_own(ctx->self_mem, target->va, ctx->buffer) < 0)
		return ctx_error(ctx, "reading /proc/self/mem");
	view_take(&target->views[VIEW_KERNEL], VIEW_KERNEL, ctx->buffer, &target->expect,
	          ctx->inject);
	return 0;
}

/* Leave no line of the page that came: in a kernel that forgets to drop it, the next stores here would go to that page, and
 * when it is the one page of zeros that all processes share, nothing is right any more. */
static int end(struct ctx *ctx, struct target *target)
{
	(void)ctx;
	(void)target;
	machine_settle();
	return 0;
}

static const struct trial_ops ops_file = {
	.base = base_anon, .aim = aim_file, .act = act_file, .end = end, .batch = 1};
static const struct trial_ops ops_hole = {
	.base = base_anon, .aim = aim_file, .act = act_hole, .end = end, .batch = 1};
static const struct trial_ops ops_anon = {.base = base_anon,
                                          .aim = aim_zero,
                                          .act = act_anon,
                                          .kernel_view = kernel_view_memory,
                                          .end = end,
                                          .batch = 1};
static const struct trial_ops ops_dontneed = {.base = base_anon,
                                              .aim = aim_zero,
                                              .act = act_dontneed,
                                              .kernel_view = kernel_view_memory,
                                              .end = end,
                                              .batch = 1};
static const struct trial_ops ops_copy = {.base = base_copy,
                                          .aim = aim_copy,
                                          .act = act_dontneed,
                                          .kernel_view = kernel_view_memory,
                                          .end = end,
                                          .batch = 1};
static const struct trial_ops ops_protect = {.base = base_anon,
                                             .aim = aim_kept,
                                             .act = act_protect,
                                             .kernel_view = kernel_view_memory,
                                             .end = end,
                                             .batch = 1};
static const struct trial_ops ops_elsewhere = {.base = base_file,
                                               .aim = aim_kept,
                                               .act = act_elsewhere,
                                               .kernel_view = kernel_view_memory,
                                               .end = end,
                                               .batch = 1};

static const struct trial_ops *const ops_of[VARIANTS] = {
	[VARIANT_FILE] = &ops_file,         [VARIANT_FILE_16K] = &ops_file,
	[VARIANT_FILE_20K] = &ops_file,     [VARIANT_ANON] = &ops_anon,
	[VARIANT_ANON_20K] = &ops_anon,     [VARIANT_HOLE] = &ops_hole,
	[VARIANT_DONTNEED] = &ops_dontneed, [VARIANT_DONTNEED_COPY] = &ops_copy,
	[VARIANT_PROTECT] = &ops_protect,   [VARIANT_ELSEWHERE] = &ops_elsewhere,
};

static int run_variant(struct ctx *ctx, unsigned int variant)
{
	bytes = sizes[variant] != 0 ? sizes[variant] : PAGE_BYTES;
	for (unsigned int i = 0; i < pool.count; i++)
		pool.targets[i].va = area + bytes - PAGE_BYTES;
	return trial_run_variant(ctx, variant, ops_of[variant], &pool);
}

/* Two places at colour 0, eight pages apart. */
static int reserve(struct ctx *ctx)
{
	size_t align = (size_t)COLOURS * PAGE_BYTES;
	uint8_t *start = mmap(NULL, 3U * AREA_PAGES * PAGE_BYTES, PROT_NONE,
	                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (start == MAP_FAILED)
		return ctx_error(ctx, "reserving addresses");
	area = start + align + (align - (uintptr_t)start % align);
	other = area + (size_t)AREA_PAGES * PAGE_BYTES;
	return 0;
}

static int run(struct ctx *ctx)
{
	if (reserve(ctx) < 0)
		return -1;
	file_old = file_on_tmpfs(ctx, 0, (off_t)PAGE_BYTES);
	if (file_old < 0)
		return -1;
	if (pool_start(ctx, &pool) < 0)
		return -1;
	pool.count = TARGETS_PER_DELTA;
	for (unsigned int i = 0; i < pool.count; i++) {
		int fd = file_on_tmpfs(ctx, i, (off_t)AREA_PAGES * (off_t)PAGE_BYTES);

		if (fd < 0)
			return -1;
		pool.targets[i] = (struct target){.fd = fd,
		                                  .delta = -1,
		                                  .page = i,
		                                  .views = pool.views + (size_t)VIEW_COUNT * i};
	}
	for (unsigned int variant = 0; variant < VARIANTS; variant++) {
		if (run_variant(ctx, variant) < 0)
			return -1;
	}
	return 0;
}

static const struct variant variants[VARIANTS] = {
	[VARIANT_FILE] = {"file", KIND_CONTRACT, USER_ALL, 0, 0},
	[VARIANT_FILE_16K] = {"file,size=16384", KIND_CONTRACT, USER_ALL, 0, 0},
	[VARIANT_FILE_20K] = {"file,size=20480", KIND_CONTRACT, USER_ALL, 0, 0},
	[VARIANT_ANON] = {"anon", KIND_CONTRACT, USER_ALL, 0, 0},
	[VARIANT_ANON_20K] = {"anon,size=20480", KIND_CONTRACT, USER_ALL, 0, 0},
	[VARIANT_HOLE] = {"hole", KIND_CONTRACT, USER_ALL, 0, 0},
	[VARIANT_DONTNEED] = {"dontneed", KIND_CONTRACT, USER_ALL, 0, 0},
	[VARIANT_DONTNEED_COPY] = {"dontneed-copy", KIND_CONTRACT, USER_ALL, 0, 0},
	[VARIANT_PROTECT] = {"protect", KIND_CONTRACT, USER_ALL, 0, 0},
	[VARIANT_ELSEWHERE] = {"elsewhere", KIND_CONTRACT, USER_ALL, 0, 0},
};

const struct test test_munmap_reuse_va = {
	.name = "munmap-reuse-va",
	.description =
		"an address that is mapped anew shows the new page, and the old page kept what was stored",
	.api = "flush_cache_range in tlb_start_vma and change_protection",
	.kind = KIND_CONTRACT,
	.set = SET_CORE,
	.classes = CLASS_VIVT,
	.needs = NEED_TMPFS,
	.time_limit_s = 60,
	.iterations = 2,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
