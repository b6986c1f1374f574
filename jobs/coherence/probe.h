/* probe.h - what can be learnt of the data cache from user space. */
#pragma once
#include <stdint.h>

#define PROBE_FIRST_LOG2 1U /* the smallest set walked is 2 KiB */
#define PROBE_SIZES      9U /* ... and the largest 512 KiB */

struct cache_probe {
	unsigned int bytes, line, ways; /* 0: the timing did not settle it */
	const char *allocation;         /* "read", "read-write" or "unknown" */
	uint32_t load_ps[PROBE_SIZES];  /* time for one dependent load, by size of the set */
};

/* Time loads. On a machine without a cache, or with one that is not simple (QEMU, x86), most
 * of it comes out as unknown. */
void probe_cache(struct cache_probe *probe);

/* How the kernel treats a shared mapping at an address of another colour: "refused" (its data
 * cache aliases), "allowed", or "unknown". */
const char *probe_colour(void);
