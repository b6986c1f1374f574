/* tcp-zerocopy: TCP over lo that takes pages from the user, and gives pages to the user.
 *
 * send: MSG_ZEROCOPY takes the user's dirty pages as they are, and the receiving side reads them through the kernel's
 * alias; get_user_pages must have flushed. receive: TCP_ZEROCOPY_RECEIVE maps a page that came in. It came out of a
 * pipe, which uses a page again that was read a moment before, so that even in a cache that allocates on reads only the
 * kernel's lines are dirty; inserting it must flush it, and taking out the page that was there before must flush the user's
 * lines at that address. */
#include "loopback.h"
#include "pool.h"
#include "tests.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <unistd.h>

#define PERSONALITY_QUERY 0xffffffffUL

enum { VARIANT_SEND, VARIANT_RECEIVE, VARIANTS };

#define WAIT_MS 5000

#ifndef SO_ZEROCOPY
#define SO_ZEROCOPY 60
#endif
#ifndef MSG_ZEROCOPY
#define MSG_ZEROCOPY 0x4000000
#endif
#ifndef SO_EE_ORIGIN_ZEROCOPY
#define SO_EE_ORIGIN_ZEROCOPY 5
#endif
#ifndef TCP_ZEROCOPY_RECEIVE
#define TCP_ZEROCOPY_RECEIVE 35
#endif

/* The first fields of the kernel's struct tcp_zerocopy_receive, all that 4.18 had. */
struct receive {
	uint64_t address; /* in: of the mapping */
	uint32_t length;  /* in: wanted; out: mapped */
	uint32_t to_copy; /* out: bytes that read(2) must take instead */
};

static struct pool pool;
static int ends[2];      /* what goes into 1 comes out of 0 */
static int pipe_ends[2]; /* pages for receive come from it */

static int aim_send(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	(void)cell;
	target->user = pattern_of(ctx_stamp(ctx, WRITER_USER, ctx_generation(ctx), target->page));
	target->expect = target->user;
	return 0;
}

/* Absent means: not loaded, so that the stores go past a cache that allocates on reads. */
static int state_send(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	(void)ctx;
	if (cell->user == USER_ABSENT)
		pattern_store(target->va, &target->user);
	else
		user_dirty(target->va, &target->user);
	return 0;
}

/* Wait until the kernel says that it needs our page no more. */
static int take_completion(struct ctx *ctx)
{
	char control[128];
	struct msghdr message = {.msg_control = control, .msg_controllen = sizeof(control)};
	struct pollfd wait = {.fd = ends[1]}; /* POLLERR comes unasked */
	const struct cmsghdr *header;
	const struct sock_extended_err *notice;

	if (poll(&wait, 1, WAIT_MS) != 1 || recvmsg(ends[1], &message, MSG_ERRQUEUE) < 0)
		return ctx_error(ctx, "waiting for a zero-copy completion");
	header = CMSG_FIRSTHDR(&message);
	errno = EPROTO;
	if (header == NULL)
		return ctx_error(ctx, "a zero-copy completion");
	notice = (const void *)CMSG_DATA(header);
	if (notice->ee_errno != 0 || notice->ee_origin != SO_EE_ORIGIN_ZEROCOPY)
		return ctx_error(ctx, "a zero-copy completion");
	return 0;
}

static int act_send(struct ctx *ctx, struct target *target)
{
	if (ctx_whole(ctx, send(ends[1], target->va, PAGE_BYTES, MSG_ZEROCOPY), PAGE_BYTES,
	              "send with MSG_ZEROCOPY") < 0)
		return -1;
	return ctx_whole(ctx, recv(ends[0], ctx->buffer, PAGE_BYTES, MSG_WAITALL), PAGE_BYTES,
	                 "receiving over lo");
}

/* What came out is what the kernel saw. */
static int kernel_view_send(struct ctx *ctx, struct target *target)
{
	view_take(&target->views[VIEW_KERNEL], VIEW_KERNEL, ctx->buffer, &target->expect,
	          ctx->inject);
	return take_completion(ctx);
}

/* Send pattern as a page of the pipe's, and have it mapped where target looks. */
static int transfer(struct ctx *ctx, const struct target *target, const struct pattern *pattern)
{
	struct receive receive = {.address = (uintptr_t)target->va, .length = PAGE_BYTES};
	socklen_t bytes = sizeof(receive);
	struct pollfd wait = {.fd = ends[0], .events = POLLIN};

	pattern_store(ctx->source, pattern);
	if (ctx_whole(ctx, write(pipe_ends[1], ctx->source, PAGE_BYTES), PAGE_BYTES,
	              "writing a pipe") < 0 ||
	    ctx_whole(ctx, splice(pipe_ends[0], NULL, ends[1], NULL, PAGE_BYTES, 0), PAGE_BYTES,
	              "splice to a socket") < 0)
		return -1;
	if (poll(&wait, 1, WAIT_MS) != 1)
		return ctx_error(ctx, "waiting for data over lo");
	if (getsockopt(ends[0], IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, &receive, &bytes) < 0)
		return ctx_cannot(ctx, "TCP_ZEROCOPY_RECEIVE");
	errno = 0;
	if (receive.length != PAGE_BYTES)
		return ctx_error(ctx, "TCP_ZEROCOPY_RECEIVE mapped %u bytes, %u are to be copied",
		                 receive.length, receive.to_copy);
	return 0;
}

