#include "server/daemon/compare/compare.h"

#include "common/cacheclass.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/compare/facts.h"
#include "server/daemon/compare/stats.h"
#include "server/daemon/plan/glob.h"

#include <math.h>
#include <string.h>

/* Rows of the class in work. */
struct table {
	const struct compare_input *input;
	const char *cache;
	struct compare_row *rows;
	struct compare_tally
		*tallies; /* rows x columns, in blocks: rows[i].tally is set at the end */
	struct board_tally {
		size_t told, bad, fail;
	} * board; /* one a row: of the board in work */
	size_t count, room, columns;
	struct rowmap map; /* row + 1 */
};

/* --- rows --- */

static void grow(struct table *t)
{
	t->room = t->room ? t->room * 2 : 64;
	t->rows = xrealloc(t->rows, t->room * sizeof(*t->rows));
	t->tallies = xrealloc(t->tallies, t->room * t->columns * sizeof(*t->tallies));
	t->board = xrealloc(t->board, t->room * sizeof(*t->board));
}

/* The row's index; when builds disagree about a test's kind, the stricter one wins. */
static size_t row_of(struct table *t, const struct lane_entry *e)
{
	size_t *at = rowmap_at(&t->map, e->test, e->cell), row;

	if (*at) {
		row = *at - 1;
		if (e->order < t->rows[row].order)
			t->rows[row].order = e->order;
		if (e->kind < t->rows[row].kind)
			t->rows[row].kind = e->kind;
		return row;
	}
	if (t->count == t->room)
		grow(t);
	row = t->count++;
	*at = row + 1;
	t->rows[row] = (struct compare_row){
		.test = e->test, .cell = e->cell, .kind = e->kind, .order = e->order};
	(void)memset(&t->tallies[row * t->columns], 0, t->columns * sizeof(*t->tallies));
	t->board[row] = (struct board_tally){0};
	return row;
}

/* --- tallies --- */

static void count_entry(struct compare_tally *t, struct board_tally *board,
                        const struct lane_entry *e)
{
	t->pass += e->pass;
	t->fail += e->fail;
	t->skip += e->skip;
	t->other += e->other;
	t->missing += e->missing;
	t->pending += e->pending;
	t->warned += e->warned;
	board->told += e->pass + e->fail;
	board->bad += e->fail + e->warned;
	board->fail += e->fail;
	if (e->worst > t->worst || (e->worst == t->worst && !t->telling)) {
		t->worst = e->worst;
		t->telling = e->telling;
	}
}

/* What explains a failure of the row on the board: of two, the one that the suite says. */
static const struct compare_known *known_of(const struct table *t, const struct compare_row *row,
                                            const char *board)
{
	for (size_t i = 0; i < t->input->known_count; i++) {
		const struct compare_known *known = &t->input->known[i];

		if (strcmp(known->cache, t->cache) == 0 && glob_match(known->test, row->test) &&
		    glob_match(known->cells, row->cell) &&
		    (!known->board || glob_match(known->board, board)))
			return known;
	}
	return NULL;
}

/* All lanes of a board in a column are counted: what did the board say, row by row? */
static void end_board(struct table *t, size_t column, const char *name)
{
	for (size_t i = 0; i < t->count; i++) {
		struct compare_tally *tally = &t->tallies[i * t->columns + column];
		struct board_tally *board = &t->board[i];
		const struct compare_known *known;

		if (board->told > 0 && board->bad == 0)
			tally->boards_clean++;
		else if (board->told > 0 && board->bad == board->told)
			tally->boards_bad++;
		else if (board->told > 0)
			tally->boards_mixed++;
		known = board->fail > 0 ? known_of(t, &t->rows[i], name) : NULL;
		if (known) {
			tally->known += board->fail;
			t->rows[i].known = known;
		}
		*board = (struct board_tally){0};
	}
}

/* Lanes come by column and board. */
static void count_lanes(struct table *t, const struct compare_lane *const *lanes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct compare_lane *lane = lanes[i];

		for (size_t k = 0; k < lane->lane->count; k++) {
			const struct lane_entry *e = &lane->lane->entries[k];
			size_t row = row_of(t, e);

			count_entry(&t->tallies[row * t->columns + lane->column], &t->board[row],
			            e);
		}
		if (i + 1 == count || lanes[i + 1]->column != lane->column ||
		    strcmp(lanes[i + 1]->board, lane->board) != 0)
			end_board(t, lane->column, lane->board);
	}
}

/* A cell's results that did not come follow from its test's own: the test was skipped, or did not get that far. A test
 * that passed without ever telling of the cell does not have it. */
static void complete_cell(struct compare_tally *cell, const struct compare_tally *own)
{
	size_t came = cell->pass + cell->fail + cell->skip + cell->other + cell->missing;
	size_t planned = own->pass + own->fail + own->other + own->missing;

	if (came == 0 && own->pass > 0)
		return;
	cell->skip += own->skip;
	cell->pending += own->pending;
	if (planned > came)
		cell->missing += planned - came;
	if (!cell->telling)
		cell->telling = own->telling;
}

/* --- a class --- */

