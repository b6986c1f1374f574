#include "server/daemon/compare/compare.h"

#include "common/cacheclass.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/compare/stats.h"
#include "server/daemon/plan/glob.h"

#include <math.h>
#include <string.h>

/* Rows of the class in work, found by the addresses of their interned texts. */
struct table {
	struct compare_row *rows;
	struct compare_tally
		*tallies; /* rows x columns, in blocks: rows[i].tally is set at the end */
	struct board_tally {
		size_t told, bad;
	} * board; /* one a row: of the board in work */
	size_t count, room, columns;
	size_t *slots; /* row + 1; 0: free */
	size_t slots_size;
};

/* --- rows --- */

static size_t slot_of(const struct table *t, const char *test, const char *cell)
{
	uint64_t h = ((uint64_t)(uintptr_t)test * 0x9E3779B97F4A7C15U) ^
	             ((uint64_t)(uintptr_t)cell * 0xC2B2AE3D27D4EB4FU);
	size_t i = (size_t)(h >> 20) & (t->slots_size - 1);

	while (t->slots[i] &&
	       (t->rows[t->slots[i] - 1].test != test || t->rows[t->slots[i] - 1].cell != cell))
		i = (i + 1) & (t->slots_size - 1);
	return i;
}

static void grow(struct table *t)
{
	t->room = t->room ? t->room * 2 : 64;
	t->rows = xrealloc(t->rows, t->room * sizeof(*t->rows));
	t->tallies = xrealloc(t->tallies, t->room * t->columns * sizeof(*t->tallies));
	t->board = xrealloc(t->board, t->room * sizeof(*t->board));
	free(t->slots);
	t->slots_size = t->room * 2;
	t->slots = xcalloc(t->slots_size, sizeof(*t->slots));
	for (size_t i = 0; i < t->count; i++)
		t->slots[slot_of(t, t->rows[i].test, t->rows[i].cell)] = i + 1;
}

/* The row's index; when builds disagree about a test's kind, the stricter one wins. */
static size_t row_of(struct table *t, const struct compare_result *r)
{
	size_t slot, row;

	if (t->count == t->room)
		grow(t);
	slot = slot_of(t, r->test, r->cell);
	if (t->slots[slot]) {
		row = t->slots[slot] - 1;
		if (r->test_id < t->rows[row].order)
			t->rows[row].order = r->test_id;
		if (r->kind < t->rows[row].kind)
			t->rows[row].kind = r->kind;
		return row;
	}
	row = t->count++;
	t->slots[slot] = row + 1;
	t->rows[row] = (struct compare_row){
		.test = r->test, .cell = r->cell, .kind = r->kind, .order = r->test_id};
	(void)memset(&t->tallies[row * t->columns], 0, t->columns * sizeof(*t->tallies));
	t->board[row] = (struct board_tally){0};
	return row;
}

/* --- tallies --- */

/* How much a result tells: the worst is shown. */
static unsigned rank_of(const struct compare_result *r)
{
	if (r->pending)
		return 1;
	switch (r->verdict) {
	case VERDICT_FAIL:
		return 8;
	case VERDICT_ERROR:
		return 6;
	case VERDICT_INCONCLUSIVE:
		return 5;
	case VERDICT_MISSING:
		return 4;
	case VERDICT_SKIP:
		return 3;
	case VERDICT_PASS:
		return r->warned ? 7 : 2;
	case VERDICT_COUNT:
		break;
	}
	return 6;
}

static void count_result(struct compare_tally *t, struct board_tally *board,
                         const struct compare_result *r)
{
	unsigned rank = rank_of(r);
	bool pass = !r->pending && r->verdict == VERDICT_PASS;
	bool fail = !r->pending && r->verdict == VERDICT_FAIL;
	bool skip = !r->pending && r->verdict == VERDICT_SKIP;
	bool missing = !r->pending && r->verdict == VERDICT_MISSING;

	t->pass += pass;
	t->fail += fail;
	t->skip += skip;
	t->missing += missing;
	t->pending += r->pending;
	t->other += !r->pending && !pass && !fail && !skip && !missing;
	t->warned += pass && r->warned;
	board->told += pass || fail;
	board->bad += fail || (pass && r->warned);
	if (rank > t->worst) {
		t->worst = rank;
		t->telling = r->id;
	}
}

