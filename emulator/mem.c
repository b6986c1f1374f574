#include "mem.h"

#include "bus.h"
#include "cache.h"
#include "host.h"
#include "snap.h"
#include "trace.h"

#include <string.h>

#define ALWAYS_INLINE static inline __attribute__((always_inline))

void mem_init(struct mem *mem, struct bus *bus, struct cache *d, struct cache *i)
{
	memset(mem, 0, sizeof(*mem));
	mem->bus = bus;
	mem->d = d;
	mem->i = i;
	mem->fetch_line = FETCH_NONE;
	mem->fetch_age = 1; /* the memos are of age 0 */
	mmu_init(&mem->mmu, bus);
}

void mem_trace(struct mem *mem, const struct cpu *cpu, struct trace *trace)
{
	mem->trace = trace;
	mem_fetch_forget(mem);
	if (mem->d)
		mem->d->trace = trace;
	bus_trace(mem->bus, trace);
	mem_fetch_forget(mem);
	trace_attach(trace, cpu, mem);
}

/* What most accesses are: aligned, translated and allowed, nobody following, and to RAM that is not cached or
 * to the line that was hit last in its set. These are done in the functions that the core calls, which
 * then need no stack; all others by the slow ones. NULL: slow. */
ALWAYS_INLINE const struct tlb_entry *quick_entry(const struct mem *mem, uint32_t va, uint32_t need,
                                                  unsigned bytes)
{
	uint32_t mva = mmu_mva(&mem->mmu, va);
	const struct tlb_entry *entry = &mem->mmu.tlb[(mva >> 10) % TLB_SIZE];

	if (__builtin_expect(!(va & (bytes - 1)) && entry->tag == mva >> 10 &&
	                             (entry->allow & need) && entry->host && !mem->trace,
	                     1))
		return entry;
	return NULL;
}

ALWAYS_INLINE uint32_t quick_line(const struct mem *mem, const struct tlb_entry *entry, uint32_t va)
{
	return cache_find_last(mem->d, mmu_mva(&mem->mmu, va), entry->pa | (va & 0x3ff));
}

/* The same code with and without a trace, so that the one without has nothing of it. */
ALWAYS_INLINE bool load_how(struct mem *mem, uint32_t va, uint32_t shift, unsigned bytes,
                            uint32_t *value, bool traced)
{
	const struct tlb_entry *entry;
	uint32_t line = CACHE_MISS;
	uint32_t mva, pa;

	if (va & (bytes - 1)) {
		if (mem->mmu.control & (SCTLR_A | SCTLR_U))
			return mem_load_unaligned(mem, va, shift, bytes, value);
		va &= ~(bytes - 1);
	}
	mva = mmu_mva(&mem->mmu, va);
	entry = mmu_find(&mem->mmu, mva, ALLOW_READ << shift, &mem->data_fault);
	if (!entry)
		return false;
	pa = entry->pa | (mva & 0x3ff);
	if (mem->d && (entry->attr & TLB_DCACHED) && entry->host) {
		line = cache_find(mem->d, mva, pa);
		if (line == CACHE_MISS) {
			line = cache_fill(mem->d, mva, pa);
			mem->d->stats.misses++;
		} else {
			mem->d->stats.hits++;
		}
		*value = host_read(cache_bytes(mem->d, line) + (mva & (CACHE_LINE - 1)), bytes);
	} else if (entry->host) {
		*value = host_read(entry->host + (mva & 0x3ff), bytes);
	} else {
		*value = bus_read(mem->bus, pa, bytes);
	}
	if (traced && entry->host)
		trace_load(mem->trace, &(struct trace_access){mva, pa, bytes, mem->d, line},
		           *value);
	return true;
}

static __attribute__((noinline)) bool load_slowly(struct mem *mem, uint32_t va, uint32_t shift,
                                                  unsigned bytes, uint32_t *value)
{
	if (mem->trace)
		return load_how(mem, va, shift, bytes, value, true);
	return load_how(mem, va, shift, bytes, value, false);
}

ALWAYS_INLINE bool load(struct mem *mem, uint32_t va, uint32_t shift, unsigned bytes,
                        uint32_t *value)
{
	const struct tlb_entry *entry = quick_entry(mem, va, ALLOW_READ << shift, bytes);
	uint32_t line;

	if (!entry)
		return load_slowly(mem, va, shift, bytes, value);
	if (!mem->d || !(entry->attr & TLB_DCACHED)) {
		*value = host_read(entry->host + (va & 0x3ff), bytes);
		return true;
	}
	line = quick_line(mem, entry, va);
	if (line == CACHE_MISS)
		return load_slowly(mem, va, shift, bytes, value);
	mem->d->stats.hits++;
	*value = host_read(cache_bytes(mem->d, line) + (va & (CACHE_LINE - 1)), bytes);
	return true;
}

