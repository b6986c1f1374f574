#include "jit.h"

#include "number.h"

#include <asm/unistd.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

static sigjmp_buf before_call;

static void on_fault(int signal)
{
	siglongjmp(before_call, signal);
}

int jit_catch_faults(void)
{
	static const int signals[] = {SIGSEGV, SIGILL, SIGBUS, SIGTRAP, SIGFPE};
	static char stack[16384];
	stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)};
	/* Not blocked in the handler: jumping out of it then needs no system call. */
	struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_NODEFER | SA_ONSTACK};

	if (sigaltstack(&alternate, NULL) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		if (sigaction(signals[i], &action, NULL) < 0)
			return -1;
	}
	return 0;
}

#if defined(__arm__)

bool jit_has(enum jit_set set)
{
	const unsigned long thumb = 1UL << 2; /* HWCAP_THUMB */

	return set == JIT_NATIVE || (getauxval(AT_HWCAP) & thumb) != 0;
}

size_t jit_size(enum jit_set set)
{
	return set == JIT_NATIVE ? 12 : 8;
}

static void emit_thumb(volatile uint16_t *code, uint16_t value)
{
	code[0] = (uint16_t)(0x2000U | value >> 8);     /* movs r0, #high */
	code[1] = 0x0200;                               /* lsls r0, r0, #8 */
	code[2] = (uint16_t)(0x3000U | (value & 255U)); /* adds r0, #low */
	code[3] = 0x4770;                               /* bx lr */
}

static void emit_native(volatile uint32_t *code, uint16_t value)
{
	code[0] = 0xe3a00000U | (value & 255U); /* mov r0, #low */
	code[1] = 0xe3800c00U | (value >> 8);   /* orr r0, r0, #high << 8 */
	code[2] = 0xe12fff1eU;                  /* bx lr */
}

int jit_flush(void *start, void *end)
{
	return (int)syscall(__ARM_NR_cacheflush, start, end, 0);
}

#else

bool jit_has(enum jit_set set)
{
	return set == JIT_NATIVE;
}

static void emit_thumb(volatile uint16_t *code, uint16_t value)
{
	code[0] = value; /* never run: jit_has() is false */
}

#if defined(__aarch64__)

size_t jit_size(enum jit_set set)
{
	(void)set;
	return 8;
}

static void emit_native(volatile uint32_t *code, uint16_t value)
{
	code[0] = 0x52800000U | (uint32_t)value << 5; /* mov w0, #value */
	code[1] = 0xd65f03c0U;                        /* ret */
}

#elif defined(__x86_64__) || defined(__i386__)

size_t jit_size(enum jit_set set)
{
	(void)set;
	return 8;
}

static void emit_native(volatile uint32_t *code, uint16_t value)
{
	code[0] = 0xb8U | (uint32_t)value << 8; /* mov eax, value: its lower three bytes */
	code[1] = 0x9090c300U;                  /* its highest byte; ret; nop; nop */
}

#else
// cppcheck-suppress preprocessorErrorDirective
#error "jit.c: no instruction encodings for this architecture"
#endif

int jit_flush(void *start, void *end)
{
	__builtin___clear_cache(start, end);
	return 0;
}

#endif

void jit_emit(void *at, enum jit_set set, uint16_t value)
{
	if (set == JIT_THUMB)
		emit_thumb(at, value);
	else
		emit_native(at, value);
}

uint32_t jit_call(const void *at, enum jit_set set)
{
	uintptr_t address = (uintptr_t)at | (set == JIT_THUMB ? 1U : 0U);
	uint32_t (*function)(void);

	memcpy(&function, &address, sizeof(function));
	if (sigsetjmp(before_call, 0) != 0)
		return JIT_CRASHED;
	return function();
}

uint8_t *jit_pages(struct ctx *ctx)
{
	void *slots = slots_reserve(1);
	void *pages;

	if (slots == NULL) {
		(void)ctx_error(ctx, "reserving addresses");
		return NULL;
	}
	pages = mmap(slot_at(slots, 0, 0), (size_t)2 * PAGE_BYTES,
	             PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
	             -1, 0);
	if (pages == MAP_FAILED) {
		(void)ctx_cannot(ctx, "writable and executable memory");
		return NULL;
	}
	memset(pages, 0, (size_t)2 * PAGE_BYTES);
	return pages;
}

void jit_check_since(struct ctx *ctx, const struct jit_where *where, const void *at, uint16_t want,
                     const struct switches *before)
{
	uint32_t got = jit_call(at, where->set);
	struct number number = {
		.cell = where->cell,
		.iteration = where->iteration,
		.fault = FAULT_STALE_CODE,
		.want = want,
		.got = got,
		.va = at,
		.length = (unsigned int)jit_size(where->set),
		.tag = got == JIT_CRASHED ? TAG_TORN : TAG_STALE,
		.before = *before,
	};

	(void)number_check(ctx, &number);
}

void jit_check(struct ctx *ctx, unsigned int cell, unsigned int iteration, const void *at,
               enum jit_set set, uint16_t want)
{
	struct jit_where where = {.cell = cell, .iteration = iteration, .set = set};
	struct switches before = machine_switches();

	jit_check_since(ctx, &where, at, want, &before);
}

int jit_trial(struct ctx *ctx, unsigned int cell, unsigned int iteration, void *at,
              enum jit_set set, bool flush)
{
	uint8_t *end = (uint8_t *)at + jit_size(set);
	uint16_t old = ctx_generation(ctx);
	uint16_t want = ctx_generation(ctx);
	struct jit_where where = {.cell = cell, .iteration = iteration, .set = set};
	struct switches before;

	jit_emit(at, set, old);
	if (jit_flush(at, end) < 0)
		return ctx_error(ctx, "cacheflush");
	(void)jit_call(at, set);
	before = machine_switches();
	jit_emit(at, set, want);
	if (flush && jit_flush(at, end) < 0)
		return ctx_error(ctx, "cacheflush");
	jit_check_since(ctx, &where, at, want, &before);
	return 0;
}
