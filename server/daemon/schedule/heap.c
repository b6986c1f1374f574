#include "server/daemon/schedule/heap.h"

#include "common/xalloc.h"

#include <stdlib.h>

void heap_init(struct heap *h, size_t place, heap_before_fn *before)
{
	*h = (struct heap){.place = place, .before = before};
}

void heap_release(struct heap *h)
{
	free(h->items);
	h->items = NULL;
	h->count = h->room = 0;
}

static size_t *place_of(const struct heap *h, void *item)
{
	return (size_t *)(void *)((char *)item + h->place);
}

static void put(struct heap *h, size_t i, void *item)
{
	h->items[i] = item;
	*place_of(h, item) = i + 1;
}

static void rise(struct heap *h, size_t i)
{
	void *item = h->items[i];

	while (i > 0 && h->before(item, h->items[(i - 1) / 2])) {
		put(h, i, h->items[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	put(h, i, item);
}

static void sink(struct heap *h, size_t i)
{
	void *item = h->items[i];

	for (;;) {
		size_t child = i * 2 + 1;

		if (child >= h->count)
			break;
		if (child + 1 < h->count && h->before(h->items[child + 1], h->items[child]))
			child++;
		if (!h->before(h->items[child], item))
			break;
		put(h, i, h->items[child]);
		i = child;
	}
	put(h, i, item);
}

void heap_push(struct heap *h, void *item)
{
	if (h->count == h->room) {
		h->room = h->room ? h->room * 2 : 16;
		h->items = xrealloc(h->items, h->room * sizeof(*h->items));
	}
	h->items[h->count++] = item;
	rise(h, h->count - 1);
}

void heap_remove(struct heap *h, void *item)
{
	size_t place = *place_of(h, item);
	void *last;

	if (place == 0)
		return;
	*place_of(h, item) = 0;
	last = h->items[--h->count];
	if (last == item)
		return;
	put(h, place - 1, last);
	rise(h, place - 1);
	sink(h, *place_of(h, last) - 1);
}

void *heap_top(const struct heap *h)
{
	return h->count ? h->items[0] : NULL;
}
