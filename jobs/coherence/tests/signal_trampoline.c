/* signal-trampoline: a handler returns through code that the kernel provides.
 *
 * Whoever installs a handler without a restorer of his own gets the kernel's, which stands in a page that is mapped
 * into every process, and is another one for ARM and Thumb handlers and for those that get a siginfo. The kernel wrote
 * it through its own alias (get_signal_page). libc brings a restorer along, so the bare system call is used. That
 * the handler ran and the program goes on is all there is to see; a wild return is a fault that we catch.
 * No kernel that was tried makes it fail: without that flush the page is still cleaned when it is first mapped. */
#include "jit.h"
#include "number.h"
#include "tests.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	VARIANT_ARM,
	VARIANT_THUMB,
	VARIANT_ARM_SIGINFO,
	VARIANT_THUMB_SIGINFO,
	VARIANT_ARM_ALTSTACK,
	VARIANT_THUMB_ALTSTACK,
	VARIANTS,
};

#ifdef __arm__

#define THUMB_OFFSET 64U

/* As the system call has it. */
struct kernel_sigaction {
	uintptr_t handler;
	unsigned long flags;
	uintptr_t restorer;
	uint32_t mask[2];
};

static const struct {
	bool thumb;
	unsigned long flags;
} forms[VARIANTS] = {
	[VARIANT_ARM] = {false, 0},
	[VARIANT_THUMB] = {true, 0},
	[VARIANT_ARM_SIGINFO] = {false, SA_SIGINFO},
	[VARIANT_THUMB_SIGINFO] = {true, SA_SIGINFO},
	[VARIANT_ARM_ALTSTACK] = {false, SA_SIGINFO | SA_ONSTACK},
	[VARIANT_THUMB_ALTSTACK] = {true, SA_SIGINFO | SA_ONSTACK},
};

static volatile uint32_t handled;

/* Handlers that count in handled, one of each kind. */
static int write_handlers(uint8_t *code)
{
	const uint32_t arm[] = {
		0xe59f300cU, /* ldr r3, the word below */
		0xe5932000U, /* ldr r2, [r3] */
		0xe2822001U, /* add r2, r2, #1 */
		0xe5832000U, /* str r2, [r3] */
		0xe12fff1eU, /* bx lr */
		(uint32_t)(uintptr_t)&handled,
	};
	const uint16_t thumb[] = {
		0x4b02, /* ldr r3, the word below */
		0x681a, /* ldr r2, [r3] */
		0x3201, /* adds r2, #1 */
		0x601a, /* str r2, [r3] */
		0x4770, /* bx lr */
		0x46c0, /* nop */
	};

	memcpy(code, arm, sizeof(arm));
	memcpy(code + THUMB_OFFSET, thumb, sizeof(thumb));
	memcpy(code + THUMB_OFFSET + sizeof(thumb), &arm[5], sizeof(arm[5]));
	return jit_flush(code, code + 2U * THUMB_OFFSET);
}

static int install(struct ctx *ctx, unsigned int variant, const uint8_t *code)
{
	struct kernel_sigaction action = {
		.handler = (uintptr_t)code + (forms[variant].thumb ? THUMB_OFFSET + 1U : 0),
		.flags = forms[variant].flags,
	};

	if (syscall(SYS_rt_sigaction, SIGUSR1, &action, NULL, sizeof(action.mask)) < 0)
		return ctx_error(ctx, "rt_sigaction");
	return 0;
}

static uint32_t raise_once(void)
{
	handled = 0;
	(void)kill(getpid(), SIGUSR1);
	return handled;
}

static int run_variant(struct ctx *ctx, unsigned int variant, const uint8_t *code)
{
	struct number number = {.cell = variant, .fault = FAULT_STALE_CODE, .want = 1};
	uint32_t (*function)(void) = raise_once;
	void *at;

	memcpy(&at, &function, sizeof(at));
	ctx->report->running_cell = variant;
	if (install(ctx, variant, code) < 0)
		return -1;
	for (; number.iteration < ctx->iterations; number.iteration++) {
		number.before = machine_switches();
		number.got = jit_call(at, JIT_NATIVE);
		number.tag = number.got == JIT_CRASHED ? TAG_TORN : TAG_STALE;
		(void)number_check(ctx, &number);
	}
	return 0;
}

static int run(struct ctx *ctx)
{
	uint8_t *code = jit_pages(ctx);

	if (code == NULL)
		return -1;
	if (jit_catch_faults() < 0)
		return ctx_error(ctx, "signal handlers");
	if (write_handlers(code) < 0)
		return ctx_error(ctx, "cacheflush");
	for (unsigned int variant = 0; variant < VARIANTS; variant++) {
		if (forms[variant].thumb && !jit_has(JIT_THUMB))
			ctx_skip_cell(ctx, variant, REASON_NOT_APPLICABLE);
		else if (run_variant(ctx, variant, code) < 0)
			return -1;
	}
	return 0;
}

#else

static int run(struct ctx *ctx)
{
	return ctx_skip(ctx, REASON_NOT_APPLICABLE, "only 32-bit ARM has such a page");
}

#endif

static const struct variant variants[VARIANTS] = {
	[VARIANT_ARM] = {"arm", KIND_CONTRACT, 0, 0, 0},
	[VARIANT_THUMB] = {"thumb", KIND_CONTRACT, 0, 0, 0},
	[VARIANT_ARM_SIGINFO] = {"arm,siginfo", KIND_CONTRACT, 0, 0, 0},
	[VARIANT_THUMB_SIGINFO] = {"thumb,siginfo", KIND_CONTRACT, 0, 0, 0},
	[VARIANT_ARM_ALTSTACK] = {"arm,altstack", KIND_CONTRACT, 0, 0, 0},
	[VARIANT_THUMB_ALTSTACK] = {"thumb,altstack", KIND_CONTRACT, 0, 0, 0},
};

const struct test test_signal_trampoline = {
	.name = "signal-trampoline",
	.description = "handlers without a restorer return through the kernel's code",
	.api = "flush_icache_range in get_signal_page; setup_return",
	.kind = KIND_CONTRACT,
	.set = SET_EXTENDED,
	.classes = CLASS_ALL,
	.time_limit_s = 30,
	.iterations = 100,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
