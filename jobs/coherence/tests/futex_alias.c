/* futex-alias: a futex word that is mapped at two addresses.
 *
 * The kernel reads the word through the address that it was given. A private operation looks at nothing but that address:
 * if a store through the other one is not seen there, the waiter sleeps although the value has changed. (A shared
 * operation takes the page by get_user_pages, which flushes, and so repairs what it should find.) The shared operations
 * are here for what they do: wake and requeue across the two addresses. */
#include "child.h"
#include "number.h"
#include "pool.h"
#include "tests.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { VARIANT_WAIT, VARIANT_REQUEUE_PRIVATE, VARIANT_WAKE, VARIANT_REQUEUE, VARIANTS };

#define WAIT_NS  50000000L
#define SLEEPERS 2U
#define SLEEP_NS 10000000000
#define LIMIT_US 2000000U

static void *slots;
static int file;
static uint32_t *a, *b; /* the page at its two addresses */

/* Sleep while the word is value, for nanoseconds at most. Before 5.1 a 32-bit kernel has only the call with small times,
 * and later ones may have only that with large ones. Returns 0, or the errno. */
static uint32_t wait_on(uint32_t *word, int operation, uint32_t value, int64_t nanoseconds)
{
	struct {
		long seconds, nanoseconds;
	} small = {(long)(nanoseconds / 1000000000), (long)(nanoseconds % 1000000000)};
	long result = -1;

	errno = ENOSYS;
#ifdef SYS_futex_time64
	const struct {
		int64_t seconds, nanoseconds;
	} large = {nanoseconds / 1000000000, nanoseconds % 1000000000};

	result = syscall(SYS_futex_time64, word, operation, value, &large, NULL, 0);
#endif
#ifdef SYS_futex
	if (result < 0 && errno == ENOSYS)
		result = syscall(SYS_futex, word, operation, value, &small, NULL, 0);
#endif
	return result < 0 ? (uint32_t)errno : 0;
}

/* Wake and requeue: count waiters at most go to other. */
static long pass_on(uint32_t *word, int operation, uint32_t wake, uintptr_t count, uint32_t *other,
                    uint32_t compare)
{
	long result = -1;

	errno = ENOSYS;
#ifdef SYS_futex_time64
	result = syscall(SYS_futex_time64, word, operation, wake, count, other, compare);
#endif
#ifdef SYS_futex
	if (result < 0 && errno == ENOSYS)
		result = syscall(SYS_futex, word, operation, wake, count, other, compare);
#endif
	return result;
}

static void check(struct ctx *ctx, const struct number *number)
{
	struct number copy = *number;

	if (copy.fault == FAULT_NONE)
		copy.fault = FAULT_NOT_CACHE;
	(void)number_check(ctx, &copy);
}

/* A word that is resident through B, then changed through A. */
static void change(volatile uint32_t *through_a, const volatile uint32_t *through_b, uint32_t value)
{
	(void)*through_b;
	(void)*through_a; /* so that the store stays in a cache that allocates on reads */
	*through_a = value;
}

static int run_wait(struct ctx *ctx, unsigned int cell, unsigned int iteration, unsigned int word)
{
	struct number number = {.cell = cell,
	                        .iteration = iteration,
	                        .fault = FAULT_STALE_USER,
	                        .want = EAGAIN,
	                        .va = b + word};

	b[word] = 0;
	number.before = machine_switches();
	change(a + word, b + word, 1);
	number.got = wait_on(b + word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, WAIT_NS);
	if (number.got == ETIMEDOUT) /* it slept: that is the fault, not what hides it */
		number.before = machine_switches();
	check(ctx, &number);
	return 0;
}

/* Nobody waits: the comparison of the word is all that happens. */
static int run_requeue_private(struct ctx *ctx, unsigned int cell, unsigned int iteration,
                               unsigned int word)
{
	struct number number = {
		.cell = cell, .iteration = iteration, .fault = FAULT_STALE_USER, .va = b + word};

	b[word] = 0;
	number.before = machine_switches();
	change(a + word, b + word, 1);
	number.got = pass_on(b + word, FUTEX_CMP_REQUEUE | FUTEX_PRIVATE_FLAG, 1, 1,
	                     b + (word ^ 4U), 1) < 0
	                     ? (uint32_t)errno
	                     : 0;
	check(ctx, &number);
	return 0;
}

/* In a child: wait on a word through B. Ends well when it is woken. */
static int sleep_on(uint32_t *word)
{
	uint32_t error;

	do
		error = wait_on(word, FUTEX_WAIT, 0, SLEEP_NS);
	while (error == EINTR);
	return error == 0 ? 0 : 1;
}

static int start_sleepers(struct ctx *ctx, uint32_t *word, pid_t *pids)
{
	for (unsigned int i = 0; i < SLEEPERS; i++) {
		pids[i] = child_fork();
		if (pids[i] == 0)
			child_exit(sleep_on(word));
		if (pids[i] < 0)
			return ctx_error(ctx, "fork");
	}
	return 0;
}

static int end_sleepers(struct ctx *ctx, const pid_t *pids)
{
	int result = 0;

	for (unsigned int i = 0; i < SLEEPERS; i++) {
		if (child_wait(ctx, pids[i]) < 0)
			result = -1;
	}
	return result;
}

