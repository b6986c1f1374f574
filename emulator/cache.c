#include "cache.h"

#include "bus.h"
#include "common/err.h"
#include "common/xalloc.h"
#include "snap.h"
#include "trace.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static bool power_of_two(uint32_t n)
{
	return n && !(n & (n - 1));
}

static uint32_t lines_of(const struct cache *cache)
{
	return cache->sets * cache->config.ways;
}

/* The generator must not start at 0; an odd constant keeps near seeds apart. */
static uint64_t first_random(uint64_t seed)
{
	uint64_t random = (seed + 1) * 0x9e3779b97f4a7c15u;

	return random ? random : 1;
}

#define MEMOS 1024u /* or one a set */

/* A line of the right set each, so that a tag of another colour is not taken for it. */
static void make_memo(struct cache *cache)
{
	uint32_t memos = cache->sets > MEMOS ? cache->sets : MEMOS;

	cache->memo = xcalloc(memos, sizeof(*cache->memo));
	cache->memo_mask = memos - 1;
	for (uint32_t n = 0; n < memos; n++)
		cache->memo[n] = (uint16_t)((n & (cache->sets - 1)) * cache->config.ways);
}

struct cache *cache_new(struct bus *bus, const struct cache_config *config, struct err *err)
{
	struct cache *cache;
	uint32_t lines = config->bytes / CACHE_LINE;

	if (!power_of_two(config->bytes) || config->bytes < 1024 || config->bytes > (128u << 10)) {
		(void)err_set(err, ERR_INVALID,
		              "cache of %u bytes: a power of two from 1 KiB to 128 KiB is needed",
		              config->bytes);
		return NULL;
	}
	if (!power_of_two(config->ways) || config->ways > CACHE_WAYS_MAX || config->ways > lines) {
		(void)err_set(err, ERR_INVALID,
		              "cache with %u ways: a power of two up to %u, and at most one a line",
		              config->ways, CACHE_WAYS_MAX);
		return NULL;
	}
	cache = xcalloc(1, sizeof(*cache));
	cache->bus = bus;
	cache->config = *config;
	cache->sets = lines / config->ways;
	cache->way_bits = (uint32_t)__builtin_ctz(config->ways);
	cache->round_robin = config->replacement == REPLACE_ROUND_ROBIN;
	cache->random = first_random(config->seed);
	cache->tag = xcalloc(lines, sizeof(*cache->tag));
	cache->pa = xcalloc(lines, sizeof(*cache->pa));
	cache->dirty = xcalloc(lines, sizeof(*cache->dirty));
	cache->next_way = xcalloc(cache->sets, sizeof(*cache->next_way));
	cache->data = xcalloc(lines, CACHE_LINE);
	make_memo(cache);
	return cache;
}

void cache_free(struct cache *cache)
{
	if (!cache)
		return;
	free(cache->tag);
	free(cache->pa);
	free(cache->dirty);
	free(cache->next_way);
	free(cache->memo);
	free(cache->data);
	free(cache);
}

void cache_set_round_robin(struct cache *cache, bool on)
{
	cache->round_robin = on || cache->config.replacement == REPLACE_ROUND_ROBIN;
}

/* Most caches have four ways. Returns the way, or one that there is not. */
static inline uint32_t way_of(const uint32_t *tags, uint32_t ways, uint32_t wanted)
{
	uint32_t way = 0;

	if (ways == 4)
		return tags[0] == wanted   ? 0
		       : tags[1] == wanted ? 1
		       : tags[2] == wanted ? 2
		       : tags[3] == wanted ? 3
		                           : 4;
	while (way < ways && tags[way] != wanted)
		way++;
	return way;
}

uint32_t cache_search(struct cache *cache, uint32_t mva, uint32_t pa)
{
	uint32_t first = cache_set(cache, mva, pa) << cache->way_bits;
	uint32_t way = way_of(&cache->tag[first], cache->config.ways, cache_tag(cache, mva, pa));

	if (way == cache->config.ways)
		return CACHE_MISS;
	*cache_memo(cache, mva) = (uint16_t)(first + way);
	return first + way;
}

static uint32_t random_way(struct cache *cache)
{
	cache->random ^= cache->random << 13;
	cache->random ^= cache->random >> 7;
	cache->random ^= cache->random << 17;
	return (uint32_t)(cache->random >> 32) & (cache->config.ways - 1);
}

static uint32_t victim_way(struct cache *cache, uint32_t set)
{
	uint32_t way;

	if (cache->config.invalid_first) {
		for (way = 0; way < cache->config.ways; way++) {
			if (!cache->tag[set * cache->config.ways + way])
				return way;
		}
	}
	if (!cache->round_robin)
		return random_way(cache);
	way = cache->next_way[set];
	cache->next_way[set] = (uint8_t)((way + 1) & (cache->config.ways - 1));
	return way;
}

static void write_back(struct cache *cache, uint32_t line)
{
	uint8_t *memory;

	if (!cache->dirty[line])
		return;
	memory = bus_ram(cache->bus, cache->pa[line], CACHE_LINE);
	assert(memory != NULL); /* only RAM is ever filled from */
	if (cache->trace)
		trace_write_back(cache->trace, cache, line);
	for (unsigned half = 0; half < 2; half++) {
		if (cache->dirty[line] & 1u << half) {
			memcpy(memory + half * CACHE_HALF,
			       cache_bytes(cache, line) + half * CACHE_HALF, CACHE_HALF);
			cache->stats.write_backs++;
		}
	}
	cache->dirty[line] = 0;
	cache->dirty_lines--;
}

