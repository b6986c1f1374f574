#include "server/daemon/series/diffpath.h"

#include "common/scoped.h"
#include "common/xalloc.h"

#include <string.h>
#include <strings.h>

#define PATH_LONGEST 1024

static bool octal(char c)
{
	return c >= '0' && c <= '7';
}

/* The byte behind a backslash; *at moves to its last character. -1: there is no such escape. */
static int escape(const char *text, size_t len, size_t *at)
{
	static const char letters[] = "abfnrtv\\\"", bytes[] = "\a\b\f\n\r\t\v\\\"";
	const char *found = *at < len && text[*at] ? strchr(letters, text[*at]) : NULL;
	int value;

	if (found)
		return (unsigned char)bytes[found - letters];
	if (*at + 2 >= len || text[*at] > '3' || !octal(text[*at]) || !octal(text[*at + 1]) ||
	    !octal(text[*at + 2]))
		return -1;
	value = (text[*at] - '0') * 64 + (text[*at + 1] - '0') * 8 + (text[*at + 2] - '0');
	*at += 2;
	return value;
}

static char *quoted_read(const char *text, size_t len, size_t *used)
{
	SCOPED_STR out = xcalloc(len + 1, 1);
	size_t have = 0;

	for (size_t i = 1; i < len; i++) {
		int c = (unsigned char)text[i];

		if (c == '"') {
			*used = i + 1;
			return take_str(&out);
		}
		if (c == '\\') {
			i++;
			c = escape(text, len, &i);
		}
		/* A name with a NUL in it would end there for everyone else. */
		if (c <= 0)
			return NULL;
		out[have++] = (char)c;
	}
	return NULL;
}

char *diffpath_read(const char *text, size_t len, size_t *used)
{
	const char *tab;

	if (len > 0 && *text == '"')
		return quoted_read(text, len, used);
	tab = memchr(text, '\t', len);
	*used = tab ? (size_t)(tab - text) : len;
	return xstrndup(text, *used);
}

/* ".git" as a file system might take it that ignores case, trailing dots and spaces, or has short names and streams. */
static bool is_git(const char *name, size_t len)
{
	size_t rest = 4;

	if (len >= 5 && strncasecmp(name, "git~1", 5) == 0)
		return true;
	if (len < 4 || strncasecmp(name, ".git", 4) != 0)
		return false;
	while (rest < len && (name[rest] == '.' || name[rest] == ' '))
		rest++;
	return rest == len || name[rest] == ':' || name[rest] == '\\';
}

static const char *component_refuse(const char *name, size_t len)
{
	if (len == 0)
		return "has an empty part";
	if (len == 1 && name[0] == '.')
		return "has . as a part";
	if (len == 2 && name[0] == '.' && name[1] == '.')
		return "has .. in it";
	return is_git(name, len) ? "has .git in it" : NULL;
}

const char *diffpath_refuse(const char *path)
{
	if (*path == '\0')
		return "is empty";
	if (*path == '/')
		return "is absolute";
	if (strlen(path) > PATH_LONGEST)
		return "is longer than 1024 bytes";
	for (const char *at = path; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			return "has a control character in it";
	for (const char *at = path;; at++) {
		size_t len = strcspn(at, "/");
		const char *why = component_refuse(at, len);

		if (why)
			return why;
		at += len;
		if (*at == '\0')
			return NULL;
	}
}

/* Is the whole of text this path, quoted or not? */
static bool is_path(const char *text, size_t len, const char *prefix, const char *path)
{
	size_t used = 0, first = strlen(prefix);
	SCOPED_STR plain = NULL;

	/* Names behind "diff --git" are not ended by tabs. */
	if (len > 0 && *text != '"')
		return len == first + strlen(path) && memcmp(text, prefix, first) == 0 &&
		       memcmp(text + first, path, len - first) == 0;
	plain = diffpath_read(text, len, &used);
	return plain && used == len && strncmp(plain, prefix, first) == 0 &&
	       strcmp(plain + first, path) == 0;
}

bool diffpath_header_fits(const char *text, size_t len, const char *old_path, const char *new_path)
{
	for (size_t i = 1; i + 1 < len; i++)
		if (text[i] == ' ' && is_path(text, i, "a/", old_path) &&
		    is_path(text + i + 1, len - i - 1, "b/", new_path))
			return true;
	return false;
}

char *diffpath_header_same(const char *text, size_t len)
{
	for (size_t i = 1; i + 1 < len; i++) {
		SCOPED_STR plain = NULL;
		size_t used = 0;

		if (text[i] != ' ')
			continue;
		plain = *text == '"' ? diffpath_read(text, i, &used) : xstrndup(text, i);
		if (plain && strncmp(plain, "a/", 2) == 0 &&
		    diffpath_header_fits(text, len, plain + 2, plain + 2))
			return xstrdup(plain + 2);
	}
	return NULL;
}
