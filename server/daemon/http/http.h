/* http.h - what a resource of the API (res_*.c) sees of the server.
 *
 * A resource is one file with handlers and one table of rows, ended by an empty row, that is named in
 * routes.c; openapi.json describes it, and a test holds the two together. Everything that is the same for all
 * routes happens before and after the handler (server.c, serve.c): matching, authentication, the body's bounds and its
 * parsing, the transaction, Idempotency-Key, the problem document, logging and counting.
 *
 * Each connection is a thread, so a handler may block. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct controls;
struct db;
struct err;
struct farm;
struct fetcher;
struct jx_errors;
struct kernels;
struct nightly;
struct store;
struct suites;

#define HTTP_BODY_MAX  (1024 * 1024)
#define HTTP_LIMIT_MAX 500
#define HTTP_PARAMS    2

/* What the whole server shares; all borrowed, none NULL unless said. */
struct http_context {
	struct store *store;
	struct suites *suites;
	const struct kernels *kernels;   /* NULL: the farm makes no kernels */
	const struct controls *controls; /* NULL: it has none */
	struct farm *farm;               /* NULL while the program has none (unit tests) */
	struct nightly *nightly;         /* the same */
	struct fetcher *fetcher;         /* NULL: builds are not fetched by URL */
	const char *state_dir;           /* runs/, files/ below it */
	const char *keys_dir;            /* NULL: boards cannot be registered by the API */
	const char *web_dir;             /* NULL: no pages */
	int64_t file_max;                /* bytes of one uploaded file */
	bool read_token_required;
};

struct http_route;
struct http_req_private; /* serve.c */

struct http_req {
	const struct http_context *ctx;
	const struct http_route *route;
	const char *param
		[HTTP_PARAMS]; /* decoded {parameters} of the path, in its order; valid UTF-8 */
	const char *path;      /* decoded */
	json_t *body;          /* HTTP_JSON: the document (object or array), borrowed; else NULL */
	int64_t now_us;        /* wall time, read once a request */
	struct db *db;         /* the transaction that the route's flags ask for, else NULL */

	/* For prepare() to leave something to handle(); freed by data_free (may be NULL) after the reply. */
	void *data;
	void (*data_free)(void *data);
	struct http_req_private *private;
};

enum http_flags {
	/* Exactly one of these, or none: what req->db is. */
	HTTP_READ = 1 << 0, /* one read transaction around handle() */
	HTTP_WRITE =
		1
		<< 1, /* handle() runs inside store_write(), on the store's thread: short, never blocking.
	                      * On POST the Idempotency-Key is looked up and the reply stored in the same
	                      * transaction. The reply is sent when the commit is on disk */
	HTTP_KICK =
		1 << 2, /* farm_kick(), nightly_kick(), fetch_kick() after a write that succeeded */
	/* The body: none of these means that the request has none (or an empty object). */
	HTTP_JSON = 1 << 3, /* parsed within HTTP_BODY_MAX and JX_DEPTH before prepare() */
	HTTP_RAW = 1 << 4,  /* handed to route->piece() as it comes */
	/* Reading is open on loopback, writing (all but GET) always needs a token; HTTP_PUBLIC needs none ever. */
	HTTP_PUBLIC = 1 << 5,
};

/* Replies by one http_reply_*() call and returns 0; or returns -1 and then the transaction is rolled back and the
 * client gets the problem that http_problem*() made, else one from *err: ERR_INVALID 422, ERR_NOTFOUND 404,
 * ERR_CONFLICT 409, ERR_DENIED 403, ERR_TOOBIG 413, ERR_NOSPACE 507, anything else 500 (logged, without its text). */
typedef int http_handler(struct http_req *req, struct err *err);

struct http_route {
	const char *method;  /* GET (serves HEAD too), POST, PUT, PATCH, DELETE */
	const char *pattern; /* "/api/v1/runs/{id}/log"; {x} takes one segment */
	const char *operation;
	const char *summary; /* operation id and summary of openapi.json */
	unsigned flags;
	const char *
		query; /* the query parameters it knows, "limit cursor state"; others get 422. NULL: none */

