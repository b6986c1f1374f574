#include "common/journal.h"

#include "common/err.h"
#include "common/fsio.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

static char path[64];

static int make_path(void **state)
{
	int fd;

	(void)state;
	(void)snprintf(path, sizeof(path), "/tmp/cohort-journal-XXXXXX");
	fd = mkstemp(path);
	return fd < 0 || close(fd) < 0;
}

static int remove_path(void **state)
{
	(void)state;
	return unlink(path);
}

static void expect_file(const char *want)
{
	char *text = fs_read_file(path, 1 << 20, NULL, NULL);

	assert_non_null(text);
	assert_string_equal(text, want);
	free(text);
}

static void put(struct journal *j, int n)
{
	json_t *event = json_pack("{s:s, s:i}", "ev", "x", "n", n);

	assert_int_equal(journal_append(j, event, NULL), 0);
	json_decref(event);
}

static void lines_stand_in_order_and_survive_a_reopen(void **state)
{
	struct journal *j = journal_open(path, NULL);

	(void)state;
	put(j, 1);
	assert_int_equal(journal_append_text(j, "{}", 2, NULL), 0);
	assert_int_equal(journal_sync(j, NULL), 0);
	assert_int_equal(journal_size(j), 20);
	journal_close(j);
	j = journal_open(path, NULL);
	assert_int_equal(journal_size(j), 20);
	put(j, 2);
	journal_close(j);
	expect_file("{\"ev\":\"x\",\"n\":1}\n{}\n{\"ev\":\"x\",\"n\":2}\n");
}

/* A torn line of any length, also one longer than what is read back at once, goes; whole lines stay. */
static void a_torn_line_is_cut_off(void **state)
{
	static const size_t lengths[] = {1, 4095, 4096, 4097, 10000};

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		char *text = malloc(lengths[i] + 3);
		struct journal *j;

		(void)memcpy(text, "{}\n", 3);
		(void)memset(text + 3, 'x', lengths[i]);
		assert_int_equal(fs_replace_file(path, text, 3 + lengths[i], 0600, NULL), 0);
		j = journal_open(path, NULL);
		assert_int_equal(journal_size(j), 3);
		journal_close(j);
		expect_file("{}\n");
		/* Nothing but a torn line. */
		assert_int_equal(fs_replace_file(path, text + 3, lengths[i], 0600, NULL), 0);
		j = journal_open(path, NULL);
		assert_int_equal(journal_size(j), 0);
		journal_close(j);
		expect_file("");
		free(text);
	}
}

static void a_line_that_is_too_long_changes_nothing(void **state)
{
	struct journal *j = journal_open(path, NULL);
	char *text = malloc(JOURNAL_LINE_MAX);
	struct err err = {0};

	(void)state;
	(void)memset(text, ' ', JOURNAL_LINE_MAX);
	put(j, 1);
	assert_int_equal(journal_append_text(j, text, JOURNAL_LINE_MAX, &err), -1);
	assert_int_equal(err.kind, ERR_TOOBIG);
	assert_int_equal(journal_append_text(j, text, JOURNAL_LINE_MAX - 1, &err), 0);
	assert_int_equal(journal_size(j), 17 + JOURNAL_LINE_MAX);
	journal_close(j);
	free(text);
}

/* No room: half a line was written and is taken back; with room again the journal goes on. */
static void a_failed_write_leaves_whole_lines(void **state)
{
	struct rlimit old, small = {40, 40};
	struct journal *j = journal_open(path, NULL);
	struct err err = {0};

	(void)state;
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small.rlim_max = old.rlim_max;
	put(j, 1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(
		journal_append_text(j, "{\"text\":\"0123456789012345678901234567890\"}", 42, &err),
		-1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_non_null(strstr(err.text, "journal"));
	expect_file("{\"ev\":\"x\",\"n\":1}\n");
	put(j, 2);
	journal_close(j);
	expect_file("{\"ev\":\"x\",\"n\":1}\n{\"ev\":\"x\",\"n\":2}\n");
}

static void a_path_that_cannot_be_is_named(void **state)
{
	struct err err = {0};

	(void)state;
	assert_null(journal_open("/no/such/dir/j", &err));
	assert_non_null(strstr(err.text, "/no/such/dir/j"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lines_stand_in_order_and_survive_a_reopen,
	                                        make_path, remove_path),
		cmocka_unit_test_setup_teardown(a_torn_line_is_cut_off, make_path, remove_path),
		cmocka_unit_test_setup_teardown(a_line_that_is_too_long_changes_nothing, make_path,
	                                        remove_path),
		cmocka_unit_test_setup_teardown(a_failed_write_leaves_whole_lines, make_path,
	                                        remove_path),
		cmocka_unit_test(a_path_that_cannot_be_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
