/* clock.h - guest time: made from the count of instructions, so that it is the same in every run.
 * While the core waits for an interrupt, time jumps to the next event. */
#pragma once
#include "cpu.h"

#include <stdint.h>

#define CLOCK_NEVER UINT64_MAX

struct clock {
	struct cpu *cpu;     /* borrowed */
	uint32_t mips;       /* million instructions in a second of guest time; at least 1 */
	uint64_t skipped_ns; /* slept through */
};

static inline uint64_t clock_now(const struct clock *clock)
{
	return clock->cpu->count * 1000 / clock->mips + clock->skipped_ns;
}

/* Let time pass without instructions until at_ns, if that is not past. */
static inline void clock_skip_to(struct clock *clock, uint64_t at_ns)
{
	uint64_t now = clock_now(clock);

	if (at_ns > now)
		clock->skipped_ns += at_ns - now;
}

/* What the instruction counter shows at at_ns; at least one instruction from now. */
static inline uint64_t clock_count_at(const struct clock *clock, uint64_t at_ns)
{
	uint64_t now = clock_now(clock);
	uint64_t instructions = at_ns > now ? ((at_ns - now) * clock->mips + 999) / 1000 : 0;

	return clock->cpu->count + (instructions ? instructions : 1);
}

/* A device has changed when its next event is. */
static inline void clock_changed(const struct clock *clock)
{
	cpu_poke(clock->cpu);
}
