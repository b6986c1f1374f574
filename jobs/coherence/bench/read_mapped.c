/* bench-read-mapped: read(2) of one page of a file, by whether it is mapped, and for writing.
 * With a mapping that could write, the kernel flushes the page before each copy, whether it was written or not. */
#include "bench.h"
#include "pool.h"
#include "program.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MAP_NONE, MAP_READ, MAP_WRITE, VARIANTS };

static int fd, fd_read_only;

static int reads(struct ctx *ctx, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		if (pread(fd, ctx->buffer, PAGE_BYTES, 0) != (ssize_t)PAGE_BYTES)
			return ctx_error(ctx, "reading the test file");
	}
	return 0;
}

static int run_one(struct ctx *ctx, unsigned int variant)
{
	struct bench bench = {"read", 1, variant == MAP_NONE ? -1 : MAP_NONE, reads};
	int prot = variant == MAP_WRITE ? PROT_READ | PROT_WRITE : PROT_READ;
	void *at = MAP_FAILED;
	int result;

	if (variant != MAP_NONE) {
		at = mmap(NULL, PAGE_BYTES, prot, MAP_SHARED,
		          variant == MAP_READ ? fd_read_only : fd, 0);
		if (at == MAP_FAILED)
			return ctx_cannot(ctx, "mapping the test file");
		user_load(at);
	}
	result = bench_variant(ctx, variant, &bench);
	if (at != MAP_FAILED)
		(void)munmap(at, PAGE_BYTES);
	return result;
}

/* The mapping for reading is made through a descriptor that cannot write: through one that can, the kernel counts it as
 * one that could be made to write. */
static int run(struct ctx *ctx)
{
	fd = file_on_tmpfs(ctx, 0, PAGE_BYTES);
	if (fd < 0)
		return -1;
	if (pwrite(fd, ctx->source, PAGE_BYTES, 0) != (ssize_t)PAGE_BYTES)
		return ctx_error(ctx, "writing the test file");
	fd_read_only = program_reopen(fd, O_RDONLY);
	if (fd_read_only < 0)
		return ctx_cannot(ctx, "opening the test file again");
	for (unsigned int i = 0; i < VARIANTS; i++) {
		if (run_one(ctx, i) < 0)
			return -1;
	}
	return 0;
}

static const struct variant variants[VARIANTS] = {
	[MAP_NONE] = BENCH_CELL("map=none"),
	[MAP_READ] = BENCH_CELL("map=ro"),
	[MAP_WRITE] = BENCH_CELL("map=rw"),
};

const struct test test_bench_read_mapped = {
	.name = "bench-read-mapped",
	.description = "read(2) of a page of a file, with and without a mapping that could write",
	.api = "flush_dcache_page in filemap_read and shmem, mapping_writably_mapped",
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
