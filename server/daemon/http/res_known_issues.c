/* Known issues: failures that people know of, where, why, and until when. */
#include "common/cacheclass.h"
#include "common/err.h"
#include "common/jx.h"
#include "common/timeus.h"
#include "common/xalloc.h"
#include "server/daemon/http/http.h"
#include "server/daemon/http/routes.h"
#include "server/daemon/store/known_issues.h"
#include "server/daemon/suite.h"

#include <stdlib.h>
#include <string.h>

/* expires is a time, or null: never. */
static void read_expires(json_t *value, int64_t *us, struct jx_errors *errors)
{
	const char *text = json_string_value(value);

	*us = 0;
	if (value && !json_is_null(value) && (!text || !time_parse(text, us)))
		jx_complain(errors, "/expires", "must be a time or a day, \"2026-12-31\", or null");
}

/* Only what a page may make a link of. */
static void check_link(const char *link, struct jx_errors *errors)
{
	if (link && strncmp(link, "https://", 8) != 0 && strncmp(link, "http://", 7) != 0)
		jx_complain(errors, "/link", "must begin with https:// or http://");
}

static void check_suite(const struct http_req *req, const struct known_issue *issue,
                        struct jx_errors *errors)
{
	if (issue->suite && !suite_find(req->ctx->suites, issue->suite))
		jx_complain(errors, "/suite", "no such suite '%s'", issue->suite);
	if (issue->cache && cache_class_parse(issue->cache) == CACHE_UNKNOWN)
		jx_complain(errors, "/cache", "must be one of " HTTP_CACHE_WORDS);
}

struct posted {
	struct known_issue issue;
	json_t *expires;
};

static int issue_prepare(struct http_req *req, struct err *err)
{
	static const struct jx_field fields[] = {
		{"suite", JX_STRING, true, 1, 64, offsetof(struct posted, issue.suite)},
		{"test", JX_STRING, true, 1, 256, offsetof(struct posted, issue.test)},
		{"cells", JX_STRING, false, 1, 256, offsetof(struct posted, issue.cells)},
		{"cache", JX_STRING, true, 1, 64, offsetof(struct posted, issue.cache)},
		{"board", JX_STRING, false, 1, 64, offsetof(struct posted, issue.board)},
		{"why", JX_STRING, true, 1, 1000, offsetof(struct posted, issue.why)},
		{"link", JX_STRING, false, 1, 1000, offsetof(struct posted, issue.link)},
		{"expires", JX_ANY, false, 0, 0, offsetof(struct posted, expires)},
	};
	struct posted *posted = xcalloc(1, sizeof(*posted));
	struct jx_errors errors = {0};
	int rc = 0;

	(void)err;
	req->data = posted;
	req->data_free = free;
	posted->issue.cells = "*";
	(void)jx_read(req->body, fields, sizeof(fields) / sizeof(fields[0]), posted, "", &errors);
	check_suite(req, &posted->issue, &errors);
	check_link(posted->issue.link, &errors);
	read_expires(posted->expires, &posted->issue.expires_us, &errors);
	if (!jx_ok(&errors))
		rc = http_problem_fields(req, 422, &errors);
	jx_errors_release(&errors);
	return rc;
}

static int reply_issue(struct http_req *req, int status, int64_t id, struct err *err)
{
	json_t *issue = known_issue_get(req->db, id, req->now_us, err);

	return issue ? http_reply_json(req, status, issue) : -1;
}

static int issue_post(struct http_req *req, struct err *err)
{
	const struct posted *posted = req->data;
	int64_t id;

	if (known_issue_add(req->db, &posted->issue, req->now_us, &id, err) < 0)
		return -1;
	return reply_issue(req, 201, id, err);
}

