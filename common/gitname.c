#include "common/gitname.h"

#include <string.h>

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+/-"

bool git_id_valid(const char *text)
{
	size_t len = strlen(text);

	return (len == 40 || len == 64) && strspn(text, "0123456789abcdef") == len;
}

/* len bytes of text. */
static bool name_valid(const char *text, size_t len)
{
	if (len == 0 || strchr("-./", text[0]) || strspn(text, LETTERS) < len)
		return false;
	for (size_t i = 0; i + 1 < len; i++)
		if (text[i] == '.' && text[i + 1] == '.')
			return false;
	return true;
}

bool git_name_valid(const char *text)
{
	return name_valid(text, strlen(text));
}

bool git_range_valid(const char *text)
{
	const char *dots = strstr(text, "..");

	return dots && name_valid(text, (size_t)(dots - text)) && git_name_valid(dots + 2);
}
