#include "server/daemon/http/range.h"

#include <string.h>
#include <strings.h>

/* Digits at *text, at most 18 of them; moves *text behind. */
static bool number_take(const char **text, int64_t *value)
{
	size_t len = strspn(*text, "0123456789");

	if (len == 0 || len > 18)
		return false;
	*value = 0;
	for (size_t i = 0; i < len; i++)
		*value = *value * 10 + ((*text)[i] - '0');
	*text += len;
	return true;
}

static bool char_take(const char **text, char c)
{
	if (**text != c)
		return false;
	(*text)++;
	return true;
}

enum range_kind range_parse(const char *text, int64_t size, int64_t *first, int64_t *last)
{
	int64_t tail;

	if (strncasecmp(text, "bytes=", 6) != 0)
		return RANGE_NONE;
	text += 6;
	if (char_take(&text, '-')) {
		if (!number_take(&text, &tail) || *text)
			return RANGE_NONE;
		if (tail == 0 || size == 0)
			return RANGE_UNSATISFIABLE;
		*first = tail >= size ? 0 : size - tail;
		*last = size - 1;
		return RANGE_OK;
	}
	if (!number_take(&text, first) || !char_take(&text, '-'))
		return RANGE_NONE;
	*last = size - 1;
	if (*text && (!number_take(&text, last) || *text || *last < *first))
		return RANGE_NONE;
	if (*first >= size)
		return RANGE_UNSATISFIABLE;
	if (*last >= size)
		*last = size - 1;
	return RANGE_OK;
}

bool content_range_parse(const char *text, int64_t *first, int64_t *last, int64_t *total)
{
	if (strncasecmp(text, "bytes ", 6) != 0)
		return false;
	text += 6;
	return number_take(&text, first) && char_take(&text, '-') && number_take(&text, last) &&
	       char_take(&text, '/') && number_take(&text, total) && *text == '\0' &&
	       *first <= *last && *last < *total;
}
