/* mem.h - the way of a core's accesses: MMU, then cache or bus. A Harvard machine: loads and stores
 * see the D-cache, fetches see the I-cache, and neither sees the other's. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cache.h"
#include "mmu.h"

struct bus;
struct cpu;
struct trace;
struct snap;

struct mem {
	struct bus *bus;            /* borrowed */
	struct cache *d;            /* NULL: no D-cache, memory is coherent */
	struct cache *i;            /* NULL: no I-cache */
	struct trace *trace;        /* mem_trace(); NULL: none */
	uint32_t fetch_line;        /* virtual line whose words are below, or FETCH_NONE */
	const uint8_t *fetch_bytes; /* 32 bytes: in the I-cache, or in RAM */
	uint32_t fetch_pa;          /* where these are in memory; with a trace only */
	struct fault data_fault;    /* of the access that failed last */
	struct fault fetch_fault;
	uint32_t dfsr, ifsr, far; /* what CP15 shows */
	uint32_t cache_type;      /* likewise; set by who made the caches */
	struct mmu mmu;
};

#define FETCH_NONE 1u /* no line has this address */

void mem_init(struct mem *mem, struct bus *bus, struct cache *d, struct cache *i);

/* Let trace see all accesses, of the caches too. Borrowed, as is the core that makes them. */
void mem_trace(struct mem *mem, const struct cpu *cpu, struct trace *trace);

/* Loads and stores of 1, 2 and 4 bytes by virtual address. shift is cpu->user_shift, or 2 for an
 * access with user rights. When it aborts, nothing is changed but mem->data_fault: a load returns MEM_ABORT, a store false.
 * An address that is not aligned faults when SCTLR.A is set, is taken as it is with SCTLR.U (ARMv6),
 * and else loses its low bits. */
uint64_t mem_read8(struct mem *mem, uint32_t va, uint32_t shift);
uint64_t mem_read16(struct mem *mem, uint32_t va, uint32_t shift);
uint64_t mem_read32(struct mem *mem, uint32_t va, uint32_t shift);
bool mem_store8(struct mem *mem, uint32_t va, uint32_t shift, uint32_t value);
bool mem_store16(struct mem *mem, uint32_t va, uint32_t shift, uint32_t value);
bool mem_store32(struct mem *mem, uint32_t va, uint32_t shift, uint32_t value);

#define MEM_ABORT UINT64_MAX

/* A load as the callers like it: false when it aborts, and *value is then of no use. */
static inline bool mem_loaded(uint64_t got, uint32_t *value)
{
	*value = (uint32_t)got;
	return got != MEM_ABORT;
}

static inline bool mem_load8(struct mem *mem, uint32_t va, uint32_t shift, uint32_t *value)
{
	return mem_loaded(mem_read8(mem, va, shift), value);
}

static inline bool mem_load16(struct mem *mem, uint32_t va, uint32_t shift, uint32_t *value)
{
	return mem_loaded(mem_read16(mem, va, shift), value);
}

static inline bool mem_load32(struct mem *mem, uint32_t va, uint32_t shift, uint32_t *value)
{
	return mem_loaded(mem_read32(mem, va, shift), value);
}

/* Where 1, 2 or 4 bytes at va are in the D-cache, to be read or written there as if by a load or store: what most accesses
 * are. need is ALLOW_READ or ALLOW_WRITE, shifted. NULL, when mmu_quick() does not do or the memo of the cache does not know:
 * mem_load_slowly() and the like have to be asked. */
static inline const uint8_t *mem_quick_load(struct mem *mem, uint32_t va, uint32_t need,
                                            unsigned bytes)
{
	const struct tlb_entry *entry = mmu_quick(&mem->mmu, va, need, bytes);
	uint32_t line;

	if (!entry)
		return NULL;
	if (!mem->d)
		return entry->host + (va & 0x3ff);
	line = cache_find_last(mem->d, va, entry->pa | (va & 0x3ff));
	if (__builtin_expect(line == CACHE_MISS, 0))
		return NULL;
	mem->d->stats.hits++;
	return cache_bytes(mem->d, line) + (va & (CACHE_LINE - 1));
}

