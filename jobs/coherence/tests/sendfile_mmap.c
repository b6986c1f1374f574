/* sendfile-mmap: what a mapping has stored is what sendfile(2) and splice(2) carry away.
 *
 * Both put the page of the page cache itself into a pipe or a socket; the bytes are copied, through the kernel's alias,
 * only when the other end reads. The user's dirty lines must have reached memory, and old lines of the kernel's must be
 * gone, when the page is taken: nobody looks for aliases later. */
#include "ext2.h"
#include "loopback.h"
#include "pool.h"
#include "tests.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	VARIANT_PIPE,
	VARIANT_UNIX,
	VARIANT_TCP,
	VARIANT_SPLICE,
	VARIANT_TEE,
	VARIANT_EXT2,
	VARIANTS
};

static struct pool pool;
static int from, to;  /* the two ends of what carries the page */
static int second[2]; /* for tee: the other pipe */
static uint8_t *copy; /* for tee: what came out of it */

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

/* Read one page; a stream may give it in pieces. */
static int drain(struct ctx *ctx, int fd, uint8_t *buffer)
{
	size_t have = 0;

	while (have < PAGE_BYTES) {
		ssize_t got = read(fd, buffer + have, PAGE_BYTES - have);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return ctx_error(ctx, "reading what was sent");
		have += (size_t)got;
	}
	return 0;
}

static int act_sendfile(struct ctx *ctx, struct target *target)
{
	off_t offset = target->offset;

	if (sendfile(to, target->fd, &offset, PAGE_BYTES) != (ssize_t)PAGE_BYTES)
		return ctx_error(ctx, "sendfile");
	return drain(ctx, from, ctx->buffer);
}

static int act_splice(struct ctx *ctx, struct target *target)
{
	loff_t offset = target->offset;

	if (splice(target->fd, &offset, to, NULL, PAGE_BYTES, 0) != (ssize_t)PAGE_BYTES)
		return ctx_error(ctx, "splice");
	return drain(ctx, from, ctx->buffer);
}

static int act_tee(struct ctx *ctx, struct target *target)
{
	loff_t offset = target->offset;

	if (splice(target->fd, &offset, to, NULL, PAGE_BYTES, 0) != (ssize_t)PAGE_BYTES)
		return ctx_error(ctx, "splice");
	if (tee(from, second[1], PAGE_BYTES, 0) != (ssize_t)PAGE_BYTES)
		return ctx_error(ctx, "tee");
	return drain(ctx, second[0], copy) < 0 ? -1 : drain(ctx, from, ctx->buffer);
}

/* The act itself was the kernel's view. */
static int view_of_act(struct ctx *ctx, struct target *target)
{
	struct view *view = &target->views[VIEW_KERNEL];

	view_take(view, VIEW_KERNEL, ctx->buffer, &target->expect, ctx->inject);
	if (copy != NULL)
		view_take(view, VIEW_KERNEL, copy, &target->expect, ctx->inject);
	return 0;
}

static const struct trial_ops ops_of[VARIANTS] = {
	[VARIANT_PIPE] = {.aim = aim,
                          .state = state,
                          .act = act_sendfile,
                          .kernel_view = view_of_act},
	[VARIANT_EXT2] = {.aim = aim,
                          .state = state,
                          .act = act_sendfile,
                          .kernel_view = view_of_act},
	[VARIANT_UNIX] = {.aim = aim,
                          .state = state,
                          .act = act_sendfile,
                          .kernel_view = view_of_act},
	[VARIANT_TCP] = {.aim = aim,
                         .state = state,
                         .act = act_sendfile,
                         .kernel_view = view_of_act},
	[VARIANT_SPLICE] = {.aim = aim,
                            .state = state,
                            .act = act_splice,
                            .kernel_view = view_of_act},
	[VARIANT_TEE] = {.aim = aim, .state = state, .act = act_tee, .kernel_view = view_of_act},
};

static int run_variant(struct ctx *ctx, unsigned int variant)
{
	int result = trial_run_variant(ctx, variant, &ops_of[variant], &pool);

	(void)close(from);
	(void)close(to);
	return result;
}

