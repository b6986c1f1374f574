/* The comparison has judged already (docs/COMPARE.md, "The verdict on a revision"): here its words become b4's. */
#include "server/daemon/export/b4.h"

#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/export/outcome.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define NAMED 20 /* rows of a class of change in the details */

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static int64_t int_of(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static FILE *text_begin(char **text, size_t *len)
{
	FILE *out = open_memstream(text, len);

	if (!out)
		abort(); /* out of memory */
	return out;
}

/* --- the status --- */

static enum outcome outcome_of_verdict(const char *verdict)
{
	if (strcmp(verdict, "good") == 0)
		return OUTCOME_PASS;
	/* What costs, and what is open, is for the reader to look at. */
	return strcmp(verdict, "bad") == 0 ? OUTCOME_FAIL : OUTCOME_INCONCLUSIVE;
}

/* A base has no verdict: it is judged by itself. */
static enum outcome outcome_of_state(const json_t *class, const char *state)
{
	if (strcmp(state, "fail") == 0)
		return OUTCOME_FAIL;
	if (strcmp(state, "pass") == 0 && json_is_true(json_object_get(class, "proves_coherency")))
		return OUTCOME_PASS;
	return OUTCOME_INCONCLUSIVE;
}

static const char *status_of(const json_t *class, const json_t *column)
{
	const char *verdict = text_of(column, "verdict");

	return outcome_row(*verdict ? outcome_of_verdict(verdict)
	                            : outcome_of_state(class, text_of(column, "state")))
	        ->b4;
}

/* --- the words --- */

static char *summary_of(const json_t *class, const json_t *labels, const json_t *column)
{
	int64_t results = int_of(column, "pass") + int_of(column, "fail") +
	                  int_of(column, "known_fail") + int_of(column, "skip") +
	                  int_of(column, "other");
	const char *base = json_string_value(json_array_get(labels, 0));
	const char *verdict = text_of(column, "verdict"), *why = text_of(column, "why");
	char *text = NULL;
	size_t len;
	FILE *out = text_begin(&text, &len);

	(void)fprintf(out, "%s%s%s on %s %s: %s", text_of(column, "label"),
	              *verdict && base ? " against " : "", *verdict && base ? base : "",
	              text_of(class, "kind"), text_of(class, "cache"),
	              *verdict ? verdict : text_of(column, "state"));
	if (*why)
		(void)fprintf(out, ": %s", why);
	(void)fprintf(out, " (%" PRId64 " results", results);
	if (int_of(column, "missing") > 0)
		(void)fprintf(out, ", %" PRId64 " missing", int_of(column, "missing"));
	if (int_of(column, "warnings") > 0)
		(void)fprintf(out, ", %" PRId64 " kernel warnings", int_of(column, "warnings"));
	(void)fprintf(out, ")");
	(void)fclose(out);
	return text;
}

/* What changed in the row, or "failing" where there is nothing to compare with; "" for what needs no line. */
static const char *change_of(const json_t *row, size_t column)
{
	static const char *const told[] = {"regressed", "fixed-then-lost", "conflict",
	                                   "flaky",     "still-failing",   "fixed"};
	const char *change =
		json_string_value(json_array_get(json_object_get(row, "changes"), column));
	const char *state = text_of(json_array_get(json_object_get(row, "cells"), column), "state");

	for (size_t i = 0; change && i < sizeof(told) / sizeof(*told); i++)
		if (strcmp(told[i], change) == 0)
			return told[i];
	if (!change && strcmp(text_of(row, "test_kind"), "contract") == 0 &&
	    (strcmp(state, "bad") == 0 || strcmp(state, "mixed") == 0))
		return "failing";
	return "";
}

/* The rows with that change, a line each, in the order of the plan. */
static void list_rows(FILE *out, const json_t *class, size_t column, const char *change)
{
	size_t i, count = 0;
	json_t *row;

	json_array_foreach(json_object_get(class, "rows"), i, row)
	{
		const char *cell = text_of(row, "cell");

		if (strcmp(change_of(row, column), change) != 0 || ++count > NAMED)
			continue;
		(void)fprintf(out, "%s%s  %s%s%s\n", count == 1 ? change : "",
		              count == 1 ? ":\n" : "", text_of(row, "test"), *cell ? " " : "",
		              cell);
	}
	if (count > NAMED)
		(void)fprintf(out, "  and %zu more\n", count - NAMED);
}

static char *details_of(const json_t *class, size_t column)
{
	static const char *const order[] = {"regressed", "fixed-then-lost", "failing", "conflict",
	                                    "flaky",     "still-failing",   "fixed"};
	char *text = NULL;
	size_t len;
	FILE *out = text_begin(&text, &len);

	for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++)
		list_rows(out, class, column, order[i]);
	if (*text_of(class, "note"))
		(void)fprintf(out, "%s\n", text_of(class, "note"));
	(void)fclose(out);
	return text;
}

static json_t *check_of(const json_t *class, const json_t *labels, size_t column, int64_t job,
                        const char *base)
{
	const json_t *judged = json_array_get(json_object_get(class, "columns"), column);
	SCOPED_STR tool =
		xasprintf("cohort/%s/%s", text_of(class, "cache"), text_of(class, "kind"));
	SCOPED_STR url = base ? xasprintf("%s/compare.html?job=%" PRId64, base, job) : NULL;
	SCOPED_STR summary = summary_of(class, labels, judged);
	SCOPED_STR details = details_of(class, column);

	return json_pack("{s:s, s:s, s:s, s:s, s:s}", "tool", tool, "status",
	                 status_of(class, judged), "summary", summary, "url", url ? url : "",
	                 "details", details);
}

size_t export_b4_column(const json_t *comparison)
{
	const json_t *columns = json_object_get(comparison, "columns");
	size_t column = json_array_size(columns);

	while (column > 1 &&
	       strcmp(text_of(json_array_get(columns, column - 1), "role"), "control") == 0)
		column--;
	return column > 0 ? column - 1 : 0;
}

json_t *export_b4(const json_t *comparison, size_t column, int64_t job, const char *base)
{
	const json_t *labels = json_object_get(comparison, "labels");
	json_t *checks = json_array(), *class;
	size_t i;

	json_array_foreach(json_object_get(comparison, "classes"), i, class)
	{
		(void)json_array_append_new(checks, check_of(class, labels, column, job, base));
	}
	return checks;
}
