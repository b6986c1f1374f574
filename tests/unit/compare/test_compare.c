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

#define LANES 8

struct farm {
	struct intern texts;
	struct compare_lane lanes[LANES];
	struct lane said[LANES];
	size_t count, columns;
	struct compare_spec specs[4];
	struct compare_known known[4];
	size_t known_count;
	int64_t next_id;
};

/* A run of its own lane. */
static struct compare_lane *add_run(struct farm *f, size_t column, const char *cache,
                                    const char *kind, const char *board)
{
	struct compare_lane *lane = &f->lanes[f->count];

	*lane = (struct compare_lane){.column = column,
	                              .cache = cache,
	                              .kind = kind,
	                              .board = board,
	                              .runs = 1,
	                              .lane = &f->said[f->count]};
	f->count++;
	f->columns = column >= f->columns ? column + 1 : f->columns;
	return lane;
}

static void add_one(struct farm *f, struct compare_result r)
{
	r.id = ++f->next_id;
	r.test = intern_text(&f->texts, r.test);
	r.cell = intern_text(&f->texts, r.cell);
	lane_add_result(&f->said[f->count - 1], &r);
}

static void add(struct farm *f, int64_t test_id, const char *test, const char *cell,
                enum verdict verdict)
{
	add_one(f, (struct compare_result){
			   .test_id = test_id, .test = test, .cell = cell, .verdict = verdict});
}

static void add_gap(struct farm *f, int64_t test_id, const char *test, const char *cell,
                    enum verdict verdict)
{
	add_one(f, (struct compare_result){.test_id = test_id,
	                                   .test = test,
	                                   .cell = cell,
	                                   .kind = COMPARE_GAP,
	                                   .verdict = verdict});
}

static void add_value(struct farm *f, const char *test, double first, double step)
{
	double values[9];
	size_t end = 9;
	const struct lane_value v = {.test = intern_text(&f->texts, test),
	                             .cell = intern_text(&f->texts, ""),
	                             .name = intern_text(&f->texts, "read"),
	                             .unit = intern_text(&f->texts, "ns"),
	                             .samples = {values, &end, 9, 1}};

	for (int i = 0; i < 9; i++)
		values[i] = first + i * step;
	lane_add_value(&f->said[f->count - 1], &v);
}

static struct comparison *make(const struct farm *f, size_t columns)
{
	return compare_make(&(struct compare_input){.lanes = f->lanes,
	                                            .lanes_count = f->count,
	                                            .columns = columns,
	                                            .specs = f->specs[0].label ? f->specs : NULL,
	                                            .known = f->known,
	                                            .known_count = f->known_count});
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
	for (size_t i = 0; i < f->count; i++)
		lane_release(&f->said[i]);
	intern_release(&f->texts);
}

