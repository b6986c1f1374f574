#include "server/daemon/schedule/table.h"

#include "common/xalloc.h"

#include <stdlib.h>

static size_t home(const struct table *t, uint64_t key)
{
	return (size_t)((key * 0x9e3779b97f4a7c15ULL) >> 32) & (t->size - 1);
}

/* The slot of key, or the free one where it belongs. */
static size_t find(const struct table *t, uint64_t key)
{
	size_t i = home(t, key);

	while (t->slots[i].value && t->slots[i].key != key)
		i = (i + 1) & (t->size - 1);
	return i;
}

void table_release(struct table *t)
{
	free(t->slots);
	*t = (struct table){0};
}

void *table_get(const struct table *t, uint64_t key)
{
	return t->size ? t->slots[find(t, key)].value : NULL;
}

static void grow(struct table *t)
{
	struct table old = *t;

	t->size = old.size ? old.size * 2 : 64;
	t->slots = xcalloc(t->size, sizeof(*t->slots));
	for (size_t i = 0; i < old.size; i++)
		if (old.slots[i].value)
			t->slots[find(t, old.slots[i].key)] = old.slots[i];
	free(old.slots);
}

void table_put(struct table *t, uint64_t key, void *value)
{
	struct table_slot *slot;

	if ((t->count + 1) * 2 > t->size)
		grow(t);
	slot = &t->slots[find(t, key)];
	if (!slot->value)
		t->count++;
	*slot = (struct table_slot){key, value};
}

void table_remove(struct table *t, uint64_t key)
{
	size_t i, next;

	if (t->size == 0)
		return;
	i = find(t, key);
	if (!t->slots[i].value)
		return;
	t->count--;
	/* Close the gap: move up each follower that may stand there. */
	for (next = (i + 1) & (t->size - 1); t->slots[next].value;
	     next = (next + 1) & (t->size - 1)) {
		size_t want = home(t, t->slots[next].key);

		if (((next - want) & (t->size - 1)) < ((next - i) & (t->size - 1)))
			continue;
		t->slots[i] = t->slots[next];
		i = next;
	}
	t->slots[i].value = NULL;
}

uint64_t table_text_key(const char *text)
{
	uint64_t key = 0xcbf29ce484222325ULL;

	for (const char *p = text; *p; p++)
		key = (key ^ (unsigned char)*p) * 0x100000001b3ULL;
	return key;
}