static void drop(struct cache *cache, uint32_t line)
{
	if (cache->dirty[line]) {
		if (cache->trace)
			trace_drop(cache->trace, cache, line);
		cache->dirty_lines--;
	}
	cache->dirty[line] = 0;
	cache->tag[line] = 0;
}

uint32_t cache_fill(struct cache *cache, uint32_t mva, uint32_t pa)
{
	uint32_t set = cache_set(cache, mva, pa);
	uint32_t way = victim_way(cache, set);
	uint32_t line = (set << cache->way_bits) + way;
	const uint8_t *memory = bus_ram(cache->bus, pa & ~(CACHE_LINE - 1), CACHE_LINE);

	assert(memory != NULL);
	if (cache->dirty[line])
		write_back(cache, line);
	memcpy(cache_bytes(cache, line), memory, CACHE_LINE);
	cache->tag[line] = cache_tag(cache, mva, pa);
	cache->pa[line] = pa & ~(CACHE_LINE - 1);
	*cache_memo(cache, mva) = (uint16_t)line;
	return line;
}

static void apply(struct cache *cache, enum cache_op op, uint32_t line)
{
	if (op & CACHE_CLEAN)
		write_back(cache, line);
	if (op & CACHE_INVALIDATE)
		drop(cache, line);
}

void cache_line(struct cache *cache, enum cache_op op, uint32_t mva, uint32_t pa)
{
	uint32_t line = cache_find(cache, mva, pa);

	cache->stats.line_ops++;
	if (line != CACHE_MISS)
		apply(cache, op, line);
}

/* Set in the bits of an address that select it, way in the top bits. */
static uint32_t index_line(const struct cache *cache, uint32_t set_way)
{
	uint32_t set = set_way / CACHE_LINE & (cache->sets - 1);
	uint32_t way = 0;

	if (cache->config.ways > 1)
		way = set_way >> (32 - __builtin_ctz(cache->config.ways));
	return set * cache->config.ways + way;
}

void cache_index(struct cache *cache, enum cache_op op, uint32_t set_way)
{
	cache->stats.line_ops++;
	apply(cache, op, index_line(cache, set_way));
}

static void clean_all(struct cache *cache)
{
	for (uint32_t line = 0; cache->dirty_lines && line < lines_of(cache); line++)
		write_back(cache, line);
}

void cache_all(struct cache *cache, enum cache_op op)
{
	uint32_t lines = lines_of(cache);

	cache->stats.whole_flushes++;
	if (op & CACHE_CLEAN)
		clean_all(cache);
	if (op & CACHE_INVALIDATE) {
		for (uint32_t line = 0; cache->trace && line < lines; line++)
			drop(cache, line);
		memset(cache->tag, 0, lines * sizeof(*cache->tag));
		memset(cache->dirty, 0, lines * sizeof(*cache->dirty));
		cache->dirty_lines = 0;
	}
}

bool cache_test_clean(struct cache *cache)
{
	while (cache->dirty_lines) {
		uint32_t line = cache->rover;

		cache->rover = (cache->rover + 1) % lines_of(cache);
		if (cache->dirty[line]) {
			write_back(cache, line);
			break;
		}
	}
	return cache->dirty_lines == 0;
}

/* Size as 512 << n, ways as 1 << n, line of 8 words. */
uint32_t cache_type_bits(const struct cache *cache)
{
	uint32_t size = (uint32_t)__builtin_ctz(cache->config.bytes) - 9;
	uint32_t ways = (uint32_t)__builtin_ctz(cache->config.ways);
	bool aliases = cache->config.kind == CACHE_VIPT &&
	               cache->config.bytes / cache->config.ways > CACHE_PAGE;

	return (aliases ? 1u << 11 : 0) | size << 6 | ways << 3 | 2;
}

void cache_snap(struct cache *cache, struct snap *snap)
{
	uint32_t lines = lines_of(cache);
	uint64_t seed = cache->config.seed;

	snap_part(snap, "cache");
	SNAP(snap, seed);
	SNAP(snap, cache->stats);
	SNAP(snap, cache->dirty_lines);
	SNAP(snap, cache->rover);
	SNAP(snap, cache->round_robin);
	SNAP(snap, cache->random);
	if (snap_loading(snap) && seed != cache->config.seed)
		cache->random = first_random(cache->config.seed);
	snap_bytes(snap, cache->tag, lines * sizeof(*cache->tag));
	snap_bytes(snap, cache->pa, lines * sizeof(*cache->pa));
	snap_bytes(snap, cache->dirty, lines * sizeof(*cache->dirty));
	snap_bytes(snap, cache->next_way, cache->sets * sizeof(*cache->next_way));
	snap_bytes(snap, cache->data, (size_t)lines * CACHE_LINE);
	snap_need(snap, cache->rover < lines);
	for (uint32_t set = 0; set < cache->sets; set++)
		snap_need(snap, cache->next_way[set] < cache->config.ways);
	for (uint32_t line = 0; line < lines; line++)
		snap_need(snap,
		          !cache->dirty[line] || bus_ram(cache->bus, cache->pa[line], CACHE_LINE));
}
