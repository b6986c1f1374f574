/* Studies: the columns of a series, the kernels that they need, the order of their runs. */
#include "tests/unit/plan/world.h"

#include "common/jx.h"
#include "server/daemon/recipe/controls.h"
#include "server/daemon/recipe/kernels.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define ROW(name, cache)                                                                           \
	"{\"name\":\"" name "\",\"flavour\":\"ref\",\"cache\":\"" cache                            \
	"\",\"fragments\":[\"a.frag\"],\"arch\":\"arm\",\"cross\":\"\",\"targets\":[\"zImage\"],"  \
	"\"collect\":{\"kernel\":\"zImage\"}}"

static struct suites *suites;
static struct kernels *kernels;
static struct controls *controls;
static struct plan_revision revisions[3];
static struct plan_series series = {.id = 7, .name = "flush", .revisions = revisions, .count = 3};

static void put(const char *dir, const char *name, const char *text)
{
	SCOPED_STR path = xasprintf("%s/%s", dir, name);
	struct err err;

	assert_int_equal(fs_replace_file(path, text, strlen(text), 0600, &err), 0);
}

/* Make DIR with the files (name, text ... NULL), give it to fn, remove it. */
static void *from_files(void *(*fn)(const char *dir, struct err *err), ...)
{
	char dir[] = "/tmp/cohort-study.XXXXXX";
	struct err err = {0};
	const char *name;
	void *loaded;
	va_list ap;

	assert_non_null(mkdtemp(dir));
	va_start(ap, fn);
	while ((name = va_arg(ap, const char *)))
		put(dir, name, va_arg(ap, const char *));
	va_end(ap);
	loaded = fn(dir, &err);
	if (!loaded)
		print_error("%s\n", err.text);
	va_start(ap, fn);
	while ((name = va_arg(ap, const char *))) {
		SCOPED_STR path = xasprintf("%s/%s", dir, name);

		(void)va_arg(ap, const char *);
		(void)unlink(path);
	}
	va_end(ap);
	(void)rmdir(dir);
	return loaded;
}

static void *load_kernels(const char *dir, struct err *err)
{
	return kernels_load(dir, err);
}

static void *load_controls(const char *dir, struct err *err)
{
	return controls_load(dir, err);
}

static void *load_suites(const char *dir, struct err *err)
{
	return suites_load(dir, err);
}

/* v1 has one patch, v2 two, v3 one and another base. */
static int load(void **state)
{
	static const char *const patches[] = {"[\"p1\"]", "[\"p1\",\"p2\"]", "[\"p3\"]"};
	static const char *const labels[] = {"v1", "v2", "v3"};

	(void)state;
	kernels =
		from_files(load_kernels, "kernels.json",
	                   "{\"flavours\":[" ROW("v5", "vivt") "," ROW("v6", "vipt-aliasing") "]}",
	                   "a.frag", "CONFIG_A=y\n", NULL);
	controls = from_files(
		load_controls, "controls.json",
		"{\"controls\":[{\"name\":\"m1\",\"kind\":\"control\",\"title\":\"t\",\"kernels\":["
		"\"v5\"],\"expected\":{\"vivt\":{\"kills\":[\"a-one:cells\"]}}}]}",
		"m1.patch", "--- a/x\n+++ b/x\n", NULL);
	suites = from_files(
		load_suites, "kernel-build.json",
		"{\"name\":\"kernel-build\",\"version\":\"1\",\"tests\":[{\"name\":\"tree\",\"kind\":"
		"\"contract\",\"argv\":[\"kbuild\",\"tree\",\"file:recipe.json\",\"tree:\"]}]}",
		"git.json",
		"{\"name\":\"git\",\"version\":\"1\",\"tests\":[{\"name\":\"resolve\",\"kind\":"
		"\"contract\",\"argv\":[\"kbuild\",\"resolve\",\"file:question.json\",\"tree:\"]}]}",
		"s.json",
		"{\"name\":\"s\",\"version\":\"1\",\"tests\":[{\"name\":\"a-one\",\"kind\":"
		"\"contract\",\"argv\":[\"x\"]},{\"name\":\"a-two\",\"kind\":\"contract\",\"argv\":["
		"\"x\"]}]}",
		NULL);
	for (size_t i = 0; i < 3; i++)
		revisions[i] = (struct plan_revision){.id = 10 + (int64_t)i,
		                                      .version = 1 + (int64_t)i,
		                                      .label = labels[i],
		                                      .base_commit = i == 2 ? "v6.2" : "v6.1",
		                                      .patches = json_loads(patches[i], 0, NULL)};
	return kernels && controls && suites ? 0 : -1;
}

