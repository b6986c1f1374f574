/* mmap-colour-policy: where the kernel lets a page be mapped.
 *
 * On a data cache that aliases, two user mappings of one page agree only at addresses of the same colour. So the kernel
 * must refuse a shared mapping at a fixed address of another colour, and must choose the right colour where it is free to.
 * On every other cache it must accept those addresses, and both mappings must then show the same words. Which of the two
 * happens tells the class of the cache as well. shmat() wants whole multiples of SHMLBA on each ARM, whatever the cache. */
#include "number.h"
#include "pool.h"
#include "tests.h"

#include <errno.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

enum {
	VARIANT_FIXED,
	VARIANT_FIXED_WORDS,
	VARIANT_CHOSEN,
	VARIANT_CHOSEN_WORDS,
	VARIANT_CHOSEN_PRIVATE,
	VARIANT_HINT,
	VARIANT_MREMAP,
	VARIANT_MREMAP_WORDS,
	VARIANT_SHMAT,
	VARIANT_SHMAT_ROUND,
	VARIANTS,
};

#define SHM_COLOURS 4U /* SHMLBA is four pages on ARM */
#define FILE_PAGES  8U

static int file;
static uint8_t *slots;
static uint8_t *first; /* page 0 of the file, at colour 0 */

/* Error of mmap() or mremap() at another colour: what this class demands. */
static uint32_t demanded(const struct ctx *ctx, int delta)
{
	return ctx->class_bits == CLASS_VIPT_ALIASING && delta > 0 ? EINVAL : 0;
}

static bool check(struct ctx *ctx, unsigned int cell, unsigned int iteration, uint32_t want,
                  uint32_t got)
{
	struct number number = {.cell = cell,
	                        .iteration = iteration,
	                        .fault = FAULT_NOT_CACHE,
	                        .want = want,
	                        .got = got,
	                        .before = machine_switches()};

	return number_check(ctx, &number);
}

/* Store through one mapping, read through the other, both ways, next to words that the other side has dirty. */
static void check_coherent(struct ctx *ctx, unsigned int cell, unsigned int iteration, uint8_t *a,
                           uint8_t *b)
{
	struct number number = {.cell = cell,
	                        .iteration = iteration,
	                        .fault = FAULT_STALE_USER,
	                        .va = b,
	                        .before = machine_switches()};
	volatile uint32_t *through_a = (volatile uint32_t *)(void *)a;
	volatile uint32_t *through_b = (volatile uint32_t *)(void *)b;

	through_b[1] = through_b[0] + 1U; /* resident and dirty through B */
	(void)*through_a;                 /* both are there, and resident */
	number.want = (uint32_t)ctx_generation(ctx) << 16 | iteration;
	through_a[0] = number.want;
	number.got = through_b[0];
	(void)number_check(ctx, &number);
}

/* Is the variant about what the mappings show, rather than where they may be? */
static bool wants_words(const struct ctx *ctx, unsigned int cell)
{
	unsigned int variant = test_cell(ctx->test, cell).variant;

	return variant == VARIANT_FIXED_WORDS || variant == VARIANT_CHOSEN_WORDS ||
	       variant == VARIANT_MREMAP_WORDS;
}

/* One trial at an address: answer is the mapping, or MAP_FAILED with errno. */
static void judge_mapping(struct ctx *ctx, unsigned int cell, unsigned int iteration,
                          uint8_t *answer)
{
	uint32_t error = answer == MAP_FAILED ? (uint32_t)errno : 0;

	if (!wants_words(ctx, cell))
		(void)check(ctx, cell, iteration, demanded(ctx, test_cell(ctx->test, cell).delta),
		            error);
	else if (answer == MAP_FAILED)
		ctx_skip_cell(ctx, cell, REASON_NOT_APPLICABLE);
	else
		check_coherent(ctx, cell, iteration, first, answer);
}

static int run_fixed(struct ctx *ctx, unsigned int cell, unsigned int iteration)
{
	unsigned int delta = (unsigned int)test_cell(ctx->test, cell).delta;
	uint8_t *at = mmap(slot_at(slots, 1, delta), PAGE_BYTES, PROT_READ | PROT_WRITE,
	                   MAP_SHARED | MAP_FIXED, file, 0);

	judge_mapping(ctx, cell, iteration, at);
	slot_clear(slots, 1);
	return 0;
}

