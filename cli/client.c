#include "cli/client.h"

#include "cli/fields.h"
#include "cli/term.h"
#include "common/err.h"
#include "common/jx.h"
#include "common/lines.h"
#include "common/scoped.h"
#include "common/sha256.h"
#include "common/xalloc.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>

#define REPLY_CAP    ((size_t)64 * 1024 * 1024)
#define PART_BYTES   ((uint64_t)8 * 1024 * 1024)
#define RETRIES      5
#define SSE_LINE_CAP ((size_t)1024 * 1024)

struct client {
	char *server;  /* owned, no trailing slash */
	char *token;   /* owned or NULL */
	CURL *curl;    /* one connection, kept */
	CURL *stream;  /* that of client_follow(), whose callback may make calls */
	json_t *wrong; /* owned: the wrong fields that the last refusal named, or NULL */
};

struct buffer {
	char *data;
	size_t len;
};

struct client *client_open(const struct client_options *options, struct err *err)
{
	struct client *c;
	size_t len = strlen(options->server);

	if (strncmp(options->server, "http://", 7) != 0 &&
	    strncmp(options->server, "https://", 8) != 0) {
		(void)err_set(err, ERR_INVALID, "server %s: must start with http:// or https://",
		              options->server);
		return NULL;
	}
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
	c = xcalloc(1, sizeof(*c));
	c->server = xstrdup(options->server);
	while (len > 0 && c->server[len - 1] == '/')
		c->server[--len] = '\0';
	c->token = options->token ? xstrdup(options->token) : NULL;
	c->curl = curl_easy_init();
	c->stream = curl_easy_init();
	return c;
}

void client_close(struct client *c)
{
	curl_easy_cleanup(c->curl);
	curl_easy_cleanup(c->stream);
	json_decref(c->wrong);
	free(c->server);
	free(c->token);
	free(c);
	curl_global_cleanup();
}

const char *client_server(const struct client *c)
{
	return c->server;
}

char *client_escape(const char *text)
{
	char *escaped = curl_easy_escape(NULL, text, 0);
	char *copy = xstrdup(escaped ? escaped : "");

	curl_free(escaped);
	return copy;
}

static size_t take_reply(char *data, size_t size, size_t count, void *arg)
{
	struct buffer *b = arg;
	size_t len = size * count;

	if (b->len + len > REPLY_CAP)
		return 0;
	b->data = xrealloc(b->data, b->len + len + 1);
	(void)memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
	return len;
}

/* Common options of each request. Returns the header list, which the caller frees. */
static struct curl_slist *prepare(struct client *c, CURL *curl, const char *method,
                                  const char *path)
{
	struct curl_slist *headers = NULL;
	SCOPED_STR url = xasprintf("%s%s", c->server, path);

	curl_easy_reset(curl);
	(void)curl_easy_setopt(curl, CURLOPT_URL, url);
	(void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, 5000L);
	if (strcmp(method, "HEAD") == 0)
		(void)curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
	else
		(void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	headers = curl_slist_append(headers, "Expect:");
	if (c->token) {
		SCOPED_STR auth = xasprintf("Authorization: Bearer %s", c->token);

		headers = curl_slist_append(headers, auth);
	}
	return headers;
}

/* The text of a problem+json reply; the fields that it names are kept for client_complain(). */
static int problem_to_err(struct client *c, long status, const struct buffer *reply,
                          struct err *err)
{
	enum err_kind kind = status == 404                    ? ERR_NOTFOUND
	                     : status == 409                  ? ERR_CONFLICT
	                     : status == 401 || status == 403 ? ERR_DENIED
	                     : status < 500                   ? ERR_INVALID
	                                                      : ERR_IO;
	SCOPED_JSON doc = reply->data ? json_loadb(reply->data, reply->len, 0, NULL) : NULL;
	const char *detail = json_string_value(json_object_get(doc, "detail"));

	if (!detail)
		detail = json_string_value(json_object_get(doc, "title"));
	json_decref(c->wrong);
	c->wrong = json_incref(json_object_get(doc, "errors"));
	if (status == 401 && !c->token)
		return err_set(err, kind,
		               "%s needs a token (HTTP 401): give --token-file, or set "
		               "COHORT_TOKEN_FILE; cohortd keeps one in admin.token of its state "
		               "directory",
		               c->server);
	return err_set(err, kind, "%s (HTTP %ld)", detail ? detail : "the server refused", status);
}

/* The transfer did not happen. */
static int transfer_to_err(const struct client *c, CURLcode code, struct err *err)
{
	return err_set(err, ERR_IO, "%s: %s%s", c->server, curl_easy_strerror(code),
	               code == CURLE_COULDNT_CONNECT
	                       ? " (--server or COHORT_SERVER say where cohortd is)"
	                       : "");
}

void client_complain(const struct client *c, FILE *out)
{
	json_t *one;
	size_t i;

	json_array_foreach(c->wrong, i, one)
	{
		SCOPED_STR line = xasprintf("  %s: %s", field_text(one, "pointer"),
		                            field_text(one, "detail"));

		(void)fprintf(out, "%s\n", term_safe(line, false));
	}
}

/* Run the prepared request. Returns the status, or -1 with *err when there was no answer. */
static long perform(struct client *c, struct buffer *reply, struct err *err)
{
	long status = 0;
	CURLcode code;

	(void)curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, take_reply);
	(void)curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, reply);
	code = curl_easy_perform(c->curl);
	if (code != CURLE_OK)
		return transfer_to_err(c, code, err);
	(void)curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