static int by_order(const void *a, const void *b)
{
	const struct compare_row *left = a, *right = b;
	int tests;

	if (left->order != right->order)
		return left->order < right->order ? -1 : 1;
	tests = left->test == right->test ? 0 : strcmp(left->test, right->test);
	return tests ? tests : strcmp(left->cell, right->cell);
}

/* The address of "" among the interned texts; NULL when no test has a result of its own. */
static const char *own_cell_of(const struct table *t)
{
	for (size_t i = 0; i < t->count; i++)
		if (!t->rows[i].cell[0])
			return t->rows[i].cell;
	return NULL;
}

/* Give each cell what it has from its test: results that did not come, and the order, so that a test's rows stay
 * together. */
static void finish_rows(struct table *t)
{
	const char *own_cell = own_cell_of(t);

	for (size_t i = 0; i < t->count; i++) {
		struct compare_row *row = &t->rows[i], *own;
		size_t at = own_cell ? rowmap_find(&t->map, row->test, own_cell) : 0;

		row->tally = &t->tallies[i * t->columns];
		if (!at || at - 1 == i)
			continue;
		own = &t->rows[at - 1];
		row->order = own->order;
		own->has_cells = true;
		own->gap_cells |= row->kind != COMPARE_CONTRACT;
		for (size_t c = 0; c < t->columns; c++)
			complete_cell(&row->tally[c], &t->tallies[(at - 1) * t->columns + c]);
	}
}

/* A test's own failures are known where each of its failing contract cells is: the cells say more than a pattern can. rows
 * are the test's, its own first. */
static void know_test(struct compare_row *rows, size_t count, size_t columns)
{
	if (rows[0].cell[0] || !rows[0].has_cells)
		return; /* a cell whose test is in no plan; a test that fits a pattern itself */
	rows[0].known = NULL;
	for (size_t c = 0; c < columns; c++) {
		const struct compare_known *why = NULL;
		size_t fail = 0, known = 0;

		for (size_t i = 1; i < count; i++) {
			if (rows[i].kind != COMPARE_CONTRACT)
				continue;
			fail += rows[i].tally[c].fail;
			known += rows[i].tally[c].known;
			if (rows[i].tally[c].known > 0)
				why = rows[i].known;
		}
		rows[0].tally[c].known = known > 0 && known == fail ? rows[0].tally[c].fail : 0;
		if (rows[0].tally[c].known > 0)
			rows[0].known = why;
	}
}

/* Rows are sorted: a test's own, then its cells. */
static void know_tests(struct compare_class *class, size_t columns)
{
	for (size_t i = 0, end; class->rows && i < class->rows_count; i = end) {
		end = i + 1;
		while (end < class->rows_count && class->rows[end].test == class->rows[i].test)
			end++;
		know_test(&class->rows[i], end - i, columns);
	}
}

static void count_row(struct compare_column *column, const struct compare_row *row,
                      const struct compare_tally *t)
{
	bool contract = row->kind == COMPARE_CONTRACT, own = !row->cell[0];

	if (contract && !own)
		column->cell_fail += t->fail - t->known;
	if (!contract && !row->gap_cells)
		column->gap_fail += t->fail;
	if (!own)
		return;
	column->pass += t->pass;
	column->skip += t->skip;
	column->other += t->other;
	column->missing += t->missing;
	if (contract) {
		column->fail += t->fail - t->known;
		column->known_fail += t->known;
		column->contract_pass += t->pass;
		column->contract_other += t->other;
	}
}

/* p = 1 without working it out where neither has a bad trial, or both have no other: most rows. */
static double rates_p(const struct compare_tally *a, const struct compare_tally *b)
{
	size_t bad = compare_bad(a) + compare_bad(b), told = compare_told(a) + compare_told(b);

	if (compare_told(a) == 0 || compare_told(b) == 0)
		return NAN;
	if (bad == 0 || bad == told)
		return 1;
	return stats_fisher(compare_bad(a), compare_told(a), compare_bad(b), compare_told(b));
}

/* A column that nobody ran says nothing: its rows are not gone. */
static void judge_row(struct compare_class *class, struct compare_row *row, size_t columns,
                      size_t revisions)
{
	for (size_t c = 0; c < columns; c++) {
		struct compare_tally *t = &row->tally[c];
		bool ran = class->columns[c].runs > 0 && !class->columns[c].build_failed;

		t->state = ran ? compare_state_of(t) : STATE_UNKNOWN;
		count_row(&class->columns[c], row, t);
	}
	for (size_t c = 0; c < columns; c++) {
		struct compare_tally *t = &row->tally[c];

		t->change = c <= revisions ? compare_change_of_row(row->tally, c, row->kind)
		                           : compare_change_of(&row->tally[0], t, row->kind);
		t->p = rates_p(&row->tally[0], t);
		if (c > 0 && c <= revisions && row->kind == COMPARE_CONTRACT)
			class->columns[c].undecided +=
				compare_trials_needed(&row->tally[0], t) > 0 &&
				t->change == CHANGE_FLAKY;
	}
}

