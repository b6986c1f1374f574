#include "probe.h"

#include "machine.h"
#include "pages.h"

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define AREA_BYTES   (2U * 1024U * 1024U)
#define LOADS        20000U
#define SAMPLES      5U
#define WAYS_MAX     64U
#define LINE_MIN     8U
#define STRIDE_MAX   256U
#define CLEARLY_MORE 5U /* halves: a miss costs at least 5/2 of a hit, or nothing is said */

static uint8_t *area;

/* A number that only has to be spread, the same each time. */
static uint32_t spread(uint32_t *state)
{
	*state = *state * 1664525U + 1013904223U;
	return *state >> 8;
}

/* Link count nodes, stride bytes apart, into one ring in random order, so that no prefetcher
 * knows the next. Returns where to start. */
static void **ring_make(unsigned int count, size_t stride)
{
	static uint32_t order[AREA_BYTES / 32U];
	uint32_t state = 1;

	for (unsigned int i = 0; i < count; i++)
		order[i] = i;
	for (unsigned int i = count - 1; i > 0; i--) {
		uint32_t j = spread(&state) % (i + 1U);
		uint32_t other = order[j];

		order[j] = order[i];
		order[i] = other;
	}
	for (unsigned int i = 0; i < count; i++) {
		void *next = area + order[(i + 1U) % count] * stride;

		memcpy(area + order[i] * stride, &next, sizeof(next));
	}
	return (void **)(void *)(area + order[0] * stride);
}

/* Picoseconds for one load along the ring: the best of some samples. */
static uint32_t ring_time(unsigned int count, size_t stride)
{
	void *volatile *at = ring_make(count, stride);
	uint64_t best = UINT64_MAX;

	for (unsigned int sample = 0; sample <= SAMPLES; sample++) {
		uint64_t start = machine_now_us();
		uint64_t took;

		for (unsigned int i = 0; i < LOADS; i++)
			at = *at;
		took = machine_now_us() - start;
		if (sample > 0 && took < best) /* the first one fills the cache */
			best = took;
	}
	return (uint32_t)(best * 1000000U / LOADS);
}

static bool clearly_more(uint32_t time, uint32_t than)
{
	return (uint64_t)time * 2U >= (uint64_t)than * CLEARLY_MORE;
}

/* The largest set that loads as fast as the smallest, if four times as much is clearly slower. */
static void probe_size(struct cache_probe *probe)
{
	for (unsigned int i = 0; i < PROBE_SIZES; i++) {
		unsigned int bytes = 1024U << (i + PROBE_FIRST_LOG2);

		probe->load_ps[i] = ring_time(bytes / 32U, 32);
	}
	for (unsigned int i = 0; i + 2 < PROBE_SIZES; i++) {
		bool fast = probe->load_ps[i] <= probe->load_ps[0] + probe->load_ps[0] / 4U;

		if (fast && clearly_more(probe->load_ps[i + 2], probe->load_ps[0]) &&
		    probe->load_ps[i + 1] > probe->load_ps[0] + probe->load_ps[0] / 4U)
			probe->bytes = 1024U << (i + PROBE_FIRST_LOG2);
	}
}

/* Picoseconds for one load when walking straight through far more than the cache. */
static uint32_t walk_time(size_t bytes, size_t stride)
{
	const volatile uint8_t *from = area;
	uint64_t best = UINT64_MAX;

	for (unsigned int sample = 0; sample < SAMPLES; sample++) {
		uint64_t start = machine_now_us();
		uint64_t took;

		for (size_t i = 0; i < bytes; i += stride)
			(void)from[i];
		took = machine_now_us() - start;
		if (took < best)
			best = took;
	}
	return (uint32_t)(best * 1000000U / (bytes / stride));
}

/* A load costs more with every step until each one is in a line of its own. */
static void probe_line(struct cache_probe *probe)
{
	uint32_t slowest = walk_time(AREA_BYTES, STRIDE_MAX);

	if (!clearly_more(slowest, walk_time(AREA_BYTES, LINE_MIN / 2)))
		return;
	for (unsigned int stride = LINE_MIN; stride < STRIDE_MAX; stride *= 2) {
		if (walk_time(AREA_BYTES, stride) >= slowest - slowest / 8U) {
			probe->line = stride;
			return;
		}
	}
}

/* Addresses a whole cache size apart share a set: one more than it has ways, and they miss. */
static void probe_ways(struct cache_probe *probe)
{
	uint32_t fast = ring_time(1, probe->bytes);

	for (unsigned int count = 2; count <= WAYS_MAX + 1; count++) {
		if ((uint64_t)count * probe->bytes > AREA_BYTES)
			return;
		if (ring_time(count, probe->bytes) > fast + fast / 2U) {
			probe->ways = count - 1;
			return;
		}
	}
}

static void push_out(void)
{
	const volatile uint8_t *from = area + AREA_BYTES / 2;

	for (size_t i = 0; i < AREA_BYTES / 2; i += LINE_MIN)
		(void)from[i];
}

static uint64_t once_over(size_t bytes)
{
	const volatile uint8_t *from = area;
	uint64_t start = machine_now_us();

	for (size_t i = 0; i < bytes; i += 32)
		(void)from[i];
	return machine_now_us() - start;
}

/* Time loads of half a cache: cold, just loaded, and just stored to. */
static void probe_allocation(struct cache_probe *probe)
{
	size_t bytes = probe->bytes / 2;
	uint64_t cold = 0;
	uint64_t warm = 0;
	uint64_t stored = 0;

	for (unsigned int sample = 0; sample < 64; sample++) {
		push_out();
		cold += once_over(bytes);
		warm += once_over(bytes);
		push_out();
		for (size_t i = 0; i < bytes; i += 32)
			((volatile uint8_t *)area)[i] = 1;
		stored += once_over(bytes);
	}
	if (cold < 64 || cold < 2 * warm)
		return;
	if (stored > cold - (cold - warm) / 4U)
		probe->allocation = "read";
	else if (stored < warm + (cold - warm) / 4U)
		probe->allocation = "read-write";
}

void probe_cache(struct cache_probe *probe)
{
	memset(probe, 0, sizeof(*probe));
	probe->allocation = "unknown";
	area = mmap(NULL, AREA_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED)
		return;
	memset(area, 1, AREA_BYTES);
	probe_size(probe);
	if (probe->bytes != 0) { /* without that knee there is no cache to be seen */
		probe_line(probe);
		probe_ways(probe);
		probe_allocation(probe);
	}
	(void)munmap(area, AREA_BYTES);
}

const char *probe_colour(void)
{
	int fd = memfd_create("colour", MFD_CLOEXEC);
	void *slots = slots_reserve(1);
	const char *answer = "unknown";

	if (fd >= 0 && slots != NULL && ftruncate(fd, PAGE_BYTES) == 0) {
		void *right = mmap(slot_at(slots, 0, 0), PAGE_BYTES, PROT_READ,
		                   MAP_SHARED | MAP_FIXED, fd, 0);
		void *wrong = mmap(slot_at(slots, 0, 1), PAGE_BYTES, PROT_READ,
		                   MAP_SHARED | MAP_FIXED, fd, 0);

		if (right != MAP_FAILED)
			answer = wrong == MAP_FAILED ? "refused" : "allowed";
	}
	if (fd >= 0)
		(void)close(fd);
	return answer;
}
