/* The socket side, over libmicrohttpd: a thread a connection, because handlers wait for commits. */
#include "server/daemon/http/server.h"

#include "common/err.h"
#include "common/fsio.h"
#include "common/logline.h"
#include "common/scoped.h"
#include "common/timeus.h"
#include "common/xalloc.h"
#include "server/daemon/http/listen.h"
#include "server/daemon/http/metrics.h"
#include "server/daemon/http/request.h"
#include "server/daemon/http/routes.h"
#include "server/daemon/http/serve.h"
#include "server/daemon/http/sse.h"
#include "server/daemon/store/store.h"

#include <inttypes.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>

#define CONNECTIONS_MAX 512 /* that are no streams of events */
#define REFUSALS_MAX    32  /* connections more, which are told so */
#define IDLE_S          30U
#define HEAD_US                                                                                    \
	(30 * INT64_C(1000000)) /* for the headers, from the connection's begin or the last reply */
#define BODY_US      (60 * INT64_C(1000000)) /* for a body that is no file */
#define STACK_BYTES  ((size_t)512 * 1024)
#define STREAM_BLOCK ((size_t)32 * 1024)
#define CERT_CAP     ((size_t)1024 * 1024)

struct connection {
	struct connection *next, **link; /* under the server's mutex */
	int fd;                          /* open while it is in the list */
	_Atomic int64_t deadline;        /* monotonic; 0: none */
};

struct http_server {
	struct http_core core;
	struct MHD_Daemon *daemon;
	struct listener listener;
	char *url;                /* owned */
	char *tls_cert, *tls_key; /* owned: their text */
	json_t *hosts;            /* owned */
	pthread_mutex_t mutex;    /* of connections */
	struct connection *connections;
	_Atomic int connection_count;
};

/* ---- Connections ---- */

static void connection_event(void *arg, struct MHD_Connection *connection, void **context,
                             enum MHD_ConnectionNotificationCode code)
{
	struct http_server *server = arg;
	struct connection *c = *context;

	(void)pthread_mutex_lock(&server->mutex);
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		c = xcalloc(1, sizeof(*c));
		c->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)
		                ->connect_fd;
		atomic_store(&c->deadline, time_mono_us() + HEAD_US);
		c->next = server->connections;
		c->link = &server->connections;
		if (c->next)
			c->next->link = &c->next;
		server->connections = c;
		*context = c;
		atomic_fetch_add(&server->connection_count, 1);
	} else {
		*c->link = c->next;
		if (c->next)
			c->next->link = c->link;
		free(c);
		*context = NULL;
		atomic_fetch_sub(&server->connection_count, 1);
	}
	(void)pthread_mutex_unlock(&server->mutex);
}

static void deadline_set(struct MHD_Connection *connection, int64_t us)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct connection *c = info ? info->socket_context : NULL;

	if (c)
		atomic_store(&c->deadline, us ? time_mono_us() + us : 0);
}

void http_server_tick(struct http_server *server, int64_t mono_us)
{
	(void)pthread_mutex_lock(&server->mutex);
	for (struct connection *c = server->connections; c; c = c->next) {
		int64_t deadline = atomic_load(&c->deadline);

		if (deadline != 0 && mono_us > deadline)
			(void)shutdown(c->fd, SHUT_RDWR);
	}
	(void)pthread_mutex_unlock(&server->mutex);
}

/* ---- Replies ---- */

static ssize_t stream_read(void *arg, uint64_t pos, char *buf, size_t max)
{
	const struct http_stream *stream = arg;
	ssize_t n = stream->next(stream->arg, buf, max);

	(void)pos;
	if (n == 0)
		return MHD_CONTENT_READER_END_OF_STREAM;
	return n < 0 ? MHD_CONTENT_READER_END_WITH_ERROR : n;
}

static void stream_free(void *arg)
{
	struct http_stream *stream = arg;

	if (stream->end)
		stream->end(stream->arg);
	free(stream);
}

static struct MHD_Response *response_make(struct http_reply *reply)
{
	struct http_stream *stream;
	char *body = reply->body;

