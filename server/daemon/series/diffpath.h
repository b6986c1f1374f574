/* diffpath.h - the paths in a diff: how git writes them, and which of them may be written to. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* Read the path at text, which ends at a tab or at the end; quoted as git does ("a/\303\244") or not. Returns the plain
 * path, which the caller frees, and sets *used to its length in the text; NULL when a quoted one is broken. */
char *diffpath_read(const char *text, size_t len, size_t *used);

/* Why nothing may be written below this path, which has no a/ or b/ any more; NULL when it may. */
const char *diffpath_refuse(const char *path);

/* Are these the two names behind "diff --git ", one with a/, one with b/ in front? */
bool diffpath_header_fits(const char *text, size_t len, const char *old_path, const char *new_path);

/* The path that both names behind "diff --git " have; NULL when they differ. The caller frees. */
char *diffpath_header_same(const char *text, size_t len);
