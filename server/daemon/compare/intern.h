/* intern.h - each text kept once, so that equal texts have equal addresses. Not locked. */
#pragma once
#include <stddef.h>

struct intern {
	char **slots; /* owned, as are the texts; size is a power of two */
	size_t size, count;
};

/* The one copy of text, valid until intern_release(). */
const char *intern_text(struct intern *table, const char *text);
const char *intern_span(struct intern *table, const char *text, size_t len); /* no NUL in it */
void intern_release(struct intern *table);
