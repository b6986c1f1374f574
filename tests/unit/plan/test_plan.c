/* Submissions: each complaint by an example, and what good ones become. */
#include "tests/unit/plan/world.h"

#include "common/jx.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct suites *suites;

static struct plan *plan_of(const char *text, struct jx_errors *errors, json_t **doc)
{
	struct plan_world world = test_world(suites);
	struct submission submission;
	struct err err = {0};

	*doc = jx_parse(text, strlen(text), 1 << 20, &err);
	if (!*doc)
		fail_msg("%s: %s", text, err.text);
	(void)submission_read(*doc, &submission, errors);
	return plan_make(&submission, &world, errors);
}

#define REST      ",\"boards\":{\"cache\":[\"vivt\"]},\"suite\":\"s\"}"
#define BASE      "{\"builds\":[\"base\"]"
#define BOARDS(s) BASE ",\"suite\":\"s\",\"boards\":" s "}"

/* Each complaint is "pointer: detail", as in the row, and there are no others. */
static const struct {
	const char *text, *says[6];
} refused[] = {
	{"{}", {"/builds: is required", "/boards: is required", "/suite: is required"}},
	{"[]", {": must be an object", "/builds: is required", NULL}},
	{BASE ",\"colour\":1,\"priority\":101,\"repetitions\":\"x\",\"each\":\"host\"" REST,
         {"/colour: unknown field", "/priority: must be -100 to 100",
          "/repetitions: must be an integer", "/each: must be class or board"}},
	{"{\"builds\":[\"base\"],\"builds_by_cache\":{\"vivt\":[\"base\"]}" REST,
         {"/builds_by_cache: give builds or builds_by_cache, not both"}},
	{"{\"builds\":[\"base\",\"nope\",99,0,true]" REST,
         {"/builds/1: no such build 'nope'", "/builds/2: no such build 99",
          "/builds/3: must be the id or the name", "/builds/4: must be the id or the name"}},
	{"{\"builds\":[]" REST, {"/builds: must be 1 to 16 items"}},
	{"{\"builds_by_cache\":{\"vivt\":[\"base\",\"patched\"],\"vvt\":[\"base\"]}" REST,
         {"/builds_by_cache/vvt: no such cache class 'vvt'",
          "/builds_by_cache/vvt: has 1 builds where a class before it has 2",
          "/builds_by_cache/vvt: the selector matches no board of this class"}},
	{"{\"builds_by_cache\":{\"vivt\":[\"base\"]},\"suite\":\"s\",\"boards\":{\"cache\":[\"vivt\","
         "\"vipt-aliasing\"]}}",
         {"/builds_by_cache: no builds for class vipt-aliasing, which board 'n810' has"}},
	{"{\"builds_by_cache\":{\"vivt\":\"base\"}" REST,
         {"/builds_by_cache/vivt: must be an array of 1 to 16 builds"}},
	{BASE ",\"labels\":[\"a\",\"b\"]" REST, {"/labels: has 2 labels for 1 builds"}},
	{"{\"builds\":[1,2],\"labels\":[\"a\",\"a\"]" REST, {"/labels/1: 'a' is there twice"}},
	{BASE ",\"tests\":[\"a-*\",\"b-*\",\"\"]" REST, {"/tests/2: must be a string"}},
	{BASE ",\"tests\":[\"a-*\",\"b-*\"]" REST, {"/tests/1: suite 's' has no test 'b-*'"}},
	{BASE ",\"boards\":{\"names\":[\"q1\"]},\"suite\":\"t\"}", {"/suite: no such suite 't'"}},
	{BASE ",\"iterations\":0" REST, {"/iterations: must be 1 to 1000000"}},
	{BASE ",\"repetitions\":1000,\"limits\":{\"boot_s\":0,\"x\":1}" REST,
         {"/limits/boot_s: must be 1 to 3600", "/limits/x: unknown field"}},
	{BOARDS("{\"names\":[\"q1\",\"zz\"]}"), {"/boards/names/1: no such board 'zz'"}},
	{BOARDS("{\"cache\":[\"vivd\"]}"), {"/boards/cache/0: no such cache class 'vivd'"}},
	{BOARDS("{\"cache\":[\"pipt\"]}"),
         {"/boards: matches no board: the farm has none of this"}},
	{BOARDS("{\"kinds\":[\"real\"]}"), {"/boards/kinds/0: no such kind 'real'"}},
	{BOARDS("{\"kinds\":[\"builder\"]}"), {"/boards/kinds/0: no such kind 'builder'"}},
	{BOARDS("{\"names\":[\"bob\",\"q1\"]}"),
         {"/boards/names/0: 'bob' makes kernels, it tests none"}},
	{"{\"builds\":[\"coming\",\"broken\"]" REST,
         {"/builds/1: build 'broken' could not be made"}},
	{BASE
         ",\"flavour\":\"ref\",\"controls\":[],\"base\":{},\"revisions\":[1],\"commits\":true" REST,
         {"/base: goes with series only", "/revisions: goes with series only",
          "/controls: goes with series only", "/commits: goes with series only",
          "/flavour: goes with series only"}},
	{BASE ",\"rounds\":9,\"until\":{\"decided\":true,\"max_rounds\":3}" REST,
         {"/until/max_rounds: is less than rounds"}},
	{BOARDS("{\"cache\":[\"vivt\"],\"tags\":[\"nokia\"]}"),
         {"/boards: matches no board; of this class there is: plug (vivt, physical), q1 (vivt, "
          "qemu), q2"}},
	{BOARDS("{\"tags\":[7]}"), {"/boards/tags/0: must be a string"}},
	{BOARDS("{\"colour\":[\"red\"],\"names\":[\"q1\"]}"), {"/boards/colour: unknown field"}},
	{"{\"builds\":[\"base\",\"running\"]" REST,
         {"/builds/1: build 'running' has no kernel, and board 'q1' boots one"}},
	{"{\"builds\":[\"pc-kernel\"],\"boards\":{\"names\":[\"q1\"]},\"suite\":\"s\"}",
         {"/builds/0: build 'pc-kernel' is for x86-64, and board 'q1' is armel"}},
	{"{\"builds\":[\"running\"],\"boards\":{\"names\":[\"pc\"]},\"suite\":\"s\"}",
         {"/suite: 's' has no program 's' for x86-64, which board 'pc' runs"}},
};

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		struct jx_errors errors = {0};
		SCOPED_JSON doc = NULL;
		size_t said = 0, wanted = 0;
		json_t *one;

		assert_null(plan_of(refused[i].text, &errors, &doc));
		while (wanted < 6 && refused[i].says[wanted])
			wanted++;
		json_array_foreach(errors.list, said, one)
		{
			SCOPED_STR line = xasprintf(
				"%s: %s", json_string_value(json_object_get(one, "pointer")),
				json_string_value(json_object_get(one, "detail")));
			size_t k = 0;

			while (k < wanted && !strstr(line, refused[i].says[k]))
				k++;
			if (k == wanted && i != 1)
				fail_msg("row %zu: not expected: %s", i, line);
		}
		if (i != 1)
			assert_int_equal(said, wanted);
		jx_errors_release(&errors);
	}
}

