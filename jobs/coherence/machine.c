#include "machine.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define EVICT_STRIDE 32U

#define FIFO_PRIORITY 50

/* The kernel takes the processor from SCHED_FIFO when it has had 950 ms of a second (sched_rt_runtime_us), wherever
 * that happens to be, and the trial that it happens in is masked. A test that rests a 12th of the time leaves 83 ms, and
 * still the 50 when it has to do something for 400 ms on end. */
#define BREATHE_AFTER_US 50000U
#define BREATHE_SHARE    11U /* of the time since the last rest */

static const volatile uint8_t *evict_buffer;
static size_t evict_length;
static size_t settle_length;
static int to_peer = -1;
static int from_peer = -1;
static uint64_t breathed_us;

static _Noreturn void peer_run(int in, int out)
{
	char byte;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(in, &byte, 1) == 1 && write(out, &byte, 1) == 1)
		continue;
	_exit(0);
}

static int start_peer(void)
{
	int there[2];
	int back[2];
	pid_t pid;

	if (pipe(there) < 0 || pipe(back) < 0)
		return -1;
	pid = fork();
	if (pid < 0)
		return -1;
	if (pid == 0) {
		(void)close(there[1]);
		(void)close(back[0]);
		peer_run(there[0], back[1]);
	}
	(void)close(there[0]);
	(void)close(back[1]);
	to_peer = there[1];
	from_peer = back[0];
	return 0;
}

static struct quiet make_quiet(void)
{
	struct sched_param fifo = {.sched_priority = FIFO_PRIORITY};
	struct quiet quiet;
	cpu_set_t cpu;

	CPU_ZERO(&cpu);
	CPU_SET(0, &cpu);
	quiet.pinned = sched_setaffinity(0, sizeof(cpu), &cpu) == 0;
	quiet.fifo = sched_setscheduler(0, SCHED_FIFO, &fifo) == 0;
	/* Not MCL_FUTURE: populating a mapping is a fault of the kernel's making, and some
	 * tests are about the first touch. */
	quiet.locked = mlockall(MCL_CURRENT) == 0;
	return quiet;
}

int machine_init(size_t evict_bytes, size_t settle_bytes, struct quiet *quiet)
{
	uint8_t *buffer =
		mmap(NULL, evict_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (buffer == MAP_FAILED)
		return -1;
	/* Written, so that each page is one of its own and not the shared zero page. */
	for (size_t i = 0; i < evict_bytes; i += PAGE_BYTES)
		buffer[i] = 1;
	evict_buffer = buffer;
	evict_length = evict_bytes;
	settle_length = settle_bytes;
	breathed_us = machine_now_us();
	*quiet = make_quiet(); /* before the peer, which inherits it */
	return start_peer();
}

void machine_switch(void)
{
	char byte = 0;

	if (write(to_peer, &byte, 1) == 1)
		while (read(from_peer, &byte, 1) < 0 && errno == EINTR)
			continue;
}

/* Read bytes, from the start of the buffer again when it ends. */
static void evict(size_t bytes)
{
	while (bytes > 0) {
		size_t length = bytes < evict_length ? bytes : evict_length;

#pragma GCC unroll 8
		for (size_t i = 0; i < length; i += EVICT_STRIDE)
			(void)evict_buffer[i];
		bytes -= length;
	}
}

void machine_evict(void)
{
	evict(EVICT_PASSES * evict_length);
}

void machine_evict_at(const volatile void *at, size_t bytes)
{
	size_t first = (uintptr_t)at % PAGE_BYTES / EVICT_STRIDE * EVICT_STRIDE;
	size_t end = (uintptr_t)at % PAGE_BYTES + bytes;

	for (unsigned int pass = 0; pass < EVICT_PASSES; pass++) {
		for (size_t page = 0; page < evict_length; page += PAGE_BYTES) {
			for (size_t i = first; i < end && i < PAGE_BYTES; i += EVICT_STRIDE)
				(void)evict_buffer[page + i];
		}
	}
}

void machine_settle(void)
{
	machine_switch();
	evict(settle_length);
}

void machine_rest_since(uint64_t busy_since_us)
{
	uint64_t rest_us = (machine_now_us() - busy_since_us) / BREATHE_SHARE;
	struct timespec moment = {.tv_sec = (time_t)(rest_us / 1000000U),
	                          .tv_nsec = (long)(rest_us % 1000000U) * 1000L};

	(void)nanosleep(&moment, NULL);
}

void machine_rest(void)
{
	machine_rest_since(breathed_us);
	breathed_us = machine_now_us();
}

void machine_breathe(void)
{
	if (machine_now_us() - breathed_us >= BREATHE_AFTER_US)
		machine_rest();
}

struct switches machine_switches(void)
{
	struct rusage usage;

	if (getrusage(RUSAGE_SELF, &usage) < 0)
		return (struct switches){0};
	return (struct switches){.voluntary = (uint32_t)usage.ru_nvcsw,
	                         .involuntary = (uint32_t)usage.ru_nivcsw};
}

uint64_t machine_now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000U + (uint64_t)now.tv_nsec / 1000U;
}

void user_load(const volatile void *at)
{
	const volatile uint32_t *words = at;

	for (unsigned int word = 0; word < PAGE_WORDS; word += HALF_WORDS)
		(void)words[word];
}

void user_dirty(volatile void *at, const struct pattern *pattern)
{
	user_load(at);
	pattern_store(at, pattern);
}

void user_dirty_over(volatile void *at, const struct pattern *pattern)
{
	user_load(at);
	pattern_store_over(at, pattern);
}

int kernel_read_own(int fd, const void *va, void *buffer)
{
	ssize_t done = pread(fd, buffer, PAGE_BYTES, (off_t)(uintptr_t)va);

	if (done == (ssize_t)PAGE_BYTES)
		return 0;
	if (done >= 0)
		errno = EIO;
	return -1;
}
