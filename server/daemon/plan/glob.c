#include "server/daemon/plan/glob.h"

#include <stddef.h>

bool glob_match(const char *pattern, const char *name)
{
	const char *star = NULL, *retry = NULL; /* where the last star began to eat */

	while (*name) {
		if (*pattern == '*') {
			star = ++pattern;
			retry = name;
		} else if (*pattern == '?' || *pattern == *name) {
			pattern++;
			name++;
		} else if (star) {
			pattern = star;
			name = ++retry;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}
