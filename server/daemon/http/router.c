#include "server/daemon/http/router.h"

#include "common/err.h"
#include "common/utf8.h"

#include <stdio.h>
#include <string.h>

bool utf8_valid(const char *text, size_t len)
{
	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_length(text + i, len - i);
		if (n == 0)
			return false;
	}
	return true;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int url_decode(const char *text, size_t len, char *out, size_t cap, struct err *err)
{
	size_t used = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '%') {
			int high = i + 2 < len ? hex_value(text[i + 1]) : -1;
			int low = high >= 0 ? hex_value(text[i + 2]) : -1;

			if (low < 0)
				return err_set(err, ERR_INVALID, "broken percent escape");
			c = (unsigned char)(high * 16 + low);
			i += 2;
		}
		if (c < 0x20 || c == 0x7f)
			return err_set(err, ERR_INVALID, "control character");
		if (used + 1 >= cap)
			return err_set(err, ERR_INVALID, "longer than %zu bytes", cap - 1);
		out[used++] = (char)c;
	}
	out[used] = '\0';
	if (!utf8_valid(out, used))
		return err_set(err, ERR_INVALID, "not UTF-8");
	return 0;
}

static int segment_add(struct path *path, const char *text, size_t len, char **next,
                       struct err *err)
{
	size_t room = sizeof(path->text) - (size_t)(*next - path->text);

	if (path->count == PATH_SEGMENTS)
		return err_set(err, ERR_INVALID, "more than %d segments", PATH_SEGMENTS);
	if (room == 0)
		return err_set(err, ERR_INVALID, "too long");
	if (url_decode(text, len, *next, room, err) < 0)
		return -1;
	if (strcmp(*next, ".") == 0 || strcmp(*next, "..") == 0)
		return err_set(err, ERR_INVALID, "a segment is %s", *next);
	if (**next == '\0')
		return err_set(err, ERR_INVALID, "an empty segment");
	if (strchr(*next, '/'))
		return err_set(err, ERR_INVALID, "an encoded slash");
	path->segment[path->count++] = *next;
	*next += strlen(*next) + 1;
	return 0;
}

static void path_join(struct path *path)
{
	size_t used = 0;

	path->whole[0] = '/';
	path->whole[1] = '\0';
	for (size_t i = 0; i < path->count; i++)
		used += (size_t)snprintf(path->whole + used, sizeof(path->whole) - used, "/%s",
		                         path->segment[i]);
}

int path_split(const char *url, struct path *path, struct err *err)
{
	char *next = path->text;
	const char *at = url;

	path->count = 0;
	if (*at != '/')
		return err_set(err, ERR_INVALID, "does not begin with a slash");
	if (strlen(url) >= PATH_BYTES)
		return err_set(err, ERR_INVALID, "longer than %d bytes", PATH_BYTES - 1);
	at++;
	while (*at) {
		size_t len = strcspn(at, "/");

		if (segment_add(path, at, len, &next, err) < 0)
			return -1;
		at += len;
		if (*at == '/' && *++at == '\0')
			return err_set(err, ERR_INVALID, "ends with a slash");
	}
	path_join(path);
	return 0;
}

/* Does the pattern fit? Fills param with the segments that stand for {names}. */
static bool pattern_fits(const char *pattern, const struct path *path,
                         const char *param[HTTP_PARAMS])
{
	size_t params = 0;

	if (path->count == 0)
		return strcmp(pattern, "/") == 0;
	for (size_t i = 0; i < path->count; i++) {
		size_t len;

		if (*pattern++ != '/')
			return false;
		len = strcspn(pattern, "/");
		if (*pattern == '{') {
			if (params == HTTP_PARAMS)
				return false;
			param[params++] = path->segment[i];
		} else if (strlen(path->segment[i]) != len ||
		           memcmp(pattern, path->segment[i], len) != 0) {
			return false;
		}
		pattern += len;
	}
	return *pattern == '\0';
}

static void allow_add(char allow[64], const char *method)
{
	size_t used = strlen(allow);

	(void)snprintf(allow + used, 64 - used, "%s%s", used ? ", " : "", method);
	if (strcmp(method, "GET") == 0)
		allow_add(allow, "HEAD");
}

enum router_found router_find(const struct http_route *const *tables, const char *method,
                              const struct path *path, const struct http_route **route,
                              const char *param[HTTP_PARAMS], char allow[64])
{
	const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method;

	allow[0] = '\0';
	for (; *tables; tables++) {
		for (const struct http_route *row = *tables; row->pattern; row++) {
			memset((void *)param, 0, HTTP_PARAMS * sizeof(*param));
			if (!pattern_fits(row->pattern, path, param))
				continue;
			if (strcmp(row->method, wanted) == 0) {
				*route = row;
				return ROUTER_FOUND;
			}
			allow_add(allow, row->method);
		}
	}
	memset((void *)param, 0, HTTP_PARAMS * sizeof(*param));
	return allow[0] ? ROUTER_NO_METHOD : ROUTER_NO_PATH;
}
