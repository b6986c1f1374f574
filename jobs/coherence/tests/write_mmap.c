/* write-mmap: write(2) to a file that is mapped.
 *
 * The kernel copies into the page cache through its own alias, and every user mapping must see
 * it at once: lines of the user's that are clean must go, and dirty ones must neither be lost
 * nor be written back over the kernel's words later. Variants: how much is written (whole
 * pages down to one word inside a half-line), the mapping made only after the write, a
 * truncate that zeroes the tail of the page, an append, and a private mapping, which the
 * kernel does not promise anything for. ext2 and ramfs write by the generic code, tmpfs by its own. */
#include "ext2.h"
#include "pool.h"
#include "ramfs.h"
#include "tests.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	VARIANT_4096,
	VARIANT_512,
	VARIANT_16,
	VARIANT_4,
	VARIANT_FIRST,
	VARIANT_TRUNC,
	VARIANT_HOLE,
	VARIANT_APPEND,
	VARIANT_PRIVATE,
	VARIANT_EXT2_4096,
	VARIANT_EXT2_4,
	VARIANT_EXT2_TRUNC,
	VARIANT_EXT2_APPEND,
	VARIANT_RAMFS_4096,
	VARIANT_RAMFS_4,
	VARIANTS,
};

#define MIDDLE (PAGE_BYTES / 2U)

/* What is written, in bytes of the page. 16 fills one odd half-line, 4 is one word inside an
 * even one. */
static const struct span {
	uint16_t offset, length;
} spans[VARIANTS] = {
	[VARIANT_4096] = {0, PAGE_BYTES},         [VARIANT_512] = {1024, 512},
	[VARIANT_16] = {MIDDLE + 16, 16},         [VARIANT_4] = {MIDDLE + 36, 4},
	[VARIANT_FIRST] = {0, PAGE_BYTES},        [VARIANT_TRUNC] = {MIDDLE, MIDDLE},
	[VARIANT_APPEND] = {MIDDLE, MIDDLE},      [VARIANT_PRIVATE] = {0, PAGE_BYTES},
	[VARIANT_EXT2_4096] = {0, PAGE_BYTES},    [VARIANT_EXT2_4] = {MIDDLE + 36, 4},
	[VARIANT_HOLE] = {MIDDLE, MIDDLE / 2},    [VARIANT_EXT2_TRUNC] = {MIDDLE, MIDDLE},
	[VARIANT_EXT2_APPEND] = {MIDDLE, MIDDLE}, [VARIANT_RAMFS_4096] = {0, PAGE_BYTES},
	[VARIANT_RAMFS_4] = {MIDDLE + 36, 4},
};

static struct pool pool;
static struct span span; /* of the running variant */

static int aim(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	struct pattern write;

	target->user = pattern_of(ctx_stamp(ctx, WRITER_USER, ctx_generation(ctx), target->page));
	write = pattern_of(ctx_stamp(ctx, WRITER_KERNEL, ctx_generation(ctx), target->page));
	target->expect = cell->user == USER_DIRTY ? target->user : target->base;
	target->expect.over = write.base;
	target->expect.from = (uint16_t)(span.offset / sizeof(uint32_t));
	target->expect.to = (uint16_t)((span.offset + span.length) / sizeof(uint32_t));
	pattern_store(ctx->source, &write);
	return 0;
}

static int act_write(struct ctx *ctx, struct target *target)
{
	if (pwrite(target->fd, ctx->source + span.offset, span.length,
	           target->offset + span.offset) != (ssize_t)span.length)
		return ctx_error(ctx, "writing the test file");
	return 0;
}

/* Content by the kernel: a page that is not mapped, or not writably. */
static int base_by_kernel(struct ctx *ctx, struct target *target)
{
	pattern_store(ctx->source, &target->base);
	if (pwrite(target->fd, ctx->source, PAGE_BYTES, target->offset) != (ssize_t)PAGE_BYTES)
		return ctx_error(ctx, "writing the test file");
	return 0;
}

/* The slot's fence goes before the kernel's lines come: to map over it would unmap it, and on aliasing VIPT that flushes the
 * whole cache between the write and the view. */
static int base_first(struct ctx *ctx, struct target *target)
{
	if (munmap(target->va, PAGE_BYTES) < 0)
		return ctx_error(ctx, "unmapping a fence");
	return base_by_kernel(ctx, target);
}

static int act_write_then_map(struct ctx *ctx, struct target *target)
{
	if (act_write(ctx, target) < 0)
		return -1;
	return target_map(ctx, target, PROT_READ, MAP_SHARED);
}

