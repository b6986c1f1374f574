/* fuse-dev-copy: bytes go through /dev/fuse, between a program's pages and its file system's.
 *
 * The FUSE driver copies through kernel aliases on both sides: of the server's buffer, and of the page cache or, with
 * direct I/O, of the caller's page. That corrupted files on ARM until 2.6.20. direct-read and direct-write have
 * anonymous pages of the user's on both ends, in states; write-mapped is write(2) to a file that is
 * mapped. There the mapping is read-only: a dirty page of a file system whose server may be killed together with the test
 * would be written back while the memory map ends, and wait for that server. */
#include "fusefile.h"
#include "pool.h"
#include "tests.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { VARIANT_DIRECT_READ, VARIANT_DIRECT_WRITE, VARIANT_WRITE_MAPPED, VARIANTS };

static struct pool pool;
static struct fusefile fuse;

static off_t position_of(const struct target *target)
{
	return (off_t)target->page * (off_t)PAGE_BYTES;
}

static int aim_read(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	(void)cell;
	target->user = pattern_of(ctx_stamp(ctx, WRITER_USER, ctx_generation(ctx), target->page));
	target->expect =
		pattern_of(ctx_stamp(ctx, WRITER_KERNEL, ctx_generation(ctx), target->page));
	return 0;
}

/* The server's page is in the user's hands as well: dirty just before it is handed out. */
static int state_read(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	(void)ctx;
	user_dirty(fuse.served, &target->expect);
	if (cell->user == USER_CLEAN)
		user_load(target->va);
	else if (cell->user == USER_DIRTY)
		user_dirty(target->va, &target->user);
	return 0;
}

static int act_read(struct ctx *ctx, struct target *target)
{
	return ctx_whole(ctx, pread(fuse.direct, target->va, PAGE_BYTES, position_of(target)),
	                 PAGE_BYTES, "direct read of a file on FUSE");
}

static int aim_write(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	(void)cell;
	target->user = pattern_of(ctx_stamp(ctx, WRITER_USER, ctx_generation(ctx), target->page));
	target->expect = target->user;
	return 0;
}

/* Absent means: not loaded, so that the stores go past a cache that allocates on reads. What the server received last
 * time is in the user's lines. */
static int state_write(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	(void)ctx;
	user_load(fuse.received);
	if (cell->user == USER_ABSENT)
		pattern_store(target->va, &target->user);
	else
		user_dirty(target->va, &target->user);
	return 0;
}

static int act_write(struct ctx *ctx, struct target *target)
{
	return ctx_whole(ctx, pwrite(fuse.direct, target->va, PAGE_BYTES, position_of(target)),
	                 PAGE_BYTES, "direct write of a file on FUSE");
}

/* What the server got; it is a user's page, but what it holds is what the kernel read. */
static int view_of_server(struct ctx *ctx, struct target *target)
{
	view_take(&target->views[VIEW_KERNEL], VIEW_KERNEL, fuse.received, &target->expect,
	          ctx->inject);
	return 0;
}

static int base_mapped(struct ctx *ctx, struct target *target)
{
	pattern_store(ctx->source, &target->base);
	return ctx_whole(ctx, pwrite(target->fd, ctx->source, PAGE_BYTES, target->offset),
	                 PAGE_BYTES, "writing a file on FUSE");
}

static int aim_mapped(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	(void)cell;
	target->expect =
		pattern_of(ctx_stamp(ctx, WRITER_KERNEL, ctx_generation(ctx), target->page));
	pattern_store(ctx->source, &target->expect);
	return 0;
}

static int act_mapped(struct ctx *ctx, struct target *target)
{
	return ctx_whole(ctx, pwrite(target->fd, ctx->source, PAGE_BYTES, target->offset),
	                 PAGE_BYTES, "writing a file on FUSE");
}

/* The page cache, and what the server got of it. */
static int kernel_view_mapped(struct ctx *ctx, struct target *target)
{
	if (trial_read(ctx, target) < 0)
		return -1;
	view_take(&target->views[VIEW_KERNEL], VIEW_KERNEL, ctx->buffer, &target->expect,
	          ctx->inject);
	return view_of_server(ctx, target);
}

static int open_again(struct ctx *ctx, unsigned int index, off_t bytes)
{
	int fd = fcntl(fuse.file, F_DUPFD_CLOEXEC, 0);

	(void)index;
	(void)bytes;
	return fd < 0 ? ctx_error(ctx, "a descriptor of the file on FUSE") : fd;
}

static int run_mapped(struct ctx *ctx)
{
	static const struct trial_ops ops = {
		.base = base_mapped,
		.aim = aim_mapped,
		.act = act_mapped,
		.kernel_view = kernel_view_mapped,
	};

	if (pool_unmapped(ctx, &pool, open_again, TARGETS_PER_DELTA) < 0)
		return -1;
	for (unsigned int i = 0; i < pool.count; i++) {
		struct target *target = &pool.targets[i];

		target->offset += (off_t)i * (off_t)(COLOURS * PAGE_BYTES); /* pages of one file */
		if (target_map(ctx, target, PROT_READ, MAP_SHARED) < 0)
			return -1;
		user_load(target->va);
		target->pfn = page_frame(target->va);
	}
	return trial_run_variant(ctx, VARIANT_WRITE_MAPPED, &ops, &pool);
}

static int run(struct ctx *ctx)
{
	static const struct trial_ops ops_read = {
		.aim = aim_read, .state = state_read, .act = act_read};
	static const struct trial_ops ops_write = {.aim = aim_write,
	                                           .state = state_write,
	                                           .act = act_write,
	                                           .kernel_view = view_of_server};
	enum reason reason = REASON_NONE;
	int opened = fusefile_open(ctx, &fuse, &reason);

	ctx->act_sleeps = true;
	if (opened > 0)
		return ctx_skip(ctx, reason, "no FUSE file system can be mounted");
	if (opened < 0 || pool_anon(ctx, &pool) < 0 ||
	    trial_run_variant(ctx, VARIANT_DIRECT_READ, &ops_read, &pool) < 0 ||
	    trial_run_variant(ctx, VARIANT_DIRECT_WRITE, &ops_write, &pool) < 0)
		return -1;
	pool_free(&pool);
	return run_mapped(ctx);
}

#define USER_WRITES (1U << USER_ABSENT | 1U << USER_DIRTY)
#define USER_READS  (1U << USER_ABSENT | 1U << USER_CLEAN)

static const struct variant variants[VARIANTS] = {
	[VARIANT_DIRECT_READ] = {"direct-read", KIND_CONTRACT, USER_ALL, KERNEL_ALL, DELTA_ALL},
	[VARIANT_DIRECT_WRITE] = {"direct-write", KIND_CONTRACT, USER_WRITES, KERNEL_ALL,
                                  DELTA_ALL},
	[VARIANT_WRITE_MAPPED] = {"write-mapped", KIND_CONTRACT, USER_READS, KERNEL_ALL, 0},
};

const struct test test_fuse_dev_copy = {
	.name = "fuse-dev-copy",
	.description = "files whose file system is a program get and give what was written",
	.api = "get_user_pages, flush_dcache_page in fuse_copy_page, fuse_copy_finish, fuse_fill_write_pages",
	.kind = KIND_CONTRACT,
	.set = SET_EXTENDED,
	.classes = CLASS_ALIASING,
	.needs = NEED_ROOT | NEED_PAGEMAP | NEED_TMPFS | NEED_FUSE,
	.time_limit_s = 60,
	.iterations = 1,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
