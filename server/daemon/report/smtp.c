#include "server/daemon/report/smtp.h"

#include "common/err.h"
#include "common/fsio.h"
#include "common/scoped.h"
#include "common/timeus.h"
#include "common/xalloc.h"

#include <curl/curl.h>
#include <string.h>

#define BEFORE_US   INT64_C(120000000) /* until the mail is handed over */
#define ANSWER_US   INT64_C(600000000) /* for the answer to it: RFC 5321, section 4.5.3.2.6 */
#define STOPPING_US INT64_C(10000000)  /* the same, while cohortd ends */
#define CONNECT_MS  30000L
#define SECRET_CAP  1024
#define ADDRESS_MAX 254

struct smtp {
	char *url, *from, *user, *password; /* owned; user, password: NULL without */
	json_t *to;
	bool local; /* the server is on loopback */
};

bool smtp_address_valid(const char *text)
{
	const char *at = strchr(text, '@');

	if (!at || at == text || !at[1] || strchr(at + 1, '@') || strlen(text) > ADDRESS_MAX)
		return false;
	for (; *text; text++)
		if (*text <= ' ' || *text >= 0x7f || strchr("<>(),;:\\\"[]", *text))
			return false;
	return true;
}

/* ---- Configuration ---- */

static int url_check(struct smtp *smtp, struct err *err)
{
	CURLU *url = curl_url();
	char *scheme = NULL, *host = NULL, *user = NULL;
	bool good = curl_url_set(url, CURLUPART_URL, smtp->url, CURLU_NON_SUPPORT_SCHEME) ==
	                    CURLUE_OK &&
	            curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	            curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
	            curl_url_get(url, CURLUPART_USER, &user, 0) != CURLUE_OK &&
	            (strcmp(scheme, "smtp") == 0 || strcmp(scheme, "smtps") == 0);

	smtp->local = good && (strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
	                       strcmp(host, "[::1]") == 0);
	curl_free(scheme);
	curl_free(host);
	curl_free(user);
	curl_url_cleanup(url);
	return good ? 0
	            : err_set(err, ERR_INVALID,
	                      "smtp_url: must be smtp://HOST:PORT or smtps://HOST:PORT");
}

static int addresses_check(const struct smtp_config *config, struct err *err)
{
	const json_t *to;
	size_t i;

	if (!config->from || !smtp_address_valid(config->from))
		return err_set(err, ERR_INVALID, "mail_from: must be an address");
	if (json_array_size(config->to) == 0)
		return err_set(err, ERR_INVALID, "mail_to: must have an address");
	json_array_foreach(config->to, i, to)
	{
		if (!smtp_address_valid(json_string_value(to)))
			return err_set(err, ERR_INVALID, "mail_to: %s: must be an address",
			               json_string_value(to));
	}
	return 0;
}

static int credentials_read(struct smtp *smtp, const char *path, struct err *err)
{
	size_t len = 0;
	SCOPED_STR text = path ? fs_read_file(path, SECRET_CAP, &len, err) : NULL;
	char *colon;

	if (!path)
		return 0;
	if (!text)
		return -1;
	text[strcspn(text, "\r\n")] = '\0';
	colon = strchr(text, ':');
	if (!colon || colon == text)
		return err_set(err, ERR_INVALID, "%s: must be one line user:password", path);
	smtp->user = xstrndup(text, (size_t)(colon - text));
	smtp->password = xstrdup(colon + 1);
	return 0;
}

struct smtp *smtp_new(const struct smtp_config *config, struct err *err)
{
	struct smtp *smtp = xcalloc(1, sizeof(*smtp));

	smtp->url = xstrdup(config->url);
	smtp->from = xstrdup(config->from ? config->from : "");
	smtp->to = json_deep_copy(config->to);
	if (url_check(smtp, err) == 0 && addresses_check(config, err) == 0 &&
	    credentials_read(smtp, config->credentials, err) == 0)
		return smtp;
	smtp_free(smtp);
	return NULL;
}

void smtp_free(struct smtp *smtp)
{
	if (!smtp)
		return;
	free(smtp->url);
	free(smtp->from);
	free(smtp->user);
	free(smtp->password);
	json_decref(smtp->to);
	free(smtp);
}

/* ---- Sending ---- */

struct sending {
	struct carrier_call *call;
	char *text; /* owned: with CRLF */
	size_t len, sent;
	bool handed;
	int64_t began, handed_at; /* monotonic */
};

