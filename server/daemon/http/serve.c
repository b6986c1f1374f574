/* What is the same for all routes, before and after their handlers. */
#include "server/daemon/http/serve.h"

#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/sha256.h"
#include "common/timeus.h"
#include "common/xalloc.h"
#include "server/daemon/farm/farm.h"
#include "server/daemon/fetch/fetch.h"
#include "server/daemon/http/auth.h"
#include "server/daemon/http/metrics.h"
#include "server/daemon/http/pages.h"
#include "server/daemon/http/request.h"
#include "server/daemon/http/routes.h"
#include "server/daemon/nightly/nightly.h"
#include "server/daemon/store/idempotency.h"
#include "server/daemon/store/store.h"

#include <microhttpd.h>
#include <string.h>

#define KEY_MAX 128 /* of Idempotency-Key */

/* ---- The head ---- */

static enum MHD_Result count_header(void *arg, enum MHD_ValueKind kind, const char *name,
                                    const char *value)
{
	int *counts = arg;

	(void)kind;
	(void)value;
	counts[0] += strcasecmp(name, "Content-Length") == 0;
	counts[1] += strcasecmp(name, "Transfer-Encoding") == 0;
	counts[2] += strcasecmp(name, "Host") == 0;
	return MHD_YES;
}

int64_t serve_length(struct http_req *req)
{
	const char *text = http_header(req, "Content-Length");

	if (!text || !*text || strlen(text) > 18 || strspn(text, "0123456789") != strlen(text))
		return -1;
	return strtoll(text, NULL, 10);
}

/* Where a body ends must be said once and clearly: a proxy in front could read it another way. */
static int framing_check(struct http_req *req)
{
	const char *coding = http_header(req, "Transfer-Encoding");
	int counts[3] = {0};

	(void)MHD_get_connection_values(req->private->connection, MHD_HEADER_KIND, count_header,
	                                counts);
	if (counts[0] + counts[1] > 1 || counts[2] > 1)
		return http_problem(req, 400,
		                    "more than one of Content-Length, Transfer-Encoding "
		                    "or Host");
	if (coding && strcasecmp(coding, "chunked") != 0)
		return http_problem(req, 400, "Transfer-Encoding: only chunked is known");
	if (counts[0] == 1 && serve_length(req) < 0)
		return http_problem(req, 400, "Content-Length is no number");
	return 0;
}

/* A page of another site can make a browser send requests here under a name that its owner points to this machine (DNS
 * rebinding): then Host has that name. */
static int host_check(struct http_req *req)
{
	const char *host = http_header(req, "Host");
	json_t *hosts = req->private->core->hosts, *one;
	size_t len, i;

	if (!hosts || !host)
		return 0;
	len = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
	json_array_foreach(hosts, i, one)
	{
		if (json_string_length(one) == len &&
		    strncasecmp(json_string_value(one), host, len) == 0)
			return 0;
	}
	return http_problem(req, 421, "Host: this server is not called %.64s", host);
}

static int route_find(struct http_req *req)
{
	struct http_req_private *p = req->private;
	char allow[64];

	switch (router_find(http_routes, p->method, &p->path, &req->route, req->param, allow)) {
	case ROUTER_FOUND:
		return 0;
	case ROUTER_NO_METHOD:
		http_reply_header(req, "Allow", allow);
		return http_problem(req, 405, "%s takes %s", req->path, allow);
	case ROUTER_NO_PATH:
		break;
	}
	if (p->path.count > 0 && strcmp(p->path.segment[0], "api") == 0)
		return http_problem(req, 404, "no such path: %s", req->path);
	req->route = &pages_route;
	if (strcmp(p->method, "GET") == 0 || strcmp(p->method, "HEAD") == 0)
		return 0;
	http_reply_header(req, "Allow", "GET, HEAD");
	return http_problem(req, 405, "%s takes GET, HEAD", req->path);
}

static int token_check(struct http_req *req)
{
	const struct http_core *core = req->private->core;
	const char *authorization = http_header(req, "Authorization");
	bool reads = strcmp(req->route->method, "GET") == 0;

	if (req->route->flags & HTTP_PUBLIC || (reads && !core->ctx.read_token_required))
		return 0;
	if (auth_allows(core->auth, authorization))
		return 0;
	http_reply_header(req, "WWW-Authenticate",
	                  authorization ? "Bearer realm=\"cohort\", error=\"invalid_token\""
	                                : "Bearer realm=\"cohort\"");
	return http_problem(req, 401,
	                    authorization ? "this token is not known"
	                                  : "needs a token: Authorization: Bearer TOKEN");
}

static int query_check(struct http_req *req)
{
	struct http_req_private *p = req->private;
	struct jx_errors errors = {0};
	int rc = 0;

	if (request_query_read(req) < 0)
		return -1;
	for (size_t i = 0; i < p->query_count; i++) {
		SCOPED_STR pointer = xasprintf("?%s", p->query[i].name);

		if (req->route != &pages_route && !word_in(req->route->query, p->query[i].name))
			jx_complain(&errors, pointer, "unknown query parameter");
	}
	if (!jx_ok(&errors))
		rc = http_problem_fields(req, 422, &errors);
	jx_errors_release(&errors);
	return rc;
}

