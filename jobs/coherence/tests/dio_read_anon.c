/* dio-read-anon: a direct read into anonymous memory, decrypted in place by the kernel.
 *
 * dm-crypt reads the ciphertext into the user's page and decrypts it there through the
 * kernel's alias: it reads, then writes, each line, so that even a cache that allocates on
 * reads only ends with dirty lines of the kernel's. Who forgets to flush them leaves the
 * ciphertext, or what was there before, in the user's view. */
#include "cryptdev.h"
#include "pool.h"
#include "tests.h"

static struct crypt device;

static int aim(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	(void)cell;
	target->user = pattern_of(ctx_stamp(ctx, WRITER_USER, ctx_generation(ctx), target->page));
	target->expect = crypt_pattern(&device, target->page);
	target->cipher = crypt_raw(&device, target->page);
	return 0;
}

static int act(struct ctx *ctx, struct target *target)
{
	return crypt_read(ctx, &device, target->page, target->va);
}

static int run(struct ctx *ctx)
{
	static const struct trial_ops ops = {.aim = aim, .act = act};
	static struct pool pool;

	ctx->act_sleeps = true;
	if (crypt_open(ctx, &device) < 0 || pool_anon(ctx, &pool) < 0)
		return -1;
	return trial_run_variant(ctx, 0, &ops, &pool);
}

static const struct variant variants[] = {
	{NULL, KIND_CONTRACT, USER_ALL, KERNEL_ALL, DELTA_ALL},
};

const struct test test_dio_read_anon = {
	.name = "dio-read-anon",
	.description = "direct read through dm-crypt into anonymous memory",
	.api = "flush_dcache_page and flush_anon_page around get_user_pages; scatterwalk",
	.kind = KIND_CONTRACT,
	.classes = CLASS_ALIASING,
	.needs = NEED_ROOT | NEED_PAGEMAP | NEED_TMPFS | NEED_LOOP | NEED_DM_CRYPT,
	.time_limit_s = 60,
	.iterations = 3,
	.variants = variants,
	.variant_count = 1,
	.run = run,
};