	if (reply->fd >= 0)
		return MHD_create_response_from_fd_at_offset64(
			(uint64_t)reply->size, take_fd(&reply->fd), (uint64_t)reply->offset);
	if (reply->stream.next) {
		stream = xcalloc(1, sizeof(*stream));
		*stream = reply->stream;
		reply->stream = (struct http_stream){0};
		return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK,
		                                         stream_read, stream, stream_free);
	}
	reply->body = NULL;
	return MHD_create_response_from_buffer(body ? reply->len : 0, body, MHD_RESPMEM_MUST_FREE);
}

static enum MHD_Result reply_send(struct http_req *req)
{
	struct http_req_private *p = req->private;
	struct http_reply *reply = &p->reply;
	struct MHD_Response *response = response_make(reply);
	enum MHD_Result rc;

	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, reply->type);
	(void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	for (size_t i = 0; i < reply->header_count; i++)
		(void)MHD_add_response_header(response, reply->headers[i].name,
		                              reply->headers[i].value);
	if (!MHD_get_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL))
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	rc = MHD_queue_response(p->connection, (unsigned)reply->status, response);
	MHD_destroy_response(response);
	metrics_request(p->core->metrics, req->route, reply->status);
	log_line(reply->status >= 500 ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG, "%s %s %d %" PRId64 " us",
	         p->method, req->path, reply->status, time_mono_us() - p->began_us);
	return rc;
}

/* ---- Requests ---- */

static bool connections_full(struct http_server *server)
{
	return atomic_load(&server->connection_count) - metrics_streams(server->core.metrics, 0) >
	       CONNECTIONS_MAX;
}

/* Is it better not to read the body of a refused request: because it is long, because the client waits to be told, or
 * because only the connection's end would end it? */
static bool reply_now(struct http_req *req)
{
	const char *coding = http_header(req, "Transfer-Encoding");

	return serve_length(req) > SERVE_DRAIN_MAX || http_header(req, "Expect") ||
	       (coding && strcasecmp(coding, "chunked") != 0);
}

static enum MHD_Result request_begin(struct http_server *server, struct MHD_Connection *connection,
                                     struct http_req *req)
{
	struct http_req_private *p = req->private;

	deadline_set(connection, BODY_US);
	if (connections_full(server)) {
		http_reply_header(req, "Retry-After", "1");
		http_reply_header(req, "Connection", "close");
		(void)http_problem(req, 503, "the server has %d connections already",
		                   CONNECTIONS_MAX);
		p->refused = true;
		return reply_send(req);
	}
	serve_head(req);
	if (p->piped)
		deadline_set(connection, 0);
	if (p->refused && reply_now(req))
		return reply_send(req);
	return MHD_YES;
}

static enum MHD_Result request_step(void *arg, struct MHD_Connection *connection, const char *url,
                                    const char *method, const char *version, const char *data,
                                    size_t *len, void **context)
{
	struct http_server *server = arg;
	struct http_req *req = *context;

	(void)version;
	if (!req) {
		*context = req = request_new(&server->core, connection, method, url);
		return request_begin(server, connection, req);
	}
	if (*len > 0) {
		serve_piece(req, data, *len);
		*len = 0;
		/* Nothing is owed to a client that goes on and on. */
		return req->private->refused && req->private->body_seen > SERVE_DRAIN_MAX ? MHD_NO
		                                                                          : MHD_YES;
	}
	deadline_set(connection, 0);
	serve_finish(req);
	return reply_send(req);
}

static void request_end(void *arg, struct MHD_Connection *connection, void **context,
                        enum MHD_RequestTerminationCode code)
{
	(void)arg;
	(void)code;
	request_free(*context);
	*context = NULL;
	deadline_set(connection, HEAD_US);
}

/* Paths and parameters are decoded by router.c, once and strictly: the library leaves them as they are. */
static size_t unescape_nothing(void *arg, struct MHD_Connection *connection, char *text)
{
	(void)arg;
	(void)connection;
	return strlen(text);
}

__attribute__((format(printf, 2, 0))) static void library_log(void *arg, const char *fmt,
                                                              va_list ap)
{
	char text[400];
	int n = vsnprintf(text, sizeof(text), fmt, ap);

	(void)arg;
	if (n > 0 && (size_t)n < sizeof(text) && text[n - 1] == '\n')
		text[n - 1] = '\0';
	log_debug("http: %s", text);
}

/* ---- Open and close ---- */