static int kernel_view_first(struct ctx *ctx, struct target *target)
{
	target->pfn = page_frame(target->va);
	if (trial_read(ctx, target) < 0)
		return -1;
	view_take(&target->views[VIEW_KERNEL], VIEW_KERNEL, ctx->buffer, &target->expect,
	          ctx->inject);
	return 0;
}

static int aim_trunc(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	if (aim(ctx, target, cell) < 0)
		return -1;
	target->expect.over.writer = WRITER_ZERO;
	return 0;
}

static int act_trunc(struct ctx *ctx, struct target *target)
{
	if (ftruncate(target->fd, target->offset + span.offset) < 0 ||
	    ftruncate(target->fd, target->offset + (off_t)PAGE_BYTES) < 0)
		return ctx_error(ctx, "truncating the test file");
	return 0;
}

static int punch(const struct target *target)
{
	return fallocate(target->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	                 target->offset + span.offset, span.length);
}

static int act_hole(struct ctx *ctx, struct target *target)
{
	return punch(target) < 0 ? ctx_error(ctx, "punching a hole") : 0;
}

/* The file ends in the middle of the page. */
static int base_append(struct ctx *ctx, struct target *target)
{
	if (ftruncate(target->fd, target->offset + (off_t)PAGE_BYTES) < 0)
		return ctx_error(ctx, "sizing the test file");
	pattern_store(target->va, &target->base);
	if (ftruncate(target->fd, target->offset + span.offset) < 0)
		return ctx_error(ctx, "sizing the test file");
	return 0;
}

static int prime_append(struct ctx *ctx, struct target *target)
{
	if (pread(target->fd, ctx->buffer, PAGE_BYTES, target->offset) != (ssize_t)span.offset)
		return ctx_error(ctx, "reading the test file");
	return 0;
}

/* The user may only rely on words before the end of the file. */
static int state_append(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	struct pattern front = {.over = target->user.base,
	                        .to = (uint16_t)(span.offset / sizeof(uint32_t))};

	(void)ctx;
	if (cell->user == USER_CLEAN)
		user_load(target->va);
	else if (cell->user == USER_DIRTY)
		user_dirty_over(target->va, &front);
	return 0;
}

static const struct trial_ops ops_write = {.aim = aim, .act = act_write};
static const struct trial_ops ops_trunc = {.aim = aim_trunc, .act = act_trunc};
static const struct trial_ops ops_hole = {.aim = aim_trunc, .act = act_hole};
static const struct trial_ops ops_private = {
	.base = base_by_kernel,
	.aim = aim,
	.act = act_write,
};
static const struct trial_ops ops_append = {
	.base = base_append,
	.aim = aim,
	.prime = prime_append,
	.state = state_append,
	.act = act_write,
};
static const struct trial_ops ops_first = {
	.base = base_first,
	.aim = aim,
	.act = act_write_then_map,
	.kernel_view = kernel_view_first,
	.end = target_unmap,
};

static int run_variant(struct ctx *ctx, unsigned int variant, const struct trial_ops *ops)
{
	span = spans[variant];
	return trial_run_variant(ctx, variant, ops, &pool);
}

static int run_first(struct ctx *ctx)
{
	int result = pool_unmapped(ctx, &pool, file_on_tmpfs, TARGETS_PER_DELTA);

	if (result == 0)
		result = run_variant(ctx, VARIANT_FIRST, &ops_first);
	pool_free(&pool);
	return result;
}

/* The shared mapping of each page is replaced by a private one; the frame stays. */
static int run_private(struct ctx *ctx)
{
	for (unsigned int i = 0; i < pool.count; i++) {
		if (target_map(ctx, &pool.targets[i], PROT_READ, MAP_PRIVATE) < 0)
			return -1;
	}
	return run_variant(ctx, VARIANT_PRIVATE, &ops_private);
}

/* Before 3.5 tmpfs could not. */
static int run_hole(struct ctx *ctx)
{
	span = spans[VARIANT_HOLE];
	if (punch(&pool.targets[0]) < 0 && errno == EOPNOTSUPP) {
		ctx_skip_variant(ctx, VARIANT_HOLE, REASON_OLD_KERNEL);
		return 0;
	}
	return run_variant(ctx, VARIANT_HOLE, &ops_hole);
}

static int run_tmpfs(struct ctx *ctx)
{
	if (pool_files(ctx, &pool, file_on_tmpfs) < 0)
		return -1;
	for (unsigned int variant = VARIANT_4096; variant <= VARIANT_4; variant++) {
		if (run_variant(ctx, variant, &ops_write) < 0)
			return -1;
	}
	if (run_variant(ctx, VARIANT_TRUNC, &ops_trunc) < 0 || run_hole(ctx) < 0 ||
	    run_variant(ctx, VARIANT_APPEND, &ops_append) < 0 || run_private(ctx) < 0)
		return -1;
	pool_free(&pool);
	return run_first(ctx);
}