static void test_kinds_apart(void **state)
{
	static struct farm f;
	struct comparison *c;

	(void)state;
	(void)add_run(&f, 0, "vivt", "qemu", "q");
	add(&f, 0, "t", "", VERDICT_PASS);
	(void)add_run(&f, 0, "vivt", "physical", "p");
	add(&f, 0, "t", "", VERDICT_FAIL);
	(void)add_run(&f, 0, "vipt-aliasing", "qemu", "r");
	add(&f, 0, "t", "", VERDICT_PASS);
	c = make(&f, 1);
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
	add(&f, 0, "t", "", VERDICT_PASS);
	(void)add_run(&f, 1, "vivt", "physical", "a");
	add(&f, 0, "t", "", VERDICT_PASS);
	(void)add_run(&f, 1, "vivt", "physical", "b");
	add(&f, 0, "t", "", VERDICT_FAIL);
	c = make(&f, 2);
	row = row_of(&c->classes[0], "t", "");
	assert_int_equal(row->tally[1].change, CHANGE_CONFLICT);
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
	add(&f, 0, "z", "", VERDICT_PASS);
	add(&f, 0, "z", "2", VERDICT_PASS);
	add(&f, 0, "z", "1", VERDICT_PASS);
	add(&f, 1, "m", "", VERDICT_PASS);
	(void)add_run(&f, 1, "vivt", "qemu", "q");
	add(&f, 1, "a", "", VERDICT_PASS);
	add(&f, 2, "m", "", VERDICT_PASS);
	c = make(&f, 2);
	assert_int_equal(c->classes[0].rows_count, 5);
	for (unsigned i = 0; i < 5; i++) {
		const struct compare_row *row = &c->classes[0].rows[i];
		char name[16];

		(void)snprintf(name, sizeof(name), "%s%s%s", row->test, *row->cell ? "/" : "",
		               row->cell);
		assert_string_equal(name, wanted[i]);
	}
	assert_int_equal(row_of(&c->classes[0], "a", "")->tally[1].change, CHANGE_NEW);
	assert_int_equal(row_of(&c->classes[0], "z", "1")->tally[1].change, CHANGE_GONE);
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
	add(&f, 0, "t", "", VERDICT_PASS);
	add(&f, 0, "t", "x", VERDICT_PASS);
	add(&f, 0, "t", "y", VERDICT_PASS);
	(void)add_run(&f, 1, "vivt", "qemu", "q");
	add(&f, 0, "t", "", VERDICT_FAIL);
	add(&f, 0, "t", "x", VERDICT_PASS);
	c = make(&f, 2);
	assert_int_equal(row_of(&c->classes[0], "t", "")->tally[1].change, CHANGE_REGRESSED);
	assert_int_equal(row_of(&c->classes[0], "t", "x")->tally[1].change, CHANGE_STILL_PASSING);
	row = row_of(&c->classes[0], "t", "y");
	assert_int_equal(row->tally[1].missing, 1);
	assert_int_equal(row->tally[1].telling, 4);
	assert_int_equal(row->tally[1].change, CHANGE_NO_VERDICT);
	end(&f, c);
}

/* A test that was skipped skipped its cells; a newer one that passes without a cell has it no more. */
static void test_cells_skipped_and_gone(void **state)
{
	static struct farm f;
	struct comparison *c;

	(void)state;
	(void)add_run(&f, 0, "vivt", "qemu", "q");
	add(&f, 0, "t", "", VERDICT_PASS);
	add(&f, 0, "t", "x", VERDICT_PASS);
	add(&f, 1, "u", "", VERDICT_PASS);
	add(&f, 1, "u", "x", VERDICT_PASS);
	(void)add_run(&f, 1, "vivt", "qemu", "q");
	add(&f, 0, "t", "", VERDICT_SKIP);
	add(&f, 1, "u", "", VERDICT_PASS);
	c = make(&f, 2);
	assert_int_equal(row_of(&c->classes[0], "t", "x")->tally[1].change, CHANGE_SKIPPED);
	assert_int_equal(row_of(&c->classes[0], "u", "x")->tally[1].change, CHANGE_GONE);
	end(&f, c);
}

static void test_gap_cells(void **state)
{
	static struct farm f;
	struct comparison *c;
	const struct compare_column *column;

	(void)state;
	(void)add_run(&f, 0, "vivt", "emulated", "e");
	add(&f, 0, "t", "", VERDICT_PASS);
	add_gap(&f, 0, "t", "private", VERDICT_FAIL);
	add_gap(&f, 1, "g", "", VERDICT_FAIL);
	add_gap(&f, 1, "g", "1", VERDICT_FAIL);
	add_gap(&f, 1, "g", "2", VERDICT_FAIL);
	add_gap(&f, 2, "h", "", VERDICT_FAIL);
	c = make(&f, 1);
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
	add(&f, 0, "t", "", VERDICT_PASS);
	c = make(&f, 2);
	assert_int_equal(c->classes[0].columns[1].state, COLUMN_NO_VERDICT);
	assert_int_equal(c->classes[0].rows[0].tally[1].change, CHANGE_NO_VERDICT);
	end(&f, c);
}

