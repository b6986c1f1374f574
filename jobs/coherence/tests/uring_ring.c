/* uring-ring: requests and completions of io_uring, in rings that the kernel shares with the process.
 *
 * Both sides store into the same pages and ARM flushes nothing in between. A request that does nothing is queued and
 * submitted: did the kernel see it (submitted)? It is complete when the call returns: does the user see that
 * (completed)? Nobody promised either: a gap, on VIVT and aliasing VIPT. */
#include "number.h"
#include "tests.h"
#include "uring.h"

#include <errno.h>
#include <string.h>

enum { VARIANT_SUBMITTED, VARIANT_COMPLETED, VARIANTS };

#define ENTRIES 8U
#define LOST    0U

static int ring_open(struct ctx *ctx, struct uring *ring)
{
	if (uring_open(ENTRIES, ring) == 0)
		return 0;
	if (errno == EOPNOTSUPP)
		return ctx_skip(ctx, REASON_OLD_KERNEL, "io_uring of before 5.4");
	return ctx_cannot(ctx, "io_uring");
}

/* The tag of the completion behind head, or LOST when tail says that there is none. */
static uint32_t look(const struct uring *ring, uint32_t head)
{
	if (*ring->cq_tail == head)
		return LOST;
	return (uint32_t)ring->cqes[head & ring->cq_mask].user_data;
}

/* Returns 1 when something was wrong, 0, or -1. */
static int trial(struct ctx *ctx, const struct uring *ring, unsigned int iteration)
{
	struct io_uring_sqe request = {.opcode = IORING_OP_NOP, .user_data = iteration + 1U};
	struct number number = {
		.cell = VARIANT_SUBMITTED,
		.iteration = iteration,
		.fault = FAULT_STALE_KERNEL,
		.want = 1,
		.va = ring->rings,
	};
	uint32_t head = *ring->cq_head;
	uint32_t seen;
	int taken;

	(void)look(ring, head); /* its lines are in the user's cache, and old */
	number.before = machine_switches();
	uring_queue(ring, &request);
	taken = uring_enter(ring, 1, 0);
	seen = look(ring, head);
	if (taken < 0)
		return ctx_error(ctx, "io_uring_enter");
	number.got = (uint32_t)taken;
	if (number_check(ctx, &number))
		return 1;
	number.cell = VARIANT_COMPLETED;
	number.fault = FAULT_STALE_USER;
	number.want = iteration + 1U;
	number.got = seen;
	number.va = ring->rings;
	if (number_check(ctx, &number))
		return 1;
	*ring->cq_head = head + 1U;
	return 0;
}

/* Whoever disagrees about a ring once does so for ever: then with a new one. */
static int run(struct ctx *ctx)
{
	struct uring ring;

	if (ring_open(ctx, &ring) < 0)
		return -1;
	for (unsigned int iteration = 0; iteration < ctx->iterations; iteration++) {
		int result = trial(ctx, &ring, iteration);

		if (result < 0)
			return -1;
		if (result == 0)
			continue;
		uring_close(&ring);
		if (ring_open(ctx, &ring) < 0)
			return -1;
	}
	return 0;
}

static const struct variant variants[VARIANTS] = {
	[VARIANT_SUBMITTED] = {"submitted", KIND_GAP, 0, 0, 0},
	[VARIANT_COMPLETED] = {"completed", KIND_GAP, 0, 0, 0},
};

const struct test test_uring_ring = {
	.name = "uring-ring",
	.description = "io_uring's requests and completions are seen by the other side",
	.api = "io_uring's rings, shared without any flush",
	.kind = KIND_GAP,
	.set = SET_EXTENDED,
	.classes = CLASS_ALIASING,
	.needs = NEED_IO_URING,
	.time_limit_s = 30,
	.iterations = 100,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