static int run_ext2(struct ctx *ctx)
{
	enum reason reason;
	int mounted = ext2_mount(ctx, &reason);

	if (mounted < 0)
		return -1;
	if (mounted > 0) {
		for (unsigned int variant = VARIANT_EXT2_4096; variant <= VARIANT_EXT2_APPEND;
		     variant++)
			ctx_skip_variant(ctx, variant, reason);
		return 0;
	}
	if (pool_files(ctx, &pool, file_on_ext2) < 0 ||
	    run_variant(ctx, VARIANT_EXT2_4096, &ops_write) < 0 ||
	    run_variant(ctx, VARIANT_EXT2_4, &ops_write) < 0 ||
	    run_variant(ctx, VARIANT_EXT2_TRUNC, &ops_trunc) < 0 ||
	    run_variant(ctx, VARIANT_EXT2_APPEND, &ops_append) < 0)
		return -1;
	pool_free(&pool);
	return 0;
}

static int run_ramfs(struct ctx *ctx)
{
	enum reason reason;
	int mounted = ramfs_mount(ctx, &reason);

	if (mounted < 0)
		return -1;
	if (mounted > 0) {
		ctx_skip_variant(ctx, VARIANT_RAMFS_4096, reason);
		ctx_skip_variant(ctx, VARIANT_RAMFS_4, reason);
		return 0;
	}
	if (pool_files(ctx, &pool, file_on_ramfs) < 0 ||
	    run_variant(ctx, VARIANT_RAMFS_4096, &ops_write) < 0 ||
	    run_variant(ctx, VARIANT_RAMFS_4, &ops_write) < 0)
		return -1;
	pool_free(&pool);
	return 0;
}

static int run(struct ctx *ctx)
{
	return run_tmpfs(ctx) < 0 || run_ext2(ctx) < 0 ? -1 : run_ramfs(ctx);
}

static const struct variant variants[VARIANTS] = {
	[VARIANT_4096] = {"size=4096", KIND_CONTRACT, USER_ALL, KERNEL_ALL, DELTA_ALL},
	[VARIANT_512] = {"size=512", KIND_CONTRACT, USER_ALL, KERNEL_ALL, DELTA_ALL},
	[VARIANT_16] = {"size=16", KIND_CONTRACT, USER_ALL, KERNEL_ALL, DELTA_ALL},
	[VARIANT_4] = {"size=4", KIND_CONTRACT, USER_ALL, KERNEL_ALL, DELTA_ALL},
	[VARIANT_FIRST] = {"first", KIND_CONTRACT, 0, KERNEL_ALL, 0},
	[VARIANT_TRUNC] = {"trunc", KIND_CONTRACT, USER_ALL, KERNEL_ALL, DELTA_ALL},
	[VARIANT_HOLE] = {"hole", KIND_CONTRACT, USER_ALL, KERNEL_ALL, DELTA_PAIR},
	[VARIANT_APPEND] = {"append", KIND_CONTRACT, USER_ALL, KERNEL_ALL, DELTA_ALL},
	[VARIANT_PRIVATE] = {"private", KIND_GAP, 1U << USER_CLEAN, KERNEL_ALL, DELTA_ALL},
	[VARIANT_EXT2_4096] = {"ext2,size=4096", KIND_CONTRACT, USER_ALL, KERNEL_ALL, DELTA_ALL},
	[VARIANT_EXT2_4] = {"ext2,size=4", KIND_CONTRACT, USER_ALL, KERNEL_ALL, DELTA_ALL},
	[VARIANT_EXT2_TRUNC] = {"ext2,trunc", KIND_CONTRACT, USER_ALL, KERNEL_ALL, DELTA_PAIR},
	[VARIANT_EXT2_APPEND] = {"ext2,append", KIND_CONTRACT, USER_ALL, KERNEL_ALL, DELTA_PAIR},
	[VARIANT_RAMFS_4096] = {"ramfs,size=4096", KIND_CONTRACT, USER_ALL, KERNEL_ALL, DELTA_PAIR},
	[VARIANT_RAMFS_4] = {"ramfs,size=4", KIND_CONTRACT, USER_ALL, KERNEL_ALL, DELTA_PAIR},
};

const struct test test_write_mmap = {
	.name = "write-mmap",
	.description = "write(2) to a file is seen at once through its mappings",
	.api = "flush_dcache_page before and after the copy in generic_perform_write",
	.kind = KIND_CONTRACT,
	.classes = CLASS_ALIASING,
	.needs = NEED_ROOT | NEED_PAGEMAP | NEED_TMPFS | NEED_LOOP | NEED_EXT4,
	.time_limit_s = 60,
	.iterations = 2,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
