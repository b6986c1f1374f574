#include "server/daemon/report/hooks.h"

#include "common/err.h"
#include "common/fsio.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/timeus.h"
#include "common/xalloc.h"

#include <curl/curl.h>
#include <sodium.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define FILE_CAP   ((size_t)64 * 1024)
#define SECRET_CAP 4096
#define SECRET_MIN 16
#define HOOKS_MAX  32
#define TIMEOUT_MS 10000L

static const struct {
	const char *name;
	enum hook_event event;
} events[] = {{"job-ended", HOOK_JOB_ENDED}, {"verdict-changed", HOOK_VERDICT_CHANGED}};

#define EVENTS (sizeof(events) / sizeof(events[0]))

const char *hook_event_name(enum hook_event event)
{
	return events[event == HOOK_JOB_ENDED ? 0 : 1].name;
}

/* ---- The file ---- */

struct hook_row {
	const char *name, *url, *secret_file;
	json_t *events;
};

static bool url_valid(const char *text)
{
	CURLU *url = curl_url();
	char *scheme = NULL;
	bool good = curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
	            curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	            (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);

	curl_free(scheme);
	curl_url_cleanup(url);
	return good;
}

static unsigned events_read(json_t *list, const char *pointer, struct jx_errors *errors)
{
	unsigned set = 0;
	json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		SCOPED_STR at = xasprintf("%s/events/%zu", pointer, i);
		const char *name = json_string_value(one);
		size_t k = 0;

		while (k < EVENTS && (!name || strcmp(events[k].name, name) != 0))
			k++;
		if (k < EVENTS)
			set |= events[k].event;
		else
			jx_complain(errors, at, "must be job-ended or verdict-changed");
	}
	return set;
}

static char *secret_read(const char *dir, const char *file, const char *pointer,
                         struct jx_errors *errors)
{
	SCOPED_STR path = file[0] == '/' ? xstrdup(file) : xasprintf("%s/%s", dir, file);
	struct err why = {0};
	size_t len;
	char *secret = fs_read_file(path, SECRET_CAP, &len, &why);

	if (!secret) {
		jx_complain(errors, pointer, "%s", why.text);
		return xstrdup("");
	}
	secret[strcspn(secret, "\r\n")] = '\0';
	if (strlen(secret) < SECRET_MIN)
		jx_complain(errors, pointer, "%s: the secret has less than %d bytes", path,
		            SECRET_MIN);
	return secret;
}

static void hook_read(struct hooks *hooks, json_t *doc, const char *dir, const char *pointer,
                      struct jx_errors *errors)
{
	static const struct jx_field fields[] = {
		{"name", JX_STRING, true, 1, 64, offsetof(struct hook_row, name)},
		{"url", JX_STRING, true, 1, 2000, offsetof(struct hook_row, url)},
		{"secret_file", JX_STRING, true, 1, 1000, offsetof(struct hook_row, secret_file)},
		{"events", JX_ARRAY, true, 1, EVENTS, offsetof(struct hook_row, events)},
	};
	SCOPED_STR at_url = xasprintf("%s/url", pointer);
	SCOPED_STR at_name = xasprintf("%s/name", pointer);
	SCOPED_STR at_secret = xasprintf("%s/secret_file", pointer);
	struct hook_row row = {0};
	struct hook *hook = &hooks->list[hooks->count];

	if (!jx_read(doc, fields, sizeof(fields) / sizeof(fields[0]), &row, pointer, errors))
		return;
	if (!jx_name_valid(row.name))
		jx_complain(errors, at_name, "must be a name: [A-Za-z0-9][A-Za-z0-9._+-]{0,63}");
	for (size_t i = 0; i < hooks->count; i++)
		if (strcmp(hooks->list[i].name, row.name) == 0)
			jx_complain(errors, at_name, "is there twice");
	if (!url_valid(row.url))
		jx_complain(errors, at_url, "must be http:// or https://");
	hook->events = events_read(row.events, pointer, errors);
	hook->name = xstrdup(row.name);
	hook->url = xstrdup(row.url);
	hook->secret = secret_read(dir, row.secret_file, at_secret, errors);
	hooks->count++;
}

int hooks_load(struct hooks *hooks, const char *path, struct err *err)
{
	SCOPED_JSON doc = jx_load(path, FILE_CAP, err);
	const char *slash = strrchr(path, '/');
	SCOPED_STR dir = slash ? xstrndup(path, (size_t)(slash - path)) : xstrdup(".");
	struct jx_errors errors = {0};
	json_t *one;
	size_t i;
	int rc;

	memset(hooks, 0, sizeof(*hooks));
	if (!doc)
		return -1;
	if (!json_is_array(doc) || json_array_size(doc) > HOOKS_MAX)
		return err_set(err, ERR_INVALID, "%s: must be an array of at most %d webhooks",
		               path, HOOKS_MAX);
	hooks->list = xcalloc(json_array_size(doc) + 1, sizeof(*hooks->list));
	json_array_foreach(doc, i, one)
	{
		SCOPED_STR pointer = xasprintf("/%zu", i);

		hook_read(hooks, one, dir, pointer, &errors);
	}
	rc = jx_errors_to_err(&errors, err);
	jx_errors_release(&errors);
	if (rc == 0)
		return 0;
	hooks_release(hooks);
	return err_context(err, "%s", path);
}