static inline uint8_t *mem_quick_store(struct mem *mem, uint32_t va, uint32_t need, unsigned bytes)
{
	const struct tlb_entry *entry = mmu_quick(&mem->mmu, va, need, bytes);
	uint32_t line;

	if (!entry)
		return NULL;
	if (!mem->d)
		return entry->host + (va & 0x3ff);
	line = cache_find_last(mem->d, va, entry->pa | (va & 0x3ff));
	if (__builtin_expect(line == CACHE_MISS, 0))
		return NULL;
	mem->d->stats.hits++;
	cache_mark_dirty(mem->d, line, va);
	return cache_bytes(mem->d, line) + (va & (CACHE_LINE - 1));
}

/* The same of count things, all in one line, whether the memo knows it or not: found, filled, or for a store memory itself if
 * nothing is allocated for it. NULL only when mmu_quick() does not do for it. */
const uint8_t *mem_load_place(struct mem *mem, uint32_t va, uint32_t need, unsigned bytes,
                              unsigned count);
uint8_t *mem_store_place(struct mem *mem, uint32_t va, uint32_t need, unsigned bytes,
                         unsigned count);

/* As mem_read32() and the like, for who has tried mem_quick_load() or mem_quick_store() before. */
uint64_t mem_load_slowly(struct mem *mem, uint32_t va, uint32_t shift, unsigned bytes);
bool mem_store_slowly(struct mem *mem, uint32_t va, uint32_t shift, unsigned bytes, uint32_t value);

/* What the above do at an address that is not aligned, with SCTLR.A or SCTLR.U set. */
uint64_t mem_load_unaligned(struct mem *mem, uint32_t va, uint32_t shift, unsigned bytes);
bool mem_store_unaligned(struct mem *mem, uint32_t va, uint32_t shift, unsigned bytes,
                         uint32_t value);

/* The slow half of mem_aligned(). */
bool mem_misaligned(struct mem *mem, uint32_t va, bool write);

/* Whether an access that is never put together from bytes may be at va: those of several words, and
 * exclusive ones. False with mem->data_fault set when SCTLR.A or SCTLR.U is set and va is no
 * multiple of bytes. */
static inline bool mem_aligned(struct mem *mem, uint32_t va, unsigned bytes, bool write)
{
	return !(va & (bytes - 1)) || !mem_misaligned(mem, va, write);
}

/* Make the line of pc the current fetch line. False when the fetch aborts: mem->fetch_fault. */
bool mem_fetch_line(struct mem *mem, uint32_t pc, uint32_t shift);

/* What the fetch line was made from has changed: rights, translation, or the I-cache. */
static inline void mem_fetch_forget(struct mem *mem)
{
	mem->fetch_line = FETCH_NONE;
}

/* The same, asking only when it is another line than the current one. */
static inline bool mem_fetch(struct mem *mem, uint32_t pc, uint32_t shift)
{
	return __builtin_expect((pc & ~(CACHE_LINE - 1)) == mem->fetch_line, 1) ||
	       mem_fetch_line(mem, pc, shift);
}

/* Maintenance, as a core asks for it: nothing without that cache. By virtual address of a line, or of
 * the first and the last byte of a range (nothing when end is below start). False with
 * mem->data_fault set when a cache that needs the physical address meets one that is not mapped; rights
 * do not count, CACHE_VIVT never fails, and lines before the failing one are done. */
bool mem_d_line(struct mem *mem, enum cache_op op, uint32_t va);
bool mem_d_range(struct mem *mem, enum cache_op op, uint32_t start, uint32_t end);
bool mem_i_line(struct mem *mem, uint32_t va); /* the I-cache's are invalidated */
bool mem_i_range(struct mem *mem, uint32_t start, uint32_t end);
void mem_d_index(struct mem *mem, enum cache_op op, uint32_t set_way);
void mem_d_all(struct mem *mem, enum cache_op op);
void mem_i_all(struct mem *mem);

/* Save or load the registers here and the MMU; caches and RAM are saved by who owns them. */
void mem_snap(struct mem *mem, struct snap *snap);

/* Copy data_fault into DFSR and FAR: the abort is taken. */
void mem_report_data_fault(struct mem *mem);

/* 0, or 0xffff0000 with high vectors. */
static inline uint32_t mem_vector_base(const struct mem *mem)
{
	return mem->mmu.control & SCTLR_V ? 0xffff0000u : 0;
}
