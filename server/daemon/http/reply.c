/* What handlers answer. */
#include "server/daemon/http/request.h"

#include "common/err.h"
#include "common/jx.h"
#include "common/logline.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/http/range.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

/* Drop what the reply carries, but keep its headers. */
static void content_release(struct http_reply *reply)
{
	free(reply->type);
	free(reply->body);
	if (reply->fd >= 0)
		(void)close(reply->fd);
	if (reply->stream.end)
		reply->stream.end(reply->stream.arg);
	reply->type = NULL;
	reply->body = NULL;
	reply->fd = -1;
	reply->stream = (struct http_stream){0};
}

void reply_release(struct http_reply *reply)
{
	content_release(reply);
	for (size_t i = 0; i < reply->header_count; i++) {
		free(reply->headers[i].name);
		free(reply->headers[i].value);
	}
	reply->header_count = 0;
}

static struct http_reply *reply_begin(struct http_req *req, int status, const char *type)
{
	struct http_reply *reply = &req->private->reply;

	content_release(reply);
	reply->status = status;
	reply->type = xstrdup(type);
	return reply;
}

int http_reply_text(struct http_req *req, int status, const char *type, char *text, size_t len)
{
	struct http_reply *reply = reply_begin(req, status, type);

	reply->body = text;
	reply->len = len;
	return 0;
}

static int reply_json_as(struct http_req *req, int status, const char *type, json_t *body)
{
	char *text = jx_text(body);

	json_decref(body);
	return http_reply_text(req, status, type, text, strlen(text));
}

int http_reply_json(struct http_req *req, int status, json_t *body)
{
	return reply_json_as(req, status, "application/json", body);
}

void http_reply_header(struct http_req *req, const char *name, const char *value)
{
	struct http_reply *reply = &req->private->reply;
	size_t i = 0;

	while (i < reply->header_count && strcasecmp(reply->headers[i].name, name) != 0)
		i++;
	if (i == HEADERS_MAX)
		return;
	if (i == reply->header_count) {
		reply->headers[i].name = xstrdup(name);
		reply->header_count++;
	} else {
		free(reply->headers[i].value);
	}
	reply->headers[i].value = xstrdup(value);
}

int http_reply_stream(struct http_req *req, int status, const char *type,
                      const struct http_stream *stream)
{
	reply_begin(req, status, type)->stream = *stream;
	return 0;
}

int http_reply_file(struct http_req *req, int fd, int64_t size, const char *type)
{
	const char *range = http_header(req, "Range");
	int64_t first = 0, last = size - 1;
	enum range_kind kind = range ? range_parse(range, size, &first, &last) : RANGE_NONE;
	struct http_reply *reply;
	char text[96];

	http_reply_header(req, "Accept-Ranges", "bytes");
	if (kind == RANGE_UNSATISFIABLE) {
		(void)close(fd);
		(void)snprintf(text, sizeof(text), "bytes */%" PRId64, size);
		http_reply_header(req, "Content-Range", text);
		(void)http_problem(req, 416, "the thing has %" PRId64 " bytes", size);
		return 0;
	}
	reply = reply_begin(req, kind == RANGE_OK ? 206 : 200, type);
	if (kind == RANGE_OK) {
		(void)snprintf(text, sizeof(text), "bytes %" PRId64 "-%" PRId64 "/%" PRId64, first,
		               last, size);
		http_reply_header(req, "Content-Range", text);
	} else {
		first = 0;
		last = size - 1;
	}
	reply->fd = fd;
	reply->offset = first;
	reply->size = last - first + 1;
	return 0;
}

/* ---- Problems ---- */

static const char *status_title(int status)
{
	static const struct {
		int status;
		const char *title;
	} titles[] = {
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{409, "Conflict"},
		{411, "Length Required"},
		{413, "Content Too Large"},
		{415, "Unsupported Media Type"},
		{416, "Range Not Satisfiable"},
		{421, "Misdirected Request"},
		{422, "Unprocessable Content"},
		{429, "Too Many Requests"},
		{500, "Internal Server Error"},
		{503, "Service Unavailable"},
		{507, "Insufficient Storage"},
	};

	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		if (titles[i].status == status)
			return titles[i].title;
	return "Error";
}

/* A detail may quote what the client sent, cut in the middle of a character: JSON takes whole ones only. */
static json_t *detail_json(char *detail)
{
	if (!utf8_valid(detail, strlen(detail)))
		for (char *p = detail; *p; p++)
			if ((unsigned char)*p >= 0x80)
				*p = '?';
	return json_string(detail);
}

static int problem(struct http_req *req, int status, char *detail, json_t *errors)
{
	json_t *body =
		json_pack("{s:s, s:s, s:i, s:o}", "type", "about:blank", "title",
	                  status_title(status), "status", status, "detail", detail_json(detail));

	if (errors)
		(void)json_object_set(body, "errors", errors);
	(void)reply_json_as(req, status, "application/problem+json", body);
	return -1;
}

int http_problem(struct http_req *req, int status, const char *fmt, ...)
{
	char detail[600];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	return problem(req, status, detail, NULL);
}

int http_problem_fields(struct http_req *req, int status, const struct jx_errors *errors)
{
	size_t count = json_array_size(errors->list);
	char detail[64];

	(void)snprintf(detail, sizeof(detail), "%zu field%s wrong", count,
	               count == 1 ? " is" : "s are");
	return problem(req, status, detail, errors->list);
}

void problem_member(struct http_req *req, const char *name, json_t *value)
{
	struct http_reply *reply = &req->private->reply;
	json_t *body = json_loadb(reply->body, reply->len, 0, NULL);

	(void)json_object_set_new(body, name, value);
	(void)reply_json_as(req, reply->status, "application/problem+json", body);
}

static int err_status(enum err_kind kind)
{
	switch (kind) {
	case ERR_INVALID:
		return 422;
	case ERR_NOTFOUND:
		return 404;
	case ERR_CONFLICT:
		return 409;
	case ERR_DENIED:
		return 403;
	case ERR_TOOBIG:
		return 413;
	case ERR_NOSPACE:
		return 507;
	case ERR_NONE:
	case ERR_IO:
	case ERR_TIMEOUT:
	case ERR_PROTOCOL:
	case ERR_CLOSED:
		break;
	}
	return 500;
}

void reply_from_err(struct http_req *req, const struct err *err)
{
	int status = err_status(err->kind);

	if (req->private->reply.status >= 400)
		return;
	if (status == 500 || status == 507)
		log_error("%s %s: %s", req->private->method, req->path, err->text);
	if (status == 507)
		(void)http_problem(req, 507, "the server's disk is full");
	else if (status == 500)
		(void)http_problem(req, 500, "the server could not do it: its log says why");
	else
		(void)http_problem(req, status, "%s", err->text);
}
