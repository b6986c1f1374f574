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
	mmu_watch(&mem->mmu, trace != NULL);
	trace_attach(trace, cpu, mem);
}

/* The line of a load, after a fill if need be. */
ALWAYS_INLINE uint32_t line_to_load(struct cache *d, uint32_t mva, uint32_t pa)
{
	uint32_t line = cache_search(d, mva, pa);

	if (line != CACHE_MISS) {
		d->stats.hits++;
		return line;
	}
	d->stats.misses++;
	return cache_fill(d, mva, pa);
}

/* The same code with and without a trace, so that the one without has nothing of it. */
ALWAYS_INLINE uint64_t load_how(struct mem *mem, uint32_t va, uint32_t shift, unsigned bytes,
                                bool traced)
{
	const struct tlb_entry *entry;
	uint32_t line = CACHE_MISS;
	uint32_t mva, pa, value;

	if (va & (bytes - 1)) {
		if (mem->mmu.control & (SCTLR_A | SCTLR_U))
			return mem_load_unaligned(mem, va, shift, bytes);
		va &= ~(bytes - 1);
	}
	mva = mmu_mva(&mem->mmu, va);
	entry = mmu_find(&mem->mmu, mva, ALLOW_READ << shift, &mem->data_fault);
	if (!entry)
		return MEM_ABORT;
	pa = entry->pa | (mva & 0x3ff);
	if (mem->d && (entry->attr & TLB_DCACHED) && entry->host) {
		line = line_to_load(mem->d, mva, pa);
		value = host_read(cache_bytes(mem->d, line) + (mva & (CACHE_LINE - 1)), bytes);
	} else if (entry->host) {
		value = host_read(entry->host + (mva & 0x3ff), bytes);
	} else {
		value = bus_read(mem->bus, pa, bytes);
	}
	if (traced && entry->host)
		trace_load(mem->trace, &(struct trace_access){mva, pa, bytes, mem->d, line}, value);
	return value;
}

const uint8_t *mem_load_place(struct mem *mem, uint32_t va, uint32_t need, unsigned bytes,
                              unsigned count)
{
	const struct tlb_entry *entry = mmu_quick(&mem->mmu, va, need, bytes);
	uint32_t line;

	if (!entry)
		return NULL;
	if (!mem->d)
		return entry->host + (va & 0x3ff);
	line = line_to_load(mem->d, va, entry->pa | (va & 0x3ff));
	mem->d->stats.hits += count - 1;
	return cache_bytes(mem->d, line) + (va & (CACHE_LINE - 1));
}

__attribute__((noinline)) uint64_t mem_load_slowly(struct mem *mem, uint32_t va, uint32_t shift,
                                                   unsigned bytes)
{
	const uint8_t *at = mem_load_place(mem, va, ALLOW_READ << shift, bytes, 1);

	if (at)
		return host_read(at, bytes);
	if (mem->trace)
		return load_how(mem, va, shift, bytes, true);
	return load_how(mem, va, shift, bytes, false);
}

ALWAYS_INLINE uint64_t load(struct mem *mem, uint32_t va, uint32_t shift, unsigned bytes)
{
	const uint8_t *at = mem_quick_load(mem, va, ALLOW_READ << shift, bytes);

	return at ? host_read(at, bytes) : mem_load_slowly(mem, va, shift, bytes);
}

/* A store to a cacheable page: into the line when it hits. Memory gets it too unless the page is
 * write-back and the line has it. Returns the line, or CACHE_MISS. */
