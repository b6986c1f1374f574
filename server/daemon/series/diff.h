/* diff.h - the diff of a patch: read as `git apply` reads it, refused where it is no text or would write where it must not.
 * Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct complain;

struct diff {
	char *text; /* owned: the lines that were understood, and no others; ends with a newline */
	size_t len, cap;
	size_t files; /* file headers that were seen, refused ones too */
};

/* Read len bytes, what stands behind a mail's "---"; line is the number of the first line for complaints. What is no part
 * of a diff (a diffstat, a signature) is passed over. The caller calls diff_release(). */
void diff_read(const char *text, size_t len, size_t line, struct diff *diff,
               const struct complain *complain);
void diff_release(struct diff *diff);

/* A header's mode is that of a plain file. Says why not, or NULL. text is not ended by NUL. */
const char *diff_mode_refuse(const char *text, size_t len);
