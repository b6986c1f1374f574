/* uprobe-xol: probed instructions run out of line, in a slot that the kernel writes anew at each hit.
 *
 * Two probes on different instructions of one loop share the slot, so it changes all the time: the kernel writes it
 * through its own alias, and the user executes it at another address (flush_uprobe_xol_access). What the loop adds up
 * says which copies ran. `removed` runs the function after its probes are gone: the original instructions again.
 * The probes are counters of perf's: they end with the process, whatever happens to it.
 *
 * Stock 6.1 fails `sum` on VIVT: the instruction lines are invalidated by the kernel's address of the slot instead of
 * the user's, so that an old copy runs. Invalidating all of them there cures it. */
#include "jit.h"
#include "number.h"
#include "pool.h"
#include "tests.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { VARIANT_SUM, VARIANT_HITS, VARIANT_REMOVED, VARIANTS };

#define PROBES 2U
#define ROUNDS 50U
#define SUM    ((uint32_t)(ROUNDS * (1U + 16U)))

/* sum = 0; ROUNDS times { sum += 1; sum += 16; }; return sum. The two additions are probed. */
#if defined(__arm__)
static const uint32_t function[] = {
	0xe3a00000U,          /* mov r0, #0 */
	0xe3a01000U | ROUNDS, /* mov r1, #ROUNDS */
	0xe2800001U,          /* add r0, r0, #1 */
	0xe2800010U,          /* add r0, r0, #16 */
	0xe2511001U,          /* subs r1, r1, #1 */
	0x1afffffbU,          /* bne to the first addition */
	0xe12fff1eU,          /* bx lr */
};
static const unsigned int probed[PROBES] = {8, 12};
#elif defined(__aarch64__)
static const uint32_t function[] = {
	0x52800000U,               /* mov w0, #0 */
	0x52800001U | ROUNDS << 5, /* mov w1, #ROUNDS */
	0x11000400U,               /* add w0, w0, #1 */
	0x11004000U,               /* add w0, w0, #16 */
	0x71000421U,               /* subs w1, w1, #1 */
	0x54ffffa1U,               /* b.ne to the first addition */
	0xd65f03c0U,               /* ret */
};
static const unsigned int probed[PROBES] = {8, 12};
#else
static const uint8_t function[] = {
	0x31, 0xc0,             /* xor eax, eax */
	0xb9, ROUNDS, 0,  0, 0, /* mov ecx, ROUNDS */
	0x83, 0xc0,   1,        /* add eax, 1 */
	0x83, 0xc0,   16,       /* add eax, 16 */
	0xff, 0xc9,             /* dec ecx */
	0x75, 0xf6,             /* jne to the first addition */
	0xc3,                   /* ret */
};
static const unsigned int probed[PROBES] = {7, 10};
#endif

struct code {
	int fd;
	void *at;
	uint32_t type; /* of perf's events that are probes of user code */
};

/* Number of perf's kind of event, or -1 with errno: ENOENT when this kernel has none such. */
static int probe_type(uint32_t *type)
{
	char text[16] = "";
	int fd = open("/sys/bus/event_source/devices/uprobe/type", O_RDONLY | O_CLOEXEC);
	ssize_t done;

	if (fd < 0)
		return -1;
	done = read(fd, text, sizeof(text) - 1);
	(void)close(fd);
	*type = (uint32_t)strtoul(text, NULL, 10);
	return done > 0 ? 0 : -1;
}

