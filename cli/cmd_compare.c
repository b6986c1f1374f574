#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/compare_print.h"
#include "cli/evidence.h"
#include "cli/fields.h"
#include "cli/term.h"
#include "common/err.h"
#include "common/scoped.h"
#include "common/xalloc.h"

#include <getopt.h>

/* Failing cells of a class whose evidence is shown below the table. */
#define EVIDENCE_MAX 6
/* Failing cells that are asked for it: a test keeps records of some of its cells only. */
#define EVIDENCE_ASK 100

struct compare {
	char *path;        /* owned */
	const char *suite; /* with builds, or NULL */
	bool all, json;
};

static int add_suite(struct compare *c)
{
	SCOPED_STR suite = c->suite ? client_escape(c->suite) : NULL;
	char *longer;

	if (!suite)
		return 0;
	longer = xasprintf("%s&suite=%s", c->path, suite);
	free(c->path);
	c->path = longer;
	return 0;
}

static int parse(struct compare *c, int argc, char **argv, struct err *err)
{
	static const struct option options[] = {{"builds", required_argument, NULL, 'b'},
	                                        {"suite", required_argument, NULL, 's'},
	                                        {"all", no_argument, NULL, 'a'},
	                                        {"json", no_argument, NULL, 'j'},
	                                        {0}};
	long long job;
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'a') {
			c->all = true;
		} else if (opt == 'j') {
			c->json = true;
		} else if (opt == 's') {
			c->suite = optarg;
		} else if (opt == 'b' && !c->path) {
			SCOPED_STR builds = client_escape(optarg);

			c->path = xasprintf("/api/v1/compare?builds=%s", builds);
		} else {
			return EXIT_USAGE;
		}
	}
	if (c->path && optind == argc)
		return add_suite(c);
	if (c->path || c->suite || optind + 1 != argc)
		return EXIT_USAGE;
	job = cmd_id(argv[optind], "job", err);
	c->path = xasprintf("/api/v1/compare?job=%lld", job);
	return job < 0 ? -1 : 0;
}

static void matrix_cell(struct term_table *table, const json_t *column)
{
	const char *state = field_text(column, "state");
	enum term_style style = strcmp(state, "pass") == 0            ? TERM_GOOD
	                        : strcmp(state, "fail") == 0          ? TERM_BAD
	                        : strcmp(state, "not-sensitive") == 0 ? TERM_BAD
	                                                              : TERM_PLAIN;
	long long n = field_int(column, "pass") + field_int(column, "fail") +
	              field_int(column, "known_fail") + field_int(column, "skip") +
	              field_int(column, "other") + field_int(column, "missing");
	char more[160] = "";

	if (*field_text(column, "build_failed")) {
		term_cell(table, TERM_PLAIN, "does not build");
		return;
	}
	for (unsigned i = 0; i < 7; i++) {
		static const char *const names[] = {"fail",    "known_fail", "skip",    "other",
		                                    "missing", "faults",     "warnings"};
		size_t used = strlen(more);

		if (field_int(column, names[i]) > 0)
			(void)snprintf(more + used, sizeof(more) - used, " %s %lld", names[i],
			               field_int(column, names[i]));
	}
	term_cell(table, style, "%s %lld/%lld%s", state, field_int(column, "pass"), n, more);
}

/* The headline: cache class x build. */
static void print_matrix(const json_t *doc)
{
	struct term_table *table = term_table_new();
	json_t *class, *column, *label;
	size_t i, k;

	term_cell(table, TERM_BOLD, "CACHE CLASS");
	term_cell(table, TERM_BOLD, "KIND");
	json_array_foreach(json_object_get(doc, "labels"), k, label)
		term_cell(table, TERM_BOLD, "%s", json_string_value(label));
	term_row_end(table);
	json_array_foreach(json_object_get(doc, "classes"), i, class)
	{
		term_cell(table, TERM_PLAIN, "%s", field_text(class, "cache"));
		term_cell(table, TERM_PLAIN, "%s", field_text(class, "kind"));
		json_array_foreach(json_object_get(class, "columns"), k, column)
			matrix_cell(table, column);
		term_row_end(table);
	}
	term_table_print(table, stdout);
}

/* Is the row worth a line when not everything is asked for? */
static bool row_tells(const json_t *row)
{
	const char *change = field_text(row, "class_of_change");

	return strcmp(change, "still-passing") != 0 && strcmp(change, "skipped") != 0 &&
	       strcmp(change, "expected-gap") != 0 && strcmp(change, "known-failing") != 0;
}

