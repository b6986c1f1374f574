#include "server/daemon/compare/compare_json.h"

#include "server/daemon/compare/compare.h"
#include "server/daemon/compare/stats.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a pass on boards of this kind is worth. */
static const char *note_of(const char *kind)
{
	if (strcmp(kind, "qemu") == 0)
		return "QEMU holds one copy of memory: a pass here says nothing about coherency";
	if (strcmp(kind, "host") == 0)
		return "a host tests the farm itself: a pass here says nothing about coherency";
	return NULL;
}

bool compare_proves_coherency(const char *cache, const char *kind)
{
	return strcmp(cache, "none") != 0 && !note_of(kind);
}

static json_t *number(size_t value)
{
	return json_integer((json_int_t)value);
}

/* Members are set one by one: json_pack() would read its format for each of some ten thousand cells. */
static json_t *cell_json(const struct compare_tally *t)
{
	json_t *cell = json_object();
	size_t told = compare_told(t);
	struct stats_interval rate = stats_wilson(compare_bad(t), told);

	(void)json_object_set_new_nocheck(cell, "state",
	                                  json_string_nocheck(compare_state_name(t->state)));
	(void)json_object_set_new_nocheck(cell, "low", told ? json_real(rate.low) : json_null());
	(void)json_object_set_new_nocheck(cell, "high", told ? json_real(rate.high) : json_null());
	(void)json_object_set_new_nocheck(cell, "n",
	                                  number(t->pass + t->fail + t->skip + t->other));
	(void)json_object_set_new_nocheck(cell, "pass", number(t->pass));
	(void)json_object_set_new_nocheck(cell, "fail", number(t->fail));
	(void)json_object_set_new_nocheck(cell, "known", number(t->known));
	(void)json_object_set_new_nocheck(cell, "skip", number(t->skip));
	(void)json_object_set_new_nocheck(cell, "other", number(t->other));
	(void)json_object_set_new_nocheck(cell, "missing", number(t->missing));
	(void)json_object_set_new_nocheck(cell, "warnings", number(t->warned));
	(void)json_object_set_new_nocheck(
		cell, "result", t->telling ? json_integer((json_int_t)t->telling) : json_null());
	return cell;
}

static json_t *row_json(const struct compare_row *row, size_t columns)
{
	json_t *cells = json_array(), *json;
	char *proof = compare_proof(row, columns);

	for (size_t c = 0; c < columns; c++)
		(void)json_array_append_new(cells, cell_json(&row->tally[c]));
	json = json_pack("{s:s, s:s?, s:s, s:s?, s:s, s:o, s:s?, s:o}", "test", row->test, "cell",
	                 row->cell[0] ? row->cell : NULL, "test_kind", compare_kind_name(row->kind),
	                 "known", row->known, "class_of_change", compare_change_name(row->change),
	                 "p", isnan(row->p) ? json_null() : json_real(row->p), "proof", proof,
	                 "cells", cells);
	free(proof);
	return json;
}

static json_t *column_json(const struct compare_column *c, json_t *label)
{
	return json_pack("{s:O, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "label",
	                 label, "state", compare_verdict_name(c->state), "runs",
	                 (json_int_t)c->runs, "pass", (json_int_t)c->pass, "fail",
	                 (json_int_t)c->fail, "known_fail", (json_int_t)c->known_fail, "skip",
	                 (json_int_t)c->skip, "other", (json_int_t)c->other, "missing",
	                 (json_int_t)c->missing, "gap_fail", (json_int_t)c->gap_fail, "faults",
	                 (json_int_t)c->faults, "warnings", (json_int_t)c->warnings);
}

static json_t *class_json(const struct compare_class *class, size_t columns, const json_t *labels)
{
	json_t *column_list = json_array(), *rows = json_array();

	for (size_t c = 0; c < columns; c++)
		(void)json_array_append_new(
			column_list, column_json(&class->columns[c], json_array_get(labels, c)));
	for (size_t i = 0; i < class->rows_count; i++)
		(void)json_array_append_new(rows, row_json(&class->rows[i], columns));
	return json_pack("{s:s, s:s, s:b, s:s?, s:o, s:o}", "cache", class->cache, "kind",
	                 class->kind, "proves_coherency",
	                 compare_proves_coherency(class->cache, class->kind), "note",
	                 note_of(class->kind), "columns", column_list, "rows", rows);
}