static void random_key(char out[41])
{
	unsigned char bytes[20];

	randombytes_buf(bytes, sizeof(bytes));
	(void)sodium_bin2hex(out, 41, bytes, sizeof(bytes));
}

int client_call(struct client *c, const char *method, const char *path, json_t *body,
                json_t **reply, struct err *err)
{
	SCOPED_STR text = body ? jx_text(body) : NULL;
	struct buffer answer = {0};
	long status = -1;
	char key[41];
	int result = 0;

	random_key(key);
	for (unsigned try = 0; try < RETRIES && status < 0; try++) {
		SCOPED_STR id = xasprintf("Idempotency-Key: %s", key);
		struct curl_slist *headers = prepare(c, c->curl, method, path);

		if (text) {
			headers = curl_slist_append(headers, "Content-Type: application/json");
			(void)curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, text);
		} else if (strcmp(method, "POST") == 0) {
			(void)curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, "");
		}
		if (strcmp(method, "POST") == 0)
			headers = curl_slist_append(headers, id);
		(void)curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
		answer.len = 0;
		status = perform(c, &answer, err);
		curl_slist_free_all(headers);
		if (status < 0 && try + 1 < RETRIES)
			term_pause_ms(100U << try);
	}
	if (status < 0)
		result = -1;
	else if (status >= 400)
		result = problem_to_err(c, status, &answer, err);
	else if (reply &&
	         !(*reply = jx_parse(answer.data ? answer.data : "", answer.len, REPLY_CAP, err)))
		result = err_context(err, "%s%s: the reply", c->server, path);
	free(answer.data);
	return result;
}

int client_list(struct client *c, const char *path, size_t max, json_t **items, struct err *err)
{
	SCOPED_JSON all = json_array();
	SCOPED_STR cursor = NULL;

	do {
		SCOPED_STR next = NULL;
		SCOPED_STR url = cursor ? xasprintf("%s%ccursor=%s", path,
		                                    strchr(path, '?') ? '&' : '?', cursor)
		                        : xstrdup(path);
		SCOPED_JSON page = NULL;
		const char *more;

		if (client_call(c, "GET", url, NULL, &page, err) < 0)
			return -1;
		(void)json_array_extend(all, json_object_get(page, "items"));
		more = json_string_value(json_object_get(page, "next"));
		next = more ? client_escape(more) : NULL;
		free(cursor);
		cursor = take_str(&next);
	} while (cursor && json_array_size(all) < max);
	*items = take_json(&all);
	return 0;
}

struct printing {
	struct client *client;
	FILE *file;            /* NULL: to stdout */
	struct buffer refusal; /* what came with a status that is an error */
};

static size_t print_reply(char *data, size_t size, size_t count, void *arg)
{
	struct printing *p = arg;
	long status = 0;

	(void)curl_easy_getinfo(p->client->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status >= 400)
		return take_reply(data, size, count, &p->refusal);
	if (p->file)
		return fwrite(data, 1, size * count, p->file);
	term_write(data, size * count);
	return size * count;
}

static int print_to(struct client *c, const char *path, const char *accept, FILE *file,
                    struct err *err)
{
	SCOPED_STR want = xasprintf("Accept: %s", accept);
	struct curl_slist *headers = curl_slist_append(prepare(c, c->curl, "GET", path), want);
	struct printing p = {.client = c, .file = file};
	long status = 0;
	CURLcode code;
	int result = 0;

	(void)curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
	(void)curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, print_reply);
	(void)curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, &p);
	code = curl_easy_perform(c->curl);
	curl_slist_free_all(headers);
	(void)curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
	if (code != CURLE_OK)
		result = transfer_to_err(c, code, err);
	else if (status >= 400)
		result = problem_to_err(c, status, &p.refusal, err);
	free(p.refusal.data);
	return result;
}