/* All runs of a board in a column are counted: what did the board say, row by row? */
static void end_board(struct table *t, size_t column)
{
	for (size_t i = 0; i < t->count; i++) {
		struct compare_tally *tally = &t->tallies[i * t->columns + column];
		struct board_tally *board = &t->board[i];

		if (board->told > 0 && board->bad == 0)
			tally->boards_clean++;
		else if (board->told > 0 && board->bad == board->told)
			tally->boards_bad++;
		else if (board->told > 0)
			tally->boards_mixed++;
		*board = (struct board_tally){0};
	}
}

/* Runs come by column and board. */
static void count_runs(struct table *t, const struct compare_run *const *runs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct compare_run *run = runs[i];

		for (size_t k = 0; k < run->results_count; k++) {
			size_t row = row_of(t, &run->results[k]);

			count_result(&t->tallies[row * t->columns + run->column], &t->board[row],
			             &run->results[k]);
		}
		if (i + 1 == count || runs[i + 1]->column != run->column ||
		    strcmp(runs[i + 1]->board, run->board) != 0)
			end_board(t, run->column);
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
	int tests = strcmp(left->test, right->test);

	if (left->order != right->order)
		return left->order < right->order ? -1 : 1;
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
		size_t slot = own_cell ? t->slots[slot_of(t, row->test, own_cell)] : 0;

		row->tally = &t->tallies[i * t->columns];
		if (!slot || slot - 1 == i)
			continue;
		own = &t->rows[slot - 1];
		row->order = own->order;
		own->gap_cells |= row->kind != COMPARE_CONTRACT;
		for (size_t c = 0; c < t->columns; c++)
			complete_cell(&row->tally[c], &t->tallies[(slot - 1) * t->columns + c]);
	}
}

/* --- what is known to fail --- */

static const char *known_of(const struct compare_input *input, const char *cache,
                            const struct compare_row *row)
{
	for (size_t i = 0; i < input->known_count; i++) {
		const struct compare_known *known = &input->known[i];

		if (strcmp(known->cache, cache) == 0 && strcmp(known->test, row->test) == 0 &&
		    glob_match(known->cells, row->cell))
			return known->why;
	}
	return NULL;
}

/* A test's own failures are known where each of its failing contract cells is. rows are the test's, its own first. */
static void mark_known(const struct compare_input *input, const char *cache,
                       struct compare_row *rows, size_t count)
{
	if (rows[0].cell[0])
		return; /* a cell whose test is in no plan */
	for (size_t i = 1; i < count; i++) {
		rows[i].known = known_of(input, cache, &rows[i]);
		for (size_t c = 0; rows[i].known && c < input->columns; c++)
			rows[i].tally[c].known = rows[i].tally[c].fail;
	}
	for (size_t c = 0; c < input->columns; c++) {
		size_t fail = 0, known = 0;

		for (size_t i = 1; i < count; i++) {
			if (rows[i].kind != COMPARE_CONTRACT)
				continue;
			fail += rows[i].tally[c].fail;
			known += rows[i].tally[c].known;
			if (rows[i].known)
				rows[0].known = rows[i].known;
		}
		if (known > 0 && known == fail)
			rows[0].tally[c].known = rows[0].tally[c].fail;
	}
}

