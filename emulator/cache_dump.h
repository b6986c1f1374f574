/* cache_dump.h - what a cache holds, for people and programs that look at it. */
#pragma once
#include <stdint.h>

struct cache;

/* Lines are numbered from 0. */
uint32_t cache_dump_lines(const struct cache *cache);

/* Line as a JSON object that the caller frees: its set and way, its virtual address if it is known by that ("va"),
 * its physical one ("pa"), which halves are dirty, its bytes in hex, and whether memory has others
 * ("differs"). NULL: it is invalid, or has no address from first to last. */
char *cache_dump(const struct cache *cache, uint32_t line, uint32_t first, uint32_t last);
