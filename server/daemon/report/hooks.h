/* hooks.h - webhooks: where results are posted to, by the lab owner's file, and carrying them there by libcurl. */
#pragma once
#include "server/daemon/report/carrier.h"

#include <stdbool.h>
#include <stddef.h>

struct err;

#define HOOK_WAITING                                                                               \
	1000 /* deliveries of one hook that have not ended: of more, new ones fail at once */

enum hook_event { HOOK_JOB_ENDED = 1, HOOK_VERDICT_CHANGED = 2 };

struct hook {
	char *name, *url, *secret; /* owned */
	unsigned events;           /* set of enum hook_event */
};

struct hooks {
	struct hook *list; /* owned */
	size_t count;
};

/* Read the file: [{"name","url","secret_file","events":[...]}]. Secret files are relative to it. 0, or -1 with *err that
 * names file and field. */
int hooks_load(struct hooks *hooks, const char *path, struct err *err);
void hooks_release(struct hooks *hooks);

const char *hook_event_name(enum hook_event event);

struct carrier hooks_carrier(const struct hooks *hooks);

/* "sha256=HEX": HMAC-SHA256 of body by secret. */
void hook_sign(const char *secret, const char *body, size_t len, char out[72]);