static int issues_get(struct http_req *req, struct err *err)
{
	struct jx_errors errors = {0};
	const char *suite = http_query(req, "suite");
	const char *active = http_query_word(req, "active", "true false", &errors);
	struct http_page page;
	json_t *items;

	if (http_query_done(req, &errors) < 0 || http_page_read(req, &page) < 0)
		return -1;
	items = known_issue_list(req->db, suite, active && strcmp(active, "true") == 0, req->now_us,
	                         page.id, page.limit + 1, err);
	return items ? http_reply_page(req, &page, items, "id") : -1;
}

static int issue_show(struct http_req *req, struct err *err)
{
	int64_t id;

	if (http_id(req, "known issue", &id) < 0)
		return -1;
	return reply_issue(req, 200, id, err);
}

/* --- changing --- */

struct patched {
	struct known_issue_change change;
	json_t *expires;
};

static int issue_change_prepare(struct http_req *req, struct err *err)
{
	static const struct jx_field fields[] = {
		{"why", JX_STRING, false, 1, 1000, offsetof(struct patched, change.why)},
		{"link", JX_STRING, false, 1, 1000, offsetof(struct patched, change.link)},
		{"expires", JX_ANY, false, 0, 0, offsetof(struct patched, expires)},
	};
	struct patched *patched = xcalloc(1, sizeof(*patched));
	struct jx_errors errors = {0};
	int rc = 0;

	(void)err;
	req->data = patched;
	req->data_free = free;
	(void)jx_read(req->body, fields, sizeof(fields) / sizeof(fields[0]), patched, "", &errors);
	check_link(patched->change.link, &errors);
	patched->change.set_expires = json_object_get(req->body, "expires") != NULL;
	read_expires(patched->expires, &patched->change.expires_us, &errors);
	if (!jx_ok(&errors))
		rc = http_problem_fields(req, 422, &errors);
	jx_errors_release(&errors);
	return rc;
}

static int issue_patch(struct http_req *req, struct err *err)
{
	const struct patched *patched = req->data;
	int64_t id;

	if (http_id(req, "known issue", &id) < 0 ||
	    known_issue_change(req->db, id, &patched->change, err) < 0)
		return -1;
	return reply_issue(req, 200, id, err);
}

static int issue_delete(struct http_req *req, struct err *err)
{
	json_t *issue;
	int64_t id;

	if (http_id(req, "known issue", &id) < 0)
		return -1;
	issue = known_issue_get(req->db, id, req->now_us, err);
	if (!issue)
		return -1;
	if (known_issue_delete(req->db, id, err) < 0) {
		json_decref(issue);
		return -1;
	}
	return http_reply_json(req, 200, issue);
}

const struct http_route http_known_issues_routes[] = {
	{
		.method = "GET",
		.pattern = "/api/v1/known-issues",
		.operation = "listKnownIssues",
		.summary = "Failures that people know of, newest first",
		.flags = HTTP_READ,
		.query = "limit cursor suite active",
		.handle = issues_get,
	},
	{
		.method = "POST",
		.pattern = "/api/v1/known-issues",
		.operation = "createKnownIssue",
		.summary = "Say that something is known to fail, where, why, and until when",
		.flags = HTTP_WRITE | HTTP_JSON,
		.prepare = issue_prepare,
		.handle = issue_post,
	},
	{
		.method = "GET",
		.pattern = "/api/v1/known-issues/{id}",
		.operation = "getKnownIssue",
		.summary = "One known issue",
		.flags = HTTP_READ,
		.handle = issue_show,
	},
	{
		.method = "PATCH",
		.pattern = "/api/v1/known-issues/{id}",
		.operation = "changeKnownIssue",
		.summary = "Change why, link and expires",
		.flags = HTTP_WRITE | HTTP_JSON,
		.prepare = issue_change_prepare,
		.handle = issue_patch,
	},
	{
		.method = "DELETE",
		.pattern = "/api/v1/known-issues/{id}",
		.operation = "deleteKnownIssue",
		.summary = "It was never so",
		.flags = HTTP_WRITE,
		.handle = issue_delete,
	},
	{0},
};
