/* utf8.h - which bytes of a stranger's text are UTF-8. */
#pragma once
#include <stddef.h>

/* Length (1 to 4) of the character at text, or 0 when the bytes there are none (overlong forms, surrogates,
 * NUL and what is cut short included). len is at least 1. */
size_t utf8_length(const char *text, size_t len);

/* Copy len bytes of text to out (room bytes), each byte that is no UTF-8 replaced by U+FFFD, with a NUL behind.
 * Stops before a character that no longer fits. Returns the bytes written; *used gets the bytes read. */
size_t utf8_clean(const char *text, size_t len, char *out, size_t room, size_t *used);
