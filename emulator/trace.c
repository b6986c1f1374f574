#include "trace.h"

#include "bus.h"
#include "cache.h"
#include "common/xalloc.h"
#include "cpu.h"
#include "host.h"
#include "mem.h"
#include "trace_report.h"

#include <stdlib.h>
#include <string.h>

#define PAGE       4096u
#define LOST_SLOTS 4096u /* halves whose newest bytes were destroyed, as far as remembered */

struct lost {
	uint32_t half; /* physical address | 1; 0: free */
	struct deed cause;
};

struct trace {
	struct report *report;
	const struct cpu *cpu; /* borrowed, as are the next two; NULL before trace_attach() */
	struct mem *mem;
	uint8_t *ram;
	uint32_t ram_bytes;
	bool begun;
	uint8_t *truth;       /* what RAM would hold if there were no caches */
	struct deed *writers; /* of each word */
	struct deed *stored;  /* the last store to each line of the D-cache */
	struct lost lost[LOST_SLOTS];
};

struct trace *trace_new(const char *path, uint32_t limit, struct symbols *symbols, struct err *err)
{
	struct report *report = report_new(path, limit, symbols, err);
	struct trace *trace;

	if (!report)
		return NULL;
	trace = xcalloc(1, sizeof(*trace));
	trace->report = report;
	return trace;
}

static void detach(struct trace *trace)
{
	free(trace->truth);
	free(trace->writers);
	free(trace->stored);
	trace->truth = NULL;
	trace->writers = NULL;
	trace->stored = NULL;
}

void trace_free(struct trace *trace)
{
	if (!trace)
		return;
	detach(trace);
	report_free(trace->report);
	free(trace);
}

int trace_finish(struct trace *trace, struct err *err)
{
	return report_finish(trace->report, err);
}

void trace_attach(struct trace *trace, const struct cpu *cpu, struct mem *mem)
{
	detach(trace);
	trace->cpu = cpu;
	trace->mem = mem;
	trace->ram_bytes = bus_ram_bytes(mem->bus);
	trace->ram = bus_ram(mem->bus, 0, trace->ram_bytes);
	trace->begun = false;
	memset(trace->lost, 0, sizeof(trace->lost));
}

static uint32_t lines_of(const struct cache *cache)
{
	return cache ? cache->sets * cache->config.ways : 0;
}

/* All that is in RAM and in dirty lines now is the newest there is. Pages of nothing but zeros stay
 * untouched, so that they take no memory here. */
static void begin(struct trace *trace)
{
	const struct cache *d = trace->mem->d;

	trace->begun = true;
	trace->truth = xcalloc(1, trace->ram_bytes);
	trace->writers = xcalloc(trace->ram_bytes / 4, sizeof(*trace->writers));
	trace->stored = xcalloc(lines_of(d) + 1, sizeof(*trace->stored));
	for (uint32_t at = 0; at < trace->ram_bytes; at += PAGE) {
		if (memcmp(trace->truth + at, trace->ram + at, PAGE) != 0)
			memcpy(trace->truth + at, trace->ram + at, PAGE);
	}
	for (uint32_t line = 0; line < lines_of(d); line++) {
		for (unsigned half = 0; half < 2; half++) {
			uint32_t offset = half * CACHE_HALF;

			if (d->dirty[line] & 1u << half)
				memcpy(trace->truth + d->pa[line] + offset,
				       cache_bytes(d, line) + offset, CACHE_HALF);
		}
	}
}

static struct deed deed_now(const struct trace *trace, uint32_t va)
{
	bool user = (trace->cpu->cpsr & 0x1f) == MODE_USR;

	return (struct deed){.pc = trace->cpu->pc,
	                     .va = va,
	                     .when = trace->cpu->count & 0xffffffffffffff,
	                     .who = user ? WHO_USER : WHO_KERNEL};
}

static struct lost *lost_slot(struct trace *trace, uint32_t pa)
{
	return &trace->lost[(pa / CACHE_HALF * 2654435761u >> 16) % LOST_SLOTS];
}

/* The virtual address of a line, or what its place says about that: the bits that choose the set. */
static uint32_t line_address(const struct cache *cache, uint32_t line)
{
	if (cache->config.kind == CACHE_VIVT)
		return cache->tag[line] & ~1u;
	return line / cache->config.ways * CACHE_LINE;
}

/* Where the newest bytes are, other than in the line `but` of the D-cache. */
static void locate(struct trace *trace, struct event *event, uint32_t but)
{
	const struct cache *d = trace->mem->d;
	uint32_t offset = event->pa & (CACHE_LINE - 1);
	struct lost *lost = lost_slot(trace, event->pa);

	event->newest_in = PLACE_MEMORY;
	if (host_read(trace->ram + event->pa, event->bytes) == event->newest)
		return;
	for (uint32_t line = 0; line < lines_of(d); line++) {
		if (line == but || !d->tag[line] || d->pa[line] != event->pa - offset ||
		    host_read(cache_bytes(d, line) + offset, event->bytes) != event->newest)
			continue;
		event->newest_in = PLACE_D_LINE;
		event->newest_at = line_address(d, line);
		return;
	}
	event->newest_in = PLACE_NOWHERE;
	if (lost->half == ((event->pa & ~(CACHE_HALF - 1)) | 1))
		event->cause = lost->cause;
}

static enum place place_of(const struct trace *trace, const struct trace_access *access)
{
	if (access->line == CACHE_MISS)
		return PLACE_MEMORY;
	return access->cache == trace->mem->d ? PLACE_D_LINE : PLACE_I_LINE;
}

