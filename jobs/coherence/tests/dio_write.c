/* dio-write: a direct write of memory that is dirty in the user's lines.
 *
 * get_user_pages must write the user's lines back, and drop old lines of the kernel's: the
 * driver reads the page through the kernel's alias. What reached the device is read back by
 * another way and is the kernel's view. Variants: anonymous memory and a mapped page of a file;
 * a whole page, one sector, and a span that begins and ends inside pages. */
#include "loopdev.h"
#include "node.h"
#include "pool.h"
#include "tests.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum {
	VARIANT_ANON_4096,
	VARIANT_ANON_512,
	VARIANT_ANON_SPAN,
	VARIANT_MAPPED_4096,
	VARIANT_MAPPED_512,
	VARIANTS,
};

#define SECTOR_BYTES 512U

/* Pages of one target on the device: a span has its page in the middle of three. */
#define SPAN_PAGES  3U
#define SPAN_MIDDLE 1U

#define DEVICE_BYTES ((off_t)(POOL_MAX * SPAN_PAGES * PAGE_BYTES))

/* What is written, in bytes from the start of the three pages. */
static const struct span {
	uint16_t offset, length;
} spans[VARIANTS] = {
	[VARIANT_ANON_4096] = {PAGE_BYTES, PAGE_BYTES},
	[VARIANT_ANON_512] = {PAGE_BYTES + 3 * SECTOR_BYTES, SECTOR_BYTES},
	[VARIANT_ANON_SPAN] = {PAGE_BYTES - SECTOR_BYTES, PAGE_BYTES + 2 * SECTOR_BYTES},
	[VARIANT_MAPPED_4096] = {PAGE_BYTES, PAGE_BYTES},
	[VARIANT_MAPPED_512] = {PAGE_BYTES + 3 * SECTOR_BYTES, SECTOR_BYTES},
};

static struct pool pool;
static struct loop loop;
static int image;               /* the file below the loop device */
static int direct;              /* the device, opened O_DIRECT */
static struct span span;        /* of the running variant */
static unsigned int neighbours; /* pages on each side that have the same content */

static uint8_t *page_of(const struct target *target, unsigned int index)
{
	return (uint8_t *)target->va + (size_t)index * PAGE_BYTES - (size_t)neighbours * PAGE_BYTES;
}

static off_t position_of(const struct target *target)
{
	return (off_t)target->page * (off_t)(SPAN_PAGES * PAGE_BYTES);
}

static int base(struct ctx *ctx, struct target *target)
{
	pattern_store(ctx->source, &target->base);
	for (unsigned int i = 0; i < SPAN_PAGES; i++) {
		if (ctx_whole(ctx,
		              pwrite(image, ctx->source, PAGE_BYTES,
		                     position_of(target) + (off_t)(i * PAGE_BYTES)),
		              PAGE_BYTES, "writing the image") < 0)
			return -1;
	}
	for (unsigned int i = 0; i < 1U + 2U * neighbours; i++)
		pattern_store(page_of(target, i), &target->base);
	return 0;
}

static int aim(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	(void)cell;
	target->user = pattern_of(ctx_stamp(ctx, WRITER_USER, ctx_generation(ctx), target->page));
	target->expect = target->user;
	return 0;
}

static int prime(struct ctx *ctx, struct target *target)
{
	if (target->fd >= 0)
		return trial_read(ctx, target);
	for (unsigned int i = 0; i < 1U + 2U * neighbours; i++) {
		if (kernel_read_own(ctx->self_mem, page_of(target, i), ctx->buffer) < 0)
			return ctx_error(ctx, "reading /proc/self/mem");
	}
	return 0;
}

/* Absent means: not loaded, so that the stores go past a cache that allocates on reads. */
static int state(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	(void)ctx;
	for (unsigned int i = 0; i < 1U + 2U * neighbours; i++) {
		if (cell->user == USER_ABSENT)
			pattern_store(page_of(target, i), &target->user);
		else
			user_dirty(page_of(target, i), &target->user);
	}
	return 0;
}

static int act(struct ctx *ctx, struct target *target)
{
	const uint8_t *from = (const uint8_t *)target->va + span.offset - PAGE_BYTES;

	return ctx_whole(ctx, pwrite(direct, from, span.length, position_of(target) + span.offset),
	                 span.length, "direct write to the loop device");
}

/* Page index of the three as it is on the device. Only the span is this test's subject: what is
 * outside counts as right. */
