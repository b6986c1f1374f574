/* table.h - pointers by a 64-bit key: open addressing, linear probing. The values are the caller's. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct table_slot {
	uint64_t key;
	void *value; /* NULL: free */
};

struct table {
	struct table_slot *slots; /* zeroed struct table is an empty one */
	size_t size, count;
};

void table_release(struct table *t);
void *table_get(const struct table *t, uint64_t key); /* NULL: not there */
void table_put(struct table *t, uint64_t key, void *value);
void table_remove(struct table *t, uint64_t key);

/* A key for text (FNV-1a). Two texts may share one: compare. */
uint64_t table_text_key(const char *text);