static int tls_load(struct http_server *server, const struct http_config *config, struct err *err)
{
	if (!config->tls_cert)
		return 0;
	server->tls_cert = fs_read_file(config->tls_cert, CERT_CAP, NULL, err);
	if (!server->tls_cert)
		return -1;
	server->tls_key = fs_read_file(config->tls_key, CERT_CAP, NULL, err);
	return server->tls_key ? 0 : -1;
}

static void hosts_make(struct http_server *server, const struct http_config *config)
{
	/* With TLS a client has seen the name in the certificate; beyond loopback the names are not known. */
	if (config->tls_cert || !server->listener.loopback)
		return;
	server->hosts =
		json_pack("[s, s, s, s]", "localhost", "127.0.0.1", "[::1]", server->listener.host);
	(void)json_array_extend(server->hosts, config->hosts);
	server->core.hosts = server->hosts;
}

static int daemon_start(struct http_server *server, struct err *err)
{
	unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
	                 MHD_USE_POLL | MHD_USE_ERROR_LOG | (server->tls_cert ? MHD_USE_TLS : 0U);
	struct MHD_OptionItem options[] = {
		{MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)&library_log, NULL},
		{MHD_OPTION_LISTEN_SOCKET, server->listener.fd, NULL},
		{MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX + SSE_STREAMS_MAX + REFUSALS_MAX,
	         NULL},
		{MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S, NULL},
		{MHD_OPTION_THREAD_STACK_SIZE, (intptr_t)STACK_BYTES, NULL},
		{MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
		{MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)&connection_event, server},
		{MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)&request_end, server},
		{MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)&unescape_nothing, NULL},
		{server->tls_cert ? MHD_OPTION_HTTPS_MEM_CERT : MHD_OPTION_END, 0,
	         server->tls_cert},
		{MHD_OPTION_HTTPS_MEM_KEY, 0, server->tls_key},
		{MHD_OPTION_END, 0, NULL},
	};

	server->daemon = MHD_start_daemon(flags, 0, NULL, NULL, request_step, server,
	                                  MHD_OPTION_ARRAY, options, MHD_OPTION_END);
	if (!server->daemon)
		return err_set(err, ERR_IO, "%s: the HTTP server does not start%s", server->url,
		               server->tls_cert ? ": are certificate and key good?" : "");
	server->listener.fd = -1; /* the daemon's now */
	return 0;
}

static int address_open(struct http_server *server, const struct http_config *config,
                        struct err *err)
{
	if (listen_parse(config->listen, &server->listener, err) < 0)
		return -1;
	if (!server->listener.loopback && !config->tls_cert && !config->insecure_listen)
		return err_set(err, ERR_DENIED,
		               "listen %s: is not loopback: give --tls-cert and --tls-key, or "
		               "--insecure-listen when the network is trusted with the tokens",
		               config->listen);
	if (listen_open(config->listen, &server->listener, err) < 0)
		return -1;
	server->core.ctx.read_token_required |= !server->listener.loopback;
	server->url = xasprintf("%s://%s:%d", config->tls_cert ? "https" : "http",
	                        server->listener.host, server->listener.port);
	return 0;
}

struct http_server *http_server_open(const struct http_config *config, struct err *err)
{
	struct http_server *server = xcalloc(1, sizeof(*server));

	server->core.ctx = config->ctx;
	server->core.auth = config->auth;
	server->core.metrics = metrics_new(http_routes);
	server->listener.fd = -1;
	(void)pthread_mutex_init(&server->mutex, NULL);
	if (address_open(server, config, err) < 0 || tls_load(server, config, err) < 0) {
		http_server_close(server);
		return NULL;
	}
	hosts_make(server, config);
	if (daemon_start(server, err) < 0) {
		http_server_close(server);
		return NULL;
	}
	return server;
}

const char *http_server_url(const struct http_server *server)
{
	return server->url;
}

int http_server_port(const struct http_server *server)
{
	return server->listener.port;
}

void http_server_close(struct http_server *server)
{
	if (!server)
		return;
	atomic_store(&server->core.stopping, true);
	if (server->daemon) {
		store_wake(server->core.ctx.store);
		MHD_stop_daemon(server->daemon);
	}
	if (server->listener.fd >= 0)
		(void)close(server->listener.fd);
	json_decref(server->hosts);
	metrics_free(server->core.metrics);
	(void)pthread_mutex_destroy(&server->mutex);
	free(server->url);
	free(server->tls_cert);
	free(server->tls_key);
	free(server);
}
