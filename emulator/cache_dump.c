#include "cache_dump.h"

#include "bus.h"
#include "cache.h"
#include "common/xalloc.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

uint32_t cache_dump_lines(const struct cache *cache)
{
	return cache->sets * cache->config.ways;
}

static bool meets(uint32_t address, uint32_t first, uint32_t last)
{
	return address <= last && address + (CACHE_LINE - 1) >= first;
}

char *cache_dump(const struct cache *cache, uint32_t line, uint32_t first, uint32_t last)
{
	const uint8_t *bytes = cache_bytes(cache, line);
	const uint8_t *memory = bus_ram(cache->bus, cache->pa[line], CACHE_LINE);
	const uint32_t known_by = cache->tag[line] & ~(CACHE_LINE - 1);
	const bool is_virtual = cache->config.kind == CACHE_VIVT;
	char va[32] = "", hex[2 * CACHE_LINE + 1];

	if (!cache->tag[line] ||
	    (!meets(cache->pa[line], first, last) && !(is_virtual && meets(known_by, first, last))))
		return NULL;
	for (unsigned n = 0; n < CACHE_LINE; n++)
		(void)snprintf(hex + 2 * (size_t)n, 3, "%02x", bytes[n]);
	if (is_virtual)
		(void)snprintf(va, sizeof(va), "\"va\":\"0x%08x\",", known_by);
	return xasprintf("{\"set\":%u,\"way\":%u,%s\"pa\":\"0x%08x\",\"dirty\":[%s,%s],"
	                 "\"differs\":%s,\"bytes\":\"%s\"}",
	                 line / cache->config.ways, line % cache->config.ways, va, cache->pa[line],
	                 cache->dirty[line] & 1 ? "true" : "false",
	                 cache->dirty[line] & 2 ? "true" : "false",
	                 memory && memcmp(memory, bytes, CACHE_LINE) != 0 ? "true" : "false", hex);
}
