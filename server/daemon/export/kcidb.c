/* KCIDB's schema 5.3 takes no member that it does not know and no null: what is not known is left out. */
#include "common/jx.h"
#include "common/scoped.h"
#include "common/sha256.h"
#include "common/timeus.h"
#include "common/xalloc.h"
#include "server/daemon/export/export.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#define SECOND_US INT64_C(1000000)

struct kcidb_state {
	size_t tests;               /* that are written */
	json_t *issues, *incidents; /* owned: written at the end */
};

/* --- members --- */

static void set_text(json_t *object, const char *name, const char *text)
{
	if (text && *text)
		(void)json_object_set_new(object, name, json_string(text));
}

static void set_time(json_t *object, const char *name, int64_t time_us)
{
	char when[32];

	time_format(time_us, when);
	set_text(object, name, when);
}

static void set_excerpt(json_t *object, const char *text)
{
	if (strlen(text) <= EXPORT_EXCERPT_MAX)
		set_text(object, "log_excerpt", text);
}

/* --- ids --- */

static char *build_id(const struct export_writer *w, const struct export_build *b)
{
	return xasprintf("%s:b%" PRId64 "-%" PRId64, w->options.origin, b->id,
	                 b->created / SECOND_US);
}

/* One source is one checkout, however often it was built. */
static char *checkout_id(const struct export_writer *w, const struct export_build *b)
{
	SCOPED_STR source = b->tree || *b->patchset_hash
	                            ? xasprintf("%s\n%s\n%s", b->tree ? b->tree : "",
	                                        b->commit ? b->commit : "", b->patchset_hash)
	                            : xasprintf("%" PRId64 "\n%" PRId64, b->id, b->created);
	char hash[SHA256_HEX];

	sha256_hex(source, strlen(source), hash);
	return xasprintf("%s:c-%.16s", w->options.origin, hash);
}

static char *test_id(const struct export_writer *w, const struct export_run *run,
                     const struct export_result *r)
{
	char hash[SHA256_HEX] = "";

	if (r->cell[0])
		sha256_hex(r->cell, strlen(r->cell), hash);
	return xasprintf("%s:j%" PRId64 "-%" PRId64 "/r%" PRId64 ".%" PRId64 "/t%" PRId64 "%s%.16s",
	                 w->options.origin, w->job->id, w->job->created / SECOND_US, run->id,
	                 run->attempt, r->test_id, r->cell[0] ? "." : "", hash);
}

/* --- checkouts and builds --- */

static bool is_commit(const char *text)
{
	return text && strlen(text) == 40 && strspn(text, "0123456789abcdef") == 40;
}

static json_t *checkout_json(const struct export_writer *w, const struct export_build *b,
                             const char *id)
{
	json_t *c = json_pack("{s:s, s:s, s:s, s:b}", "id", id, "origin", w->options.origin,
	                      "patchset_hash", b->patchset_hash, "valid", 1);
	json_t *misc = json_object();

	set_text(c, "tree_name", b->tree);
	if (is_commit(b->commit))
		set_text(c, "git_commit_hash", b->commit);
	else
		set_text(misc, "commit", b->commit);
	set_text(c, "message_id", b->message_id);
	set_text(c, "comment", b->title ? b->title : b->description);
	set_time(c, "start_time", b->created);
	set_text(misc, "series", b->series);
	set_text(misc, "revision", b->revision);
	(void)json_object_set_new(c, "misc", misc);
	return c;
}

static json_t *build_json(const struct export_writer *w, const struct export_build *b,
                          const char *id, const char *checkout)
{
	json_t *build = json_pack("{s:s, s:s, s:s}", "id", id, "checkout_id", checkout, "origin",
	                          w->options.origin);
	json_t *misc = json_object();
	SCOPED_STR arch = xstrdup(b->arch);

	for (char *p = arch; *p; p++)
		*p = isalnum((unsigned char)*p) ? (char)tolower((unsigned char)*p) : '_';
	set_text(build, "architecture", arch);
	set_text(build, "comment", b->name);
	set_text(build, "compiler", b->compiler);
	set_time(build, "start_time", b->created);
	if (strcmp(b->state, "complete") == 0)
		set_text(build, "status", "PASS");
	else if (strcmp(b->state, "failed") == 0)
		set_text(build, "status", "FAIL");
	if (b->failure)
		set_excerpt(build, b->failure);
	set_text(misc, "release", b->release);
	set_text(misc, "build_id", b->build_id);
	set_text(misc, "cmdline", b->cmdline);
	set_text(misc, "config_sha256", b->config_sha256);
	(void)json_object_set_new(build, "misc", misc);
	return build;
}

static void put_json(FILE *out, const json_t *value, bool first)
{
	(void)fputs(first ? "\n" : ",\n", out);
	(void)json_dumpf(value, out, JSON_COMPACT);
}

