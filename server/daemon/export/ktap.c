/* Levels: the suite, a run, a test, a cell. Each level's version line and plan come before its results, and its own result
 * behind them. */
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/compare/intern.h"
#include "server/daemon/export/export.h"

#include <string.h>

#define NOTE_LINES 12  /* of a detail */
#define NOTE_BYTES 200 /* of one of them */

/* Names of a block, so that the second of a name gets "~2". */
struct names {
	struct intern texts;
	struct {
		const char *name;
		unsigned count;
	} * list; /* owned */
	size_t count, room;
};

struct ktap_state {
	size_t run;         /* results of the suite's block */
	bool failed;        /* one of its runs did */
	struct names runs;  /* names of its block */
	struct names cells; /* of the test that is written now */
};

static void names_clear(struct names *n)
{
	intern_release(&n->texts);
	free(n->list);
	*n = (struct names){0};
}

/* How often the name was there, this time included. */
static unsigned names_see(struct names *n, const char *name)
{
	const char *text = intern_text(&n->texts, name);

	/* From behind: repetitions of a test stand close together. */
	for (size_t i = n->count; i > 0; i--)
		if (n->list[i - 1].name == text)
			return ++n->list[i - 1].count;
	if (n->count == n->room) {
		n->room = n->room ? n->room * 2 : 64;
		n->list = xrealloc(n->list, n->room * sizeof(*n->list));
	}
	n->list[n->count].name = text;
	n->list[n->count++].count = 1;
	return 1;
}

static void indent(FILE *out, unsigned level)
{
	(void)fprintf(out, "%*s", (int)level * 2, "");
}

/* Text of one line: a '#' would begin a directive, and what is no character of a line is a blank. */
static void put_text(FILE *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		(void)fputc(text[i] == '#' ? '~'
		            : (unsigned char)text[i] < ' ' || (unsigned char)text[i] == 0x7F
		                    ? ' '
		                    : text[i],
		            out);
}

static void put_head(FILE *out, unsigned level, const char *title, size_t plan)
{
	indent(out, level);
	(void)fprintf(out, "KTAP version 1\n");
	if (title) {
		indent(out, level);
		(void)fprintf(out, "# Subtest: ");
		put_text(out, title, strlen(title));
		(void)fputc('\n', out);
	}
	indent(out, level);
	(void)fprintf(out, "1..%zu\n", plan);
}

/* A detail as diagnostics: the first lines. */
static void put_notes(FILE *out, unsigned level, const char *text)
{
	for (unsigned i = 0; i < NOTE_LINES && *text; i++) {
		size_t len = strcspn(text, "\n"), shown = len < NOTE_BYTES ? len : NOTE_BYTES;

		while (shown < len && ((unsigned char)text[shown] & 0xC0) == 0x80)
			shown--;
		indent(out, level);
		(void)fprintf(out, "# ");
		put_text(out, text, shown);
		(void)fprintf(out, "%s\n", shown < len ? " ..." : "");
		text += len + (text[len] == '\n');
	}
}

static void put_line(FILE *out, unsigned level, bool ok, size_t number, const char *name,
                     unsigned seen)
{
	indent(out, level);
	(void)fprintf(out, "%s %zu - ", ok ? "ok" : "not ok", number);
	put_text(out, name, strlen(name));
	if (seen > 1)
		(void)fprintf(out, "~%u", seen);
}

static void put_directive(FILE *out, const struct export_result *r)
{
	char reason[200];
	const char *word = outcome_row(r->outcome)->ktap_directive, *text;

	text = export_reason(r, reason, sizeof(reason));
	if (r->outcome == OUTCOME_ERROR && r->reason && strcmp(r->reason, "timeout") == 0)
		word = "TIMEOUT";
	(void)fprintf(out, " # %s", word);
	if (r->outcome == OUTCOME_GAP)
		text = "nothing is promised here";
	if (r->outcome == OUTCOME_KNOWN)
		text = r->known->why;
	if (r->outcome == OUTCOME_MISSING || r->outcome == OUTCOME_INCONCLUSIVE ||
	    r->outcome == OUTCOME_KNOWN)
		(void)fprintf(out, " %s%s", outcome_row(r->outcome)->name, *text ? ":" : "");
	if (*text)
		(void)fputc(' ', out);
	put_text(out, text, strlen(text));
}