/* The suite's echo runs anywhere, but a suite with a program for armel only does not: "own" is for hosts. */
static void test_host(void **state)
{
	struct jx_errors errors = {0};
	SCOPED_JSON doc = NULL;
	struct plan *plan =
		plan_of("{\"builds\":[3],\"boards\":{\"kinds\":[\"host\"]},\"suite\":\"own\"}",
	                &errors, &doc);

	(void)state;
	assert_non_null(plan);
	assert_int_equal(plan->runs_count, 1);
	assert_string_equal(plan->runs[0].cache, "none");
	plan_free(plan);
}

static void check_run(const struct plan *plan, size_t i, size_t column, const char *build,
                      const char *cache, const char *kind, const char *boards)
{
	const struct plan_run *run = &plan->runs[i];
	SCOPED_STR names = jx_text(run->boards);

	assert_int_equal(run->column, column);
	assert_string_equal(run->build->name, build);
	assert_string_equal(run->cache, cache);
	assert_string_equal(run->kind, kind);
	assert_string_equal(names, boards);
}

/* A class is a run of each build for each kind of board: kinds never share one. */
static void test_each_class(void **state)
{
	struct jx_errors errors = {0};
	SCOPED_JSON doc = NULL;
	struct plan *plan =
		plan_of("{\"builds\":[1,\"patched\"],\"repetitions\":2,\"tests\":[\"a-*\"],"
	                "\"suite\":\"s\",\"boards\":{\"cache\":[\"vipt-aliasing\",\"vivt\"]}}",
	                &errors, &doc);
	SCOPED_STR labels = NULL;

	(void)state;
	assert_non_null(plan);
	assert_int_equal(plan->runs_count, 6);
	check_run(plan, 0, 0, "base", "vivt", "physical", "[\"plug\"]");
	check_run(plan, 1, 1, "patched", "vivt", "physical", "[\"plug\"]");
	check_run(plan, 2, 0, "base", "vivt", "qemu", "[\"q1\",\"q2\"]");
	check_run(plan, 3, 1, "patched", "vivt", "qemu", "[\"q1\",\"q2\"]");
	check_run(plan, 4, 0, "base", "vipt-aliasing", "physical", "[\"n810\"]");
	assert_int_equal(plan->planned, 4);
	labels = jx_text(plan->labels);
	assert_string_equal(labels, "[\"base\",\"patched\"]");
	assert_string_equal(
		plan->text,
		"{\"suite\":\"s\",\"version\":\"1\",\"tests\":["
		"{\"id\":0,\"name\":\"a-one\",\"rep\":1,\"kind\":\"contract\",\"time_limit_s\":60,"
		"\"argv\":[\"s\",\"run\",\"a-one\"]},"
		"{\"id\":1,\"name\":\"a-two\",\"rep\":1,\"kind\":\"gap\",\"time_limit_s\":60,"
		"\"argv\":[\"s\",\"run\",\"a-two\"]},"
		"{\"id\":2,\"name\":\"a-one\",\"rep\":2,\"kind\":\"contract\",\"time_limit_s\":60,"
		"\"argv\":[\"s\",\"run\",\"a-one\"]},"
		"{\"id\":3,\"name\":\"a-two\",\"rep\":2,\"kind\":\"gap\",\"time_limit_s\":60,"
		"\"argv\":[\"s\",\"run\",\"a-two\"]}],\"limits\":{\"boot_s\":3600,\"run_s\":3600}}");
	plan_free(plan);
}

