#include "common/err.h"
#include "server/daemon/http/router.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct http_route things[] = {
	{.method = "GET", .pattern = "/api/v1/things", .operation = "list"},
	{.method = "POST", .pattern = "/api/v1/things", .operation = "create"},
	{.method = "GET", .pattern = "/api/v1/things/{id}", .operation = "get"},
	{0},
};
static const struct http_route parts[] = {
	{.method = "PUT", .pattern = "/api/v1/things/{id}/parts/{part}", .operation = "put"},
	{.method = "GET", .pattern = "/", .operation = "root"},
	{0},
};
static const struct http_route *const tables[] = {things, parts, NULL};

static void refused(const char *url, const char *why)
{
	struct path path;
	struct err err = {0};

	assert_int_equal(path_split(url, &path, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	if (!strstr(err.text, why))
		fail_msg("%s: \"%s\" does not say \"%s\"", url, err.text, why);
}

static void splits(void **state)
{
	struct path path;
	struct err err;

	(void)state;
	assert_int_equal(path_split("/", &path, &err), 0);
	assert_int_equal(path.count, 0);
	assert_string_equal(path.whole, "/");
	assert_int_equal(path_split("/api/v1/b%C3%A4r%20x", &path, &err), 0);
	assert_int_equal(path.count, 3);
	assert_string_equal(path.segment[2], "b\xc3\xa4r x");
	assert_string_equal(path.whole, "/api/v1/b\xc3\xa4r x");
	/* Decoded once: %2525 is %25, never '%'. */
	assert_int_equal(path_split("/%2525", &path, &err), 0);
	assert_string_equal(path.segment[0], "%25");
}

static void refuses(void **state)
{
	char url[3000];

	(void)state;
	refused("", "slash");
	refused("api", "slash");
	refused("//", "empty");
	refused("/a//b", "empty");
	refused("/a/", "ends with");
	refused("/a/..", "..");
	refused("/a/%2e%2E/b", "..");
	refused("/./a", "is .");
	refused("/a%2fb", "slash");
	refused("/a%00b", "control");
	refused("/a%0a", "control");
	refused("/a%7f", "control");
	refused("/a%", "escape");
	refused("/a%4", "escape");
	refused("/a%4/b", "escape");
	refused("/a%zz", "escape");
	refused("/%ff", "UTF-8");
	refused("/%c0%af", "UTF-8");
	refused("/%ed%a0%80", "UTF-8");
	refused("/1/2/3/4/5/6/7/8/9/a/b/c/d/e/f/g/h", "segments");
	memset(url, 'a', sizeof(url));
	url[0] = '/';
	url[sizeof(url) - 1] = '\0';
	refused(url, "longer");
}

static void longest(void **state)
{
	char url[PATH_BYTES];
	struct path path;
	struct err err;

	(void)state;
	memset(url, 'a', sizeof(url));
	for (size_t i = 0; i < 16; i++)
		url[i * 100] = '/';
	url[sizeof(url) - 1] = '\0';
	assert_int_equal(path_split(url, &path, &err), 0);
	assert_int_equal(path.count, 16);
	assert_string_equal(path.whole, url);
}

static const struct http_route *find(const char *method, const char *url, enum router_found want,
                                     const char *param[HTTP_PARAMS], char allow[64])
{
	static struct path path; /* param points into it */
	const struct http_route *route = NULL;
	struct err err;

	assert_int_equal(path_split(url, &path, &err), 0);
	assert_int_equal(router_find(tables, method, &path, &route, param, allow), want);
	return route;
}

static void finds(void **state)
{
	const char *param[HTTP_PARAMS];
	char allow[64];

	(void)state;
	assert_string_equal(find("GET", "/api/v1/things", ROUTER_FOUND, param, allow)->operation,
	                    "list");
	assert_null(param[0]);
	assert_string_equal(find("HEAD", "/api/v1/things/7", ROUTER_FOUND, param, allow)->operation,
	                    "get");
	assert_string_equal(param[0], "7");
	assert_null(param[1]);
	assert_string_equal(
		find("PUT", "/api/v1/things/7/parts/x", ROUTER_FOUND, param, allow)->operation,
		"put");
	assert_string_equal(param[0], "7");
	assert_string_equal(param[1], "x");
	assert_string_equal(find("GET", "/", ROUTER_FOUND, param, allow)->operation, "root");
}

static void misses(void **state)
{
	const char *param[HTTP_PARAMS];
	char allow[64];

	(void)state;
	find("GET", "/api/v1/thing", ROUTER_NO_PATH, param, allow);
	find("GET", "/api/v1/things/7/parts", ROUTER_NO_PATH, param, allow);
	find("GET", "/api/v1/things/7/parts/x/y", ROUTER_NO_PATH, param, allow);
	find("GET", "/api", ROUTER_NO_PATH, param, allow);
	assert_null(param[0]);
	find("DELETE", "/api/v1/things", ROUTER_NO_METHOD, param, allow);
	assert_string_equal(allow, "GET, HEAD, POST");
	find("get", "/api/v1/things/7", ROUTER_NO_METHOD, param, allow);
	assert_string_equal(allow, "GET, HEAD");
	find("GET", "/api/v1/things/7/parts/x", ROUTER_NO_METHOD, param, allow);
	assert_string_equal(allow, "PUT");
}

static void utf8(void **state)
{
	static const struct {
		const char *text;
		bool valid;
	} rows[] = {
		{"", true},
		{"plain", true},
		{"\xc2\x80", true},
		{"\xe2\x82\xac", true},
		{"\xf0\x9f\x98\x80", true},
		{"\xf4\x8f\xbf\xbf", true},
		{"\x80", false},
		{"\xc1\xbf", false},
		{"\xe0\x9f\xbf", false},
		{"\xed\xbf\xbf", false},
		{"\xf0\x8f\xbf\xbf", false},
		{"\xf4\x90\x80\x80", false},
		{"\xf5\x80\x80\x80", false},
		{"\xe2\x82", false},
		{"a\xe2\x82z", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (utf8_valid(rows[i].text, strlen(rows[i].text)) != rows[i].valid)
			fail_msg("row %zu", i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(splits), cmocka_unit_test(refuses), cmocka_unit_test(longest),
		cmocka_unit_test(finds),  cmocka_unit_test(misses),  cmocka_unit_test(utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