/* Rows are sorted: a test's own, then its cells. */
static void mark_all_known(const struct compare_input *input, struct compare_class *class)
{
	for (size_t i = 0, end; i < class->rows_count; i = end) {
		end = i + 1;
		while (end < class->rows_count && class->rows[end].test == class->rows[i].test)
			end++;
		mark_known(input, class->cache, &class->rows[i], end - i);
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

/* A column that nobody ran says nothing: its rows are not gone. */
static void judge_row(struct compare_class *class, struct compare_row *row, size_t columns)
{
	for (size_t c = 0; c < columns; c++) {
		struct compare_tally *t = &row->tally[c];

		t->state = class->columns[c].runs > 0 ? compare_state_of(t) : STATE_UNKNOWN;
		count_row(&class->columns[c], row, t);
	}
	row->change = compare_change_of_row(row->tally, columns, row->kind);
	row->p = NAN;
	if (compare_told(&row->tally[0]) > 0 && compare_told(&row->tally[columns - 1]) > 0)
		row->p = stats_fisher(compare_bad(&row->tally[0]), compare_told(&row->tally[0]),
		                      compare_bad(&row->tally[columns - 1]),
		                      compare_told(&row->tally[columns - 1]));
}

static void count_column(struct compare_column *column, const struct compare_run *run)
{
	column->runs++;
	column->open += run->open;
	column->broken += run->broken;
	column->faults += run->faults;
	column->warnings += run->warnings;
}

/* Runs of one class and kind, by column and board. */
static void make_class(struct compare_class *class, const struct compare_run *const *runs,
                       size_t count, const struct compare_input *input)
{
	size_t columns = input->columns;
	struct table t = {.columns = columns};

	class->cache = runs[0]->cache;
	class->kind = runs[0]->kind;
	class->columns = xcalloc(columns, sizeof(*class->columns));
	for (size_t i = 0; i < count; i++)
		count_column(&class->columns[runs[i]->column], runs[i]);
	count_runs(&t, runs, count);
	finish_rows(&t);
	class->rows = t.rows;
	class->rows_count = t.count;
	class->tallies = t.tallies;
	free(t.slots);
	free(t.board);
	if (t.count > 0)
		qsort(class->rows, class->rows_count, sizeof(*class->rows), by_order);
	if (input->known_count > 0)
		mark_all_known(input, class);
	for (size_t i = 0; i < t.count; i++)
		judge_row(class, &class->rows[i], columns);
	for (size_t c = 0; c < columns; c++)
		class->columns[c].state = compare_verdict_of(&class->columns[c]);
}

/* --- all classes --- */

static int compare_classes(const struct compare_run *a, const struct compare_run *b)
{
	int classes = (int)cache_class_parse(a->cache) - (int)cache_class_parse(b->cache);

	return classes ? classes : strcmp(a->kind, b->kind);
}

static int by_class(const void *a, const void *b)
{
	const struct compare_run *const *left = a, *const *right = b;
	int classes = compare_classes(*left, *right);

	if (classes)
		return classes;
	if ((*left)->column != (*right)->column)
		return (*left)->column < (*right)->column ? -1 : 1;
	return strcmp((*left)->board, (*right)->board);
}

struct comparison *compare_make(const struct compare_input *input)
{
	size_t count = input->runs_count;
	struct comparison *all = xcalloc(1, sizeof(*all));
	SCOPED_MEM mem = xcalloc(count + 1, sizeof(struct compare_run *));
	const struct compare_run **sorted = mem;

	all->columns = input->columns;
	all->classes = xcalloc(count + 1, sizeof(*all->classes));
	for (size_t i = 0; i < count; i++)
		sorted[i] = &input->runs[i];
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): pointers are sorted */
	qsort((void *)sorted, count, sizeof(*sorted), by_class);
	for (size_t first = 0, end; first < count; first = end) {
		end = first + 1;
		while (end < count && compare_classes(sorted[first], sorted[end]) == 0)
			end++;
		make_class(&all->classes[all->classes_count++], sorted + first, end - first, input);
	}
	return all;
}

void compare_free(struct comparison *comparison)
{
	if (!comparison)
		return;
	for (size_t i = 0; i < comparison->classes_count; i++) {
		free(comparison->classes[i].rows);
		free(comparison->classes[i].tallies);
		free(comparison->classes[i].columns);
	}
	free(comparison->classes);
	free(comparison);
}
