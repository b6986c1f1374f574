/* pipe-splice: pages of the user's that are put into a pipe as they are.
 *
 * vmsplice(2) takes the page itself by get_user_pages; whoever reads the pipe later copies it through the kernel's alias. So the
 * user's dirty lines must reach memory, and old lines of the kernel's must go, when the page is taken. Variants: the pipe is
 * read, or spliced into a file; pages given for good (SPLICE_F_GIFT). */
#include "pool.h"
#include "tests.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

enum { VARIANT_READ, VARIANT_FILE, VARIANT_GIFT, VARIANTS };

static struct pool pool;
static int ends[2];
static int file;              /* where the pipe is spliced to, one page for each target */
static unsigned int gift;     /* flags of the running variant */
static volatile void *window; /* the file, mapped */

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
	if (cell->user == USER_DIRTY)
		user_dirty(target->va, &target->user);
	else
		pattern_store(target->va, &target->user);
	return 0;
}

static int put(struct ctx *ctx, const struct target *target)
{
	struct iovec part = {.iov_base = target->va, .iov_len = PAGE_BYTES};

	return ctx_whole(ctx, vmsplice(ends[1], &part, 1, gift), PAGE_BYTES, "vmsplice");
}

static int act_read(struct ctx *ctx, struct target *target)
{
	if (put(ctx, target) < 0)
		return -1;
	return ctx_whole(ctx, read(ends[0], ctx->buffer, PAGE_BYTES), PAGE_BYTES, "reading a pipe");
}

static off_t place(const struct target *target)
{
	return (off_t)target->page * (off_t)PAGE_BYTES;
}

static int act_file(struct ctx *ctx, struct target *target)
{
	loff_t offset = place(target);

	if (put(ctx, target) < 0)
		return -1;
	return ctx_whole(ctx, splice(ends[0], NULL, file, &offset, PAGE_BYTES, SPLICE_F_MOVE),
	                 PAGE_BYTES, "splice");
}

static int view_of_buffer(struct ctx *ctx, struct target *target)
{
	view_take(&target->views[VIEW_KERNEL], VIEW_KERNEL, ctx->buffer, &target->expect,
	          ctx->inject);
	return 0;
}

/* What came to the file, by read(2) and by its mapping. */
static int view_of_file(struct ctx *ctx, struct target *target)
{
	struct view *view = &target->views[VIEW_KERNEL];

	if (ctx_whole(ctx, pread(file, ctx->buffer, PAGE_BYTES, place(target)), PAGE_BYTES,
	              "reading the file") < 0)
		return -1;
	(void)view_of_buffer(ctx, target);
	view_take(view, VIEW_KERNEL, (const volatile uint8_t *)window + place(target),
	          &target->expect, ctx->inject);
	return 0;
}

static const struct trial_ops ops_read = {
	.aim = aim, .state = state, .act = act_read, .kernel_view = view_of_buffer};
static const struct trial_ops ops_file = {
	.aim = aim, .state = state, .act = act_file, .kernel_view = view_of_file};

static int prepare(struct ctx *ctx)
{
	size_t bytes = (size_t)POOL_MAX * PAGE_BYTES;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return ctx_error(ctx, "pipe");
	file = file_on_tmpfs(ctx, 0, (off_t)bytes);
	if (file < 0)
		return -1;
	window = mmap(NULL, bytes, PROT_READ, MAP_SHARED, file, 0);
	if (window == MAP_FAILED)
		return ctx_error(ctx, "mapping a file");
	return pool_anon(ctx, &pool);
}

static int run(struct ctx *ctx)
{
	if (prepare(ctx) < 0 || trial_run_variant(ctx, VARIANT_READ, &ops_read, &pool) < 0 ||
	    trial_run_variant(ctx, VARIANT_FILE, &ops_file, &pool) < 0)
		return -1;
	gift = SPLICE_F_GIFT;
	return trial_run_variant(ctx, VARIANT_GIFT, &ops_file, &pool);
}

#define USER_WRITES (1U << USER_ABSENT | 1U << USER_DIRTY)

static const struct variant variants[VARIANTS] = {
	[VARIANT_READ] = {"read", KIND_CONTRACT, USER_WRITES, KERNEL_ALL, DELTA_ALL},
	[VARIANT_FILE] = {"file", KIND_CONTRACT, USER_WRITES, KERNEL_ALL, DELTA_ALL},
	[VARIANT_GIFT] = {"gift", KIND_CONTRACT, USER_WRITES, KERNEL_ALL, DELTA_ALL},
};

const struct test test_pipe_splice = {
	.name = "pipe-splice",
	.description = "vmsplice(2) carries what the user last stored",
	.api = "flush_anon_page and flush_dcache_page in get_user_pages",
	.kind = KIND_CONTRACT,
	.set = SET_CORE,
	.classes = CLASS_ALIASING,
	.needs = NEED_ROOT | NEED_PAGEMAP | NEED_TMPFS,
	.time_limit_s = 60,
	.iterations = 2,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
