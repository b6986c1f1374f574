#include "remote.h"

#include "child.h"
#include "inject.h"
#include "pool.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Of each eighth cache line of 32 bytes, the second word of both its halves. */
#define WORD_MASK  0x3bU /* bits of the word's index */
#define WORD_MATCH 0x01U

enum command { COMMAND_LOAD, COMMAND_DIRTY, COMMAND_STORE, COMMAND_VIEW, COMMAND_END };

/* What the child is told, and where it puts what it sees. */
static struct orders {
	enum command command;
	void *va;
	struct pattern pattern; /* what it stores, or what its view should be */
	enum view_index index;
	struct view view;
	struct inject
		inject; /* the self-check's, as it is now; the child's own is of when it was forked */
} * orders;

static struct pool pool;
static const struct remote_ops *calls;
static struct remote self, child;
static int to_child, from_child;

/* The child's life. */
static int obey(struct ctx *ctx, int in, int out)
{
	const struct inject *inject = ctx->inject != NULL ? &orders->inject : NULL;
	char byte;

	while (read(in, &byte, 1) == 1) {
		switch (orders->command) {
		case COMMAND_LOAD:
			user_load(orders->va);
			break;
		case COMMAND_DIRTY:
			user_dirty(orders->va, &orders->pattern);
			break;
		case COMMAND_STORE:
			pattern_store(orders->va, &orders->pattern);
			break;
		case COMMAND_VIEW:
			view_take(&orders->view, orders->index, orders->va, &orders->pattern,
			          inject);
			break;
		case COMMAND_END:
		default:
			return 0;
		}
		if (write(out, &byte, 1) != 1)
			return 1;
	}
	return 1;
}

static int order(struct ctx *ctx, enum command command, const struct target *target,
                 const struct pattern *pattern)
{
	char byte = 0;

	orders->command = command;
	orders->va = target->va;
	orders->pattern = *pattern;
	if (ctx->inject != NULL)
		orders->inject = *ctx->inject;
	if (write(to_child, &byte, 1) != 1 || read(from_child, &byte, 1) != 1)
		return ctx_error(ctx, "talking to a child");
	return 0;
}

static int view_by_child(struct ctx *ctx, struct target *target, enum view_index index)
{
	views_clear(&orders->view, 1);
	orders->index = index;
	if (order(ctx, COMMAND_VIEW, target, &target->expect) < 0)
		return -1;
	view_merge(&target->views[index], &orders->view);
	return 0;
}

static int child_start(struct ctx *ctx)
{
	int there[2];
	int back[2];
	char path[40];

	if (pipe2(there, O_CLOEXEC) < 0 || pipe2(back, O_CLOEXEC) < 0)
		return ctx_error(ctx, "pipe");
	to_child = there[1];
	from_child = back[0];
	child.pid = child_fork();
	if (child.pid == 0)
		child_exit(obey(ctx, there[0], back[1]));
	if (child.pid < 0)
		return ctx_error(ctx, "fork");
	(void)snprintf(path, sizeof(path), "/proc/%ld/mem", (long)child.pid);
	child.mem = open(path, O_RDWR | O_CLOEXEC);
	return child.mem < 0 ? ctx_cannot(ctx, path) : 0;
}

static int child_end(struct ctx *ctx)
{
	char byte = 0;

	orders->command = COMMAND_END;
	if (write(to_child, &byte, 1) != 1)
		return ctx_error(ctx, "talking to a child");
	(void)close(child.mem);
	return child_wait(ctx, child.pid);
}

/* Reading: the user's words are the newest. */
static int aim_read(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	(void)cell;
	target->user = pattern_of(ctx_stamp(ctx, WRITER_USER, ctx_generation(ctx), target->page));
	target->expect = target->user;
	return 0;
}

/* Writing: all words, or every word of the mask. */
static int aim_write(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	struct pattern source;

	target->user = pattern_of(ctx_stamp(ctx, WRITER_USER, ctx_generation(ctx), target->page));
	source = pattern_of(ctx_stamp(ctx, WRITER_KERNEL, ctx_generation(ctx), target->page));
	target->expect = cell->user == USER_DIRTY ? target->user : target->base;
	target->expect.over = source.base;
	target->expect.to = PAGE_WORDS;
	pattern_store(ctx->source, &source);
	return 0;
}

static int aim_words(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	(void)aim_write(ctx, target, cell);
	target->expect.mask = WORD_MASK;
	target->expect.match = WORD_MATCH;
	return 0;
}

/* Absent means: not loaded, so that the stores go past a cache that allocates on reads. */
static int state_read(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	(void)ctx;
	if (cell->user == USER_DIRTY)
		user_dirty(target->va, &target->user);
	else
		pattern_store(target->va, &target->user);
	return 0;
}