/* A store to a cacheable page: into the line when it hits. Memory gets it too unless the page is
 * write-back and the line has it. Returns the line, or CACHE_MISS. */
ALWAYS_INLINE uint32_t store_cached(struct mem *mem, const struct tlb_entry *entry, uint32_t mva,
                                    unsigned bytes, uint32_t value)
{
	struct cache *d = mem->d;
	uint32_t pa = entry->pa | (mva & 0x3ff);
	uint32_t line = cache_find(d, mva, pa);

	if (line == CACHE_MISS) {
		d->stats.misses++;
		if (d->config.write_allocate && (entry->attr & TLB_WRITEBACK))
			line = cache_fill(d, mva, pa);
	} else {
		d->stats.hits++;
	}
	if (line != CACHE_MISS) {
		host_write(cache_bytes(d, line) + (mva & (CACHE_LINE - 1)), bytes, value);
		if (entry->attr & TLB_WRITEBACK) {
			cache_mark_dirty(d, line, mva);
			return line;
		}
	}
	host_write(entry->host + (mva & 0x3ff), bytes, value);
	return line;
}

ALWAYS_INLINE bool store_how(struct mem *mem, uint32_t va, uint32_t shift, unsigned bytes,
                             uint32_t value, bool traced)
{
	const struct tlb_entry *entry;
	uint32_t line = CACHE_MISS;
	uint32_t mva;

	if (va & (bytes - 1)) {
		if (mem->mmu.control & (SCTLR_A | SCTLR_U))
			return mem_store_unaligned(mem, va, shift, bytes, value);
		va &= ~(bytes - 1);
	}
	mva = mmu_mva(&mem->mmu, va);
	entry = mmu_find(&mem->mmu, mva, ALLOW_WRITE << shift, &mem->data_fault);
	if (!entry)
		return false;
	if (mem->d && (entry->attr & TLB_DCACHED) && entry->host)
		line = store_cached(mem, entry, mva, bytes, value);
	else if (entry->host)
		host_write(entry->host + (mva & 0x3ff), bytes, value);
	else
		bus_write(mem->bus, entry->pa | (mva & 0x3ff), bytes, value);
	if (traced && entry->host) {
		uint32_t pa = entry->pa | (mva & 0x3ff);

		trace_store(mem->trace, &(struct trace_access){mva, pa, bytes, mem->d, line},
		            value);
		if ((pa ^ mem->fetch_pa) < CACHE_LINE)
			mem_fetch_forget(mem);
	}
	return true;
}

static __attribute__((noinline)) bool store_slowly(struct mem *mem, uint32_t va, uint32_t shift,
                                                   unsigned bytes, uint32_t value)
{
	if (mem->trace)
		return store_how(mem, va, shift, bytes, value, true);
	return store_how(mem, va, shift, bytes, value, false);
}

ALWAYS_INLINE bool store(struct mem *mem, uint32_t va, uint32_t shift, unsigned bytes,
                         uint32_t value)
{
	const struct tlb_entry *entry = quick_entry(mem, va, ALLOW_WRITE << shift, bytes);
	uint32_t line;

	if (!entry)
		return store_slowly(mem, va, shift, bytes, value);
	if (!mem->d || !(entry->attr & TLB_DCACHED)) {
		host_write(entry->host + (va & 0x3ff), bytes, value);
		return true;
	}
	line = quick_line(mem, entry, va);
	if (line == CACHE_MISS || !(entry->attr & TLB_WRITEBACK))
		return store_slowly(mem, va, shift, bytes, value);
	mem->d->stats.hits++;
	host_write(cache_bytes(mem->d, line) + (va & (CACHE_LINE - 1)), bytes, value);
	cache_mark_dirty(mem->d, line, va);
	return true;
}

bool mem_load8(struct mem *mem, uint32_t va, uint32_t shift, uint32_t *value)
{
	return load(mem, va, shift, 1, value);
}

bool mem_load16(struct mem *mem, uint32_t va, uint32_t shift, uint32_t *value)
{
	return load(mem, va, shift, 2, value);
}

bool mem_load32(struct mem *mem, uint32_t va, uint32_t shift, uint32_t *value)
{
	return load(mem, va, shift, 4, value);
}

