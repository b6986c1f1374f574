/* bench-cacheflush: cacheflush(2) over code that was just written.
 * Where user space can do it by itself (x86, arm64) there is no system call to measure. */
#include "bench.h"
#include "jit.h"

#include <sys/mman.h>

#if defined(__arm__)
#define CACHEFLUSH_IS_A_CALL true
#else
#define CACHEFLUSH_IS_A_CALL false
#endif

static const size_t sizes[] = {32, 4096, 65536};

#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static uint8_t *code;
static size_t bytes;

static int flushes(struct ctx *ctx, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		bench_dirty(code, HALF_BYTES);
		if (jit_flush(code, code + bytes) < 0)
			return ctx_error(ctx, "cacheflush");
	}
	return 0;
}

static int run(struct ctx *ctx)
{
	if (!CACHEFLUSH_IS_A_CALL)
		return ctx_skip(ctx, REASON_NOT_APPLICABLE, "no cacheflush(2) here");
	code = mmap(NULL, sizes[SIZES - 1], PROT_READ | PROT_WRITE | PROT_EXEC,
	            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (code == MAP_FAILED)
		return ctx_cannot(ctx, "writable and executable memory");
	bench_dirty(code, sizes[SIZES - 1]);
	for (unsigned int i = 0; i < SIZES; i++) {
		struct bench bench = {"flush", (unsigned int)(sizes[i] / PAGE_BYTES),
		                      i == 0 ? -1 : 0, flushes};

		bytes = sizes[i];
		if (bench_variant(ctx, i, &bench) < 0)
			return -1;
	}
	return 0;
}

static const struct variant variants[SIZES] = {
	BENCH_CELL("size=32"),
	BENCH_CELL("size=4096"),
	BENCH_CELL("size=65536"),
};

const struct test test_bench_cacheflush = {
	.name = "bench-cacheflush",
	.description = "cacheflush(2) over code",
	.api = "flush_icache_range for user addresses",
	.kind = KIND_INFO,
	.set = SET_BENCH,
	.classes = CLASS_ALL,
	.time_limit_s = 60,
	.iterations = 1,
	.variants = variants,
	.variant_count = SIZES,
	.run = run,
};
