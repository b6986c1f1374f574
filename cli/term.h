/* term.h - output for people: tables, a progress block, and text from boards made safe. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Is stdout a terminal (and TERM not "dumb")? Colour too, unless NO_COLOR is set. */
bool term_is_tty(void);
bool term_has_colour(void);
unsigned term_columns(void);

/* Text from the server may come from a board: control characters, escape sequences and bidi overrides are replaced by '?'
 * in place. Tabs and newlines stay only when lines is true. Returns text. */
char *term_safe(char *text, bool lines);

/* Write bytes to stdout; made safe when stdout is a terminal. */
void term_write(const char *data, size_t len);

/* Wait, for back-off between retries. */
void term_pause_ms(unsigned ms);

enum term_style { TERM_PLAIN, TERM_GOOD, TERM_BAD, TERM_DIM, TERM_BOLD };

/* A table whose columns get as wide as their cells. Cells are copied and made safe. */
struct term_table; /* opaque */
struct term_table *term_table_new(void);
void term_cell(struct term_table *table, enum term_style style, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void term_row_end(struct term_table *table);
/* Print (not when out is NULL) and free. */
void term_table_print(struct term_table *table, FILE *out);

/* Lines that are drawn over at each call while stdout is a terminal (count lines up, clear). Otherwise nothing is erased. */
void term_redraw_begin(void);
void term_redraw_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Leave the last drawing on screen. */
void term_redraw_end(void);
