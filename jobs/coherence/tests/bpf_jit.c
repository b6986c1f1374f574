/* bpf-jit: a socket filter that the kernel compiles is the one that filters.
 *
 * Each filter says by its constants how much of a datagram to keep; it is attached in the place of the one before, whose
 * memory a later one gets again. The kernel writes the code through its own mapping and runs it there
 * (flush_icache_range in bpf_int_jit_compile). The compiler is switched on for the test and put back afterwards.
 * Few rounds: giving one filter's memory back costs the kernel some 50 ms on ARMv5, later and in the background. */
#include "knob.h"
#include "number.h"
#include "tests.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DATAGRAM 1000U

/* The compiler is on, or off and can be switched on. Returns 0, or -1 after ctx_skip() or ctx_error(). */
static int enable(struct ctx *ctx)
{
	char value = '0';
	int fd = open("/proc/sys/net/core/bpf_jit_enable", O_RDONLY | O_CLOEXEC);
	ssize_t done = fd < 0 ? 0 : read(fd, &value, 1);

	if (fd < 0)
		return ctx_cannot(ctx, "the compiler of socket filters");
	(void)close(fd);
	if (done == 1 && value != '0')
		return 0;
	if (!knob_exists(KNOB_BPF_JIT))
		return ctx_skip(ctx, REASON_NOPERM, "the compiler of socket filters is off");
	return knob_set(ctx, KNOB_BPF_JIT, "1") == 0
	               ? 0
	               : ctx_cannot(ctx, "switching the compiler of socket filters on");
}

/* Keep the sum of both numbers of bytes. */
static int attach(struct ctx *ctx, int fd, uint32_t first, uint32_t second)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_IMM, first),
		BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, second),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};
	struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
		return ctx_cannot(ctx, "attaching a socket filter");
	return 0;
}

static int run(struct ctx *ctx)
{
	static char datagram[DATAGRAM];
	struct number number = {.fault = FAULT_STALE_CODE};
	int ends[2];

	if (enable(ctx) < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) < 0)
		return ctx_error(ctx, "a pair of sockets");
	for (; number.iteration < ctx->iterations; number.iteration++) {
		uint32_t first = 1U + number.iteration * 37U % 400U;
		uint32_t second = 1U + number.iteration * 101U % 500U;
		ssize_t got;

		if (attach(ctx, ends[0], first, second) < 0)
			return -1;
		number.want = first + second;
		number.before = machine_switches();
		if (send(ends[1], datagram, sizeof(datagram), 0) < 0)
			return ctx_error(ctx, "sending a datagram");
		got = recv(ends[0], datagram, sizeof(datagram), MSG_DONTWAIT);
		number.got = got < 0 ? 0 : (uint32_t)got; /* none: the filter dropped it */
		(void)number_check(ctx, &number);
	}
	return 0;
}

static const struct variant variants[] = {
	{NULL, KIND_CONTRACT, 0, 0, 0},
};

const struct test test_bpf_jit = {
	.name = "bpf-jit",
	.description = "a compiled socket filter does what it was attached for",
	.api = "flush_icache_range in bpf_int_jit_compile",
	.kind = KIND_CONTRACT,
	.set = SET_EXTENDED,
	.classes = CLASS_ALL,
	.needs = NEED_ROOT | NEED_BPF_JIT,
	.time_limit_s = 60,
	.iterations = 50,
	.variants = variants,
	.variant_count = 1,
	.run = run,
};
