/* What changed between builds. */
#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/http/http.h"
#include "server/daemon/http/routes.h"
#include "server/daemon/plan/submission.h"
#include "server/daemon/store/compare.h"
#include "server/daemon/suite.h"

#include <stdlib.h>
#include <string.h>

struct wanted {
	struct compare_query query;
	int64_t builds[SUBMISSION_COLUMNS];
};

/* "3,7,9" into builds. */
static void read_builds(const char *text, struct wanted *w, struct jx_errors *errors)
{
	while (text) {
		char *end;
		long long id = strtoll(text, &end, 10);

		if (*text < '0' || *text > '9' || id < 1 || (*end && *end != ',')) {
			jx_complain(errors, "?builds", "must be ids with commas between them");
			return;
		}
		if (w->query.builds_count == SUBMISSION_COLUMNS) {
			jx_complain(errors, "?builds", "more than %d builds", SUBMISSION_COLUMNS);
			return;
		}
		w->builds[w->query.builds_count++] = id;
		text = *end ? end + 1 : NULL;
	}
}

static int read_query(struct http_req *req, struct wanted *w)
{
	const char *builds = http_query(req, "builds");
	struct jx_errors errors = {0};

	w->query.builds = w->builds;
	w->query.suites = req->ctx->suites;
	w->query.suite = http_query(req, "suite");
	http_query_int(req, "job", 1, INT64_MAX, &w->query.job, &errors);
	if (!builds == !http_query(req, "job"))
		jx_complain(&errors, "?job", "give job=ID, or builds=ID,ID,...");
	read_builds(builds, w, &errors);
	if (w->query.suite && w->query.job)
		jx_complain(&errors, "?suite", "goes with builds: a job has one suite");
	if (w->query.suite && !suite_find(req->ctx->suites, w->query.suite))
		jx_complain(&errors, "?suite", "no such suite");
	return http_query_done(req, &errors);
}

static int compare_get(struct http_req *req, struct err *err)
{
	struct jx_errors errors = {0};
	struct wanted w = {0};
	struct compare_loaded *loaded;

	if (read_query(req, &w) < 0)
		return -1;
	w.query.now_us = req->now_us;
	loaded = compare_load(req->db, &w.query, err);
	if (loaded) {
		size_t len;
		char *text = compare_loaded_json(loaded, &len);

		compare_loaded_free(loaded);
		return http_reply_text(req, 200, "application/json", text, len);
	}
	if (err->kind != ERR_INVALID && err->kind != ERR_TOOBIG)
		return -1;
	jx_complain(&errors,
	            err->kind == ERR_INVALID ? "?suite"
	            : w.query.job            ? "?job"
	                                     : "?builds",
	            "%s", err->text);
	return http_query_done(req, &errors);
}

const struct http_route http_compare_routes[] = {
	{
		.method = "GET",
		.pattern = "/api/v1/compare",
		.operation = "compare",
		.summary = "What changed between builds, by cache class and kind of board",
		.flags = HTTP_READ,
		.query = "job builds suite",
		.handle = compare_get,
	},
	{0},
};
