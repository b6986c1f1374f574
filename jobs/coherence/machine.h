/* machine.h - what a test does to the processor and its caches from user space. */
#pragma once
#include "block.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the process could arrange for quiet trials. */
struct quiet {
	bool fifo, locked, pinned;
};

struct switches {
	uint32_t voluntary, involuntary;
};

/* What machine_evict() and machine_settle() read. With random replacement a line is still there after n times the size of the
 * cache with a probability of exp(-n), however many ways there are: 16 times the size is enough, 1e-7. On VIVT the switch that
 * machine_settle() begins with has flushed everything already; what it reads then is 4 times 16 KiB, to be sure. */
#define EVICT_BYTES        (256U * 1024U)
#define EVICT_BYTES_LARGE  (512U * 1024U) /* for data caches of 64 KiB */
#define EVICT_PASSES       3U
#define SETTLE_BYTES       (EVICT_PASSES * EVICT_BYTES)
#define SETTLE_BYTES_LARGE (2U * EVICT_BYTES_LARGE)
#define SETTLE_BYTES_VIVT  (64U * 1024U)

/* Make this process quiet (SCHED_FIFO 50, memory locked, bound to CPU 0; each as far as we are
 * allowed to, *quiet says which), take the eviction buffer and start the peer process that
 * machine_switch() talks to. Call it before the test's own memory exists: what exists now is
 * shared with the peer copy-on-write. Returns 0, or -1 with errno set. */
int machine_init(size_t evict_bytes, size_t settle_bytes, struct quiet *quiet);

/* Let another process run on this CPU and come back: on a VIVT cache the kernel cleans and
 * invalidates all of it at each of the two switches. */
void machine_switch(void);

/* Push every line out of the data cache by reading other memory, EVICT_PASSES times. */
void machine_evict(void);

/* The same for those lines only whose place in the cache is that of bytes at at, or of another alias of them: for a
 * buffer that the test itself needs, next to pages whose lines are to stay. */
void machine_evict_at(const volatile void *at, size_t bytes);

/* machine_switch(), then what machine_evict() does, for settle_bytes: afterwards no alias of a test page is cached. */
void machine_settle(void);

/* Let the rest of the board run for a moment when it had to wait for long: a test under SCHED_FIFO would else starve
 * the SSH server that the farm talks to, and meet the kernel's limit for such processes in the middle of a trial. Call
 * it between trials, whatever their number: what was counted by machine_switches() before is no longer comparable. */
void machine_breathe(void);

/* The same without a question: the end of a test, which may have been short, as may be the next ones. */
void machine_rest(void);

/* For who has no trials but the same priority: rest as much as is due for the time since then. */
void machine_rest_since(uint64_t busy_since_us);

/* Context switches of this process so far. */
struct switches machine_switches(void);

/* Microseconds on the monotonic clock. */
uint64_t machine_now_us(void);

/* Read one word of each half-line: the line is then cached, and clean. */
void user_load(const volatile void *at);

/* Read one word of each half-line, then write every word: the line is cached and dirty even
 * in a cache that allocates on reads only. */
void user_dirty(volatile void *at, const struct pattern *pattern);

/* The same, but only the words that belong to over are written. */
void user_dirty_over(volatile void *at, const struct pattern *pattern);

/* Copy the page at va of our own memory through the kernel's alias into buffer, by
 * /proc/self/mem. get_user_pages flushes both aliases first; the copy then leaves the
 * kernel's lines resident and clean. fd is /proc/self/mem. Returns 0, or -1 with errno. */
int kernel_read_own(int fd, const void *va, void *buffer);
