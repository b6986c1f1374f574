/* dio-read-primed: a direct write from a page and a direct read into it, both under way.
 *
 * One io_submit() takes the page for both before the loop device's worker runs. The worker then
 * reads the page through the kernel's alias, for the write, and next stores into the very lines
 * that this left in the cache: so the read ends with dirty lines of the kernel's, even in a cache
 * that allocates on reads only and without any cipher. Who forgets to flush them leaves the
 * user with what memory held before. The test must not be interrupted between the two
 * submissions, so SCHED_FIFO is part of it. The order "swapped" is the control: without the
 * write before, the stores go past such a cache.
 *
 * What the write put on the device is old or new for each sector, as the order of the two is
 * not promised, and nothing else. */
#include "aio.h"
#include "loopdev.h"
#include "node.h"
#include "pool.h"
#include "tests.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { VARIANT_PRIMED, VARIANT_SWAPPED, VARIANTS };

#define SECTOR_BYTES  512U
#define WAIT_LIMIT_MS 20000U

/* The first POOL_MAX pages of the device are read, the others written. */
#define DEVICE_BYTES ((off_t)(2U * POOL_MAX * PAGE_BYTES))

static struct pool pool;
static aio_context_t context;
static int image;  /* the file below the loop device */
static int direct; /* the device, opened O_DIRECT */
static bool swapped;
static struct pattern old; /* what the page held when the running trial acted */

static off_t read_from(const struct target *target)
{
	return (off_t)target->page * (off_t)PAGE_BYTES;
}

static off_t written_to(const struct target *target)
{
	return (off_t)(POOL_MAX + target->page) * (off_t)PAGE_BYTES;
}

static struct pattern on_device(const struct ctx *ctx, unsigned int page)
{
	return pattern_of(ctx_stamp(ctx, WRITER_KERNEL, GENERATION_FIXED, page));
}

static int aim(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	target->user = pattern_of(ctx_stamp(ctx, WRITER_USER, ctx_generation(ctx), target->page));
	target->expect = on_device(ctx, target->page);
	old = cell->user == USER_DIRTY ? target->user : target->base;
	return 0;
}

static int act(struct ctx *ctx, struct target *target)
{
	struct iocb write;
	struct iocb read;
	struct iocb *both[2] = {swapped ? &read : &write, swapped ? &write : &read};
	struct io_event events[2];
	int done = 0;

	aio_prepare(&write, IOCB_CMD_PWRITE, direct, target->va, PAGE_BYTES, written_to(target), 0);
	aio_prepare(&read, IOCB_CMD_PREAD, direct, target->va, PAGE_BYTES, read_from(target), 1);
	if (aio_submit(context, 2, both) != 2)
		return ctx_error(ctx, "io_submit");
	done = aio_events(context, 2, 2, events, WAIT_LIMIT_MS);
	errno = done < 0 ? errno : ETIMEDOUT;
	if (done != 2)
		return ctx_error(ctx, "io_getevents");
	errno = EIO;
	if (events[0].res != (int64_t)PAGE_BYTES || events[1].res != (int64_t)PAGE_BYTES)
		return ctx_error(ctx, "asynchronous access to the loop device");
	return 0;
}

/* Each sector that is wholly the new content was written after the read, which is allowed:
 * make it the old one, so that the rest can be looked at in one go. */
static void allow_new(uint8_t *buffer, const struct pattern *new)
{
	for (unsigned int first = 0; first < PAGE_HALVES; first += SECTOR_BYTES / HALF_BYTES) {
		uint32_t want[SECTOR_BYTES / sizeof(uint32_t)] = {0};

		for (unsigned int i = 0; i < SECTOR_BYTES / HALF_BYTES; i++)
			pattern_half(new, first + i, want + (size_t)i * HALF_WORDS);
		if (memcmp(buffer + (size_t)first * HALF_BYTES, want, sizeof(want)) != 0)
			continue;
		for (unsigned int i = 0; i < SECTOR_BYTES / HALF_BYTES; i++)
			pattern_half(&old, first + i, want + (size_t)i * HALF_WORDS);
		memcpy(buffer + (size_t)first * HALF_BYTES, want, sizeof(want));
	}
}

/* The page, and what was written from it; a record shows both with what the page should be. */
static int kernel_view(struct ctx *ctx, struct target *target)
{
	struct view *view = &target->views[VIEW_KERNEL];

	if (trial_read(ctx, target) < 0)
		return -1;
	view_take(view, VIEW_KERNEL, ctx->buffer, &target->expect, ctx->inject);
	if (ctx_whole(ctx, pread(image, ctx->buffer, PAGE_BYTES, written_to(target)), PAGE_BYTES,
	              "reading what was written") < 0)
		return -1;
	allow_new(ctx->buffer, &target->expect);
	view_take(view, VIEW_KERNEL, ctx->buffer, &old, ctx->inject);
	return 0;
}

static int open_device(struct ctx *ctx)
{
	struct loop loop;

	image = file_on_tmpfs(ctx, 0, DEVICE_BYTES);
	if (image < 0)
		return -1;
	for (unsigned int page = 0; page < POOL_MAX; page++) {
		struct pattern pattern = on_device(ctx, page);

		pattern_store(ctx->source, &pattern);
		if (ctx_whole(ctx, pwrite(image, ctx->source, PAGE_BYTES, page * (off_t)PAGE_BYTES),
		              PAGE_BYTES, "writing the image") < 0)
			return -1;
	}
	if (loop_attach(ctx, image, &loop) < 0)
		return ctx_cannot(ctx, "loop device");
	direct = node_open(S_IFBLK, makedev(loop.major, loop.minor), O_RDWR | O_DIRECT);
	return direct < 0 ? ctx_error(ctx, "opening the loop device") : 0;
}

static int run(struct ctx *ctx)
{
	static const struct trial_ops ops = {.aim = aim, .act = act, .kernel_view = kernel_view};

	ctx->act_sleeps = true;
	if (aio_setup(2, &context) < 0)
		return ctx_cannot(ctx, "io_setup");
	if (open_device(ctx) < 0 || pool_anon(ctx, &pool) < 0 ||
	    trial_run_variant(ctx, VARIANT_PRIMED, &ops, &pool) < 0)
		return -1;
	swapped = true;
	return trial_run_variant(ctx, VARIANT_SWAPPED, &ops, &pool);
}

static const struct variant variants[VARIANTS] = {
	[VARIANT_PRIMED] = {"primed", KIND_CONTRACT, USER_ALL, KERNEL_ALL, DELTA_ALL},
	[VARIANT_SWAPPED] = {"swapped", KIND_CONTRACT, USER_ALL, 0, DELTA_ALL},
};

const struct test test_dio_read_primed = {
	.name = "dio-read-primed",
	.description = "direct read into a page that a direct write is reading",
	.api = "flush_dcache_page in the loop driver, flush_anon_page in get_user_pages",
	.kind = KIND_CONTRACT,
	.classes = CLASS_ALIASING,
	.needs = NEED_ROOT | NEED_PAGEMAP | NEED_TMPFS | NEED_LOOP | NEED_AIO,
	.time_limit_s = 60,
	.iterations = 1,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
