/* The tree's own controls: kernels that must fail, with patches as mails. */
#include "common/err.h"
#include "server/daemon/recipe/controls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct controls *controls;

static int load(void **state)
{
	struct err err;

	(void)state;
	controls = controls_load(CONTROLS, &err);
	if (!controls)
		print_error("%s\n", err.text);
	return controls ? 0 : -1;
}

static int unload(void **state)
{
	(void)state;
	controls_free(controls);
	return 0;
}

static void test_m2(void **state)
{
	const struct control *m2 = controls_find(controls, "m2-anon-flush");
	char hash[SHA256_HEX];

	(void)state;
	assert_non_null(m2);
	assert_true(control_fits(m2, "v5"));
	assert_true(control_fits(m2, "v6+dbg"));
	assert_false(control_fits(m2, "v7"));
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(m2->expect, "vivt"), 0)),
		"dio-read-anon");
	/* "vivt-wa" is a variant that the farm has no class for. */
	assert_null(json_object_get(m2->expect, "vivt-wa"));
	assert_non_null(strstr(m2->mail, "\nSubject: [PATCH] control m2-anon-flush: "));
	assert_non_null(strstr(m2->mail, "\n\n---\n--- a/arch/arm/mm/flush.c\n"));
	sha256_hex(m2->mail, strlen(m2->mail), hash);
	assert_string_equal(hash, m2->sha256);
}

/* One that is made for a flavour is for that one only; fixes are no controls. */
static void test_others(void **state)
{
	const struct control *m21 = controls_find(controls, "m21-kunmap-local-flush");
	const struct control *c;

	(void)state;
	assert_non_null(m21);
	assert_true(control_fits(m21, "v5+highmem"));
	assert_false(control_fits(m21, "v5"));
	assert_null(controls_find(controls, "fixt-truncate-flush"));
	for (size_t i = 0; (c = controls_at(controls, i)); i++) {
		const char *cache;
		json_t *kills;

		assert_non_null(strstr(c->mail, "\n+++ b/"));
		json_object_foreach(c->expect, cache, kills)
		{
			assert_true(json_array_size(kills) > 0);
		}
	}
}

static void test_refused(void **state)
{
	struct err err = {0};

	(void)state;
	assert_null(controls_load("/nonexistent", &err));
	assert_non_null(strstr(err.text, "/nonexistent/controls.json"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_m2),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
