/* symbols.h - names for addresses: of System.map, or of what nm prints for a program. */
#pragma once
#include <stdint.h>

struct err;
struct symbols; /* opaque: symbols_new(), symbols_free() */

struct symbols *symbols_new(void);
void symbols_free(struct symbols *symbols);

/* Add the functions of a file, whose lines are an address, a type and a name; other types are passed
 * over. More than one file is fine when their addresses lie apart, as those of a kernel and a program do.
 * 0, or -1 with *err naming the file and the line. */
int symbols_read(struct symbols *symbols, const char *path, struct err *err);

/* The function that address is in, and how far from its start; NULL when none is near. */
const char *symbols_find(struct symbols *symbols, uint32_t address, uint32_t *offset);
