/* ptrace-poke-text: a debugger changes the code of a process that has already run it.
 *
 * A child calls a function, notes what it returned and stops; the parent changes the number in its instructions by
 * PTRACE_POKETEXT and lets it go on. `breakpoint` plants a breakpoint, which must be hit, and takes it away, after
 * which the function must run as before. `neighbour` changes another function in the same line. On VIVT each switch
 * between the two processes cleans everything, on aliasing VIPT get_user_pages() drops the old instructions, so nothing
 * can be seen there; `other-cpu` has the child on a processor
 * of its own, whose instruction cache the parent's does not reach by itself. */
#include "child.h"
#include "jit.h"
#include "number.h"
#include "tests.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { VARIANT_IMMEDIATE, VARIANT_BREAKPOINT, VARIANT_NEIGHBOUR, VARIANT_OTHER_CPU, VARIANTS };

#define SPACING    16U /* two functions in one line of 32 bytes */
#define FAULTS_MAX 4U  /* signals on the way to the next stop */

/* What the child tells. */
struct told {
	uint32_t returned;
	uint32_t rounds;
};

struct debuggee {
	pid_t pid;
	uint8_t *code; /* the function that it calls */
	volatile struct told *told;
};

/* An instruction that traps, as this kernel's debugger interface knows it. */
#if defined(__arm__)
#define BREAKPOINT       0xe7f001f0U
#define BREAKPOINT_BYTES 4U
#elif defined(__aarch64__)
#define BREAKPOINT       0xd4200000U
#define BREAKPOINT_BYTES 4U
#else
#define BREAKPOINT       0xccU
#define BREAKPOINT_BYTES 1U
#endif

