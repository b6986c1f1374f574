#include "server/daemon/report/text.h"

#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/report/fields.h"
#include "server/daemon/report/findings.h"
#include "server/daemon/report/page.h"
#include "server/daemon/report/record.h"

#include <stdbool.h>
#include <string.h>

#define COLUMNS_SHOWN 4
#define CLASSES_SHOWN 8
#define BOARD_LINES   8
#define FINDINGS_MAX  5

/* ---- Head ---- */

static void head(struct page *page, const json_t *facts, const struct report_style *style)
{
	const json_t *job = json_object_get(facts, "job"),
		     *compare = json_object_get(facts, "compare");
	SCOPED_STR day = xstrndup(field_text(job, "created"), 10);

	page_line(page, "%s: job %lld of %s%s%s", field_text(job, "name"),
	          (long long)field_int(job, "id"), day, field_is(job, "state", "done") ? "" : ", ",
	          field_is(job, "state", "done") ? "" : field_text(job, "state"));
	page_wrap(page, 0, 3, "%s", field_text(compare, "headline"));
	if (!json_is_true(json_object_get(job, "complete")) && field_is(job, "state", "done"))
		page_line(page, "Not complete: %lld of %lld results came.",
		          (long long)field_int(job, "arrived"),
		          (long long)field_int(job, "planned"));
	if (style->url)
		page_line(page, "%s/compare.html?job=%lld", style->url,
		          (long long)field_int(job, "id"));
	page_line(page, "%s", "");
}

/* ---- The matrix ---- */

/* The columns that are shown: the first and the last ones. */
static size_t column_shown(size_t i, size_t count)
{
	return i == 0 || count <= COLUMNS_SHOWN ? i : count - COLUMNS_SHOWN + i;
}

static char *matrix_cell(const json_t *column)
{
	long long pass = field_int(column, "pass"), fail = field_int(column, "fail");
	long long all = pass + fail + field_int(column, "known_fail") + field_int(column, "skip") +
	                field_int(column, "other") + field_int(column, "missing");

	if (field_is(column, "state", "fail"))
		return fail > 0 ? xasprintf("FAIL %lld/%lld", fail, all) : xasprintf("FAIL warn");
	if (field_is(column, "state", "incomplete"))
		return xasprintf("part %lld/%lld", pass, all);
	if (field_is(column, "state", "pass"))
		return xasprintf("pass %lld/%lld", pass, all);
	if (field_is(column, "state", "running"))
		return xstrdup("running");
	if (field_is(column, "state", "sensitive")) /* a control that fails where it must */
		return xstrdup("seen");
	return xstrdup(field_is(column, "state", "not-sensitive") ? "NOT SEEN" : "no verdict");
}

static void matrix_row(struct page *page, const char *name, const json_t *list, bool labels)
{
	size_t count = json_array_size(list);
	SCOPED_STR line = xasprintf("%-27.27s", name);

	for (size_t i = 0; i < count && i < COLUMNS_SHOWN; i++) {
		const json_t *one = json_array_get(list, column_shown(i, count));
		SCOPED_STR cell = labels ? page_clean(json_string_value(one)) : matrix_cell(one);
		char *longer = xasprintf("%s %-10.10s", line, cell);

		free(line);
		line = longer;
	}
	page_line(page, "%s", line);
}

static void matrix(struct page *page, const json_t *compare)
{
	const json_t *labels = json_object_get(compare, "labels"), *class;
	size_t count = json_array_size(labels), i, more = 0;
	bool noted = false;

	matrix_row(page, "cache class, kind of board", labels, true);
	json_array_foreach(json_object_get(compare, "classes"), i, class)
	{
		bool proves = json_is_true(json_object_get(class, "proves_coherency"));
		SCOPED_STR name = xasprintf("%s, %s%s", field_text(class, "cache"),
		                            field_text(class, "kind"), proves ? "" : " *");

		if (i >= CLASSES_SHOWN) {
			more++;
			continue;
		}
		noted |= !proves;
		matrix_row(page, name, json_object_get(class, "columns"), false);
	}
	if (more > 0)
		page_line(page, "... and %zu more classes", more);
	if (count > COLUMNS_SHOWN)
		page_line(page, "(%zu columns between are left out)", count - COLUMNS_SHOWN);
	page_line(page, "FAIL f/N: f of N test results failed; pass p/N: p of N passed");
	if (noted)
		page_line(page, "* a pass on such a board proves no coherency");
	page_line(page, "%s", "");
}

