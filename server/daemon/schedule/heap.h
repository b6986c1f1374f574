/* heap.h - a binary heap of pointers whose elements know their place, so that any can be taken out. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

typedef bool heap_before_fn(const void *a, const void *b);

struct heap {
	void **items;
	size_t count, room;
	size_t place; /* offsetof the element's size_t that holds its place + 1; 0 there: not in the heap */
	heap_before_fn *before;
};

void heap_init(struct heap *h, size_t place, heap_before_fn *before);
void heap_release(struct heap *h); /* the elements are the caller's */
void heap_push(struct heap *h, void *item);
void heap_remove(struct heap *h, void *item); /* nothing when it is not in */
void *heap_top(const struct heap *h);         /* NULL when empty */
