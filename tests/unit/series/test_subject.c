/* The brackets of a subject. */
#include "common/scoped.h"
#include "server/daemon/series/subject.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void subjects(void **state)
{
	static const struct {
		const char *text, *title, *prefix;
		bool patch, reply, resend;
	} rows[] = {
		{"[PATCH] one", "one", "[PATCH]", true, false, false},
		{"[PATCH v3 2/7] ARM: flush", "ARM: flush", "[PATCH v3 2/7]", true, false, false},
		{"[PATCH RFC v3 2/7] x", "x", "[PATCH RFC v3 2/7]", true, false, false},
		{"[RFC PATCH v2 01/12] x", "x", "[PATCH RFC v2 1/12]", true, false, false},
		{"[RFC/PATCH v2] x", "x", "[PATCH RFC v2]", true, false, false},
		{"[RFC v2 0/3] x", "x", "[PATCH RFC v2 0/3]", true, false, false},
		{"[PATCHv2 1/1] x", "x", "[PATCH v2 1/1]", true, false, false},
		{"[PATCH net-next V4 1/2] x", "x", "[PATCH v4 1/2]", true, false, false},
		{"[RESEND PATCH v3 1/2] x", "x", "[PATCH v3 1/2]", true, false, true},
		{"[PATCH] [ARM] mm: x", "mm: x", "[PATCH]", true, false, false},
		{"[tip: core] [PATCH 2/2] x", "x", "[PATCH 2/2]", true, false, false},
		{"Re: [PATCH v2 1/2] x", "x", "[PATCH v2 1/2]", true, true, false},
		{"RE: Fwd: re: [PATCH] x", "x", "[PATCH]", true, true, false},
		{"x: [PATCH] in it", "x: [PATCH] in it", "[PATCH]", false, false, false},
		{"[PATCH 3/2] x", "x", "[PATCH]", true, false, false},
		{"[PATCH 1/0] x", "x", "[PATCH]", true, false, false},
		{"[PATCH v0] x", "x", "[PATCH]", true, false, false},
		{"[PATCH v99999999999999999999 1/99999999999999] x", "x", "[PATCH]", true, false,
	         false},
		{"[PATCH v2.1 1/2] x", "x", "[PATCH 1/2]", true, false, false},
		{"[PATCH  a\tb\n c", "[PATCH a b c", "[PATCH]", false, false, false},
		{"[] x", "x", "[PATCH]", false, false, false},
		{"[PATCH]", "", "[PATCH]", true, false, false},
		{"", "", "[PATCH]", false, false, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct subject s;
		SCOPED_STR prefix = NULL;

		subject_parse(rows[i].text, &s);
		prefix = subject_prefix(&s);
		assert_string_equal(s.title, rows[i].title);
		assert_string_equal(prefix, rows[i].prefix);
		assert_int_equal(s.patch, rows[i].patch);
		assert_int_equal(s.reply, rows[i].reply);
		assert_int_equal(s.resend, rows[i].resend);
		subject_release(&s);
	}
}

static void slugs(void **state)
{
	static const char *const rows[][2] = {
		{"ARM: Handle user space mapped pages", "arm-handle-user-space-mapped-pages"},
		{"  --x__y.. ", "x-y"},
		{"\xc3\xa9t\xc3\xa9", "t"},
		{"\xc3\xa9", "series"},
		{"", "series"},
		{"0123456789 0123456789 0123456789 0123456 X",
	         "0123456789-0123456789-0123456789-0123456"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		SCOPED_STR slug = subject_slug(rows[i][0]);

		assert_string_equal(slug, rows[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(subjects),
		cmocka_unit_test(slugs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