ALWAYS_INLINE uint32_t store_cached(struct mem *mem, const struct tlb_entry *entry, uint32_t mva,
                                    unsigned bytes, uint32_t value)
{
	struct cache *d = mem->d;
	uint32_t pa = entry->pa | (mva & 0x3ff);
	uint32_t line = cache_search(d, mva, pa);

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

uint8_t *mem_store_place(struct mem *mem, uint32_t va, uint32_t need, unsigned bytes,
                         unsigned count)
{
	const struct tlb_entry *entry = mmu_quick(&mem->mmu, va, need, bytes);
	struct cache *d = mem->d;
	uint32_t line;

	if (!entry)
		return NULL;
	if (!d)
		return entry->host + (va & 0x3ff);
	line = cache_search(d, va, entry->pa | (va & 0x3ff));
	if (line == CACHE_MISS && !d->config.write_allocate) {
		d->stats.misses += count;
		return entry->host + (va & 0x3ff);
	}
	d->stats.hits += count;
	if (line == CACHE_MISS) {
		d->stats.hits--;
		d->stats.misses++;
		line = cache_fill(d, va, entry->pa | (va & 0x3ff));
	}
	cache_mark_dirty(d, line, va);
	cache_mark_dirty(d, line, va + bytes * (count - 1));
	return cache_bytes(d, line) + (va & (CACHE_LINE - 1));
}

__attribute__((noinline)) bool mem_store_slowly(struct mem *mem, uint32_t va, uint32_t shift,
                                                unsigned bytes, uint32_t value)
{
	uint8_t *at = mem_store_place(mem, va, ALLOW_WRITE << shift, bytes, 1);

	if (at) {
		host_write(at, bytes, value);
		return true;
	}
	if (mem->trace)
		return store_how(mem, va, shift, bytes, value, true);
	return store_how(mem, va, shift, bytes, value, false);
}

ALWAYS_INLINE bool store(struct mem *mem, uint32_t va, uint32_t shift, unsigned bytes,
                         uint32_t value)
{
	uint8_t *at = mem_quick_store(mem, va, ALLOW_WRITE << shift, bytes);

	if (!at)
		return mem_store_slowly(mem, va, shift, bytes, value);
	host_write(at, bytes, value);
	return true;
}

uint64_t mem_read8(struct mem *mem, uint32_t va, uint32_t shift)
{
	return load(mem, va, shift, 1);
}

uint64_t mem_read16(struct mem *mem, uint32_t va, uint32_t shift)
{
	return load(mem, va, shift, 2);
}

uint64_t mem_read32(struct mem *mem, uint32_t va, uint32_t shift)
{
	return load(mem, va, shift, 4);
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

static __attribute__((noinline)) bool fetch_slowly(struct mem *mem, uint32_t pc, uint32_t shift)
{
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
			line = cache_fill(mem->i, mva, pa);
			mem->i->stats.misses++;
		} else {
			mem->i->stats.hits++;
		}
		mem->fetch_bytes = cache_bytes(mem->i, line);
	} else {
		mem->fetch_bytes = entry->host + (mva & 0x3ff);
	}
	mem->fetch_line = pc & ~(CACHE_LINE - 1);
	if (__builtin_expect(mem->trace != NULL, 0))
		fetch_traced(mem, pc, pa, line);
	return true;
}

bool mem_fetch_line(struct mem *mem, uint32_t pc, uint32_t shift)
{
	uint32_t va = pc & ~(CACHE_LINE - 1), line;
	const struct tlb_entry *entry = mmu_quick(&mem->mmu, va, ALLOW_EXECUTE << shift, 4);

	if (!entry)
		return fetch_slowly(mem, pc, shift);
	if (!mem->i) {
		mem->fetch_bytes = entry->host + (va & 0x3ff);
		mem->fetch_line = va;
		return true;
	}
	line = cache_find_last(mem->i, va, entry->pa | (va & 0x3ff));
	if (line == CACHE_MISS)
		return fetch_slowly(mem, pc, shift);
	mem->i->stats.hits++;
	mem->fetch_line = va;
	mem->fetch_bytes = cache_bytes(mem->i, line);
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

/* The current fetch line: in the I-cache, or in RAM. It saves a look into the TLB, so a restored machine has to know it as
 * well. */
static void fetch_snap(struct mem *mem, struct snap *snap)
{
	const uint8_t *ram = bus_ram(mem->bus, 0, 1), *lines = mem->i ? mem->i->data : NULL;
	size_t cached = mem->i ? (size_t)mem->i->sets * mem->i->config.ways * CACHE_LINE : 0;
	uint32_t line = mem->fetch_line;
	bool in_cache;
	uint64_t at;

	SNAP(snap, line);
	mem->fetch_line = line;
	if (line == FETCH_NONE)
		return;
	in_cache = lines && mem->fetch_bytes >= lines && mem->fetch_bytes < lines + cached;
	at = (uint64_t)(mem->fetch_bytes - (in_cache ? lines : ram));
	SNAP(snap, in_cache);
	SNAP(snap, at);
	if (!snap_loading(snap))
		return;
	mem->fetch_bytes = (in_cache ? lines : ram) + at;
	if (!snap_need(snap,
	               at < (in_cache ? cached : bus_ram_bytes(mem->bus)) && at % CACHE_LINE == 0))
		mem->fetch_line = FETCH_NONE;
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
