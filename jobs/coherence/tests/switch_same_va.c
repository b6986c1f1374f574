/* switch-same-va: processes that each have a page of their own at the same address.
 *
 * A cache of virtual addresses cannot tell whose line it has: the switch from one process to the other must clean and drop
 * them all. Three processes pass a turn round, and each checks that its page is as it left it, and stores anew. One of them
 * is two threads, which share the page; another has the work done by a child that shares its memory, as vfork() does.
 * Who dies leaves the others waiting, up to the time limit. `forks` makes more address spaces than an ARMv6 or ARMv7 has
 * numbers for (256), so that these are given out again. */
#include "child.h"
#include "number.h"
#include "tests.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { VARIANT_TURNS, VARIANT_FORKS, VARIANTS };

enum { WHO_TEST, WHO_THREADS, WHO_VFORK, PROCESSES };

#define ROUNDS      125U /* of one iteration */
#define FORKS       65U  /* of one iteration */
#define FORKS_VIVT  8U   /* where address spaces have no numbers */
#define STACK_BYTES 16384U
#define STACK_TOP   (STACK_BYTES - 256U) /* syscall() may read arguments that are not there */
#define END         0xffffffffU          /* instead of a round: it is over */

/* What the processes tell the test. */
static struct board {
	uint32_t wrong[PROCESSES]; /* words of each one's page in its last turn */
} * board;

static uint8_t *page;           /* at the same address for all, private */
static int pipes[PROCESSES][2]; /* the turn comes out of each one's own */
static int thread_pipes[2][2];  /* between the two threads */
static uint8_t *stack;          /* of the second thread, and of the child that shares memory */

static void store(uint32_t who, uint32_t round)
{
	volatile uint32_t *words = (volatile uint32_t *)(void *)page;

	for (unsigned int i = 0; i < PAGE_WORDS; i++)
		words[i] = who << 28 | round << 12 | i;
}

static uint32_t wrong(uint32_t who, uint32_t round)
{
	const volatile uint32_t *words = (const volatile uint32_t *)(const void *)page;
	uint32_t count = 0;

	for (unsigned int i = 0; i < PAGE_WORDS; i++)
		count += words[i] != (who << 28 | round << 12 | i) ? 1U : 0U;
	return count;
}

/* One turn: the page must be as it was left. */
static void take_turn(uint32_t who, uint32_t round)
{
	board->wrong[who] = wrong(who, round - 1U);
	store(who, round);
}

static bool receive(int fd, uint32_t *round)
{
	return read(fd, round, sizeof(*round)) == (ssize_t)sizeof(*round);
}

static bool send_on(int fd, uint32_t round)
{
	return write(fd, &round, sizeof(round)) == (ssize_t)sizeof(round);
}

/* The second thread takes every second turn. It uses nothing of libc but system calls. */
static int second_thread(void *argument)
{
	uint32_t round;

	(void)argument;
	while (receive(thread_pipes[0][0], &round) && round != END) {
		take_turn(WHO_THREADS, round);
		if (!send_on(thread_pipes[1][1], round))
			break;
	}
	(void)syscall(SYS_exit, 0);
	return 0;
}

static bool turn_of_threads(uint32_t round)
{
	if (round % 2U == 1U) {
		take_turn(WHO_THREADS, round);
		return true;
	}
	return send_on(thread_pipes[0][1], round) && receive(thread_pipes[1][0], &round);
}

static int vfork_child(void *argument)
{
	const uint32_t *round = argument;

	take_turn(WHO_VFORK, *round);
	(void)syscall(SYS_exit, 0);
	return 0;
}

/* Every eighth turn is a child's: making one is dear. */
static bool turn_of_vfork(uint32_t round)
{
	int status;
	pid_t pid;

	if (round % 8U != 0) {
		take_turn(WHO_VFORK, round);
		return true;
	}
	pid = clone(vfork_child, stack + STACK_TOP, CLONE_VM | CLONE_VFORK | SIGCHLD, &round);
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status);
}

/* A process of the ring: take each turn that comes, and pass it on. Returns its exit status. */
static int live(uint32_t who, bool (*turn)(uint32_t round))
{
	uint32_t round;

	store(who, 0);
	while (receive(pipes[who][0], &round) && (round == END || turn(round))) {
		if (!send_on(pipes[(who + 1U) % PROCESSES][1], round))
			break;
		if (round == END)
			return 0;
	}
	return 1;
}

static int live_threads(void *argument)
{
	int flags =
		CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
	int result;

	(void)argument;
	if (clone(second_thread, stack + STACK_TOP, flags, NULL) < 0)
		return 1;
	result = live(WHO_THREADS, turn_of_threads);
	(void)send_on(thread_pipes[0][1], END);
	return result;
}

static int live_vfork(void *argument)
{
	(void)argument;
	return live(WHO_VFORK, turn_of_vfork);
}

