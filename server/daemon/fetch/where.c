#include "server/daemon/fetch/where.h"

#include "common/err.h"
#include "common/scoped.h"
#include "common/xalloc.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#define URL_MAX 2048

/* ---- URLs ---- */

static bool listed(const json_t *list, const char *host, const char *port)
{
	bool usual = strcmp(port, "443") == 0;
	SCOPED_STR whole = xasprintf("%s:%s", host, port);
	json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		const char *entry = json_string_value(one);

		if (strcasecmp(entry, whole) == 0 || (usual && strcasecmp(entry, host) == 0))
			return true;
	}
	return false;
}

/* A part of the URL, or NULL. The caller frees. */
static char *part(CURLU *u, CURLUPart what, unsigned flags)
{
	char *text = NULL, *copy;

	if (curl_url_get(u, what, &text, flags) != CURLUE_OK)
		return NULL;
	copy = xstrdup(text);
	curl_free(text);
	return copy;
}

static int parts_check(const struct fetch_where *where, CURLU *u, bool *inside, struct err *err)
{
	SCOPED_STR scheme = part(u, CURLUPART_SCHEME, 0);
	SCOPED_STR user = part(u, CURLUPART_USER, 0);
	SCOPED_STR password = part(u, CURLUPART_PASSWORD, 0);
	SCOPED_STR host = part(u, CURLUPART_HOST, 0);
	SCOPED_STR port = part(u, CURLUPART_PORT, CURLU_DEFAULT_PORT);

	if (!scheme || strcmp(scheme, "https") != 0)
		return err_set(err, ERR_INVALID, "must be https");
	if (user || password)
		return err_set(err, ERR_INVALID, "must not have a user or a password in it");
	if (!host || !port)
		return err_set(err, ERR_INVALID, "has no host");
	if (!listed(where->hosts, host, port))
		return err_set(err, ERR_DENIED, "%.128s:%s is not among cohortd's fetch_hosts",
		               host, port);
	*inside = listed(where->inside, host, port);
	return 0;
}

int fetch_url_check(const struct fetch_where *where, const char *url, bool *inside, struct err *err)
{
	CURLU *u;
	int rc;

	*inside = false;
	if (strlen(url) > URL_MAX)
		return err_set(err, ERR_INVALID, "has more than %d bytes", URL_MAX);
	u = curl_url();
	if (!u)
		abort();
	rc = curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK
	             ? parts_check(where, u, inside, err)
	             : err_set(err, ERR_INVALID, "is no URL");
	curl_url_cleanup(u);
	return rc;
}

/* ---- Addresses ---- */

struct range4 {
	uint32_t first;
	int bits;
};

/* What is not the public internet (the IANA registry of special-purpose addresses). */
static const struct range4 ranges4[] = {
	{0x00000000, 8},  /* this network */
	{0x0a000000, 8},  /* private */
	{0x64400000, 10}, /* behind a provider's translation */
	{0x7f000000, 8},  /* loopback */
	{0xa9fe0000, 16}, /* link-local */
	{0xac100000, 12}, /* private */
	{0xc0000000, 24}, /* protocol assignments */
	{0xc0000200, 24}, /* documentation */
	{0xc0586300, 24}, /* 6to4 relays */
	{0xc0a80000, 16}, /* private */
	{0xc6120000, 15}, /* benchmarks */
	{0xc6336400, 24}, /* documentation */
	{0xcb007100, 24}, /* documentation */
	{0xe0000000, 4},  /* multicast */
	{0xf0000000, 4},  /* reserved, broadcast */
};

static bool public4(uint32_t address)
{
	for (size_t i = 0; i < sizeof(ranges4) / sizeof(ranges4[0]); i++)
		if ((address ^ ranges4[i].first) >> (32 - ranges4[i].bits) == 0)
			return false;
	return true;
}

static uint32_t word(const unsigned char *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

/* Only global unicast (2000::/3), and of that nothing that stands for an IPv4 address which is not public. */
static bool public6(const unsigned char bytes[16])
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
	static const unsigned char translated[12] = {0x00, 0x64, 0xff, 0x9b};
	uint32_t first = word(bytes);

	if (memcmp(bytes, mapped, 12) == 0 || memcmp(bytes, translated, 12) == 0)
		return public4(word(bytes + 12));
	if (first >> 16 == 0x2002) /* 6to4 */
		return public4(word(bytes + 2));
	if (first == 0x20010000 || first == 0x20010db8 ||
	    first >> 9 == 0x20010000 >> 9) /* Teredo, documentation, protocol assignments */
		return false;
	return first >> 29 == 1;
}

bool fetch_address_public(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, address, sizeof(in));
		return public4(ntohl(in.sin_addr.s_addr));
	}
	if (address->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, address, sizeof(in6));
		return public6(in6.sin6_addr.s6_addr);
	}
	return false;
}
