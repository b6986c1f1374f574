/* linediff.h - which lines two texts have in common (E. Myers, Algorithmica 1, 1986). Pure. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct linediff_line {
	const char *text; /* borrowed; without its newline */
	size_t len;
	uint64_t hash;
};

struct linediff_text {
	struct linediff_line *lines; /* owned */
	size_t count, room;
};

void linediff_add(struct linediff_text *text, const char *line, size_t len);
void linediff_release(struct linediff_text *text);

/* One line of the difference: ' ' both have it, '-' only a, '+' only b. Return value is ignored. */
typedef void linediff_fn(void *arg, char sign, const struct linediff_line *line);

/* Each line of both, in order. More than LINEDIFF_EDITS edits between the common beginning and end are not looked for: all
 * between them is then removed and added. Returns the number of lines that are not common. */
#define LINEDIFF_EDITS 1500
size_t linediff_walk(const struct linediff_text *a, const struct linediff_text *b, linediff_fn *fn,
                     void *arg);