static int body_check(struct http_req *req)
{
	const char *type = http_header(req, "Content-Type");
	int64_t length = serve_length(req);
	int64_t max = req->route->flags & HTTP_RAW ? req->ctx->file_max : HTTP_BODY_MAX;
	size_t word = type ? strcspn(type, "; \t") : 0;

	if (length > max)
		return http_problem(req, 413, "the body has %lld bytes, at most %lld are taken",
		                    (long long)length, (long long)max);
	if (!(req->route->flags & (HTTP_JSON | HTTP_RAW)))
		return 0;
	if (length < 0 && !http_header(req, "Transfer-Encoding"))
		return http_problem(req, 411, "needs a body: Content-Length or chunked");
	if (req->route->flags & HTTP_JSON && (!type || word != strlen("application/json") ||
	                                      strncasecmp(type, "application/json", word) != 0))
		return http_problem(req, 415, "Content-Type must be application/json");
	return 0;
}

static int upload_begin(struct http_req *req)
{
	struct err err = {0};

	if (!(req->route->flags & HTTP_RAW))
		return 0;
	if (req->route->upload(req, &err) < 0) {
		reply_from_err(req, &err);
		return -1;
	}
	req->private->piped = true;
	return req->private->reply.status ? -1 : 0; /* a reply already: the body does not matter */
}

void serve_head(struct http_req *req)
{
	struct http_req_private *p = req->private;
	struct err err;

	if (path_split(p->url, &p->path, &err) < 0) {
		(void)http_problem(req, 400, "path: %s", err.text);
		p->refused = true;
		return;
	}
	req->path = p->path.whole;
	p->refused = framing_check(req) < 0 || host_check(req) < 0 || route_find(req) < 0 ||
	             token_check(req) < 0 || query_check(req) < 0 || body_check(req) < 0 ||
	             upload_begin(req) < 0;
}

/* ---- The body ---- */

static void body_append(struct http_req_private *p, const char *data, size_t len)
{
	while (p->body_cap - p->body_len < len + 1) {
		p->body_cap = p->body_cap ? p->body_cap * 2 : 4096;
		p->body = xrealloc(p->body, p->body_cap);
	}
	memcpy(p->body + p->body_len, data, len);
	p->body_len += len;
	p->body[p->body_len] = '\0';
}

void serve_piece(struct http_req *req, const char *data, size_t len)
{
	struct http_req_private *p = req->private;
	struct err err = {0};

	p->body_seen += len;
	if (p->refused)
		return;
	if (p->piped) {
		if (req->route->piece(req, data, len, &err) == 0)
			return;
		reply_from_err(req, &err);
		p->refused = true;
	} else if (p->body_len + len > HTTP_BODY_MAX) {
		(void)http_problem(req, 413, "the body has more than %d bytes", HTTP_BODY_MAX);
		p->refused = true;
	} else {
		body_append(p, data, len);
	}
}

static int body_parse(struct http_req *req)
{
	struct http_req_private *p = req->private;
	bool wanted = req->route->flags & HTTP_JSON;
	struct err err;

	if (p->piped || (!wanted && p->body_len == 0))
		return 0;
	req->body = jx_parse(p->body ? p->body : "", p->body_len, HTTP_BODY_MAX, &err);
	if (!req->body)
		return http_problem(req, err.kind == ERR_TOOBIG ? 413 : 400, "body: %s", err.text);
	if (!wanted && (!json_is_object(req->body) || json_object_size(req->body) > 0))
		return http_problem(req, 422, "body: %s %s takes none", p->method, req->path);
	return 0;
}

/* ---- The transaction ---- */

struct write_step {
	struct http_req *req;
	const char *key; /* NULL: none */
	char request_sha256[SHA256_HEX];
	bool handled; /* the handler, and all else here, went well */
};

static void request_hash(struct http_req *req, char out[SHA256_HEX])
{
	struct http_req_private *p = req->private;
	SCOPED_STR query = xstrdup("");
	SCOPED_STR text = NULL;
	char body[SHA256_HEX];

	for (size_t i = 0; i < p->query_count; i++) {
		char *more = xasprintf("%s\n%s\n%s", query, p->query[i].name, p->query[i].value);

		free(query);
		query = more;
	}
	sha256_hex(p->body ? p->body : "", p->body_len, body);
	text = xasprintf("%s %s%s\n%s", p->method, req->path, query, body);
	sha256_hex(text, strlen(text), out);
}

static int key_read(struct http_req *req, const char **key)
{
	size_t len;

	*key = strcmp(req->route->method, "POST") == 0 ? http_header(req, "Idempotency-Key") : NULL;
	if (!*key)
		return 0;
	len = strlen(*key);
	for (size_t i = 0; i < len; i++)
		if ((*key)[i] <= ' ' || (*key)[i] > '~')
			len = 0;
	if (len == 0 || len > KEY_MAX)
		return http_problem(req, 400, "Idempotency-Key: 1 to %d visible ASCII characters",
		                    KEY_MAX);
	return 0;
}