static int run_pipe(struct ctx *ctx, unsigned int variant)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return ctx_error(ctx, "pipe");
	from = ends[0];
	to = ends[1];
	return run_variant(ctx, variant);
}

static int run_tee(struct ctx *ctx)
{
	copy = ctx_page(ctx);
	if (copy == NULL)
		return -1;
	if (pipe2(second, O_CLOEXEC) < 0)
		return ctx_error(ctx, "pipe");
	if (run_pipe(ctx, VARIANT_TEE) < 0)
		return -1;
	copy = NULL;
	return 0;
}

/* tmpfs reads by code of its own; here it is the generic one. */
static int run_ext2(struct ctx *ctx)
{
	enum reason reason;
	int mounted = ext2_mount(ctx, &reason);

	pool_free(&pool);
	if (mounted < 0)
		return -1;
	if (mounted > 0) {
		ctx_skip_variant(ctx, VARIANT_EXT2, reason);
		return 0;
	}
	return pool_files(ctx, &pool, file_on_ext2) < 0 ? -1 : run_pipe(ctx, VARIANT_EXT2);
}

static int run_unix(struct ctx *ctx)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
		if (errno != EAFNOSUPPORT)
			return ctx_error(ctx, "socketpair");
		ctx_skip_variant(ctx, VARIANT_UNIX, REASON_NOCONFIG);
		return 0;
	}
	from = ends[0];
	to = ends[1];
	return run_variant(ctx, VARIANT_UNIX);
}

static int run_tcp(struct ctx *ctx)
{
	enum reason reason;
	int ends[2];
	int result = loopback_pair(ctx, ends, &reason);

	if (result < 0)
		return -1;
	if (result > 0) {
		ctx_skip_variant(ctx, VARIANT_TCP, reason);
		return 0;
	}
	from = ends[0];
	to = ends[1];
	ctx->act_sleeps = true; /* what is sent may come a moment later */
	result = run_variant(ctx, VARIANT_TCP);
	ctx->act_sleeps = false;
	return result;
}

static int run(struct ctx *ctx)
{
	if (pool_files(ctx, &pool, file_on_tmpfs) < 0 || run_pipe(ctx, VARIANT_PIPE) < 0 ||
	    run_unix(ctx) < 0 || run_tcp(ctx) < 0 || run_pipe(ctx, VARIANT_SPLICE) < 0)
		return -1;
	return run_tee(ctx) < 0 ? -1 : run_ext2(ctx);
}

#define USER_WRITES (1U << USER_ABSENT | 1U << USER_DIRTY)

static const struct variant variants[VARIANTS] = {
	[VARIANT_PIPE] = {"pipe", KIND_CONTRACT, USER_WRITES, KERNEL_ALL, DELTA_ALL},
	[VARIANT_UNIX] = {"unix", KIND_CONTRACT, USER_WRITES, KERNEL_ALL, DELTA_ALL},
	[VARIANT_TCP] = {"tcp", KIND_CONTRACT, USER_WRITES, KERNEL_ALL, DELTA_ALL},
	[VARIANT_SPLICE] = {"splice", KIND_CONTRACT, USER_WRITES, KERNEL_ALL, DELTA_ALL},
	[VARIANT_TEE] = {"tee", KIND_CONTRACT, USER_WRITES, KERNEL_ALL, DELTA_ALL},
	[VARIANT_EXT2] = {"ext2,pipe", KIND_CONTRACT, USER_WRITES, KERNEL_ALL, DELTA_PAIR},
};

const struct test test_sendfile_mmap = {
	.name = "sendfile-mmap",
	.description =
		"sendfile(2) and splice(2) of a file carry what was stored through a mapping",
	.api = "flush_dcache_page in filemap_read and shmem_file_read_iter when the file is mapped writably",
	.kind = KIND_CONTRACT,
	.set = SET_CORE,
	.classes = CLASS_ALIASING,
	.needs = NEED_ROOT | NEED_PAGEMAP | NEED_TMPFS | NEED_INET | NEED_LOOP | NEED_EXT4,
	.time_limit_s = 60,
	.iterations = 1,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