static void put_builds(struct export_writer *w)
{
	SCOPED_JSON checkouts = json_object();
	SCOPED_JSON builds = json_array();
	const char *id;
	json_t *value;
	size_t i, n = 0;

	for (i = 0; i < w->job->builds_count; i++) {
		const struct export_build *b = &w->job->builds[i];
		SCOPED_STR checkout = checkout_id(w, b);
		SCOPED_STR build = build_id(w, b);

		if (!json_object_get(checkouts, checkout))
			(void)json_object_set_new(checkouts, checkout,
			                          checkout_json(w, b, checkout));
		(void)json_array_append_new(builds, build_json(w, b, build, checkout));
	}
	(void)fprintf(w->out, "\"checkouts\":[");
	json_object_foreach(checkouts, id, value) put_json(w->out, value, n++ == 0);
	(void)fprintf(w->out, "],\n\"builds\":[");
	json_array_foreach(builds, i, value)
	{
		put_json(w->out, value, i == 0);
	}
	(void)fprintf(w->out, "],\n");
}

/* --- tests --- */

/* Append text to the path as one level, or more where it has '/': letters, digits, '_' and '-' only. */
static size_t add_path(char *path, size_t at, const char *text)
{
	bool begun = false;

	if (at > 0)
		path[at++] = '.';
	for (const char *p = text; *p; p++) {
		bool fits = isalnum((unsigned char)*p) || *p == '-';

		if (*p == '/' && begun && p[1] && p[1] != '/') {
			path[at++] = '.';
			begun = false;
		} else if (fits || !begun || path[at - 1] != '_') {
			path[at] = '_';
			if (fits)
				path[at] = *p;
			at++;
			begun = true;
		}
	}
	if (!begun)
		path[at++] = '_';
	path[at] = '\0';
	return at;
}

static char *test_path(const struct export_writer *w, const struct export_result *r)
{
	char *path = xcalloc(1, strlen(w->job->suite) + strlen(r->test) + strlen(r->cell) + 8);
	size_t at = add_path(path, 0, w->job->suite);

	at = add_path(path, at, r->test);
	if (r->cell[0])
		(void)add_path(path, at, r->cell);
	return path;
}

/* Tests are many, so they are written without a document in between: text of an object's members. */

static void put_string(FILE *out, const char *text)
{
	(void)fputc('"', out);
	while (*text) {
		size_t plain = 0;

		while ((unsigned char)text[plain] >= ' ' && text[plain] != '"' &&
		       text[plain] != '\\')
			plain++;
		(void)fwrite(text, 1, plain, out);
		text += plain;
		if (*text == '"' || *text == '\\')
			(void)fprintf(out, "\\%c", *text++);
		else if (*text)
			(void)fprintf(out, "\\u%04x", (unsigned)(unsigned char)*text++);
	}
	(void)fputc('"', out);
}

/* ,"name":"text" unless there is none. */
static void put_text(FILE *out, const char *name, const char *text)
{
	if (!text || !*text)
		return;
	(void)fprintf(out, ",\"%s\":", name);
	put_string(out, text);
}

static void put_int(FILE *out, const char *name, int64_t value)
{
	(void)fprintf(out, ",\"%s\":%" PRId64, name, value);
}

/* What the tests of one run share. */
struct kcidb_run {
	char *build, *environment, *log; /* owned; log: NULL without https */
};

static struct kcidb_run run_shared(const struct export_writer *w, const struct export_run *run)
{
	json_t *misc = json_pack("{s:s, s:s, s:b}", "cache_class", run->cache, "board_kind",
	                         run->kind, "proves_coherency", run->proves);
	SCOPED_JSON environment = json_pack("{s:o}", "misc", misc);
	struct kcidb_run shared = {.build = build_id(w, run->build)};

	set_text(misc, "platform", run->board);
	set_text(misc, "cache_line", run->cache_line);
	set_text(misc, "release", run->build->release);
	shared.environment = jx_text(environment);
	/* https addresses are the only ones that the schema takes. */
	if (w->options.base && strncmp(w->options.base, "https://", 8) == 0)
		shared.log = xasprintf("%s/api/v1/runs/%" PRId64 "/log?attempt=%" PRId64,
		                       w->options.base, run->id, run->attempt);
	return shared;
}

static void put_misc(const struct export_writer *w, const struct export_run *run,
                     const struct export_result *r)
{
	FILE *out = w->out;

	(void)fprintf(out, ",\"misc\":{\"job\":%" PRId64 ",\"run\":%" PRId64 ",\"rep\":%" PRId64,
	              w->job->id, run->id, r->rep);
	put_text(out, "test", r->test);
	put_text(out, "cell", r->cell);
	put_text(out, "verdict", r->verdict);
	put_text(out, "test_kind", r->kind);
	put_text(out, "reason", r->reason);
	put_text(out, "fault_class", r->fault_class);
	put_text(out, "known", r->known ? r->known->why : NULL);
	if (r->outcome == OUTCOME_MISSING)
		put_text(out, "error_code",
		         r->reason    ? r->reason
		         : run->fault ? run->fault
		                      : "missing");
	if (r->trials > 0) {
		put_int(out, "trials", r->trials);
		put_int(out, "bad", r->bad);
		put_int(out, "masked", r->masked);
	}
	(void)fputc('}', out);
}

