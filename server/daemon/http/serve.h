/* serve.h - the life of one request, without the sockets: three steps that end with a reply in the request. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct http_req;

#define SERVE_DRAIN_MAX (16 * 1024 * 1024) /* bytes of a body that are read only to be dropped */

/* The headers are in: path, host, framing, route, token, query, bounds of the body. When it refuses, private->refused
 * is set and the reply stands. */
void serve_head(struct http_req *req);

/* A piece of the body. */
void serve_piece(struct http_req *req, const char *data, size_t len);

/* The body is whole: parse it, run the handler, commit. There is a reply afterwards. */
void serve_finish(struct http_req *req);

/* Content-Length, or -1. */
int64_t serve_length(struct http_req *req);
