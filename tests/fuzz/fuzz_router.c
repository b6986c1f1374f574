/* Any path, query value and Range: what the router lets through is clean, and what it finds is a row that fits. */
#include "common/err.h"
#include "server/daemon/http/range.h"
#include "server/daemon/http/router.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct http_route rows[] = {
	{.method = "GET", .pattern = "/"},
	{.method = "GET", .pattern = "/api/v1/runs"},
	{.method = "GET", .pattern = "/api/v1/runs/{id}"},
	{.method = "GET", .pattern = "/api/v1/runs/{id}/log"},
	{.method = "POST", .pattern = "/api/v1/jobs/{id}/cancel"},
	{.method = "PUT", .pattern = "/api/v1/a/{x}/b/{y}"},
	{0},
};
static const struct http_route *const tables[] = {rows, NULL};

static void clean(const char *text)
{
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == '/')
			abort();
	if (!*text || strcmp(text, "..") == 0 || strcmp(text, ".") == 0 ||
	    !utf8_valid(text, strlen(text)))
		abort();
}

static void check(const struct path *path)
{
	static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "TRACE"};
	const struct http_route *route = NULL;
	const char *param[HTTP_PARAMS];
	char allow[64];

	if (path->count > PATH_SEGMENTS || path->whole[0] != '/' ||
	    strlen(path->whole) >= PATH_BYTES)
		abort();
	for (size_t i = 0; i < path->count; i++)
		clean(path->segment[i]);
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		switch (router_find(tables, methods[i], path, &route, param, allow)) {
		case ROUTER_FOUND:
			if (!route || (strchr(route->pattern, '{') != NULL) != (param[0] != NULL))
				abort();
			break;
		case ROUTER_NO_PATH:
			if (allow[0] || param[0])
				abort();
			break;
		case ROUTER_NO_METHOD:
			if (!allow[0])
				abort();
			break;
		}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), out[100];
	struct path path;
	int64_t first, last, total;
	struct err err;

	if (!text)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	if (path_split(text, &path, &err) == 0)
		check(&path);
	if (url_decode(text, size, out, sizeof(out), &err) == 0 && !utf8_valid(out, strlen(out)))
		abort();
	if (range_parse(text, 1000, &first, &last) == RANGE_OK &&
	    (first < 0 || first > last || last >= 1000))
		abort();
	if (content_range_parse(text, &first, &last, &total) && (first > last || last >= total))
		abort();
	free(text);
	return 0;
}
