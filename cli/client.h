/* client.h - the public HTTP API as the command line uses it (docs/API.md), over libcurl.
 * One client belongs to one thread. Errors carry the server's problem text; client_complain() has the fields. */
#pragma once
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

struct err;
struct client; /* opaque */

struct client_options {
	const char *server; /* "http://127.0.0.1:8080", no trailing slash needed */
	const char *token;  /* NULL: none */
};

/* NULL with *err when the address is no http or https URL. */
struct client *client_open(const struct client_options *options, struct err *err);
void client_close(struct client *client);
const char *client_server(const struct client *client);

/* Print the wrong fields that the last refusal named, a line each; nothing when it named none. */
void client_complain(const struct client *client, FILE *out);

/* One request with a JSON reply. path starts at "/api/v1/". body may be NULL. A POST carries a fresh Idempotency-Key
 * and is repeated with the same key when the connection breaks, so that it takes effect once.
 * Sets *reply (may be NULL) to a reference that the caller owns. 0, or -1 with *err: ERR_NOTFOUND (404), ERR_CONFLICT
 * (409), ERR_DENIED (401, 403), ERR_INVALID (other 4xx), ERR_IO (no answer, 5xx). */
int client_call(struct client *client, const char *method, const char *path, json_t *body,
                json_t **reply, struct err *err);

/* All items of a list, following the cursor up to max items. */
int client_list(struct client *client, const char *path, size_t max, json_t **items,
                struct err *err);

/* Print a reply that is no JSON (a log, NDJSON) to stdout as it comes, made safe for a terminal when it is one. */
int client_print(struct client *client, const char *path, const char *accept, struct err *err);

/* The same into file, which is replaced when the reply came whole and good, and else left as it was. */
int client_save(struct client *client, const char *path, const char *accept, const char *file,
                struct err *err);

/* Bring a local file to the server under its SHA-256, in parts that resume; nothing is sent that is there.
 * progress (may be NULL) hears of bytes. hash gets the 64 digits and a NUL. */
typedef void client_progress_fn(void *arg, uint64_t done, uint64_t total);
int client_upload(struct client *client, const char *file, char hash[65],
                  client_progress_fn *progress, void *arg, struct err *err);

/* Follow Server-Sent Events of path ("/api/v1/events?job=1") from event id *after (updated as they come), reconnecting
 * by itself, until fn returns non-zero. fn hears kind and data of each; with kind NULL it hears that the connection
 * broke (data NULL). Returns 0 when fn ended it, or -1 with *err when the server refuses. */
typedef int client_event_fn(void *arg, const char *kind, json_t *data);
int client_follow(struct client *client, const char *path, int64_t *after, client_event_fn *fn,
                  void *arg, struct err *err);

/* text percent-encoded for a URL; the caller frees. */
char *client_escape(const char *text);