/* ---- Lists with an end ---- */

/* A list of at most room lines; what does not fit is counted. */
struct listing {
	struct page *page;
	size_t room, left_out;
};

#define LIST(listing, ...)                                                                         \
	do {                                                                                       \
		if ((listing)->room > 0) {                                                         \
			page_line((listing)->page, __VA_ARGS__);                                   \
			(listing)->room--;                                                         \
		} else {                                                                           \
			(listing)->left_out++;                                                     \
		}                                                                                  \
	} while (0)

static void listing_end(struct listing *l)
{
	if (l->left_out > 0)
		page_line(l->page, "  ... and %zu more", l->left_out);
	page_line(l->page, "%s", "");
}

static void since(struct page *page, const json_t *facts, size_t room)
{
	const json_t *before = json_object_get(facts, "before"), *one;
	const json_t *changes = json_object_get(facts, "since");
	struct listing l = {.page = page, .room = room};
	size_t i;

	if (!before)
		return;
	page_line(page, "Since job %lld of %.10s:", (long long)field_int(before, "id"),
	          field_text(before, "created"));
	json_array_foreach(json_object_get(changes, "matrix"), i, one) LIST(
		&l, "  %s, %s: %s is %s, was %s", field_text(one, "cache"), field_text(one, "kind"),
		field_text(one, "label"), field_text(one, "to"), field_text(one, "from"));
	json_array_foreach(json_object_get(changes, "tests"), i, one)
		LIST(&l, "  %s: %s on %s, %s, %s: %s failed, was %s", field_text(one, "change"),
	             field_text(one, "test"), field_text(one, "cache"), field_text(one, "kind"),
	             field_text(one, "label"), field_text(one, "now"), field_text(one, "then"));
	if (l.room == room)
		page_line(page, "  nothing");
	listing_end(&l);
}

static void changes(struct page *page, const json_t *facts, size_t room)
{
	const json_t *compare = json_object_get(facts, "compare"), *one;
	const json_t *labels = json_object_get(compare, "labels");
	size_t last = findings_column(compare), i;
	struct listing l = {.page = page, .room = room};

	if (last == 0)
		page_line(page, "What failed in %s:", json_string_value(json_array_get(labels, 0)));
	else
		page_line(page, "What %s changes against %s:",
		          json_string_value(json_array_get(labels, last)),
		          json_string_value(json_array_get(labels, 0)));
	json_array_foreach(json_object_get(facts, "findings"), i, one)
		LIST(&l, "  %s: %s on %s, %s: %s failed on %s", field_text(one, "change"),
	             field_text(one, "test"), field_text(one, "cache"), field_text(one, "kind"),
	             field_text(one, "rate"), field_text(one, "label"));
	if (json_array_size(json_object_get(facts, "findings")) == 0)
		page_line(page, "  nothing");
	if (field_int(facts, "without") > 0)
		page_line(page, "  (%lld more, without a record or a log: not told)",
		          (long long)field_int(facts, "without"));
	listing_end(&l);
}

/* ---- Evidence ---- */

