/* subline-write-mmap: the user and the kernel write different words of the same half-line.
 *
 * The user stores even words through a mapping, write(2) stores odd ones, four bytes at a time. The user's line is
 * resident and dirty, so it must be cleaned before the kernel touches its neighbours (or it would be written over the
 * kernel's words later), and dropped before the user stores again (or the store would bring the kernel's old words back).
 * Generic file writing forgot the first of these until 2010. Variants: who comes first, and both in turns. */
#include "pool.h"
#include "tests.h"

#include <sys/mman.h>
#include <unistd.h>

enum { VARIANT_USER_FIRST, VARIANT_KERNEL_FIRST, VARIANT_TURNS, VARIANTS };

/* Two neighbouring half-lines of every eight: one cache line has one of each parity. */
#define CHOSEN_HALVES 0x18U /* these bits of the word's index must be 0 */
#define ODD_WORD      1U
#define WORD_MASK     (CHOSEN_HALVES | ODD_WORD)

static struct pool pool;
static struct pattern user_words, kernel_words; /* what each of them stores, in over */

static bool is_chosen(unsigned int half)
{
	return (half * HALF_WORDS & CHOSEN_HALVES) == 0;
}

static int aim(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	struct stamp stored = ctx_stamp(ctx, WRITER_KERNEL, ctx_generation(ctx), target->page);
	struct pattern source = pattern_of(stored);

	target->user = pattern_of(ctx_stamp(ctx, WRITER_USER, ctx_generation(ctx), target->page));
	user_words =
		(struct pattern){.over = stored, .to = PAGE_WORDS, .mask = WORD_MASK, .match = 0};
	kernel_words = user_words;
	kernel_words.match = ODD_WORD;
	/* Both sides' words together make whole blocks. */
	target->expect = cell->user == USER_DIRTY ? target->user : target->base;
	target->expect.over = stored;
	target->expect.to = PAGE_WORDS;
	target->expect.mask = CHOSEN_HALVES;
	pattern_store(ctx->source, &source);
	return 0;
}

static int write_word(struct ctx *ctx, const struct target *target, unsigned int word)
{
	size_t offset = word * sizeof(uint32_t);

	if (pwrite(target->fd, ctx->source + offset, sizeof(uint32_t),
	           target->offset + (off_t)offset) != (ssize_t)sizeof(uint32_t))
		return ctx_error(ctx, "writing the test file");
	return 0;
}

static int write_words(struct ctx *ctx, const struct target *target)
{
	for (unsigned int word = 0; word < PAGE_WORDS; word++) {
		if (pattern_is_over(&kernel_words, word) && write_word(ctx, target, word) < 0)
			return -1;
	}
	return 0;
}

static int act_user_first(struct ctx *ctx, struct target *target)
{
	user_dirty_over(target->va, &user_words);
	if (ctx->control)
		machine_settle();
	return write_words(ctx, target);
}

static int act_kernel_first(struct ctx *ctx, struct target *target)
{
	if (write_words(ctx, target) < 0)
		return -1;
	if (ctx->control)
		machine_settle();
	user_dirty_over(target->va, &user_words);
	return 0;
}

/* User, kernel, user, kernel: inside one half-line, line after line. */
static int act_turns(struct ctx *ctx, struct target *target)
{
	volatile uint32_t *words = target->va;
	uint32_t block[HALF_WORDS];

	if (ctx->control) /* settling at every word would take seconds */
		return act_user_first(ctx, target);
	for (unsigned int half = 0; half < PAGE_HALVES; half++) {
		if (!is_chosen(half))
			continue;
		stamp_half(&user_words.over, half, block);
		for (unsigned int i = 0; i < HALF_WORDS; i += 2) {
			unsigned int word = half * HALF_WORDS + i;

			(void)words[word];
			words[word] = block[i];
			if (write_word(ctx, target, word + 1) < 0)
				return -1;
		}
	}
	return 0;
}

static int run(struct ctx *ctx)
{
	static const struct trial_ops ops[VARIANTS] = {
		[VARIANT_USER_FIRST] = {.aim = aim, .act = act_user_first},
		[VARIANT_KERNEL_FIRST] = {.aim = aim, .act = act_kernel_first},
		[VARIANT_TURNS] = {.aim = aim, .act = act_turns},
	};

	if (pool_files(ctx, &pool, file_on_tmpfs) < 0)
		return -1;
	for (unsigned int variant = 0; variant < VARIANTS; variant++) {
		if (trial_run_variant(ctx, variant, &ops[variant], &pool) < 0)
			return -1;
	}
	return 0;
}

static const struct variant variants[VARIANTS] = {
	[VARIANT_USER_FIRST] = {"user-first", KIND_CONTRACT, USER_ALL, KERNEL_ALL, DELTA_ALL},
	[VARIANT_KERNEL_FIRST] = {"kernel-first", KIND_CONTRACT, USER_ALL, KERNEL_ALL, DELTA_ALL},
	[VARIANT_TURNS] = {"turns", KIND_CONTRACT, USER_ALL, KERNEL_ALL, DELTA_ALL},
};

const struct test test_subline_write_mmap = {
	.name = "subline-write-mmap",
	.description = "words of one half-line stored by the user and by write(2) all survive",
	.api = "flush_dcache_page before the copy in generic_perform_write, and after it",
	.kind = KIND_CONTRACT,
	.set = SET_CORE,
	.classes = CLASS_ALIASING,
	.needs = NEED_ROOT | NEED_PAGEMAP | NEED_TMPFS,
	.time_limit_s = 60,
	.iterations = 1,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