static void check(struct trace *trace, enum what what, const struct trace_access *access,
                  uint32_t got)
{
	struct event event;

	if (!trace->begun)
		begin(trace);
	if (host_read(trace->truth + access->pa, access->bytes) == got)
		return;
	memset(&event, 0, sizeof(event));
	event.what = what;
	event.by = deed_now(trace, access->va);
	event.writer = trace->writers[access->pa / 4];
	if (!report_count(trace->report, &event))
		return;
	event.pa = access->pa;
	event.bytes = access->bytes;
	event.got = got;
	event.newest = host_read(trace->truth + access->pa, access->bytes);
	event.from = place_of(trace, access);
	locate(trace, &event, event.from == PLACE_D_LINE ? access->line : CACHE_MISS);
	report_write(trace->report, &event);
}

void trace_load(struct trace *trace, const struct trace_access *access, uint32_t value)
{
	check(trace, WHAT_LOAD, access, value);
}

void trace_fetch(struct trace *trace, const struct trace_access *access, uint32_t value)
{
	check(trace, WHAT_FETCH, access, value);
}

void trace_store(struct trace *trace, const struct trace_access *access, uint32_t value)
{
	struct deed deed = deed_now(trace, access->va);

	if (!trace->begun)
		begin(trace);
	host_write(trace->truth + access->pa, access->bytes, value);
	trace->writers[access->pa / 4] = deed;
	if (access->line != CACHE_MISS)
		trace->stored[access->line] = deed;
}

bool trace_is_newest(struct trace *trace, uint32_t pa, const uint8_t *bytes, uint32_t len)
{
	if (!trace->begun)
		begin(trace);
	return memcmp(trace->truth + pa, bytes, len) == 0;
}

static void remember_lost(struct trace *trace, uint32_t va, uint32_t pa)
{
	*lost_slot(trace, pa) = (struct lost){(pa & ~(CACHE_HALF - 1)) | 1, deed_now(trace, va)};
}

/* A word of a dirty half goes to memory that has a newer one. */
static void overwritten(struct trace *trace, const struct cache *cache, uint32_t line, uint32_t pa)
{
	struct event event;

	remember_lost(trace, line_address(cache, line), pa);
	memset(&event, 0, sizeof(event));
	event.what = WHAT_OVERWRITTEN;
	event.by = trace->stored[line];
	event.writer = trace->writers[pa / 4];
	if (!report_count(trace->report, &event))
		return;
	event.pa = pa;
	event.bytes = 4;
	event.got = host_read(cache_bytes(cache, line) + (pa & (CACHE_LINE - 1)), 4);
	event.newest = host_read(trace->truth + pa, 4);
	event.cause = deed_now(trace, line_address(cache, line));
	report_write(trace->report, &event);
}

void trace_write_back(struct trace *trace, const struct cache *cache, uint32_t line)
{
	if (!trace->begun || cache != trace->mem->d)
		return;
	for (uint32_t offset = 0; offset < CACHE_LINE; offset += 4) {
		uint32_t pa = cache->pa[line] + offset;
		uint32_t newest = host_read(trace->truth + pa, 4);

		if ((cache->dirty[line] & (offset & CACHE_HALF ? 2 : 1)) &&
		    host_read(trace->ram + pa, 4) == newest &&
		    host_read(cache_bytes(cache, line) + offset, 4) != newest)
			overwritten(trace, cache, line, pa);
	}
}

/* Nothing to report: who is about to overwrite a buffer throws its lines away. If somebody misses the
 * bytes later it is known who did it. */
void trace_drop(struct trace *trace, const struct cache *cache, uint32_t line)
{
	if (!trace->begun || cache != trace->mem->d)
		return;
	for (uint32_t offset = 0; offset < CACHE_LINE; offset += 4) {
		uint32_t pa = cache->pa[line] + offset;
		uint32_t newest = host_read(trace->truth + pa, 4);

		if ((cache->dirty[line] & (offset & CACHE_HALF ? 2 : 1)) &&
		    host_read(cache_bytes(cache, line) + offset, 4) == newest &&
		    host_read(trace->ram + pa, 4) != newest)
			remember_lost(trace, line_address(cache, line), pa);
	}
}

/* One word that a device reads. False when it was stale: one event for a transfer is enough. */
static bool dma_reads(struct trace *trace, const struct deed *deed, uint32_t pa)
{
	struct event event;

	if (host_read(trace->ram + pa, 4) == host_read(trace->truth + pa, 4))
		return true;
	memset(&event, 0, sizeof(event));
	event.what = WHAT_DMA;
	event.by = *deed;
	event.writer = trace->writers[pa / 4];
	if (!report_count(trace->report, &event))
		return false;
	event.pa = pa;
	event.bytes = 4;
	event.got = host_read(trace->ram + pa, 4);
	event.newest = host_read(trace->truth + pa, 4);
	event.from = PLACE_MEMORY;
	locate(trace, &event, CACHE_MISS);
	report_write(trace->report, &event);
	return false;
}

void trace_dma_slow(struct trace *trace, const char *device, enum trace_dma what, uint32_t pa,
                    uint32_t len)
{
	struct deed deed = {.who = WHO_DEVICE, .va = pa};

	if (!bus_ram(trace->mem->bus, pa, len) || len == 0)
		return;
	if (!trace->begun)
		begin(trace);
	deed.pc = report_device(trace->report, device);
	deed.when = trace->cpu->count & 0xffffffffffffff;
	if (what == TRACE_DMA_WRITE) {
		memcpy(trace->truth + pa, trace->ram + pa, len);
		mem_fetch_forget(trace->mem);
	}
	for (uint32_t at = pa & ~3u; at < pa + len; at += 4) {
		if (what == TRACE_DMA_WRITE)
			trace->writers[at / 4] = deed;
		else if (!dma_reads(trace, &deed, at))
			break;
	}
}
