/* Whole comparisons: classes and kinds apart, rows in the order of the plan, cells that follow their tests. */
#include "server/daemon/compare/compare.h"

#include "common/scoped.h"
#include "server/daemon/compare/compare_json.h"
#include "server/daemon/compare/intern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define RUNS 8

struct farm {
	struct intern texts;
	struct compare_run runs[RUNS];
	struct compare_result results[RUNS][64];
	size_t count;
	int64_t next_id;
};

static struct compare_run *add_run(struct farm *f, size_t column, const char *cache,
                                   const char *kind, const char *board)
{
	struct compare_run *run = &f->runs[f->count];

	*run = (struct compare_run){.column = column,
	                            .cache = cache,
	                            .kind = kind,
	                            .board = board,
	                            .results = f->results[f->count]};
	f->count++;
	return run;
}

static struct compare_result *add(struct farm *f, int64_t test_id, const char *test,
                                  const char *cell, enum verdict verdict)
{
	struct compare_run *run = &f->runs[f->count - 1];
	struct compare_result *r = &f->results[f->count - 1][run->results_count++];

	*r = (struct compare_result){.id = ++f->next_id, .test_id = test_id, .verdict = verdict};
	r->test = intern_text(&f->texts, test);
	r->cell = intern_text(&f->texts, cell);
	return r;
}

static const struct compare_row *row_of(const struct compare_class *class, const char *test,
                                        const char *cell)
{
	for (size_t i = 0; i < class->rows_count; i++)
		if (strcmp(class->rows[i].test, test) == 0 &&
		    strcmp(class->rows[i].cell, cell) == 0)
			return &class->rows[i];
	fail_msg("no row %s %s", test, cell);
	return NULL;
}

static void end(struct farm *f, struct comparison *c)
{
	compare_free(c);
	intern_release(&f->texts);
}

static void test_kinds_apart(void **state)
{
	static struct farm f;
	struct comparison *c;

	(void)state;
	(void)add_run(&f, 0, "vivt", "qemu", "q");
	(void)add(&f, 0, "t", "", VERDICT_PASS);
	(void)add_run(&f, 0, "vivt", "physical", "p");
	(void)add(&f, 0, "t", "", VERDICT_FAIL);
	(void)add_run(&f, 0, "vipt-aliasing", "qemu", "r");
	(void)add(&f, 0, "t", "", VERDICT_PASS);
	c = compare_make(
		&(struct compare_input){.runs = f.runs, .runs_count = f.count, .columns = 1});
	assert_int_equal(c->classes_count, 3);
	assert_string_equal(c->classes[0].kind, "physical");
	assert_int_equal(c->classes[0].columns[0].state, COLUMN_FAIL);
	assert_string_equal(c->classes[1].kind, "qemu");
	assert_int_equal(c->classes[1].columns[0].state, COLUMN_PASS);
	assert_string_equal(c->classes[2].cache, "vipt-aliasing");
	end(&f, c);
}

static void test_boards_disagree(void **state)
{
	static struct farm f;
	struct comparison *c;
	const struct compare_row *row;

	(void)state;
	(void)add_run(&f, 0, "vivt", "physical", "a");
	(void)add(&f, 0, "t", "", VERDICT_PASS);
	(void)add_run(&f, 1, "vivt", "physical", "a");
	(void)add(&f, 0, "t", "", VERDICT_PASS);
	(void)add_run(&f, 1, "vivt", "physical", "b");
	(void)add(&f, 0, "t", "", VERDICT_FAIL);
	c = compare_make(
		&(struct compare_input){.runs = f.runs, .runs_count = f.count, .columns = 2});
	row = row_of(&c->classes[0], "t", "");
	assert_int_equal(row->change, CHANGE_CONFLICT);
	assert_int_equal(row->tally[1].telling, 3);
	end(&f, c);
}

