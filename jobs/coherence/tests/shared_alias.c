/* shared-alias: one page, mapped at two addresses of one process.
 *
 * What is stored through A must be read through B, and words that B has changed in the same
 * half-line must survive. On VIVT the kernel makes such pages uncached when the second mapping
 * faults in (make_coherent); on an aliasing VIPT cache it refuses addresses of another colour.
 * delta is the distance in colour between A and B. The variants bring the second mapping about
 * in different ways. */
#include "child.h"
#include "pool.h"
#include "tests.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

enum {
	VARIANT_TWICE,
	VARIANT_THRICE,
	VARIANT_TWO_FDS,
	VARIANT_LATE,
	VARIANT_REMAP,
	VARIANT_FORK,
	VARIANT_MLOCK,
	VARIANT_COMPACT,
	VARIANT_CHOSEN,
	VARIANT_SHMAT,
	VARIANTS,
};

#define COMPACT "/proc/sys/vm/compact_memory"

static struct pool pool;
static void *slots_b, *slots_c;
static void *third[POOL_MAX];   /* a third mapping, or NULL */
static struct pattern newest;   /* what the act stores through A */
static enum reason map_refused; /* why B could not be mapped in this cell */

static int aim(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	target->user = pattern_of(ctx_stamp(ctx, WRITER_USER, ctx_generation(ctx), target->page));
	newest = (struct pattern){
		.over = ctx_stamp(ctx, WRITER_USER, ctx_generation(ctx), target->page),
		.to = PAGE_WORDS,
		.mask = PATTERN_EVEN_WORDS,
	};
	target->expect = newest;
	target->expect.base = cell->user == USER_DIRTY ? target->user.base : target->base.base;
	return 0;
}

static int base(struct ctx *ctx, struct target *target)
{
	(void)ctx;
	pattern_store(target->alias, &target->base);
	return 0;
}

static int act_store(struct ctx *ctx, struct target *target)
{
	(void)ctx;
	user_dirty_over(target->alias, &newest);
	return 0;
}

static void look(struct ctx *ctx, struct target *target)
{
	struct view *view = &target->views[VIEW_USER];

	view_take(view, VIEW_USER, target->va, &target->expect, ctx->inject);
	if (third[target->page] != NULL)
		view_take(view, VIEW_USER, third[target->page], &target->expect, ctx->inject);
	view_take(view, VIEW_USER, target->alias, &target->expect, ctx->inject);
}

static int map_b(struct ctx *ctx, struct target *target)
{
	return target_map(ctx, target, PROT_READ | PROT_WRITE, MAP_SHARED);
}

/* B is mapped only after A is dirty. */
static int act_late(struct ctx *ctx, struct target *target)
{
	return act_store(ctx, target) < 0 ? -1 : map_b(ctx, target);
}

static int act_remap(struct ctx *ctx, struct target *target)
{
	if (target_unmap(ctx, target) < 0 || act_store(ctx, target) < 0)
		return -1;
	return map_b(ctx, target);
}

static int leave(void *argument)
{
	(void)argument;
	return 0;
}

static int act_fork(struct ctx *ctx, struct target *target)
{
	return child_run(ctx, leave, NULL) < 0 ? -1 : act_store(ctx, target);
}

static int act_mlock(struct ctx *ctx, struct target *target)
{
	if (mlock(target->va, PAGE_BYTES) < 0)
		return ctx_error(ctx, "mlock");
	return act_store(ctx, target);
}

/* Migration calls update_mmu_cache without a fault: the shape of an oops in 6.14. */
static int act_compact(struct ctx *ctx, struct target *target)
{
	int fd = open(COMPACT, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "1", 1) != 1)
		return ctx_error(ctx, COMPACT);
	(void)close(fd);
	return act_store(ctx, target);
}

/* Map A where the page's own colour is, and B delta away from it. Returns 0; 1 when this
 * kernel refuses the colour; or -1. */
static int map_pair(struct ctx *ctx, struct target *target, unsigned int delta, bool with_b)
{
	unsigned int colour = colour_of(target->va);

	target->alias = mmap(target->va, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
	                     target->fd, target->offset);
	if (target->alias == MAP_FAILED)
		return ctx_error(ctx, "mapping a test page");
	target->delta = (int)delta;
	target->slot = slots_b;
	target->va = slot_at(slots_b, target->slot_index, colour ^ delta);
	if (mmap(target->va, PAGE_BYTES, with_b ? PROT_READ | PROT_WRITE : PROT_NONE,
	         MAP_SHARED | MAP_FIXED, target->fd, target->offset) == MAP_FAILED) {
		if (errno != EINVAL)
			return ctx_error(ctx, "mapping a test page twice");
		map_refused = REASON_NOT_APPLICABLE;
		return 1;
	}
	if (!with_b)
		slot_clear(slots_b, target->slot_index);
	return 0;
}