static int unload(void **state)
{
	(void)state;
	kernels_free(kernels);
	controls_free(controls);
	suites_free(suites);
	for (size_t i = 0; i < 3; i++)
		json_decref(revisions[i].patches);
	return 0;
}

static const struct plan_series *find_series(void *arg, const json_t *ref)
{
	(void)arg;
	return json_is_string(ref) ? strcmp(json_string_value(ref), "flush") == 0 ? &series : NULL
	       : json_integer_value(ref) == 7 ? &series
	                                      : NULL;
}

static struct plan_world study_world(void)
{
	struct plan_world world = test_world(suites);

	world.kernels = kernels;
	world.controls = controls;
	world.series = find_series;
	return world;
}

static struct plan *plan_of(const char *text, struct jx_errors *errors, json_t **doc)
{
	struct plan_world world = study_world();
	struct submission submission;
	struct err err = {0};

	*doc = jx_parse(text, strlen(text), 1 << 20, &err);
	if (!*doc)
		fail_msg("%s: %s", text, err.text);
	(void)submission_read(*doc, &submission, errors);
	return plan_make(&submission, &world, errors);
}

#define STUDY(more)                                                                                \
	"{\"series\":\"flush\",\"suite\":\"s\",\"boards\":{\"kinds\":[\"qemu\"],\"cache\":["       \
	"\"vivt\"]}" more "}"

/* The recipe's patches of the i-th run, as text. */
static char *patches_of(const struct plan *plan, size_t i)
{
	SCOPED_JSON recipe = json_loads(plan->recipes[plan->runs[i].recipe].recipe.text, 0, NULL);

	return jx_text(json_object_get(recipe, "patches"));
}

/* Rounds are outermost, base is first, controls are last; a recipe stands once. */
static void test_order(void **state)
{
	struct jx_errors errors = {0};
	SCOPED_JSON doc = NULL;
	struct plan *plan =
		plan_of(STUDY(",\"revisions\":[\"v1\",2],\"controls\":[\"m1\"],\"rounds\":2"),
	                &errors, &doc);
	static const char *const want[] = {"[]", "[\"p1\"]", "[\"p1\",\"p2\"]"};
	SCOPED_STR labels = NULL;

	(void)state;
	assert_non_null(plan);
	assert_int_equal(plan->runs_count, 8);
	assert_int_equal(plan->recipes_count, 4);
	assert_int_equal(plan->series, 7);
	labels = jx_text(plan->labels);
	assert_string_equal(labels, "[\"base\",\"v1\",\"v2\",\"m1\"]");
	for (size_t i = 0; i < 8; i++) {
		SCOPED_STR patches = patches_of(plan, i);

		assert_int_equal(plan->runs[i].column, i % 4);
		assert_int_equal(plan->runs[i].round, 1 + i / 4);
		assert_int_equal(plan->runs[i].recipe, i % 4);
		if (i % 4 < 3)
			assert_string_equal(patches, want[i % 4]);
	}
	assert_non_null(strstr(plan->build_text, "\"tree:linux\""));
	assert_non_null(strstr(plan->recipes[2].recipe.text, "\"previous\":[\"p1\"]"));
	assert_null(strstr(plan->recipes[1].recipe.text, "previous"));
	assert_int_equal(plan->recipes[2].revision, 11);
	assert_string_equal(plan->recipes[2].name, "flush-v2-v5");
	plan_free(plan);
}

