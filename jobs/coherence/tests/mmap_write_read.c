/* mmap-write-read: read(2) of a file that the user has just written through a mapping.
 *
 * The kernel copies out of the page cache through its own alias: the user's dirty lines must
 * reach memory first, and old lines of the kernel's must go. The cell with a kernel alias that
 * became resident before the store is the one that finds a missing flush. tmpfs reads by code of its
 * own, ext2 by the generic one. */
#include "ext2.h"
#include "pool.h"
#include "tests.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

enum { VARIANT_READ, VARIANT_READV, VARIANT_MINCORE, VARIANT_DIRECT, VARIANT_EXT2_READ, VARIANTS };

static struct pool pool;
static int direct[POOL_MAX]; /* the files opened once more, O_DIRECT */

static int aim(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	(void)cell;
	target->user = pattern_of(ctx_stamp(ctx, WRITER_USER, ctx_generation(ctx), target->page));
	target->expect = target->user;
	return 0;
}

/* Absent means: not loaded, so that the stores go past a cache that allocates on reads. */
static int state(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	(void)ctx;
	if (cell->user == USER_ABSENT)
		pattern_store(target->va, &target->user);
	else
		user_dirty(target->va, &target->user);
	return 0;
}

static int whole(struct ctx *ctx, ssize_t done, const char *what)
{
	if (done == (ssize_t)PAGE_BYTES)
		return 0;
	if (done >= 0)
		errno = EIO;
	return ctx_error(ctx, "%s", what);
}

static int act_read(struct ctx *ctx, struct target *target)
{
	return whole(ctx, pread(target->fd, ctx->buffer, PAGE_BYTES, target->offset), "pread");
}

static int act_readv(struct ctx *ctx, struct target *target)
{
	struct iovec parts[2] = {
		{.iov_base = ctx->buffer, .iov_len = PAGE_BYTES / 2},
		{.iov_base = ctx->buffer + PAGE_BYTES / 2, .iov_len = PAGE_BYTES / 2},
	};

	return whole(ctx, preadv(target->fd, parts, 2, target->offset), "preadv");
}

static int act_direct(struct ctx *ctx, struct target *target)
{
	return whole(ctx, pread(direct[target->page], ctx->buffer, PAGE_BYTES, target->offset),
	             "direct read");
}

static int act_mincore(struct ctx *ctx, struct target *target)
{
	unsigned char resident;

	if (mincore(target->va, PAGE_BYTES, &resident) < 0)
		return ctx_error(ctx, "mincore");
	return 0;
}

/* The act itself was the kernel's view. */
static int view_of_act(struct ctx *ctx, struct target *target)
{
	view_take(&target->views[VIEW_KERNEL], VIEW_KERNEL, ctx->buffer, &target->expect,
	          ctx->inject);
	return 0;
}

static int open_direct(struct ctx *ctx)
{
	for (unsigned int i = 0; i < pool.count; i++) {
		char path[40];

		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", pool.targets[i].fd);
		direct[i] = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
		if (direct[i] < 0)
			return ctx_error(ctx, "opening a file for direct reads");
	}
	return 0;
}

static const struct trial_ops ops_read = {
	.aim = aim, .state = state, .act = act_read, .kernel_view = view_of_act};

static int run_tmpfs(struct ctx *ctx)
{
	static const struct trial_ops ops_readv = {
		.aim = aim, .state = state, .act = act_readv, .kernel_view = view_of_act};
	/* No read by the act: shows that the stores by themselves are right. */
	static const struct trial_ops ops_mincore = {
		.aim = aim, .state = state, .act = act_mincore};

	if (pool_files(ctx, &pool, file_on_tmpfs) < 0 ||
	    trial_run_variant(ctx, VARIANT_READ, &ops_read, &pool) < 0 ||
	    trial_run_variant(ctx, VARIANT_READV, &ops_readv, &pool) < 0 ||
	    trial_run_variant(ctx, VARIANT_MINCORE, &ops_mincore, &pool) < 0)
		return -1;
	pool_free(&pool);
	return 0;
}

static int run_ext2(struct ctx *ctx)
{
	static const struct trial_ops ops = {
		.aim = aim, .state = state, .act = act_direct, .kernel_view = view_of_act};
	enum reason reason;
	int mounted = ext2_mount(ctx, &reason);

	if (mounted < 0)
		return -1;
	if (mounted > 0) {
		ctx_skip_variant(ctx, VARIANT_DIRECT, reason);
		ctx_skip_variant(ctx, VARIANT_EXT2_READ, reason);
		return 0;
	}
	if (pool_files(ctx, &pool, file_on_ext2) < 0 ||
	    trial_run_variant(ctx, VARIANT_EXT2_READ, &ops_read, &pool) < 0 || open_direct(ctx) < 0)
		return -1;
	ctx->act_sleeps = true;
	return trial_run_variant(ctx, VARIANT_DIRECT, &ops, &pool);
}

static int run(struct ctx *ctx)
{
	return run_tmpfs(ctx) < 0 ? -1 : run_ext2(ctx);
}

#define USER_WRITES (1U << USER_ABSENT | 1U << USER_DIRTY)

static const struct variant variants[VARIANTS] = {
	[VARIANT_READ] = {"read", KIND_CONTRACT, USER_WRITES, KERNEL_ALL, DELTA_ALL},
	[VARIANT_READV] = {"readv", KIND_CONTRACT, USER_WRITES, KERNEL_ALL, DELTA_ALL},
	[VARIANT_MINCORE] = {"mincore", KIND_CONTRACT, USER_WRITES, KERNEL_ALL, DELTA_ALL},
	[VARIANT_DIRECT] = {"ext2,direct", KIND_CONTRACT, USER_WRITES, KERNEL_ALL, DELTA_ALL},
	[VARIANT_EXT2_READ] = {"ext2,read", KIND_CONTRACT, USER_WRITES, KERNEL_ALL, DELTA_PAIR},
};

const struct test test_mmap_write_read = {
	.name = "mmap-write-read",
	.description = "read(2) of a file returns what was stored through a mapping",
	.api = "flush_dcache_page in filemap_read when the file is mapped writably",
	.kind = KIND_CONTRACT,
	.classes = CLASS_ALIASING,
	.needs = NEED_ROOT | NEED_PAGEMAP | NEED_TMPFS | NEED_LOOP | NEED_EXT4,
	.time_limit_s = 60,
	.iterations = 2,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