/* A page that is mapped, from an earlier transfer. */
static int base_receive(struct ctx *ctx, struct target *target)
{
	return transfer(ctx, target, &target->base);
}

static int aim_receive(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	(void)cell;
	target->expect =
		pattern_of(ctx_stamp(ctx, WRITER_KERNEL, ctx_generation(ctx), target->page));
	return 0;
}

/* The pipe keeps the page that was read from it and takes it for the next write. */
static int prime_receive(struct ctx *ctx, struct target *target)
{
	pattern_store(ctx->source, &target->base);
	if (ctx_whole(ctx, write(pipe_ends[1], ctx->source, PAGE_BYTES), PAGE_BYTES,
	              "writing a pipe") < 0)
		return -1;
	return ctx_whole(ctx, read(pipe_ends[0], ctx->buffer, PAGE_BYTES), PAGE_BYTES,
	                 "reading a pipe");
}

static int act_receive(struct ctx *ctx, struct target *target)
{
	return transfer(ctx, target, &target->expect);
}

static int run_send(struct ctx *ctx)
{
	static const struct trial_ops ops = {
		.aim = aim_send,
		.state = state_send,
		.act = act_send,
		.kernel_view = kernel_view_send,
	};
	int one = 1;

	if (setsockopt(ends[1], SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)) < 0) {
		ctx_skip_variant(ctx, VARIANT_SEND, REASON_OLD_KERNEL);
		return 0;
	}
	if (pool_anon(ctx, &pool) < 0 || trial_run_variant(ctx, VARIANT_SEND, &ops, &pool) < 0)
		return -1;
	pool_free(&pool);
	return 0;
}

/* Map target's slot to the socket. The kernel allows no executable mapping, which on a processor without a bit against
 * execution every readable one is, unless we say otherwise. */
static void *map_readable(const struct target *target)
{
	int old = personality(PERSONALITY_QUERY);
	void *at;
	int error;

	(void)personality((unsigned long)old & ~(unsigned long)READ_IMPLIES_EXEC);
	at = mmap(target->va, PAGE_BYTES, PROT_READ, MAP_SHARED | MAP_FIXED, ends[0], 0);
	error = errno;
	(void)personality((unsigned long)old);
	errno = error;
	return at;
}

/* Make the pool's slots mappings of the socket. Returns 0; 1 when this kernel has no such mapping; or -1. */
static int map_socket(struct ctx *ctx)
{
	if (pool_unmapped(ctx, &pool, file_on_tmpfs, TARGETS_PER_DELTA) < 0)
		return -1;
	for (unsigned int i = 0; i < pool.count; i++) {
		struct target *target = &pool.targets[i];

		(void)close(target->fd);
		target->fd = -1; /* the kernel's view is by /proc/self/mem */
		/* A cache that aliases wants the colour of the mapping's start. */
		target->va = slot_at(target->slot, target->slot_index, 0);
		if (map_readable(target) == MAP_FAILED)
			return errno == ENODEV ? 1 : ctx_error(ctx, "mapping a socket");
	}
	return 0;
}

static int run_receive(struct ctx *ctx)
{
	static const struct trial_ops ops = {
		.base = base_receive,
		.aim = aim_receive,
		.prime = prime_receive,
		.act = act_receive,
	};
	int mapped = map_socket(ctx);

	if (mapped > 0)
		ctx_skip_variant(ctx, VARIANT_RECEIVE, REASON_OLD_KERNEL);
	if (mapped != 0)
		return mapped < 0 ? -1 : 0;
	if (pipe2(pipe_ends, O_CLOEXEC) < 0)
		return ctx_error(ctx, "pipe");
	return trial_run_variant(ctx, VARIANT_RECEIVE, &ops, &pool);
}

static int run(struct ctx *ctx)
{
	enum reason reason = REASON_NONE;
	int connected = loopback_pair(ctx, ends, &reason);
	int one = 1;

	ctx->act_sleeps = true;
	if (connected > 0)
		return ctx_skip(ctx, reason, "no TCP over lo");
	if (connected < 0)
		return -1;
	(void)setsockopt(ends[1], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return run_send(ctx) < 0 ? -1 : run_receive(ctx);
}

#define USER_WRITES (1U << USER_ABSENT | 1U << USER_DIRTY)
#define USER_READS  (1U << USER_ABSENT | 1U << USER_CLEAN)

static const struct variant variants[VARIANTS] = {
	[VARIANT_SEND] = {"send", KIND_CONTRACT, USER_WRITES, KERNEL_ALL, DELTA_ALL},
	[VARIANT_RECEIVE] = {"receive", KIND_CONTRACT, USER_READS, KERNEL_ALL, 0},
};

const struct test test_tcp_zerocopy = {
	.name = "tcp-zerocopy",
	.description = "TCP that sends the user's pages and maps received ones",
	.api = "get_user_pages for MSG_ZEROCOPY, flush_dcache_page in vm_insert_page",
	.kind = KIND_CONTRACT,
	.set = SET_EXTENDED,
	.classes = CLASS_ALIASING,
	.needs = NEED_ROOT | NEED_PAGEMAP | NEED_INET,
	.time_limit_s = 60,
	.iterations = 2,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
