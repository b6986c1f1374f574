/* bench-shared-alias: load and store every word of a page that this process has mapped once, or twice.
 * On VIVT two mappings in one address space make both uncached, so that they agree. */
#include "bench.h"
#include "pool.h"

#include <sys/mman.h>

enum { MAPPED_ONCE, MAPPED_TWICE, VARIANTS };

static volatile uint32_t *words;

static int passes(struct ctx *ctx, unsigned int count)
{
	(void)ctx;
	for (unsigned int i = 0; i < count; i++) {
		for (unsigned int word = 0; word < PAGE_WORDS; word++)
			words[word] = words[word] + 1U;
	}
	return 0;
}

static int run(struct ctx *ctx)
{
	static const struct bench benches[VARIANTS] = {
		[MAPPED_ONCE] = {"pass", 1, -1, passes},
		[MAPPED_TWICE] = {"pass", 1, MAPPED_ONCE, passes},
	};
	int fd = file_on_tmpfs(ctx, 0, PAGE_BYTES);

	if (fd < 0)
		return -1;
	for (unsigned int i = 0; i < VARIANTS; i++) {
		void *at = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

		if (at == MAP_FAILED)
			return ctx_cannot(ctx, "mapping a test page");
		bench_dirty(at, PAGE_BYTES); /* the last one stays mapped */
		words = at;
		if (bench_variant(ctx, i, &benches[i]) < 0)
			return -1;
	}
	return 0;
}

static const struct variant variants[VARIANTS] = {
	[MAPPED_ONCE] = BENCH_CELL("mapped=once"),
	[MAPPED_TWICE] = BENCH_CELL("mapped=twice"),
};

const struct test test_bench_shared_alias = {
	.name = "bench-shared-alias",
	.description = "load and store a page that is mapped once or twice",
	.api = "make_coherent in update_mmu_cache",
	.kind = KIND_INFO,
	.set = SET_BENCH,
	.classes = CLASS_ALL,
	.needs = NEED_TMPFS,
	.time_limit_s = 60,
	.iterations = 1,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
