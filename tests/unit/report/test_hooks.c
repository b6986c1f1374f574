/* hooks.c: the signature against the published vectors of HMAC-SHA256 (RFC 4231, cases 1 and 2). */
#include "server/daemon/report/hooks.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_sign(void **state)
{
	static const struct {
		const char *secret, *body, *mac;
	} rows[] = {
		{"\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b",
	         "Hi There",
	         "sha256=b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
		{"Jefe", "what do ya want for nothing?",
	         "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
	};

	(void)state;
	assert_true(sodium_init() >= 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char mac[72];

		hook_sign(rows[i].secret, rows[i].body, strlen(rows[i].body), mac);
		assert_string_equal(mac, rows[i].mac);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_sign)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