static void finding(struct page *page, size_t n, const json_t *one, const json_t *job)
{
	const char *cell = field_text(one, "cell");

	page_wrap(page, 3, 2, "%zu. %s%s%s on %s (%s, %s), %s: %s failed", n,
	          field_text(one, "test"), *cell ? " " : "", cell, field_text(one, "board"),
	          field_text(one, "cache"), field_text(one, "kind"), field_text(one, "label"),
	          field_text(one, "rate"));
	if (field_int(one, "trials") > 0)
		page_line(page, "   %lld of %lld trials bad, run %lld",
		          (long long)field_int(one, "bad"), (long long)field_int(one, "trials"),
		          (long long)field_int(one, "run"));
	record_lines(page, one);
	page_command(page, 3, "$ cohort submit --build %s --board %s --suite %s --test %s",
	             field_text(one, "build"), field_text(one, "board"), field_text(job, "suite"),
	             field_text(one, "test"));
	page_line(page, "%s", "");
}

/* As many as fit above what comes behind them; at least one. */
static void evidence(struct page *page, const json_t *facts, size_t lines)
{
	const json_t *job = json_object_get(facts, "job"), *one;
	size_t i;

	json_array_foreach(json_object_get(facts, "findings"), i, one)
	{
		struct page part = {0};

		if (i == 0)
			page_line(page, "Evidence:");
		finding(&part, i + 1, one, job);
		if (i > 0 && (page->lines + part.lines > lines || i >= FINDINGS_MAX)) {
			page_release(&part);
			return;
		}
		page_add(page, &part);
		page_release(&part);
	}
}

/* ---- Boards ---- */

static const json_t *class_of_run(const json_t *compare, const json_t *run)
{
	const json_t *class;
	size_t i;

	json_array_foreach(json_object_get(compare, "classes"), i, class)
	{
		if (field_is(class, "cache", field_text(run, "cache")) &&
		    field_is(class, "kind", field_text(run, "kind")))
			return class;
	}
	return NULL;
}

/* Does the last column pass on boards whose passes prove something? */
static bool vouched(const json_t *compare, const json_t *run)
{
	const json_t *class = class_of_run(compare, run);
	const json_t *columns = json_object_get(class, "columns");
	const json_t *last = json_array_get(columns, findings_column(compare));

	return json_is_true(json_object_get(class, "proves_coherency")) &&
	       field_is(last, "state", "pass");
}

/* Boards of the last column's runs, each once: name -> "cache, kind". */
static json_t *boards_of(const json_t *facts, bool good)
{
	const json_t *compare = json_object_get(facts, "compare"), *run;
	json_t *boards = json_object();
	json_int_t last = (json_int_t)findings_column(compare);
	size_t i;

	json_array_foreach(json_object_get(json_object_get(facts, "job"), "runs"), i, run)
	{
		if (field_int(run, "column") != last || !*field_text(run, "board") ||
		    vouched(compare, run) != good)
			continue;
		(void)json_object_set_new(
			boards, field_text(run, "board"),
			json_sprintf("%s, %s", field_text(run, "cache"), field_text(run, "kind")));
	}
	return boards;
}

static void tested_by(struct page *page, const json_t *facts, const struct report_style *style)
{
	SCOPED_JSON good = boards_of(facts, true);
	SCOPED_JSON other = boards_of(facts, false);
	struct listing l = {.page = page, .room = BOARD_LINES};
	const char *name;
	json_t *what;

	json_object_foreach(good, name, what)
		LIST(&l, "Tested-by: Cohort %s%s%s# %s (%s)", style->from ? "<" : "",
	             style->from ? style->from : "", style->from ? "> " : "", name,
	             json_string_value(what));
	json_object_foreach(other, name, what)
		LIST(&l, "Ran, no Tested-by: %s (%s)", name, json_string_value(what));
	if (l.left_out > 0)
		page_line(page, "... and %zu more boards", l.left_out);
}

void report_text(struct page *page, const json_t *facts, const struct report_style *style)
{
	struct page boards = {0};
	size_t lines = style->lines ? style->lines : PAGE_LINES;

	head(page, facts, style);
	matrix(page, json_object_get(facts, "compare"));
	since(page, facts, lines / 10);
	changes(page, facts, lines / 8);
	tested_by(&boards, facts, style);
	evidence(page, facts, lines > boards.lines ? lines - boards.lines : 0);
	page_add(page, &boards);
	page_release(&boards);
}
