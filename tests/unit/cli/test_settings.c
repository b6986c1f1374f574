/* Option before environment before config file before default. */
#include "cli/settings.h"
#include "common/err.h"
#include "common/fsio.h"
#include "common/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/cohort-settings-XXXXXX";

static void write_file(const char *name, const char *text)
{
	char *path = xasprintf("%s/%s", dir, name);

	assert_int_equal(fs_replace_file(path, text, strlen(text), 0600, NULL), 0);
	free(path);
}

static int set_up(void **state)
{
	char *config;

	(void)state;
	if (!mkdtemp(dir))
		return -1;
	config = xasprintf("%s/cohort", dir);
	(void)mkdir(config, 0700);
	free(config);
	(void)setenv("XDG_CONFIG_HOME", dir, 1);
	return 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = {"cohort/config.json", "cohort", "token", "other.json"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		char *path = xasprintf("%s/%s", dir, names[i]);

		(void)remove(path);
		free(path);
	}
	return rmdir(dir);
}

static int clear_environment(void **state)
{
	(void)state;
	(void)unsetenv("COHORT_SERVER");
	(void)unsetenv("COHORT_TOKEN");
	(void)unsetenv("COHORT_TOKEN_FILE");
	return 0;
}

static void default_without_anything(void **state)
{
	struct settings s = {0};
	struct err err;

	(void)state;
	assert_int_equal(settings_finish(&s, &err), 0);
	assert_string_equal(s.server, "http://127.0.0.1:8080");
	assert_null(s.token);
	settings_release(&s);
}

static void order_of_sources(void **state)
{
	struct settings s = {0};
	struct err err;

	(void)state;
	write_file("cohort/config.json", "{\"server\":\"http://file\",\"token\":\"file\"}");
	assert_int_equal(settings_finish(&s, &err), 0);
	assert_string_equal(s.server, "http://file");
	assert_string_equal(s.token, "file");
	settings_release(&s);

	(void)setenv("COHORT_SERVER", "http://env", 1);
	(void)setenv("COHORT_TOKEN", "env", 1);
	assert_int_equal(settings_finish(&s, &err), 0);
	assert_string_equal(s.server, "http://env");
	assert_string_equal(s.token, "env");
	settings_release(&s);

	settings_option(&s, 's', "http://option");
	write_file("token", "from-file\n");
	char *path = xasprintf("%s/token", dir);

	settings_option(&s, 'f', path);
	assert_int_equal(settings_finish(&s, &err), 0);
	assert_string_equal(s.server, "http://option");
	assert_string_equal(s.token, "from-file");
	settings_release(&s);
	free(path);
}

static void a_bad_file_is_named(void **state)
{
	struct settings s = {0};
	struct err err;
	char *path = xasprintf("%s/other.json", dir);

	(void)state;
	write_file("other.json", "{\"sever\":\"http://x\"}");
	settings_option(&s, 'c', path);
	assert_int_equal(settings_finish(&s, &err), -1);
	assert_non_null(strstr(err.text, path));
	assert_non_null(strstr(err.text, "/sever: unknown field"));
	settings_release(&s);
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(default_without_anything, clear_environment),
		cmocka_unit_test_setup(order_of_sources, clear_environment),
		cmocka_unit_test_setup(a_bad_file_is_named, clear_environment),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
