#include "server/daemon/compare/facts.h"

#include "common/xalloc.h"

#include <string.h>

/* --- controls --- */

static enum compare_seen seen_in(const struct compare_class *class, const char *test, size_t column,
                                 int64_t *telling)
{
	enum compare_seen seen = SEEN_NOTHING;

	for (size_t i = 0; i < class->rows_count; i++) {
		const struct compare_row *row = &class->rows[i];
		const struct compare_tally *t = &row->tally[column];

		if (strcmp(row->test, test) != 0)
			continue;
		if (compare_bad(t) > 0) {
			*telling = t->telling;
			return SEEN_FAILING;
		}
		if (!row->cell[0] && t->state == STATE_CLEAN) {
			*telling = t->telling;
			seen = SEEN_PASSING;
		}
	}
	return seen;
}

static void add_control(struct compare_class *class, size_t column, const char *test)
{
	struct compare_control *control;

	class->controls =
		xrealloc(class->controls, (class->controls_count + 1) * sizeof(*class->controls));
	control = &class->controls[class->controls_count++];
	*control = (struct compare_control){.column = column, .test = test};
	control->seen = seen_in(class, test, column, &control->telling);
}

void facts_controls(struct compare_class *class, const struct compare_input *input)
{
	static const enum judge_sense senses[] = {
		[SEEN_FAILING] = SENSE_SENSITIVE,
		[SEEN_NOTHING] = SENSE_UNKNOWN,
		[SEEN_PASSING] = SENSE_NOT,
	};

	for (size_t c = 0; input->specs && c < input->columns; c++) {
		const struct compare_spec *spec = &input->specs[c];

		for (size_t i = 0; i < spec->expects_count && spec->role == ROLE_CONTROL; i++)
			if (strcmp(spec->expects[i].cache, class->cache) == 0)
				add_control(class, c, spec->expects[i].test);
	}
	class->sense = SENSE_UNASKED;
	for (size_t i = 0; i < class->controls_count; i++)
		if (senses[class->controls[i].seen] > class->sense)
			class->sense = senses[class->controls[i].seen];
}

static bool runs_are_in(const struct compare_column *column)
{
	return column->state != COLUMN_RUNNING && column->state != COLUMN_NO_VERDICT;
}

void facts_sense(struct compare_class *class, size_t columns, size_t revisions)
{
	for (size_t c = 0; c < columns; c++) {
		struct compare_column *column = &class->columns[c];
		enum compare_seen worst = SEEN_FAILING;
		bool asked = false;

		if (c <= revisions && column->state == COLUMN_PASS && class->sense == SENSE_NOT)
			column->state = COLUMN_NOT_SENSITIVE;
		for (size_t i = 0; i < class->controls_count; i++) {
			if (class->controls[i].column != c)
				continue;
			asked = true;
			if (class->controls[i].seen != SEEN_FAILING && worst != SEEN_PASSING)
				worst = class->controls[i].seen;
		}
		if (asked && runs_are_in(column) && worst != SEEN_NOTHING)
			column->state =
				worst == SEEN_PASSING ? COLUMN_NOT_SENSITIVE : COLUMN_SENSITIVE;
	}
}

/* --- a revision --- */

/* A test is counted once in a list, with the row that comes first; rows of a test follow each other. */
static void note(struct judge_tests *list, const struct compare_row *row, size_t column)
{
	if (list->count > 0 && list->last == row->test)
		return;
	list->last = row->test;
	if (list->count++ > 0)
		return;
	list->test = row->test;
	list->bad_before = compare_bad(&row->tally[0]);
	list->told_before = compare_told(&row->tally[0]);
	list->bad = compare_bad(&row->tally[column]);
	list->told = compare_told(&row->tally[column]);
}

/* Another revision that fixes the row; 0: none. The column's own change is no fix. */
static size_t fixed_by(const struct compare_row *row, size_t revisions)
{
	for (size_t c = 1; c <= revisions; c++)
		if (row->tally[c].change == CHANGE_FIXED)
			return c;
	return 0;
}

static const char *label_of(const struct compare_input *input, size_t column)
{
	return input->specs ? input->specs[column].label : "another revision";
}

/* Trials of base or of the revision that nothing known explains: is one of them bad? */
static bool unexplained(const struct compare_tally *t)
{
	return compare_bad(t) > t->known;
}

static void note_flaky(struct judge_facts *f, const struct compare_row *row, size_t column)
{
	if (f->flaky.count == 0)
		f->needed = compare_trials_needed(&row->tally[0], &row->tally[column]);
	note(&f->flaky, row, column);
}

