#include "server/daemon/compare/intern.h"

#include "common/xalloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static uint64_t hash(const char *text, size_t len)
{
	uint64_t h = 14695981039346656037U;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)text[i]) * 1099511628211U;
	return h ^ (h >> 29);
}

static char **slot_of(const struct intern *table, const char *text, size_t len)
{
	size_t i = (size_t)hash(text, len) & (table->size - 1);

	while (table->slots[i] &&
	       (strncmp(table->slots[i], text, len) != 0 || table->slots[i][len]))
		i = (i + 1) & (table->size - 1);
	return &table->slots[i];
}

static void grow(struct intern *table)
{
	struct intern bigger = {.size = table->size ? table->size * 2 : 256};

	bigger.slots = xcalloc(bigger.size, sizeof(*bigger.slots));
	for (size_t i = 0; i < table->size; i++)
		if (table->slots[i])
			*slot_of(&bigger, table->slots[i], strlen(table->slots[i])) =
				table->slots[i];
	bigger.count = table->count;
	free((void *)table->slots);
	*table = bigger;
}

const char *intern_span(struct intern *table, const char *text, size_t len)
{
	char **slot;

	if (table->count * 2 >= table->size)
		grow(table);
	slot = slot_of(table, text, len);
	if (!*slot) {
		*slot = xstrndup(text, len);
		table->count++;
	}
	return *slot;
}

const char *intern_text(struct intern *table, const char *text)
{
	return intern_span(table, text, strlen(text));
}

void intern_release(struct intern *table)
{
	for (size_t i = 0; i < table->size; i++)
		free(table->slots[i]);
	free((void *)table->slots);
	(void)memset(table, 0, sizeof(*table));
}