/* Is the result one that fails what it is in? */
static bool fails(const struct export_result *r)
{
	const char *directive = outcome_row(r->outcome)->ktap_directive;

	return !outcome_row(r->outcome)->ktap_ok && (!directive || strcmp(directive, "XFAIL") != 0);
}

/* inside: something in it failed, which its own line must not hide. Returns whether the line says failed. */
static bool put_result(FILE *out, unsigned level, const struct export_result *r, size_t number,
                       unsigned seen, bool inside)
{
	const struct outcome_row *row = outcome_row(r->outcome);
	bool forced = inside && !fails(r);
	SCOPED_STR excerpt = fails(r) ? export_excerpt(r) : NULL;

	if (excerpt)
		put_notes(out, level, excerpt);
	put_line(out, level, row->ktap_ok && !forced, number, r->cell[0] ? r->cell : r->test, seen);
	if (row->ktap_directive && !forced)
		put_directive(out, r);
	(void)fputc('\n', out);
	return fails(r) || forced;
}

/* A test with its cells. Returns whether it failed. */
static bool put_test(struct export_writer *w, const struct export_results *results, size_t first,
                     size_t end, size_t number, unsigned seen)
{
	const struct export_result *own = &results->list[first];
	struct ktap_state *s = w->state;
	size_t cells = end - first - 1;
	bool failed = false;

	if (w->options.cells && cells > 0) {
		put_head(w->out, 3, own->test, cells);
		for (size_t i = first + 1; i < end; i++)
			failed |= put_result(w->out, 3, &results->list[i], i - first,
			                     names_see(&s->cells, results->list[i].cell), false);
		names_clear(&s->cells);
	}
	return put_result(w->out, 2, own, number, seen, failed);
}

static void ktap_begin(struct export_writer *w)
{
	w->state = xcalloc(1, sizeof(struct ktap_state));
	(void)fprintf(w->out, "KTAP version 1\n# cohort job %lld (%s)\n1..1\n",
	              (long long)w->job->id, w->job->state);
	put_head(w->out, 1, w->job->suite, w->job->runs_count);
}

static void ktap_run(struct export_writer *w, const struct export_run *run,
                     const struct export_results *results)
{
	struct ktap_state *s = w->state;
	SCOPED_STR name = xasprintf("%s %s %s", run->cache, run->kind, run->build->name);
	bool failed = false, whole = export_run_whole(run, results);
	struct names names = {0};
	size_t number = 0;

	put_head(w->out, 2, name, (size_t)run->planned);
	if (run->board) {
		indent(w->out, 2);
		(void)fprintf(w->out, "# board %s, run %lld, attempt %lld\n", run->board,
		              (long long)run->id, (long long)run->attempt);
	}
	for (size_t i = 0, end; i < results->count; i = end) {
		end = export_test_end(results, i);
		/* Cells of a test that is still running have no result to be in. */
		if (results->list[i].cell[0])
			continue;
		failed |= put_test(w, results, i, end, ++number,
		                   names_see(&names, results->list[i].test));
	}
	names_clear(&names);
	put_line(w->out, 1, whole && !failed, ++s->run, name, names_see(&s->runs, name));
	(void)fprintf(w->out, whole || failed ? "\n" : " # ERROR %s\n", run->state);
	s->failed |= failed || !whole;
}

static void ktap_end(struct export_writer *w)
{
	const struct ktap_state *s = w->state;

	put_line(w->out, 0, !s->failed && s->run > 0, 1, w->job->suite, 1);
	(void)fputc('\n', w->out);
}

static void ktap_free(void *state)
{
	struct ktap_state *s = state;

	names_clear(&s->runs);
	names_clear(&s->cells);
	free(s);
}

const struct export_format export_ktap = {
	.name = "ktap",
	.type = "text/plain; charset=utf-8",
	.begin = ktap_begin,
	.run = ktap_run,
	.end = ktap_end,
	.free = ktap_free,
};
