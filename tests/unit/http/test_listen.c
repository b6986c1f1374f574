#include "common/err.h"
#include "server/daemon/http/listen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

static void parses(void **state)
{
	static const struct {
		const char *text, *host;
		int port;
		bool loopback;
	} rows[] = {
		{"127.0.0.1:8080", "127.0.0.1", 8080, true},
		{"127.9.9.9:0", "127.9.9.9", 0, true},
		{"localhost:1", "127.0.0.1", 1, true},
		{"[::1]:65535", "[::1]", 65535, true},
		{"[::ffff:127.0.0.1]:1", "[::ffff:127.0.0.1]", 1, true},
		{"0.0.0.0:80", "0.0.0.0", 80, false},
		{"[::]:80", "[::]", 80, false},
		{"[::ffff:10.0.0.1]:1", "[::ffff:10.0.0.1]", 1, false},
		{"192.168.1.2:80", "192.168.1.2", 80, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct listener l;
		struct err err = {0};

		if (listen_parse(rows[i].text, &l, &err) < 0)
			fail_msg("%s: %s", rows[i].text, err.text);
		assert_string_equal(l.host, rows[i].host);
		assert_int_equal(l.port, rows[i].port);
		assert_int_equal(l.loopback, rows[i].loopback);
		assert_int_equal(l.fd, -1);
	}
}

static void refuses(void **state)
{
	static const char *const bad[] = {"",
	                                  "8080",
	                                  "127.0.0.1",
	                                  "127.0.0.1:",
	                                  "127.0.0.1:x",
	                                  "127.0.0.1:-1",
	                                  "farm:80",
	                                  ":80",
	                                  "::1:80",
	                                  "127.0.0.1:65536",
	                                  "[::1:80",
	                                  "[]:80",
	                                  "127.1:80",
	                                  "127.0.0.1:8 0"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct listener l;
		struct err err = {0};

		if (listen_parse(bad[i], &l, &err) == 0)
			fail_msg("%s", bad[i]);
		assert_int_equal(err.kind, ERR_INVALID);
	}
}

static void opens(void **state)
{
	struct listener one, two;
	struct err err = {0};
	char text[64];

	(void)state;
	assert_int_equal(listen_open("127.0.0.1:0", &one, &err), 0);
	assert_true(one.port > 0);
	(void)snprintf(text, sizeof(text), "127.0.0.1:%d", one.port);
	assert_int_equal(listen_open(text, &two, &err), -1);
	assert_int_equal(err.kind, ERR_IO);
	(void)close(one.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses),
		cmocka_unit_test(refuses),
		cmocka_unit_test(opens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