int client_print(struct client *c, const char *path, const char *accept, struct err *err)
{
	return print_to(c, path, accept, NULL, err);
}

int client_save(struct client *c, const char *path, const char *accept, const char *file,
                struct err *err)
{
	SCOPED_STR part = xasprintf("%s.part", file);
	FILE *out = fopen(part, "we");
	int rc;

	if (!out)
		return err_errno(err, ERR_IO, "%s", part);
	rc = print_to(c, path, accept, out, err);
	if (fclose(out) != 0 && rc == 0)
		rc = err_errno(err, ERR_IO, "%s", part);
	if (rc == 0 && rename(part, file) < 0)
		rc = err_errno(err, ERR_IO, "%s", file);
	if (rc < 0)
		(void)unlink(part);
	return rc;
}

/* How much of the file the server has: *have; *whole says that it has all, and has verified it. */
static int upload_offset(struct client *c, const char *path, uint64_t size, uint64_t *have,
                         bool *whole, struct err *err)
{
	struct curl_slist *headers = prepare(c, c->curl, "HEAD", path);
	struct curl_header *offset = NULL;
	struct buffer none = {0}; /* HEAD has no body */
	long status;

	(void)curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
	status = perform(c, &none, err);
	curl_slist_free_all(headers);
	free(none.data);
	if (status < 0)
		return -1;
	*whole = status == 200;
	*have = *whole ? size : 0;
	if (status == 404 &&
	    curl_easy_header(c->curl, "Upload-Offset", 0, CURLH_HEADER, -1, &offset) == CURLHE_OK)
		*have = strtoull(offset->value, NULL, 10);
	if (status == 200 || status == 404)
		return 0;
	return problem_to_err(c, status, &(struct buffer){0}, err);
}

static size_t give_part(char *data, size_t size, size_t count, void *arg)
{
	ssize_t n = read(*(int *)arg, data, size * count);

	return n < 0 ? CURL_READFUNC_ABORT : (size_t)n;
}

/* Send the bytes from..to of the open file; all of them begin it anew. Returns the status, or -1 with *err. */
static long upload_part(struct client *c, const char *path, int fd, uint64_t from, uint64_t to,
                        uint64_t size, struct err *err)
{
	SCOPED_STR range =
		xasprintf("Content-Range: bytes %llu-%llu/%llu", (unsigned long long)from,
	                  (unsigned long long)(to ? to - 1 : 0), (unsigned long long)size);
	struct curl_slist *headers = prepare(c, c->curl, "PUT", path);
	struct buffer answer = {0};
	long status;

	headers = curl_slist_append(headers, "Content-Type: application/octet-stream");
	if (from > 0 || to < size)
		headers = curl_slist_append(headers, range);
	(void)curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
	(void)curl_easy_setopt(c->curl, CURLOPT_UPLOAD, 1L);
	(void)curl_easy_setopt(c->curl, CURLOPT_READFUNCTION, give_part);
	(void)curl_easy_setopt(c->curl, CURLOPT_READDATA, &fd);
	(void)curl_easy_setopt(c->curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)(to - from));
	status = lseek(fd, (off_t)from, SEEK_SET) < 0 ? err_errno(err, ERR_IO, "seek")
	                                              : perform(c, &answer, err);
	curl_slist_free_all(headers);
	if (status >= 400 && status != 409)
		(void)problem_to_err(c, status, &answer, err);
	free(answer.data);
	return status;
}

/* Send the next part of the file, or find out what became of the last one. 1: the file is there, 0: go on, -1 with *err. */
static int upload_step(struct client *c, const char *path, int fd, uint64_t size, uint64_t *have,
                       unsigned *broken, struct err *err)
{
	/* All bytes are there and it is not whole: the server died before it had verified them. No part is left to send, so
	 * it begins anew, in one piece. */
	bool anew = *have >= size;
	uint64_t from = anew ? 0 : *have;
	uint64_t to = !anew && size - from > PART_BYTES ? from + PART_BYTES : size;
	long status = upload_part(c, path, fd, from, to, size, err);
	bool whole = false;

	if (status >= 400 && status != 409)
		return -1;
	if (status >= 0 && status != 409) {
		*have = to;
		return to == size;
	}
	if (++*broken > RETRIES)
		return status < 0 ? -1
		                  : err_set(err, ERR_CONFLICT, "somebody else is uploading it too");
	term_pause_ms(100U << *broken);
	return upload_offset(c, path, size, have, &whole, err) < 0 ? -1 : whole;
}

