/* dio-read-mapped: the direct read of dio-read-anon, into a page that is a file's.
 *
 * The page is in the page cache and mapped, so that the kernel must find the user's aliases by
 * the file's mapping. Variants: the file on tmpfs or ext2; a mapping never touched before the
 * read, whose first fault has the flush that was put off; and a look at what reached the disk.
 * The late view is also taken by a forked child through a mapping of its own. */
#include "child.h"
#include "cryptdev.h"
#include "ext2.h"
#include "pool.h"
#include "tests.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { VARIANT_TMPFS, VARIANT_EXT2, VARIANT_DISK, VARIANT_UNTOUCHED, VARIANTS };

static struct crypt device;
static struct pool pool;

/* What the looking child and the test share. */
static struct mailbox {
	struct view views[TARGETS_PER_DELTA];
} * mailbox;

struct look {
	struct ctx *ctx;
	struct target **targets;
	unsigned int count;
};

static int aim(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	(void)cell;
	target->user = pattern_of(ctx_stamp(ctx, WRITER_USER, ctx_generation(ctx), target->page));
	target->expect = crypt_pattern(&device, target->page);
	target->cipher = crypt_raw(&device, target->page);
	return 0;
}

static int act(struct ctx *ctx, struct target *target)
{
	return crypt_read(ctx, &device, target->page, target->va);
}

static int look_in_child(void *argument)
{
	struct look *look = argument;

	for (unsigned int i = 0; i < look->count; i++) {
		struct target *target = look->targets[i];
		void *other =
			mmap(NULL, PAGE_BYTES, PROT_READ, MAP_SHARED, target->fd, target->offset);

		if (other == MAP_FAILED)
			return 1;
		view_take(&mailbox->views[i], VIEW_LATE, other, &target->expect, look->ctx->inject);
	}
	return 0;
}

static int late_child(struct ctx *ctx, struct target **targets, unsigned int count)
{
	struct look look = {.ctx = ctx, .targets = targets, .count = count};

	memset(mailbox, 0, sizeof(*mailbox));
	if (child_run(ctx, look_in_child, &look) < 0)
		return -1;
	for (unsigned int i = 0; i < count; i++)
		view_merge(&targets[i]->views[VIEW_LATE], &mailbox->views[i]);
	return 0;
}

static int read_from_disk(struct ctx *ctx, struct target *target)
{
	if (msync(target->va, PAGE_BYTES, MS_SYNC) < 0 || target_unmap(ctx, target) < 0)
		return ctx_error(ctx, "msync");
	if (posix_fadvise(target->fd, 0, 0, POSIX_FADV_DONTNEED) != 0 ||
	    trial_read(ctx, target) < 0)
		return ctx_error(ctx, "reading back from the disk");
	view_take(&target->views[VIEW_LATE], VIEW_LATE, ctx->buffer, &target->expect, ctx->inject);
	if (target_map(ctx, target, PROT_READ | PROT_WRITE, MAP_SHARED) < 0)
		return -1;
	user_load(target->va);
	target->pfn = page_frame(target->va);
	return 0;
}

static int late_disk(struct ctx *ctx, struct target **targets, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		if (read_from_disk(ctx, targets[i]) < 0)
			return -1;
	}
	return 0;
}

/* A new page in the page cache, written by the kernel, mapped and not yet touched. */
static int base_untouched(struct ctx *ctx, struct target *target)
{
	off_t end = target->offset + (off_t)PAGE_BYTES;

	pattern_store(ctx->source, &target->base);
	if (ftruncate(target->fd, 0) < 0 || ftruncate(target->fd, end) < 0 ||
	    pwrite(target->fd, ctx->source, PAGE_BYTES, target->offset) != (ssize_t)PAGE_BYTES)
		return ctx_error(ctx, "writing a test file");
	return target_map(ctx, target, PROT_READ | PROT_WRITE, MAP_SHARED);
}

static int kernel_view_untouched(struct ctx *ctx, struct target *target)
{
	target->pfn = page_frame(target->va);
	if (trial_read(ctx, target) < 0)
		return -1;
	view_take(&target->views[VIEW_KERNEL], VIEW_KERNEL, ctx->buffer, &target->expect,
	          ctx->inject);
	return 0;
}

static int run_on(struct ctx *ctx, unsigned int variant, pool_file_fn *make,
                  const struct trial_ops *ops)
{
	int result = pool_files(ctx, &pool, make);

	if (result == 0)
		result = trial_run_variant(ctx, variant, ops, &pool);
	pool_free(&pool);
	return result;
}

static int run_tmpfs(struct ctx *ctx)
{
	static const struct trial_ops touched = {.aim = aim, .act = act, .late = late_child};
	static const struct trial_ops untouched = {
		.base = base_untouched,
		.aim = aim,
		.act = act,
		.kernel_view = kernel_view_untouched,
		.end = target_unmap,
	};
	int result;

	if (run_on(ctx, VARIANT_TMPFS, file_on_tmpfs, &touched) < 0 ||
	    pool_unmapped(ctx, &pool, file_on_tmpfs, TARGETS_PER_DELTA) < 0)
		return -1;
	result = trial_run_variant(ctx, VARIANT_UNTOUCHED, &untouched, &pool);
	pool_free(&pool);
	return result;
}

static int run_ext2(struct ctx *ctx)
{
	static const struct trial_ops touched = {.aim = aim, .act = act, .late = late_child};
	static const struct trial_ops disk = {.aim = aim, .act = act, .late = late_disk};
	enum reason reason;
	int mounted = ext2_mount(ctx, &reason);

	if (mounted < 0)
		return -1;
	if (mounted > 0) {
		ctx_skip_variant(ctx, VARIANT_EXT2, reason);
		ctx_skip_variant(ctx, VARIANT_DISK, reason);
		return 0;
	}
	if (run_on(ctx, VARIANT_EXT2, file_on_ext2, &touched) < 0)
		return -1;
	return run_on(ctx, VARIANT_DISK, file_on_ext2, &disk);
}

static int run(struct ctx *ctx)
{
	ctx->act_sleeps = true;
	mailbox = child_memory(ctx, sizeof(*mailbox));
	if (mailbox == NULL || crypt_open(ctx, &device) < 0 || run_tmpfs(ctx) < 0)
		return -1;
	return run_ext2(ctx);
}

static const struct variant variants[VARIANTS] = {
	[VARIANT_TMPFS] = {"tmpfs", KIND_CONTRACT, USER_ALL, KERNEL_ALL, DELTA_ALL},
	[VARIANT_EXT2] = {"ext2", KIND_CONTRACT, USER_ALL, KERNEL_ALL, DELTA_ALL},
	[VARIANT_DISK] = {"ext2,disk", KIND_CONTRACT, USER_ALL, KERNEL_ALL, 0},
	[VARIANT_UNTOUCHED] = {"untouched", KIND_CONTRACT, 0, KERNEL_ALL, 0},
};

const struct test test_dio_read_mapped = {
	.name = "dio-read-mapped",
	.description = "direct read through dm-crypt into a mapped page of a file",
	.api = "flush_dcache_page of a mapped page-cache page; scatterwalk",
	.kind = KIND_CONTRACT,
	.classes = CLASS_ALIASING,
	.needs = NEED_ROOT | NEED_PAGEMAP | NEED_TMPFS | NEED_LOOP | NEED_DM_CRYPT | NEED_EXT4,
	.time_limit_s = 90,
	.iterations = 2,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
