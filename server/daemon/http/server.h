/* server.h - the HTTP server: the socket, one thread a connection, and the bounds on them. */
#pragma once
#include "server/daemon/http/http.h"

struct auth;
struct http_server; /* opaque */

struct http_config {
	struct http_context ctx;
	struct auth *auth;    /* borrowed */
	const char *listen;   /* "127.0.0.1:8080", "[::1]:0" */
	const char *tls_cert; /* PEM files, both or none */
	const char *tls_key;
	json_t *hosts;        /* names that Host may have beside the loopback's own; NULL: none */
	bool insecure_listen; /* listen beyond loopback without TLS */
};

/* Begin to serve. Refuses (ERR_DENIED) an address that is not loopback without TLS or insecure_listen; beyond loopback
 * reading needs a token. Everything that config names is borrowed, but config itself. NULL with *err. */
struct http_server *http_server_open(const struct http_config *config, struct err *err);

/* "http://127.0.0.1:8080", with the real port. */
const char *http_server_url(const struct http_server *server);
int http_server_port(const struct http_server *server);

/* Cut connections that are too slow with their headers or a small body. To be called about each second. */
void http_server_tick(struct http_server *server, int64_t mono_us);

/* End the streams, finish what is being answered, and free. */
void http_server_close(struct http_server *server);
