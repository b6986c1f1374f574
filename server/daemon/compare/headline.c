/* The sentence above the matrix. */
#include "server/daemon/compare/compare.h"
#include "server/daemon/compare/compare_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How many tests (not cells) have each change: a test has the worst of its rows'. Rows of a test follow each other. */
static void count_changes(const struct compare_class *class, size_t column,
                          size_t counts[CHANGE_COUNT])
{
	for (size_t i = 0, end; i < class->rows_count; i = end) {
		enum compare_change worst = class->rows[i].tally[column].change;

		for (end = i + 1;
		     end < class->rows_count && class->rows[end].test == class->rows[i].test; end++)
			if (class->rows[end].tally[column].change < worst)
				worst = class->rows[end].tally[column].change;
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
	else if (c->state == COLUMN_PASS || c->state == COLUMN_NOT_SENSITIVE)
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

static void write_verdict(FILE *out, enum judgement verdict)
{
	const char *name = verdict == JUDGED_OPEN ? "no verdict" : judgement_name(verdict);

	if (name)
		(void)fprintf(out, "%s: ", name);
}

static void write_class(FILE *out, const struct compare_class *class, size_t column)
{
	const struct compare_column *last = &class->columns[column];
	size_t counts[CHANGE_COUNT] = {0};

	(void)fprintf(out, "%s (%s) ", class->cache, class->kind);
	count_changes(class, column, counts);
	if (last->runs > 0)
		write_verdict(out, last->verdict);
	if (last->build_failed) {
		(void)fprintf(out, "does not build");
	} else if (column > 0 && last->state != COLUMN_RUNNING && last->runs > 0) {
		write_changes(out, counts);
		(void)fprintf(out, " (");
		write_column(out, last);
		(void)fprintf(out, ")");
	} else {
		write_column(out, last);
	}
	if (class->sense == SENSE_NOT)
		(void)fprintf(out, ", not sensitive: a control passes");
}

char *compare_headline(const struct comparison *comparison, const json_t *labels)
{
	size_t last = compare_last(comparison), len;
	bool qemu = false;
	char *text = NULL;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		abort(); /* out of memory */
	(void)fprintf(out, "%s", json_string_value(json_array_get(labels, last)));
	if (last > 0)
		(void)fprintf(out, " against %s", json_string_value(json_array_get(labels, 0)));
	(void)fprintf(out, ": ");
	for (size_t i = 0; i < comparison->classes_count; i++) {
		if (i > 0)
			(void)fprintf(out, "; ");
		write_class(out, &comparison->classes[i], last);
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