static void count_column(struct compare_column *column, const struct compare_lane *lane)
{
	column->runs += lane->runs;
	column->open += lane->open;
	column->broken += lane->broken;
	column->faults += lane->faults;
	column->warnings += lane->warnings;
	if (lane->build_failed)
		column->build_failed = lane->build_failed;
}

static void make_costs(struct compare_class *class, const struct compare_lane *const *lanes,
                       size_t count, size_t columns)
{
	SCOPED_MEM mem = xcalloc(count, sizeof(struct cost_lane));
	SCOPED_MEM summaries_mem = xcalloc(columns, sizeof(struct cost_summary));
	struct cost_summary *summaries = summaries_mem;
	struct cost_lane *measured = mem;

	for (size_t i = 0; i < count; i++)
		measured[i] = (struct cost_lane){lanes[i]->column, lanes[i]->board, lanes[i]->lane};
	cost_make(&class->costs, summaries, columns, measured, count);
	for (size_t c = 0; c < columns; c++)
		class->columns[c].cost = summaries[c];
}

static void make_rows(struct compare_class *class, const struct compare_lane *const *lanes,
                      size_t count, const struct compare_input *input, size_t revisions)
{
	struct table t = {.columns = input->columns, .input = input, .cache = class->cache};

	count_lanes(&t, lanes, count);
	finish_rows(&t);
	class->rows = t.rows;
	class->rows_count = t.count;
	class->tallies = t.tallies;
	rowmap_release(&t.map);
	free(t.board);
	if (class->rows)
		qsort(class->rows, class->rows_count, sizeof(*class->rows), by_order);
	if (input->known_count > 0)
		know_tests(class, input->columns);
	for (size_t i = 0; class->rows && i < t.count; i++)
		judge_row(class, &class->rows[i], input->columns, revisions);
}

/* Lanes of one class and kind, by column and board. */
static void make_class(struct compare_class *class, const struct compare_lane *const *lanes,
                       size_t count, const struct compare_input *input, size_t revisions)
{
	size_t columns = input->columns;

	class->cache = lanes[0]->cache;
	class->kind = lanes[0]->kind;
	class->columns = xcalloc(columns, sizeof(*class->columns));
	for (size_t i = 0; i < count; i++)
		count_column(&class->columns[lanes[i]->column], lanes[i]);
	make_rows(class, lanes, count, input, revisions);
	make_costs(class, lanes, count, columns);
	for (size_t c = 0; c < columns; c++)
		class->columns[c].state = compare_verdict_of(&class->columns[c]);
	facts_controls(class, input);
	for (size_t c = 1; c <= revisions; c++)
		facts_judge(class, input, c, revisions);
	facts_sense(class, columns, revisions);
}

/* --- all classes --- */

static int compare_classes(const struct compare_lane *a, const struct compare_lane *b)
{
	int classes = (int)cache_class_parse(a->cache) - (int)cache_class_parse(b->cache);

	return classes ? classes : strcmp(a->kind, b->kind);
}

static int by_class(const void *a, const void *b)
{
	const struct compare_lane *const *left = a, *const *right = b;
	int classes = compare_classes(*left, *right);

	if (classes)
		return classes;
	if ((*left)->column != (*right)->column)
		return (*left)->column < (*right)->column ? -1 : 1;
	return strcmp((*left)->board, (*right)->board);
}

/* Controls are the columns at the end. */
static size_t count_revisions(const struct compare_input *input)
{
	size_t end = input->columns;

	while (input->specs && end > 1 && input->specs[end - 1].role == ROLE_CONTROL)
		end--;
	return end > 0 ? end - 1 : 0;
}

struct comparison *compare_make(const struct compare_input *input)
{
	size_t count = input->lanes_count;
	struct comparison *all = xcalloc(1, sizeof(*all));
	SCOPED_MEM mem = xcalloc(count + 1, sizeof(struct compare_lane *));
	const struct compare_lane **sorted = mem;

	all->columns = input->columns;
	all->revisions = count_revisions(input);
	all->classes = xcalloc(count + 1, sizeof(*all->classes));
	for (size_t i = 0; i < count; i++)
		sorted[i] = &input->lanes[i];
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): pointers are sorted */
	qsort((void *)sorted, count, sizeof(*sorted), by_class);
	for (size_t first = 0, end; first < count; first = end) {
		end = first + 1;
		while (end < count && compare_classes(sorted[first], sorted[end]) == 0)
			end++;
		make_class(&all->classes[all->classes_count++], sorted + first, end - first, input,
		           all->revisions);
	}
	return all;
}

size_t compare_last(const struct comparison *comparison)
{
	return comparison->revisions;
}

void compare_free(struct comparison *comparison)
{
	if (!comparison)
		return;
	for (size_t i = 0; i < comparison->classes_count; i++) {
		struct compare_class *class = &comparison->classes[i];

		for (size_t c = 0; c < comparison->columns; c++)
			free(class->columns[c].why);
		free(class->rows);
		free(class->tallies);
		free(class->columns);
		free(class->controls);
		cost_release(&class->costs);
	}
	free(comparison->classes);
	free(comparison);
}