/* Mails are kept with newlines; on the way each is CRLF. */
static char *crlf(const char *text, size_t *len)
{
	char *out = xcalloc(strlen(text) + 1, 2);

	*len = 0;
	for (; *text; text++) {
		if (*text == '\n')
			out[(*len)++] = '\r';
		out[(*len)++] = *text;
	}
	return out;
}

/* libcurl asks for more; behind the last byte the answer "no more" makes it send the line with the dot. */
static size_t piece(char *buf, size_t size, size_t count, void *arg)
{
	struct sending *s = arg;
	size_t room = size * count, left = s->len - s->sent, n = left < room ? left : room;

	if (n > 0) {
		memcpy(buf, s->text + s->sent, n);
		s->sent += n;
		return n;
	}
	if (!s->handed && s->call->hand(s->call->arg) < 0)
		return CURL_READFUNC_ABORT;
	s->handed = true;
	s->handed_at = time_mono_us();
	return 0;
}

static int watch(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const struct sending *s = arg;
	int64_t now = time_mono_us();

	(void)a, (void)b, (void)c, (void)d;
	if (s->handed)
		return now - s->handed_at > (atomic_load(s->call->stop) ? STOPPING_US : ANSWER_US);
	return atomic_load(s->call->stop) || now - s->began > BEFORE_US;
}

static enum delivery_event outcome(CURL *curl, CURLcode rc, const struct sending *s)
{
	long code = 0;

	(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
	if (rc == CURLE_OK)
		(void)snprintf(s->call->detail, sizeof(s->call->detail), "accepted: %ld", code);
	else
		(void)snprintf(s->call->detail, sizeof(s->call->detail), "%s (last answer: %ld)%s",
		               curl_easy_strerror(rc), code,
		               s->handed && code < 400 ? "; it may have been taken" : "");
	if (rc == CURLE_OK)
		return DELIVERY_EV_SENT;
	if (s->handed && code < 400)
		return DELIVERY_EV_LOST;
	/* A wrong password is the lab owner's to mend, and the mail waits for it. */
	return code >= 500 && rc != CURLE_LOGIN_DENIED ? DELIVERY_EV_REFUSED : DELIVERY_EV_TROUBLE;
}

static struct curl_slist *recipients(const struct smtp *smtp)
{
	struct curl_slist *list = NULL;
	const json_t *to;
	size_t i;

	json_array_foreach(smtp->to, i, to)
	{
		list = curl_slist_append(list, json_string_value(to));
	}
	return list;
}

static void login_set(CURL *curl, const struct smtp *smtp)
{
	bool must = smtp->user && !smtp->local;

	(void)curl_easy_setopt(curl, CURLOPT_USE_SSL, must ? CURLUSESSL_ALL : CURLUSESSL_TRY);
	if (smtp->local) { /* a mail server beside us has a certificate of its own making */
		(void)curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
		(void)curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	if (!smtp->user)
		return;
	(void)curl_easy_setopt(curl, CURLOPT_USERNAME, smtp->user);
	(void)curl_easy_setopt(curl, CURLOPT_PASSWORD, smtp->password);
}

static enum delivery_event smtp_send(void *self, struct carrier_call *call)
{
	const struct smtp *smtp = self;
	struct sending s = {.call = call, .began = time_mono_us()};
	struct curl_slist *to = recipients(smtp);
	CURL *curl = curl_easy_init();
	enum delivery_event event;

	s.text = crlf(call->delivery->message, &s.len);
	(void)curl_easy_setopt(curl, CURLOPT_URL, smtp->url);
	(void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	(void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	(void)curl_easy_setopt(curl, CURLOPT_MAIL_FROM, smtp->from);
	(void)curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, to);
	(void)curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_READFUNCTION, piece);
	(void)curl_easy_setopt(curl, CURLOPT_READDATA, &s);
	(void)curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	(void)curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, watch);
	(void)curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &s);
	login_set(curl, smtp);
	event = outcome(curl, curl_easy_perform(curl), &s);
	curl_easy_cleanup(curl);
	curl_slist_free_all(to);
	free(s.text);
	return event;
}

struct carrier smtp_carrier(struct smtp *smtp)
{
	return (struct carrier){.send = smtp_send, .self = smtp};
}
