#include "server/daemon/fetch/transfer.h"

#include "common/err.h"
#include "common/scoped.h"
#include "common/timeus.h"
#include "common/xalloc.h"
#include "server/daemon/http/range.h"
#include "server/daemon/http/upload.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>

#define REDIRECTS_MAX 5
#define CONNECT_MS    10000L
#define SLOW_BYTES    4096L /* a second, over SLOW_S: less is a cut */
#define SLOW_S        30L
#define TICK_US       INT64_C(1000000)

struct state {
	const struct transfer *t;
	CURL *curl;
	struct upload *upload;
	bool inside; /* the present host's address may be private */
	bool begun;  /* the first bytes of the file came */
	bool got;
	int64_t total;   /* of the file; -1: not known */
	int64_t told_us; /* monotonic: of the last progress */
	struct err err;  /* set by a callback that ended the transfer */
};

/* ---- Callbacks ---- */

/* The address that is connected to, whatever the name said before. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct state *s = arg;

	(void)purpose;
	if (!s->inside && !fetch_address_public(&address->addr)) {
		(void)err_set(&s->err, ERR_DENIED,
		              "its address is not a public one (see fetch_private)");
		return CURL_SOCKET_BAD;
	}
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static int on_progress(void *arg, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
	const struct state *s = arg;

	(void)down_total;
	(void)down;
	(void)up_total;
	(void)up;
	return atomic_load(s->t->stop);
}

static long status_of(CURL *curl)
{
	long status = 0;

	(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

/* Where the bytes that come belong: behind what is there, or it begins anew. */
static int body_begin(struct state *s)
{
	struct curl_header *range = NULL;
	curl_off_t length = -1;
	int64_t first = 0, last;

	(void)curl_easy_getinfo(s->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	s->total = length;
	if (status_of(s->curl) == 206) {
		if (curl_easy_header(s->curl, "Content-Range", 0, CURLH_HEADER, -1, &range) !=
		            CURLHE_OK ||
		    !content_range_parse(range->value, &first, &last, &s->total) ||
		    first != upload_received(s->upload))
			return err_set(&s->err, ERR_PROTOCOL,
			               "the server sends another range than it was asked for");
	} else if (upload_received(s->upload) > 0 && upload_restart(s->upload, &s->err) < 0) {
		return -1;
	}
	if (s->total > s->t->max)
		return err_set(&s->err, ERR_TOOBIG,
		               "it has %" PRId64 " bytes, at most %" PRId64 " are taken", s->total,
		               s->t->max);
	return 0;
}

static void tell(struct state *s)
{
	int64_t now = time_mono_us();

	if (now - s->told_us < TICK_US)
		return;
	s->told_us = now;
	s->t->progress(s->t->arg, upload_received(s->upload), s->total);
}

static size_t take_body(char *data, size_t size, size_t count, void *arg)
{
	struct state *s = arg;
	size_t len = size * count;
	long status = status_of(s->curl);

	/* The text of a refusal or of a redirect is nobody's. */
	if (status != 200 && status != 206)
		return len;
	if (!s->begun && body_begin(s) < 0)
		return 0;
	s->begun = s->got = true;
	if (upload_received(s->upload) + (int64_t)len > s->t->max) {
		(void)err_set(&s->err, ERR_TOOBIG, "it has more than %" PRId64 " bytes", s->t->max);
		return 0;
	}
	if (upload_write(s->upload, data, len, &s->err) < 0)
		return 0;
	tell(s);
	return len;
}

/* ---- One request ---- */

static void options_set(struct state *s, const char *url)
{
	CURL *c = s->curl;

	curl_easy_reset(c);
	(void)curl_easy_setopt(c, CURLOPT_URL, url);
	(void)curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https");
	(void)curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	/* A proxy of the environment would be connected to, and not what was checked. */
	(void)curl_easy_setopt(c, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (s->t->ca)
		(void)curl_easy_setopt(c, CURLOPT_CAINFO, s->t->ca);
	(void)curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	(void)curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, SLOW_BYTES);
	(void)curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, SLOW_S);
	(void)curl_easy_setopt(c, CURLOPT_USERAGENT, "cohortd/" COHORT_VERSION);
	(void)curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	(void)curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, s);
	(void)curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
	(void)curl_easy_setopt(c, CURLOPT_XFERINFODATA, s);
	(void)curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
	(void)curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
	(void)curl_easy_setopt(c, CURLOPT_WRITEDATA, s);
}

