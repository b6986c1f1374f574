#include "common/err.h"
#include "common/fsio.h"
#include "common/scoped.h"
#include "common/sha256.h"
#include "server/daemon/http/upload.h"

#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <utime.h>

#include <cmocka.h>

static char dir[64];
static const char text[] = "a kernel, more or less";
static char hash[SHA256_HEX];

static int begin(void **state)
{
	struct err err;

	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/cohort-upload-XXXXXX");
	assert_non_null(mkdtemp(dir));
	sha256_hex(text, strlen(text), hash);
	return upload_open(dir, &err);
}

static int drop(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int end(void **state)
{
	(void)state;
	return nftw(dir, drop, 8, FTW_DEPTH | FTW_PHYS);
}

static bool stored(void)
{
	SCOPED_STR path = upload_path(dir, hash);
	SCOPED_STR got = fs_read_file(path, 1000, NULL, NULL);

	return got && strcmp(got, text) == 0;
}

static void whole(void **state)
{
	int64_t received;
	struct err err;
	struct upload *u = upload_begin(dir, hash, 0, true, &received, &err);

	(void)state;
	assert_non_null(u);
	assert_int_equal(upload_write(u, text, strlen(text), &err), 0);
	assert_false(stored());
	assert_int_equal(upload_finish(u, &err), 0);
	upload_end(u);
	assert_true(stored());
	assert_int_equal(upload_size(dir, hash), 0);
}

/* The first part is cut; the second goes on behind it; one that begins elsewhere is told where to. */
static void resumed(void **state)
{
	int64_t received;
	struct err err;
	struct upload *u = upload_begin(dir, hash, 0, false, &received, &err);

	(void)state;
	assert_non_null(u);
	assert_int_equal(upload_write(u, text, 5, &err), 0);
	upload_end(u);
	assert_int_equal(upload_size(dir, hash), 5);
	assert_null(upload_begin(dir, hash, 7, false, &received, &err));
	assert_int_equal(err.kind, ERR_CONFLICT);
	assert_int_equal(received, 5);
	u = upload_begin(dir, hash, 5, false, &received, &err);
	assert_non_null(u);
	assert_int_equal(upload_write(u, text + 5, strlen(text) - 5, &err), 0);
	assert_int_equal(upload_received(u), strlen(text));
	assert_int_equal(upload_finish(u, &err), 0);
	upload_end(u);
	assert_true(stored());
}

static void wrong_hash(void **state)
{
	int64_t received;
	struct err err;
	struct upload *u = upload_begin(dir, hash, 0, true, &received, &err);

	(void)state;
	assert_int_equal(upload_write(u, "something else", 14, &err), 0);
	assert_int_equal(upload_finish(u, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	upload_end(u);
	assert_false(stored());
	assert_int_equal(upload_size(dir, hash), 0);
}

/* A bound on the file's size is the nearest thing to a full disk that a test may have: the write fails in the middle. */
static void write_fails(void **state)
{
	struct rlimit old, low;
	int64_t received;
	struct err err;
	struct upload *u = upload_begin(dir, hash, 0, true, &received, &err);

	(void)state;
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	low = old;
	low.rlim_cur = 5;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
	assert_int_equal(upload_write(u, text, strlen(text), &err), -1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	upload_end(u);
	assert_false(stored());
}

static void old_parts_go(void **state)
{
	int64_t received;
	struct err err;
	struct upload *u = upload_begin(dir, hash, 0, true, &received, &err);
	int64_t day = 24 * 3600 * INT64_C(1000000), touched = 1000 * day;
	struct utimbuf when = {touched / 1000000, touched / 1000000};
	char part[256];

	(void)state;
	assert_int_equal(upload_write(u, text, 5, &err), 0);
	upload_end(u);
	(void)snprintf(part, sizeof(part), "%s/files/incoming/%s.part", dir, hash);
	assert_int_equal(utime(part, &when), 0);
	upload_purge(dir, touched + day - 1);
	assert_int_equal(upload_size(dir, hash), 5);
	/* Not while somebody goes on with it: the bytes would go into a file without a name. */
	u = upload_begin(dir, hash, 5, false, &received, &err);
	assert_non_null(u);
	upload_purge(dir, touched + day + 1);
	assert_int_equal(upload_size(dir, hash), 5);
	upload_end(u);
	upload_purge(dir, touched + day + 1);
	assert_int_equal(upload_size(dir, hash), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(whole), CASE(resumed), CASE(wrong_hash), CASE(write_fails), CASE(old_parts_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