bool mem_store8(struct mem *mem, uint32_t va, uint32_t shift, uint32_t value)
{
	return store(mem, va, shift, 1, value);
}

bool mem_store16(struct mem *mem, uint32_t va, uint32_t shift, uint32_t value)
{
	return store(mem, va, shift, 2, value);
}

bool mem_store32(struct mem *mem, uint32_t va, uint32_t shift, uint32_t value)
{
	return store(mem, va, shift, 4, value);
}

/* A line that is all right is fetched from as ever, until somebody stores to its bytes elsewhere. Of
 * another one the trace wants each instruction, so that data beside code is not taken for it: without
 * a fetch line the next instruction asks again. Bits 1:0 of a pc in ARM state are 0, so halves will do. */
static __attribute__((noinline)) void fetch_traced(struct mem *mem, uint32_t pc, uint32_t pa,
                                                   uint32_t line)
{
	unsigned bytes = pc & 2 ? 2 : 4;

	mem->fetch_pa = pa;
	if (trace_is_newest(mem->trace, pa, mem->fetch_bytes, CACHE_LINE))
		return;
	mem_fetch_forget(mem);
	trace_fetch(mem->trace, &(struct trace_access){pc, pa | (pc & 30), bytes, mem->i, line},
	            host_read(mem->fetch_bytes + (pc & 30), bytes));
}

/* Remember the current fetch line. */
/* NOLINTNEXTLINE(readability-non-const-parameter): it is kept, and counted in */
static void remember(struct mem *mem, uint64_t *hits)
{
	uint32_t pc = mem->fetch_line;

	mem->fetch_memo[pc >> 5 & (FETCH_MEMO - 1)] =
		(struct fetch_memo){mem_fetch_key(mem, pc), mem->fetch_bytes, hits};
}

bool mem_fetch_line(struct mem *mem, uint32_t pc, uint32_t shift)
{
	uint64_t *hits = &mem->uncached_fetches;
	uint32_t mva = mmu_mva(&mem->mmu, pc & ~(CACHE_LINE - 1));
	uint32_t line = CACHE_MISS;
	const struct tlb_entry *entry;
	uint32_t pa;

	entry = mmu_find(&mem->mmu, mva, ALLOW_EXECUTE << shift, &mem->fetch_fault);
	mem->fetch_line = FETCH_NONE;
	if (!entry) {
		mem->ifsr = mem->fetch_fault.status;
		return false;
	}
	if (!entry->host) {
		mem->fetch_fault = (struct fault){FAULT_EXTERNAL, mva, false};
		mem->ifsr = FAULT_EXTERNAL;
		return false;
	}
	pa = entry->pa | (mva & 0x3ff);
	if (mem->i && (entry->attr & TLB_ICACHED)) {
		line = cache_find(mem->i, mva, pa);
		if (line == CACHE_MISS) {
			mem_fetch_forget(mem); /* what was in that way */
			line = cache_fill(mem->i, mva, pa);
			mem->i->stats.misses++;
		} else {
			mem->i->stats.hits++;
		}
		hits = &mem->i->stats.hits;
		mem->fetch_bytes = cache_bytes(mem->i, line);
	} else {
		mem->fetch_bytes = entry->host + (mva & 0x3ff);
	}
	mem->fetch_line = pc & ~(CACHE_LINE - 1);
	if (__builtin_expect(mem->trace != NULL, 0))
		fetch_traced(mem, pc, pa, line);
	else
		remember(mem, hits);
	return true;
}

/* Maintenance by virtual address. A cache that goes by virtual addresses alone asks no MMU, and cannot
 * fault; another one needs the translation, and any right will do. */
static bool maintain(struct mem *mem, struct cache *cache, enum cache_op op, uint32_t va)
{
	uint32_t mva = mmu_mva(&mem->mmu, va);
	uint32_t pa = 0;

	if (!cache)
		return true;
	if (cache->config.kind != CACHE_VIVT) {
		const struct tlb_entry *entry =
			mmu_find(&mem->mmu, mva, ALLOW_ANY, &mem->data_fault);

		if (!entry)
			return false;
		pa = entry->pa | (mva & 0x3ff);
	}
	cache_line(cache, op, mva, pa);
	return true;
}

bool mem_d_line(struct mem *mem, enum cache_op op, uint32_t va)
{
	return maintain(mem, mem->d, op, va);
}

bool mem_i_line(struct mem *mem, uint32_t va)
{
	mem_fetch_forget(mem);
	return maintain(mem, mem->i, CACHE_INVALIDATE, va);
}

