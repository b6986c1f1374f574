/* bench-fault: the first touch of 16 pages: new ones, copies on write, and a file's, each by a fault of its own or all by one.
 * New pages and copies are written through the kernel's address or a window; a file's page is flushed when it is
 * mapped for the first time. */
#include "bench.h"
#include "pool.h"

#include <sys/mman.h>

enum { FAULT_ANON, FAULT_COW, FAULT_FILE_EACH, FAULT_FILE_AROUND, VARIANTS };

#define PAGES 16U
#define BYTES (PAGES * PAGE_BYTES)

static uint8_t *pages[PAGES]; /* where each is */
static bool store;

static int touches(struct ctx *ctx, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		for (unsigned int page = 0; page < PAGES; page++) {
			volatile uint8_t *at = pages[page];

			if (madvise(pages[page], PAGE_BYTES, MADV_DONTNEED) < 0)
				return ctx_error(ctx, "MADV_DONTNEED");
			if (store)
				*at = 1;
			else
				(void)*at;
		}
	}
	return 0;
}

/* The same, but all pages go before the first comes back. */
static int touches_around(struct ctx *ctx, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		if (madvise(pages[0], BYTES, MADV_DONTNEED) < 0)
			return ctx_error(ctx, "MADV_DONTNEED");
		for (unsigned int page = 0; page < PAGES; page++)
			(void)*(volatile uint8_t *)pages[page];
	}
	return 0;
}

/* Map the file, or memory when fd is -1: in one VMA, or each page in its own with a gap behind it. */
static int map_pages(struct ctx *ctx, int fd, int flags, bool apart)
{
	unsigned int step = apart ? 2U : 1U;
	uint8_t *room = mmap(NULL, (size_t)2 * BYTES, PROT_NONE,
	                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	unsigned int pieces = apart ? PAGES : 1U;

	if (room == MAP_FAILED)
		return ctx_cannot(ctx, "addresses");
	for (unsigned int i = 0; i < PAGES; i++)
		pages[i] = room + (size_t)i * step * PAGE_BYTES;
	for (unsigned int i = 0; i < pieces; i++) {
		if (mmap(pages[i], BYTES / pieces, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd,
		         fd < 0 ? 0 : (off_t)i * (off_t)PAGE_BYTES) == MAP_FAILED)
			return ctx_cannot(ctx, "mapping pages");
	}
	return 0;
}

static int run(struct ctx *ctx)
{
	static const struct kind {
		int flags;
		bool file, apart, store;
		measure_fn *run;
	} kinds[VARIANTS] = {
		[FAULT_ANON] = {MAP_PRIVATE | MAP_ANONYMOUS, false, false, true, touches},
		[FAULT_COW] = {MAP_PRIVATE, true, false, true, touches},
		[FAULT_FILE_EACH] = {MAP_SHARED, true, true, false, touches},
		[FAULT_FILE_AROUND] = {MAP_SHARED, true, false, false, touches_around},
	};
	int fd = file_on_tmpfs(ctx, 0, BYTES);

	if (fd < 0)
		return -1;
	for (unsigned int i = 0; i < VARIANTS; i++) {
		struct bench bench = {"touch", PAGES, -1, kinds[i].run};

		store = kinds[i].store;
		if (map_pages(ctx, kinds[i].file ? fd : -1, kinds[i].flags, kinds[i].apart) < 0 ||
		    bench_variant(ctx, i, &bench) < 0)
			return -1;
	}
	return 0;
}

static const struct variant variants[VARIANTS] = {
	[FAULT_ANON] = BENCH_CELL("anon"),
	[FAULT_COW] = BENCH_CELL("cow"),
	[FAULT_FILE_EACH] = BENCH_CELL("file,around=4096"),
	[FAULT_FILE_AROUND] = BENCH_CELL("file,around=65536"),
};

const struct test test_bench_fault = {
	.name = "bench-fault",
	.description = "the first touch of 16 pages: new, copied, of a file",
	.api = "clear_user_highpage, copy_user_highpage, update_mmu_cache",
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
