/* test_prove.c - what proves a kernel, and what the fault says when it is another one. */
#include "server/board/prove.h"

#include "common/err.h"
#include "common/scoped.h"
#include "server/board/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define VIVT "CPU: VIVT data cache, VIVT instruction cache"

struct row {
	const char *release, *build_id; /* wanted */
	enum cache_class declared;
	const char *has_release, *has_build_id, *line, *console;
	const char *fault, *word; /* the fault, and a word of its text */
};

static void test_table(void **state)
{
	static const struct row rows[] = {
		{"6.1-a", "aa", CACHE_VIVT, "6.1-a", "aa", VIVT, NULL, NULL, NULL},
		{NULL, NULL, CACHE_VIVT, "6.1-a", NULL, VIVT, NULL, NULL, NULL},
		{NULL, NULL, CACHE_NONE, "6.1-a", "aa", NULL, NULL, NULL, NULL},
		{"6.1-b", "aa", CACHE_VIVT, "6.1-a", "aa", VIVT, NULL, "wrong-release", "6.1-b"},
		{"6.1-b", "aa", CACHE_VIVT, "6.1-a", "aa", VIVT, NULL, "wrong-release", "6.1-a"},
		{"6.1-a", "bb", CACHE_VIVT, "6.1-a", "aa", VIVT, NULL, "wrong-build-id", "bb"},
		{"6.1-a", "bb", CACHE_VIVT, "6.1-a", NULL, VIVT, NULL, "wrong-build-id", "(none)"},
		{NULL, NULL, CACHE_VIPT_ALIASING, "6.1-a", "aa", VIVT, NULL, "wrong-cache-class",
	         "VIVT data"},
		{NULL, NULL, CACHE_VIVT, "6.1-a", "aa", NULL, NULL, "wrong-cache-class", "no line"},
		{NULL, NULL, CACHE_VIVT, "6.1-a", "aa", NULL, "[    0.000000] " VIVT, NULL, NULL},
		{NULL, NULL, CACHE_NONE, "6.1-a", "aa", VIVT, NULL, "wrong-cache-class", "none"},
		{NULL, NULL, CACHE_PIPT, "6.1-a", "aa",
	         "CPU: PIPT / VIPT nonaliasing data cache, PIPT instruction cache", NULL, NULL,
	         NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct row *row = &rows[i];
		struct request r = {
			.release = row->release, .build_id = row->build_id, .build_name = "k"};
		SCOPED_JSON facts =
			json_pack("{s:s, s:s?, s:s?}", "release", row->has_release, "build_id",
		                  row->has_build_id, "cache_line", row->line);
		struct err err = {0};
		struct proof proof = prove(&r, row->declared, facts, row->console, &err);

		if (!row->fault != !proof.fault ||
		    (row->fault && strcmp(row->fault, proof.fault) != 0))
			fail_msg("row %zu: %s", i, proof.fault ? proof.fault : "good");
		if (row->word && !strstr(err.text, row->word))
			fail_msg("row %zu: %s", i, err.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_table)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
