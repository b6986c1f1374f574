/* page.h - plain text for a mail: lines of at most 72 columns, and nothing in them that could act on a reader's terminal
 * or pretend to be another line. Pure. */
#pragma once
#include <stddef.h>

#define PAGE_COLUMNS 72
#define PAGE_LINES   72 /* three screens of 24 */

struct page {
	char *text; /* owned */
	size_t len, room, lines;
};

void page_release(struct page *page);

/* One line; what is too long is cut, with "..." at its end. Tabs and newlines in it are spaces, and control characters,
 * bidi overrides and bytes that are no UTF-8 question marks. */
void page_line(struct page *page, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The same, wrapped at spaces; further lines begin with indent spaces. At most lines lines, the last one cut. */
void page_wrap(struct page *page, size_t indent, size_t lines, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* A command of words: where it is too long it goes on behind a backslash, so that it stays one command. */
void page_command(struct page *page, size_t indent, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The line "-- " (with its space, as mail programs want it), and one of text. */
void page_signature(struct page *page, const char *text);

/* Put all of other behind. */
void page_add(struct page *page, const struct page *other);

/* text made harmless as a line is: the caller frees it. */
char *page_clean(const char *text);