static int run_mremap(struct ctx *ctx, unsigned int cell, unsigned int iteration)
{
	unsigned int delta = (unsigned int)test_cell(ctx->test, cell).delta;
	uint8_t *at = mmap(slot_at(slots, 1, 0), PAGE_BYTES, PROT_READ | PROT_WRITE,
	                   MAP_SHARED | MAP_FIXED, file, 0);

	if (at == MAP_FAILED)
		return ctx_error(ctx, "mapping a page at its own colour");
	at = mremap(at, PAGE_BYTES, PAGE_BYTES, MREMAP_MAYMOVE | MREMAP_FIXED,
	            slot_at(slots, 2, delta));
	judge_mapping(ctx, cell, iteration, at);
	slot_clear(slots, 1);
	slot_clear(slots, 2);
	return 0;
}

/* The kernel is free to choose: on a cache that aliases it must choose the page's colour. Elsewhere any will do. */
static int run_choice(struct ctx *ctx, unsigned int cell, unsigned int iteration)
{
	struct cell parts = test_cell(ctx->test, cell);
	unsigned int page = 1 + iteration % (FILE_PAGES - 1);
	int flags = parts.variant == VARIANT_CHOSEN_PRIVATE ? MAP_PRIVATE : MAP_SHARED;
	/* A hint of another colour than the page's. */
	uint8_t *hint =
		parts.variant == VARIANT_HINT ? slot_at(slots, 3, (page + 1U) & COLOUR_MASK) : NULL;
	uint8_t *at;
	uint32_t off = 0;

	if (hint != NULL &&
	    munmap(hint, PAGE_BYTES) < 0) /* a hint is taken only where nothing is */
		return ctx_error(ctx, "munmap");
	at = mmap(hint, PAGE_BYTES, PROT_READ | PROT_WRITE, flags, file,
	          (off_t)page * (off_t)PAGE_BYTES);
	if (at == MAP_FAILED)
		return ctx_error(ctx, "mapping a page where the kernel likes");
	if (ctx->class_bits == CLASS_VIPT_ALIASING)
		off = (colour_of(at) ^ page) & COLOUR_MASK;
	if (wants_words(ctx, cell))
		check_coherent(ctx, cell, iteration, first + (size_t)page * PAGE_BYTES, at);
	else
		(void)check(ctx, cell, iteration, 0, off);
	(void)munmap(at, PAGE_BYTES);
	slot_clear(slots, 3);
	return 0;
}

static void *attach(int id, void *at, int flags)
{
	void *answer = shmat(id, at, flags);

	return (intptr_t)answer == -1 ? NULL : answer;
}

/* Attach one page into the place of a slot, at every colour. */
static int run_shmat(struct ctx *ctx, unsigned int cell, unsigned int iteration)
{
	unsigned int delta = (unsigned int)test_cell(ctx->test, cell).delta;
	bool rounds = test_cell(ctx->test, cell).variant == VARIANT_SHMAT_ROUND;
	int id = shmget(IPC_PRIVATE, PAGE_BYTES, IPC_CREAT | 0600);
	uint8_t *at = slot_at(slots, 1, delta);
	uint8_t *down;
	uint8_t *answer;
	uint32_t error;
	bool refuses = false;

#ifdef __arm__
	refuses = !rounds && delta > 0; /* all ARM kernels want multiples of SHMLBA */
	down = slot_at(slots, 1, 0);
#else
	down = at; /* pages are enough */
#endif
	if (id < 0)
		return ctx_error(ctx, "shmget");
	answer = attach(id, at, SHM_REMAP | (rounds ? SHM_RND : 0));
	error = answer == NULL ? (uint32_t)errno : 0;
	(void)shmctl(id, IPC_RMID, NULL);
	(void)check(ctx, cell, iteration, refuses ? EINVAL : 0, error);
	if (answer != NULL) {
		(void)check(ctx, cell, iteration, 0,
		            (uint32_t)((uintptr_t)answer - (uintptr_t)down));
		(void)shmdt(answer);
	}
	slot_clear(slots, 1);
	return 0;
}

