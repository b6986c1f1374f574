/* What handlers ask of a request. */
#include "server/daemon/http/request.h"

#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/timeus.h"
#include "common/xalloc.h"
#include "server/daemon/store/world.h"

#include <errno.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <sodium.h>
#include <string.h>

struct http_req *request_new(struct http_core *core, struct MHD_Connection *connection,
                             const char *method, const char *url)
{
	struct http_req *req = xcalloc(1, sizeof(*req));
	struct http_req_private *p = xcalloc(1, sizeof(*p));

	p->core = core;
	req->ctx = &core->ctx;
	p->connection = connection;
	p->method = method;
	p->url = xstrdup(url);
	p->reply.fd = -1;
	p->began_us = time_mono_us();
	req->now_us = time_wall_us();
	req->private = p;
	req->path = "";
	return req;
}

void request_free(struct http_req *req)
{
	struct http_req_private *p;

	if (!req)
		return;
	p = req->private;
	if (req->data_free)
		req->data_free(req->data);
	json_decref(req->body);
	for (size_t i = 0; i < p->query_count; i++) {
		free(p->query[i].name);
		free(p->query[i].value);
	}
	reply_release(&p->reply);
	free(p->url);
	free(p->body);
	free(p);
	free(req);
}

char *http_base(struct http_req *req)
{
	const char *host = http_header(req, "Host");
	bool tls = MHD_get_connection_info(req->private->connection,
	                                   MHD_CONNECTION_INFO_PROTOCOL) != NULL;

	/* It goes into what others read: a name or an address with a port, no more. */
	if (!host || !*host || strlen(host) > 255 ||
	    strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]") !=
	            strlen(host))
		return NULL;
	return xasprintf("%s://%s", tls ? "https" : "http", host);
}

/* ---- Query parameters ---- */

bool word_in(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = list; at && *at;) {
		size_t word = strcspn(at, " ");

		if (word == len && memcmp(at, name, len) == 0)
			return true;
		at += word + (at[word] == ' ');
	}
	return false;
}

struct query_reader {
	struct http_req *req;
	int rc;
};

static enum MHD_Result query_add(void *arg, enum MHD_ValueKind kind, const char *key,
                                 const char *value)
{
	struct query_reader *reader = arg;
	struct http_req_private *p = reader->req->private;
	char name[64], text[1024];
	struct err err;

	(void)kind;
	if (url_decode(key, strlen(key), name, sizeof(name), &err) < 0 ||
	    url_decode(value ? value : "", value ? strlen(value) : 0, text, sizeof(text), &err) <
	            0) {
		reader->rc = http_problem(reader->req, 400, "query: %s", err.text);
		return MHD_NO;
	}
	if (http_query(reader->req, name) || p->query_count == QUERY_MAX) {
		reader->rc = http_problem(reader->req, 400,
		                          "query: %s is given twice, or there are too many", name);
		return MHD_NO;
	}
	p->query[p->query_count].name = xstrdup(name);
	p->query[p->query_count++].value = xstrdup(text);
	return MHD_YES;
}

int request_query_read(struct http_req *req)
{
	struct query_reader reader = {.req = req};

	(void)MHD_get_connection_values(req->private->connection, MHD_GET_ARGUMENT_KIND, query_add,
	                                &reader);
	return reader.rc;
}

const char *http_query(struct http_req *req, const char *name)
{
	for (size_t i = 0; i < req->private->query_count; i++)
		if (strcmp(req->private->query[i].name, name) == 0)
			return req->private->query[i].value;
	return NULL;
}

static bool int_parse(const char *text, int64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoll(text, &end, 10);
	return errno == 0 && end != text && *end == '\0' && strspn(text, "-0123456789") > 0;
}

void http_query_int(struct http_req *req, const char *name, int64_t min, int64_t max,
                    int64_t *value, struct jx_errors *errors)
{
	const char *text = http_query(req, name);
	char pointer[64];
	int64_t number;

	if (!text)
		return;
	(void)snprintf(pointer, sizeof(pointer), "?%s", name);
	if (!int_parse(text, &number) || number < min || number > max)
		jx_complain(errors, pointer, "must be an integer, %" PRId64 " to %" PRId64, min,
		            max);
	else
		*value = number;
}

