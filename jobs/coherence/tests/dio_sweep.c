/* dio-sweep: direct reads and writes on every block driver that copies in memory.
 *
 * Each of them copies to and from user pages by its own code and must flush by itself: brd, null_blk
 * and zram, scsi_debug (sg_miter, as drivers of real controllers without DMA), mtdblock, ubiblock. Most only
 * store into the page, which shows a missing flush only on a cache that allocates on writes; zram's
 * decompressor reads back what it has just written (test pages are made of blocks that resemble
 * each other), so there any cache will do. */
#include "blockdev.h"
#include "pool.h"
#include "tests.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* Two for each backend, reading and writing; the last cannot be written to. */
#define VARIANTS (2U * BACKENDS - 1U)

/* The first POOL_MAX pages of a device are read, the next written. */
#define CONTENT_BYTES ((size_t)POOL_MAX * PAGE_BYTES)

_Static_assert(2U * CONTENT_BYTES <= BLOCKDEV_BYTES, "a device has room for both");

static struct pool pool;
static struct blockdev device; /* of the running variant */
static uint8_t *content;       /* what a device holds for reading */

static off_t written_to(const struct target *target)
{
	return (off_t)(CONTENT_BYTES + (size_t)target->page * PAGE_BYTES);
}

static struct pattern content_of(const struct ctx *ctx, unsigned int page)
{
	return pattern_of(ctx_stamp(ctx, WRITER_KERNEL, GENERATION_FIXED, page));
}

static int aim_read(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	(void)cell;
	target->user = pattern_of(ctx_stamp(ctx, WRITER_USER, ctx_generation(ctx), target->page));
	target->expect = content_of(ctx, target->page);
	return 0;
}

static int act_read(struct ctx *ctx, struct target *target)
{
	return ctx_whole(ctx,
	                 pread(device.direct, target->va, PAGE_BYTES,
	                       (off_t)target->page * (off_t)PAGE_BYTES),
	                 PAGE_BYTES, "direct read from a block device");
}

/* Old content for the user and for the device. */
static int base_write(struct ctx *ctx, struct target *target)
{
	pattern_store(target->va, &target->base);
	pattern_store(ctx->source, &target->base);
	return ctx_whole(ctx, pwrite(device.direct, ctx->source, PAGE_BYTES, written_to(target)),
	                 PAGE_BYTES, "direct write to a block device");
}

static int aim_write(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	(void)cell;
	target->user = pattern_of(ctx_stamp(ctx, WRITER_USER, ctx_generation(ctx), target->page));
	target->expect = target->user;
	return 0;
}

/* Absent means: not loaded, so that the stores go past a cache that allocates on reads. */
static int state_write(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	(void)ctx;
	if (cell->user == USER_ABSENT)
		pattern_store(target->va, &target->user);
	else
		user_dirty(target->va, &target->user);
	return 0;
}

static int act_write(struct ctx *ctx, struct target *target)
{
	return ctx_whole(ctx, pwrite(device.direct, target->va, PAGE_BYTES, written_to(target)),
	                 PAGE_BYTES, "direct write to a block device");
}

/* What reached the device. */
static int view_of_device(struct ctx *ctx, struct target *target)
{
	if (blockdev_look(ctx, &device, ctx->buffer, PAGE_BYTES, written_to(target)) < 0)
		return -1;
	view_take(&target->views[VIEW_KERNEL], VIEW_KERNEL, ctx->buffer, &target->expect,
	          ctx->inject);
	return 0;
}

static int run_backend(struct ctx *ctx, enum backend backend)
{
	static const struct trial_ops ops_read = {.aim = aim_read, .act = act_read};
	static const struct trial_ops ops_write = {
		.base = base_write,
		.aim = aim_write,
		.state = state_write,
		.act = act_write,
		.kernel_view = view_of_device,
	};
	unsigned int reading = 2U * backend;
	unsigned int writing = reading + 1U;
	enum reason reason = REASON_NONE;
	int opened = blockdev_open(ctx, backend, content, CONTENT_BYTES, &device, &reason);

	if (opened > 0) {
		ctx_skip_variant(ctx, reading, reason);
		if (writing < VARIANTS)
			ctx_skip_variant(ctx, writing, reason);
		return 0;
	}
	if (opened < 0 || trial_run_variant(ctx, reading, &ops_read, &pool) < 0)
		return -1;
	if (writing < VARIANTS && trial_run_variant(ctx, writing, &ops_write, &pool) < 0)
		return -1;
	return blockdev_close(ctx, &device);
}

static int make_content(struct ctx *ctx)
{
	content = mmap(NULL, CONTENT_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
	               0);
	if (content == MAP_FAILED)
		return ctx_error(ctx, "memory for the content");
	for (unsigned int page = 0; page < POOL_MAX; page++) {
		struct pattern pattern = content_of(ctx, page);

		pattern_store(content + (size_t)page * PAGE_BYTES, &pattern);
	}
	return 0;
}

static int run(struct ctx *ctx)
{
	ctx->act_sleeps = true;
	if (make_content(ctx) < 0 || pool_anon(ctx, &pool) < 0)
		return -1;
	for (unsigned int backend = 0; backend < BACKENDS; backend++) {
		if (run_backend(ctx, (enum backend)backend) < 0)
			return -1;
	}
	return 0;
}

#define USER_WRITES (1U << USER_ABSENT | 1U << USER_DIRTY)
#define READS(name)                                                                                \
	{                                                                                          \
		name ",read", KIND_CONTRACT, USER_ALL, KERNEL_ALL, DELTA_PAIR                      \
	}
#define WRITES(name)                                                                               \
	{                                                                                          \
		name ",write", KIND_CONTRACT, USER_WRITES, KERNEL_ALL, DELTA_PAIR                  \
	}

/* In the order of enum backend. */
static const struct variant variants[VARIANTS] = {
	READS("brd"),      WRITES("brd"),      READS("null-blk"),   WRITES("null-blk"),
	READS("zram"),     WRITES("zram"),     READS("scsi-debug"), WRITES("scsi-debug"),
	READS("mtdblock"), WRITES("mtdblock"), READS("ubiblock"),
};

const struct test test_dio_sweep = {
	.name = "dio-sweep",
	.description = "direct reads and writes on every block driver that copies in memory",
	.api = "flush_dcache_page in block drivers and in sg_miter_stop",
	.kind = KIND_CONTRACT,
	.classes = CLASS_ALIASING,
	.needs = NEED_ROOT | NEED_PAGEMAP | NEED_BRD | NEED_NULL_BLK | NEED_ZRAM | NEED_SCSI_DEBUG |
                 NEED_MTD,
	.time_limit_s = 60,
	.iterations = 1,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
