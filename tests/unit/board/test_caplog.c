/* test_caplog.c - head and tail are kept, what is between is counted, a reader never sees half of it. */
#include "server/board/caplog.h"

#include "common/err.h"
#include "common/fsio.h"
#include "common/scoped.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define HEAD 2000
#define TAIL 1000

static char path[] = "/tmp/cohort-test-caplog-XXXXXX";

static int setup(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state)
{
	(void)state;
	return unlink(path);
}

static char *all(size_t *len)
{
	struct err err;
	char *text = fs_read_file(path, 1 << 20, len, &err);

	assert_non_null(text);
	return text;
}

static void fill(struct caplog *log, int from, int to)
{
	struct err err;
	char line[32];

	for (int i = from; i < to; i++) {
		int n = snprintf(line, sizeof(line), "line %06d", i);

		assert_int_equal(caplog_line(log, 0, line, (size_t)n, &err), 0);
	}
}

#define LINE_LEN 40 /* time, blank, "line 000000", newline */

static void test_head_and_tail(void **state)
{
	struct err err;
	struct caplog *log = caplog_open(path, HEAD, TAIL, &err);
	size_t len = 0, kept = 0;
	SCOPED_STR text = NULL;

	(void)state;
	assert_non_null(log);
	fill(log, 0, 500);
	caplog_close(log);
	/* The next process goes on with it. */
	log = caplog_open(path, HEAD, TAIL, &err);
	assert_non_null(log);
	assert_true(caplog_dropped(log) > 0);
	fill(log, 500, 1000);
	text = all(&len);
	assert_true(len <= HEAD + 2 * TAIL + 200);
	assert_non_null(strstr(text, "line 000000\n"));
	assert_non_null(strstr(text, "line 000999\n"));
	assert_null(strstr(text, "line 000500\n"));
	for (const char *at = text; (at = strstr(at, " line ")); at++)
		kept++;
	assert_int_equal(caplog_dropped(log), (1000 - kept) * LINE_LEN);
	assert_non_null(strstr(text, "-- cohort: dropped here: "));
	assert_null(strstr(strstr(text, "dropped here") + 1, "dropped here"));
	caplog_close(log);
}

static void test_hostile_text(void **state)
{
	struct err err;
	struct caplog *log = NULL;
	size_t len = 0;
	SCOPED_STR text = NULL;

	(void)state;
	assert_int_equal(truncate(path, 0), 0);
	log = caplog_open(path, HEAD, TAIL, &err);
	assert_int_equal(caplog_line(log, 0, "a\x1b[31m\xff\0b\r", 10, &err), 0);
	caplog_close(log);
	text = all(&len);
	assert_null(memchr(text, 0x1b, len));
	assert_null(memchr(text, 0, len));
	assert_non_null(strstr(text, "a?[31m\xef\xbf\xbd"));
	assert_int_equal(text[len - 1], '\n');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_head_and_tail),
		cmocka_unit_test(test_hostile_text),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