static _Noreturn void child_loop(const struct debuggee *debuggee)
{
	if (jit_catch_faults() < 0 || ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
		child_exit(1);
	for (;;) {
		(void)raise(SIGSTOP);
		debuggee->told->returned = jit_call(debuggee->code, JIT_NATIVE);
		debuggee->told->rounds++;
	}
}

static int go_on(struct ctx *ctx, const struct debuggee *debuggee, int signal)
{
	void *number = NULL;

	memcpy(&number, &signal, sizeof(signal));
	if (ptrace(PTRACE_CONT, debuggee->pid, NULL, number) < 0)
		return ctx_error(ctx, "PTRACE_CONT");
	return 0;
}

/* The signal by which the child has stopped, or -1 when it did something else. */
static int wait_signal(struct ctx *ctx, const struct debuggee *debuggee)
{
	int status;

	if (waitpid(debuggee->pid, &status, 0) != debuggee->pid)
		return ctx_error(ctx, "waiting for the debuggee");
	if (WIFSTOPPED(status))
		return WSTOPSIG(status);
	errno = 0;
	return ctx_error(ctx, "the debuggee ended with status 0x%x", (unsigned int)status);
}

/* Wait until the child stops by itself. Faults of code that ran wild are its own to handle. */
static int wait_stop(struct ctx *ctx, const struct debuggee *debuggee)
{
	for (unsigned int i = 0; i < FAULTS_MAX; i++) {
		int signal = wait_signal(ctx, debuggee);

		if (signal == SIGSTOP)
			return 0;
		if (signal < 0 || go_on(ctx, debuggee, signal) < 0)
			return -1;
	}
	errno = 0;
	return ctx_error(ctx, "the debuggee does not stop");
}

/* Store bytes, a multiple of a word, at an address of the child's. */
static int poke(struct ctx *ctx, const struct debuggee *debuggee, uint8_t *at, const uint8_t *from,
                size_t bytes)
{
	for (size_t i = 0; i < bytes; i += sizeof(long)) {
		void *word;

		memcpy(&word, from + i, sizeof(word));
		if (ptrace(PTRACE_POKETEXT, debuggee->pid, at + i, word) < 0)
			return ctx_error(ctx, "PTRACE_POKETEXT");
	}
	return 0;
}

static int poke_function(struct ctx *ctx, const struct debuggee *debuggee, uint8_t *at,
                         uint16_t value)
{
	_Alignas(8) uint8_t code[JIT_FUNCTION_MAX];

	jit_emit(code, JIT_NATIVE, value);
	return poke(ctx, debuggee, at, code, jit_size(JIT_NATIVE));
}

static void check(struct ctx *ctx, const struct debuggee *debuggee, const struct jit_where *where,
                  uint16_t want, const struct switches *before)
{
	uint32_t got = debuggee->told->returned;
	struct number number = {
		.cell = where->cell,
		.iteration = where->iteration,
		.fault = FAULT_STALE_CODE,
		.want = want,
		.got = got,
		.va = debuggee->code,
		.length = (unsigned int)jit_size(JIT_NATIVE),
		.tag = got == JIT_CRASHED ? TAG_TORN : TAG_STALE,
		.before = *before,
	};

	(void)number_check(ctx, &number);
}

/* The child runs the function once more and stops. */
static int round_trip(struct ctx *ctx, const struct debuggee *debuggee)
{
	return go_on(ctx, debuggee, 0) < 0 ? -1 : wait_stop(ctx, debuggee);
}

static int trial_immediate(struct ctx *ctx, const struct debuggee *debuggee,
                           const struct jit_where *where)
{
	struct switches before = machine_switches();
	uint16_t want = ctx_generation(ctx);

	if (poke_function(ctx, debuggee, debuggee->code, want) < 0 || round_trip(ctx, debuggee) < 0)
		return -1;
	check(ctx, debuggee, where, want, &before);
	return 0;
}

/* Both functions of the line change; the one that is run is the one that changed first. */
static int trial_neighbour(struct ctx *ctx, const struct debuggee *debuggee,
                           const struct jit_where *where)
{
	struct switches before = machine_switches();
	uint16_t want = ctx_generation(ctx);

	if (poke_function(ctx, debuggee, debuggee->code, want) < 0 ||
	    poke_function(ctx, debuggee, debuggee->code + SPACING, ctx_generation(ctx)) < 0 ||
	    round_trip(ctx, debuggee) < 0)
		return -1;
	check(ctx, debuggee, where, want, &before);
	return 0;
}

#if defined(__x86_64__)

/* The processor is behind its breakpoint when it has hit one. */
static int step_back(struct ctx *ctx, const struct debuggee *debuggee)
{
	if (ptrace(PTRACE_POKEUSER, debuggee->pid, offsetof(struct user, regs.rip),
	           debuggee->code) < 0)
		return ctx_error(ctx, "PTRACE_POKEUSER");
	return 0;
}

#else

static int step_back(struct ctx *ctx, const struct debuggee *debuggee)
{
	(void)ctx;
	(void)debuggee;
	return 0;
}

#endif

/* After the child went on: 1 when it hit the breakpoint, 0 when it ran over it and stopped by itself. */
static int wait_breakpoint(struct ctx *ctx, const struct debuggee *debuggee)
{
	int signal = wait_signal(ctx, debuggee);

	if (signal == SIGSTOP || signal == SIGTRAP || signal < 0)
		return signal < 0 ? -1 : signal == SIGTRAP;
	return go_on(ctx, debuggee, signal) < 0 ? -1 : wait_stop(ctx, debuggee);
}

static int trial_breakpoint(struct ctx *ctx, const struct debuggee *debuggee,
                            const struct jit_where *where)
{
	const uint32_t instruction = BREAKPOINT;
	_Alignas(8) uint8_t code[JIT_FUNCTION_MAX];
	struct number number = {
		.cell = where->cell,
		.iteration = where->iteration,
		.fault = FAULT_STALE_CODE,
		.want = 1,
		.va = debuggee->code,
		.before = machine_switches(),
	};
	uint16_t want = ctx_generation(ctx);
	int hit;

	jit_emit(code, JIT_NATIVE, want);
	memcpy(code, &instruction, BREAKPOINT_BYTES);
	if (poke(ctx, debuggee, debuggee->code, code, jit_size(JIT_NATIVE)) < 0 ||
	    go_on(ctx, debuggee, 0) < 0)
		return -1;
	hit = wait_breakpoint(ctx, debuggee);
	if (hit < 0)
		return -1;
	number.got = (uint32_t)hit;
	(void)number_check(ctx, &number);
	if (poke_function(ctx, debuggee, debuggee->code, want) < 0 ||
	    (hit && step_back(ctx, debuggee) < 0) || round_trip(ctx, debuggee) < 0)
		return -1;
	check(ctx, debuggee, where, want, &number.before);
	return 0;
}

typedef int trial_fn(struct ctx *ctx, const struct debuggee *debuggee,
                     const struct jit_where *where);

static int run_variant(struct ctx *ctx, unsigned int variant, const struct debuggee *debuggee)
{
	static trial_fn *const trials[VARIANTS] = {
		[VARIANT_IMMEDIATE] = trial_immediate,
		[VARIANT_BREAKPOINT] = trial_breakpoint,
		[VARIANT_NEIGHBOUR] = trial_neighbour,
		[VARIANT_OTHER_CPU] = trial_immediate,
	};
	struct jit_where where = {.cell = variant, .set = JIT_NATIVE};

	ctx->report->running_cell = variant;
	for (; where.iteration < ctx->iterations; where.iteration++) {
		if (trials[variant](ctx, debuggee, &where) < 0)
			return -1;
	}
	return 0;
}

/* Put the child alone on another processor. Returns 0, or 1 when there is none. */
static int move_away(const struct debuggee *debuggee)
{
	long processors = sysconf(_SC_NPROCESSORS_CONF);

	for (size_t cpu = 1; cpu < CPU_SETSIZE && (long)cpu < processors; cpu++) {
		cpu_set_t set;

		CPU_ZERO(&set);
		CPU_SET(cpu, &set);
		if (sched_setaffinity(debuggee->pid, sizeof(set), &set) == 0)
			return 0;
	}
	return 1;
}

static int run(struct ctx *ctx)
{
	struct debuggee debuggee = {.code = jit_pages(ctx)};

	if (debuggee.code == NULL)
		return -1;
	debuggee.told = child_memory(ctx, sizeof(*debuggee.told));
	if (debuggee.told == NULL)
		return -1;
	ctx->act_sleeps = true;
	debuggee.pid = child_fork();
	if (debuggee.pid < 0)
		return ctx_error(ctx, "fork");
	if (debuggee.pid == 0)
		child_loop(&debuggee);
	if (wait_stop(ctx, &debuggee) < 0)
		return -1;
	for (unsigned int variant = 0; variant < VARIANT_OTHER_CPU; variant++) {
		if (run_variant(ctx, variant, &debuggee) < 0)
			return -1;
	}
	if (move_away(&debuggee) == 0)
		return run_variant(ctx, VARIANT_OTHER_CPU, &debuggee);
	ctx_skip_cell(ctx, VARIANT_OTHER_CPU, REASON_NOT_APPLICABLE);
	return 0;
}

static const struct variant variants[VARIANTS] = {
	[VARIANT_IMMEDIATE] = {"immediate", KIND_CONTRACT, 0, 0, 0},
	[VARIANT_BREAKPOINT] = {"breakpoint", KIND_CONTRACT, 0, 0, 0},
	[VARIANT_NEIGHBOUR] = {"neighbour", KIND_CONTRACT, 0, 0, 0},
	[VARIANT_OTHER_CPU] = {"other-cpu", KIND_CONTRACT, 0, 0, 0},
};

const struct test test_ptrace_poke_text = {
	.name = "ptrace-poke-text",
	.description = "code that a debugger pokes into a process is what that process runs",
	.api = "copy_to_user_page: flush_ptrace_access",
	.kind = KIND_CONTRACT,
	.classes = CLASS_VIPT_NONALIASING | CLASS_PIPT,
	.time_limit_s = 30,
	.iterations = 60,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
