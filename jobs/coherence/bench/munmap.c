/* bench-munmap: map, touch and unmap so many bytes.
 * Unmapping flushes the range line by line, and above 16 KiB on ARM926 the whole cache instead. */
#include "bench.h"

#include <sys/mman.h>

static const size_t sizes[] = {4096, 16384, 20480, 1048576};

#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static size_t bytes;

static int rounds(struct ctx *ctx, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		uint8_t *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		                   -1, 0);

		if (at == MAP_FAILED)
			return ctx_cannot(ctx, "mmap");
		for (size_t page = 0; page < bytes; page += PAGE_BYTES)
			*(volatile uint8_t *)(at + page) = 1;
		if (munmap(at, bytes) < 0)
			return ctx_error(ctx, "munmap");
	}
	return 0;
}

static int run(struct ctx *ctx)
{
	for (unsigned int i = 0; i < SIZES; i++) {
		struct bench bench = {"map-unmap", (unsigned int)(sizes[i] / PAGE_BYTES), -1,
		                      rounds};

		bytes = sizes[i];
		if (bench_variant(ctx, i, &bench) < 0)
			return -1;
	}
	return 0;
}

static const struct variant variants[SIZES] = {
	BENCH_CELL("size=4096"),
	BENCH_CELL("size=16384"),
	BENCH_CELL("size=20480"),
	BENCH_CELL("size=1048576"),
};

const struct test test_bench_munmap = {
	.name = "bench-munmap",
	.description = "map, touch and unmap memory",
	.api = "flush_cache_range in tlb_start_vma, CACHE_DLIMIT",
	.kind = KIND_INFO,
	.set = SET_BENCH,
	.classes = CLASS_ALL,
	.time_limit_s = 60,
	.iterations = 1,
	.variants = variants,
	.variant_count = SIZES,
	.run = run,
};
