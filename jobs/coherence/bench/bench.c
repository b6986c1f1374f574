#include "bench.h"

#include <string.h>
#include <sys/mman.h>

int bench_variant(struct ctx *ctx, unsigned int variant, const struct bench *bench)
{
	struct measure measure = {
		.cell = measure_cell(ctx, variant),
		.operation = bench->operation,
		.pages = bench->pages,
		.without = bench->without < 0 ? MEASURE_ALONE
	                                      : measure_cell(ctx, (unsigned int)bench->without),
		.run = bench->run,
	};

	return measure_run(ctx, &measure);
}

uint8_t *bench_memory(struct ctx *ctx, size_t bytes)
{
	void *memory =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED) {
		(void)ctx_cannot(ctx, "memory");
		return NULL;
	}
	memset(memory, 1, bytes);
	return memory;
}

void bench_dirty(volatile uint8_t *at, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += HALF_BYTES)
		at[i] = (uint8_t)(at[i] + 1U);
}
