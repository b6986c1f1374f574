/* report.h - everything that goes out of cohortd: the digest by mail, and webhooks. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct err;
struct report; /* opaque */
struct store;
struct suites;

struct report_config {
	struct store *store; /* borrowed, as all are; NULL: only check the rest */
	const struct suites *suites;
	const char *state_dir;
	const char *smtp_url;         /* NULL: no mail */
	const char *smtp_credentials; /* NULL: none */
	const char *mail_from;
	const json_t *mail_to;
	const char *mail_at, *mail_zone;
	const char *public_url; /* of the page, for links; NULL: none */
	const char *webhooks;   /* file; NULL: none */
};

/* Check the configuration, read its files, start what is configured. NULL with *err. */
struct report *report_open(const struct report_config *config, struct err *err);
void report_close(struct report *report); /* may be NULL */

/* Make what is due; *due: when to look again (INT64_MAX: never). 0, or -1 with *err. */
int report_step(struct report *report, int64_t now_us, int64_t *due, struct err *err);

/* Does it follow events, so that it wants to look often? */
bool report_follows(const struct report *report);
