/* private-fixed-colour: a private mapping at a fixed address of any colour.
 *
 * A cache that aliases makes the kernel refuse a shared mapping at an address of the wrong colour, but a private one it takes
 * anywhere. What is read there before the first store is the page itself, which is dirty in lines of another colour. The kernel
 * promises nothing, so this is a gap. delta is the distance in colour of the two mappings. Variants: the private mapping is made
 * after the stores, or is there and resident before them. */
#include "pool.h"
#include "tests.h"

#include <sys/mman.h>

enum { VARIANT_LATE, VARIANT_RESIDENT, VARIANTS };

static struct pool pool;
static void *slots;

static int base(struct ctx *ctx, struct target *target)
{
	pattern_store(target->alias, &target->base);
	/* A hole: unmapping something there at the time of the act would flush all of a cache that aliases. */
	return munmap(target->va, PAGE_BYTES) < 0 ? ctx_error(ctx, "munmap") : 0;
}

static int aim(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	(void)cell;
	target->user = pattern_of(ctx_stamp(ctx, WRITER_USER, ctx_generation(ctx), target->page));
	target->expect = target->user;
	return 0;
}

/* Of the shared mapping; absent means that the stores go past a cache that allocates on reads. */
static int state(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	(void)ctx;
	if (cell->user == USER_DIRTY)
		user_dirty(target->alias, &target->user);
	else
		pattern_store(target->alias, &target->user);
	return 0;
}

static int act_map(struct ctx *ctx, struct target *target)
{
	return target_map(ctx, target, PROT_READ, MAP_PRIVATE);
}

static int state_resident(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	(void)cell;
	if (target_map(ctx, target, PROT_READ, MAP_PRIVATE) < 0)
		return -1;
	user_load(target->va);
	return 0;
}

static int act_store(struct ctx *ctx, struct target *target)
{
	(void)ctx;
	user_dirty(target->alias, &target->user);
	return 0;
}

static const struct trial_ops ops_of[VARIANTS] = {
	[VARIANT_LATE] =
		{.base = base, .aim = aim, .state = state, .act = act_map, .end = target_unmap},
	[VARIANT_RESIDENT] = {.base = base,
                              .aim = aim,
                              .state = state_resident,
                              .act = act_store,
                              .end = target_unmap},
};

/* Shared at the page's own colour; private delta away from it, in another slot. */
static int run(struct ctx *ctx)
{
	slots = slots_reserve(POOL_MAX);
	if (slots == NULL)
		return ctx_error(ctx, "reserving addresses");
	if (pool_unmapped(ctx, &pool, file_on_tmpfs, POOL_MAX) < 0)
		return -1;
	for (unsigned int i = 0; i < pool.count; i++) {
		struct target *target = &pool.targets[i];

		target->alias = target->va;
		if (target_map(ctx, target, PROT_READ | PROT_WRITE, MAP_SHARED) < 0)
			return -1;
		target->delta = (int)(i % DELTA_COUNT);
		target->slot = slots;
		target->va = slot_at(slots, target->slot_index,
		                     colour_of(target->alias) ^ (unsigned int)target->delta);
	}
	return trial_run_variant(ctx, VARIANT_LATE, &ops_of[VARIANT_LATE], &pool) < 0
	               ? -1
	               : trial_run_variant(ctx, VARIANT_RESIDENT, &ops_of[VARIANT_RESIDENT], &pool);
}

#define USER_WRITES (1U << USER_ABSENT | 1U << USER_DIRTY)

static const struct variant variants[VARIANTS] = {
	[VARIANT_LATE] = {"late", KIND_GAP, USER_WRITES, KERNEL_ALL, DELTA_ALL},
	[VARIANT_RESIDENT] = {"resident", KIND_GAP, 0, 0, DELTA_ALL},
};

const struct test test_private_fixed_colour = {
	.name = "private-fixed-colour",
	.description = "a private mapping of any colour shows what a shared one has stored",
	.api = "arch_get_unmapped_area, which lets MAP_PRIVATE | MAP_FIXED through; make_coherent",
	.kind = KIND_GAP,
	.set = SET_EXTENDED,
	.classes = CLASS_ALIASING,
	.needs = NEED_TMPFS,
	.time_limit_s = 30,
	.iterations = 2,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
