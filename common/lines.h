/* lines.h - cut a byte stream into lines, with a bound on a line's length.
 * A line that is longer than the bound is dropped whole and counted: a board must not be able to
 * make its reader grow. Not locked. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct lines {
	char *buf;        /* owned */
	size_t have, cap; /* bytes in buf; bound on a line without its newline */
	uint64_t dropped; /* lines that were too long */
	int skipping;     /* inside such a line */
};

/* What a caller does with one line: text has len bytes, no newline, and a NUL behind; end is the
 * offset in the stream right behind its newline, counted from the first byte ever fed.
 * Return 0 to go on, or -1 to stop feeding. */
typedef int lines_fn(void *arg, char *text, size_t len, uint64_t end);

void lines_init(struct lines *l, size_t cap);
void lines_release(struct lines *l);

/* Feed len bytes that start at stream offset at. Calls fn for each whole line. Returns 0, or -1 when
 * fn stopped. */
int lines_feed(struct lines *l, uint64_t at, const char *data, size_t len, lines_fn *fn, void *arg);
