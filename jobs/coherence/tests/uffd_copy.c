/* uffd-copy: a page that a userfaultfd fills holds what the source page held.
 *
 * The kernel copies through its own alias into a new frame and maps that. The cells' user state is that of the
 * source page. A new frame is flushed when it is first mapped, so ARM cannot fail here as it is; the
 * missing flushes after such copies were bugs of other architectures, and this is for kernels that change
 * the first mapping. Variants: anon and shmem copy, zero fills with zeros, wp lets the user write to a page that
 * was filled write-protected. */
#include "pool.h"
#include "tests.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { VARIANT_ANON, VARIANT_SHMEM, VARIANT_ZERO, VARIANT_WP, VARIANTS };

static struct pool pool;
static int uffd = -1;
static unsigned int running; /* variant */

/* Nothing may touch the page between this and its filling: nobody waits for faults. */
static int drop(struct ctx *ctx, const struct target *target)
{
	if (target->fd >= 0 && fallocate(target->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	                                 target->offset, PAGE_BYTES) < 0)
		return ctx_error(ctx, "punching a hole");
	if (target->fd < 0 && madvise(target->va, PAGE_BYTES, MADV_DONTNEED) < 0)
		return ctx_error(ctx, "MADV_DONTNEED");
	return 0;
}

static int aim(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	struct stamp stamp = ctx_stamp(ctx, WRITER_USER, ctx_generation(ctx), target->page);

	target->user = pattern_of(stamp);
	target->expect = target->user;
	if (running == VARIANT_ZERO)
		target->expect.base.writer = WRITER_ZERO;
	if (running == VARIANT_WP) {
		target->expect.over =
			ctx_stamp(ctx, WRITER_USER, ctx_generation(ctx), target->page);
		target->expect.to = PAGE_WORDS;
		target->expect.mask = PATTERN_EVEN_HALVES;
	}
	/* Older content, for the kernel's view of the source and for the clean states. */
	pattern_store(ctx->source, cell->user == USER_DIRTY ? &target->base : &target->user);
	machine_settle();
	/* The frame that goes now is the one that comes back: the kernel's lines of it are here when it is filled, and its
	 * stores stay in them. */
	if (trial_read(ctx, target) < 0)
		return -1;
	return drop(ctx, target);
}

static int prime(struct ctx *ctx, struct target *target)
{
	(void)target;
	if (kernel_read_own(ctx->self_mem, ctx->source, ctx->buffer) < 0)
		return ctx_error(ctx, "reading /proc/self/mem");
	return 0;
}

static int state(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	if (cell->user == USER_CLEAN)
		user_load(ctx->source);
	else if (cell->user == USER_DIRTY)
		user_dirty(ctx->source, &target->user);
	return 0;
}

static int fill(struct ctx *ctx, struct target *target)
{
	uint64_t at = (uintptr_t)target->va;
	struct uffdio_copy copy = {.dst = at, .src = (uintptr_t)ctx->source, .len = PAGE_BYTES};
	struct uffdio_zeropage zero = {.range = {.start = at, .len = PAGE_BYTES}};
	struct uffdio_writeprotect allow = {.range = {.start = at, .len = PAGE_BYTES}};

	if (running == VARIANT_ZERO)
		return ioctl(uffd, UFFDIO_ZEROPAGE, &zero);
	if (running == VARIANT_WP)
		copy.mode = UFFDIO_COPY_MODE_WP;
	if (ioctl(uffd, UFFDIO_COPY, &copy) < 0)
		return -1;
	return running == VARIANT_WP ? ioctl(uffd, UFFDIO_WRITEPROTECT, &allow) : 0;
}

static int act(struct ctx *ctx, struct target *target)
{
	struct uffdio_register range = {
		.range = {.start = (uintptr_t)target->va, .len = PAGE_BYTES},
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	if (running == VARIANT_WP)
		range.mode |= UFFDIO_REGISTER_MODE_WP;
	if (ioctl(uffd, UFFDIO_REGISTER, &range) < 0)
		return ctx_error(ctx, "UFFDIO_REGISTER");
	if (fill(ctx, target) < 0)
		return ctx_error(ctx, "filling a page");
	if (ioctl(uffd, UFFDIO_UNREGISTER, &range.range) < 0)
		return ctx_error(ctx, "UFFDIO_UNREGISTER");
	if (running == VARIANT_WP)
		pattern_store_over(target->va, &target->expect);
	return 0;
}

static int end(struct ctx *ctx, struct target *target)
{
	(void)ctx;
	target->pfn = page_frame(target->va);
	return 0;
}

/* Returns 0 when these features are there, 1 when this kernel has none of that, -1 after ctx_skip() or
 * ctx_error(). A descriptor can be asked once only. */
static int open_uffd(struct ctx *ctx, uint64_t features)
{
	struct uffdio_api api = {.api = UFFD_API, .features = features};

	if (uffd >= 0)
		(void)close(uffd);
	uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	if (uffd < 0)
		return errno == ENOSYS ? ctx_skip(ctx, REASON_NOCONFIG, "no userfaultfd")
		                       : ctx_cannot(ctx, "userfaultfd");
	if (ioctl(uffd, UFFDIO_API, &api) == 0)
		return 0;
	return errno == EINVAL ? 1 : ctx_error(ctx, "UFFDIO_API");
}

static int run_variant(struct ctx *ctx, unsigned int variant, uint64_t features,
                       enum reason without)
{
	static const struct trial_ops ops = {
		.aim = aim, .prime = prime, .state = state, .act = act, .end = end};
	int missing = open_uffd(ctx, features);

	if (missing < 0)
		return -1;
	if (missing > 0) {
		ctx_skip_variant(ctx, variant, without);
		return 0;
	}
	running = variant;
	return trial_run_variant(ctx, variant, &ops, &pool);
}

static int run(struct ctx *ctx)
{
	if (pool_anon(ctx, &pool) < 0 || run_variant(ctx, VARIANT_ANON, 0, REASON_OLD_KERNEL) < 0 ||
	    run_variant(ctx, VARIANT_ZERO, 0, REASON_OLD_KERNEL) < 0 ||
	    run_variant(ctx, VARIANT_WP, UFFD_FEATURE_PAGEFAULT_FLAG_WP, REASON_NOSYS) < 0)
		return -1;
	pool_free(&pool);
	if (pool_files(ctx, &pool, file_on_tmpfs) < 0)
		return -1;
	return run_variant(ctx, VARIANT_SHMEM, UFFD_FEATURE_MISSING_SHMEM, REASON_OLD_KERNEL);
}

static const struct variant variants[VARIANTS] = {
	[VARIANT_ANON] = {"anon", KIND_CONTRACT, USER_ALL, KERNEL_ALL, 0},
	[VARIANT_SHMEM] = {"shmem", KIND_CONTRACT, USER_ALL, KERNEL_ALL, 0},
	[VARIANT_ZERO] = {"zero", KIND_CONTRACT, 0, 0, 0},
	[VARIANT_WP] = {"wp", KIND_CONTRACT, USER_ALL, KERNEL_ALL, 0},
};

const struct test test_uffd_copy = {
	.name = "uffd-copy",
	.description = "a page filled through userfaultfd holds what the source page held",
	.api = "flush_dcache_page in mcopy_atomic_pte, the flush of a first mapping",
	.kind = KIND_CONTRACT,
	.set = SET_EXTENDED,
	.classes = CLASS_ALIASING,
	.needs = NEED_PAGEMAP | NEED_TMPFS | NEED_USERFAULTFD,
	.time_limit_s = 60,
	.iterations = 4,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