/* Green is only what passed and nothing else. */
static void row_cell(struct term_table *table, const json_t *cell)
{
	long long pass = field_int(cell, "pass"), skip = field_int(cell, "skip");
	long long told = field_int(cell, "n") - skip, missing = field_int(cell, "missing");

	if (field_int(cell, "fail") > 0)
		term_cell(table,
		          field_int(cell, "known") == field_int(cell, "fail") ? TERM_DIM : TERM_BAD,
		          "%lld/%lld", pass, told);
	else if (missing > 0)
		term_cell(table, TERM_BAD, "missing %lld", missing);
	else if (field_int(cell, "warnings") > 0)
		term_cell(table, TERM_BAD, "warning %lld", field_int(cell, "warnings"));
	else if (told == 0 && skip > 0)
		term_cell(table, TERM_DIM, "skip %lld", skip);
	else if (told == 0)
		term_cell(table, TERM_DIM, "-");
	else
		term_cell(table, pass == told ? TERM_GOOD : TERM_PLAIN, "%lld/%lld", pass, told);
}

/* What is known of the failure, else what the numbers prove. */
static void why_cell(struct term_table *table, const json_t *row)
{
	const char *known = field_text(row, "known");
	const json_t *issue = json_object_get(row, "issue");

	if (*known && json_is_object(issue))
		term_cell(table, TERM_DIM, "known, issue %lld: %s %s", field_int(issue, "id"),
		          known, field_text(issue, "link"));
	else if (*known)
		term_cell(table, TERM_DIM, "known: %s", known);
	else
		term_cell(table, TERM_DIM, "%s", field_text(row, "proof"));
}

/* alike: so many cells of the test say what its own row says, and have no line of their own. */
static void print_row(struct term_table *table, const json_t *class, const json_t *row,
                      size_t alike)
{
	json_t *cell;
	size_t k;

	term_cell(table, TERM_PLAIN, "%s", field_text(class, "cache"));
	term_cell(table, TERM_PLAIN, "%s", field_text(class, "kind"));
	term_cell(table, TERM_PLAIN, "%s", field_text(row, "test"));
	if (alike > 0)
		term_cell(table, TERM_DIM, "and %zu cell%s alike", alike, alike == 1 ? "" : "s");
	else
		term_cell(table, TERM_PLAIN, "%s", field_text(row, "cell"));
	term_cell(table, TERM_PLAIN, "%s", field_text(row, "line"));
	json_array_foreach(json_object_get(row, "cells"), k, cell)
	{
		row_cell(table, cell);
	}
	term_cell(table, TERM_BOLD, "%s", field_text(row, "class_of_change"));
	why_cell(table, row);
	term_row_end(table);
}

/* Does a cell of the test say the same as the test's own row? */
static bool is_alike(const json_t *own, const json_t *row)
{
	return own && *field_text(row, "cell") &&
	       strcmp(field_text(own, "test"), field_text(row, "test")) == 0 &&
	       strcmp(field_text(own, "line"), field_text(row, "line")) == 0;
}

/* How many cells behind a test's own row, which is at place, are like it. */
static size_t count_alike(const json_t *rows, size_t place)
{
	const json_t *own = json_array_get(rows, place);
	size_t alike = 0;

	if (*field_text(own, "cell"))
		return 0;
	while (++place < json_array_size(rows) && *field_text(json_array_get(rows, place), "cell"))
		alike += is_alike(own, json_array_get(rows, place));
	return alike;
}

/* The rows of a class that tell something; counts the others in *hidden. */
static size_t print_class_rows(struct term_table *table, const json_t *class, bool all,
                               size_t *hidden)
{
	const json_t *rows = json_object_get(class, "rows"), *own = NULL;
	size_t k, shown = 0;
	json_t *row;

	json_array_foreach(rows, k, row)
	{
		if (!*field_text(row, "cell"))
			own = row;
		if (!all && !row_tells(row)) {
			++*hidden;
		} else if (all || !is_alike(own, row)) {
			print_row(table, class, row, all ? 0 : count_alike(rows, k));
			shown++;
		}
	}
	return shown;
}