static void test_warning(void **state)
{
	static struct farm f;
	struct comparison *c;

	(void)state;
	(void)add_run(&f, 0, "vivt", "qemu", "q");
	add(&f, 0, "t", "", VERDICT_PASS);
	add_run(&f, 1, "vivt", "qemu", "q")->warnings = 1;
	add_one(&f, (struct compare_result){
			    .test = "t", .cell = "", .verdict = VERDICT_PASS, .warned = true});
	c = make(&f, 2);
	assert_int_equal(c->classes[0].columns[1].state, COLUMN_FAIL);
	assert_int_equal(c->classes[0].columns[1].warnings, 1);
	assert_int_equal(c->classes[0].rows[0].tally[1].change, CHANGE_REGRESSED);
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
	add(&f, 0, "t", "", VERDICT_PASS);
	add(&f, 1, "u", "", VERDICT_FAIL);
	(void)add_run(&f, 1, "vivt", "qemu", "q");
	add(&f, 0, "t", "", VERDICT_FAIL);
	add(&f, 0, "t", "x", VERDICT_FAIL);
	add(&f, 1, "u", "", VERDICT_PASS);
	(void)add_run(&f, 0, "pipt", "physical", "p");
	add(&f, 0, "t", "", VERDICT_PASS);
	(void)add_run(&f, 1, "pipt", "physical", "p");
	add(&f, 0, "t", "", VERDICT_PASS);
	c = make(&f, 2);
	text = compare_headline(c, labels);
	assert_string_equal(
		text, "v1 against base: vivt (qemu) bad: 1 regressed, 1 fixed (1 failed); pipt "
		      "(physical) good: nothing changed (1 result, none failed); passes on "
		      "QEMU prove nothing about coherency.");
	end(&f, c);
}

/* base, three revisions: the line, each one's change, and who is to blame. */
static void test_revisions(void **state)
{
	static const enum verdict anon[] = {VERDICT_FAIL, VERDICT_PASS, VERDICT_PASS, VERDICT_PASS},
				  mapped[] = {VERDICT_FAIL, VERDICT_FAIL, VERDICT_PASS,
	                                      VERDICT_FAIL};
	static struct farm f = {.specs = {{.label = "base"},
	                                  {.label = "v1", .role = ROLE_REVISION},
	                                  {.label = "v2", .role = ROLE_REVISION},
	                                  {.label = "v3", .role = ROLE_REVISION}}};
	static const char *const whys[] = {
		NULL, "leaves mapped failing, which v2 fixes",
		"fixes anon and 1 more test, 2 results pass, no cost shown in 1 benchmark",
		"loses what an earlier revision fixed: mapped"};
	struct comparison *c;
	const struct compare_row *row;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		(void)add_run(&f, i, "vivt", "emulated", "e");
		add(&f, 0, "anon", "", anon[i]);
		add(&f, 1, "mapped", "", mapped[i]);
		add_value(&f, "bench", 1000, 1);
	}
	c = make(&f, 4);
	row = row_of(&c->classes[0], "mapped", "");
	assert_int_equal(row->tally[1].change, CHANGE_STILL_FAILING);
	assert_int_equal(row->tally[2].change, CHANGE_FIXED);
	assert_int_equal(row->tally[3].change, CHANGE_FIXED_THEN_LOST);
	assert_int_equal(compare_last(c), 3);
	for (size_t i = 1; i < 4; i++)
		assert_string_equal(c->classes[0].columns[i].why, whys[i]);
	assert_int_equal(c->classes[0].columns[0].verdict, JUDGED_NOT);
	assert_int_equal(c->classes[0].columns[1].verdict, JUDGED_BAD);
	assert_int_equal(c->classes[0].columns[2].verdict, JUDGED_GOOD);
	end(&f, c);
}