static int map_third(struct ctx *ctx, struct target *target)
{
	void *at = slot_at(slots_c, target->slot_index, colour_of(target->alias));

	third[target->page] = mmap(at, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
	                           target->fd, target->offset);
	return third[target->page] == MAP_FAILED ? ctx_error(ctx, "mapping a test page thrice") : 0;
}

/* Another open file of the same inode for B. */
static int reopen(struct ctx *ctx, struct target *target)
{
	char path[40];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", target->fd);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return ctx_error(ctx, "opening the test file again");
	(void)close(target->fd); /* A's mapping keeps its own open file */
	target->fd = fd;
	return map_b(ctx, target);
}

static int prepare(struct ctx *ctx, unsigned int variant, struct target *target, unsigned int delta)
{
	int result = map_pair(ctx, target, delta, variant != VARIANT_LATE);

	if (result != 0)
		return result;
	if (variant == VARIANT_THRICE)
		return map_third(ctx, target);
	if (variant == VARIANT_TWO_FDS)
		return reopen(ctx, target);
	return 0;
}

static int run_pairs(struct ctx *ctx, unsigned int variant, const struct trial_ops *ops)
{
	static void *slots_a;

	if (pool_unmapped(ctx, &pool, file_on_tmpfs, POOL_MAX) < 0)
		return -1;
	slots_a = pool.targets[0].slot;
	map_refused = REASON_NONE;
	for (unsigned int i = 0; i < pool.count; i++) {
		unsigned int delta = i % DELTA_COUNT;
		struct target *target = &pool.targets[i];
		int result = prepare(ctx, variant, target, delta);

		if (result < 0)
			return -1;
		target->unusable = result > 0;
	}
	for (unsigned int cell = 0; map_refused != REASON_NONE && cell < ctx->report->cell_count;
	     cell++) {
		if (test_cell(ctx->test, cell).variant == variant &&
		    test_cell(ctx->test, cell).delta > 0)
			ctx_skip_cell(ctx, cell, map_refused);
	}
	if (trial_run_variant(ctx, variant, ops, &pool) < 0)
		return -1;
	for (unsigned int i = 0; i < POOL_MAX; i++) {
		third[i] = NULL;
		slot_clear(slots_a, i);
		slot_clear(slots_c, i);
	}
	pool_free(&pool);
	return 0;
}

/* Addresses as the kernel gives them when it is not told any. */
static int run_chosen(struct ctx *ctx)
{
	static const struct trial_ops ops = {
		.base = base, .aim = aim, .act = act_store, .look = look};

	if (pool_unmapped(ctx, &pool, file_on_tmpfs, TARGETS_PER_DELTA) < 0)
		return -1;
	for (unsigned int i = 0; i < pool.count; i++) {
		struct target *target = &pool.targets[i];

		target->alias = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
		                     target->fd, target->offset);
		target->va = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, target->fd,
		                  target->offset);
		if (target->alias == MAP_FAILED || target->va == MAP_FAILED)
			return ctx_error(ctx, "mapping a test page");
	}
	return trial_run_variant(ctx, VARIANT_CHOSEN, &ops, &pool);
}

static void *attach(int id)
{
	void *at = shmat(id, NULL, 0);

	return (intptr_t)at == -1 ? NULL : at;
}

