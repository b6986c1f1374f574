/* From where builds may be fetched. */
#include "common/err.h"
#include "common/scoped.h"
#include "server/daemon/fetch/where.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

static void urls(void **state)
{
	SCOPED_JSON hosts = json_pack("[s, s, s, s]", "ci.example.org", "lab.example.org:8443",
	                              "inside.example.org", "[::1]:8443");
	SCOPED_JSON inside = json_pack("[s, s]", "inside.example.org", "[::1]:8443");
	struct fetch_where where = {hosts, inside};
	static const struct {
		const char *url, *why; /* NULL: it may */
		bool inside;
	} rows[] = {
		{"https://ci.example.org/a/zImage", NULL, false},
		{"https://CI.Example.ORG/zImage?x=1#y", NULL, false},
		{"https://ci.example.org:443/", NULL, false},
		{"https://lab.example.org:8443/", NULL, false},
		{"https://inside.example.org/", NULL, true},
		{"https://[::1]:8443/", NULL, true},
		{"https://lab.example.org/", "lab.example.org:443 is not among", false},
		{"https://ci.example.org:8443/", "not among", false},
		{"https://ci.example.org.evil.org/", "not among", false},
		{"https://evil.org/ci.example.org", "not among", false},
		{"https://evil.org#@ci.example.org/", "not among", false},
		{"https://ci.example.org@evil.org/", "user", false},
		{"https://a:b@ci.example.org/", "user", false},
		{"https://[::1]/", "not among", false},
		{"https://127.0.0.1/", "not among", false},
		{"http://ci.example.org/", "https", false},
		{"HTTPS://ci.example.org/", NULL, false},
		{"ftp://ci.example.org/", "https", false},
		{"file:///etc/passwd", "https", false},
		{"ci.example.org/x", "is no URL", false},
		{"https://", "is no URL", false},
		{"", "is no URL", false},
		{"https://ci.example.org/\nHost: x", "is no URL", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err err = {0};
		bool is_inside;
		int rc = fetch_url_check(&where, rows[i].url, &is_inside, &err);

		if ((rc == 0) != !rows[i].why || (rows[i].why && !strstr(err.text, rows[i].why)) ||
		    (rc == 0 && is_inside != rows[i].inside))
			fail_msg("%s: %d %s", rows[i].url, rc, err.text);
	}
}

static const struct {
	const char *text;
	bool good;
} address_rows[] = {
	{"93.184.216.34", true},
	{"8.8.8.8", true},
	{"172.15.255.255", true},
	{"172.32.0.0", true},
	{"100.63.255.255", true},
	{"192.167.255.255", true},
	{"0.0.0.0", false},
	{"10.1.2.3", false},
	{"100.64.0.1", false},
	{"127.0.0.1", false},
	{"127.255.255.254", false},
	{"169.254.169.254", false},
	{"172.16.0.1", false},
	{"172.31.255.255", false},
	{"192.168.0.1", false},
	{"198.18.0.1", false},
	{"192.0.2.1", false},
	{"224.0.0.1", false},
	{"255.255.255.255", false},
	{"240.0.0.1", false},
	{"2606:2800:220:1::1", true},
	{"2001:4860:4860::8888", true},
	{"::1", false},
	{"::", false},
	{"fe80::1", false},
	{"fc00::1", false},
	{"fd12:3456::1", false},
	{"fec0::1", false},
	{"ff02::1", false},
	{"2001:db8::1", false},
	{"2001::1", false},
	{"::ffff:127.0.0.1", false},
	{"::ffff:10.0.0.1", false},
	{"::ffff:8.8.8.8", true},
	{"64:ff9b::10.0.0.1", false},
	{"64:ff9b::8.8.8.8", true},
	{"2002:7f00:1::1", false},
	{"2002:808:808::1", true},
	{"100::1", false},
	{"4000::1", false},
};

static void addresses(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(address_rows) / sizeof(address_rows[0]); i++) {
		struct sockaddr_storage at = {0};
		struct sockaddr_in in = {.sin_family = AF_INET};
		struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

		if (inet_pton(AF_INET, address_rows[i].text, &in.sin_addr) == 1) {
			memcpy(&at, &in, sizeof(in));
		} else {
			assert_int_equal(inet_pton(AF_INET6, address_rows[i].text, &in6.sin6_addr),
			                 1);
			memcpy(&at, &in6, sizeof(in6));
		}
		if (fetch_address_public((const struct sockaddr *)&at) != address_rows[i].good)
			fail_msg("%s", address_rows[i].text);
	}
	assert_false(fetch_address_public(&(struct sockaddr){.sa_family = AF_UNIX}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(urls),
		cmocka_unit_test(addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
