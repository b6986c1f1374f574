/* Following a board journal: whole lines only, from the offset, nothing that is not allowed. What the refusals say is in
 * tests/system/test_farm.py. */
#include "server/daemon/farm/entry.h"
#include "server/daemon/farm/follow.h"

#include "common/xalloc.h"
#include "server/daemon/store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64], path[128];
static char *buf;

static int setup(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/cohort-follow.XXXXXX");
	buf = xcalloc(1, FOLLOW_ROUND);
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/journal.ndjson", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(buf);
	(void)unlink(path);
	return rmdir(dir);
}

static void append(const char *text)
{
	FILE *f = fopen(path, "a");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* An attempt that is new, so nothing is asked of the store. */
static void open_new(struct follow *f)
{
	struct attempt_ref ref = {
		.run = 12,
		.attempt = 1,
		.fence = 7,
		.plan = json_pack("{s:[{s:i, s:s, s:i, s:s}, {s:i, s:s, s:i, s:s}]}", "tests", "id",
	                          0, "name", "a", "rep", 1, "kind", "gap", "id", 5, "name", "b",
	                          "rep", 2, "kind", "contract"),
	};

	assert_int_equal(follow_open(f, &ref, dir, NULL, NULL), 0);
	assert_null(ref.plan);
}

#define ACCEPTED "{\"n\":1,\"t\":1,\"ev\":\"accepted\",\"run\":12,\"attempt\":1,\"fence\":7}\n"
#define FINISHED                                                                                   \
	"{\"n\":2,\"t\":1,\"ev\":\"test-finished\",\"id\":5,\"verdict\":\"fail\",\"reason\":\"why\"}\n"
#define ENDED "{\"n\":3,\"t\":9,\"ev\":\"ended\",\"outcome\":\"complete\",\"fault\":null}\n"

static void test_whole_lines(void **state)
{
	struct attempt_result r;
	struct follow f;

	(void)state;
	open_new(&f);
	assert_false(follow_read(&f, buf)); /* not there yet */
	append("{\"n\":1,\"t\":1,");
	assert_false(follow_read(&f, buf));
	append("\"ev\":\"accepted\",\"run\":12,\"attempt\":1,\"fence\":7}\n" FINISHED "{\"n\":3");
	assert_true(follow_read(&f, buf));
	assert_int_equal(f.count, 2);
	assert_int_equal(f.entries[1].kind, ENTRY_FINISHED);
	entry_result(&f.entries[1], &r);
	assert_int_equal(r.test_id, 5);
	assert_string_equal(r.test, "b");
	assert_int_equal(r.rep, 2);
	assert_string_equal(r.verdict, "fail");
	assert_string_equal(r.reason, "why");
	follow_commit(&f);
	assert_int_equal(f.ref.offset, strlen(ACCEPTED FINISHED));
	assert_false(follow_read(&f, buf));
	append(ENDED + strlen("{\"n\":3"));
	assert_true(follow_read(&f, buf));
	assert_true(f.ended);
	assert_int_equal(f.entries[0].t, 9);
	follow_release(&f);
}

/* The store did not take it: the same comes again. */
static void test_discard(void **state)
{
	struct follow f;

	(void)state;
	open_new(&f);
	append(ACCEPTED FINISHED);
	for (int i = 0; i < 3; i++) {
		assert_true(follow_read(&f, buf));
		assert_int_equal(f.count, 2);
		assert_true(f.finished[1]);
		follow_discard(&f);
		assert_false(f.finished[1]);
		assert_int_equal(f.ref.offset, 0);
	}
	append("nonsense\n");
	assert_true(follow_read(&f, buf));
	assert_int_equal(f.broken.kind, ERR_INVALID);
	follow_discard(&f);
	assert_int_equal(f.broken.kind, ERR_NONE);
	/* What was good before the bad line counts; then the line is told. */
	assert_true(follow_read(&f, buf));
	assert_int_equal(f.count, 2);
	follow_commit(&f);
	assert_non_null(strstr(f.broken.text, "journal line 3: line 1"));
	assert_false(follow_read(&f, buf));
	follow_release(&f);
}

static void test_unknown_events_are_counted(void **state)
{
	struct follow f;

	(void)state;
	open_new(&f);
	append(ACCEPTED "{\"n\":2,\"t\":1,\"ev\":\"dream\"}\n");
	assert_true(follow_read(&f, buf));
	assert_int_equal(f.unknown, 1);
	assert_int_equal(f.broken.kind, ERR_NONE);
	follow_release(&f);
}

/* More than one reading takes. */
static void test_long_journal(void **state)
{
	struct follow f;
	int64_t lines = 0;
	int rounds = 0;

	(void)state;
	open_new(&f);
	append(ACCEPTED);
	for (int i = 2; i <= 9000; i++) {
		char line[128];

		(void)snprintf(line, sizeof(line),
		               "{\"n\":%d,\"t\":1,\"ev\":\"note\",\"text\":\"%060d\"}\n", i, i);
		append(line);
	}
	while (follow_read(&f, buf)) {
		lines += (int64_t)f.count;
		rounds++;
		follow_commit(&f);
	}
	assert_int_equal(f.broken.kind, ERR_NONE);
	assert_int_equal(lines, 9000);
	assert_true(rounds > 2);
	follow_release(&f);
}

static void test_cells(void **state)
{
	static const struct {
		const char *record;
		bool good;
	} rows[] = {
		{"{\"type\":\"cell\",\"cell\":\"u=dirty\",\"verdict\":\"pass\",\"trials\":-3}",
	         true},
		{"{\"type\":\"cell\",\"cell\":\"\",\"verdict\":\"pass\"}", false},
		{"{\"type\":\"cell\",\"verdict\":\"pass\"}", false},
		{"{\"type\":\"cell\",\"cell\":5,\"verdict\":\"pass\"}", false},
		{"{\"type\":\"cell\",\"cell\":\"x\",\"verdict\":\"missing\"}", false},
		{"{\"type\":\"cell\",\"cell\":\"x\",\"verdict\":\"great\"}", false},
		{"{\"type\":\"cell\",\"cell\":\"x\",\"verdict\":\"pass\",\"kind\":\"best\"}",
	         false},
		{"{\"type\":\"cell\",\"cell\":\"x\",\"verdict\":\"pass\",\"kind\":\"info\"}", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *test = json_pack("{s:i, s:s, s:i, s:s}", "id", 0, "name", "a", "rep", 1,
		                         "kind", "gap");
		struct entry e = {.test = test};
		struct attempt_result r;

		e.event = json_pack("{s:o}", "record", json_loads(rows[i].record, 0, NULL));
		assert_int_equal(entry_cell(&e, &r), rows[i].good);
		if (rows[i].good)
			assert_int_equal(r.trials, 0);
		json_decref(e.event);
		json_decref(test);
	}
}

static void test_cut(void **state)
{
	char *cut;

	(void)state;
	assert_null(entry_cut(NULL, 4));
	cut = entry_cut("ab\xc3\xa4zz", 3); /* not in the middle of a character */
	assert_string_equal(cut, "ab");
	free(cut);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_whole_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_discard, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unknown_events_are_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_journal, setup, teardown),
		cmocka_unit_test(test_cells),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
