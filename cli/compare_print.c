#include "cli/compare_print.h"

#include "cli/fields.h"
#include "cli/term.h"

#include <stdio.h>
#include <string.h>

static const char *role_of(const json_t *doc, size_t column)
{
	return field_text(json_array_get(json_object_get(doc, "columns"), column), "role");
}

size_t compare_last_revision(const json_t *doc)
{
	size_t last = json_array_size(json_object_get(doc, "labels"));

	while (last > 1 && strcmp(role_of(doc, last - 1), "control") == 0)
		last--;
	return last > 0 ? last - 1 : 0;
}

static const char *label_of(const json_t *doc, size_t column)
{
	const char *label =
		json_string_value(json_array_get(json_object_get(doc, "labels"), column));

	return label ? label : "";
}

/* --- verdicts --- */

static enum term_style style_of(const char *verdict)
{
	return strcmp(verdict, "good") == 0    ? TERM_GOOD
	       : strcmp(verdict, "bad") == 0   ? TERM_BAD
	       : strcmp(verdict, "costs") == 0 ? TERM_BOLD
	                                       : TERM_PLAIN;
}

static double percent_of(const json_t *object, const char *name)
{
	return 100 * (json_number_value(json_object_get(object, name)) - 1);
}

/* "+18 % (+12 to +25 %)", "~ (-1 to +2 %)", "-" */
static void cost_cell(struct term_table *table, const json_t *cost)
{
	const char *shown = field_text(cost, "shown");

	if (!*shown)
		term_cell(table, TERM_DIM, "-");
	else if (strcmp(shown, "~") == 0)
		term_cell(table, TERM_DIM, "~ (%+.2g to %+.2g %%)", percent_of(cost, "low"),
		          percent_of(cost, "high"));
	else
		term_cell(table, strcmp(shown, "more") == 0 ? TERM_BOLD : TERM_GOOD,
		          "%+.3g %% (%+.3g to %+.3g %%)", percent_of(cost, "ratio"),
		          percent_of(cost, "low"), percent_of(cost, "high"));
}

static void head(struct term_table *table, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		term_cell(table, TERM_BOLD, "%s", names[i]);
}

void compare_print_verdicts(const json_t *doc)
{
	static const char *const names[] = {"CACHE CLASS", "KIND", "REVISION",
	                                    "VERDICT",     "COST", "WHY"};
	struct term_table *table = term_table_new();
	json_t *class, *column;
	size_t i, k, shown = 0;

	head(table, names, sizeof(names) / sizeof(*names));
	term_row_end(table);
	json_array_foreach(json_object_get(doc, "classes"), i, class)
	{
		json_array_foreach(json_object_get(class, "columns"), k, column)
		{
			const char *verdict = field_text(column, "verdict");

			if (!*verdict)
				continue;
			shown++;
			term_cell(table, TERM_PLAIN, "%s", field_text(class, "cache"));
			term_cell(table, TERM_PLAIN, "%s", field_text(class, "kind"));
			term_cell(table, TERM_BOLD, "%s", field_text(column, "label"));
			term_cell(table, style_of(verdict), "%s", verdict);
			cost_cell(table, json_object_get(column, "cost"));
			term_cell(table, TERM_PLAIN, "%s", field_text(column, "why"));
			term_row_end(table);
		}
	}
	if (shown > 0)
		(void)putchar('\n');
	term_table_print(table, shown > 0 ? stdout : NULL);
}

/* --- controls --- */

void compare_print_controls(const json_t *doc)
{
	struct term_table *table = term_table_new();
	json_t *class, *control;
	size_t i, k, shown = 0;

	json_array_foreach(json_object_get(doc, "classes"), i, class)
	{
		json_t *sense = json_object_get(class, "sensitivity");

		json_array_foreach(json_object_get(sense, "controls"), k, control)
		{
			const char *seen = field_text(control, "seen");
			bool fails = strcmp(seen, "fails") == 0;
			bool passes = strcmp(seen, "passes") == 0;

			shown++;
			term_cell(table, TERM_PLAIN, "%s (%s)", field_text(class, "cache"),
			          field_text(class, "kind"));
			term_cell(table, passes ? TERM_BAD : TERM_PLAIN, "%s",
			          fails    ? "sensitive:"
			          : passes ? "NOT SENSITIVE:"
			                   : "not known to be sensitive:");
			term_cell(table, TERM_PLAIN, "control %s %s %s",
			          label_of(doc, (size_t)field_int(control, "column")),
			          fails    ? "fails, as it must,"
			          : passes ? "passes what it must fail,"
			                   : "has no verdict on",
			          field_text(control, "test"));
			term_row_end(table);
		}
	}
	if (shown > 0)
		(void)putchar('\n');
	term_table_print(table, shown > 0 ? stdout : NULL);
}

/* --- costs --- */

static bool differs(const json_t *row)
{
	json_t *cell;
	size_t i;

	json_array_foreach(json_object_get(row, "cells"), i, cell)
	{
		const char *shown = field_text(cell, "shown");

		if (*shown && strcmp(shown, "~") != 0)
			return true;
	}
	return false;
}

static void cost_row(struct term_table *table, const json_t *class, const json_t *row)
{
	json_t *cell;
	size_t i;

	term_cell(table, TERM_PLAIN, "%s", field_text(class, "cache"));
	term_cell(table, TERM_PLAIN, "%s", field_text(row, "board"));
	term_cell(table, TERM_PLAIN, "%s", field_text(row, "test"));
	term_cell(table, TERM_PLAIN, "%s", field_text(row, "cell"));
	json_array_foreach(json_object_get(row, "cells"), i, cell)
	{
		if (json_is_object(cell) && !*field_text(cell, "shown"))
			term_cell(table, TERM_PLAIN, "%.6g %s",
			          json_number_value(json_object_get(cell, "median")),
			          field_text(row, "unit"));
		else
			cost_cell(table, cell);
	}
	term_row_end(table);
}

void compare_print_costs(const json_t *doc, bool all)
{
	static const char *const names[] = {"CACHE CLASS", "BOARD", "BENCHMARK", "CELL"};
	struct term_table *table = term_table_new();
	json_t *class, *row, *label;
	size_t i, k, shown = 0, hidden = 0;

	head(table, names, sizeof(names) / sizeof(*names));
	json_array_foreach(json_object_get(doc, "labels"), k, label)
		term_cell(table, TERM_BOLD, "%s", json_string_value(label));
	term_row_end(table);
	json_array_foreach(json_object_get(doc, "classes"), i, class)
	{
		json_array_foreach(json_object_get(class, "costs"), k, row)
		{
			bool wanted = all || differs(row);

			shown += wanted;
			hidden += !wanted;
			if (wanted)
				cost_row(table, class, row);
		}
	}
	if (shown + hidden > 0)
		(void)putchar('\n');
	term_table_print(table, shown > 0 ? stdout : NULL);
	if (hidden > 0)
		(void)printf("%zu measured numbers show no difference (--all shows them)\n",
		             hidden);
}
