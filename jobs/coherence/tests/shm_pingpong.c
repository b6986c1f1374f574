/* shm-pingpong: two processes talk through one page, each at an address of its own.
 *
 * The test owns the even words of every half-line, a child the odd ones. In each round one side stores the round's number
 * into all its words, tells the other through a pipe, and that one checks the whole page before it answers in the same way.
 * On VIVT the switch between the two must clean one side's lines and drop the other's; a cache that aliases needs both
 * addresses to be of one colour, where they are not the kernel must refuse the mapping. */
#include "child.h"
#include "number.h"
#include "pool.h"
#include "tests.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define ROUNDS 125U /* of one iteration */

static void *slots;
static int file;
static int to_child[2], to_test[2];

/* Store round into every second word, from first on. */
static void store(volatile uint32_t *words, unsigned int first, uint32_t round)
{
	for (unsigned int i = first; i < PAGE_WORDS; i += 2)
		words[i] = round << 16 | i;
}

/* How many words are not those of the rounds even and odd. */
static uint32_t wrong(const volatile uint32_t *words, uint32_t even, uint32_t odd)
{
	uint32_t count = 0;

	for (unsigned int i = 0; i < PAGE_WORDS; i += 2) {
		count += words[i] != (even << 16 | i) ? 1U : 0U;
		count += words[i + 1] != (odd << 16 | (i + 1U)) ? 1U : 0U;
	}
	return count;
}

/* The other side: for every number that comes, check, store, and answer how many words were wrong. */
static int serve(volatile uint32_t *words)
{
	uint32_t round;

	(void)close(to_child[1]);
	(void)close(to_test[0]);
	while (read(to_child[0], &round, sizeof(round)) == (ssize_t)sizeof(round)) {
		uint32_t bad = wrong(words, round, round - 1U);

		store(words, 1, round);
		if (write(to_test[1], &bad, sizeof(bad)) != (ssize_t)sizeof(bad))
			return 1;
	}
	return 0;
}

static int ask(struct ctx *ctx, uint32_t round, uint32_t *bad)
{
	if (write(to_child[1], &round, sizeof(round)) != (ssize_t)sizeof(round) ||
	    read(to_test[0], bad, sizeof(*bad)) != (ssize_t)sizeof(*bad))
		return ctx_error(ctx, "talking to the other process");
	return 0;
}

static int talk(struct ctx *ctx, unsigned int cell, void *mine)
{
	volatile uint32_t *words = mine;
	struct number number = {
		.cell = cell, .fault = FAULT_STALE_USER, .va = mine, .length = PAGE_BYTES};
	uint32_t rounds = ROUNDS * ctx->iterations;

	store(words, 0, 0);
	store(words, 1, 0);
	for (uint32_t round = 1; round <= rounds; round++) {
		uint32_t there = 0;

		number.iteration = round;
		number.before = machine_switches();
		store(words, 0, round);
		if (ask(ctx, round, &there) < 0)
			return -1;
		number.got = wrong(words, round, round);
		(void)number_check(ctx, &number);
		number.before =
			machine_switches(); /* what the other side found was safe in its registers */
		number.got = there;
		(void)number_check(ctx, &number);
		if (round % ROUNDS == 0)
			machine_breathe();
	}
	return 0;
}

/* Two mappings of page colour of the file, delta apart. Returns 0; 1 when the kernel refuses; or -1. */
static int map_both(struct ctx *ctx, unsigned int delta, void **mine, void **others)
{
	*mine = mmap(slot_at(slots, 0, 0), PAGE_BYTES, PROT_READ | PROT_WRITE,
	             MAP_SHARED | MAP_FIXED, file, 0);
	*others = mmap(slot_at(slots, 1, delta), PAGE_BYTES, PROT_READ | PROT_WRITE,
	               MAP_SHARED | MAP_FIXED, file, 0);
	if (*mine == MAP_FAILED || (*others == MAP_FAILED && errno != EINVAL))
		return ctx_error(ctx, "mapping a test page");
	return *others == MAP_FAILED ? 1 : 0;
}

static int converse(struct ctx *ctx, unsigned int cell, void *mine, void *others)
{
	pid_t pid;
	int result;

	if (pipe2(to_child, O_CLOEXEC) < 0 || pipe2(to_test, O_CLOEXEC) < 0)
		return ctx_error(ctx, "pipe");
	pid = child_fork();
	if (pid == 0) {
		slot_clear(slots, 0); /* each side has one address only */
		child_exit(serve(others));
	}
	if (pid < 0)
		return ctx_error(ctx, "fork");
	slot_clear(slots, 1);
	(void)close(to_child[0]);
	(void)close(to_test[1]);
	result = talk(ctx, cell, mine);
	(void)close(to_child[1]);
	(void)close(to_test[0]);
	slot_clear(slots, 0);
	return child_wait(ctx, pid) < 0 ? -1 : result;
}

static int run(struct ctx *ctx)
{
	ctx->act_sleeps = true;
	slots = slots_reserve(2);
	file = file_on_tmpfs(ctx, 0, (off_t)PAGE_BYTES);
	if (slots == NULL)
		return ctx_error(ctx, "reserving addresses");
	for (unsigned int cell = 0; file >= 0 && cell < ctx->report->cell_count; cell++) {
		void *mine;
		void *others;
		int result = map_both(ctx, (unsigned int)test_cell(ctx->test, cell).delta, &mine,
		                      &others);

		ctx->report->running_cell = cell;
		if (result > 0)
			ctx_skip_cell(ctx, cell, REASON_NOT_APPLICABLE);
		else if (result < 0 || converse(ctx, cell, mine, others) < 0)
			return -1;
	}
	return file < 0 ? -1 : 0;
}

static const struct variant variants[] = {
	{NULL, KIND_CONTRACT, 0, 0, DELTA_ALL},
};

const struct test test_shm_pingpong = {
	.name = "shm-pingpong",
	.description = "two processes with one page at two addresses see each other's words",
	.api = "cpu_switch_mm: cleaning and invalidating the data cache; colouring in arch_get_unmapped_area",
	.kind = KIND_CONTRACT,
	.set = SET_CORE,
	.classes = CLASS_ALL,
	.needs = NEED_TMPFS,
	.time_limit_s = 30,
	.iterations = 4,
	.variants = variants,
	.variant_count = 1,
	.run = run,
};