/* The reply that this key has already. 1: replied, 0: a new key, -1. */
static int write_replay(struct write_step *step, struct db *db, struct err *err)
{
	char *body;
	int status;

	switch (idempotency_find(db, step->key, step->request_sha256, step->req->now_us, &status,
	                         &body, err)) {
	case IDEMPOTENCY_NEW:
		return 0;
	case IDEMPOTENCY_SAME:
		http_reply_header(step->req, "Idempotency-Replayed", "true");
		(void)http_reply_text(step->req, status, "application/json", body, strlen(body));
		return 1;
	case IDEMPOTENCY_OTHER:
		return http_problem(step->req, 409,
		                    "Idempotency-Key %s was used for another request", step->key);
	case IDEMPOTENCY_ERROR:
		break;
	}
	return -1;
}

static int write_run(struct db *db, void *arg, struct err *err)
{
	struct write_step *step = arg;
	struct http_req *req = step->req;
	const struct http_reply *reply = &req->private->reply;
	int replayed = step->key ? write_replay(step, db, err) : 0;

	if (replayed != 0) {
		step->handled = replayed > 0;
		return replayed > 0 ? 0 : -1;
	}
	req->db = db;
	if (req->route->handle(req, err) < 0 || reply->status >= 400)
		return -1;
	if (step->key && idempotency_put(db, step->key, step->request_sha256, reply->status,
	                                 reply->body ? reply->body : "", req->now_us, err) < 0)
		return -1;
	step->handled = true;
	return 0;
}

static void write_failed(struct http_req *req, const struct write_step *step, struct err *err)
{
	/* The handler was content and the commit failed, or it never came to the handler: it is the disk, and may pass. */
	bool disk = step->handled || (err->kind == ERR_IO && req->private->reply.status == 0 &&
	                              !store_healthy(req->ctx->store, NULL));

	if (disk && err->kind != ERR_NOSPACE) {
		http_reply_header(req, "Retry-After", "5");
		(void)http_problem(req, 503, "the store cannot be written now");
		return;
	}
	reply_from_err(req, err);
}

static void kick(const struct http_context *ctx)
{
	if (ctx->farm)
		farm_kick(ctx->farm);
	if (ctx->nightly)
		nightly_kick(ctx->nightly);
	if (ctx->fetcher)
		fetch_kick(ctx->fetcher);
}

static void handle_write(struct http_req *req)
{
	struct write_step step = {.req = req};
	struct err err = {0};
	int64_t began = time_mono_us();
	int rc;

	if (key_read(req, &step.key) < 0)
		return;
	if (step.key)
		request_hash(req, step.request_sha256);
	rc = store_write(req->ctx->store, write_run, &step, &err);
	req->db = NULL;
	metrics_commit(req->private->core->metrics, time_mono_us() - began);
	if (rc < 0)
		write_failed(req, &step, &err);
	else if (req->route->flags & HTTP_KICK)
		kick(req->ctx);
}

static void handle_read(struct http_req *req)
{
	struct err err = {0};
	int rc;

	if (req->route->flags & HTTP_READ)
		req->db = store_read_begin(req->ctx->store);
	rc = req->route->handle(req, &err);
	if (req->db)
		store_read_end(req->ctx->store, req->db);
	req->db = NULL;
	if (rc < 0)
		reply_from_err(req, &err);
}

/* Does the reply to a POST tell of a thing that has an address? Of one that is new, or that stands elsewhere. */
static bool has_location(const struct http_req *req)
{
	const struct http_reply *reply = &req->private->reply;

	return reply->body && strcmp(req->route->method, "POST") == 0 &&
	       (reply->status == 201 || reply->status == 202 ||
	        (reply->status == 200 && req->route->made));
}

/* The thing's address; made of the stored text, so that a replay has it too. */
static void location_add(struct http_req *req)
{
	const struct http_reply *reply = &req->private->reply;
	const char *under = req->route->made ? req->route->made : req->path;
	SCOPED_JSON body = json_loadb(reply->body, reply->len, 0, NULL);
	json_t *id = json_object_get(body, "id"), *name = json_object_get(body, "name");
	json_t *url = json_object_get(body, "url");
	SCOPED_STR path = NULL;

	if (json_is_string(url))
		path = xstrdup(json_string_value(url));
	else if (json_is_integer(id))
		path = xasprintf("%s/%lld", under, (long long)json_integer_value(id));
	else if (json_is_string(name))
		path = xasprintf("%s/%s", under, json_string_value(name));
	if (path)
		http_reply_header(req, "Location", path);
}

void serve_finish(struct http_req *req)
{
	const struct http_reply *reply = &req->private->reply;
	struct err err = {0};

	if (req->private->refused || body_parse(req) < 0)
		return;
	if (req->route->prepare && req->route->prepare(req, &err) < 0) {
		reply_from_err(req, &err);
		return;
	}
	if (reply->status != 0)
		return;
	if (req->route->flags & HTTP_WRITE)
		handle_write(req);
	else
		handle_read(req);
	if (has_location(req))
		location_add(req);
}