/* Columns for each patch: v2.1 is what v1 is, so there is one kernel for both. */
static void test_commits(void **state)
{
	struct jx_errors errors = {0};
	SCOPED_JSON doc = NULL;
	struct plan *plan =
		plan_of(STUDY(",\"commits\":true,\"base\":{\"commit\":\"v6.1\"}"), &errors, &doc);
	SCOPED_STR labels = NULL;

	(void)state;
	assert_non_null(plan);
	labels = jx_text(plan->labels);
	assert_string_equal(labels, "[\"base\",\"v1\",\"v2.1\",\"v2\",\"v3\"]");
	assert_int_equal(plan->runs_count, 5);
	assert_int_equal(plan->recipes_count, 4);
	assert_int_equal(plan->runs[1].recipe, plan->runs[2].recipe);
	plan_free(plan);
}

/* A control runs where it must fail something that is tested. */
static void test_controls(void **state)
{
	struct jx_errors errors = {0};
	SCOPED_JSON doc = NULL;
	struct plan *plan =
		plan_of("{\"series\":7,\"suite\":\"s\",\"boards\":{\"names\":[\"q1\",\"n810\"]},"
	                "\"revisions\":[\"v1\"],\"controls\":[\"m1\"]}",
	                &errors, &doc);
	SCOPED_STR expect = NULL;

	(void)state;
	assert_non_null(plan);
	assert_int_equal(plan->runs_count, 5); /* three on VIVT, two on aliasing VIPT */
	expect = jx_text(json_object_get(json_array_get(plan->columns, 2), "expect"));
	assert_string_equal(expect, "{\"vivt\":[\"a-one:cells\"]}");
	plan_free(plan);
}

static const struct {
	const char *text, *says[3];
} refused[] = {
	{STUDY(""), {"/base/commit: is required: the revisions have different bases"}},
	{STUDY(",\"revisions\":[3,3,\"v9\"]"),
         {"/revisions/1: is there twice", "/revisions/2: series 'flush' has no revision \"v9\""}},
	{STUDY(",\"revisions\":[1],\"base\":{\"tree\":\"linus\"}"),
         {"/base/tree: no builder has a tree 'linus'; there is: linux"}},
	{STUDY(",\"revisions\":[1],\"flavour\":\"dbg\""),
         {"/flavour: no flavour 'dbg' for class vivt, which board 'q1' has"}},
	{STUDY(",\"revisions\":[1],\"controls\":[\"m1\"],\"tests\":[\"a-two\"]"),
         {"/controls: 'm1' must fail nothing in this study"}},
	{"{\"series\":\"flush\",\"revisions\":[1],\"suite\":\"s\",\"boards\":{\"names\":[\"plug\"]}}",
         {"/boards: board 'plug' runs the kernel that it has"}},
	{"{\"series\":8,\"suite\":\"s\",\"boards\":{\"names\":[\"q1\"]}}",
         {"/series: no such series 8"}},
	{"{\"series\":[],\"suite\":\"s\",\"boards\":{\"names\":[\"q1\"]}}",
         {"/series: must be the id or the name of a series"}},
};

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct jx_errors errors = {0};
		SCOPED_JSON doc = NULL;
		struct err err;
		size_t wanted = 0;

		assert_null(plan_of(refused[i].text, &errors, &doc));
		(void)jx_errors_to_err(&errors, &err);
		for (; wanted < 3 && refused[i].says[wanted]; wanted++)
			if (!strstr(err.text, refused[i].says[wanted]))
				fail_msg("row %zu: %s", i, err.text);
		if (errors.count != wanted)
			fail_msg("row %zu: %s", i, err.text);
		jx_errors_release(&errors);
	}
}

