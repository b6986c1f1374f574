/* sse.h - the store's events as a stream of Server-Sent Events (docs/API.md, "Events").
 *
 * The stream reads the event table in batches behind the last id it sent, so that a client which comes back with
 * Last-Event-ID gets each event exactly once. Streams are bounded in number (503 with Retry-After beyond). */
#pragma once
#include <stdint.h>

#define SSE_STREAMS_MAX 128

struct http_req;

/* Reply with the events of a job and a run (0: of all), from behind Last-Event-ID or ?after=, else from now on.
 * The route knows the query parameter "after" and has none of HTTP_READ and HTTP_WRITE. Returns as http_reply_json(), or -1 with a problem. */
int sse_reply(struct http_req *req, int64_t job, int64_t run);
