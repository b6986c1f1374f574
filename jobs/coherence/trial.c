#include "trial.h"

#include "inject.h"

#include <errno.h>
#include <unistd.h>

/* How many trials are repeated with all caches settled, once a cell has a fault. */
#define CONTROL_BATCHES 2U

int trial_read(struct ctx *ctx, struct target *target)
{
	ssize_t done;

	if (target->fd < 0) {
		if (kernel_read_own(ctx->self_mem, target->va, ctx->buffer) < 0)
			return ctx_error(ctx, "reading /proc/self/mem");
		return 0;
	}
	done = pread(target->fd, ctx->buffer, PAGE_BYTES, target->offset);
	if (done == (ssize_t)PAGE_BYTES)
		return 0;
	if (done >= 0)
		errno = EIO;
	return ctx_error(ctx, "reading the test file");
}

struct place target_place(const struct target *target)
{
	struct place place = {
		.va = (uintptr_t)target->va,
		.pfn = target->pfn,
		.user_colour = (int8_t)colour_of(target->va),
		.kernel_colour = -1,
		.arch_before = (int8_t)target->arch_before,
		.arch_after = -1,
	};

	if (target->pfn != 0)
		place.kernel_colour = (int8_t)(target->pfn & COLOUR_MASK);
	return place;
}

static int set_base(struct ctx *ctx, const struct trial_ops *ops, struct target *target)
{
	views_clear(target->views, VIEW_COUNT);
	target->cipher = NULL;
	target->idle = false;
	target->base = pattern_of(ctx_stamp(ctx, WRITER_POISON, ctx_generation(ctx), target->page));
	if (ops->base != NULL)
		return ops->base(ctx, target);
	pattern_store(target->va, &target->base);
	return 0;
}

static int set_state(struct ctx *ctx, const struct trial_ops *ops, struct target *target,
                     const struct cell *cell)
{
	if (cell->kernel == KERNEL_CLEAN) {
		int result = ops->prime != NULL ? ops->prime(ctx, target) : trial_read(ctx, target);

		if (result < 0)
			return -1;
	}
	if (ops->state != NULL)
		return ops->state(ctx, target, cell);
	if (cell->user == USER_CLEAN)
		user_load(target->va);
	else if (cell->user == USER_DIRTY)
		user_dirty(target->va, &target->user);
	return 0;
}

/* The hot part. In a control trial nothing of the page is cached while the kernel acts, nor
 * when the user looks: what is still wrong then is not the cache's doing. */
static int act_and_look(struct ctx *ctx, const struct trial_ops *ops, struct target *target,
                        bool control)
{
	struct switches before;
	struct switches after;

	if (control)
		machine_settle();
	before = machine_switches();
	if (ops->act(ctx, target) < 0)
		return -1;
	if (control)
		machine_settle();
	if (ops->look != NULL)
		ops->look(ctx, target);
	else
		view_take(&target->views[VIEW_USER], VIEW_USER, target->va, &target->expect,
		          ctx->inject);
	after = machine_switches();
	target->switches.voluntary = after.voluntary - before.voluntary;
	target->switches.involuntary = after.involuntary - before.involuntary;
	return 0;
}

static int run_one(struct ctx *ctx, const struct trial_ops *ops, struct target *target,
                   const struct cell *cell, bool control)
{
	target->arch_before = page_arch_flag(target->pfn);
	if (ops->aim(ctx, target, cell) < 0 || set_state(ctx, ops, target, cell) < 0 ||
	    act_and_look(ctx, ops, target, control) < 0)
		return -1;
	if (ops->kernel_view != NULL)
		return ops->kernel_view(ctx, target);
	if (trial_read(ctx, target) < 0)
		return -1;
	view_take(&target->views[VIEW_KERNEL], VIEW_KERNEL, ctx->buffer, &target->expect,
	          ctx->inject);
	return 0;
}

/* Another process that runs on a VIVT cache between act and view hides the fault: the trial
 * proves nothing. A voluntary switch is the act's own wait, and harmless: what runs then are
 * kernel threads, which borrow our memory map. */
static bool is_masked(const struct ctx *ctx, const struct target *target)
{
	if (!ctx->switch_hides)
		return false;
	return target->switches.involuntary > 0 ||
	       (!ctx->act_sleeps && target->switches.voluntary > 0);
}

static bool is_bad(const struct target *target)
{
	for (unsigned int view = 0; view < VIEW_COUNT; view++) {
		if (halves_count(&target->views[view].bad) > 0)
			return true;
	}
	return false;
}

static void count_one(struct ctx *ctx, struct target *target, unsigned int cell,
                      unsigned int iteration, bool control)
{
	struct finding finding = {
		.cell = cell,
		.iteration = iteration,
		.control = control,
		.views = target->views,
		.expect = &target->expect,
		.cipher = target->cipher,
		.place = target_place(target),
		.nvcsw = target->switches.voluntary,
		.nivcsw = target->switches.involuntary,
	};

	if (target->idle && !is_bad(target))
		return;
	finding.place.arch_after = (int8_t)page_arch_flag(target->pfn);
	(void)report_finding(ctx->report, &finding);
	if (!control && is_masked(ctx, target))
		ctx->report->cells[cell].masked++;
}

