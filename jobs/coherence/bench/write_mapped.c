/* bench-write-mapped: write(2) of one page of a file, again and again, by who has it mapped.
 * A page that nobody maps only loses PG_dcache_clean, the flush is put off; a mapped one is flushed at once under the
 * kernel's address, and under each of the writer's own. */
#include "bench.h"
#include "child.h"
#include "pool.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAP_NONE, MAP_READ, MAP_WRITE, MAP_OTHER, VARIANTS };

static int fd;

static int writes(struct ctx *ctx, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		if (pwrite(fd, ctx->source, PAGE_BYTES, 0) != (ssize_t)PAGE_BYTES)
			return ctx_error(ctx, "writing the test file");
	}
	return 0;
}

static void *map_touched(int prot)
{
	void *at = mmap(NULL, PAGE_BYTES, prot, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		return NULL;
	if ((prot & PROT_WRITE) != 0)
		bench_dirty(at, PAGE_BYTES);
	else
		user_load(at);
	return at;
}

/* A process that has the page mapped, until it is killed. Tells by a byte that it has. */
static pid_t start_other(struct ctx *ctx)
{
	int ready[2];
	char byte = 0;
	pid_t pid;

	if (pipe(ready) < 0)
		return ctx_error(ctx, "pipe");
	pid = child_fork();
	if (pid == 0) {
		if (map_touched(PROT_READ | PROT_WRITE) != NULL)
			(void)!write(ready[1], &byte, 1);
		for (;;)
			(void)pause();
	}
	if (pid < 0)
		return ctx_error(ctx, "fork");
	(void)close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		return ctx_error(ctx, "the other process did not map the page");
	(void)close(ready[0]);
	return pid;
}

static int run_one(struct ctx *ctx, unsigned int variant)
{
	static const int protections[VARIANTS] = {
		[MAP_READ] = PROT_READ, [MAP_WRITE] = PROT_READ | PROT_WRITE};
	struct bench bench = {"write", 1, variant == MAP_NONE ? -1 : MAP_NONE, writes};
	void *at = NULL;
	pid_t other = 0;
	int result;

	if (variant == MAP_READ || variant == MAP_WRITE) {
		at = map_touched(protections[variant]);
		if (at == NULL)
			return ctx_cannot(ctx, "mapping the test file");
	}
	if (variant == MAP_OTHER) {
		other = start_other(ctx);
		if (other < 0)
			return -1;
	}
	result = bench_variant(ctx, variant, &bench);
	if (at != NULL)
		(void)munmap(at, PAGE_BYTES);
	if (other > 0) {
		(void)kill(other, SIGKILL);
		(void)waitpid(other, NULL, 0);
	}
	return result;
}

static int run(struct ctx *ctx)
{
	fd = file_on_tmpfs(ctx, 0, PAGE_BYTES);
	if (fd < 0)
		return -1;
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
	[MAP_OTHER] = BENCH_CELL("map=other"),
};

const struct test test_bench_write_mapped = {
	.name = "bench-write-mapped",
	.description = "write(2) to a page of a file, unmapped, mapped here, mapped elsewhere",
	.api = "flush_dcache_page: PG_dcache_clean, the walk over user aliases",
	.kind = KIND_INFO,
	.set = SET_BENCH,
	.classes = CLASS_ALL,
	.needs = NEED_TMPFS,
	.time_limit_s = 90,
	.iterations = 1,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
