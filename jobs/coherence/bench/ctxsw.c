/* bench-ctxsw: two processes take turns, the first with so many bytes dirty each time.
 * On VIVT the kernel cleans and invalidates the whole cache at each of the two switches. */
#include "bench.h"

static const size_t sizes[] = {0, 4096, 16384, 32768};

#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static uint8_t *memory;
static size_t dirty;

static int turns(struct ctx *ctx, unsigned int count)
{
	(void)ctx;
	for (unsigned int i = 0; i < count; i++) {
		bench_dirty(memory, dirty);
		machine_switch();
	}
	return 0;
}

static int run(struct ctx *ctx)
{
	memory = bench_memory(ctx, sizes[SIZES - 1]);
	if (memory == NULL)
		return -1;
	for (unsigned int i = 0; i < SIZES; i++) {
		struct bench bench = {"turn", (unsigned int)(sizes[i] / PAGE_BYTES), 0, turns};

		dirty = sizes[i];
		if (bench_variant(ctx, i, &bench) < 0)
			return -1;
	}
	return 0;
}

static const struct variant variants[SIZES] = {
	BENCH_CELL("dirty=0"),
	BENCH_CELL("dirty=4096"),
	BENCH_CELL("dirty=16384"),
	BENCH_CELL("dirty=32768"),
};

const struct test test_bench_ctxsw = {
	.name = "bench-ctxsw",
	.description = "a byte to another process and back, with dirty lines",
	.api = "flush_cache_mm in switch_mm",
	.kind = KIND_INFO,
	.set = SET_BENCH,
	.classes = CLASS_ALL,
	.time_limit_s = 120,
	.iterations = 1,
	.variants = variants,
	.variant_count = SIZES,
	.run = run,
};