/* The order is the plan's, also when a build's plan has a test more. */
static void test_order(void **state)
{
	static const char *const wanted[] = {"z", "z/1", "z/2", "a", "m"};
	static struct farm f;
	struct comparison *c;

	(void)state;
	(void)add_run(&f, 0, "vivt", "qemu", "q");
	(void)add(&f, 0, "z", "", VERDICT_PASS);
	(void)add(&f, 0, "z", "2", VERDICT_PASS);
	(void)add(&f, 0, "z", "1", VERDICT_PASS);
	(void)add(&f, 1, "m", "", VERDICT_PASS);
	(void)add_run(&f, 1, "vivt", "qemu", "q");
	(void)add(&f, 1, "a", "", VERDICT_PASS);
	(void)add(&f, 2, "m", "", VERDICT_PASS);
	c = compare_make(
		&(struct compare_input){.runs = f.runs, .runs_count = f.count, .columns = 2});
	assert_int_equal(c->classes[0].rows_count, 5);
	for (unsigned i = 0; i < 5; i++) {
		const struct compare_row *row = &c->classes[0].rows[i];
		char name[16];

		(void)snprintf(name, sizeof(name), "%s%s%s", row->test, *row->cell ? "/" : "",
		               row->cell);
		assert_string_equal(name, wanted[i]);
	}
	assert_int_equal(row_of(&c->classes[0], "a", "")->change, CHANGE_NEW);
	assert_int_equal(row_of(&c->classes[0], "z", "1")->change, CHANGE_GONE);
	end(&f, c);
}

/* The kernel died in the test: the cells that it did not reach are missing. */
static void test_cells_not_reached(void **state)
{
	static struct farm f;
	struct comparison *c;
	const struct compare_row *row;

	(void)state;
	(void)add_run(&f, 0, "vivt", "qemu", "q");
	(void)add(&f, 0, "t", "", VERDICT_PASS);
	(void)add(&f, 0, "t", "x", VERDICT_PASS);
	(void)add(&f, 0, "t", "y", VERDICT_PASS);
	(void)add_run(&f, 1, "vivt", "qemu", "q");
	(void)add(&f, 0, "t", "", VERDICT_FAIL);
	(void)add(&f, 0, "t", "x", VERDICT_PASS);
	c = compare_make(
		&(struct compare_input){.runs = f.runs, .runs_count = f.count, .columns = 2});
	assert_int_equal(row_of(&c->classes[0], "t", "")->change, CHANGE_REGRESSED);
	assert_int_equal(row_of(&c->classes[0], "t", "x")->change, CHANGE_STILL_PASSING);
	row = row_of(&c->classes[0], "t", "y");
	assert_int_equal(row->tally[1].missing, 1);
	assert_int_equal(row->tally[1].telling, 4);
	assert_int_equal(row->change, CHANGE_NO_VERDICT);
	end(&f, c);
}

/* A test that was skipped skipped its cells; a newer one that passes without a cell has it no more. */
static void test_cells_skipped_and_gone(void **state)
{
	static struct farm f;
	struct comparison *c;

	(void)state;
	(void)add_run(&f, 0, "vivt", "qemu", "q");
	(void)add(&f, 0, "t", "", VERDICT_PASS);
	(void)add(&f, 0, "t", "x", VERDICT_PASS);
	(void)add(&f, 1, "u", "", VERDICT_PASS);
	(void)add(&f, 1, "u", "x", VERDICT_PASS);
	(void)add_run(&f, 1, "vivt", "qemu", "q");
	(void)add(&f, 0, "t", "", VERDICT_SKIP);
	(void)add(&f, 1, "u", "", VERDICT_PASS);
	c = compare_make(
		&(struct compare_input){.runs = f.runs, .runs_count = f.count, .columns = 2});
	assert_int_equal(row_of(&c->classes[0], "t", "x")->change, CHANGE_SKIPPED);
	assert_int_equal(row_of(&c->classes[0], "u", "x")->change, CHANGE_GONE);
	end(&f, c);
}