int client_upload(struct client *c, const char *file, char hash[65], client_progress_fn *progress,
                  void *arg, struct err *err)
{
	SCOPED_FD fd = open(file, O_RDONLY | O_CLOEXEC);
	SCOPED_STR path = NULL;
	uint64_t size = 0, have = 0;
	unsigned broken = 0;
	bool whole = false;
	int rc;

	if (fd < 0)
		return err_errno(err, ERR_IO, "%s", file);
	if (sha256_file(file, hash, &size, err) < 0)
		return -1;
	path = xasprintf("/api/v1/files/%s", hash);
	rc = upload_offset(c, path, size, &have, &whole, err) < 0 ? -1 : whole;
	while (rc == 0) {
		rc = upload_step(c, path, fd, size, &have, &broken, err);
		if (progress && rc >= 0)
			progress(arg, have, size);
	}
	return rc < 0 ? err_context(err, "%s", file) : 0;
}

struct follow {
	struct client *client;
	struct buffer refusal; /* owned: what came with a status that is an error */
	struct lines lines;
	char kind[32];
	json_t *data; /* owned: of the event that is being read */
	uint64_t fed;
	int64_t *after;
	int64_t id;
	client_event_fn *fn;
	void *arg;
	int ended;
};

static int follow_line(void *arg, char *text, size_t len, uint64_t end)
{
	struct follow *f = arg;

	(void)end;
	if (len > 0 && text[len - 1] == '\r')
		text[--len] = '\0';
	if (strncmp(text, "id: ", 4) == 0) {
		f->id = strtoll(text + 4, NULL, 10);
	} else if (strncmp(text, "event: ", 7) == 0) {
		(void)snprintf(f->kind, sizeof(f->kind), "%s", text + 7);
	} else if (strncmp(text, "data: ", 6) == 0) {
		json_decref(f->data);
		f->data = jx_parse(text + 6, len - 6, SSE_LINE_CAP, NULL);
	} else if (len == 0 && f->data) {
		if (f->id > *f->after)
			*f->after = f->id;
		f->ended = f->fn(f->arg, f->kind, f->data);
		json_decref(f->data);
		f->data = NULL;
	}
	return f->ended ? -1 : 0;
}

static size_t follow_bytes(char *data, size_t size, size_t count, void *arg)
{
	struct follow *f = arg;
	size_t len = size * count;
	long status = 0;

	(void)curl_easy_getinfo(f->client->stream, CURLINFO_RESPONSE_CODE, &status);
	if (status >= 400)
		return take_reply(data, size, count, &f->refusal);
	if (lines_feed(&f->lines, f->fed, data, len, follow_line, f) < 0)
		return 0;
	f->fed += len;
	return len;
}

/* One connection of client_follow(). Returns the status, 0 when none came. */
static long follow_once(struct client *c, const char *path, struct follow *f)
{
	SCOPED_STR last = xasprintf("Last-Event-ID: %lld", (long long)*f->after);
	struct curl_slist *headers = prepare(c, c->stream, "GET", path);
	long status = 0;

	headers = curl_slist_append(headers, "Accept: text/event-stream");
	headers = curl_slist_append(headers, last);
	(void)curl_easy_setopt(c->stream, CURLOPT_HTTPHEADER, headers);
	(void)curl_easy_setopt(c->stream, CURLOPT_WRITEFUNCTION, follow_bytes);
	(void)curl_easy_setopt(c->stream, CURLOPT_WRITEDATA, f);
	(void)curl_easy_setopt(c->stream, CURLOPT_LOW_SPEED_LIMIT, 1L);
	(void)curl_easy_setopt(c->stream, CURLOPT_LOW_SPEED_TIME, 60L);
	(void)curl_easy_perform(c->stream);
	(void)curl_easy_getinfo(c->stream, CURLINFO_RESPONSE_CODE, &status);
	curl_slist_free_all(headers);
	return status;
}

/* after is written through f.after. NOLINTNEXTLINE(readability-non-const-parameter) */
int client_follow(struct client *c, const char *path, int64_t *after, client_event_fn *fn,
                  void *arg, struct err *err)
{
	int result = 0;

	for (unsigned pause_ms = 100;;) {
		struct follow f = {.client = c, .after = after, .fn = fn, .arg = arg};
		int64_t before = *after;
		long status;

		lines_init(&f.lines, SSE_LINE_CAP);
		status = follow_once(c, path, &f);
		lines_release(&f.lines);
		json_decref(f.data);
		if (status >= 400 && status < 500)
			result = problem_to_err(c, status, &f.refusal, err);
		free(f.refusal.data);
		if (f.ended || result < 0)
			break;
		if (fn(arg, NULL, NULL) != 0)
			break;
		pause_ms = *after > before ? 100 : pause_ms < 5000 ? pause_ms * 2 : pause_ms;
		term_pause_ms(pause_ms);
	}
	return result;
}
