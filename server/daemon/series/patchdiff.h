/* patchdiff.h - what changed from one revision to another, patch by patch, in the manner of git range-diff. Pure. */
#pragma once
#include <stddef.h>

struct patchdiff_patch {
	const char *subject;
	const char *text; /* the mail that is kept: len bytes */
	size_t len;
};

struct patchdiff_side {
	const char *label; /* "v1" */
	const struct patchdiff_patch *patches;
	size_t count;
};

/* Lines "1: v1 = 2: v3 subject" (= the same, ! changed, < gone, > new), with the difference of message and diff below those
 * that changed, where the places of hunks and blob names count for nothing. The caller frees. */
char *patchdiff_text(const struct patchdiff_side *from, const struct patchdiff_side *to,
                     size_t *len);
