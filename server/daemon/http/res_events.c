/* The stream of all events. */
#include "common/jx.h"
#include "server/daemon/http/http.h"
#include "server/daemon/http/routes.h"
#include "server/daemon/http/sse.h"

static int events_follow(struct http_req *req, struct err *err)
{
	struct jx_errors errors = {0};
	int64_t job = 0;

	(void)err;
	http_query_int(req, "job", 1, INT64_MAX, &job, &errors);
	return http_query_done(req, &errors) < 0 ? -1 : sse_reply(req, job, 0);
}

const struct http_route http_events_routes[] = {
	{
		.method = "GET",
		.pattern = "/api/v1/events",
		.operation = "followEvents",
		.summary = "All events, as Server-Sent Events",
		.query = "job after",
		.handle = events_follow,
	},
	{0},
};
