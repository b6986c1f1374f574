/* diff_private.h - what the two halves of the reader of diffs share: file headers (diff.c), hunks (diff_hunk.c). */
#pragma once
#include "server/daemon/series/complain.h"
#include "server/daemon/series/diff.h"

/* One line, without its newline. */
struct diff_line {
	const char *text;
	size_t len;
};

struct diff_reader {
	const char *at, *end;
	size_t line; /* number of the line at `at` */
	struct diff *out;
	const struct complain *complain;
};

/* The line at the reader's place, or `ahead` lines further. False at the end. */
bool diff_peek(const struct diff_reader *r, size_t ahead, struct diff_line *line);
void diff_skip(struct diff_reader *r);

/* Append the line to what is kept. */
void diff_put(struct diff_reader *r, const struct diff_line *line);

/* Keep the line, and go on behind it. */
void diff_take(struct diff_reader *r, const struct diff_line *line);

bool diff_starts(const struct diff_line *line, const char *word);

/* "@@ -1,2 +3,4 @@ ..." */
bool diff_is_hunk(const struct diff_line *line);

/* Take the hunk at the reader's place. False after a complaint. */
bool diff_hunk(struct diff_reader *r);