void hooks_release(struct hooks *hooks)
{
	for (size_t i = 0; i < hooks->count; i++) {
		free(hooks->list[i].name);
		free(hooks->list[i].url);
		free(hooks->list[i].secret);
	}
	free(hooks->list);
	memset(hooks, 0, sizeof(*hooks));
}

/* ---- Carrying ---- */

void hook_sign(const char *secret, const char *body, size_t len, char out[72])
{
	crypto_auth_hmacsha256_state state;
	unsigned char mac[crypto_auth_hmacsha256_BYTES];

	(void)crypto_auth_hmacsha256_init(&state, (const unsigned char *)secret, strlen(secret));
	(void)crypto_auth_hmacsha256_update(&state, (const unsigned char *)body, len);
	(void)crypto_auth_hmacsha256_final(&state, mac);
	(void)snprintf(out, 8, "sha256=");
	(void)sodium_bin2hex(out + 7, 65, mac, sizeof(mac));
}

static const struct hook *hook_named(const struct hooks *hooks, const char *name)
{
	for (size_t i = 0; i < hooks->count; i++)
		if (strcmp(hooks->list[i].name, name) == 0)
			return &hooks->list[i];
	return NULL;
}

/* What a receiver answers is of no interest, and of no size that it chooses. */
/* NOLINTNEXTLINE(readability-non-const-parameter): curl's type of it */
static size_t drop(char *data, size_t size, size_t count, void *arg)
{
	(void)data, (void)arg;
	return size * count;
}

static int watch(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const struct carrier_call *call = arg;

	(void)a, (void)b, (void)c, (void)d;
	return atomic_load(call->stop);
}

static struct curl_slist *headers_of(const struct hook *hook, const struct delivery *d)
{
	SCOPED_STR event = xasprintf("Cohort-Event: %s", d->subject);
	SCOPED_STR id = xasprintf("Cohort-Delivery: %s", d->message_id);
	SCOPED_STR signature = NULL;
	struct curl_slist *list = curl_slist_append(NULL, "Content-Type: application/json");
	char mac[72];

	hook_sign(hook->secret, d->message, strlen(d->message), mac);
	signature = xasprintf("Cohort-Signature: %s", mac);
	list = curl_slist_append(list, event);
	list = curl_slist_append(list, id);
	list = curl_slist_append(list, signature);
	return curl_slist_append(list, "Expect:");
}

static enum delivery_event outcome(CURL *curl, CURLcode rc, struct carrier_call *call)
{
	long code = 0;

	(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
	if (rc == CURLE_OK)
		(void)snprintf(call->detail, sizeof(call->detail), "answered %ld", code);
	else
		(void)snprintf(call->detail, sizeof(call->detail), "%s", curl_easy_strerror(rc));
	return rc == CURLE_OK && code / 100 == 2 ? DELIVERY_EV_SENT : DELIVERY_EV_TROUBLE;
}

static enum delivery_event hook_send(void *self, struct carrier_call *call)
{
	const struct hook *hook = hook_named(self, call->delivery->target);
	struct curl_slist *headers;
	enum delivery_event event;
	CURL *curl;

	if (!hook) {
		(void)snprintf(call->detail, sizeof(call->detail), "is configured no more");
		return DELIVERY_EV_REFUSED;
	}
	headers = headers_of(hook, call->delivery);
	curl = curl_easy_init();
	(void)curl_easy_setopt(curl, CURLOPT_URL, hook->url);
	(void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
	(void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, call->delivery->message);
	(void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	(void)curl_easy_setopt(curl, CURLOPT_USERAGENT, "cohortd/" COHORT_VERSION);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop);
	(void)curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	(void)curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, watch);
	(void)curl_easy_setopt(curl, CURLOPT_XFERINFODATA, call);
	event = outcome(curl, curl_easy_perform(curl), call);
	curl_easy_cleanup(curl);
	curl_slist_free_all(headers);
	return event;
}

struct carrier hooks_carrier(const struct hooks *hooks)
{
	/* The carrier only reads it; the interface has no const. */
	union {
		const struct hooks *in;
		void *out;
	} self = {.in = hooks};

	return (struct carrier){.send = hook_send, .self = self.out};
}
