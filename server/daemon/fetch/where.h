/* where.h - from where cohortd may fetch: https, hosts of a list, and no address inside unless the list says so. Pure. */
#pragma once
#include <jansson.h>
#include <stdbool.h>

struct err;
struct sockaddr;

struct fetch_where {
	/* Arrays of "host" (port 443) or "host:port"; borrowed. hosts: allowed at all; inside: of those, such whose address may be
	 * a private one. */
	const json_t *hosts, *inside;
};

/* May this URL be fetched? *inside says that its host's address may be private. 0, or -1 with *err: ERR_INVALID says what is
 * wrong with it, ERR_DENIED that its host is not on the list. */
int fetch_url_check(const struct fetch_where *where, const char *url, bool *inside,
                    struct err *err);

/* Is this an address of the public internet? */
bool fetch_address_public(const struct sockaddr *address);