static CURLcode request(struct state *s, const char *url)
{
	int64_t have = upload_received(s->upload);
	char range[32];

	options_set(s, url);
	s->begun = false;
	if (have > 0) {
		(void)snprintf(range, sizeof(range), "%" PRId64 "-", have);
		(void)curl_easy_setopt(s->curl, CURLOPT_RANGE, range);
	}
	return curl_easy_perform(s->curl);
}

/* Where a redirect leads, checked like the first URL. NULL with s->err. */
static char *redirect(struct state *s)
{
	char *to = NULL;
	SCOPED_STR copy = NULL;

	(void)curl_easy_getinfo(s->curl, CURLINFO_REDIRECT_URL, &to);
	if (!to) {
		(void)err_set(&s->err, ERR_PROTOCOL, "it redirects to nowhere");
		return NULL;
	}
	copy = xstrdup(to);
	if (fetch_url_check(&s->t->where, copy, &s->inside, &s->err) < 0) {
		(void)err_context(&s->err, "it redirects to %.200s", copy);
		return NULL;
	}
	return take_str(&copy);
}

/* ---- What it came to ---- */

/* The file is whole, or what came is not it. */
static enum transfer_end finish(struct state *s, int64_t *size, struct err *err)
{
	*size = upload_received(s->upload);
	s->t->progress(s->t->arg, *size, *size);
	if (upload_finish(s->upload, err) == 0)
		return TRANSFER_WHOLE;
	return err->kind == ERR_INVALID ? TRANSFER_FAILED : TRANSFER_CUT;
}

static enum transfer_end broken(struct state *s, CURLcode code, struct err *err)
{
	/* One address of several may have been refused, and another connected to. */
	if (s->err.kind != ERR_NONE && (s->err.kind != ERR_DENIED || code == CURLE_COULDNT_CONNECT))
		*err = s->err;
	else
		(void)err_set(err, ERR_CLOSED, "%s", curl_easy_strerror(code));
	/* A certificate that is no good will not get better; all else may. */
	if (code == CURLE_PEER_FAILED_VERIFICATION || err->kind == ERR_DENIED ||
	    err->kind == ERR_TOOBIG)
		return TRANSFER_FAILED;
	return TRANSFER_CUT;
}

static enum transfer_end answered(struct state *s, int64_t *size, struct err *err)
{
	long status = status_of(s->curl);

	if (status == 200 || status == 206) {
		/* A file without bytes has no first ones. */
		if (!s->begun && body_begin(s) < 0)
			return broken(s, CURLE_OK, err);
		return finish(s, size, err);
	}
	/* What is there may be all of it. */
	if (status == 416 && upload_received(s->upload) > 0) {
		enum transfer_end end = finish(s, size, err);

		return end == TRANSFER_FAILED ? TRANSFER_CUT : end;
	}
	(void)err_set(err, ERR_PROTOCOL, "the server answers %ld", status);
	return status >= 500 || status == 408 || status == 425 || status == 429 ? TRANSFER_CUT
	                                                                        : TRANSFER_FAILED;
}

static enum transfer_end hops(struct state *s, int64_t *size, struct err *err)
{
	SCOPED_STR url = xstrdup(s->t->url);

	if (fetch_url_check(&s->t->where, url, &s->inside, err) < 0)
		return TRANSFER_FAILED;
	for (int hop = 0; hop <= REDIRECTS_MAX; hop++) {
		CURLcode code = request(s, url);
		char *next;

		if (code != CURLE_OK)
			return broken(s, code, err);
		if (status_of(s->curl) / 100 != 3)
			return answered(s, size, err);
		next = redirect(s);
		if (!next) {
			*err = s->err;
			return TRANSFER_FAILED;
		}
		free(url);
		url = next;
	}
	(void)err_set(err, ERR_PROTOCOL, "more than %d redirects", REDIRECTS_MAX);
	return TRANSFER_FAILED;
}

enum transfer_end transfer_run(const struct transfer *t, int64_t *size, bool *got, struct err *err)
{
	struct state s = {.t = t, .total = -1, .told_us = time_mono_us()};
	int64_t have = upload_size(t->state_dir, t->sha256), received;
	enum transfer_end end = TRANSFER_CUT;

	*got = false;
	s.upload = upload_begin(t->state_dir, t->sha256, have, have == 0, &received, err);
	if (!s.upload)
		return TRANSFER_CUT;
	s.curl = curl_easy_init();
	if (!s.curl)
		abort();
	end = hops(&s, size, err);
	*got = s.got;
	curl_easy_cleanup(s.curl);
	/* Nothing came: nothing to go on with. */
	if (end != TRANSFER_WHOLE && upload_received(s.upload) == 0)
		upload_drop(s.upload);
	upload_end(s.upload);
	return end;
}
