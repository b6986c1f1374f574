/* world.h - a small farm for the tests of plans: boards of each kind, four builds, one suite "s". */
#pragma once
#include "common/err.h"
#include "common/fsio.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/plan/plan.h"
#include "server/daemon/suite.h"

#include <string.h>

static const struct plan_board test_boards[] = {
	{"bob", "builder", "none", "x86-64", "[]", false, "{\"linux\":\"/srv/linux\"}"},
	{"n810", "physical", "vipt-aliasing", "armel", "[\"nokia\"]", true, NULL},
	{"pc", "host", "none", "x86-64", "[]", false, NULL},
	{"plug", "physical", "vivt", "armel", "[\"sata\",\"marvell\"]", false, NULL},
	{"q1", "qemu", "vivt", "armel", "[\"fast\"]", true, NULL},
	{"q2", "qemu", "vivt", "armel", "[]", true, NULL},
};

static const struct plan_build test_builds[] = {
	{1, "base", "6.1.0-base", "arm", true, true, false, false},
	{2, "patched", "6.1.0-v1", "arm", true, true, false, false},
	{3, "running", NULL, "arm", false, false, false, false},
	{5, "coming", NULL, "arm", false, false, true, false},
	{6, "broken", NULL, "arm", false, false, false, true},
	{4, "pc-kernel", "6.1.0", "x86-64", true, true, false, false},
};

static inline const struct plan_build *test_find_build(void *arg, const json_t *ref)
{
	(void)arg;
	for (size_t i = 0; i < sizeof(test_builds) / sizeof(*test_builds); i++)
		if (json_is_string(ref) ? strcmp(json_string_value(ref), test_builds[i].name) == 0
		                        : json_integer_value(ref) == test_builds[i].id)
			return &test_builds[i];
	return NULL;
}

/* The suite s: a-one and a-two are run by its program, which armel boards have; echo is the board's own. */
static inline struct suites *test_suites(void)
{
	static const char text[] =
		"{\"name\":\"s\",\"version\":\"1\",\"programs\":[{\"name\":\"s\",\"arch\":\"armel\","
		"\"path\":\"/proc/self/exe\"}],\"tests\":["
		"{\"name\":\"a-one\",\"kind\":\"contract\",\"argv\":[\"s\",\"run\",\"a-one\"]},"
		"{\"name\":\"a-two\",\"kind\":\"gap\",\"argv\":[\"s\",\"run\",\"a-two\"]},"
		"{\"name\":\"echo\",\"kind\":\"info\",\"argv\":[\"echo\"],\"time_limit_s\":5}]}";
	static const char own[] =
		"{\"name\":\"own\",\"version\":\"1\",\"tests\":[{\"name\":\"echo\","
		"\"kind\":\"contract\",\"argv\":[\"echo\",\"{}\"]}]}";
	char dir[] = "/tmp/cohort-plan.XXXXXX";
	struct suites *suites = NULL;
	struct err err = {.text = "mkdtemp"};

	if (mkdtemp(dir)) {
		SCOPED_STR path = xasprintf("%s/s.json", dir);
		SCOPED_STR second = xasprintf("%s/own.json", dir);

		if (fs_replace_file(path, text, strlen(text), 0600, &err) == 0 &&
		    fs_replace_file(second, own, strlen(own), 0600, &err) == 0)
			suites = suites_load(dir, &err);
		(void)unlink(path);
		(void)unlink(second);
		(void)rmdir(dir);
	}
	if (!suites) {
		(void)fprintf(stderr, "%s\n", err.text);
		abort();
	}
	return suites;
}

static inline struct plan_world test_world(const struct suites *suites)
{
	return (struct plan_world){.suites = suites,
	                           .boards = test_boards,
	                           .boards_count = sizeof(test_boards) / sizeof(*test_boards),
	                           .build = test_find_build};
}