static void print_rows(const json_t *doc, bool all)
{
	struct term_table *table = term_table_new();
	json_t *class, *label;
	size_t i, k, shown = 0, hidden = 0;

	term_cell(table, TERM_BOLD, "CACHE CLASS");
	term_cell(table, TERM_BOLD, "KIND");
	term_cell(table, TERM_BOLD, "TEST");
	term_cell(table, TERM_BOLD, "CELL");
	term_cell(table, TERM_BOLD, "LINE");
	json_array_foreach(json_object_get(doc, "labels"), k, label)
		term_cell(table, TERM_BOLD, "%s", json_string_value(label));
	term_cell(table, TERM_BOLD, "CHANGE");
	term_cell(table, TERM_BOLD, "%s", "");
	term_row_end(table);
	json_array_foreach(json_object_get(doc, "classes"), i, class) shown +=
		print_class_rows(table, class, all, &hidden);
	(void)putchar('\n');
	if (shown > 0)
		term_table_print(table, stdout);
	else
		term_table_print(table, NULL);
	if (hidden > 0)
		(void)printf(
			"%zu rows that pass, skip, or fail as known are not shown (--all shows them)\n",
			hidden);
}

/* A note that several classes share is said once. */
static void print_notes(const json_t *doc)
{
	SCOPED_JSON said = json_object();
	json_t *class, *names;
	const char *note;
	size_t i;

	json_array_foreach(json_object_get(doc, "classes"), i, class)
	{
		const char *text = field_text(class, "note");
		SCOPED_STR before = xstrdup(field_text(said, text));
		SCOPED_STR all = xasprintf("%s%s%s (%s)", before, *before ? ", " : "",
		                           field_text(class, "cache"), field_text(class, "kind"));

		if (*text)
			(void)json_object_set_new(said, text, json_string(all));
	}
	json_object_foreach(said, note, names)
	{
		SCOPED_STR line = xasprintf("* %s: %s", json_string_value(names), note);

		(void)printf("%s\n", term_safe(line, false));
	}
}

/* The column whose evidence is worth a look: the last revision's, or where that is good the last one before it that failed. -1: none. */
static ptrdiff_t telling_column(const json_t *doc, const json_t *class)
{
	const json_t *columns = json_object_get(class, "columns");
	ptrdiff_t column = (ptrdiff_t)compare_last_revision(doc);

	while (column >= 0 && field_int(json_array_get(columns, (size_t)column), "fail") == 0)
		column--;
	return column;
}

/* The stale lines themselves, for the first failing cells of a column: what has no record of them prints no heading. */
static int print_evidence(struct client *client, const json_t *class, size_t column,
                          const char *heading, struct err *err)
{
	unsigned shown = 0, asked = 0;
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(class, "rows"), i, row)
	{
		json_t *cells = json_object_get(row, "cells");
		json_t *last = json_array_get(cells, column);
		SCOPED_STR path = xasprintf("/api/v1/results/%lld", field_int(last, "result"));
		SCOPED_JSON result = NULL;

		if (field_int(last, "fail") == 0 || field_int(last, "result") == 0 ||
		    !*field_text(row, "cell"))
			continue;
		if (shown == EVIDENCE_MAX || asked++ == EVIDENCE_ASK)
			break;
		if (client_call(client, "GET", path, NULL, &result, err) < 0)
			return -1;
		shown += evidence_print_line(result, shown == 0 ? heading : NULL);
	}
	return 0;
}

static int show_evidence(struct client *client, const json_t *doc, const json_t *class,
                         struct err *err)
{
	ptrdiff_t column = telling_column(doc, class);
	const json_t *labels = json_object_get(doc, "labels");
	SCOPED_STR heading = NULL;

	if (column < 0)
		return 0;
	heading = xasprintf("What failed of %s on %s (%s):",
	                    json_string_value(json_array_get(labels, (size_t)column)),
	                    field_text(class, "cache"), field_text(class, "kind"));
	return print_evidence(client, class, (size_t)column, term_safe(heading, false), err);
}

static int show(struct client *client, const struct compare *c, struct err *err)
{
	SCOPED_JSON doc = NULL;
	SCOPED_STR headline = NULL;
	json_t *class;
	size_t i;

	if (client_call(client, "GET", c->path, NULL, &doc, err) < 0)
		return -1;
	if (c->json)
		return cmd_print_json(doc);
	headline = xstrdup(field_text(doc, "headline"));
	(void)printf("%s\n\n", term_safe(headline, false));
	print_matrix(doc);
	compare_print_verdicts(doc);
	compare_print_controls(doc);
	print_rows(doc, c->all);
	compare_print_costs(doc, c->all);
	json_array_foreach(json_object_get(doc, "classes"), i, class)
	{
		if (show_evidence(client, doc, class, err) < 0)
			return -1;
	}
	print_notes(doc);
	return EXIT_OK;
}

int cmd_compare(struct client *client, int argc, char **argv, struct err *err)
{
	struct compare c = {0};
	int code = parse(&c, argc, argv, err);

	if (code == 0)
		code = show(client, &c, err);
	free(c.path);
	return code;
}
