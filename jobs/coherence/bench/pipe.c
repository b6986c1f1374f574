/* bench-pipe: 64 KiB through a pipe, copied in, or handed over by vmsplice.
 * The first has no flush at all; handing over looks the pages up and flushes both aliases of each. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

enum { VARIANT_COPY, VARIANT_VMSPLICE, VARIANTS };

#define BYTES 65536U

static int ends[2];
static uint8_t *from, *into;

static int copy_in(void)
{
	return write(ends[1], from, BYTES) == (ssize_t)BYTES ? 0 : -1;
}

static int hand_over(void)
{
	struct iovec vector = {.iov_base = from, .iov_len = BYTES};

	while (vector.iov_len > 0) {
		ssize_t done = vmsplice(ends[1], &vector, 1, 0);

		if (done <= 0)
			return -1;
		vector.iov_base = (uint8_t *)vector.iov_base + done;
		vector.iov_len -= (size_t)done;
	}
	return 0;
}

static int through(struct ctx *ctx, unsigned int count, int (*put)(void))
{
	for (unsigned int i = 0; i < count; i++) {
		if (put() < 0)
			return ctx_error(ctx, "filling a pipe");
		for (size_t got = 0; got < BYTES;) {
			ssize_t done = read(ends[0], into + got, BYTES - got);

			if (done <= 0)
				return ctx_error(ctx, "reading a pipe");
			got += (size_t)done;
		}
	}
	return 0;
}

static int copied(struct ctx *ctx, unsigned int count)
{
	return through(ctx, count, copy_in);
}

static int spliced(struct ctx *ctx, unsigned int count)
{
	return through(ctx, count, hand_over);
}

static int run(struct ctx *ctx)
{
	static const struct bench benches[VARIANTS] = {
		[VARIANT_COPY] = {"transfer", BYTES / PAGE_BYTES, -1, copied},
		[VARIANT_VMSPLICE] = {"transfer", BYTES / PAGE_BYTES, VARIANT_COPY, spliced},
	};

	from = bench_memory(ctx, BYTES);
	into = bench_memory(ctx, BYTES);
	if (from == NULL || into == NULL)
		return -1;
	if (pipe2(ends, O_CLOEXEC) < 0 || fcntl(ends[1], F_SETPIPE_SZ, (int)BYTES) < 0)
		return ctx_error(ctx, "pipe");
	for (unsigned int i = 0; i < VARIANTS; i++) {
		if (bench_variant(ctx, i, &benches[i]) < 0)
			return -1;
	}
	return 0;
}

static const struct variant variants[VARIANTS] = {
	[VARIANT_COPY] = BENCH_CELL("copy"),
	[VARIANT_VMSPLICE] = BENCH_CELL("vmsplice"),
};

const struct test test_bench_pipe = {
	.name = "bench-pipe",
	.description = "64 KiB through a pipe, copied or handed over",
	.api = "flush_anon_page and flush_dcache_page in get_user_pages",
	.kind = KIND_INFO,
	.set = SET_BENCH,
	.classes = CLASS_ALL,
	.time_limit_s = 60,
	.iterations = 1,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
