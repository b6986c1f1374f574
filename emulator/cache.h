/* cache.h - one cache whose lines hold bytes of their own: looked up and indexed by modified virtual
 * address (VIVT), as in the ARM926EJ-S. The physical address stays in the line: a dirty half of
 * 16 bytes is written there, whatever the page tables say by then.
 *
 * A cache knows nothing of rights: who asks has asked the MMU before. The same struct serves as
 * I-cache; nothing then makes its lines dirty. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "host.h"

struct bus;
struct err;

#define CACHE_LINE     32u
#define CACHE_HALF     16u
#define CACHE_MISS     UINT32_MAX
#define CACHE_WAYS_MAX 64u

enum cache_replacement {
	REPLACE_RANDOM,      /* any way, valid or not, from a seeded generator */
	REPLACE_ROUND_ROBIN, /* the next way of the set */
};

struct cache_config {
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
	struct bus *bus; /* borrowed */
	struct cache_config config;
	struct cache_stats stats;
	uint32_t sets;
	uint32_t dirty_lines;
	uint32_t rover;    /* where test-and-clean looks next */
	bool round_robin;  /* what SCTLR.RR or the configuration asks for */
	uint64_t random;   /* state */
	uint32_t *tag;     /* [set * ways + way]: MVA of the line | 1, or 0 when invalid */
	uint32_t *pa;      /* of the line */
	uint8_t *dirty;    /* bit 0: lower half, bit 1: upper half */
	uint8_t *next_way; /* [set], for round robin */
	uint8_t *last_way; /* [set], where the last hit was: looked at first */
	uint8_t *data;     /* CACHE_LINE bytes a line */
};

/* Make a cache, all lines invalid. Returns NULL with *err (ERR_INVALID) naming what no cache can have. */
struct cache *cache_new(struct bus *bus, const struct cache_config *config, struct err *err);
void cache_free(struct cache *cache);

/* SCTLR.RR: round robin instead of random. */
void cache_set_round_robin(struct cache *cache, bool on);

/* Index of the line that holds mva, or CACHE_MISS. Use cache_find(). */
uint32_t cache_search(struct cache *cache, uint32_t mva);

/* Replace a line of mva's set by the 32 bytes of memory around pa (RAM, mapped at mva), writing the
 * old line's dirty halves back. Returns its index. mva must miss. */
uint32_t cache_fill(struct cache *cache, uint32_t mva, uint32_t pa);

/* Maintenance, of the line that mva hits if there is one. */
void cache_clean_line(struct cache *cache, uint32_t mva);
void cache_invalidate_line(struct cache *cache, uint32_t mva);

/* Maintenance by the register format of the set and way operations (way in the top bits). */
void cache_clean_index(struct cache *cache, uint32_t set_way);
void cache_invalidate_index(struct cache *cache, uint32_t set_way);

/* All lines become invalid; dirty bytes are lost. */
void cache_invalidate_all(struct cache *cache);

/* Test and clean: clean one dirty line if there is any. Returns whether none is left dirty. */
bool cache_test_clean(struct cache *cache);

/* What the cache type register says about this geometry: 12 bits. */
uint32_t cache_type_bits(const struct cache *cache);

static inline uint32_t cache_find(struct cache *cache, uint32_t mva)
{
	uint32_t set = mva / CACHE_LINE & (cache->sets - 1);
	uint32_t line = set * cache->config.ways + cache->last_way[set];

	if (__builtin_expect(cache->tag[line] == ((mva & ~(CACHE_LINE - 1)) | 1), 1))
		return line;
	return cache_search(cache, mva);
}

static inline uint8_t *cache_bytes(const struct cache *cache, uint32_t line)
{
	return cache->data + (uint64_t)line * CACHE_LINE;
}

/* Mark the half of the line that mva is in as newer than memory. */
static inline void cache_mark_dirty(struct cache *cache, uint32_t line, uint32_t mva)
{
	uint8_t old = cache->dirty[line];

	cache->dirty_lines += old == 0;
	cache->dirty[line] = (uint8_t)(old | (mva & CACHE_HALF ? 2 : 1));
}