static void test_gap_cells(void **state)
{
	static struct farm f;
	struct comparison *c;
	const struct compare_column *column;

	(void)state;
	(void)add_run(&f, 0, "vivt", "emulated", "e");
	(void)add(&f, 0, "t", "", VERDICT_PASS);
	add(&f, 0, "t", "private", VERDICT_FAIL)->kind = COMPARE_GAP;
	add(&f, 1, "g", "", VERDICT_FAIL)->kind = COMPARE_GAP;
	add(&f, 1, "g", "1", VERDICT_FAIL)->kind = COMPARE_GAP;
	add(&f, 1, "g", "2", VERDICT_FAIL)->kind = COMPARE_GAP;
	add(&f, 2, "h", "", VERDICT_FAIL)->kind = COMPARE_GAP;
	c = compare_make(
		&(struct compare_input){.runs = f.runs, .runs_count = f.count, .columns = 1});
	column = &c->classes[0].columns[0];
	assert_int_equal(column->state, COLUMN_PASS);
	assert_int_equal(column->fail, 0);
	assert_int_equal(column->gap_fail, 4); /* private, 1, 2, and h itself */
	end(&f, c);
}

/* A build that no board of the class ran: nothing is gone, nothing is green. */
static void test_not_run(void **state)
{
	static struct farm f;
	struct comparison *c;

	(void)state;
	(void)add_run(&f, 0, "vivt", "qemu", "q");
	(void)add(&f, 0, "t", "", VERDICT_PASS);
	c = compare_make(
		&(struct compare_input){.runs = f.runs, .runs_count = f.count, .columns = 2});
	assert_int_equal(c->classes[0].columns[1].state, COLUMN_NO_VERDICT);
	assert_int_equal(c->classes[0].rows[0].change, CHANGE_NO_VERDICT);
	end(&f, c);
}

static void test_warning(void **state)
{
	static struct farm f;
	struct comparison *c;

	(void)state;
	(void)add_run(&f, 0, "vivt", "qemu", "q");
	(void)add(&f, 0, "t", "", VERDICT_PASS);
	add_run(&f, 1, "vivt", "qemu", "q")->warnings = 1;
	add(&f, 0, "t", "", VERDICT_PASS)->warned = true;
	c = compare_make(
		&(struct compare_input){.runs = f.runs, .runs_count = f.count, .columns = 2});
	assert_int_equal(c->classes[0].columns[1].state, COLUMN_FAIL);
	assert_int_equal(c->classes[0].columns[1].warnings, 1);
	assert_int_equal(c->classes[0].rows[0].change, CHANGE_REGRESSED);
	end(&f, c);
}

static void test_headline(void **state)
{
	static struct farm f;
	struct comparison *c;
	SCOPED_JSON labels = json_pack("[ss]", "base", "v1");
	SCOPED_STR text = NULL;

	(void)state;
	(void)add_run(&f, 0, "vivt", "qemu", "q");
	(void)add(&f, 0, "t", "", VERDICT_PASS);
	(void)add(&f, 1, "u", "", VERDICT_FAIL);
	(void)add_run(&f, 1, "vivt", "qemu", "q");
	(void)add(&f, 0, "t", "", VERDICT_FAIL);
	(void)add(&f, 0, "t", "x", VERDICT_FAIL);
	(void)add(&f, 1, "u", "", VERDICT_PASS);
	(void)add_run(&f, 0, "pipt", "physical", "p");
	(void)add(&f, 0, "t", "", VERDICT_PASS);
	(void)add_run(&f, 1, "pipt", "physical", "p");
	(void)add(&f, 0, "t", "", VERDICT_PASS);
	c = compare_make(
		&(struct compare_input){.runs = f.runs, .runs_count = f.count, .columns = 2});
	text = compare_headline(c, labels);
	assert_string_equal(text,
	                    "v1 against base: vivt (qemu) 1 regressed, 1 fixed (1 failed); pipt "
	                    "(physical) nothing changed (1 result, none failed); passes on "
	                    "QEMU prove nothing about coherency.");
	end(&f, c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds_apart),
		cmocka_unit_test(test_boards_disagree),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_cells_not_reached),
		cmocka_unit_test(test_cells_skipped_and_gone),
		cmocka_unit_test(test_gap_cells),
		cmocka_unit_test(test_not_run),
		cmocka_unit_test(test_warning),
		cmocka_unit_test(test_headline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