	const char *
		made; /* where the things are that its replies are about, when that is not its own path: their Location */
	http_handler *upload; /* HTTP_RAW only: the headers are in, the body not yet */
	int (*piece)(struct http_req *req, const char *data, size_t len,
	             struct err *err); /* HTTP_RAW only */
	http_handler *
		prepare; /* may be NULL. The body is whole; outside of the transaction, in the connection's
	                        * thread: checks that need no store, slow work with files. When it replies, handle()
	                        * is not called */
	http_handler *handle;
};

/* --- the request --- */

/* What planning needs of the server's configuration. */
struct world_config;
struct world_config http_world(const struct http_req *req);

/* Header or query parameter (decoded, valid UTF-8, no NUL), or NULL. */
const char *http_header(struct http_req *req, const char *name);
const char *http_query(struct http_req *req, const char *name);

/* The path's first parameter as an id (1 ...). -1 with a 404 problem that says "no such WHAT: ...". */
int http_id(struct http_req *req, const char *what, int64_t *id);

/* Query parameter name as an integer min ... max; *value is kept when it is absent. Complains below "?name". */
void http_query_int(struct http_req *req, const char *name, int64_t min, int64_t max,
                    int64_t *value, struct jx_errors *errors);

/* Complains below "?name" when that query parameter is none of words ("queued running"). Returns it, or NULL: absent, or
 * wrong. */
const char *http_query_word(struct http_req *req, const char *name, const char *words,
                            struct jx_errors *errors);
#define HTTP_CACHE_WORDS "vivt vipt-aliasing vipt-nonaliasing pipt none"

/* Reply the complaints and release them: -1. 0 when there are none. Ends the reading of parameters. */
int http_query_done(struct http_req *req, struct jx_errors *errors);

/* The server's address as the client called it ("https://farm.example:8443"), or NULL when it did not say. The caller frees. */
char *http_base(struct http_req *req);

/* Does the client prefer type ("application/x-ndjson", "text/event-stream")? By its Accept header; a wildcard is no. */
bool http_accepts(struct http_req *req, const char *type);

/* --- the reply --- */

/* All return 0 so that `return http_reply_json(...)` ends a handler. The last call counts. */
int http_reply_json(struct http_req *req, int status, json_t *body); /* takes the reference over */
int http_reply_text(struct http_req *req, int status, const char *type, char *text,
                    size_t len); /* takes text over */

/* The bytes of fd (taken over), a regular file of size bytes; Range is served. */
int http_reply_file(struct http_req *req, int fd, int64_t size, const char *type);

/* A reply made while it is sent: next() fills buf with 1 ... max bytes, or returns 0 at the end, or -1 to cut the
 * connection, which tells the client that it is not whole. It runs after the handler's transaction ended and takes short
 * read transactions of its own. end() is called once, whatever happens. */
struct http_stream {
	ssize_t (*next)(void *arg, char *buf, size_t max);
	void (*end)(void *arg);
	void *arg;
};
int http_reply_stream(struct http_req *req, int status, const char *type,
                      const struct http_stream *stream);

/* An additional header of the reply, problems included; copies. */
void http_reply_header(struct http_req *req, const char *name, const char *value);

/* A problem document (RFC 9457). Return -1 so that `return http_problem(...)` reads as the failure it is. */
int http_problem(struct http_req *req, int status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int http_problem_fields(struct http_req *req, int status, const struct jx_errors *errors);

/* --- lists --- */

/* Where a page begins and how long it is. Ask the store for limit + 1 items behind the cursor. */
struct http_page {
	int64_t limit;
	bool first; /* no cursor was given */
	int64_t id; /* the cursor: id of the last item of the page before (INT64_MAX when first: newest first) */
	char name[128]; /* the same for lists by name ("" when first) */
};

/* Read ?limit= and ?cursor=. 0, or -1 with a problem. */
int http_page_read(struct http_req *req, struct http_page *page);

/* Reply {"items", "next"}; items (taken over) may hold one more than the limit, which is cut off and means that
 * there is a next page. key names the member of an item that makes the cursor: "id" or "name". */
int http_reply_page(struct http_req *req, const struct http_page *page, json_t *items,
                    const char *key);

/* The same for a list that knows itself where it goes on: next is the id of the cursor, 0 at the end. */
int http_reply_part(struct http_req *req, json_t *items, int64_t next);