/* The first patches of a revision, by hand: the same kernel as in a study with its commits. */
static void test_by_hand(void **state)
{
	struct plan_world world = study_world();
	struct jx_errors errors = {0};
	SCOPED_JSON doc = json_pack("{s:s, s:i, s:i, s:s}", "series", "flush", "revision", 2,
	                            "patches", 1, "flavour", "v5");
	SCOPED_JSON wrong =
		json_pack("{s:s, s:i, s:s}", "series", "flush", "patches", 1, "flavour", "v9");
	struct plan *plan = plan_make_build(doc, &world, &errors);
	SCOPED_JSON study_doc = NULL;
	struct plan *study =
		plan_of(STUDY(",\"commits\":true,\"revisions\":[2]"), &errors, &study_doc);

	(void)state;
	assert_non_null(plan);
	assert_non_null(study);
	assert_int_equal(plan->runs_count, 0);
	assert_string_equal(plan->recipes[0].recipe.sha256, study->recipes[1].recipe.sha256);
	plan_free(plan);
	plan_free(study);
	assert_null(plan_make_build(wrong, &world, &errors));
	assert_int_equal(errors.count, 2); /* no revision; no such flavour */
	jx_errors_release(&errors);
}

/* A base with a name: what it is will be asked, by the step that finds it out, and no recipe has its digits yet. */
static void test_named_base(void **state)
{
	static const char id[] = "0123456789abcdef0123456789abcdef01234567";
	struct jx_errors errors = {0};
	SCOPED_STR text = xasprintf(STUDY(",\"revisions\":[1],\"base\":{\"commit\":\"%s\"}"), id);
	SCOPED_JSON named_doc = NULL;
	SCOPED_JSON id_doc = NULL;
	SCOPED_JSON ask = NULL;
	struct plan *named = plan_of(STUDY(",\"revisions\":[1]"), &errors, &named_doc);
	struct plan *whole = plan_of(text, &errors, &id_doc);
	const json_t *argv;

	(void)state;
	assert_non_null(named);
	assert_non_null(whole);
	assert_true(named->recipes[0].unresolved);
	assert_string_equal(named->recipes[0].name, "linux-base-v5");
	ask = json_loads(named->ask_text, 0, NULL);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(ask, "question"), "commit")),
		"v6.1");
	argv = json_object_get(json_array_get(json_object_get(ask, "tests"), 0), "argv");
	assert_string_equal(json_string_value(json_array_get(argv, 3)), "tree:linux");
	assert_null(whole->ask_text);
	assert_false(whole->recipes[0].unresolved);
	assert_true(strncmp(whole->recipes[0].name, "linux-base-v5-", 14) == 0);
	assert_int_equal(strlen(whole->recipes[0].name), 14 + RECIPE_DIGITS);
	plan_free(named);
	plan_free(whole);
}

static void test_narrow(void **state)
{
	struct jx_errors errors = {0};
	SCOPED_JSON doc = NULL;
	struct plan *plan = plan_of(STUDY(",\"revisions\":[1],\"repetitions\":2"), &errors, &doc);
	SCOPED_JSON names = json_pack("[s, s]", "a-two", "gone");
	SCOPED_JSON none = json_array();
	SCOPED_JSON narrow = NULL;
	SCOPED_STR text = NULL;
	size_t planned, i;
	json_t *test;

	(void)state;
	assert_non_null(plan);
	text = plan_narrow(plan->text, names, &planned);
	assert_non_null(text);
	assert_int_equal(planned, 2);
	narrow = json_loads(text, 0, NULL);
	json_array_foreach(json_object_get(narrow, "tests"), i, test)
	{
		assert_int_equal(json_integer_value(json_object_get(test, "id")), i);
		assert_int_equal(json_integer_value(json_object_get(test, "rep")), i + 1);
	}
	assert_true(json_is_object(json_object_get(narrow, "limits")));
	assert_null(plan_narrow(plan->text, none, &planned));
	plan_free(plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),    cmocka_unit_test(test_commits),
		cmocka_unit_test(test_controls), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_by_hand),  cmocka_unit_test(test_named_base),
		cmocka_unit_test(test_narrow),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
