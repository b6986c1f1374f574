/* uring-fixed: a buffer that io_uring has pinned is rewritten between two writes from it.
 *
 * get_user_pages() cleans both aliases when the buffer is registered, once. After the first write the kernel's lines
 * of the buffer are resident; the user then changes it, and the second write copies the kernel's old lines. Nobody
 * promised otherwise: a gap, on VIVT and aliasing VIPT. The ring has the same trouble (uring-ring): both requests are
 * queued before the first is submitted, with nothing cached, so that only the buffer is under test. */
#include "number.h"
#include "pool.h"
#include "tests.h"
#include "uring.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define ENTRIES 4U

#ifndef SYS_io_uring_register
#define SYS_io_uring_register 427
#endif

static void queue_write(const struct uring *ring, int file, const void *buffer)
{
	struct io_uring_sqe request = {
		.opcode = IORING_OP_WRITE_FIXED,
		.fd = file,
		.addr = (uintptr_t)buffer,
		.len = PAGE_BYTES,
	};

	uring_queue(ring, &request);
}

static int write_one(struct ctx *ctx, const struct uring *ring)
{
	errno = EIO;
	return uring_enter(ring, 1, 1) == 1 ? 0 : ctx_error(ctx, "io_uring_enter");
}

/* How many half-lines of the file are not what pattern says; with nothing cached. */
static int count_wrong(struct ctx *ctx, int file, const struct pattern *pattern, uint32_t *wrong)
{
	static struct view view;

	machine_settle();
	errno = EIO;
	if (pread(file, ctx->buffer, PAGE_BYTES, 0) != (ssize_t)PAGE_BYTES)
		return ctx_error(ctx, "reading the test file");
	view = (struct view){0};
	view_take(&view, VIEW_KERNEL, ctx->buffer, pattern, NULL);
	*wrong = halves_count(&view.bad);
	return 0;
}

/* Two writes from the buffer, of old and of new content. */
static int trial(struct ctx *ctx, const struct uring *ring, int file, void *buffer,
                 struct number *number)
{
	struct pattern old = pattern_of(ctx_stamp(ctx, WRITER_POISON, ctx_generation(ctx), 0));
	struct pattern new = pattern_of(ctx_stamp(ctx, WRITER_USER, ctx_generation(ctx), 0));

	pattern_store(buffer, &old);
	queue_write(ring, file, buffer);
	queue_write(ring, file, buffer);
	machine_settle();
	if (write_one(ctx, ring) < 0)
		return -1;
	number->before = machine_switches();
	user_dirty(buffer, &new);
	if (write_one(ctx, ring) < 0 || count_wrong(ctx, file, &new, &number->got) < 0)
		return -1;
	(void)number_check(ctx, number);
	return 0;
}

/* A ring of its own for each trial, so that no completion has to be consumed. */
static int run_one(struct ctx *ctx, int file, void *page, struct number *number)
{
	struct iovec buffer = {.iov_base = page, .iov_len = PAGE_BYTES};
	struct uring ring;
	int result;

	if (uring_open(ENTRIES, &ring) < 0) {
		if (errno == EOPNOTSUPP)
			return ctx_skip(ctx, REASON_OLD_KERNEL, "io_uring of before 5.4");
		return ctx_cannot(ctx, "io_uring");
	}
	if (syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_BUFFERS, &buffer, 1) < 0)
		return ctx_cannot(ctx, "registering a buffer with io_uring");
	result = trial(ctx, &ring, file, page, number);
	uring_close(&ring);
	return result;
}

static int run_page(struct ctx *ctx, unsigned int cell, int file, void *page)
{
	struct number number = {
		.cell = cell,
		.fault = FAULT_STALE_KERNEL,
		.want = 0,
		.va = page,
		.length = PAGE_BYTES,
	};

	ctx->report->running_cell = cell;
	for (; number.iteration < ctx->iterations; number.iteration++) {
		if (run_one(ctx, file, page, &number) < 0)
			return -1;
	}
	return 0;
}

/* A page for each distance in colour between the user's and the kernel's alias. */
static int run(struct ctx *ctx)
{
	static struct pool pool;
	int file = file_on_tmpfs(ctx, 0, PAGE_BYTES);

	if (file < 0 || pool_anon(ctx, &pool) < 0)
		return -1;
	ctx->act_sleeps = true; /* a thread of the kernel's writes */
	for (unsigned int cell = 0; cell < ctx->report->cell_count; cell++) {
		unsigned int i = 0;

		while (i < pool.count && pool.targets[i].delta != test_cell(ctx->test, cell).delta)
			i++;
		if (i < pool.count && run_page(ctx, cell, file, pool.targets[i].va) < 0)
			return -1;
	}
	return 0;
}

static const struct variant variants[] = {
	{NULL, KIND_GAP, 0, 0, DELTA_ALL},
};

const struct test test_uring_fixed = {
	.name = "uring-fixed",
	.description = "a registered buffer that was rewritten is written as it is now",
	.api = "io_uring's registered buffers, pinned once and flushed once",
	.kind = KIND_GAP,
	.set = SET_EXTENDED,
	.classes = CLASS_ALIASING,
	.needs = NEED_IO_URING | NEED_TMPFS | NEED_PAGEMAP,
	.time_limit_s = 30,
	.iterations = 4,
	.variants = variants,
	.variant_count = 1,
	.run = run,
};