/* Probe the instruction at this offset of the file. Returns the counter, or -1 with errno. */
static int probe_open(const struct code *code, unsigned int offset)
{
	char path[40];
	struct perf_event_attr attr = {
		.type = code->type,
		.size = sizeof(attr),
		.sample_period = 0,
		.uprobe_path = (uintptr_t)path,
		.probe_offset = offset,
	};

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", code->fd);
	return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static int probe_count(struct ctx *ctx, int probe, uint32_t *hits)
{
	uint64_t count;

	if (read(probe, &count, sizeof(count)) != (ssize_t)sizeof(count))
		return ctx_error(ctx, "reading a probe's counter");
	*hits = (uint32_t)count;
	return 0;
}

static void check(struct ctx *ctx, struct number *number, uint32_t want, uint32_t got)
{
	number->want = want;
	number->got = got;
	number->tag = got == JIT_CRASHED ? TAG_TORN : TAG_STALE;
	(void)number_check(ctx, number);
}

/* A missing hit is a breakpoint that was not seen: the old instruction ran there. */
static int check_hits(struct ctx *ctx, struct number *number, const int probes[PROBES])
{
	number->cell = VARIANT_HITS;
	for (unsigned int i = 0; i < PROBES; i++) {
		uint32_t hits = 0;

		if (probe_count(ctx, probes[i], &hits) < 0)
			return -1;
		check(ctx, number, ROUNDS, hits);
	}
	return 0;
}

static int trial(struct ctx *ctx, const struct code *code, unsigned int iteration)
{
	struct number number = {
		.iteration = iteration,
		.fault = FAULT_STALE_CODE,
		.va = code->at,
		.length = sizeof(function),
	};
	int probes[PROBES];

	(void)jit_call(code->at, JIT_NATIVE);
	for (unsigned int i = 0; i < PROBES; i++) {
		probes[i] = probe_open(code, probed[i]);
		if (probes[i] < 0)
			return ctx_cannot(ctx, "probing user code");
	}
	number.before = machine_switches();
	number.cell = VARIANT_SUM;
	check(ctx, &number, SUM, jit_call(code->at, JIT_NATIVE));
	if (check_hits(ctx, &number, probes) < 0)
		return -1;
	for (unsigned int i = 0; i < PROBES; i++)
		(void)close(probes[i]);
	number.before = machine_switches();
	number.cell = VARIANT_REMOVED;
	check(ctx, &number, SUM, jit_call(code->at, JIT_NATIVE));
	return 0;
}

/* Probes are put into private mappings of files that are not writable. */
static int map_function(struct ctx *ctx, struct code *code)
{
	void *slots = slots_reserve(1);

	code->fd = file_on_tmpfs(ctx, 0, PAGE_BYTES);
	if (code->fd < 0)
		return -1;
	if (slots == NULL)
		return ctx_error(ctx, "reserving addresses");
	if (pwrite(code->fd, function, sizeof(function), 0) != (ssize_t)sizeof(function))
		return ctx_error(ctx, "writing code");
	code->at = mmap(slot_at(slots, 0, 0), PAGE_BYTES, PROT_READ | PROT_EXEC,
	                MAP_PRIVATE | MAP_FIXED, code->fd, 0);
	return code->at == MAP_FAILED ? ctx_cannot(ctx, "executable memory of a file") : 0;
}

static int run(struct ctx *ctx)
{
	struct code code = {.fd = -1};

	if (probe_type(&code.type) < 0)
		return ctx_cannot(ctx, "probes of user code (perf's uprobe)");
	if (map_function(ctx, &code) < 0)
		return -1;
	if (jit_catch_faults() < 0)
		return ctx_error(ctx, "signal handlers");
	errno = 0;
	if (jit_call(code.at, JIT_NATIVE) != SUM)
		return ctx_error(ctx, "the function is wrong without a probe");
	for (unsigned int iteration = 0; iteration < ctx->iterations; iteration++) {
		if (trial(ctx, &code, iteration) < 0)
			return -1;
	}
	return 0;
}

static const struct variant variants[VARIANTS] = {
	[VARIANT_SUM] = {"sum", KIND_CONTRACT, 0, 0, 0},
	[VARIANT_HITS] = {"hits", KIND_CONTRACT, 0, 0, 0},
	[VARIANT_REMOVED] = {"removed", KIND_CONTRACT, 0, 0, 0},
};

const struct test test_uprobe_xol = {
	.name = "uprobe-xol",
	.description = "instructions under probes run as they are, out of line",
	.api = "arch_uprobe_copy_ixol: flush_uprobe_xol_access; uprobe_write_opcode",
	.kind = KIND_CONTRACT,
	.classes = CLASS_ALL,
	.needs = NEED_ROOT | NEED_TMPFS | NEED_UPROBES | NEED_PERF,
	.time_limit_s = 30,
	.iterations = 10,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
