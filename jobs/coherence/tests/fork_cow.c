/* fork-cow: who writes first to a page after fork gets a copy; nobody loses anything.
 *
 * The copy is made by the kernel from memory, or through a window of its own, while the words
 * to copy may still be dirty in the user's lines. The writer changes every other half-line
 * only, so that the rest shows what was copied. One page at a time and the bare fork system
 * call: more would push the lines in question out of a small cache. Both sides are looked at,
 * each with its own three views. */
#include "child.h"
#include "pool.h"
#include "tests.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	VARIANT_PARENT_FIRST,
	VARIANT_CHILD_FIRST,
	VARIANT_CHAIN,
	VARIANT_FILE,
	VARIANT_ZERO,
	VARIANTS
};

#define CHAIN 4U

static struct pool pool;
static unsigned int running; /* variant */

/* What the children of one trial saw. */
struct witness {
	struct pattern expect;
	struct view views[VIEW_COUNT];
};

static struct mailbox {
	struct witness witnesses[TARGETS_PER_DELTA][CHAIN];
} * mailbox;

static unsigned int in_batch; /* which row of the mailbox the running trial uses */

static int base(struct ctx *ctx, struct target *target)
{
	(void)ctx;
	in_batch = 0;
	pattern_store(target->va, &target->base);
	return 0;
}

static int aim(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	struct stamp mine;

	target->user = pattern_of(ctx_stamp(ctx, WRITER_USER, ctx_generation(ctx), target->page));
	mine = ctx_stamp(ctx, WRITER_USER, ctx_generation(ctx), target->page);
	target->expect = cell->user == USER_DIRTY ? target->user : target->base;
	target->expect.over = mine;
	target->expect.to = running == VARIANT_CHILD_FIRST ? 0 : PAGE_WORDS;
	target->expect.mask = PATTERN_EVEN_HALVES;
	for (unsigned int i = 0; i < CHAIN; i++)
		views_clear(mailbox->witnesses[in_batch][i].views, VIEW_COUNT);
	return 0;
}

/* A child's three views, into the mailbox. */
static int testify(struct ctx *ctx, const struct target *target, struct witness *witness)
{
	int fd;
	int result;

	view_take(&witness->views[VIEW_USER], VIEW_USER, target->va, &witness->expect, ctx->inject);
	fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	result = fd < 0 ? -1 : kernel_read_own(fd, target->va, ctx->buffer);
	if (result == 0)
		view_take(&witness->views[VIEW_KERNEL], VIEW_KERNEL, ctx->buffer, &witness->expect,
		          ctx->inject);
	machine_evict();
	view_take(&witness->views[VIEW_LATE], VIEW_LATE, target->va, &witness->expect, ctx->inject);
	return result;
}

/* The content before the parent's own write. */
static struct pattern unwritten(const struct target *target)
{
	struct pattern pattern = target->expect;

	pattern.to = 0;
	return pattern;
}

static pid_t witness_pid;

static int act_parent_first(struct ctx *ctx, struct target *target)
{
	struct witness *witness = &mailbox->witnesses[in_batch][0];

	witness->expect = unwritten(target);
	witness_pid = child_fork();
	if (witness_pid == 0)
		child_exit(testify(ctx, target, witness) < 0 ? 1 : 0);
	if (witness_pid < 0)
		return ctx_error(ctx, "fork");
	pattern_store_over(target->va, &target->expect);
	return 0;
}

static int act_child_first(struct ctx *ctx, struct target *target)
{
	struct witness *witness = &mailbox->witnesses[in_batch][0];

	witness->expect = target->expect;
	witness->expect.to = PAGE_WORDS;
	witness_pid = child_fork();
	if (witness_pid == 0) {
		pattern_store_over(target->va, &witness->expect);
		child_exit(testify(ctx, target, witness) < 0 ? 1 : 0);
	}
	if (witness_pid < 0)
		return ctx_error(ctx, "fork");
	return child_wait(ctx, witness_pid);
}

