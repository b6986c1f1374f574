/* loop-write-mmap: a loop device whose backing file is mapped.
 *
 * Who writes to the device has the kernel write(2) to the file, in a worker thread that is no
 * process of its own: it finds the user's aliases only because it borrows the memory map of
 * whom it took over from. The mapping must see the new bytes at once. The other way round,
 * a read of the device must deliver what was stored through the mapping. */
#include "loopdev.h"
#include "node.h"
#include "pool.h"
#include "tests.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { VARIANT_BUFFERED, VARIANT_DIRECT, VARIANT_READ, VARIANTS };

static struct pool pool;
static struct loop loop; /* over the file whose pages are mapped */
static int direct;       /* the device once more, opened O_DIRECT */

static int aim_write(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	(void)cell;
	target->user = pattern_of(ctx_stamp(ctx, WRITER_USER, ctx_generation(ctx), target->page));
	target->expect =
		pattern_of(ctx_stamp(ctx, WRITER_KERNEL, ctx_generation(ctx), target->page));
	pattern_store(ctx->source, &target->expect);
	return 0;
}

static int aim_read(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	(void)cell;
	target->user = pattern_of(ctx_stamp(ctx, WRITER_USER, ctx_generation(ctx), target->page));
	target->expect = target->user;
	return 0;
}

/* Absent means: not loaded, so that the stores go past a cache that allocates on reads. */
static int state_read(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	(void)ctx;
	if (cell->user == USER_ABSENT)
		pattern_store(target->va, &target->user);
	else
		user_dirty(target->va, &target->user);
	return 0;
}

static int act_buffered(struct ctx *ctx, struct target *target)
{
	if (ctx_whole(ctx, pwrite(loop.fd, ctx->source, PAGE_BYTES, target->offset), PAGE_BYTES,
	              "writing the loop device") < 0)
		return -1;
	return fdatasync(loop.fd) < 0 ? ctx_error(ctx, "syncing the loop device") : 0;
}

static int act_direct(struct ctx *ctx, struct target *target)
{
	return ctx_whole(ctx, pwrite(direct, ctx->source, PAGE_BYTES, target->offset), PAGE_BYTES,
	                 "direct write to the loop device");
}

static int act_read(struct ctx *ctx, struct target *target)
{
	return ctx_whole(ctx, pread(direct, ctx->buffer, PAGE_BYTES, target->offset), PAGE_BYTES,
	                 "direct read from the loop device");
}

/* The act itself was the kernel's view. */
static int view_of_act(struct ctx *ctx, struct target *target)
{
	view_take(&target->views[VIEW_KERNEL], VIEW_KERNEL, ctx->buffer, &target->expect,
	          ctx->inject);
	return 0;
}

static int open_device(struct ctx *ctx)
{
	int file = file_on_tmpfs(ctx, 0, (off_t)POOL_FILE_BYTES);

	if (file < 0)
		return -1;
	if (loop_attach(ctx, file, &loop) < 0)
		return ctx_cannot(ctx, "loop device");
	direct = node_open(S_IFBLK, makedev(loop.major, loop.minor), O_RDWR | O_DIRECT);
	if (direct < 0)
		return ctx_error(ctx, "opening the loop device for direct access");
	return pool_of_file(ctx, &pool, file);
}

static int run(struct ctx *ctx)
{
	static const struct trial_ops ops[VARIANTS] = {
		[VARIANT_BUFFERED] = {.aim = aim_write, .act = act_buffered},
		[VARIANT_DIRECT] = {.aim = aim_write, .act = act_direct},
		[VARIANT_READ] = {.aim = aim_read,
	                          .state = state_read,
	                          .act = act_read,
	                          .kernel_view = view_of_act},
	};

	ctx->act_sleeps = true;
	if (open_device(ctx) < 0)
		return -1;
	for (unsigned int variant = 0; variant < VARIANTS; variant++) {
		if (trial_run_variant(ctx, variant, &ops[variant], &pool) < 0)
			return -1;
	}
	return 0;
}

#define USER_WRITES (1U << USER_ABSENT | 1U << USER_DIRTY)

static const struct variant variants[VARIANTS] = {
	[VARIANT_BUFFERED] = {"buffered", KIND_CONTRACT, USER_ALL, KERNEL_ALL, DELTA_ALL},
	[VARIANT_DIRECT] = {"direct", KIND_CONTRACT, USER_ALL, KERNEL_ALL, DELTA_ALL},
	[VARIANT_READ] = {"read", KIND_CONTRACT, USER_WRITES, KERNEL_ALL, DELTA_ALL},
};

const struct test test_loop_write_mmap = {
	.name = "loop-write-mmap",
	.description = "a loop device and the mappings of its backing file agree",
	.api = "flush_dcache_page in a worker thread of loop, and its walk of active_mm",
	.kind = KIND_CONTRACT,
	.classes = CLASS_ALIASING,
	.needs = NEED_ROOT | NEED_PAGEMAP | NEED_TMPFS | NEED_LOOP,
	.time_limit_s = 60,
	.iterations = 1,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