struct batch {
	unsigned int cell, iteration, count;
	bool control;
	struct target *targets[POOL_MAX];
};

static int look_late(struct ctx *ctx, const struct trial_ops *ops, struct target *target)
{
	if (ops->late_view != NULL)
		return ops->late_view(ctx, target);
	view_take(&target->views[VIEW_LATE], VIEW_LATE, target->va, &target->expect, ctx->inject);
	return 0;
}

static int run_batch(struct ctx *ctx, const struct trial_ops *ops, struct batch *batch)
{
	struct cell cell = test_cell(ctx->test, batch->cell);

	ctx->control = batch->control;
	for (unsigned int i = 0; i < batch->count; i++) {
		if (set_base(ctx, ops, batch->targets[i]) < 0)
			return -1;
	}
	machine_settle();
	for (unsigned int i = 0; i < batch->count; i++) {
		if (run_one(ctx, ops, batch->targets[i], &cell, batch->control) < 0)
			return -1;
	}
	machine_settle();
	for (unsigned int i = 0; i < batch->count; i++) {
		struct target *target = batch->targets[i];

		if (look_late(ctx, ops, target) < 0)
			return -1;
	}
	if (ops->late != NULL && ops->late(ctx, batch->targets, batch->count) < 0)
		return -1;
	for (unsigned int i = 0; i < batch->count; i++) {
		count_one(ctx, batch->targets[i], batch->cell, batch->iteration, batch->control);
		if (ops->end != NULL && ops->end(ctx, batch->targets[i]) < 0)
			return -1;
	}
	return 0;
}

/* Run one iteration over every chosen target, in batches. */
static int run_all(struct ctx *ctx, const struct trial_ops *ops, const struct batch *chosen)
{
	unsigned int size = ops->batch != 0 ? ops->batch : TARGETS_PER_DELTA;

	for (unsigned int i = 0; i < chosen->count; i += size) {
		struct batch batch = *chosen;

		batch.count = chosen->count - i < size ? chosen->count - i : size;
		for (unsigned int j = 0; j < batch.count; j++)
			batch.targets[j] = chosen->targets[i + j];
		if (run_batch(ctx, ops, &batch) < 0)
			return -1;
	}
	return 0;
}

/* A frame that is not known yet may be any. */
static void choose(const struct ctx *ctx, struct batch *chosen, const struct cell *cell,
                   struct pool *pool)
{
	chosen->count = 0;
	for (unsigned int i = 0; i < pool->count && chosen->count < TARGETS_PER_DELTA; i++) {
		struct target *target = &pool->targets[i];

		if (target->pfn != 0 && target->pfn < ctx->least_frame)
			continue;
		if (!target->unusable && (cell->delta < 0 || target->delta == cell->delta))
			chosen->targets[chosen->count++] = target;
	}
}

static void arm_inject(struct ctx *ctx, const struct cell *cell, bool control)
{
	if (ctx->inject != NULL)
		ctx->inject->active = (cell->user != USER_ABSENT || ctx->inject->absent_too) &&
		                      (!control || ctx->inject->control_too);
}

/* Who asks for fewer iterations than the test's own wants a quick look. */
static unsigned int control_batches(const struct ctx *ctx)
{
	return ctx->iterations < ctx->test->iterations ? 1 : CONTROL_BATCHES;
}

int trial_run(struct ctx *ctx, unsigned int index, const struct trial_ops *ops, struct pool *pool)
{
	struct cell cell = test_cell(ctx->test, index);
	struct batch chosen = {.cell = index};

	ctx->report->running_cell = index;
	arm_inject(ctx, &cell, false);
	for (; chosen.iteration < ctx->iterations; chosen.iteration++) {
		choose(ctx, &chosen, &cell,
		       pool); /* each time: a trial may change a page's frame */
		if (run_all(ctx, ops, &chosen) < 0)
			return -1;
		machine_breathe();
	}
	if (ctx->report->cells[index].bad > 0) {
		chosen.control = true;
		arm_inject(ctx, &cell, true);
		for (unsigned int i = 0; i < control_batches(ctx); i++) {
			if (run_all(ctx, ops, &chosen) < 0)
				return -1;
			machine_breathe();
		}
	}
	return 0;
}

int trial_run_variant(struct ctx *ctx, unsigned int variant, const struct trial_ops *ops,
                      struct pool *pool)
{
	for (unsigned int cell = 0; cell < ctx->report->cell_count; cell++) {
		if (test_cell(ctx->test, cell).variant != variant ||
		    ctx->report->cells[cell].skip != REASON_NONE)
			continue;
		if (trial_run(ctx, cell, ops, pool) < 0)
			return -1;
	}
	return 0;
}
