/* router.h - from a request's path to a row of the route tables. Pure: no state, no clock, no input or output. */
#pragma once
#include "server/daemon/http/http.h"

#define PATH_BYTES    2048
#define PATH_SEGMENTS 16

/* A path cut at its slashes, each segment percent-decoded once. */
struct path {
	char text[PATH_BYTES]; /* segments, each with a NUL */
	const char *segment[PATH_SEGMENTS];
	size_t count;
	char whole[PATH_BYTES]; /* the decoded path, for people and for files below a directory */
};

/* Split url (what stands between host and '?'). Refuses (ERR_INVALID) what no resource of ours can be called: bytes that
 * are no UTF-8 after decoding, NUL and other control characters, an encoded slash, broken escapes, empty segments,
 * "." and "..", and too much of anything. 0, or -1 with *err; then *path is not to be used. */
int path_split(const char *url, struct path *path, struct err *err);

enum router_found { ROUTER_FOUND, ROUTER_NO_PATH, ROUTER_NO_METHOD };

/* Search tables (ended by NULL, each ended by a row without pattern). HEAD is served by GET. Sets *route and param on
 * ROUTER_FOUND, and the Allow header's text on ROUTER_NO_METHOD. */
enum router_found router_find(const struct http_route *const *tables, const char *method,
                              const struct path *path, const struct http_route **route,
                              const char *param[HTTP_PARAMS], char allow[64]);

/* Percent-decode text of len bytes into out (at most cap bytes with the NUL), refusing as path_split() does, but for
 * slashes. For query parameters. */
int url_decode(const char *text, size_t len, char *out, size_t cap, struct err *err);

/* Is text of len bytes UTF-8 (RFC 3629: shortest forms, no surrogates)? */
bool utf8_valid(const char *text, size_t len);