struct world_config http_world(const struct http_req *req)
{
	return (struct world_config){.suites = req->ctx->suites,
	                             .kernels = req->ctx->kernels,
	                             .controls = req->ctx->controls};
}

const char *http_query_word(struct http_req *req, const char *name, const char *words,
                            struct jx_errors *errors)
{
	const char *text = http_query(req, name);
	char pointer[64];

	if (!text || word_in(words, text))
		return text;
	(void)snprintf(pointer, sizeof(pointer), "?%s", name);
	jx_complain(errors, pointer, "must be one of: %s", words);
	return NULL;
}

int http_query_done(struct http_req *req, struct jx_errors *errors)
{
	int rc = jx_ok(errors) ? 0 : http_problem_fields(req, 422, errors);

	jx_errors_release(errors);
	return rc;
}

/* ---- Path and headers ---- */

int http_id(struct http_req *req, const char *what, int64_t *id)
{
	const char *text = req->param[0];

	if (text && strspn(text, "0123456789") == strlen(text) && int_parse(text, id) && *id > 0)
		return 0;
	return http_problem(req, 404, "no such %s: %s", what, text ? text : "");
}

const char *http_header(struct http_req *req, const char *name)
{
	return MHD_lookup_connection_value(req->private->connection, MHD_HEADER_KIND, name);
}

bool http_accepts(struct http_req *req, const char *type)
{
	const char *accept = http_header(req, "Accept");
	size_t len = strlen(type);

	while (accept && *accept) {
		accept += strspn(accept, " ,\t");
		if (strncasecmp(accept, type, len) == 0 && strchr(" ;,\t", accept[len]))
			return true;
		accept += strcspn(accept, ",");
	}
	return false;
}

/* ---- Pages of lists ---- */

static bool cursor_read(const char *text, struct http_page *page)
{
	unsigned char raw[sizeof(page->name)];
	size_t len;

	if (sodium_base642bin(raw, sizeof(raw) - 1, text, strlen(text), NULL, &len, NULL,
	                      sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
	    len < 2 || !utf8_valid((const char *)raw, len) || memchr(raw, '\0', len))
		return false;
	raw[len] = '\0';
	page->first = false;
	if (raw[0] == 'i')
		return int_parse((const char *)raw + 1, &page->id);
	(void)snprintf(page->name, sizeof(page->name), "%s", (const char *)raw + 1);
	return raw[0] == 'n';
}

int http_page_read(struct http_req *req, struct http_page *page)
{
	const char *cursor = http_query(req, "cursor");
	struct jx_errors errors = {0};

	*page = (struct http_page){.limit = 50, .first = true, .id = INT64_MAX};
	http_query_int(req, "limit", 1, HTTP_LIMIT_MAX, &page->limit, &errors);
	if (cursor && !cursor_read(cursor, page))
		jx_complain(&errors, "?cursor", "is none that a list gave");
	return http_query_done(req, &errors);
}

/* kind is what cursor_read() tells lists by: 'i' by id, 'n' by name. */
static json_t *cursor_make(char kind, const char *where)
{
	SCOPED_STR raw = xasprintf("%c%s", kind, where);
	char text[256];

	(void)sodium_bin2base64(text, sizeof(text), (const unsigned char *)raw, strlen(raw),
	                        sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	return json_string(text);
}

static json_t *id_cursor(int64_t id)
{
	char where[24];

	(void)snprintf(where, sizeof(where), "%" PRId64, id);
	return cursor_make('i', where);
}

static int reply_list(struct http_req *req, json_t *items, json_t *next)
{
	return http_reply_json(
		req, 200,
		json_pack("{s:o, s:o}", "items", items, "next", next ? next : json_null()));
}

int http_reply_page(struct http_req *req, const struct http_page *page, json_t *items,
                    const char *key)
{
	size_t limit = (size_t)page->limit;
	json_t *next = NULL;

	if (json_array_size(items) > limit) {
		json_t *last = json_object_get(json_array_get(items, limit - 1), key);

		next = json_is_integer(last) ? id_cursor(json_integer_value(last))
		                             : cursor_make('n', json_string_value(last));
		while (json_array_size(items) > limit)
			(void)json_array_remove(items, json_array_size(items) - 1);
	}
	return reply_list(req, items, next);
}

int http_reply_part(struct http_req *req, json_t *items, int64_t next)
{
	return reply_list(req, items, next ? id_cursor(next) : NULL);
}