/* JSON has no number that is none. */
static void put_number(FILE *out, const struct export_result *r)
{
	if (!r->measured || !isfinite(r->value))
		return;
	(void)fprintf(out, ",\"number\":{\"value\":%.17g,\"prefix\":\"metric\"", r->value);
	put_text(out, "unit", r->unit);
	(void)fputc('}', out);
}

static void put_test(const struct export_writer *w, const struct export_run *run,
                     const struct export_result *r, const char *id, const struct kcidb_run *shared)
{
	SCOPED_STR path = test_path(w, r);
	SCOPED_STR excerpt = export_excerpt(r);
	FILE *out = w->out;
	char when[32];

	time_format(r->time - r->duration_us, when);
	(void)fprintf(out, "{\"id\":");
	put_string(out, id);
	put_text(out, "build_id", shared->build);
	put_text(out, "origin", w->options.origin);
	put_text(out, "path", path);
	put_text(out, "status", outcome_row(r->outcome)->kcidb);
	put_text(out, "start_time", when);
	if (r->duration_us > 0)
		(void)fprintf(out, ",\"duration\":%.6f", (double)r->duration_us / 1e6);
	put_number(out, r);
	put_text(out, "log_url", shared->log);
	put_text(out, "log_excerpt", excerpt);
	(void)fprintf(out, ",\"environment\":%s", shared->environment);
	put_misc(w, run, r);
	(void)fputc('}', out);
}

/* --- what is known --- */

/* An issue for what is known, made when it is met first, and an incident for each time. */
static void add_incident(struct export_writer *w, const struct export_result *r, const char *test)
{
	struct kcidb_state *s = w->state;
	SCOPED_STR text = xasprintf("%s\n%s\n%s", w->job->suite, r->known->test, r->known->why);
	SCOPED_STR id = NULL;
	SCOPED_STR incident = xasprintf("%s/known", test);
	char hash[SHA256_HEX];
	json_t *issue;
	size_t i;

	sha256_hex(text, strlen(text), hash);
	id = xasprintf("%s:known-%.16s", w->options.origin, hash);
	(void)json_array_append_new(s->incidents,
	                            json_pack("{s:s, s:s, s:s, s:i, s:s, s:b}", "id", incident,
	                                      "origin", w->options.origin, "issue_id", id,
	                                      "issue_version", 1, "test_id", test, "present", 1));
	json_array_foreach(s->issues, i, issue)
	{
		if (strcmp(json_string_value(json_object_get(issue, "id")), id) == 0)
			return;
	}
	issue = json_pack("{s:s, s:s, s:i, s:s, s:{s:b, s:b, s:b}}", "id", id, "origin",
	                  w->options.origin, "version", 1, "comment", r->known->why, "culprit",
	                  "code", 1, "tool", 0, "harness", 0);
	if (r->known->link && strncmp(r->known->link, "https://", 8) == 0)
		set_text(issue, "report_url", r->known->link);
	(void)json_array_append_new(s->issues, issue);
}

/* --- the format --- */

static void kcidb_begin(struct export_writer *w)
{
	struct kcidb_state *s = xcalloc(1, sizeof(*s));

	s->issues = json_array();
	s->incidents = json_array();
	w->state = s;
	(void)fprintf(w->out, "{\"version\":{\"major\":5,\"minor\":3},\n");
	put_builds(w);
	(void)fprintf(w->out, "\"tests\":[");
}

static void kcidb_run(struct export_writer *w, const struct export_run *run,
                      const struct export_results *results)
{
	struct kcidb_run shared = run_shared(w, run);
	struct kcidb_state *s = w->state;

	for (size_t i = 0; i < results->count; i++) {
		const struct export_result *r = &results->list[i];
		SCOPED_STR id = NULL;

		if (r->cell[0] && !w->options.cells)
			continue;
		id = test_id(w, run, r);
		(void)fputs(s->tests++ == 0 ? "\n" : ",\n", w->out);
		put_test(w, run, r, id, &shared);
		if (r->outcome == OUTCOME_KNOWN)
			add_incident(w, r, id);
	}
	free(shared.build);
	free(shared.environment);
	free(shared.log);
}

static void put_list(FILE *out, const char *name, const json_t *list)
{
	json_t *value;
	size_t i;

	(void)fprintf(out, ",\n\"%s\":[", name);
	json_array_foreach(list, i, value)
	{
		put_json(out, value, i == 0);
	}
	(void)fputc(']', out);
}

static void kcidb_end(struct export_writer *w)
{
	const struct kcidb_state *s = w->state;

	(void)fputc(']', w->out);
	put_list(w->out, "issues", s->issues);
	put_list(w->out, "incidents", s->incidents);
	(void)fprintf(w->out, "}\n");
}

static void kcidb_free(void *state)
{
	struct kcidb_state *s = state;

	json_decref(s->issues);
	json_decref(s->incidents);
	free(s);
}

const struct export_format export_kcidb = {
	.name = "kcidb",
	.type = "application/json",
	.begin = kcidb_begin,
	.run = kcidb_run,
	.end = kcidb_end,
	.free = kcidb_free,
};
