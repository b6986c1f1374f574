/* aio-ring: completions of asynchronous I/O, read in the ring that the kernel shares with the process.
 *
 * The requests are complete when io_submit(2) returns. The user then looks for the new tail and the event through its
 * mapping; the kernel wrote both through its own alias and flushed (aio_complete). `peek` only looks, and consumes by
 * io_getevents(2), which must deliver the same. `reap` consumes by storing head itself, as some libraries do: head and
 * tail share a half-line and the kernel reads head without a flush, so on VIVT the user's line with the new head
 * overwrites a newer tail, and the completion is not seen. Nobody promised that this works: a gap. It needs a ring of
 * several pages: flushing the event's page flushes head, too, when it is the same page. */
#include "aio.h"
#include "number.h"
#include "pool.h"
#include "tests.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { VARIANT_PEEK, VARIANT_DELIVERED, VARIANT_REAP, VARIANTS };

#define REQUESTS 300U /* the ring has room for twice as many, over five pages */
#define LOST     0U   /* no tag is this */

#define RINGS_TRIED 8U

struct ring {
	aio_context_t context;
	volatile struct aio_ring *shared;
	const void *at; /* the same, to say where it is */
	int fd;
};

/* On aliasing VIPT nothing can show when head and tail have the same colour for the kernel as for us, which is a matter of
 * luck. An odd distance is one with two colours, too. */
static bool is_blind(const struct ctx *ctx, const struct ring *ring)
{
	uint64_t frame;

	if (ctx->class_bits != CLASS_VIPT_ALIASING || ring->shared->magic != AIO_RING_MAGIC)
		return false;
	frame = page_frame(ring->at);
	return frame != 0 && ((frame ^ colour_of(ring->at)) & 1U) == 0;
}

/* Make a ring that is not blind, if one of some can be had. Returns 0, or -1 with errno. */
static int ring_setup(const struct ctx *ctx, struct ring *ring)
{
	aio_context_t tried[RINGS_TRIED];
	unsigned int count = 0;

	while (count < RINGS_TRIED && (count == 0 || is_blind(ctx, ring))) {
		if (aio_setup(REQUESTS, &tried[count]) < 0)
			break;
		ring->context = tried[count++];
		ring->shared = aio_ring(ring->context);
		memcpy(&ring->at, &ring->context, sizeof(ring->at));
	}
	for (unsigned int i = 0; i + 1 < count; i++)
		(void)aio_destroy(tried[i]);
	return count > 0 ? 0 : -1;
}

static int ring_open(struct ctx *ctx, struct ring *ring)
{
	if (ring_setup(ctx, ring) < 0) {
		if (errno == EAGAIN)
			(void)ctx_skip(ctx, REASON_NO_MEMORY, "the board's limit of requests");
		else
			(void)ctx_cannot(ctx, "asynchronous I/O");
		return -1;
	}
	if (ring->shared->magic == AIO_RING_MAGIC && ring->shared->compatible == 1 &&
	    ring->shared->incompatible == 0 && ring->shared->count > REQUESTS)
		return 0;
	errno = 0;
	return ctx_error(ctx, "the ring of asynchronous I/O is not as we know it");
}

/* One read of a file in memory: it is done, and its event in the ring, when this returns. */
static int submit(struct ctx *ctx, const struct ring *ring, uint32_t tag)
{
	struct iocb request;
	struct iocb *requests[] = {&request};

	aio_prepare(&request, IOCB_CMD_PREAD, ring->fd, ctx->buffer, HALF_BYTES, 0, tag);
	return aio_submit(ring->context, 1, requests) == 1 ? 0 : ctx_error(ctx, "io_submit");
}

/* The tag of the event behind head, or LOST when tail says that there is none. */
static uint32_t look(const struct ring *ring, uint32_t head)
{
	if (ring->shared->tail == head || head >= ring->shared->count)
		return LOST;
	return (uint32_t)ring->shared->events[head].data;
}

static void check(struct ctx *ctx, struct number *number, enum fault fault, uint32_t got)
{
	number->fault = fault;
	number->got = got;
	(void)number_check(ctx, number);
}

static int run_peek(struct ctx *ctx, struct ring *ring)
{
	struct number number = {.va = ring->at};

	for (; number.iteration < ctx->iterations; number.iteration++) {
		uint32_t head = ring->shared->head;
		struct io_event event = {0};

		ctx->report->running_cell = number.cell = VARIANT_PEEK;
		number.want = number.iteration + 1U;
		(void)look(ring, head); /* its lines are in the user's cache, and old */
		number.before = machine_switches();
		if (submit(ctx, ring, number.want) < 0)
			return -1;
		check(ctx, &number, FAULT_STALE_USER, look(ring, head));
		number.cell = VARIANT_DELIVERED;
		if (aio_events(ring->context, 0, 1, &event, 0) < 0)
			return ctx_error(ctx, "io_getevents");
		check(ctx, &number, FAULT_STALE_KERNEL, (uint32_t)event.data);
		machine_breathe();
	}
	return 0;
}

/* After a lost completion: take all that is there, with nothing of the ring in a cache. */
static void resume(const struct ring *ring)
{
	machine_settle();
	ring->shared->head = ring->shared->tail;
	machine_settle();
}

static int run_reap(struct ctx *ctx, struct ring *ring)
{
	struct number number = {.cell = VARIANT_REAP, .va = ring->at};

	ctx->report->running_cell = VARIANT_REAP;
	for (; number.iteration < ctx->iterations; number.iteration++) {
		uint32_t head = ring->shared->head;
		uint32_t got;

		number.want = number.iteration + 1U;
		number.before = machine_switches();
		if (submit(ctx, ring, number.want) < 0)
			return -1;
		got = look(ring, head);
		if (got == number.want)
			ring->shared->head = (head + 1U) % ring->shared->count;
		check(ctx, &number, FAULT_LOST_WRITE, got);
		if (got != number.want)
			resume(ring);
		machine_breathe();
	}
	return 0;
}

static int run(struct ctx *ctx)
{
	struct ring ring = {.fd = file_on_tmpfs(ctx, 0, PAGE_BYTES)};

	if (ring.fd < 0 || ring_open(ctx, &ring) < 0)
		return -1;
	if (run_peek(ctx, &ring) < 0)
		return -1;
	(void)aio_destroy(ring.context);
	if (ring_open(ctx, &ring) < 0 || run_reap(ctx, &ring) < 0)
		return -1;
	(void)aio_destroy(ring.context);
	return 0;
}

static const struct variant variants[VARIANTS] = {
	[VARIANT_PEEK] = {"peek", KIND_CONTRACT, 0, 0, 0},
	[VARIANT_DELIVERED] = {"peek,io_getevents", KIND_CONTRACT, 0, 0, 0},
	[VARIANT_REAP] = {"reap", KIND_GAP, 0, 0, 0},
};

const struct test test_aio_ring = {
	.name = "aio-ring",
	.description = "completions of asynchronous I/O are seen in the ring that is mapped",
	.api = "flush_dcache_page in aio_complete and aio_read_events_ring",
	.kind = KIND_CONTRACT,
	.classes = CLASS_ALIASING,
	.needs = NEED_AIO | NEED_TMPFS,
	.time_limit_s = 30,
	.iterations = 700,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
