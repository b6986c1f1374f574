/* xalloc.h - memory that is there or the process ends.
 * A restart replays the stored events, so no caller carries an untested branch for it. */
#pragma once
#include <stddef.h>

void *xcalloc(size_t count, size_t size)
	__attribute__((malloc, returns_nonnull, warn_unused_result));
void *xrealloc(void *old, size_t size) __attribute__((returns_nonnull, warn_unused_result));
char *xstrdup(const char *text)
	__attribute__((malloc, returns_nonnull, nonnull, warn_unused_result));
char *xstrndup(const char *text, size_t len) __attribute__((malloc, returns_nonnull, nonnull));
char *xasprintf(const char *fmt, ...)
	__attribute__((format(printf, 1, 2), returns_nonnull, warn_unused_result));
