/* exec-args: a new program gets the arguments and the environment that execve(2) was given.
 *
 * The kernel copies the strings into pages of the new stack through its own alias, page by page from the end, and must
 * bring each page out before the program looks (flush_dcache_page, flush_arg_page in copy_strings). Some 96 KiB of
 * them, ending everywhere in a page; `long-name` has a name longer than two pages, `script` goes through the
 * interpreter of a script, which takes the stack's first strings off and puts others there. The program is this one.
 * No kernel that was tried makes it fail: without any flush in copy_strings it passes on VIVT and on aliasing VIPT,
 * with stores that allocate and without, because the change of address space cleans everything. */
#include "arguments.h"
#include "number.h"
#include "pool.h"
#include "program.h"
#include "tests.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { VARIANT_STRINGS, VARIANT_LONG_NAME, VARIANT_SCRIPT, VARIANTS };

#define ITSELF "/proc/self/exe"

static char *argv[ARGUMENTS_EACH + ARGUMENTS_FIXED];
static char *envp[ARGUMENTS_EACH + 1U];

static int run_variant(struct ctx *ctx, unsigned int variant, enum start start, const char *path)
{
	struct number number = {.cell = variant, .fault = FAULT_STALE_MEMORY, .want = 0};

	ctx->report->running_cell = variant;
	for (; number.iteration < ctx->iterations; number.iteration++) {
		arguments_make(start, ctx_generation(ctx), argv, envp);
		number.before = machine_switches();
		if (program_run(ctx, path, argv, envp, &number.got) < 0)
			return -1;
		(void)number_check(ctx, &number);
		machine_breathe();
	}
	return 0;
}

/* A script of which this program is the interpreter: the link is followed by the one who executes it. */
static int open_script(struct ctx *ctx)
{
	static const char text[] = "#!" ITSELF " " ARGUMENTS_COMMAND "\n";
	int file = file_on_tmpfs(ctx, 0, 0);
	int script;

	if (file < 0)
		return -1;
	if (write(file, text, strlen(text)) != (ssize_t)strlen(text))
		return ctx_error(ctx, "writing a script");
	script = program_reopen(file, O_RDONLY);
	(void)close(file);
	return script < 0 ? ctx_error(ctx, "opening a script") : script;
}

static int run_script(struct ctx *ctx)
{
	char path[40];
	int script = open_script(ctx);

	if (script < 0)
		return -1;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", script);
	/* The interpreter opens the script by this path, as a shell would; nothing else does. */
	return run_variant(ctx, VARIANT_SCRIPT, START_SCRIPT, path);
}

static int run(struct ctx *ctx)
{
	ctx->act_sleeps = true;
	if (run_variant(ctx, VARIANT_STRINGS, START_DIRECT, ITSELF) < 0 ||
	    run_variant(ctx, VARIANT_LONG_NAME, START_LONG_NAME, ITSELF) < 0)
		return -1;
	return run_script(ctx);
}

static const struct variant variants[VARIANTS] = {
	[VARIANT_STRINGS] = {"strings", KIND_CONTRACT, 0, 0, 0},
	[VARIANT_LONG_NAME] = {"long-name", KIND_CONTRACT, 0, 0, 0},
	[VARIANT_SCRIPT] = {"script", KIND_CONTRACT, 0, 0, 0},
};

const struct test test_exec_args = {
	.name = "exec-args",
	.description = "a program gets the arguments and environment that it was given",
	.api = "flush_dcache_page, flush_arg_page in copy_strings",
	.kind = KIND_CONTRACT,
	.classes = CLASS_VIPT_ALIASING,
	.needs = NEED_TMPFS,
	.time_limit_s = 60,
	.iterations = 4,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