static int read_back(struct ctx *ctx, const struct target *target, unsigned int index)
{
	unsigned int start = index * PAGE_BYTES;
	unsigned int from = span.offset > start ? span.offset : start;
	unsigned int end = (unsigned int)span.offset + span.length;
	unsigned int to = end < start + PAGE_BYTES ? end : start + PAGE_BYTES;

	pattern_store(ctx->buffer, &target->expect);
	if (from >= to)
		return 0;
	return ctx_whole(ctx,
	                 pread(loop.fd, ctx->buffer + (from - start), to - from,
	                       position_of(target) + (off_t)from),
	                 to - from, "reading the loop device");
}

static int kernel_view(struct ctx *ctx, struct target *target)
{
	if (ioctl(loop.fd, BLKFLSBUF, 0) < 0)
		return ctx_error(ctx, "dropping the loop device's cache");
	for (unsigned int i = 0; i < SPAN_PAGES; i++) {
		if (read_back(ctx, target, i) < 0)
			return -1;
		view_take(&target->views[VIEW_KERNEL], VIEW_KERNEL, ctx->buffer, &target->expect,
		          ctx->inject);
	}
	return 0;
}

static int open_device(struct ctx *ctx)
{
	image = file_on_tmpfs(ctx, 0, DEVICE_BYTES);
	if (image < 0)
		return -1;
	if (loop_attach(ctx, image, &loop) < 0)
		return ctx_cannot(ctx, "loop device");
	direct = node_open(S_IFBLK, makedev(loop.major, loop.minor), O_RDWR | O_DIRECT);
	return direct < 0 ? ctx_error(ctx, "opening the loop device for direct writes") : 0;
}

static int run_variant(struct ctx *ctx, unsigned int variant)
{
	static const struct trial_ops ops = {
		.base = base,
		.aim = aim,
		.prime = prime,
		.state = state,
		.act = act,
		.kernel_view = kernel_view,
	};

	span = spans[variant];
	return trial_run_variant(ctx, variant, &ops, &pool);
}

/* Give each page one on both sides, in its slot's fences; all of it stays below the size from which
 * the kernel flushes the whole cache. */
static int add_neighbours(struct ctx *ctx)
{
	for (unsigned int i = 0; i < pool.count; i++) {
		uint8_t *va = pool.targets[i].va;

		for (unsigned int side = 0; side < 2; side++) {
			void *at = side == 0 ? va - PAGE_BYTES : va + PAGE_BYTES;

			if (mmap(at, PAGE_BYTES, PROT_READ | PROT_WRITE,
			         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
				return ctx_error(ctx, "memory beside a test page");
		}
	}
	neighbours = 1;
	return 0;
}

static int run_anon(struct ctx *ctx)
{
	if (pool_anon(ctx, &pool) < 0 || run_variant(ctx, VARIANT_ANON_4096) < 0 ||
	    run_variant(ctx, VARIANT_ANON_512) < 0 || add_neighbours(ctx) < 0 ||
	    run_variant(ctx, VARIANT_ANON_SPAN) < 0)
		return -1;
	neighbours = 0;
	return 0;
}

static int run(struct ctx *ctx)
{
	ctx->act_sleeps = true;
	if (open_device(ctx) < 0 || run_anon(ctx) < 0 ||
	    pool_files(ctx, &pool, file_on_tmpfs) < 0 || run_variant(ctx, VARIANT_MAPPED_4096) < 0)
		return -1;
	return run_variant(ctx, VARIANT_MAPPED_512);
}

#define USER_WRITES (1U << USER_ABSENT | 1U << USER_DIRTY)

static const struct variant variants[VARIANTS] = {
	[VARIANT_ANON_4096] = {"anon,size=4096", KIND_CONTRACT, USER_WRITES, KERNEL_ALL, DELTA_ALL},
	[VARIANT_ANON_512] = {"anon,size=512", KIND_CONTRACT, USER_WRITES, KERNEL_ALL, DELTA_PAIR},
	[VARIANT_ANON_SPAN] = {"anon,span", KIND_CONTRACT, USER_WRITES, KERNEL_ALL, DELTA_PAIR},
	[VARIANT_MAPPED_4096] = {"mapped,size=4096", KIND_CONTRACT, USER_WRITES, KERNEL_ALL,
                                 DELTA_ALL},
	[VARIANT_MAPPED_512] = {"mapped,size=512", KIND_CONTRACT, USER_WRITES, KERNEL_ALL,
                                DELTA_PAIR},
};

const struct test test_dio_write = {
	.name = "dio-write",
	.description = "direct write of memory that the user has just written",
	.api = "flush_anon_page and flush_dcache_page in get_user_pages",
	.kind = KIND_CONTRACT,
	.classes = CLASS_ALIASING,
	.needs = NEED_ROOT | NEED_PAGEMAP | NEED_TMPFS | NEED_LOOP,
	.time_limit_s = 60,
	.iterations = 1,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