static pid_t start(struct ctx *ctx, int (*work)(void *argument))
{
	pid_t pid = child_fork();

	if (pid == 0)
		child_exit(work(NULL));
	if (pid < 0)
		(void)ctx_error(ctx, "fork");
	return pid;
}

static void check(struct ctx *ctx, struct number *number, uint32_t got)
{
	number->got = got;
	(void)number_check(ctx, number);
	number->before = machine_switches(); /* the next one is of the same moment */
}

/* One round: our own turn, then that of the others, and what each of them found. */
static int take_round(struct ctx *ctx, uint32_t round)
{
	struct number number = {.cell = VARIANT_TURNS,
	                        .iteration = round,
	                        .fault = FAULT_STALE_USER,
	                        .va = page,
	                        .length = PAGE_BYTES,
	                        .tag = TAG_FOREIGN,
	                        .before = machine_switches()};
	uint32_t back = 0;

	take_turn(WHO_TEST, round);
	if (!send_on(pipes[WHO_THREADS][1], round) || !receive(pipes[WHO_TEST][0], &back) ||
	    back != round)
		return ctx_error(ctx, "passing the turn round");
	for (unsigned int who = 0; who < PROCESSES; who++)
		check(ctx, &number, board->wrong[who]);
	return 0;
}

static int run_turns(struct ctx *ctx)
{
	pid_t threads = start(ctx, live_threads);
	pid_t vfork = threads > 0 ? start(ctx, live_vfork) : -1;
	uint32_t back;

	if (vfork < 0)
		return -1;
	store(WHO_TEST, 0);
	for (uint32_t round = 1; round <= ROUNDS * ctx->iterations; round++) {
		if (take_round(ctx, round) < 0)
			return -1;
		if (round % ROUNDS == 0)
			machine_breathe();
	}
	if (!send_on(pipes[WHO_THREADS][1], END) || !receive(pipes[WHO_TEST][0], &back))
		return ctx_error(ctx, "ending the ring");
	return child_wait(ctx, threads) < 0 ? -1 : child_wait(ctx, vfork);
}

/* In a child that runs only when its parent waits, and so after the parent has stored again. */
static int inherit(uint32_t round)
{
	board->wrong[WHO_THREADS] = wrong(WHO_TEST, round);
	store(WHO_THREADS, round);
	board->wrong[WHO_VFORK] = wrong(WHO_THREADS, round);
	return 0;
}

static int run_forks(struct ctx *ctx)
{
	struct number number = {.cell = VARIANT_FORKS,
	                        .fault = FAULT_STALE_USER,
	                        .va = page,
	                        .length = PAGE_BYTES,
	                        .tag = TAG_FOREIGN};

	unsigned int forks = ctx->class_bits == CLASS_VIVT ? FORKS_VIVT : FORKS;

	store(WHO_TEST, 0);
	for (uint32_t round = 0; round < forks * ctx->iterations; round++) {
		pid_t pid;

		number.iteration = round;
		number.before = machine_switches();
		pid = child_fork();
		if (pid == 0)
			child_exit(inherit(round));
		if (pid < 0)
			return ctx_error(ctx, "fork");
		store(WHO_TEST, round + 1U);
		if (child_wait(ctx, pid) < 0)
			return -1;
		check(ctx, &number, wrong(WHO_TEST, round + 1U));
		check(ctx, &number, board->wrong[WHO_THREADS]);
		check(ctx, &number, board->wrong[WHO_VFORK]);
	}
	machine_breathe();
	return 0;
}

static int prepare(struct ctx *ctx)
{
	board = child_memory(ctx, sizeof(*board));
	page = ctx_page(ctx);
	stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (board == NULL || page == NULL)
		return -1;
	if (stack == MAP_FAILED)
		return ctx_error(ctx, "memory for a stack");
	for (unsigned int i = 0; i < PROCESSES; i++) {
		if (pipe2(pipes[i], O_CLOEXEC) < 0 ||
		    (i < 2 && pipe2(thread_pipes[i], O_CLOEXEC) < 0))
			return ctx_error(ctx, "pipe");
	}
	return 0;
}

static int run(struct ctx *ctx)
{
	ctx->act_sleeps = true;
	if (prepare(ctx) < 0)
		return -1;
	ctx->report->running_cell = VARIANT_TURNS;
	if (run_turns(ctx) < 0)
		return -1;
	ctx->report->running_cell = VARIANT_FORKS;
	return run_forks(ctx);
}

static const struct variant variants[VARIANTS] = {
	[VARIANT_TURNS] = {"turns", KIND_CONTRACT, 0, 0, 0},
	[VARIANT_FORKS] = {"forks", KIND_CONTRACT, 0, 0, 0},
};

const struct test test_switch_same_va = {
	.name = "switch-same-va",
	.description =
		"processes with a page of their own at the same address never see each other's",
	.api = "cpu_switch_mm, check_and_switch_context",
	.kind = KIND_CONTRACT,
	.set = SET_CORE,
	.classes = CLASS_ALL,
	.time_limit_s = 30,
	.iterations = 4,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