static void test_costs(void **state)
{
	static struct farm f;
	struct comparison *c;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		(void)add_run(&f, i, "vivt", "emulated", "e");
		add(&f, 0, "t", "", i == 0 ? VERDICT_FAIL : VERDICT_PASS);
		add_value(&f, "bench", i == 1 ? 1200 : 1000, 1);
	}
	/* On another board, where nobody measured base: it meets nothing. */
	(void)add_run(&f, 2, "vivt", "emulated", "other");
	add_value(&f, "bench", 3000, 1);
	c = make(&f, 3);
	assert_int_equal(c->classes[0].columns[1].verdict, JUDGED_COSTS);
	assert_string_equal(c->classes[0].columns[1].why,
	                    "fixes t, 1 result passes, but dearer: bench +19.9 % (+19.5 to "
	                    "+20.4 %)");
	assert_int_equal(c->classes[0].columns[2].verdict, JUDGED_GOOD);
	assert_int_equal(c->classes[0].columns[2].cost.compared, 1);
	assert_int_equal(c->classes[0].costs.count, 2);
	end(&f, c);
}

/* A control that passes where it must fail: nothing of the class is green, of no other. */
static void test_controls(void **state)
{
	static const struct compare_expect expects[] = {{"vivt", "t"}};
	static const struct {
		enum verdict verdict; /* of t with the control */
		enum judge_sense sense;
		enum compare_verdict revision, control;
		enum judgement judged;
		const char *why;
	} rows[] = {
		{VERDICT_FAIL, SENSE_SENSITIVE, COLUMN_PASS, COLUMN_SENSITIVE, JUDGED_GOOD,
	         "2 results pass"},
		{VERDICT_PASS, SENSE_NOT, COLUMN_NOT_SENSITIVE, COLUMN_NOT_SENSITIVE, JUDGED_OPEN,
	         "not sensitive: no-flush passes t, which it must fail"},
		{VERDICT_ERROR, SENSE_UNKNOWN, COLUMN_PASS, COLUMN_INCOMPLETE, JUDGED_OPEN,
	         "no-flush has no verdict on t, which it must fail"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct farm f = {.specs = {{.label = "base"},
		                           {.label = "v1", .role = ROLE_REVISION},
		                           {.label = "no-flush",
		                            .role = ROLE_CONTROL,
		                            .expects = expects,
		                            .expects_count = 1}}};
		struct comparison *c;

		for (size_t column = 0; column < 3; column++) {
			(void)add_run(&f, column, "vivt", "emulated", "e");
			add(&f, 0, "t", "", column == 2 ? rows[i].verdict : VERDICT_PASS);
			add(&f, 1, "u", "", VERDICT_PASS);
			(void)add_run(&f, column, "pipt", "physical", "p");
			add(&f, 0, "t", "", VERDICT_PASS);
		}
		c = make(&f, 3);
		assert_int_equal(compare_last(c), 1);
		assert_int_equal(c->classes[0].sense, rows[i].sense);
		assert_int_equal(c->classes[0].columns[1].state, rows[i].revision);
		assert_int_equal(c->classes[0].columns[2].state, rows[i].control);
		assert_int_equal(c->classes[0].columns[1].verdict, rows[i].judged);
		assert_string_equal(c->classes[0].columns[1].why, rows[i].why);
		assert_int_equal(c->classes[0].columns[2].verdict, JUDGED_NOT);
		assert_int_equal(c->classes[1].sense, SENSE_UNASKED);
		assert_int_equal(c->classes[1].columns[1].verdict, JUDGED_GOOD);
		end(&f, c);
	}
}

/* Known on one board only: the same failure on another is one. */
static void test_known_on_a_board(void **state)
{
	static struct farm f = {.known = {{.test = "t*",
	                                   .cells = "x*",
	                                   .cache = "vivt",
	                                   .board = "old-*",
	                                   .why = "worn flash",
	                                   .issue = 7}},
	                        .known_count = 1};
	static const char *const boards[] = {"old-1", "new-1"};
	struct comparison *c;
	const struct compare_row *row;

	(void)state;
	for (size_t column = 0; column < 2; column++) {
		(void)add_run(&f, column, "vivt", "physical", boards[column]);
		add(&f, 0, "t1", "", VERDICT_FAIL);
		add(&f, 0, "t1", "x1", VERDICT_FAIL);
		add(&f, 1, "u", "", VERDICT_PASS);
	}
	c = make(&f, 2);
	row = row_of(&c->classes[0], "t1", "x1");
	assert_int_equal(row->tally[0].known, 1);
	assert_int_equal(row->tally[1].known, 0);
	assert_int_equal(row->known->issue, 7);
	assert_int_equal(c->classes[0].columns[0].state, COLUMN_PASS);
	assert_int_equal(c->classes[0].columns[0].known_fail, 1);
	assert_int_equal(c->classes[0].columns[1].state, COLUMN_FAIL);
	end(&f, c);
}

/* Tests without cells fit a pattern themselves; one with cells is known by its cells, so that a crash is not. */
static void test_known_tests(void **state)
{
	static struct farm f = {
		.known = {{.test = "*", .cells = "*", .cache = "vivt", .why = "broken"}},
		.known_count = 1};
	struct comparison *c;

	(void)state;
	(void)add_run(&f, 0, "vivt", "physical", "p");
	add(&f, 0, "bare", "", VERDICT_FAIL);
	add(&f, 1, "celled", "", VERDICT_FAIL);
	add(&f, 1, "celled", "x", VERDICT_PASS);
	c = make(&f, 1);
	assert_int_equal(row_of(&c->classes[0], "bare", "")->tally[0].known, 1);
	assert_int_equal(row_of(&c->classes[0], "celled", "")->tally[0].known, 0);
	end(&f, c);
}

static void test_does_not_build(void **state)
{
	static struct farm f;
	struct comparison *c;

	(void)state;
	(void)add_run(&f, 0, "vivt", "emulated", "e");
	add(&f, 0, "t", "", VERDICT_PASS);
	add_run(&f, 1, "vivt", "emulated", "")->build_failed = "v1 does not apply: mm/mmap.c:3";
	add(&f, 0, "t", "", VERDICT_MISSING);
	c = make(&f, 2);
	assert_int_equal(c->classes[0].columns[1].state, COLUMN_NO_VERDICT);
	assert_int_equal(c->classes[0].columns[1].verdict, JUDGED_OPEN);
	assert_string_equal(c->classes[0].columns[1].why,
	                    "does not build: v1 does not apply: mm/mmap.c:3");
	assert_int_equal(c->classes[0].rows[0].tally[1].change, CHANGE_NO_VERDICT);
	end(&f, c);
}

/* One failure among many clean ones of base: how many more it takes is said. */
static void test_undecided(void **state)
{
	static struct farm f;
	struct comparison *c;

	(void)state;
	(void)add_run(&f, 0, "vivt", "emulated", "e");
	for (int i = 0; i < 10; i++)
		add(&f, i, "t", "", VERDICT_PASS);
	(void)add_run(&f, 1, "vivt", "emulated", "e");
	for (int i = 0; i < 10; i++)
		add(&f, i, "t", "", i == 3 ? VERDICT_FAIL : VERDICT_PASS);
	c = make(&f, 2);
	assert_int_equal(c->classes[0].columns[1].undecided, 1);
	assert_string_equal(c->classes[0].columns[1].why,
	                    "t fails now and then (0 of 10 before, 1 of 10 now): 19 more clean "
	                    "trials would tell");
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
		cmocka_unit_test(test_revisions),
		cmocka_unit_test(test_costs),
		cmocka_unit_test(test_controls),
		cmocka_unit_test(test_known_on_a_board),
		cmocka_unit_test(test_known_tests),
		cmocka_unit_test(test_does_not_build),
		cmocka_unit_test(test_undecided),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
