/* digest.h - one mail a night about the jobs of schedules: when it is due, what is in it, and keeping it with what it tells
 * in one transaction. */
#pragma once
#include "server/daemon/nightly/decide.h"
#include "server/daemon/report/facts.h"
#include "server/daemon/report/text.h"

#include <jansson.h>

struct err;
struct page;
struct store;

struct digest_config {
	struct facts_source source;
	struct report_style style;
	const json_t *to;
	struct nightly_plan at; /* cron and zone of mail_at */
};

/* Make the digest when its instant has come and there is something to tell. *due: when to look again; *made: there is a new
 * delivery. 0, or -1 with *err. */
int digest_step(struct store *store, const struct digest_config *config, int64_t now_us,
                int64_t *due, bool *made, struct err *err);

/* The text of {"jobs": [facts], "skipped": [...]}, and its subject (the caller frees it). Pure. */
char *digest_text(struct page *page, const json_t *digest, const struct report_style *style);
