/* What the service says about itself: health, metrics, and the description of the API. */
#include "common/err.h"
#include "common/xalloc.h"
#include "server/daemon/http/metrics.h"
#include "server/daemon/http/request.h"
#include "server/daemon/http/routes.h"
#include "server/daemon/store/store.h"

#include <string.h>

extern const char http_openapi[]; /* openapi.json, embedded by the build */

static int health_get(struct http_req *req, struct err *err)
{
	struct err why;

	(void)err;
	if (store_healthy(req->ctx->store, &why))
		return http_reply_json(req, 200,
		                       json_pack("{s:b, s:s}", "ok", 1, "version", COHORT_VERSION));
	http_reply_header(req, "Retry-After", "5");
	return http_problem(req, 503, "the store cannot be written: %s", why.text);
}

static int metrics_get(struct http_req *req, struct err *err)
{
	size_t len;
	char *text = metrics_text(req->private->core->metrics, req->db, &len, err);

	if (!text)
		return -1;
	return http_reply_text(req, 200, "text/plain; version=0.0.4; charset=utf-8", text, len);
}

static int openapi_get(struct http_req *req, struct err *err)
{
	(void)err;
	return http_reply_text(req, 200, "application/json", xstrdup(http_openapi),
	                       strlen(http_openapi));
}

const struct http_route http_service_routes[] = {
	{
		.method = "GET",
		.pattern = "/healthz",
		.operation = "getHealth",
		.summary = "Can the store be written?",
		.flags = HTTP_PUBLIC,
		.handle = health_get,
	},
	{
		.method = "GET",
		.pattern = "/metrics",
		.operation = "getMetrics",
		.summary = "Counters for Prometheus",
		.flags = HTTP_READ,
		.handle = metrics_get,
	},
	{
		.method = "GET",
		.pattern = "/api/v1/openapi.json",
		.operation = "getOpenapi",
		.summary = "This description",
		.flags = HTTP_PUBLIC,
		.handle = openapi_get,
	},
	{0},
};
