/* exec-after-write: a program that was written by write(2) is executed, and overwritten in place, again and again.
 *
 * Loading code is the kernel's work from beginning to end: nobody calls cacheflush(2). Each image differs from the one
 * before in every piece of 64 bytes, and the exit status tells how many old pieces ran. Where data aliases
 * (VIVT, aliasing VIPT) changing the address space cleans every data line before the program starts, so a missing flush
 * shows on the other caches only. With k=clean the kernel has just read the file, so that its stores stay in a cache
 * that allocates on reads only. */
#include "ext2.h"
#include "number.h"
#include "overlay.h"
#include "pool.h"
#include "program.h"
#include "tests.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { VARIANT_TMPFS, VARIANT_EXT2, VARIANT_OVERLAY, VARIANTS };

static uint8_t image[PROGRAM_BYTES];

/* Nobody may have the file open for writing when it is executed. */
static int overwrite(struct ctx *ctx, int program, uint8_t byte)
{
	int fd = program_reopen(program, O_WRONLY);
	ssize_t done;

	if (fd < 0)
		return ctx_error(ctx, "opening a program to write it");
	program_image(image, byte);
	done = pwrite(fd, image, sizeof(image), 0);
	(void)close(fd);
	return done == (ssize_t)sizeof(image) ? 0 : ctx_error(ctx, "writing a program");
}

static int prime(struct ctx *ctx, int program)
{
	for (off_t at = 0; at < (off_t)PROGRAM_BYTES; at += (off_t)PAGE_BYTES) {
		if (pread(program, ctx->buffer, PAGE_BYTES, at) != (ssize_t)PAGE_BYTES)
			return ctx_error(ctx, "reading a program");
	}
	return 0;
}

static int trial(struct ctx *ctx, int program, struct number *number, bool kernel_clean)
{
	char path[40];
	char name[] = "program";
	char *argv[] = {name, NULL};
	uint8_t byte = (uint8_t)ctx_generation(ctx);

	if (kernel_clean && prime(ctx, program) < 0)
		return -1;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", program);
	number->before = machine_switches();
	if (overwrite(ctx, program, byte) < 0 ||
	    program_run(ctx, path, argv, argv + 1, &number->got) < 0)
		return -1;
	number->want = program_status(byte);
	number->tag = number->got == PROGRAM_CRASHED ? TAG_TORN : TAG_STALE;
	(void)number_check(ctx, number);
	return 0;
}

/* file is open for reading and writing, and ours. */
static int run_variant(struct ctx *ctx, unsigned int variant, int file)
{
	int program;

	if (file < 0)
		return -1;
	program = program_reopen(file, O_RDONLY);
	if (program < 0 || fchmod(file, 0700) < 0)
		return ctx_error(ctx, "preparing a program");
	(void)close(file);
	if (overwrite(ctx, program, (uint8_t)ctx->generation) < 0)
		return -1;
	for (unsigned int index = 0; index < ctx->report->cell_count; index++) {
		struct cell cell = test_cell(ctx->test, index);
		struct number number = {.cell = index, .fault = FAULT_STALE_CODE};

		if (cell.variant != variant)
			continue;
		ctx->report->running_cell = index;
		for (; number.iteration < ctx->iterations; number.iteration++) {
			if (trial(ctx, program, &number, cell.kernel == KERNEL_CLEAN) < 0)
				return -1;
			machine_breathe();
		}
	}
	(void)close(program);
	return 0;
}

static int run_ext2(struct ctx *ctx)
{
	enum reason reason;
	int mounted = ext2_mount(ctx, &reason);

	if (mounted > 0) {
		ctx_skip_variant(ctx, VARIANT_EXT2, reason);
		return 0;
	}
	return mounted < 0 ? -1 : run_variant(ctx, VARIANT_EXT2, file_on_ext2(ctx, 0, 0));
}

static int run_overlay(struct ctx *ctx)
{
	enum reason reason;
	int mounted = overlay_mount(ctx, &reason);

	if (mounted > 0) {
		ctx_skip_variant(ctx, VARIANT_OVERLAY, reason);
		return 0;
	}
	return mounted < 0 ? -1 : run_variant(ctx, VARIANT_OVERLAY, overlay_file(ctx));
}

static int run(struct ctx *ctx)
{
	ctx->act_sleeps = true;
	if (run_variant(ctx, VARIANT_TMPFS, file_on_tmpfs(ctx, 0, 0)) < 0 || run_ext2(ctx) < 0)
		return -1;
	return run_overlay(ctx);
}

static const struct variant variants[VARIANTS] = {
	[VARIANT_TMPFS] = {"tmpfs", KIND_CONTRACT, 0, KERNEL_ALL, 0},
	[VARIANT_EXT2] = {"ext2", KIND_CONTRACT, 0, KERNEL_ALL, 0},
	[VARIANT_OVERLAY] = {"overlay", KIND_CONTRACT, 0, KERNEL_ALL, 0},
};

const struct test test_exec_after_write = {
	.name = "exec-after-write",
	.description = "a program that write(2) has just changed is what execve(2) runs",
	.api = "__sync_icache_dcache, update_mmu_cache: program pages out of the page cache",
	.kind = KIND_CONTRACT,
	.classes = CLASS_VIPT_NONALIASING | CLASS_PIPT,
	.needs = NEED_ROOT | NEED_TMPFS | NEED_LOOP | NEED_EXT4,
	.time_limit_s = 60,
	.iterations = 6,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
