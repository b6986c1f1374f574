/* trace.h - what no board can tell: which access got bytes that are not the newest ones.
 *
 * Beside RAM there is a second one, the truth, that every store and every write of a device goes to in the
 * order in which they are made, past all caches. A load or fetch that gets other bytes than the truth
 * has read stale ones, from a line or from memory; a half line that is written back over newer bytes
 * destroys them. For each word the trace knows who wrote it last.
 *
 * One JSON object a line: a stale access ("stale") or such a write-back ("overwritten") when
 * a pair of reader and writer is met for the first time; at the end how often each pair was met
 * ("repeated") and a total ("end"). Costs time and 5 bytes for each byte of RAM that is stored to; nothing when there
 * is no trace. It changes nothing in the guest. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct cache;
struct cpu;
struct err;
struct mem;
struct symbols;
struct trace; /* opaque: trace_new(), trace_free() */

/* Write to path, which is emptied, no more than limit pairs. symbols is borrowed; NULL: addresses only.
 * Returns NULL with *err naming the file. */
struct trace *trace_new(const char *path, uint32_t limit, struct symbols *symbols, struct err *err);

/* Write what is known at the end. 0, or -1 with *err when the file could not take all. */
int trace_finish(struct trace *trace, struct err *err);
void trace_free(struct trace *trace);

/* Follow this machine from now on. From its first access on what RAM and dirty lines then hold is the
 * truth; call it again when somebody other than the machine has changed them (a restored snapshot). */
void trace_attach(struct trace *trace, const struct cpu *cpu, struct mem *mem);

/* Where an access to RAM went. */
struct trace_access {
	uint32_t va, pa; /* of its first byte; within one word */
	unsigned bytes;
	const struct cache *cache; /* that it looked into; NULL: none */
	uint32_t line;             /* that had it or got it, or CACHE_MISS */
};

/* After a load, with what was read; after a fetch of one instruction; after a store. */
void trace_load(struct trace *trace, const struct trace_access *access, uint32_t value);
void trace_fetch(struct trace *trace, const struct trace_access *access, uint32_t value);
void trace_store(struct trace *trace, const struct trace_access *access, uint32_t value);

/* Whether these len bytes of a line at pa are the newest. */
bool trace_is_newest(struct trace *trace, uint32_t pa, const uint8_t *bytes, uint32_t len);

/* Before the dirty halves of a line go to memory, or are thrown away. */
void trace_write_back(struct trace *trace, const struct cache *cache, uint32_t line);
void trace_drop(struct trace *trace, const struct cache *cache, uint32_t line);

enum trace_dma { TRACE_DMA_READ, TRACE_DMA_WRITE }; /* as the device sees it */

void trace_dma_slow(struct trace *trace, const char *device, enum trace_dma what, uint32_t pa,
                    uint32_t len);

/* A device reads len bytes of RAM at pa, or has written them. All caches are passed by. device is a word
 * that stays valid; trace may be NULL. What is not all RAM is passed over. */
static inline void trace_dma(struct trace *trace, const char *device, enum trace_dma what,
                             uint32_t pa, uint32_t len)
{
	if (trace)
		trace_dma_slow(trace, device, what, pa, len);
}
