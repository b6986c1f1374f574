#include "common/err.h"
#include "common/fsio.h"
#include "common/scoped.h"
#include "common/sha256.h"
#include "common/xalloc.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int make_dir(void **state)
{
	char name[] = "/tmp/cohort-fsio-XXXXXX";

	*state = mkdtemp(name) ? xstrdup(name) : NULL;
	return *state ? 0 : -1;
}

static int remove_dir(void **state)
{
	static const char *const left[] = {"file", "a/b", "a"};

	for (size_t i = 0; i < sizeof(left) / sizeof(*left); i++) {
		SCOPED_STR path = xasprintf("%s/%s", (char *)*state, left[i]);

		(void)remove(path);
	}
	(void)rmdir(*state);
	free(*state);
	return 0;
}

static void replace_and_read(void **state)
{
	SCOPED_STR path = xasprintf("%s/file", (char *)*state);
	struct err err = {0};
	char hash[SHA256_HEX];
	uint64_t size = 0;
	size_t len = 0;

	assert_int_equal(fs_replace_file(path, "old", 3, 0600, &err), 0);
	assert_int_equal(fs_replace_file(path, "abc", 3, 0600, &err), 0);
	SCOPED_STR text = fs_read_file(path, 3, &len, &err);

	assert_string_equal(text, "abc");
	assert_int_equal(len, 3);
	assert_null(fs_read_file(path, 2, &len, &err));
	assert_int_equal(err.kind, ERR_TOOBIG);
	assert_int_equal(sha256_file(path, hash, &size, &err), 0);
	/* FIPS 180-2, B.1 */
	assert_string_equal(hash,
	                    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(size, 3);
	assert_true(sha256_valid(hash));
	hash[0] = 'B';
	assert_false(sha256_valid(hash));
}

static void errors_name_the_path(void **state)
{
	SCOPED_STR path = xasprintf("%s/none/file", (char *)*state);
	struct err err = {0};

	assert_null(fs_read_file(path, 10, NULL, &err));
	assert_int_equal(err.kind, ERR_NOTFOUND);
	assert_non_null(strstr(err.text, path));
	assert_int_equal(fs_replace_file(path, "", 0, 0600, &err), -1);
	assert_non_null(strstr(err.text, path));
}

static void a_full_disk_is_told(void **state)
{
	SCOPED_FD fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct err err = {0};

	(void)state;
	assert_int_equal(fs_write_all(fd, "x", 1, &err), -1);
	assert_int_equal(err.kind, ERR_NOSPACE);
}

static void mkdirs_makes_parents(void **state)
{
	SCOPED_STR path = xasprintf("%s/a/b", (char *)*state);
	struct err err = {0};

	assert_int_equal(fs_mkdirs(path, &err), 0);
	assert_int_equal(fs_mkdirs(path, &err), 0);
	assert_int_equal(access(path, X_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replace_and_read),
		cmocka_unit_test(errors_name_the_path),
		cmocka_unit_test(a_full_disk_is_told),
		cmocka_unit_test(mkdirs_makes_parents),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
