#include "server/daemon/export/export.h"

#include "common/scoped.h"
#include "common/utf8.h"
#include "common/xalloc.h"
#include "server/daemon/plan/glob.h"

#include <string.h>

static const struct export_format *const formats[] = {&export_ktap, &export_junit, &export_kcidb};

const struct export_format *export_format_find(const char *name)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++)
		if (strcmp(formats[i]->name, name) == 0)
			return formats[i];
	return NULL;
}

/* --- what is known to fail --- */

/* As compare.c does it. */
static const struct compare_known *
known_of(const struct export_job *job, const struct export_run *run, const struct export_result *r)
{
	for (size_t i = 0; i < job->known_count; i++) {
		const struct compare_known *k = &job->known[i];

		if (strcmp(k->cache, run->cache) == 0 && glob_match(k->test, r->test) &&
		    glob_match(k->cells, r->cell) &&
		    (!k->board || glob_match(k->board, run->board ? run->board : "")))
			return k;
	}
	return NULL;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool has_cells(const struct export_job *job, const char *test)
{
	return job->celled_count > 0 && bsearch(&test, job->celled, job->celled_count,
	                                        sizeof(*job->celled), by_text) != NULL;
}

static bool contract_fail(const struct export_result *r)
{
	return strcmp(r->verdict, "fail") == 0 && strcmp(r->kind, "contract") == 0;
}

/* Of a test that has cells the cells decide: its own failure is known when each of its failing contract cells is. */
static void judge_test(const struct export_job *job, const struct export_run *run,
                       struct export_results *results, size_t first, size_t end)
{
	struct export_result *own = results->list[first].cell[0] ? NULL : &results->list[first];
	const struct compare_known *why = NULL;
	bool all = true;

	for (size_t i = first; i < end; i++) {
		struct export_result *r = &results->list[i];

		if (r == own || !contract_fail(r))
			continue;
		r->known = known_of(job, run, r);
		all &= r->known != NULL;
		why = why ? why : r->known;
	}
	if (!own || !contract_fail(own))
		return;
	if (!has_cells(job, own->test))
		own->known = known_of(job, run, own);
	else if (all)
		own->known = why;
}

void export_judge(const struct export_job *job, const struct export_run *run,
                  struct export_results *results)
{
	for (size_t i = 0, end; i < results->count; i = end) {
		end = export_test_end(results, i);
		judge_test(job, run, results, i, end);
	}
	for (size_t i = 0; i < results->count; i++) {
		struct export_result *r = &results->list[i];
		struct outcome_facts facts = {.verdict = VERDICT_ERROR,
		                              .kind = r->kind,
		                              .known = r->known != NULL,
		                              .warned = r->warned};

		(void)verdict_parse(r->verdict, &facts.verdict);
		r->outcome = outcome_of(&facts);
	}
}

size_t export_test_end(const struct export_results *results, size_t i)
{
	size_t end = i + 1;

	while (end < results->count && results->list[end].test_id == results->list[i].test_id)
		end++;
	return end;
}

bool export_run_whole(const struct export_run *run, const struct export_results *results)
{
	int64_t own = 0;

	for (size_t i = 0; i < results->count; i++)
		own += !results->list[i].cell[0];
	return own >= run->planned;
}

/* --- words --- */

/* ESC [ ... letter, ESC ] ... BEL or ESC \, or ESC and one more. */
size_t export_ansi(const char *text, size_t len)
{
	size_t i = 2;

	if (len < 2)
		return len;
	if (text[1] == '[') {
		while (i < len && (text[i] < '@' || text[i] > '~'))
			i++;
		return i < len ? i + 1 : len;
	}
	if (text[1] != ']')
		return text[1] == 0x1B ? 1 : 2;
	for (; i < len; i++)
		if (text[i] == '\a')
			return i + 1;
		else if (text[i] == 0x1B)
			return i + 1 < len && text[i + 1] == '\\' ? i + 2 : i;
	return len;
}

/* Take ANSI sequences out of text, in place. */
static void strip_ansi(char *text)
{
	size_t len = strlen(text), at = 0;

	for (size_t i = 0; i < len;) {
		if (text[i] == 0x1B)
			i += export_ansi(text + i, len - i);
		else
			text[at++] = text[i++];
	}
	text[at] = '\0';
}

static void add_line(FILE *out, const char *label, const char *text)
{
	if (text && *text)
		(void)fprintf(out, "%s%s\n", label, text);
}

char *export_excerpt(const struct export_result *r)
{
	size_t len, used;
	char *text = NULL, *cut;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		abort(); /* out of memory */
	add_line(out, "reason: ", r->reason);
	add_line(out, "known: ", r->known ? r->known->why : NULL);
	add_line(out, "", r->detail);
	add_line(out, "", r->excerpt);
	(void)fclose(out);
	strip_ansi(text);
	len = strlen(text);
	if (len <= EXPORT_EXCERPT_MAX)
		return text;
	cut = xcalloc(1, EXPORT_EXCERPT_MAX + 1);
	(void)utf8_clean(text, len, cut, EXPORT_EXCERPT_MAX + 1, &used);
	free(text);
	return cut;
}

const char *export_reason(const struct export_result *r, char *buf, size_t room)
{
	const char *text = r->reason ? r->reason : r->detail ? r->detail : "";
	size_t used;

	(void)utf8_clean(text, strcspn(text, "\n"), buf, room, &used);
	strip_ansi(buf);
	return buf;
}
