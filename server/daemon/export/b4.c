#include "server/daemon/export/b4.h"

#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/export/outcome.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define NAMED 20 /* rows of a kind in the details */

enum change { BROKEN, STILL, FIXED, CHANGES };
static const char *const words[CHANGES] = {"broken", "still failing", "fixed"};

struct tally {
	size_t count[CHANGES];
	char *names[CHANGES]; /* owned: "\n  dio-read-anon u=dirty" of each */
};

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static int64_t int_of(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static bool is_bad(const json_t *cell)
{
	const char *state = text_of(cell, "state");

	return strcmp(state, "bad") == 0 || strcmp(state, "mixed") == 0 ||
	       strcmp(state, "conflict") == 0;
}

static void note(struct tally *t, enum change change, const json_t *row)
{
	const char *cell = text_of(row, "cell");
	char *longer;

	if (t->count[change]++ >= NAMED)
		return;
	longer = xasprintf("%s\n  %s%s%s", t->names[change] ? t->names[change] : "",
	                   text_of(row, "test"), *cell ? " " : "", cell);
	free(t->names[change]);
	t->names[change] = longer;
}

/* Contract rows only; failures that are known count as nothing. */
static void tally_rows(struct tally *t, const json_t *class, size_t column)
{
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(class, "rows"), i, row)
	{
		const json_t *cells = json_object_get(row, "cells");
		const json_t *now = json_array_get(cells, column);
		const json_t *before = column > 0 ? json_array_get(cells, 0) : NULL;
		bool known =
			int_of(now, "known") > 0 && int_of(now, "known") == int_of(now, "fail");

		if (strcmp(text_of(row, "test_kind"), "contract") != 0 || known)
			continue;
		if (is_bad(now))
			note(t, is_bad(before) ? STILL : BROKEN, row);
		else if (is_bad(before) && strcmp(text_of(now, "state"), "clean") == 0)
			note(t, FIXED, row);
	}
}

static const char *status_of(const json_t *class, const struct tally *t, size_t column)
{
	const json_t *columns = json_object_get(class, "columns");
	const json_t *now = json_array_get(columns, column), *before = json_array_get(columns, 0);
	const char *state = text_of(now, "state");
	bool warned =
		int_of(now, "warnings") > 0 && (column == 0 || int_of(before, "warnings") == 0);

	if (strcmp(state, "fail") == 0 && (t->count[BROKEN] > 0 || warned))
		return outcome_row(t->count[BROKEN] > 0 ? OUTCOME_FAIL : OUTCOME_WARNED)->b4;
	if (strcmp(state, "pass") == 0 && json_is_true(json_object_get(class, "proves_coherency")))
		return outcome_row(OUTCOME_PASS)->b4;
	return outcome_row(OUTCOME_MISSING)->b4; /* nothing to rely on */
}

static char *summary_of(const json_t *class, const json_t *labels, const struct tally *t,
                        size_t column)
{
	const json_t *now = json_array_get(json_object_get(class, "columns"), column);
	int64_t results = int_of(now, "pass") + int_of(now, "fail") + int_of(now, "known_fail") +
	                  int_of(now, "skip") + int_of(now, "other");
	const char *base = json_string_value(json_array_get(labels, 0));
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		abort(); /* out of memory */
	(void)fprintf(out, "%s%s%s on %s %s: %s", text_of(now, "label"), column ? " against " : "",
	              column && base ? base : "", text_of(class, "kind"), text_of(class, "cache"),
	              text_of(now, "state"));
	for (size_t i = 0; i < CHANGES; i++)
		if (t->count[i] > 0)
			(void)fprintf(out, ", %zu %s", t->count[i], words[i]);
	(void)fprintf(out, "; %" PRId64 " results", results);
	if (int_of(now, "missing") > 0)
		(void)fprintf(out, ", %" PRId64 " missing", int_of(now, "missing"));
	if (int_of(now, "warnings") > 0)
		(void)fprintf(out, ", %" PRId64 " kernel warnings", int_of(now, "warnings"));
	(void)fclose(out);
	return text;
}

static char *details_of(const json_t *class, const struct tally *t)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		abort(); /* out of memory */
	for (size_t i = 0; i < CHANGES; i++) {
		if (t->count[i] == 0)
			continue;
		(void)fprintf(out, "%s:%s\n", words[i], t->names[i]);
		if (t->count[i] > NAMED)
			(void)fprintf(out, "  and %zu more\n", t->count[i] - NAMED);
	}
	if (*text_of(class, "note"))
		(void)fprintf(out, "%s\n", text_of(class, "note"));
	(void)fclose(out);
	return text;
}

static json_t *check_of(const json_t *class, const json_t *labels, size_t column, int64_t job,
                        const char *base)
{
	struct tally t = {0};
	SCOPED_STR tool =
		xasprintf("cohort/%s/%s", text_of(class, "cache"), text_of(class, "kind"));
	SCOPED_STR url = base ? xasprintf("%s/compare.html?job=%" PRId64, base, job) : NULL;
	SCOPED_STR summary = NULL;
	SCOPED_STR details = NULL;
	json_t *check;

	tally_rows(&t, class, column);
	summary = summary_of(class, labels, &t, column);
	details = details_of(class, &t);
	check = json_pack("{s:s, s:s, s:s, s:s, s:s}", "tool", tool, "status",
	                  status_of(class, &t, column), "summary", summary, "url", url ? url : "",
	                  "details", details);
	for (size_t i = 0; i < CHANGES; i++)
		free(t.names[i]);
	return check;
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
