#include "server/daemon/report/findings.h"

#include "server/daemon/report/fields.h"
#include "server/daemon/report/since.h"

static const char *const changes[] = {
	"regressed", "fixed-then-lost", "conflict", "flaky", "still-failing", "new", "fixed", NULL,
};

const char *findings_change(size_t i)
{
	return changes[i];
}

size_t findings_column(const json_t *compare)
{
	const json_t *columns = json_object_get(compare, "columns");
	size_t last = json_array_size(json_object_get(compare, "labels"));

	while (last > 1 && field_is(json_array_get(columns, last - 1), "role", "control"))
		last--;
	return last > 0 ? last - 1 : 0;
}

/* The cell of the row that shows the change: NULL when nothing failed there. */
static json_t *telling(const json_t *doc, const json_t *row, size_t *column)
{
	json_t *cells = json_object_get(row, "cells"), *cell;

	*column = field_is(row, "class_of_change", "fixed") ? 0 : findings_column(doc);
	cell = json_array_get(cells, *column);
	return field_int(cell, "fail") + field_int(cell, "warnings") > 0 &&
	                       field_int(cell, "result") > 0
	               ? cell
	               : NULL;
}

static json_t *finding_of(const json_t *findings, const json_t *class, const json_t *row)
{
	json_t *one;
	size_t i;

	json_array_foreach(findings, i, one)
	{
		if (field_is(one, "test", field_text(row, "test")) &&
		    field_is(one, "cache", field_text(class, "cache")) &&
		    field_is(one, "kind", field_text(class, "kind")))
			return one;
	}
	return NULL;
}

static void row_take(json_t *findings, const json_t *doc, const json_t *class, const json_t *row)
{
	json_t *before = finding_of(findings, class, row), *cell, *fresh;
	size_t column;
	char rate[48];

	cell = telling(doc, row, &column);
	/* A cell says more than its test: it has the record. */
	if (!cell || (before && !json_is_null(json_object_get(before, "cell"))))
		return;
	since_rate(cell, rate);
	fresh = json_pack("{s:O, s:O, s:O, s:O, s:O, s:O, s:s, s:O}", "cache",
	                  json_object_get(class, "cache"), "kind", json_object_get(class, "kind"),
	                  "test", json_object_get(row, "test"), "cell",
	                  json_object_get(row, "cell"), "change",
	                  json_object_get(row, "class_of_change"), "label",
	                  json_array_get(json_object_get(doc, "labels"), column), "rate", rate,
	                  "result", json_object_get(cell, "result"));
	if (before)
		(void)json_object_update(before, fresh);
	else
		(void)json_array_append(findings, fresh);
	json_decref(fresh);
}

json_t *findings_make(const json_t *compare)
{
	json_t *findings = json_array(), *class, *row;
	size_t i, k;

	for (size_t c = 0; changes[c]; c++) {
		json_array_foreach(json_object_get(compare, "classes"), i, class)
		{
			json_array_foreach(json_object_get(class, "rows"), k, row)
			{
				if (field_is(row, "class_of_change", changes[c]) &&
				    field_is(row, "test_kind", "contract"))
					row_take(findings, compare, class, row);
			}
		}
	}
	return findings;
}