static int (*const works[VARIANTS])(struct ctx *ctx, unsigned int cell, unsigned int iteration) = {
	[VARIANT_FIXED] = run_fixed,           [VARIANT_FIXED_WORDS] = run_fixed,
	[VARIANT_CHOSEN] = run_choice,         [VARIANT_CHOSEN_WORDS] = run_choice,
	[VARIANT_CHOSEN_PRIVATE] = run_choice, [VARIANT_HINT] = run_choice,
	[VARIANT_MREMAP] = run_mremap,         [VARIANT_MREMAP_WORDS] = run_mremap,
	[VARIANT_SHMAT] = run_shmat,           [VARIANT_SHMAT_ROUND] = run_shmat,
};

/* What cannot be judged here. */
static void skip_some(struct ctx *ctx)
{
#ifdef __arm__
	if (ctx->class_bits == 0) { /* a class must be known to say what is right */
		ctx_skip_variant(ctx, VARIANT_FIXED, REASON_NOT_APPLICABLE);
		ctx_skip_variant(ctx, VARIANT_MREMAP, REASON_NOT_APPLICABLE);
	}
#endif
	int id = shmget(IPC_PRIVATE, PAGE_BYTES, IPC_CREAT | 0600);

	if (id >= 0) {
		(void)shmctl(id, IPC_RMID, NULL);
	} else if (errno == ENOSYS) {
		ctx_skip_variant(ctx, VARIANT_SHMAT, REASON_NOCONFIG);
		ctx_skip_variant(ctx, VARIANT_SHMAT_ROUND, REASON_NOCONFIG);
	}
}

static int prepare(struct ctx *ctx)
{
	static uint8_t *area;
	size_t bytes = FILE_PAGES * PAGE_BYTES;
	uintptr_t align = SHM_COLOURS * PAGE_BYTES;

	file = file_on_tmpfs(ctx, 0, (off_t)bytes);
	if (file < 0)
		return -1;
	slots = slots_reserve(4);
	area = mmap(NULL, bytes + align, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
	            0);
	if (slots == NULL || area == MAP_FAILED)
		return ctx_error(ctx, "reserving addresses");
	first = area + (align - (uintptr_t)area % align);
	if (mmap(first, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0) ==
	    MAP_FAILED)
		return ctx_error(ctx, "mapping a file at its own colour");
	return 0;
}

static int run(struct ctx *ctx)
{
	if (prepare(ctx) < 0)
		return -1;
	skip_some(ctx);
	for (unsigned int cell = 0; cell < ctx->report->cell_count; cell++) {
		unsigned int variant = test_cell(ctx->test, cell).variant;

		ctx->report->running_cell = cell;
		for (unsigned int i = 0;
		     i < ctx->iterations && ctx->report->cells[cell].skip == REASON_NONE; i++) {
			if (works[variant](ctx, cell, i) < 0)
				return -1;
		}
	}
	return 0;
}

static const struct variant variants[VARIANTS] = {
	[VARIANT_FIXED] = {"fixed", KIND_CONTRACT, 0, 0, DELTA_ALL},
	[VARIANT_FIXED_WORDS] = {"fixed,words", KIND_CONTRACT, 0, 0, DELTA_ALL},
	[VARIANT_CHOSEN] = {"chosen", KIND_CONTRACT, 0, 0, 0},
	[VARIANT_CHOSEN_WORDS] = {"chosen,words", KIND_CONTRACT, 0, 0, 0},
	[VARIANT_CHOSEN_PRIVATE] = {"chosen-private", KIND_CONTRACT, 0, 0, 0},
	[VARIANT_HINT] = {"hint", KIND_CONTRACT, 0, 0, 0},
	[VARIANT_MREMAP] = {"mremap", KIND_CONTRACT, 0, 0, DELTA_ALL},
	[VARIANT_MREMAP_WORDS] = {"mremap,words", KIND_CONTRACT, 0, 0, DELTA_ALL},
	[VARIANT_SHMAT] = {"shmat", KIND_CONTRACT, 0, 0, DELTA_ALL},
	[VARIANT_SHMAT_ROUND] = {"shmat-round", KIND_CONTRACT, 0, 0, DELTA_ALL},
};

const struct test test_mmap_colour_policy = {
	.name = "mmap-colour-policy",
	.description =
		"shared mappings of another colour are refused where the cache aliases, and only there",
	.api = "arch_get_unmapped_area, mremap_to, do_shmat (SHMLBA)",
	.kind = KIND_CONTRACT,
	.set = SET_CORE,
	.classes = CLASS_ALIASING,
	.needs = NEED_TMPFS | NEED_SYSVIPC,
	.time_limit_s = 30,
	.iterations = 14,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