json_t *compare_json(const struct comparison *comparison, const json_t *labels)
{
	json_t *classes = json_array(), *doc;
	char *headline = compare_headline(comparison, labels);

	for (size_t i = 0; i < comparison->classes_count; i++)
		(void)json_array_append_new(
			classes, class_json(&comparison->classes[i], comparison->columns, labels));
	doc = json_pack("{s:O, s:o, s:s}", "labels", labels, "classes", classes, "headline",
	                headline);
	free(headline);
	return doc;
}

/* --- the headline --- */

/* How many tests (not cells) have each change: a test has the worst of its rows'. Rows of a test follow each other. */
static void count_changes(const struct compare_class *class, size_t counts[CHANGE_COUNT])
{
	for (size_t i = 0, end; i < class->rows_count; i = end) {
		enum compare_change worst = class->rows[i].change;

		for (end = i + 1;
		     end < class->rows_count && class->rows[end].test == class->rows[i].test; end++)
			if (class->rows[end].change < worst)
				worst = class->rows[end].change;
		counts[worst]++;
	}
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static void write_passed(FILE *out, const struct compare_column *c)
{
	size_t results = c->contract_pass + c->known_fail;

	(void)fprintf(out, "%zu result%s, none failed", results, plural(results));
	if (c->known_fail > 0)
		(void)fprintf(out, " but %zu that %s known", c->known_fail,
		              c->known_fail == 1 ? "is" : "are");
}

/* What the column by itself says, in few words. */
static void write_column(FILE *out, const struct compare_column *c)
{
	if (c->state == COLUMN_RUNNING)
		(void)fprintf(out, "still running");
	else if (c->state == COLUMN_PASS)
		write_passed(out, c);
	else if (c->state == COLUMN_FAIL && c->fail + c->cell_fail > 0)
		(void)fprintf(out, "%zu failed", c->fail > 0 ? c->fail : c->cell_fail);
	else if (c->state == COLUMN_FAIL)
		(void)fprintf(out, "%zu kernel warning%s", c->warnings, plural(c->warnings));
	else if (c->missing > 0)
		(void)fprintf(out, "incomplete, %zu result%s missing", c->missing,
		              plural(c->missing));
	else
		(void)fprintf(out, "%s",
		              c->state == COLUMN_INCOMPLETE ? "incomplete" : "no verdict");
}

static void write_changes(FILE *out, const size_t counts[CHANGE_COUNT])
{
	static const enum compare_change told[] = {
		CHANGE_REGRESSED,     CHANGE_FIXED_THEN_LOST, CHANGE_CONFLICT,   CHANGE_FLAKY,
		CHANGE_STILL_FAILING, CHANGE_FIXED,           CHANGE_NO_VERDICT, CHANGE_NEW,
		CHANGE_GONE};
	bool any = false;

	for (size_t i = 0; i < sizeof(told) / sizeof(*told); i++) {
		if (counts[told[i]] == 0)
			continue;
		(void)fprintf(out, "%s%zu %s", any ? ", " : "", counts[told[i]],
		              compare_change_name(told[i]));
		any = true;
	}
	if (!any)
		(void)fprintf(out, "nothing changed");
}

static void write_class(FILE *out, const struct compare_class *class, size_t columns)
{
	const struct compare_column *last = &class->columns[columns - 1];
	size_t counts[CHANGE_COUNT] = {0};

	(void)fprintf(out, "%s (%s) ", class->cache, class->kind);
	count_changes(class, counts);
	if (columns > 1 && last->state != COLUMN_RUNNING && last->runs > 0) {
		write_changes(out, counts);
		(void)fprintf(out, " (");
		write_column(out, last);
		(void)fprintf(out, ")");
	} else {
		write_column(out, last);
	}
}

char *compare_headline(const struct comparison *comparison, const json_t *labels)
{
	size_t columns = comparison->columns, len;
	bool qemu = false;
	char *text = NULL;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		abort(); /* out of memory */
	(void)fprintf(out, "%s", json_string_value(json_array_get(labels, columns - 1)));
	if (columns > 1)
		(void)fprintf(out, " against %s", json_string_value(json_array_get(labels, 0)));
	(void)fprintf(out, ": ");
	for (size_t i = 0; i < comparison->classes_count; i++) {
		if (i > 0)
			(void)fprintf(out, "; ");
		write_class(out, &comparison->classes[i], columns);
		qemu |= strcmp(comparison->classes[i].kind, "qemu") == 0;
	}
	if (comparison->classes_count == 0)
		(void)fprintf(out, "no runs");
	if (qemu)
		(void)fprintf(out, "; passes on QEMU prove nothing about coherency");
	(void)fprintf(out, ".");
	(void)fclose(out);
	return text;
}