static bool maintain_range(struct mem *mem, struct cache *cache, enum cache_op op, uint32_t start,
                           uint32_t end)
{
	uint32_t lines = (end / CACHE_LINE) - (start / CACHE_LINE) + 1;

	if (end < start)
		return true;
	for (uint32_t va = start & ~(CACHE_LINE - 1); lines > 0; lines--, va += CACHE_LINE) {
		if (!maintain(mem, cache, op, va))
			return false;
	}
	return true;
}

bool mem_d_range(struct mem *mem, enum cache_op op, uint32_t start, uint32_t end)
{
	return maintain_range(mem, mem->d, op, start, end);
}

bool mem_i_range(struct mem *mem, uint32_t start, uint32_t end)
{
	mem_fetch_forget(mem);
	return maintain_range(mem, mem->i, CACHE_INVALIDATE, start, end);
}

void mem_d_index(struct mem *mem, enum cache_op op, uint32_t set_way)
{
	if (mem->d)
		cache_index(mem->d, op, set_way);
}

void mem_d_all(struct mem *mem, enum cache_op op)
{
	if (mem->d)
		cache_all(mem->d, op);
}

void mem_i_all(struct mem *mem)
{
	mem_fetch_forget(mem);
	if (mem->i)
		cache_all(mem->i, CACHE_INVALIDATE);
}

void mem_report_data_fault(struct mem *mem)
{
	mem->dfsr = mem->data_fault.status;
	if (mem->mmu.v6 && mem->data_fault.write)
		mem->dfsr |= FAULT_WRITE;
	mem->far = mem->data_fault.mva;
}

/* Where a line that is fetched from is: in the I-cache, or in RAM. False when a loaded place cannot be. */
static bool place_snap(struct mem *mem, const uint8_t **bytes, uint64_t **hits, struct snap *snap)
{
	uint8_t *ram = bus_ram(mem->bus, 0, 1);
	struct cache *i;
	const size_t cached = mem->i ? (size_t)mem->i->sets * mem->i->config.ways * CACHE_LINE : 0;
	bool in_cache = mem->i && *bytes >= mem->i->data && *bytes < mem->i->data + cached;
	uint64_t at = (uint64_t)(*bytes - (in_cache ? mem->i->data : ram));

	SNAP(snap, in_cache);
	SNAP(snap, at);
	if (!snap_loading(snap))
		return true;
	i = in_cache ? mem->i : NULL;
	if (!snap_need(snap, (i != NULL) == in_cache &&
	                             at < (i ? cached : bus_ram_bytes(mem->bus)) &&
	                             at % CACHE_LINE == 0))
		return false;
	*bytes = (i ? i->data : ram) + at;
	*hits = i ? &i->stats.hits : &mem->uncached_fetches;
	return true;
}

/* What is remembered saves looks into the TLB, so a restored machine has to know it as well. The age is nobody's
 * business. */
static void memo_snap(struct mem *mem, unsigned n, struct snap *snap)
{
	struct fetch_memo *memo = &mem->fetch_memo[n];
	bool valid = memo->key >> 27 == mem->fetch_age;
	uint32_t pc = (uint32_t)memo->key << 5;

	SNAP(snap, valid);
	if (!valid) {
		memo->key = 0;
		return;
	}
	SNAP(snap, pc);
	if (place_snap(mem, &memo->bytes, &memo->hits, snap) &&
	    snap_need(snap, (pc >> 5 & (FETCH_MEMO - 1)) == n))
		memo->key = mem_fetch_key(mem, pc);
	else
		memo->key = 0;
}

static void fetch_snap(struct mem *mem, struct snap *snap)
{
	uint64_t *hits = NULL;

	SNAP(snap, mem->fetch_line);
	if (mem->fetch_line != FETCH_NONE && !place_snap(mem, &mem->fetch_bytes, &hits, snap))
		mem->fetch_line = FETCH_NONE;
	for (unsigned n = 0; n < FETCH_MEMO; n++)
		memo_snap(mem, n, snap);
}

void mem_snap(struct mem *mem, struct snap *snap)
{
	snap_part(snap, "memory");
	SNAP(snap, mem->data_fault);
	SNAP(snap, mem->fetch_fault);
	SNAP(snap, mem->dfsr);
	SNAP(snap, mem->ifsr);
	SNAP(snap, mem->far);
	fetch_snap(mem, snap);
	mmu_snap(&mem->mmu, snap);
}