/* Each link writes after its parent has, forks the next link, looks, and waits for it. */
static int chain_link(struct ctx *ctx, const struct target *target, unsigned int link)
{
	struct witness *witness = &mailbox->witnesses[in_batch][link];
	pid_t next;
	int result;

	witness->expect = target->expect;
	witness->expect.over.generation = (uint16_t)(witness->expect.over.generation + link + 1U);
	pattern_store_over(target->va, &witness->expect);
	next = link + 1 < CHAIN ? child_fork() : -1;
	if (next == 0)
		child_exit(chain_link(ctx, target, link + 1) < 0 ? 1 : 0);
	if (next < 0 && link + 1 < CHAIN)
		return -1;
	result = testify(ctx, target, witness);
	return next > 0 && child_wait(ctx, next) < 0 ? -1 : result;
}

static int act_chain(struct ctx *ctx, struct target *target)
{
	for (unsigned int i = 0; i < CHAIN; i++)
		(void)ctx_generation(ctx); /* the links' own */
	pattern_store_over(target->va, &target->expect);
	witness_pid = child_fork();
	if (witness_pid == 0)
		child_exit(chain_link(ctx, target, 0) < 0 ? 1 : 0);
	return witness_pid < 0 ? ctx_error(ctx, "fork") : 0;
}

static int kernel_view(struct ctx *ctx, struct target *target)
{
	if (trial_read(ctx, target) < 0)
		return -1;
	view_take(&target->views[VIEW_KERNEL], VIEW_KERNEL, ctx->buffer, &target->expect,
	          ctx->inject);
	in_batch++;
	return running == VARIANT_CHILD_FIRST ? 0 : child_wait(ctx, witness_pid);
}

static void report_witnesses(struct ctx *ctx, const struct target *target, unsigned int row)
{
	unsigned int count = running == VARIANT_CHAIN ? CHAIN : 1;

	for (unsigned int i = 0; i < count; i++) {
		const struct witness *witness = &mailbox->witnesses[row][i];
		struct finding finding = {
			.cell = ctx->report->running_cell,
			.control = ctx->control,
			.views = witness->views,
			.expect = &witness->expect,
			.place = target_place(target),
		};

		finding.place.by_child = 1;
		(void)report_finding(ctx->report, &finding);
	}
}

static int late(struct ctx *ctx, struct target **targets, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		report_witnesses(ctx, targets[i], i);
	in_batch = 0;
	return 0;
}

/* The writer's copy is another frame, of another colour perhaps. */
static int end(struct ctx *ctx, struct target *target)
{
	(void)ctx;
	target->pfn = page_frame(target->va);
	target->delta = (int)((colour_of(target->va) ^ target->pfn) & COLOUR_MASK);
	return 0;
}

/* file: the first access to a private mapping is a write, so the copy is of the page cache. */

static int file_base(struct ctx *ctx, struct target *target)
{
	pattern_store(ctx->source, &target->base);
	if (pwrite(target->fd, ctx->source, PAGE_BYTES, target->offset) != (ssize_t)PAGE_BYTES)
		return ctx_error(ctx, "writing the test file");
	return target_map(ctx, target, PROT_READ | PROT_WRITE, MAP_PRIVATE);
}

static int file_act(struct ctx *ctx, struct target *target)
{
	(void)ctx;
	pattern_store_over(target->va, &target->expect);
	return 0;
}

/* Our copy, not the file. */
static int file_kernel_view(struct ctx *ctx, struct target *target)
{
	if (kernel_read_own(ctx->self_mem, target->va, ctx->buffer) < 0)
		return ctx_error(ctx, "reading /proc/self/mem");
	view_take(&target->views[VIEW_KERNEL], VIEW_KERNEL, ctx->buffer, &target->expect,
	          ctx->inject);
	return 0;
}

static int run_file(struct ctx *ctx)
{
	static const struct trial_ops ops = {
		.base = file_base,
		.aim = aim,
		.act = file_act,
		.kernel_view = file_kernel_view,
		.end = target_unmap,
	};

	running = VARIANT_FILE;
	ctx->act_sleeps = false;
	if (pool_files(ctx, &pool, file_on_tmpfs) < 0)
		return -1;
	if (trial_run_variant(ctx, VARIANT_FILE, &ops, &pool) < 0)
		return -1;
	pool_free(&pool);
	return 0;
}

