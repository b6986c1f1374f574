/* glob.h - names by pattern: '*' is any text, '?' any one character, all else is itself.
 * Not fnmatch(3), whose time can grow without bound with the stars of a stranger's pattern. */
#pragma once
#include <stdbool.h>

/* Does the whole of name fit pattern? At most strlen(pattern) * strlen(name) steps. */
bool glob_match(const char *pattern, const char *name);
