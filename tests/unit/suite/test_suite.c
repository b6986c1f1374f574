/* Suite files: what is read, and each way that one can be wrong. */
#include "server/daemon/suite.h"

#include "common/err.h"
#include "common/fsio.h"
#include "common/scoped.h"
#include "common/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct place {
	char dir[64];
};

static char *file_in(const struct place *p, const char *name)
{
	return xasprintf("%s/%s", p->dir, name);
}

static void put(const struct place *p, const char *name, const char *text)
{
	SCOPED_STR path = file_in(p, name);
	struct err err = {0};

	assert_int_equal(fs_replace_file(path, text, strlen(text), 0600, &err), 0);
}

static int set_up(void **state)
{
	struct place *p = xcalloc(1, sizeof(*p));

	(void)snprintf(p->dir, sizeof(p->dir), "/tmp/cohort-suites.XXXXXX");
	if (!mkdtemp(p->dir))
		return -1;
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;
	static const char *const names[] = {"s.json", "a.json", "prog", "notes.txt"};

	for (unsigned i = 0; i < 4; i++) {
		SCOPED_STR path = file_in(p, names[i]);

		(void)unlink(path);
	}
	(void)rmdir(p->dir);
	free(p);
	return 0;
}

static void test_load(void **state)
{
	const struct place *p = *state;
	struct err err = {0};
	struct suites *suites;
	const struct suite *s;

	put(p, "prog", "abc");
	put(p, "notes.txt", "no suite");
	put(p, "s.json",
	    "{\"name\":\"s\",\"version\":\"2\",\"programs\":[{\"name\":\"s\",\"arch\":\"armel\","
	    "\"path\":\"prog\"}],\"tests\":[{\"name\":\"one\",\"kind\":\"gap\",\"argv\":[\"s\",\"run\"],"
	    "\"classes\":[\"vivt\"],\"cells\":[\"u=dirty\"]},{\"name\":\"two\",\"kind\":\"contract\","
	    "\"time_limit_s\":5,\"output\":\"ktap\",\"argv\":[\"true\"]}]}");
	put(p, "a.json",
	    "{\"name\":\"a\",\"version\":\"1\",\"tests\":[{\"name\":\"t\",\"kind\":\"info\",\"argv\":[\"x\"]}]}");
	suites = suites_load(p->dir, &err);
	if (!suites)
		fail_msg("%s", err.text);
	assert_string_equal(suite_at(suites, 0)->name, "a");
	assert_string_equal(suite_at(suites, 1)->name, "s");
	assert_null(suite_at(suites, 2));
	assert_null(suite_find(suites, "nope"));
	s = suite_find(suites, "s");
	assert_int_equal(s->tests_count, 2);
	assert_int_equal(s->tests[0].time_limit_s, 60);
	assert_string_equal(json_string_value(json_array_get(s->tests[0].cells, 0)), "u=dirty");
	assert_int_equal(json_array_size(s->tests[1].classes), 0);
	assert_int_equal(s->tests[1].time_limit_s, 5);
	assert_string_equal(s->tests[0].output, "records");
	assert_string_equal(s->tests[1].output, "ktap");
	assert_int_equal(s->programs_count, 1);
	assert_int_equal(s->programs[0].size, 3);
	assert_string_equal(s->programs[0].sha256,
	                    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	suites_free(suites);
}

#define TEST(more)   "{\"name\":\"t\",\"kind\":\"contract\",\"argv\":[\"x\"]" more "}"
#define SUITE(tests) "{\"name\":\"s\",\"version\":\"1\",\"tests\":[" tests "]}"

#define KNOWN(test, cache)                                                                         \
	"{\"name\":\"s\",\"version\":\"1\",\"tests\":[" TEST(                                      \
		"") "],\"known\":[{\"test\":\"" test "\",\"cells\":[\"*\"],\"caches\":[\"" cache   \
		    "\"],\"why\":\"w\"}]}"

static void test_refused(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{"{", "s.json: line 1"},
		{"[]", "must be an object"},
		{SUITE(""), "/tests: must be 1 to"},
		{"{\"name\":\"other\",\"version\":\"1\",\"tests\":[" TEST("") "]}",
	         "/name: 'other' must be the name of the file"},
		{SUITE(TEST("") "," TEST("")), "/tests/1: test 't' is there twice"},
		{KNOWN("none", "vivt"), "/known/0: the suite has no test 'none'"},
		{KNOWN("t", "vvt"), "/known/0/caches: no such cache class 'vvt'"},
		{SUITE(TEST(",\"cells\":[1]")), "/tests/0/cells/0: must be a string"},
		{SUITE(TEST(",\"classes\":[\"vvt\"]")), "no such cache class 'vvt'"},
		{SUITE(TEST(",\"time_limit_s\":0")), "/tests/0/time_limit_s: must be 1 to 3600"},
		{SUITE(TEST(",\"output\":\"tap\"")), "output 'tap': it is records or ktap"},
		{SUITE(TEST(",\"colour\":1")), "/tests/0/colour: unknown field"},
		{SUITE("{\"name\":\"t\",\"kind\":\"promise\",\"argv\":[\"x\"]}"),
	         "kind 'promise': it is contract, gap or info"},
		{SUITE("{\"name\":\"a b\",\"kind\":\"gap\",\"argv\":[\"x\"]}"), "'a b' is no name"},
		{SUITE("{\"name\":\"t\",\"kind\":\"gap\",\"argv\":[]}"),
	         "/tests/0/argv: must be 1 to"},
		{"{\"name\":\"s\",\"version\":\"1\",\"tests\":[" TEST(
			 "") "],\"programs\":[{\"name\":"
	                     "\"p\",\"arch\":\"armel\",\"path\":\"gone\"}]}",
	         "gone"},
		{"{\"name\":\"s\",\"version\":\"1\",\"tests\":[" TEST(
			 "") "],\"programs\":[{\"name\":"
	                     "\"p\",\"arch\":\"sparc\",\"path\":\"gone\"}]}",
	         "arch 'sparc'"},
	};
	const struct place *p = *state;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct err err = {0};

		put(p, "s.json", rows[i].text);
		assert_null(suites_load(p->dir, &err));
		if (!strstr(err.text, rows[i].says) || !strstr(err.text, "s.json"))
			fail_msg("row %u: '%s' does not say '%s'", i, err.text, rows[i].says);
	}
}

static void test_no_directory(void **state)
{
	struct err err = {0};

	(void)state;
	assert_null(suites_load("/nowhere/suites", &err));
	assert_non_null(strstr(err.text, "/nowhere/suites"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_load, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
		cmocka_unit_test(test_no_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
