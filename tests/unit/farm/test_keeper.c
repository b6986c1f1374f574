#include "server/daemon/farm/keeper.h"

#include "common/err.h"
#include "common/fsio.h"
#include "common/scoped.h"
#include "common/sha256.h"
#include "common/xalloc.h"
#include "server/daemon/http/upload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/cohort-keeper.XXXXXX";
static char sha256[SHA256_HEX];
static atomic_int kicks;

static void kicked(void *arg)
{
	(void)arg;
	kicks++;
}

/* DIR/in holds "hello". */
static int prepare(void **state)
{
	struct err err;

	(void)state;
	if (!mkdtemp(dir))
		return -1;
	SCOPED_STR path = xasprintf("%s/in", dir);

	sha256_hex("hello", 5, sha256);
	return fs_replace_file(path, "hello", 5, 0600, &err);
}

static int clear(void **state)
{
	SCOPED_STR command = xasprintf("rm -rf '%s'", dir);

	(void)state;
	return system(command); /* NOLINT(cert-env33-c): a path of our own */
}

static enum keep_state wait_for(struct keep *keep, struct err *err)
{
	enum keep_state state;

	while ((state = keep_look(keep, err)) == KEEP_BUSY)
		(void)usleep(1000);
	return state;
}

/* What becomes of one file that is said to be size bytes with the hash of "hello". */
static enum keep_state keep_one(const char *name, int64_t size, struct err *err)
{
	struct keeper *keeper = keeper_open(dir, kicked, NULL, err);
	SCOPED_STR from = xasprintf("%s/%s", dir, name);
	struct keep *keep;
	enum keep_state state;

	assert_non_null(keeper);
	keep = keep_begin(keeper);
	keep_file(keep, from, sha256, size);
	keep_start(keep);
	state = wait_for(keep, err);
	keep_drop(keep);
	keeper_close(keeper);
	return state;
}

static void test_refused(void **state)
{
	SCOPED_STR pipe = xasprintf("%s/pipe", dir);
	struct err err = {0};

	(void)state;
	assert_int_equal(keep_one("in", 4, &err), KEEP_REFUSED);
	assert_non_null(strstr(err.text, "more than 4 bytes"));
	assert_int_equal(keep_one("in", 6, &err), KEEP_REFUSED);
	assert_int_equal(keep_one("nowhere", 5, &err), KEEP_REFUSED);
	assert_int_equal(mkfifo(pipe, 0600), 0);
	assert_int_equal(keep_one("pipe", 5, &err), KEEP_REFUSED);
}

static void test_kept(void **state)
{
	SCOPED_STR path = upload_path(dir, sha256);
	struct err err = {0};
	int before = kicks;

	(void)state;
	assert_int_equal(keep_one("in", 5, &err), KEEP_DONE);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(kicks, before + 1);
}

/* Dropped before, while and after: nothing is lost, nobody is kicked for what is not wanted, and closing waits for no queue. */
static void test_dropped(void **state)
{
	SCOPED_STR from = xasprintf("%s/in", dir);
	struct err err = {0};
	struct keeper *keeper = keeper_open(dir, kicked, NULL, &err);

	(void)state;
	assert_non_null(keeper);
	keep_drop(NULL);
	keep_drop(keep_begin(keeper));
	for (int i = 0; i < 100; i++) {
		struct keep *keep = keep_begin(keeper);

		keep_file(keep, from, sha256, 5);
		keep_start(keep);
		keep_drop(keep);
	}
	keeper_close(keeper);
	keeper_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_dropped),
	};

	return cmocka_run_group_tests(tests, prepare, clear);
}
