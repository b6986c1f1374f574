/* rowmap.h - finds a row by its test and cell, whose texts are interned (intern.h): addresses are compared. */
#pragma once
#include <stddef.h>

struct rowmap {
	struct rowmap_slot {
		const char *test, *cell;
		size_t value; /* 0: free */
	} * slots;            /* owned; size is a power of two */
	size_t size, count;
};

/* The value of (test, cell), which the caller sets when it is 0; valid until the next call. */
size_t *rowmap_at(struct rowmap *map, const char *test, const char *cell);

/* The same, but 0 for what is not there. */
size_t rowmap_find(const struct rowmap *map, const char *test, const char *cell);
void rowmap_release(struct rowmap *map);