/* zero: memory that was only read so far is the zero page of all. Nothing of it is copied, so only the flush behind the
 * copy takes its lines away from the address: stores that hit them would go to everybody's zero page. */

static int zero_base(struct ctx *ctx, struct target *target)
{
	target->base.base.writer = WRITER_ZERO;
	return target_map(ctx, target, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
}

static int run_zero(struct ctx *ctx)
{
	static const struct trial_ops ops = {
		.base = zero_base,
		.aim = aim,
		.act = file_act,
		.kernel_view = file_kernel_view,
	};

	running = VARIANT_ZERO;
	ctx->act_sleeps = false;
	if (pool_anon(ctx, &pool) < 0 || trial_run_variant(ctx, VARIANT_ZERO, &ops, &pool) < 0)
		return -1;
	pool_free(&pool);
	return 0;
}

static const struct trial_ops fork_ops[] = {
	[VARIANT_PARENT_FIRST] = {.base = base,
                                  .aim = aim,
                                  .act = act_parent_first,
                                  .kernel_view = kernel_view,
                                  .late = late,
                                  .end = end},
	[VARIANT_CHILD_FIRST] = {.base = base,
                                 .aim = aim,
                                 .act = act_child_first,
                                 .kernel_view = kernel_view,
                                 .late = late,
                                 .end = end},
	[VARIANT_CHAIN] = {.base = base,
                           .aim = aim,
                           .act = act_chain,
                           .kernel_view = kernel_view,
                           .late = late,
                           .end = end},
};

static unsigned int of_delta(int delta)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < pool.count; i++)
		count += delta < 0 || pool.targets[i].delta == delta ? 1U : 0U;
	return count;
}

/* Copies land in frames of any colour, so the pool thins out: fill it again when it has. */
static int run_forks(struct ctx *ctx)
{
	for (unsigned int cell = 0; cell < ctx->report->cell_count; cell++) {
		struct cell parts = test_cell(ctx->test, cell);

		if (parts.variant != running)
			continue;
		if (of_delta(parts.delta) < TARGETS_PER_DELTA) {
			pool_free(&pool);
			if (pool_anon(ctx, &pool) < 0)
				return -1;
		}
		if (trial_run(ctx, cell, &fork_ops[running], &pool) < 0)
			return -1;
	}
	pool_free(&pool);
	return 0;
}

static int run(struct ctx *ctx)
{
	mailbox = child_memory(ctx, sizeof(*mailbox));
	if (mailbox == NULL)
		return -1;
	for (running = VARIANT_PARENT_FIRST; running <= VARIANT_CHAIN; running++) {
		/* A child that writes first is waited for; the others run when we sleep. */
		ctx->act_sleeps = running == VARIANT_CHILD_FIRST;
		if (run_forks(ctx) < 0)
			return -1;
	}
	return run_file(ctx) < 0 ? -1 : run_zero(ctx);
}

static const struct variant variants[VARIANTS] = {
	[VARIANT_PARENT_FIRST] = {"parent-first", KIND_CONTRACT, USER_ALL, KERNEL_ALL, DELTA_ALL},
	[VARIANT_CHILD_FIRST] = {"child-first", KIND_CONTRACT, USER_ALL, KERNEL_ALL, DELTA_ALL},
	[VARIANT_CHAIN] = {"chain", KIND_CONTRACT, USER_ALL, 0, 0},
	[VARIANT_FILE] = {"file", KIND_CONTRACT, 0, KERNEL_ALL, DELTA_ALL},
	[VARIANT_ZERO] = {"zero", KIND_CONTRACT, 1U << USER_ABSENT | 1U << USER_CLEAN, 0, 0},
};

const struct test test_fork_cow = {
	.name = "fork-cow",
	.description =
		"copy-on-write after fork and of private file pages copies what was last written",
	.api = "flush_cache_dup_mm, copy_user_highpage, flush_cache_page in wp_page_copy",
	.kind = KIND_CONTRACT,
	.classes = CLASS_ALIASING,
	.needs = NEED_ROOT | NEED_PAGEMAP | NEED_TMPFS,
	.time_limit_s = 60,
	.iterations = 1,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