/* The revision fails the row, and so did base. */
static void note_left(struct judge_facts *f, const struct compare_row *row,
                      const struct compare_input *input, size_t column, size_t revisions)
{
	size_t by = fixed_by(row, revisions);

	if (by > 0) {
		if (f->left.count == 0)
			f->left_by = label_of(input, by);
		note(&f->left, row, column);
	} else if (row->tally[column].change == CHANGE_FLAKY) {
		note_flaky(f, row, column);
	} else {
		note(&f->unfixed, row, column);
	}
}

static void note_failing(struct judge_facts *f, const struct compare_row *row,
                         const struct compare_input *input, size_t column, size_t revisions)
{
	switch (row->tally[column].change) {
	case CHANGE_REGRESSED:
		note(&f->regressed, row, column);
		break;
	case CHANGE_FIXED_THEN_LOST:
		note(&f->lost, row, column);
		break;
	case CHANGE_NEW:
		note(&f->added, row, column);
		break;
	case CHANGE_CONFLICT:
		note(&f->conflict, row, column);
		break;
	case CHANGE_FLAKY:
	case CHANGE_STILL_FAILING:
	case CHANGE_KNOWN_FAILING:
		if (compare_bad(&row->tally[0]) > 0)
			note_left(f, row, input, column, revisions);
		else
			note_flaky(f, row, column);
		break;
	case CHANGE_FIXED: /* not of what fails, as those below but the next */
	case CHANGE_NO_VERDICT:
	case CHANGE_GONE:
	case CHANGE_EXPECTED_GAP:
	case CHANGE_SKIPPED:
	case CHANGE_STILL_PASSING:
	case CHANGE_COUNT:
		note(&f->unmatched, row, column);
		break;
	}
}

static void note_row(struct judge_facts *f, const struct compare_row *row,
                     const struct compare_input *input, size_t column, size_t revisions)
{
	const struct compare_tally *t = &row->tally[column];

	if (unexplained(t))
		note_failing(f, row, input, column, revisions);
	else if (t->change == CHANGE_FIXED)
		note(&f->fixed, row, column);
	else if (t->change == CHANGE_CONFLICT && unexplained(&row->tally[0]))
		note(&f->conflict, row, column);
	else if (t->change == CHANGE_FLAKY && unexplained(&row->tally[0]))
		note_flaky(f, row, column);
	else if (t->change == CHANGE_GONE && !row->cell[0])
		note(&f->gone, row, column);
}

static void note_controls(struct judge_facts *f, const struct compare_class *class,
                          const struct compare_input *input)
{
	enum compare_seen wanted = class->sense == SENSE_NOT ? SEEN_PASSING : SEEN_NOTHING;

	f->sense = class->sense;
	for (size_t i = 0; i < class->controls_count && !f->control; i++) {
		if (class->controls[i].seen != wanted)
			continue;
		f->control = label_of(input, class->controls[i].column);
		f->control_test = class->controls[i].test;
	}
}

static void note_costs(struct judge_facts *f, const struct compare_class *class, size_t column)
{
	const struct cost_summary *cost = &class->columns[column].cost;

	f->compared = cost->compared;
	f->dearer = cost->more;
	if (cost->more > 0) {
		const struct cost_row *row = &class->costs.rows[cost->worst];

		f->cost_test = row->test;
		f->cost_cell = row->cell;
		f->cost_more = row->cells[column].ratio - 1;
		f->cost_low = row->cells[column].low - 1;
		f->cost_high = row->cells[column].high - 1;
	}
}

void facts_judge(struct compare_class *class, const struct compare_input *input, size_t column,
                 size_t revisions)
{
	struct compare_column *c = &class->columns[column];
	struct judge_facts f = {
		.ran = c->runs > 0,
		.running = c->open > 0,
		.build_failed = c->build_failed,
		.proves_nothing = compare_note(class->cache, class->kind),
		.passed = c->contract_pass,
		.known = c->known_fail,
		.without = c->missing + c->contract_other + c->broken,
		.warnings = c->warnings,
		.base_warnings = class->columns[0].warnings,
		.base_ran = class->columns[0].runs > 0 && !class->columns[0].build_failed,
	};

	for (size_t i = 0; i < class->rows_count; i++)
		if (class->rows[i].kind == COMPARE_CONTRACT)
			note_row(&f, &class->rows[i], input, column, revisions);
	note_controls(&f, class, input);
	note_costs(&f, class, column);
	c->verdict = judge_revision(&f, &c->why);
}
