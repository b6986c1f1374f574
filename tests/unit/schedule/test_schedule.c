/* The queue against a plain list that looks at everything. */
#include "common/xalloc.h"
#include "server/daemon/schedule/schedule.h"
#include "server/daemon/schedule/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BOARDS 6
#define RUNS   400

static void add(struct schedule *s, int64_t id, int64_t priority, const char *boards)
{
	const struct schedule_run run = {
		.id = id, .priority = priority, .expires = INT64_MAX, .boards = boards};

	schedule_add(s, &run);
}

static void test_order(void **state)
{
	struct schedule *s = schedule_new();
	int64_t run;
	int board, a = schedule_board(s, "a"), b = schedule_board(s, "b");

	(void)state;
	add(s, 1, 0, "[\"a\",\"b\"]");
	add(s, 2, 5, "[\"a\"]");
	add(s, 3, 0, "[\"b\"]");
	add(s, 3, 9, "[\"a\"]"); /* waits already */
	assert_int_equal(schedule_waiting(s), 3);
	assert_false(schedule_pick(s, 1, &run, &board));
	schedule_board_idle(s, a, true);
	schedule_board_idle(s, b, true);
	assert_true(schedule_pick(s, 1, &run, &board));
	assert_int_equal(run, 2);
	assert_int_equal(board, a);
	assert_true(schedule_pick(s, 1, &run, &board));
	assert_int_equal(run, 1);
	assert_int_equal(board, b);
	assert_false(schedule_pick(s, 1, &run, &board));
	schedule_board_idle(s, b, true);
	assert_true(schedule_pick(s, 1, &run, &board));
	assert_int_equal(run, 3);
	assert_int_equal(schedule_waiting(s), 0);
	schedule_free(s);
}

/* A run that fits both takes the board that nobody else waits for. */
static void test_leaves_the_wanted_board(void **state)
{
	struct schedule *s = schedule_new();
	int64_t run;
	int board, a = schedule_board(s, "a"), b = schedule_board(s, "b");

	(void)state;
	add(s, 1, 1, "[\"a\",\"b\"]");
	add(s, 2, 0, "[\"a\"]");
	schedule_board_idle(s, a, true);
	schedule_board_idle(s, b, true);
	assert_true(schedule_pick(s, 1, &run, &board));
	assert_int_equal(board, b);
	assert_true(schedule_pick(s, 1, &run, &board));
	assert_int_equal(board, a);
	schedule_free(s);
}

static void test_times(void **state)
{
	const struct schedule_run late = {
		.id = 1, .not_before = 100, .expires = 200, .boards = "[\"a\"]"};
	struct schedule *s = schedule_new();
	int64_t run;
	int board;

	(void)state;
	assert_int_equal(schedule_due(s), INT64_MAX);
	schedule_add(s, &late);
	schedule_board_idle(s, schedule_board(s, "a"), true);
	assert_int_equal(schedule_due(s), 100);
	assert_false(schedule_pick(s, 99, &run, &board));
	assert_true(schedule_pick(s, 100, &run, &board));
	schedule_add(s, &late);
	assert_false(schedule_pick(s, 150, &run, &board)); /* its board is taken now */
	assert_int_equal(schedule_due(s), 200);
	assert_false(schedule_expired(s, 199, &run));
	assert_true(schedule_expired(s, 200, &run));
	assert_false(schedule_expired(s, 200, &run));
	assert_int_equal(schedule_due(s), INT64_MAX);
	schedule_remove(s, 1);
	schedule_free(s);
}

struct plain {
	int64_t priority;
	unsigned mask;
	bool waits;
};

static int64_t plain_best(const struct plain *runs, unsigned idle)
{
	int64_t best = 0;

	for (int64_t id = 1; id <= RUNS; id++)
		if (runs[id].waits && (runs[id].mask & idle) &&
		    (best == 0 || runs[id].priority > runs[best].priority))
			best = id;
	return best;
}

static const char *mask_text(unsigned mask, char text[64])
{
	size_t used = 1;

	text[0] = '[';
	for (int i = 0; i < BOARDS; i++)
		if (mask & 1U << i)
			used += (size_t)snprintf(text + used, 64 - used, "%s\"b%d\"",
			                         used > 1 ? "," : "", i);
	text[used] = ']';
	text[used + 1] = '\0';
	return text;
}

static void compare_round(unsigned seed)
{
	struct plain *runs = xcalloc(RUNS + 1, sizeof(*runs));
	struct schedule *s = schedule_new();
	unsigned idle = 0;
	int64_t next = 1;

	srandom(seed);
	for (int i = 0; i < BOARDS; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "b%d", i);
		assert_int_equal(schedule_board(s, name), i);
	}
	for (int step = 0; step < 2000; step++) {
		long dice = random() % 10;
		int64_t run, want, victim = 1 + random() % RUNS;
		int board = (int)(random() % BOARDS);
		char text[64];

		if (dice < 4 && next <= RUNS) {
			runs[next] = (struct plain){random() % 4,
			                            (unsigned)random() % (1U << BOARDS), true};
			add(s, next, runs[next].priority, mask_text(runs[next].mask, text));
			next++;
		} else if (dice < 5) {
			schedule_remove(s, victim);
			runs[victim].waits = false;
		} else {
			bool on = dice < 9;

			schedule_board_idle(s, board, on);
			idle = on ? idle | 1U << board : idle & ~(1U << board);
		}
		if (random() % 2)
			continue;
		want = plain_best(runs, idle);
		if (!schedule_pick(s, 1, &run, &board)) {
			assert_int_equal(want, 0);
			continue;
		}
		assert_int_equal(run, want);
		assert_true(runs[run].mask & idle & 1U << board);
		runs[run].waits = false;
		idle &= ~(1U << board);
	}
	schedule_free(s);
	free(runs);
}

static void test_against_a_list(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 200; seed++)
		compare_round(seed);
}

static void test_table(void **state)
{
	static int here;
	struct table t = {0};

	(void)state;
	for (uint64_t i = 0; i < 1000; i++)
		table_put(&t, i * 64, &here);
	for (uint64_t i = 0; i < 1000; i += 2)
		table_remove(&t, i * 64);
	table_remove(&t, 1);
	assert_int_equal(t.count, 500);
	for (uint64_t i = 0; i < 1000; i++)
		assert_true((table_get(&t, i * 64) != NULL) == (i % 2 == 1));
	table_release(&t);
	assert_null(table_get(&t, 64));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order), cmocka_unit_test(test_leaves_the_wanted_board),
		cmocka_unit_test(test_times), cmocka_unit_test(test_against_a_list),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
