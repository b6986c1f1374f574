/* smtp.h - carries mails to one SMTP server, by libcurl. */
#pragma once
#include "server/daemon/report/carrier.h"

#include <jansson.h>

struct err;
struct smtp; /* opaque */

struct smtp_config {
	const char *url;         /* smtp://host:port or smtps:// */
	const char *credentials; /* file with "user:password"; NULL: none */
	const char *from;
	const json_t *to; /* addresses; all strings are borrowed */
};

/* Check and keep the configuration; the file is read now. NULL with *err (ERR_INVALID). Credentials go out over TLS only,
 * but for loopback. */
struct smtp *smtp_new(const struct smtp_config *config, struct err *err);
void smtp_free(struct smtp *smtp); /* may be NULL */
struct carrier smtp_carrier(struct smtp *smtp);

/* Is text an address that can stand in a header and an envelope? */
bool smtp_address_valid(const char *text);