/* System V shared memory: attached twice, its kernel view is our own memory's. */
static int run_shmat(struct ctx *ctx)
{
	static const struct trial_ops ops = {
		.base = base, .aim = aim, .act = act_store, .look = look};
	int id = shmget(IPC_PRIVATE, (size_t)TARGETS_PER_DELTA * PAGE_BYTES, IPC_CREAT | 0600);
	uint8_t *first;
	uint8_t *second;

	if (id < 0 && errno == ENOSYS) {
		ctx_skip_variant(ctx, VARIANT_SHMAT, REASON_NOCONFIG);
		return 0;
	}
	if (id < 0)
		return ctx_error(ctx, "shmget");
	first = attach(id);
	second = attach(id);
	(void)shmctl(id, IPC_RMID, NULL); /* goes with its last user */
	if (first == NULL || second == NULL)
		return ctx_error(ctx, "shmat");
	if (pool_start(ctx, &pool) < 0)
		return -1;
	pool.count = TARGETS_PER_DELTA;
	for (unsigned int i = 0; i < pool.count; i++) {
		pool.targets[i] = (struct target){
			.fd = -1,
			.page = i,
			.alias = first + (size_t)i * PAGE_BYTES,
			.va = second + (size_t)i * PAGE_BYTES,
			.views = pool.views + (size_t)VIEW_COUNT * i,
		};
	}
	return trial_run_variant(ctx, VARIANT_SHMAT, &ops, &pool);
}

static const struct trial_ops pair_ops[] = {
	[VARIANT_TWICE] = {.base = base, .aim = aim, .act = act_store, .look = look},
	[VARIANT_THRICE] = {.base = base, .aim = aim, .act = act_store, .look = look},
	[VARIANT_TWO_FDS] = {.base = base, .aim = aim, .act = act_store, .look = look},
	[VARIANT_LATE] =
		{.base = base, .aim = aim, .act = act_late, .look = look, .end = target_unmap},
	[VARIANT_REMAP] = {.base = base, .aim = aim, .act = act_remap, .look = look},
	[VARIANT_FORK] = {.base = base, .aim = aim, .act = act_fork, .look = look},
	[VARIANT_MLOCK] = {.base = base, .aim = aim, .act = act_mlock, .look = look},
	[VARIANT_COMPACT] = {.base = base, .aim = aim, .act = act_compact, .look = look},
};

static int run(struct ctx *ctx)
{
	slots_b = slots_reserve(POOL_MAX);
	slots_c = slots_reserve(POOL_MAX);
	if (slots_b == NULL || slots_c == NULL)
		return ctx_error(ctx, "reserving addresses");
	if (access(COMPACT, W_OK) < 0)
		ctx_skip_variant(ctx, VARIANT_COMPACT,
		                 errno == ENOENT ? REASON_NOCONFIG : REASON_NOPERM);
	for (unsigned int variant = VARIANT_TWICE; variant <= VARIANT_COMPACT; variant++) {
		ctx->act_sleeps = variant == VARIANT_FORK || variant == VARIANT_COMPACT;
		if (run_pairs(ctx, variant, &pair_ops[variant]) < 0)
			return -1;
	}
	ctx->act_sleeps = false;
	return run_chosen(ctx) < 0 ? -1 : run_shmat(ctx);
}

static const struct variant variants[VARIANTS] = {
	[VARIANT_TWICE] = {"twice", KIND_CONTRACT, USER_ALL, 0, DELTA_ALL},
	[VARIANT_THRICE] = {"thrice", KIND_CONTRACT, USER_ALL, 0, DELTA_ALL},
	[VARIANT_TWO_FDS] = {"two-fds", KIND_CONTRACT, USER_ALL, 0, DELTA_ALL},
	[VARIANT_LATE] = {"mapped-late", KIND_CONTRACT, 0, 0, DELTA_ALL},
	[VARIANT_REMAP] = {"remap", KIND_CONTRACT, USER_ALL, 0, DELTA_ALL},
	[VARIANT_FORK] = {"fork", KIND_CONTRACT, USER_ALL, 0, DELTA_ALL},
	[VARIANT_MLOCK] = {"mlock", KIND_CONTRACT, USER_ALL, 0, DELTA_ALL},
	[VARIANT_COMPACT] = {"compact", KIND_CONTRACT, 0, 0, 0},
	[VARIANT_CHOSEN] = {"chosen", KIND_CONTRACT, USER_ALL, 0, 0},
	[VARIANT_SHMAT] = {"shmat", KIND_CONTRACT, USER_ALL, 0, 0},
};

const struct test test_shared_alias = {
	.name = "shared-alias",
	.description = "a store through one mapping of a page is seen through another",
	.api = "make_coherent in update_mmu_cache; colouring in arch_get_unmapped_area",
	.kind = KIND_CONTRACT,
	.classes = CLASS_ALIASING,
	.needs = NEED_TMPFS | NEED_SYSVIPC | NEED_COMPACTION,
	.time_limit_s = 60,
	.iterations = 2,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