static void test_iterations(void **state)
{
	struct jx_errors errors = {0};
	SCOPED_JSON doc = NULL;
	struct plan *plan =
		plan_of(BASE ",\"iterations\":7,\"tests\":[\"a-one\"]" REST, &errors, &doc);

	(void)state;
	assert_non_null(plan);
	assert_non_null(strstr(plan->text, ",\"iterations\":7}"));
	plan_free(plan);
}

static void test_each_board(void **state)
{
	struct jx_errors errors = {0};
	SCOPED_JSON doc = NULL;
	struct plan *plan =
		plan_of("{\"builds\":[1,1],\"each\":\"board\",\"suite\":\"s\",\"boards\":"
	                "{\"cache\":[\"vivt\"],\"kinds\":[\"qemu\"]}}",
	                &errors, &doc);
	SCOPED_STR labels = NULL;

	(void)state;
	assert_non_null(plan);
	assert_int_equal(plan->runs_count, 4);
	check_run(plan, 0, 0, "base", "vivt", "qemu", "[\"q1\"]");
	check_run(plan, 1, 1, "base", "vivt", "qemu", "[\"q1\"]");
	check_run(plan, 2, 0, "base", "vivt", "qemu", "[\"q2\"]");
	labels = jx_text(plan->labels);
	assert_string_equal(labels, "[\"base\",\"base #2\"]");
	plan_free(plan);
}

static void test_by_cache(void **state)
{
	struct jx_errors errors = {0};
	SCOPED_JSON doc = NULL;
	struct plan *plan =
		plan_of("{\"builds_by_cache\":{\"vipt-aliasing\":[\"patched\",\"base\"],\"vivt\":"
	                "[\"base\",\"patched\"]},\"builds\":null,\"suite\":\"s\",\"boards\":"
	                "{\"names\":[\"n810\",\"q1\"]}}",
	                &errors, &doc);
	SCOPED_STR labels = NULL;
	SCOPED_JSON preview = NULL;

	(void)state;
	assert_non_null(plan);
	assert_int_equal(plan->runs_count, 4);
	check_run(plan, 0, 0, "base", "vivt", "qemu", "[\"q1\"]");
	check_run(plan, 2, 0, "patched", "vipt-aliasing", "physical", "[\"n810\"]");
	labels = jx_text(plan->labels);
	assert_string_equal(labels, "[\"base/patched\",\"patched/base\"]");
	preview = plan_preview(plan);
	assert_int_equal(json_array_size(json_object_get(preview, "runs")), 4);
	plan_free(plan);
}

/* Bounds are told before memory is spent on what is beyond them. */
static void test_bounds(void **state)
{
	struct jx_errors errors = {0};
	SCOPED_JSON doc = NULL;
	SCOPED_STR text = NULL;
	static const char builds[] = "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1";

	(void)state;
	text = xasprintf("{\"builds\":[%s],\"each\":\"board\",\"repetitions\":1000,\"suite\":\"s\","
	                 "\"boards\":{\"cache\":[\"vivt\"]}}",
	                 builds);
	assert_null(plan_of(text, &errors, &doc));
	assert_int_equal(json_array_size(errors.list), 1);
	assert_non_null(
		strstr(json_string_value(json_object_get(json_array_get(errors.list, 0), "detail")),
	               "48 runs with 3000 results each"));
	jx_errors_release(&errors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),    cmocka_unit_test(test_host),
		cmocka_unit_test(test_each_class), cmocka_unit_test(test_iterations),
		cmocka_unit_test(test_each_board), cmocka_unit_test(test_by_cache),
		cmocka_unit_test(test_bounds),
	};
	int failed;

	suites = test_suites();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	suites_free(suites);
	return failed;
}