/* Try until as many sleepers as there are have been met: some may not sleep yet. */
static uint32_t meet_all(uint32_t *word, uint32_t *other)
{
	uint64_t deadline = machine_now_us() + LIMIT_US;
	uint32_t met = 0;

	while (met < SLEEPERS && machine_now_us() < deadline) {
		long now = other == NULL ? pass_on(word, FUTEX_WAKE, SLEEPERS, 0, NULL, 0)
		                         : pass_on(word, FUTEX_CMP_REQUEUE, 0, SLEEPERS, other, 0);

		if (now < 0)
			break;
		met += (uint32_t)now;
		(void)sched_yield(); /* so do they */
	}
	return met;
}

static int run_wake(struct ctx *ctx, unsigned int cell, unsigned int iteration, unsigned int word)
{
	struct number number = {.cell = cell, .iteration = iteration, .want = SLEEPERS};
	pid_t pids[SLEEPERS] = {0};

	b[word] = 0;
	if (start_sleepers(ctx, b + word, pids) < 0)
		return -1;
	number.got = meet_all(a + word, NULL);
	number.before = machine_switches();
	check(ctx, &number);
	return end_sleepers(ctx, pids);
}

/* From one word to another, seen through A, and woken there through B. */
static int run_requeue(struct ctx *ctx, unsigned int cell, unsigned int iteration,
                       unsigned int word)
{
	struct number number = {.cell = cell, .iteration = iteration, .want = SLEEPERS};
	unsigned int next = word ^ 4U;
	pid_t pids[SLEEPERS] = {0};

	b[word] = 0;
	b[next] = 0;
	if (start_sleepers(ctx, b + word, pids) < 0)
		return -1;
	number.got = meet_all(a + word, a + next);
	number.before = machine_switches();
	check(ctx, &number);
	number.got = (uint32_t)pass_on(b + next, FUTEX_WAKE, SLEEPERS, 0, NULL, 0);
	check(ctx, &number);
	return end_sleepers(ctx, pids);
}

static int (*const works[VARIANTS])(struct ctx *ctx, unsigned int cell, unsigned int iteration,
                                    unsigned int word) = {
	[VARIANT_WAIT] = run_wait,
	[VARIANT_REQUEUE_PRIVATE] = run_requeue_private,
	[VARIANT_WAKE] = run_wake,
	[VARIANT_REQUEUE] = run_requeue,
};

/* Returns 0; 1 when the kernel refuses that colour; or -1. */
static int map_both(struct ctx *ctx, unsigned int delta)
{
	void *first = mmap(slot_at(slots, 0, 0), PAGE_BYTES, PROT_READ | PROT_WRITE,
	                   MAP_SHARED | MAP_FIXED, file, 0);
	void *second = mmap(slot_at(slots, 1, delta), PAGE_BYTES, PROT_READ | PROT_WRITE,
	                    MAP_SHARED | MAP_FIXED, file, 0);

	if (first == MAP_FAILED || (second == MAP_FAILED && errno != EINVAL))
		return ctx_error(ctx, "mapping a test page");
	if (second == MAP_FAILED)
		return 1;
	a = first;
	b = second;
	b[0] = 0; /* the first touches are faults, which would push out what a trial needs */
	a[0] = 0;
	return 0;
}

static int run_cell(struct ctx *ctx, unsigned int cell)
{
	struct cell parts = test_cell(ctx->test, cell);
	bool forks = parts.variant == VARIANT_WAKE || parts.variant == VARIANT_REQUEUE;
	unsigned int count = forks ? 1 : ctx->iterations;
	int result = map_both(ctx, (unsigned int)parts.delta);

	ctx->report->running_cell = cell;
	if (result > 0)
		ctx_skip_cell(ctx, cell, REASON_NOT_APPLICABLE);
	for (unsigned int i = 0; result == 0 && i < count; i++) {
		if (works[parts.variant](ctx, cell, i, i * 8U % PAGE_WORDS) < 0)
			result = -1;
	}
	slot_clear(slots, 0);
	slot_clear(slots, 1);
	return result < 0 ? -1 : 0;
}

static int run(struct ctx *ctx)
{
	slots = slots_reserve(2);
	if (slots == NULL)
		return ctx_error(ctx, "reserving addresses");
	file = file_on_tmpfs(ctx, 0, (off_t)PAGE_BYTES);
	for (unsigned int cell = 0; file >= 0 && cell < ctx->report->cell_count; cell++) {
		if (run_cell(ctx, cell) < 0)
			return -1;
	}
	return file < 0 ? -1 : 0;
}

static const struct variant variants[VARIANTS] = {
	[VARIANT_WAIT] = {"wait", KIND_CONTRACT, 0, 0, DELTA_ALL},
	[VARIANT_REQUEUE_PRIVATE] = {"requeue-private", KIND_CONTRACT, 0, 0, DELTA_ALL},
	[VARIANT_WAKE] = {"wake", KIND_CONTRACT, 0, 0, DELTA_ALL},
	[VARIANT_REQUEUE] = {"requeue", KIND_CONTRACT, 0, 0, DELTA_ALL},
};

const struct test test_futex_alias = {
	.name = "futex-alias",
	.description = "futex operations through one address see a store through another",
	.api = "make_coherent in update_mmu_cache; futex_get_value_locked",
	.kind = KIND_CONTRACT,
	.set = SET_CORE,
	.classes = CLASS_ALIASING,
	.needs = NEED_TMPFS,
	.time_limit_s = 60,
	.iterations = 20,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
