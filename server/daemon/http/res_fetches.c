/* Builds that were made elsewhere, by URL: asking for them, and how far they are. */
#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/sha256.h"
#include "common/xalloc.h"
#include "server/daemon/fetch/fetch.h"
#include "server/daemon/http/build_body.h"
#include "server/daemon/http/http.h"
#include "server/daemon/http/routes.h"
#include "server/daemon/http/upload.h"
#include "server/daemon/store/fetches.h"
#include "server/daemon/store/files.h"

#include <string.h>

struct file {
	const char *url, *sha256;
};

static const struct jx_field file_fields[] = {
	{"url", JX_STRING, true, 1, 2048, offsetof(struct file, url)},
	{"sha256", JX_STRING, true, 1, 64, offsetof(struct file, sha256)},
};

static void file_check(const struct fetch_where *where, json_t *doc, const char *role,
                       struct jx_errors *errors)
{
	SCOPED_STR pointer = xasprintf("/files/%.64s", role);
	SCOPED_STR url = xasprintf("%s/url", pointer);
	SCOPED_STR sha256 = xasprintf("%s/sha256", pointer);
	struct file file = {0};
	struct err err;
	bool inside;

	if (!json_is_object(doc)) {
		jx_complain(errors, pointer, "must be an object: {\"url\", \"sha256\"}");
		return;
	}
	(void)jx_read(doc, file_fields, sizeof(file_fields) / sizeof(file_fields[0]), &file,
	              pointer, errors);
	if (file.url && fetch_url_check(where, file.url, &inside, &err) < 0)
		jx_complain(errors, url, "%s", err.text);
	if (file.sha256 && !sha256_valid(file.sha256))
		jx_complain(errors, sha256, "must be a SHA-256 of 64 lower-case hex digits");
}

/* The files first, by themselves; then all else as a build, when they are good. */
static void body_check(const struct fetch_where *where, json_t *body, struct jx_errors *errors)
{
	json_t *files = json_object_get(body, "files"), *file;
	struct build_new build;
	SCOPED_JSON doc = NULL;
	const char *role;

	if (!json_is_object(files) || json_object_size(files) == 0) {
		jx_complain(errors, "/files", "is required: one file at least");
		return;
	}
	json_object_foreach(files, role, file)
	{
		file_check(where, file, role, errors);
	}
	if (!jx_ok(errors))
		return;
	doc = fetch_build(body);
	build_body_read(doc, &build, errors);
}

static int fetch_prepare(struct http_req *req, struct err *err)
{
	struct jx_errors errors = {0};
	int rc = 0;

	(void)err;
	if (!req->ctx->fetcher)
		return http_problem(req, 403,
		                    "cohortd fetches nothing: its configuration has no "
		                    "fetch_hosts");
	body_check(fetch_where(req->ctx->fetcher), req->body, &errors);
	if (!jx_ok(&errors))
		rc = http_problem_fields(req, 422, &errors);
	jx_errors_release(&errors);
	return rc;
}

/* What came of each file: "received", and "whole". */
static int received_add(struct http_req *req, json_t *fetch, struct err *err)
{
	json_t *file;
	size_t i;

	json_array_foreach(json_object_get(fetch, "files"), i, file)
	{
		const char *sha256 = json_string_value(json_object_get(file, "sha256"));
		int64_t size = file_size(req->db, sha256, err);

		if (size < 0 && err->kind != ERR_NOTFOUND)
			return -1;
		(void)json_object_set_new(file, "whole", json_boolean(size >= 0));
		if (size < 0)
			size = upload_size(req->ctx->state_dir, sha256);
		(void)json_object_set_new(file, "received", json_integer(size));
	}
	return 0;
}

static int fetch_reply(struct http_req *req, int64_t id, int status, struct err *err)
{
	SCOPED_JSON fetch = fetch_get(req->db, id, err);

	if (!fetch || received_add(req, fetch, err) < 0)
		return -1;
	return http_reply_json(req, status, take_json(&fetch));
}

static int fetch_post(struct http_req *req, struct err *err)
{
	bool fresh;
	int64_t id = fetch_ask(req->db, json_string_value(json_object_get(req->body, "name")),
	                       req->body, req->now_us, &fresh, err);

	return id < 0 ? -1 : fetch_reply(req, id, fresh ? 202 : 200, err);
}

static int fetch_show(struct http_req *req, struct err *err)
{
	int64_t id;

	return http_id(req, "fetch", &id) < 0 ? -1 : fetch_reply(req, id, 200, err);
}

static int fetches_get(struct http_req *req, struct err *err)
{
	struct http_page page;
	SCOPED_JSON items = NULL;
	json_t *fetch;
	size_t i;

	if (http_page_read(req, &page) < 0)
		return -1;
	items = fetch_list(req->db, page.id, page.limit + 1, err);
	json_array_foreach(items, i, fetch)
	{
		if (received_add(req, fetch, err) < 0)
			return -1;
	}
	return items ? http_reply_page(req, &page, take_json(&items), "id") : -1;
}

const struct http_route http_fetches_routes[] = {
	{
		.method = "GET",
		.pattern = "/api/v1/fetches",
		.operation = "listFetches",
		.summary = "Builds that come in by URL, newest first",
		.flags = HTTP_READ,
		.query = "limit cursor",
		.handle = fetches_get,
	},
	{
		.method = "POST",
		.pattern = "/api/v1/fetches",
		.operation = "fetchBuild",
		.summary = "Fetch a build that was made elsewhere",
		.flags = HTTP_WRITE | HTTP_JSON | HTTP_KICK,
		.prepare = fetch_prepare,
		.handle = fetch_post,
	},
	{
		.method = "GET",
		.pattern = "/api/v1/fetches/{id}",
		.operation = "getFetch",
		.summary = "One of them, and how far it is",
		.flags = HTTP_READ,
		.handle = fetch_show,
	},
	{0},
};
