/* bench-aio: asynchronous writes of one byte, each done when it is submitted.
 * Each completion writes an event and the tail of a ring that the user has mapped, and flushes both. */
#include "aio.h"
#include "bench.h"
#include "pool.h"

#include <errno.h>

#define LIMIT_MS 1000U

static aio_context_t context;
static struct iocb request;

static int submits(struct ctx *ctx, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		struct iocb *list[1] = {&request};
		struct io_event event;

		if (aio_submit(context, 1, list) != 1)
			return ctx_error(ctx, "io_submit");
		if (aio_events(context, 1, 1, &event, LIMIT_MS) != 1)
			return ctx_error(ctx, "io_getevents");
	}
	return 0;
}

static int run(struct ctx *ctx)
{
	static const struct bench bench = {"write", 0, -1, submits};
	static char byte;
	int fd = file_on_tmpfs(ctx, 0, PAGE_BYTES);

	if (fd < 0)
		return -1;
	if (aio_setup(8, &context) < 0)
		return errno == ENOSYS ? ctx_skip(ctx, REASON_NOCONFIG, "no AIO")
		                       : ctx_cannot(ctx, "io_setup");
	aio_prepare(&request, IOCB_CMD_PWRITE, fd, &byte, 1, 0, 1);
	return bench_variant(ctx, 0, &bench);
}

static const struct variant variants[] = {BENCH_CELL("all")};

const struct test test_bench_aio = {
	.name = "bench-aio",
	.description = "asynchronous writes of one byte",
	.api = "flush_dcache_page in aio_complete",
	.kind = KIND_INFO,
	.set = SET_BENCH,
	.classes = CLASS_ALL,
	.needs = NEED_AIO | NEED_TMPFS,
	.time_limit_s = 60,
	.iterations = 1,
	.variants = variants,
	.variant_count = 1,
	.run = run,
};
