/* cache.h - one cache whose lines hold bytes of their own. The physical address stays in the line: a
 * dirty half of 16 bytes is written there, whatever the page tables say by then.
 *
 * A cache knows nothing of rights: who asks has asked the MMU before, and says both addresses; each
 * kind looks at the ones it goes by. The same struct serves as I-cache; nothing then makes its lines
 * dirty. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "host.h"

struct bus;
struct err;
struct trace;
struct snap;

#define CACHE_LINE     32u
#define CACHE_HALF     16u
#define CACHE_PAGE     4096u /* a way larger than this has colours */
#define CACHE_MISS     UINT32_MAX
#define CACHE_WAYS_MAX 64u

enum cache_kind {
	CACHE_VIVT, /* found by modified virtual address: ARM920, ARM926, XScale, Feroceon */
	/* Set by virtual address, line in the set by physical one: ARM1136, ARM1176. With more than
	 * 4 KiB a way bits above the page choose the set: aliasing. Bytes of one physical address
	 * may then be in several sets, one a colour. */
	CACHE_VIPT,
	CACHE_PIPT, /* found by physical address: what one has no second name for */
};

enum cache_replacement {
	REPLACE_RANDOM,      /* any way, valid or not, from a seeded generator */
	REPLACE_ROUND_ROBIN, /* the next way of the set */
};

/* What maintenance does to a line, or to all. Clean first if it is both. */
enum cache_op { CACHE_CLEAN = 1, CACHE_INVALIDATE = 2, CACHE_CLEAN_INVALIDATE = 3 };

struct cache_config {
	enum cache_kind kind;
	uint32_t bytes; /* power of two, 1 KiB to 128 KiB */
	uint32_t ways;  /* power of two, 1 to CACHE_WAYS_MAX */
	enum cache_replacement replacement;
	bool invalid_first;  /* a way without a valid line is taken before any other */
	bool write_allocate; /* a store that misses fills a line; else it goes to memory */
	uint64_t seed;       /* of the random replacement */
};

struct cache_stats {
	uint64_t hits, misses;  /* of loads or fetches, and of stores */
	uint64_t write_backs;   /* halves written to memory */
	uint64_t line_ops;      /* maintenance of single lines */
	uint64_t whole_flushes; /* invalidations of everything */
};

/* Plain data for the inline functions below; change it by the functions only. */
struct cache {
	struct bus *bus;     /* borrowed, as is the next */
	struct trace *trace; /* NULL: none */
	struct cache_config config;
	struct cache_stats stats;
	uint32_t sets;
	uint32_t way_bits; /* 1 << way_bits are the ways */
	uint32_t dirty_lines;
	uint32_t rover;    /* where test-and-clean looks next */
	bool round_robin;  /* what SCTLR.RR or the configuration asks for */
	uint64_t random;   /* state */
	uint32_t *tag;     /* [set * ways + way]: address of the line | 1, or 0 when invalid */
	uint32_t *pa;      /* of the line */
	uint8_t *dirty;    /* bit 0: lower half, bit 1: upper half */
	uint8_t *next_way; /* [set], for round robin */
	uint16_t *
		memo; /* line of its set that some of its addresses were found in last: looked at first */
	uint32_t memo_mask;
	uint8_t *data; /* CACHE_LINE bytes a line */
};

/* Make a cache, all lines invalid. Returns NULL with *err (ERR_INVALID) naming what no cache can have. */
struct cache *cache_new(struct bus *bus, const struct cache_config *config, struct err *err);
void cache_free(struct cache *cache);

/* SCTLR.RR: round robin instead of random. */
void cache_set_round_robin(struct cache *cache, bool on);

/* Index of the line that holds this address, or CACHE_MISS. Use cache_find(). */
uint32_t cache_search(struct cache *cache, uint32_t mva, uint32_t pa);

/* Replace a line of the set by the 32 bytes of memory around pa (RAM, mapped at mva), writing the
 * old line's dirty halves back. Returns its index. The address must miss. */
uint32_t cache_fill(struct cache *cache, uint32_t mva, uint32_t pa);

/* Maintenance of the line that the address hits, if there is one: with CACHE_VIPT, of its colour only.
 * Who has a virtual address only calls mem_d_line() or mem_i_line(). */
void cache_line(struct cache *cache, enum cache_op op, uint32_t mva, uint32_t pa);

/* Maintenance by the register format of the set and way operations (way in the top bits). */
void cache_index(struct cache *cache, enum cache_op op, uint32_t set_way);

/* Maintenance of every line. What is invalidated without being cleaned is lost. */
void cache_all(struct cache *cache, enum cache_op op);

/* Test and clean: clean one dirty line if there is any. Returns whether none is left dirty. */
bool cache_test_clean(struct cache *cache);

/* Save or load all lines, the generator and the figures; the geometry is from the options, and so is the seed: a cache
 * that has another one than the saved cache had starts its generator anew. */
void cache_snap(struct cache *cache, struct snap *snap);

/* What the cache type register says about this geometry: 12 bits. Bit 11 says that the cache aliases,
 * as ARMv6 has it; it is 0 for CACHE_VIVT, where the format knows no such bit. */
uint32_t cache_type_bits(const struct cache *cache);

/* The address that chooses the set, and the one that a line is known by. */
static inline uint32_t cache_set_address(const struct cache *cache, uint32_t mva, uint32_t pa)
{
	return cache->config.kind == CACHE_PIPT ? pa : mva;
}

static inline uint32_t cache_tag(const struct cache *cache, uint32_t mva, uint32_t pa)
{
	return ((cache->config.kind == CACHE_VIVT ? mva : pa) & ~(CACHE_LINE - 1)) | 1;
}

static inline uint32_t cache_set(const struct cache *cache, uint32_t mva, uint32_t pa)
{
	return cache_set_address(cache, mva, pa) / CACHE_LINE & (cache->sets - 1);
}

/* By virtual address whatever the kind: with CACHE_PIPT there is one line of that tag at most, and else the set is among its
 * bits. */
static inline uint16_t *cache_memo(const struct cache *cache, uint32_t mva)
{
	return &cache->memo[mva / CACHE_LINE & cache->memo_mask];
}

/* The line that holds this address if it is the one that it was found in last, or CACHE_MISS. */
static inline uint32_t cache_find_last(const struct cache *cache, uint32_t mva, uint32_t pa)
{
	uint32_t line = *cache_memo(cache, mva);

	return cache->tag[line] == cache_tag(cache, mva, pa) ? line : CACHE_MISS;
}

static inline uint32_t cache_find(struct cache *cache, uint32_t mva, uint32_t pa)
{
	uint32_t line = cache_find_last(cache, mva, pa);

	return __builtin_expect(line != CACHE_MISS, 1) ? line : cache_search(cache, mva, pa);
}

static inline uint8_t *cache_bytes(const struct cache *cache, uint32_t line)
{
	return cache->data + (uint64_t)line * CACHE_LINE;
}

/* Mark the half of the line that address (any of its) is in as newer than memory. */
static inline void cache_mark_dirty(struct cache *cache, uint32_t line, uint32_t address)
{
	uint8_t old = cache->dirty[line];

	cache->dirty_lines += old == 0;
	cache->dirty[line] = (uint8_t)(old | (address & CACHE_HALF ? 2 : 1));
}
