/* request.h - the inside of a request and its reply, for the server's own files; resources see http.h. */
#pragma once
#include "server/daemon/http/http.h"
#include "server/daemon/http/router.h"

#define QUERY_MAX   16
#define HEADERS_MAX 8

struct MHD_Connection;
struct auth;
struct metrics;

/* What every request needs of the server; made once, but for stopping. */
struct http_core {
	struct http_context ctx;
	struct auth *auth;
	struct metrics *metrics;
	json_t *hosts;         /* names that Host may have; NULL: any */
	_Atomic bool stopping; /* streams are to end */
};

struct http_reply {
	int status;     /* 0: none yet */
	char *type;     /* owned */
	char *body;     /* owned; NULL with fd or stream */
	size_t len;     /* of body */
	int fd;         /* owned, -1: none */
	int64_t offset; /* of fd: where the reply begins */
	int64_t size;   /* of fd: bytes to send from there */
	struct http_stream stream;
	struct {
		char *name, *value; /* owned */
	} headers[HEADERS_MAX];
	size_t header_count;
};

struct http_req_private {
	struct http_core *core;
	struct MHD_Connection *connection;
	struct path path;
	struct {
		char *name, *value; /* owned, decoded */
	} query[QUERY_MAX];
	size_t query_count;
	const char *method; /* MHD's, lives as long as the request */
	char *url;          /* owned: path and query as they came */
	char *body;         /* owned: what came of a JSON body */
	size_t body_len, body_cap;
	uint64_t body_seen; /* all bytes that came, kept or not */
	bool refused; /* the reply stands before the body is whole: the rest is only drained */
	bool piped;   /* HTTP_RAW: upload() went well, pieces go to piece() */
	struct http_reply reply;
	int64_t began_us; /* monotonic */
};

/* A request with nothing in it yet, and its end. */
struct http_req *request_new(struct http_core *core, struct MHD_Connection *connection,
                             const char *method, const char *url);
void request_free(struct http_req *req); /* req may be NULL */

/* Decode the query parameters. 0, or -1 with a 400 problem. */
int request_query_read(struct http_req *req);

/* Is name among the words of list ("limit cursor"; may be NULL)? */
bool word_in(const char *list, const char *name);

void reply_release(struct http_reply *reply);

/* The reply that *err stands for, unless there is one already. */
void reply_from_err(struct http_req *req, const struct err *err);

/* Put one more member into the problem that http_problem() made: {"received": 12}. Takes value over. */
void problem_member(struct http_req *req, const char *name, json_t *value);
