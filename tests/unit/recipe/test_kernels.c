/* Flavours: the tree's own, what is refused, and what makes a recipe another one. */
#include "common/err.h"
#include "common/fsio.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/recipe/kernels.h"
#include "server/daemon/recipe/recipe.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static char dir[64];

static void put(const char *name, const char *text)
{
	SCOPED_STR path = xasprintf("%s/%s", dir, name);
	struct err err;

	assert_int_equal(fs_replace_file(path, text, strlen(text), 0600, &err), 0);
}

static int setup(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/cohort-kernels.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	put("a.frag", "CONFIG_A=y\n");
	put("b.frag", "CONFIG_B=y\n");
	put("initramfs.cpio.gz", "not one, but bytes\n");
	return 0;
}

static int teardown(void **state)
{
	SCOPED_STR pattern = xasprintf("%s/*", dir);
	glob_t found;

	(void)state;
	if (glob(pattern, 0, NULL, &found) == 0) {
		for (size_t i = 0; i < found.gl_pathc; i++)
			(void)unlink(found.gl_pathv[i]);
		globfree(&found);
	}
	return rmdir(dir);
}

/* The example of the tree has each class in each flavour; its initramfs is made (setup/kernels). */
static void test_tree(void **state)
{
	static const char *const classes[] = {"vivt", "vipt-aliasing", "vipt-nonaliasing"};
	static const char *const variants[] = {"ref", "dbg", "highmem", "slim"};
	SCOPED_STR pattern = xasprintf("%s/*.[jf]*", KERNEL_CONFIGS);
	struct kernels *kernels;
	struct err err;
	glob_t found;

	(void)state;
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		size_t len;
		SCOPED_STR text = fs_read_file(found.gl_pathv[i], 1 << 20, &len, &err);

		assert_non_null(text);
		put(strrchr(found.gl_pathv[i], '/') + 1, text);
	}
	globfree(&found);
	kernels = kernels_load(dir, &err);
	if (!kernels)
		fail_msg("%s", err.text);
	for (size_t c = 0; c < 3; c++)
		for (size_t v = 0; v < 4; v++) {
			const struct flavour *f = kernels_for(kernels, classes[c], variants[v]);

			assert_non_null(f);
			assert_ptr_equal(kernels_named(kernels, f->name), f);
			assert_int_equal(json_array_size(f->fragments), v == 0 ? 2 : 3);
		}
	assert_null(kernels_at(kernels, 12));
	kernels_free(kernels);
}

#define ROW                                                                                        \
	"\"cache\":\"vivt\",\"arch\":\"arm\",\"cross\":\"\",\"targets\":[\"zImage\"],\"collect\":" \
	"{\"kernel\":\"zImage\"}"

static const struct {
	const char *flavours, *says;
} refused[] = {
	{"", "/flavours: must be 1 to 64 items"},
	{"{\"name\":\"a\"}", "/flavours/0/flavour: is required"},
	{"{\"name\":\"a\",\"flavour\":\"r\",\"fragments\":[\"c.frag\"]," ROW "}", "c.frag"},
	{"{\"name\":\"a\",\"flavour\":\"r\",\"fragments\":[\"a.frag\"],\"jobs\":4," ROW "}",
         "/flavours/0/jobs: unknown field"},
	{"{\"name\":\"a b\",\"flavour\":\"r\",\"fragments\":[\"a.frag\"]," ROW "}",
         "'a b' is no name"},
	{"{\"name\":\"a\",\"flavour\":\"r\",\"fragments\":[\"a.frag\"],\"files\":{\"shadow\":"
         "\"/etc/shadow\"}," ROW "}",
         "/flavours/0/files/shadow: must be one of: initramfs dtb"},
	{"{\"name\":\"a\",\"flavour\":\"r\",\"fragments\":[\"a.frag\"],\"cache\":\"vivt\",\"arch\":"
         "\"arm\",\"cross\":\"\",\"targets\":[\"zImage\"],\"collect\":{\"kernel\":\"../x\"}}",
         "must be a path below the output directory"},
	{"{\"name\":\"a\",\"flavour\":\"r\",\"fragments\":[\"a.frag\"]," ROW
         "},{\"name\":\"a\",\"flavour\":\"r\",\"fragments\":[\"a.frag\"]," ROW "}",
         "flavour 'a' is there twice; /flavours/1: class vivt has a flavour 'r' already"},
};

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		SCOPED_STR text = xasprintf("{\"flavours\":[%s]}", refused[i].flavours);
		struct err err = {0};

		put("kernels.json", text);
		assert_null(kernels_load(dir, &err));
		if (!strstr(err.text, refused[i].says))
			fail_msg("row %zu: %s", i, err.text);
	}
}

/* The hash of a recipe with these changes. */
static void hash_of(const char *fragments, const char *commit, const char *patches,
                    char out[SHA256_HEX])
{
	SCOPED_STR text =
		xasprintf("{\"flavours\":[{\"name\":\"a\",\"flavour\":\"r\",\"fragments\":%s,"
	                  "\"files\":{\"initramfs\":\"initramfs.cpio.gz\"}," ROW "}]}",
	                  fragments);
	SCOPED_JSON list = json_loads(patches, 0, NULL);
	struct recipe_base base = {.tree = "linux", .commit = commit, .patches = list};
	struct kernels *kernels;
	struct recipe recipe;
	struct err err = {0};
	char again[SHA256_HEX];

	put("kernels.json", text);
	kernels = kernels_load(dir, &err);
	if (!kernels)
		fail_msg("%s", err.text);
	recipe_make(&recipe, &base, kernels_at(kernels, 0));
	(void)memcpy(out, recipe.sha256, SHA256_HEX);
	/* What is hashed is what is sent. */
	sha256_hex(recipe.text, strlen(recipe.text), again);
	assert_string_equal(again, out);
	assert_true(strncmp(recipe.text, "{\"arch\":\"arm\",\"collect\"", 22) == 0);
	recipe_release(&recipe);
	kernels_free(kernels);
}

static void test_identity(void **state)
{
	char first[SHA256_HEX], other[SHA256_HEX];

	(void)state;
	hash_of("[\"a.frag\",\"b.frag\"]", "v6.1", "[\"1\",\"2\"]", first);
	hash_of("[\"a.frag\",\"b.frag\"]", "v6.1", "[\"1\",\"2\"]", other);
	assert_string_equal(first, other);
	hash_of("[\"b.frag\",\"a.frag\"]", "v6.1", "[\"1\",\"2\"]", other);
	assert_string_not_equal(first, other);
	hash_of("[\"a.frag\",\"b.frag\"]", "v6.2", "[\"1\",\"2\"]", other);
	assert_string_not_equal(first, other);
	hash_of("[\"a.frag\",\"b.frag\"]", "v6.1", "[\"2\",\"1\"]", other);
	assert_string_not_equal(first, other);
	put("a.frag", "CONFIG_A=n\n"); /* the same name, another content */
	hash_of("[\"a.frag\",\"b.frag\"]", "v6.1", "[\"1\",\"2\"]", other);
	assert_string_not_equal(first, other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_tree, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_identity, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
