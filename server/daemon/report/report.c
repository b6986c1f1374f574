#include "server/daemon/report/report.h"

#include "common/err.h"
#include "common/xalloc.h"
#include "server/daemon/nightly/zone.h"
#include "server/daemon/report/courier.h"
#include "server/daemon/report/digest.h"
#include "server/daemon/report/hooks.h"
#include "server/daemon/report/outbox.h"
#include "server/daemon/report/page.h"
#include "server/daemon/report/smtp.h"

#include <curl/curl.h>
#include <stdlib.h>

struct report {
	struct report_config config;
	struct smtp *smtp; /* owned; NULL: no mail */
	struct facts_source source;
	struct digest_config digest;
	struct hooks hooks;
	struct carrier mail_carrier, hook_carrier;
	struct courier *mails, *posts; /* owned; NULL: nothing of the kind */
};

static int mail_read(struct report *r, struct err *err)
{
	const struct report_config *c = &r->config;
	const struct smtp_config smtp = {.url = c->smtp_url,
	                                 .credentials = c->smtp_credentials,
	                                 .from = c->mail_from,
	                                 .to = c->mail_to};

	const struct zone *zone = zone_named(c->mail_zone, err);

	if (!zone)
		return err_context(err, "mail_zone %s", c->mail_zone);
	r->digest = (struct digest_config){
		.source = r->source,
		.style = {.from = c->mail_from, .url = c->public_url, .lines = PAGE_LINES},
		.to = c->mail_to,
		.at = {.zone = zone},
	};
	if (cron_parse(c->mail_at, &r->digest.at.cron, err) < 0)
		return err_context(err, "mail_at '%s'", c->mail_at);
	r->smtp = smtp_new(&smtp, err);
	return r->smtp ? 0 : -1;
}

static int couriers_start(struct report *r, struct err *err)
{
	if (r->smtp) {
		r->mail_carrier = smtp_carrier(r->smtp);
		r->mails = courier_open(r->config.store, "mail", &r->mail_carrier, err);
		if (!r->mails)
			return -1;
	}
	if (r->hooks.count == 0)
		return 0;
	r->hook_carrier = hooks_carrier(&r->hooks);
	r->posts = courier_open(r->config.store, "hook", &r->hook_carrier, err);
	return r->posts ? 0 : -1;
}

struct report *report_open(const struct report_config *config, struct err *err)
{
	struct report *r = xcalloc(1, sizeof(*r));

	(void)curl_global_init(CURL_GLOBAL_ALL);
	r->config = *config;
	r->source = (struct facts_source){.suites = config->suites, .state_dir = config->state_dir};
	if ((config->smtp_url && mail_read(r, err) < 0) ||
	    (config->webhooks && hooks_load(&r->hooks, config->webhooks, err) < 0) ||
	    (config->store && couriers_start(r, err) < 0)) {
		report_close(r);
		return NULL;
	}
	return r;
}

void report_close(struct report *r)
{
	if (!r)
		return;
	courier_close(r->mails);
	courier_close(r->posts);
	smtp_free(r->smtp);
	hooks_release(&r->hooks);
	free(r);
	curl_global_cleanup();
}

bool report_follows(const struct report *r)
{
	return r->posts != NULL;
}

int report_step(struct report *r, int64_t now_us, int64_t *due, struct err *err)
{
	bool made = false;
	int rc = 0;

	*due = INT64_MAX;
	r->source.now_us = r->digest.source.now_us = now_us;
	if (r->mails) {
		rc = digest_step(r->config.store, &r->digest, now_us, due, &made, err);
		if (made)
			courier_kick(r->mails);
	}
	if (rc == 0 && r->posts) {
		rc = outbox_step(r->config.store, &r->hooks, &r->source, now_us, &made, err);
		if (made)
			courier_kick(r->posts);
	}
	return rc;
}
