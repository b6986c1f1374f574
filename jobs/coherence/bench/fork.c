/* bench-fork, bench-forkexec: a child that ends at once, or runs another program, with so many bytes of ours touched.
 * fork flushes the whole cache on VIVT before pages become shared, and copies page tables on any. */
#include "bench.h"
#include "child.h"
#include "pool.h"
#include "program.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const size_t sizes[] = {0, 1U << 20, 8U << 20};

#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static char program[40];

static int forks(struct ctx *ctx, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		pid_t pid = child_fork();

		if (pid == 0)
			child_exit(0);
		if (pid < 0)
			return ctx_error(ctx, "fork");
		if (child_wait(ctx, pid) < 0)
			return -1;
	}
	return 0;
}

static int forkexecs(struct ctx *ctx, unsigned int count)
{
	char name[] = "program";
	char *argv[] = {name, NULL};

	for (unsigned int i = 0; i < count; i++) {
		uint32_t status;

		if (program_run(ctx, program, argv, argv + 1, &status) < 0)
			return -1;
	}
	return 0;
}

static int run_sizes(struct ctx *ctx, const char *operation, measure_fn *run)
{
	for (unsigned int i = 0; i < SIZES; i++) {
		struct bench bench = {operation, (unsigned int)(sizes[i] / PAGE_BYTES),
		                      i == 0 ? -1 : 0, run};
		uint8_t *memory = sizes[i] == 0 ? NULL : bench_memory(ctx, sizes[i]);

		if (sizes[i] != 0 && memory == NULL)
			return -1;
		if (bench_variant(ctx, i, &bench) < 0)
			return -1;
		if (memory != NULL)
			(void)munmap(memory, sizes[i]);
	}
	return 0;
}

static int run_fork(struct ctx *ctx)
{
	return run_sizes(ctx, "fork", forks);
}

static int run_forkexec(struct ctx *ctx)
{
	static uint8_t image[PROGRAM_BYTES];
	int file = file_on_tmpfs(ctx, 0, 0);
	int fd;

	if (file < 0)
		return -1;
	program_image(image, 1);
	if (write(file, image, sizeof(image)) != (ssize_t)sizeof(image) || fchmod(file, 0700) < 0)
		return ctx_error(ctx, "writing a program");
	fd = program_reopen(file, O_RDONLY);
	if (fd < 0)
		return ctx_cannot(ctx, "opening a program");
	(void)close(file); /* nothing that is open for writing is executed */
	(void)snprintf(program, sizeof(program), "/proc/self/fd/%d", fd);
	return run_sizes(ctx, "fork-exec", forkexecs);
}

static const struct variant variants[SIZES] = {
	BENCH_CELL("rss=0"),
	BENCH_CELL("rss=1048576"),
	BENCH_CELL("rss=8388608"),
};

const struct test test_bench_fork = {
	.name = "bench-fork",
	.description = "fork, exit and wait, with memory of ours touched",
	.api = "flush_cache_dup_mm, flush_cache_mm",
	.kind = KIND_INFO,
	.set = SET_BENCH,
	.classes = CLASS_ALL,
	.time_limit_s = 90,
	.iterations = 1,
	.variants = variants,
	.variant_count = SIZES,
	.run = run_fork,
};

const struct test test_bench_forkexec = {
	.name = "bench-forkexec",
	.description = "fork, a small program, and wait, with memory of ours touched",
	.api = "flush_cache_dup_mm, the flush of code when it is mapped",
	.kind = KIND_INFO,
	.set = SET_BENCH,
	.classes = CLASS_ALL,
	.needs = NEED_TMPFS,
	.time_limit_s = 90,
	.iterations = 1,
	.variants = variants,
	.variant_count = SIZES,
	.run = run_forkexec,
};