static int state_child_read(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	return order(ctx, cell->user == USER_DIRTY ? COMMAND_DIRTY : COMMAND_STORE, target,
	             &target->user);
}

static int state_child_write(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	if (cell->user == USER_ABSENT)
		return 0;
	return order(ctx, cell->user == USER_DIRTY ? COMMAND_DIRTY : COMMAND_LOAD, target,
	             &target->user);
}

static int base_child(struct ctx *ctx, struct target *target)
{
	return order(ctx, COMMAND_STORE, target, &target->base);
}

static int prime_child(struct ctx *ctx, struct target *target)
{
	return calls->read(ctx, &child, target->va, ctx->buffer, PAGE_BYTES);
}

static int act_read(struct ctx *ctx, struct target *target)
{
	return calls->read(ctx, &self, target->va, ctx->buffer, PAGE_BYTES);
}

static int act_write(struct ctx *ctx, struct target *target)
{
	return calls->write(ctx, &self, target->va, ctx->source, PAGE_BYTES);
}

static int write_words(struct ctx *ctx, const struct remote *remote, const struct target *target)
{
	for (unsigned int word = 0; word < PAGE_WORDS; word++) {
		size_t offset = word * sizeof(uint32_t);

		if (pattern_is_over(&target->expect, word) &&
		    calls->write(ctx, remote, (uint8_t *)target->va + offset, ctx->source + offset,
		                 sizeof(uint32_t)) < 0)
			return -1;
	}
	return 0;
}

static int act_words(struct ctx *ctx, struct target *target)
{
	return write_words(ctx, &self, target);
}

static int act_child_write(struct ctx *ctx, struct target *target)
{
	return calls->write(ctx, &child, target->va, ctx->source, PAGE_BYTES);
}

static int act_child_words(struct ctx *ctx, struct target *target)
{
	return write_words(ctx, &child, target);
}

static int view_of_buffer(struct ctx *ctx, struct target *target)
{
	view_take(&target->views[VIEW_KERNEL], VIEW_KERNEL, ctx->buffer, &target->expect,
	          ctx->inject);
	return 0;
}

static void look_child(struct ctx *ctx, struct target *target)
{
	(void)view_by_child(ctx, target, VIEW_USER);
}

static int kernel_view_child(struct ctx *ctx, struct target *target)
{
	return prime_child(ctx, target) < 0 ? -1 : view_of_buffer(ctx, target);
}

static int late_view_child(struct ctx *ctx, struct target *target)
{
	return view_by_child(ctx, target, VIEW_LATE);
}

static const struct trial_ops ops_of[REMOTE_VARIANTS] = {
	[REMOTE_READ] = {.aim = aim_read,
                         .state = state_read,
                         .act = act_read,
                         .kernel_view = view_of_buffer},
	[REMOTE_WRITE] = {.aim = aim_write, .act = act_write},
	[REMOTE_WORDS] = {.aim = aim_words, .act = act_words},
	[REMOTE_CHILD_READ] = {.base = base_child,
                               .aim = aim_read,
                               .prime = prime_child,
                               .state = state_child_read,
                               .act = prime_child,
                               .look = look_child,
                               .kernel_view = view_of_buffer,
                               .late_view = late_view_child},
	[REMOTE_CHILD_WRITE] = {.base = base_child,
                                .aim = aim_write,
                                .prime = prime_child,
                                .state = state_child_write,
                                .act = act_child_write,
                                .look = look_child,
                                .kernel_view = kernel_view_child,
                                .late_view = late_view_child},
	[REMOTE_CHILD_WORDS] = {.base = base_child,
                                .aim = aim_words,
                                .prime = prime_child,
                                .state = state_child_write,
                                .act = act_child_words,
                                .look = look_child,
                                .kernel_view = kernel_view_child,
                                .late_view = late_view_child},
};

static int run_children(struct ctx *ctx)
{
	ctx->act_sleeps = true; /* until the child has answered */
	if (child_start(ctx) < 0)
		return -1;
	for (unsigned int variant = REMOTE_CHILD_READ; variant <= REMOTE_CHILD_WORDS; variant++) {
		if (trial_run_variant(ctx, variant, &ops_of[variant], &pool) < 0)
			return -1;
	}
	ctx->act_sleeps = false;
	return child_end(ctx);
}

int remote_run(struct ctx *ctx, const struct remote_ops *ops)
{
	calls = ops;
	self = (struct remote){.pid = getpid(), .mem = ctx->self_mem};
	orders = child_memory(ctx, sizeof(*orders));
	if (orders == NULL || pool_anon(ctx, &pool) < 0)
		return -1;
	for (unsigned int variant = REMOTE_READ; variant <= REMOTE_WORDS; variant++) {
		if (trial_run_variant(ctx, variant, &ops_of[variant], &pool) < 0)
			return -1;
	}
	return run_children(ctx);
}
