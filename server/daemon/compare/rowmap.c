#include "server/daemon/compare/rowmap.h"

#include "common/xalloc.h"

#include <stdint.h>
#include <stdlib.h>

/* The slot of the pair, or the free one where it belongs. */
static struct rowmap_slot *slot_of(const struct rowmap *map, const char *test, const char *cell)
{
	uint64_t h = ((uint64_t)(uintptr_t)test * 0x9E3779B97F4A7C15U) ^
	             ((uint64_t)(uintptr_t)cell * 0xC2B2AE3D27D4EB4FU);
	size_t i = (size_t)(h >> 20) & (map->size - 1);

	while (map->slots[i].value && (map->slots[i].test != test || map->slots[i].cell != cell))
		i = (i + 1) & (map->size - 1);
	return &map->slots[i];
}

static void grow(struct rowmap *map)
{
	struct rowmap old = *map;

	map->size = old.size ? old.size * 2 : 128;
	map->slots = xcalloc(map->size, sizeof(*map->slots));
	for (size_t i = 0; i < old.size; i++)
		if (old.slots[i].value)
			*slot_of(map, old.slots[i].test, old.slots[i].cell) = old.slots[i];
	free(old.slots);
}

size_t *rowmap_at(struct rowmap *map, const char *test, const char *cell)
{
	struct rowmap_slot *slot;

	if (map->count * 2 >= map->size)
		grow(map);
	slot = slot_of(map, test, cell);
	if (!slot->value) {
		slot->test = test;
		slot->cell = cell;
		map->count++;
	}
	return &slot->value;
}

size_t rowmap_find(const struct rowmap *map, const char *test, const char *cell)
{
	return map->size ? slot_of(map, test, cell)->value : 0;
}

void rowmap_release(struct rowmap *map)
{
	free(map->slots);
	*map = (struct rowmap){0};
}
