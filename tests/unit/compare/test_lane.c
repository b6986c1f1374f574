/* A lane survives being text: whatever names it has, and however it was cut into runs. */
#include "server/daemon/compare/lane.h"

#include "common/err.h"
#include "common/xalloc.h"
#include "server/daemon/compare/intern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const tests[] = {"t", "a test", "5:five\n", "=", ""};
static const char *const cells[] = {"", "u=dirty,k=clean", "c", "9:x\nc1", "\t|\xc3\xa9"};

static void add_some(struct lane *lane, struct intern *texts, unsigned first, unsigned count)
{
	for (unsigned i = first; i < first + count; i++) {
		const struct compare_result r = {
			.id = 1000 - i,
			.test_id = i % 7,
			.test = intern_text(texts, tests[i % 5]),
			.cell = intern_text(texts, cells[i / 3 % 5]),
			.kind = (enum compare_test_kind)(i % 3),
			.verdict = (enum verdict)(i % VERDICT_COUNT),
			.warned = i % 4 == 0,
		};

		lane_add_result(lane, &r);
	}
}

static void add_values(struct lane *lane, struct intern *texts, const char *cell, double first,
                       size_t count)
{
	double values[SAMPLES_MAX];
	const struct lane_value v = {.test = intern_text(texts, "bench"),
	                             .cell = intern_text(texts, cell),
	                             .name = intern_text(texts, "a turn"),
	                             .unit = intern_text(texts, "ns"),
	                             .samples = {values, &count, count, 1}};

	for (size_t i = 0; i < count; i++)
		values[i] = first + (double)i / 3;
	lane_add_value(lane, &v);
}

static const struct lane_entry *entry_of(const struct lane *lane, const char *test,
                                         const char *cell)
{
	for (size_t i = 0; i < lane->count; i++)
		if (strcmp(lane->entries[i].test, test) == 0 &&
		    strcmp(lane->entries[i].cell, cell) == 0)
			return &lane->entries[i];
	return NULL;
}

static void assert_same(const struct lane *a, const struct lane *b)
{
	assert_int_equal(a->count, b->count);
	for (size_t i = 0; i < a->count; i++) {
		const struct lane_entry *x = &a->entries[i], *y = entry_of(b, x->test, x->cell);

		assert_non_null(y);
		assert_int_equal(x->pass, y->pass);
		assert_int_equal(x->fail, y->fail);
		assert_int_equal(x->skip, y->skip);
		assert_int_equal(x->other, y->other);
		assert_int_equal(x->missing, y->missing);
		assert_int_equal(x->warned, y->warned);
		assert_int_equal(x->order, y->order);
		assert_int_equal(x->kind, y->kind);
		assert_int_equal(x->worst, y->worst);
		assert_int_equal(x->telling, y->telling);
	}
	assert_int_equal(a->values_count, b->values_count);
	for (size_t i = 0; i < a->values_count; i++) {
		const struct samples *x = &a->values[i].samples, *y = &b->values[i].samples;

		assert_int_equal(x->count, y->count);
		assert_int_equal(x->groups, y->groups);
		assert_memory_equal(x->values, y->values, x->count * sizeof(*x->values));
		assert_memory_equal(x->ends, y->ends, x->groups * sizeof(*x->ends));
	}
}

/* One run after the other through text, against all at once. */
static void test_round_trip(void **state)
{
	struct intern texts = {0};
	struct lane all = {0}, kept = {0};
	struct err err;

	(void)state;
	for (unsigned run = 0; run < 10; run++) {
		struct lane fresh = {0};
		char *text = lane_text(&kept);

		lane_release(&kept);
		assert_int_equal(lane_add_text(&fresh, text, &texts, &err), 0);
		add_some(&fresh, &texts, run * 40, 40);
		add_values(&fresh, &texts, "x", 0.1 + run, 9);
		kept = fresh;
		free(text);
		add_some(&all, &texts, run * 40, 40);
		add_values(&all, &texts, "x", 0.1 + run, 9);
	}
	assert_same(&all, &kept);
	assert_int_equal(all.values[0].samples.count, 63); /* SAMPLES_MAX, by whole runs */
	lane_release(&all);
	lane_release(&kept);
	intern_release(&texts);
}

static void test_odd_values(void **state)
{
	struct intern texts = {0};
	struct lane lane = {0};

	(void)state;
	add_values(&lane, &texts, "zero", 0, 1); /* no ratio comes of it */
	assert_int_equal(lane.values[0].samples.count, 0);
	assert_int_equal(lane.values[0].samples.groups, 0);
	add_values(&lane, &texts, "zero", 2, 1);
	assert_int_equal(lane.values[0].samples.groups, 1);
	lane_release(&lane);
	intern_release(&texts);
}

static void test_broken_text(void **state)
{
	static const char *const broken[] = {
		"x",
		"c=0:\n",
		"t 9:t\n",
		"t 1:t\nc=0:",
		"t 1:t\ncp=0:\n",
		"t 1:t\nq1=0:\n",
		"t 1:t\ncp99999999999999999999=0:\n",
		"t 1:t\nv 0: 0: 0: x\n",
		"t 1:t\nck9=0:\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++) {
		struct intern texts = {0};
		struct lane lane = {0};
		struct err err;

		if (lane_add_text(&lane, broken[i], &texts, &err) == 0)
			fail_msg("taken: %s", broken[i]);
		assert_int_equal(err.kind, ERR_INVALID);
		lane_release(&lane);
		intern_release(&texts);
	}
}

int main(void)
{
	const struct CMUnitTest list[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_odd_values),
		cmocka_unit_test(test_broken_text),
	};

	return cmocka_run_group_tests(list, NULL, NULL);
}
