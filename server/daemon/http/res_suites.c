/* The test suites of the --suites directory. */
#include "common/err.h"
#include "server/daemon/http/http.h"
#include "server/daemon/http/routes.h"
#include "server/daemon/suite.h"

static json_t *suite_json(const struct suite *suite)
{
	json_t *tests = json_array(), *known = json_array();

	for (size_t i = 0; i < suite->tests_count; i++) {
		const struct suite_test *t = &suite->tests[i];

		(void)json_array_append_new(
			tests, json_pack("{s:s, s:s, s:s, s:s, s:I, s:O, s:O}", "name", t->name,
		                         "description", t->description, "kind", t->kind, "output",
		                         t->output, "time_limit_s", (json_int_t)t->time_limit_s,
		                         "classes", t->classes, "cells", t->cells));
	}
	for (size_t i = 0; i < suite->known_count; i++) {
		const struct suite_known *k = &suite->known[i];

		(void)json_array_append_new(known, json_pack("{s:s, s:O, s:O, s:s}", "test",
		                                             k->test, "cells", k->cells, "caches",
		                                             k->caches, "why", k->why));
	}
	return json_pack("{s:s, s:s, s:s, s:o, s:o}", "name", suite->name, "version",
	                 suite->version, "description", suite->description, "tests", tests, "known",
	                 known);
}

/* There are few suites and no pages of them. */
static int suites_get(struct http_req *req, struct err *err)
{
	json_t *items = json_array();
	const struct suite *suite;

	(void)err;
	for (size_t i = 0; (suite = suite_at(req->ctx->suites, i)); i++)
		(void)json_array_append_new(items, suite_json(suite));
	return http_reply_json(req, 200, json_pack("{s:o, s:n}", "items", items, "next"));
}

static int suite_get(struct http_req *req, struct err *err)
{
	const struct suite *suite = suite_find(req->ctx->suites, req->param[0]);

	if (!suite)
		return err_set(err, ERR_NOTFOUND, "no such suite: %s", req->param[0]);
	return http_reply_json(req, 200, suite_json(suite));
}

const struct http_route http_suites_routes[] = {
	{
		.method = "GET",
		.pattern = "/api/v1/suites",
		.operation = "listSuites",
		.summary = "The test suites, with their tests",
		.handle = suites_get,
	},
	{
		.method = "GET",
		.pattern = "/api/v1/suites/{name}",
		.operation = "getSuite",
		.summary = "One suite",
		.handle = suite_get,
	},
	{0},
};
