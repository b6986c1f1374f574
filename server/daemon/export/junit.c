#include "common/scoped.h"
#include "common/timeus.h"
#include "common/utf8.h"
#include "server/daemon/export/export.h"

#include <inttypes.h>
#include <string.h>

#define SECONDS(us) ((double)(us) / 1e6)

/* Is the character (n bytes of UTF-8 at text) one that XML 1.0 has? */
static bool xml_has(const char *text, size_t n)
{
	unsigned char c = (unsigned char)*text;

	if (n == 1)
		return c >= ' ' || c == '\t' || c == '\n' || c == '\r';
	/* U+FFFE and U+FFFF; surrogates are no UTF-8 in the first place. */
	return !(n == 3 && c == 0xEF && (unsigned char)text[1] == 0xBF &&
	         (unsigned char)text[2] >= 0xBE);
}

static const char *entity(char c, bool attribute)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return attribute ? "&quot;" : NULL;
	case '\n':
		return attribute ? "&#10;" : NULL;
	case '\t':
		return attribute ? "&#9;" : NULL;
	case '\r':
		return "&#13;";
	default:
		return NULL;
	}
}

static void put_xml(FILE *out, const char *text, bool attribute)
{
	size_t len = strlen(text), n;

	for (size_t i = 0; i < len; i += n) {
		const char *word = entity(text[i], attribute);

		if (text[i] == 0x1B) {
			n = export_ansi(text + i, len - i);
			continue;
		}
		n = utf8_length(text + i, len - i);
		n = n ? n : 1;
		if (word)
			(void)fputs(word, out);
		else if (xml_has(text + i, n))
			(void)fwrite(text + i, 1, n, out);
	}
}

static void attribute(FILE *out, const char *name, const char *value)
{
	(void)fprintf(out, " %s=\"", name);
	put_xml(out, value ? value : "", true);
	(void)fputc('"', out);
}

static void property(FILE *out, const char *name, const char *value)
{
	if (!value)
		return;
	(void)fprintf(out, "      <property");
	attribute(out, "name", name);
	attribute(out, "value", value);
	(void)fprintf(out, "/>\n");
}

static void property_int(FILE *out, const char *name, int64_t value)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRId64, value);
	property(out, name, text);
}

static void put_properties(const struct export_writer *w, const struct export_run *run)
{
	FILE *out = w->out;

	(void)fprintf(out, "    <properties>\n");
	property_int(out, "job", w->job->id);
	property_int(out, "run", run->id);
	property_int(out, "attempt", run->attempt);
	property(out, "cache_class", run->cache);
	property(out, "board_kind", run->kind);
	property(out, "proves_coherency", run->proves ? "true" : "false");
	property(out, "build", run->build->name);
	property(out, "release", run->build->release);
	property(out, "build_id", run->build->build_id);
	property(out, "series", run->build->series);
	property(out, "revision", run->build->revision);
	property(out, "state", run->state);
	property(out, "fault", run->fault);
	property_int(out, "planned", run->planned);
	(void)fprintf(out, "    </properties>\n");
}

static void put_outcome(FILE *out, const struct export_result *r)
{
	static const char *const elements[] = {
		[JUNIT_FAILURE] = "failure", [JUNIT_ERROR] = "error", [JUNIT_SKIPPED] = "skipped"};
	const struct outcome_row *row = outcome_row(r->outcome);
	SCOPED_STR excerpt = export_excerpt(r);
	char message[200];

	if (row->junit == JUNIT_NOTHING)
		return;
	(void)export_reason(r, message, sizeof(message));
	(void)fprintf(out, "      <%s", elements[row->junit]);
	attribute(out, "message", r->known ? r->known->why : message);
	attribute(out, "type", row->name);
	(void)fprintf(out, ">");
	put_xml(out, excerpt, false);
	(void)fprintf(out, "</%s>\n", elements[row->junit]);
}

static void put_case(const struct export_writer *w, const struct export_result *r)
{
	SCOPED_STR inside = NULL;
	FILE *out = w->out;

	if (asprintf(&inside, "%s.%s", w->job->suite, r->test) < 0)
		abort(); /* out of memory */
	(void)fprintf(out, "    <testcase");
	attribute(out, "classname", r->cell[0] ? inside : w->job->suite);
	attribute(out, "name", r->cell[0] ? r->cell : r->test);
	(void)fprintf(out, " time=\"%.6f\"", SECONDS(r->duration_us));
	if (outcome_row(r->outcome)->junit == JUNIT_NOTHING) {
		(void)fprintf(out, "/>\n");
		return;
	}
	(void)fprintf(out, ">\n");
	put_outcome(out, r);
	(void)fprintf(out, "    </testcase>\n");
}

static bool wanted(const struct export_writer *w, const struct export_result *r)
{
	return w->options.cells || !r->cell[0];
}

static void put_suite(const struct export_writer *w, const struct export_run *run,
                      const struct export_results *results)
{
	size_t counts[4] = {0}, tests = 0;
	int64_t time = 0;
	FILE *out = w->out;
	char when[32];

	for (size_t i = 0; i < results->count; i++) {
		if (!wanted(w, &results->list[i]))
			continue;
		tests++;
		counts[outcome_row(results->list[i].outcome)->junit]++;
		time += results->list[i].cell[0] ? 0 : results->list[i].duration_us;
	}
	time_format(run->started ? run->started : run->created, when);
	when[strlen("2026-11-22T14:32:00")] = '\0';
	(void)fprintf(out, "  <testsuite name=\"");
	put_xml(out, w->job->suite, true);
	(void)fprintf(out, " %s %s ", run->cache, run->kind);
	put_xml(out, run->build->name, true);
	(void)fprintf(out,
	              "\" id=\"%" PRId64
	              "\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\" "
	              "time=\"%.6f\" timestamp=\"%s\"",
	              run->id, tests, counts[JUNIT_FAILURE], counts[JUNIT_ERROR],
	              counts[JUNIT_SKIPPED], SECONDS(time), when);
	attribute(out, "hostname", run->board ? run->board : "none");
	attribute(out, "package", w->job->suite);
	(void)fprintf(out, ">\n");
}

static void junit_begin(struct export_writer *w)
{
	(void)fprintf(w->out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites");
	attribute(w->out, "name", w->job->name);
	(void)fprintf(w->out, ">\n");
}

static void junit_run(struct export_writer *w, const struct export_run *run,
                      const struct export_results *results)
{
	put_suite(w, run, results);
	put_properties(w, run);
	for (size_t i = 0; i < results->count; i++)
		if (wanted(w, &results->list[i]))
			put_case(w, &results->list[i]);
	(void)fprintf(w->out, "  </testsuite>\n");
}

static void junit_end(struct export_writer *w)
{
	(void)fprintf(w->out, "</testsuites>\n");
}

const struct export_format export_junit = {
	.name = "junit",
	.type = "application/xml",
	.begin = junit_begin,
	.run = junit_run,
	.end = junit_end,
};
