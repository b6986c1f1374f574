#include "server/daemon/report/since.h"

#include "server/daemon/report/fields.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* ---- Finding the same thing ---- */

static json_t *class_like(const json_t *doc, const json_t *class)
{
	json_t *other;
	size_t i;

	json_array_foreach(json_object_get(doc, "classes"), i, other)
	{
		if (field_is(other, "cache", field_text(class, "cache")) &&
		    field_is(other, "kind", field_text(class, "kind")))
			return other;
	}
	return NULL;
}

/* The column of the other job that is the same; -1: none. */
static int column_like(const json_t *now, const json_t *then, size_t column)
{
	const json_t *labels = json_object_get(now, "labels"),
		     *others = json_object_get(then, "labels");
	json_t *label = json_array_get(labels, column), *other, *known;
	bool any = false;
	size_t i, k;

	json_array_foreach(others, i, other)
	{
		if (json_equal(label, other))
			return (int)i;
		json_array_foreach(labels, k, known)
		{
			any |= json_equal(known, other);
		}
	}
	return !any && column < json_array_size(others) ? (int)column : -1;
}

static json_t *row_like(const json_t *class, const json_t *row, size_t hint)
{
	json_t *rows = json_object_get(class, "rows"), *other = json_array_get(rows, hint);
	size_t i;

	/* Nearly always it is in the same place. */
	if (field_is(other, "test", field_text(row, "test")) &&
	    json_equal(json_object_get(other, "cell"), json_object_get(row, "cell")))
		return other;
	json_array_foreach(rows, i, other)
	{
		if (field_is(other, "test", field_text(row, "test")) &&
		    json_equal(json_object_get(other, "cell"), json_object_get(row, "cell")))
			return other;
	}
	return NULL;
}

/* ---- What changed ---- */

void since_rate(const json_t *cell, char out[48])
{
	json_int_t fail = field_int(cell, "fail") + field_int(cell, "warnings");
	json_int_t told = field_int(cell, "fail") + field_int(cell, "pass");

	(void)snprintf(out, 48, "%lld/%lld", (long long)fail, (long long)told);
}

enum judged { UNKNOWN, GOOD, BAD };

static enum judged judge(const json_t *cell)
{
	if (field_is(cell, "state", "clean"))
		return GOOD;
	if (field_is(cell, "state", "bad") || field_is(cell, "state", "mixed") ||
	    field_is(cell, "state", "conflict"))
		return BAD;
	return UNKNOWN;
}

static const char *change_of(const json_t *now, const json_t *then)
{
	enum judged a = judge(then), b = judge(now);

	if (a == b || field_is(now, "state", "absent") || field_is(then, "state", "absent"))
		return NULL;
	if (b == UNKNOWN)
		return field_is(now, "state", "skip") ? NULL : "no verdict";
	if (a == UNKNOWN)
		return b == BAD ? "broke" : "verdict";
	return b == BAD ? "broke" : "fixed";
}

/* Rows of a test follow each other: the last entry is of the same test, or a new one is made. */
static void test_add(json_t *tests, const json_t *class, json_t *label, const json_t *row,
                     const char *change, const json_t *now, const json_t *then)
{
	json_t *last = json_array_get(tests, json_array_size(tests) - 1);
	bool cell = !json_is_null(json_object_get(row, "cell"));
	char is[48], was[48];

	if (json_array_size(tests) > 0 && field_is(last, "test", field_text(row, "test")) &&
	    field_is(last, "cache", field_text(class, "cache")) &&
	    field_is(last, "kind", field_text(class, "kind")) && field_is(last, "change", change) &&
	    json_equal(json_object_get(last, "label"), label)) {
		(void)json_object_set_new(last, "cells",
		                          json_integer(field_int(last, "cells") + cell));
		return;
	}
	since_rate(now, is);
	since_rate(then, was);
	(void)json_array_append_new(tests,
	                            json_pack("{s:O, s:O, s:O, s:O, s:s, s:s, s:s, s:i}", "cache",
	                                      json_object_get(class, "cache"), "kind",
	                                      json_object_get(class, "kind"), "label", label,
	                                      "test", json_object_get(row, "test"), "change",
	                                      change, "now", is, "then", was, "cells", (int)cell));
}

static void column_compare(json_t *out, const json_t *now, const json_t *then, json_t *label,
                           size_t column, size_t other)
{
	json_t *tests = json_object_get(out, "tests"), *row;
	json_t *is = json_array_get(json_object_get(now, "columns"), column);
	json_t *was = json_array_get(json_object_get(then, "columns"), other);
	size_t i;

	if (!json_equal(json_object_get(is, "state"), json_object_get(was, "state")))
		(void)json_array_append_new(json_object_get(out, "matrix"),
		                            json_pack("{s:O, s:O, s:O, s:O, s:O}", "cache",
		                                      json_object_get(now, "cache"), "kind",
		                                      json_object_get(now, "kind"), "label", label,
		                                      "from", json_object_get(was, "state"), "to",
		                                      json_object_get(is, "state")));
	json_array_foreach(json_object_get(now, "rows"), i, row)
	{
		json_t *before = row_like(then, row, i);
		json_t *a = json_array_get(json_object_get(row, "cells"), column);
		json_t *b = json_array_get(json_object_get(before, "cells"), other);
		const char *change = b ? change_of(a, b) : NULL;

		if (change && field_is(row, "test_kind", "contract"))
			test_add(tests, now, label, row, change, a, b);
	}
}

json_t *since_make(const json_t *now, const json_t *then)
{
	json_t *out = json_pack("{s:[], s:[]}", "matrix", "tests");
	json_t *class, *label;
	size_t i, k;

	json_array_foreach(json_object_get(now, "classes"), i, class)
	{
		json_t *before = class_like(then, class);

		json_array_foreach(json_object_get(now, "labels"), k, label)
		{
			int other = before ? column_like(now, then, k) : -1;

			if (other >= 0)
				column_compare(out, class, before, label, k, (size_t)other);
		}
	}
	return out;
}
