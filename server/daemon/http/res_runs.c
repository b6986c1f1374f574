/* Runs: what they do, their attempts, logs and events. */
#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/http/http.h"
#include "server/daemon/http/routes.h"
#include "server/daemon/http/sse.h"
#include "server/daemon/store/events.h"
#include "server/daemon/store/run_views.h"
#include "server/daemon/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

static int runs_get(struct http_req *req, struct err *err)
{
	struct jx_errors errors = {0};
	struct run_filter filter = {
		.board = http_query(req, "board"),
		.state = http_query_word(req, "state", "queued running done failed cancelled",
	                                 &errors),
		.cache = http_query_word(req, "cache", HTTP_CACHE_WORDS, &errors)};
	struct http_page page;
	json_t *items;

	http_query_int(req, "job", 1, INT64_MAX, &filter.job, &errors);
	if (http_query_done(req, &errors) < 0 || http_page_read(req, &page) < 0)
		return -1;
	filter.before = page.id;
	filter.limit = page.limit + 1;
	items = run_list(req->db, &filter, err);
	return items ? http_reply_page(req, &page, items, "id") : -1;
}

static int run_get(struct http_req *req, struct err *err)
{
	json_t *run;
	int64_t id;

	if (http_id(req, "run", &id) < 0)
		return -1;
	run = run_view(req->db, id, err);
	return run ? http_reply_json(req, 200, run) : -1;
}

static int attempts_get(struct http_req *req, struct err *err)
{
	json_t *items;
	int64_t id;

	if (http_id(req, "run", &id) < 0)
		return -1;
	items = run_attempts(req->db, id, err);
	return items ? http_reply_json(req, 200, json_pack("{s:o, s:n}", "items", items, "next"))
	             : -1;
}

/* --- the log --- */

/* Which log: *name is its file in the attempt's directory. */
static int read_log_query(struct http_req *req, int64_t *attempt, const char **name)
{
	const char *source = http_query(req, "source");
	struct jx_errors errors = {0};

	*name = !source || strcmp(source, "run") == 0 ? "run.log"
	        : strcmp(source, "console") == 0      ? "console.log"
	                                              : NULL;
	if (!*name)
		jx_complain(&errors, "?source", "must be run or console");
	http_query_int(req, "attempt", 1, INT32_MAX, attempt, &errors);
	return http_query_done(req, &errors);
}

static int log_get(struct http_req *req, struct err *err)
{
	int64_t id, last, attempt = 0;
	SCOPED_STR path = NULL;
	SCOPED_FD fd = -1;
	const char *name;
	struct stat st;

	if (http_id(req, "run", &id) < 0 || read_log_query(req, &attempt, &name) < 0)
		return -1;
	last = run_last_attempt(req->db, id, err);
	if (last < 0)
		return -1;
	if (attempt == 0)
		attempt = last;
	path = xasprintf("%s/runs/%" PRId64 "/%" PRId64 "/%s", req->ctx->state_dir, id, attempt,
	                 name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		return http_problem(req, 404,
		                    "run %" PRId64 " has no %s of attempt %" PRId64 " yet", id,
		                    name, attempt);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(err, ERR_IO, "%s", path);
	return http_reply_file(req, take_fd(&fd), (int64_t)st.st_size, "text/plain; charset=utf-8");
}

/* --- events --- */

static int events_list(struct http_req *req, struct db *db, int64_t id, struct err *err)
{
	struct jx_errors errors = {0};
	int64_t after = 0, next = 0;
	struct http_page page;
	json_t *items, *last;

	http_query_int(req, "after", 0, INT64_MAX, &after, &errors);
	if (http_query_done(req, &errors) < 0 || http_page_read(req, &page) < 0)
		return -1;
	if (!page.first)
		after = page.id;
	if (!http_query(req, "limit"))
		page.limit = HTTP_LIMIT_MAX;
	items = events_after(db, 0, id, after, page.limit + 1, err);
	if (!items)
		return -1;
	if (json_array_size(items) > (size_t)page.limit) {
		(void)json_array_remove(items, (size_t)page.limit);
		last = json_array_get(items, (size_t)page.limit - 1);
		next = json_integer_value(json_object_get(last, "id"));
	}
	return http_reply_part(req, items, next);
}

/* A stream has no transaction of its own: the list takes one here. */
static int events_get(struct http_req *req, struct err *err)
{
	bool stream = http_accepts(req, "text/event-stream");
	struct db *db;
	int64_t id;
	int rc = 0;

	if (http_id(req, "run", &id) < 0)
		return -1;
	db = store_read_begin(req->ctx->store);
	if (run_last_attempt(db, id, err) < 0)
		rc = -1;
	else if (!stream)
		rc = events_list(req, db, id, err);
	store_read_end(req->ctx->store, db);
	return rc == 0 && stream ? sse_reply(req, 0, id) : rc;
}

const struct http_route http_runs_routes[] = {
	{
		.method = "GET",
		.pattern = "/api/v1/runs",
		.operation = "listRuns",
		.summary = "Runs, newest first",
		.flags = HTTP_READ,
		.query = "limit cursor job board state cache",
		.handle = runs_get,
	},
	{
		.method = "GET",
		.pattern = "/api/v1/runs/{id}",
		.operation = "getRun",
		.summary = "One run with its facts and tests",
		.flags = HTTP_READ,
		.handle = run_get,
	},
	{
		.method = "GET",
		.pattern = "/api/v1/runs/{id}/attempts",
		.operation = "listAttempts",
		.summary = "The attempts of a run, oldest first",
		.flags = HTTP_READ,
		.handle = attempts_get,
	},
	{
		.method = "GET",
		.pattern = "/api/v1/runs/{id}/log",
		.operation = "getRunLog",
		.summary = "The log or the console of an attempt; Range is served",
		.flags = HTTP_READ,
		.query = "attempt source",
		.handle = log_get,
	},
	{
		.method = "GET",
		.pattern = "/api/v1/runs/{id}/events",
		.operation = "listRunEvents",
		.summary = "Events of a run: a list, or followed as Server-Sent Events",
		.query = "after limit cursor",
		.handle = events_get,
	},
	{0},
};
