/* Results for other tools: a job in their formats, and what is known of a mailed patch. */
#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/export/b4.h"
#include "server/daemon/export/export.h"
#include "server/daemon/http/http.h"
#include "server/daemon/http/routes.h"
#include "server/daemon/store/compare.h"
#include "server/daemon/store/exports.h"
#include "server/daemon/store/store.h"

#include <stdio_ext.h>
#include <string.h>

#define ORIGIN_MAX 64
#define ID_MAX     998 /* bytes of a line of a mail */

/* --- the stream --- */

/* One that is under way: a run's text is made in a read transaction of its own. */
struct export
{
	struct store *store;
	struct export_source *source; /* owned */
	const struct export_format *format;
	struct export_writer writer;
	char *base, *origin; /* owned, of the writer's options */
	size_t runs, next;   /* steps: beginning, runs, end */
	char *text;          /* owned: what is made and not sent */
	size_t len, sent;
};

static void export_end(void *arg)
{
	struct export *e = arg;

	if (e->writer.state)
		e->format->free(e->writer.state);
	export_source_free(e->source);
	free(e->base);
	free(e->origin);
	free(e->text);
	free(e);
}

static int write_run(struct export *e, size_t i)
{
	struct db *db = store_read_begin(e->store);
	const struct export_job *job = export_source_job(e->source);
	struct export_results results;
	struct err err;
	int rc = export_source_results(e->source, db, i, &results, &err);

	store_read_end(e->store, db);
	if (rc == 0)
		e->format->run(&e->writer, &job->runs[i], &results);
	return rc;
}

/* Make the text of the next step. */
static int write_step(struct export *e)
{
	size_t step = e->next++;
	int rc = 0;

	free(e->text);
	e->text = NULL;
	e->len = e->sent = 0;
	e->writer.out = open_memstream(&e->text, &e->len);
	if (!e->writer.out)
		abort();                                          /* out of memory */
	(void)__fsetlocking(e->writer.out, FSETLOCKING_BYCALLER); /* nobody else writes it */
	if (step == 0)
		e->format->begin(&e->writer);
	else if (step <= e->runs)
		rc = write_run(e, step - 1);
	else
		e->format->end(&e->writer);
	(void)fclose(e->writer.out);
	return rc;
}

static ssize_t export_next(void *arg, char *buf, size_t max)
{
	struct export *e = arg;
	size_t take;

	while (e->sent == e->len && e->next < e->runs + 2)
		if (write_step(e) < 0)
			return -1;
	take = e->len - e->sent < max ? e->len - e->sent : max;
	if (take > 0)
		(void)memcpy(buf, e->text + e->sent, take);
	e->sent += take;
	return (ssize_t)take;
}

/* --- GET /jobs/{id}/export --- */

struct wanted {
	const struct export_format *format; /* NULL: b4 */
	const char *origin;
	bool cells;
};

static int read_query(struct http_req *req, struct wanted *w)
{
	struct jx_errors errors = {0};
	const char *format = http_query_word(req, "format", "ktap junit kcidb b4", &errors);
	const char *cells = http_query_word(req, "cells", "true false", &errors);

	if (!http_query(req, "format"))
		jx_complain(&errors, "?format", "must be ktap, junit, kcidb or b4");
	w->format = format ? export_format_find(format) : NULL;
	w->cells = !cells || strcmp(cells, "true") == 0;
	w->origin = http_query(req, "origin") ? http_query(req, "origin") : "cohort";
	if (!*w->origin || strlen(w->origin) > ORIGIN_MAX ||
	    strspn(w->origin, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(w->origin))
		jx_complain(&errors, "?origin", "must be 1 to %d of a-z, 0-9 and _", ORIGIN_MAX);
	return http_query_done(req, &errors);
}

/* The request is gone before the stream ends: it keeps copies. */
static int reply_export(struct http_req *req, const struct wanted *w, struct export_source *source)
{
	const struct export_job *job = export_source_job(source);
	struct export *e = xcalloc(1, sizeof(*e));
	SCOPED_STR name = xasprintf("attachment; filename=\"job-%lld.%s\"", (long long)job->id,
	                            w->format == &export_junit   ? "xml"
	                            : w->format == &export_kcidb ? "json"
	                                                         : "ktap");

	e->store = req->ctx->store;
	e->source = source;
	e->format = w->format;
	e->runs = job->runs_count;
	e->base = http_base(req);
	e->origin = xstrdup(w->origin);
	e->writer = (struct export_writer){
		.job = job, .options = {.origin = e->origin, .base = e->base, .cells = w->cells}};
	http_reply_header(req, "Content-Disposition", name);
	return http_reply_stream(
		req, 200, w->format->type,
		&(struct http_stream){.next = export_next, .end = export_end, .arg = e});
}

/* The checks of one column of a job; -1 is what it is about. */
static int reply_checks(struct http_req *req, int64_t job, int64_t column, struct err *err)
{
	struct compare_query query = {
		.job = job, .suites = req->ctx->suites, .now_us = req->now_us};
	SCOPED_JSON doc = compare_document(req->db, &query, err);
	SCOPED_STR base = http_base(req);

	if (!doc)
		return -1;
	return http_reply_json(
		req, 200,
		export_b4(doc, column < 0 ? export_b4_column(doc) : (size_t)column, job, base));
}

static int export_get(struct http_req *req, struct err *err)
{
	struct export_source *source;
	struct wanted w = {0};
	int64_t id;

	if (http_id(req, "job", &id) < 0 || read_query(req, &w) < 0)
		return -1;
	if (!w.format)
		return reply_checks(req, id, -1, err);
	source = export_source_load(req->db, id, req->ctx->suites, req->now_us, err);
	return source ? reply_export(req, &w, source) : -1;
}

/* --- GET /checks --- */

/* A Message-ID without its brackets; a copy that the caller frees, or NULL. */
static char *bare_id(const char *text)
{
	size_t len = text ? strlen(text) : 0;

	if (len > 2 && text[0] == '<' && text[len - 1] == '>')
		return xstrndup(text + 1, len - 2);
	return len > 0 ? xstrdup(text) : NULL;
}

static int checks_get(struct http_req *req, struct err *err)
{
	SCOPED_STR message_id = bare_id(http_query(req, "message_id"));
	const char *change_id = http_query(req, "change_id");
	struct jx_errors errors = {0};
	int64_t job, column;

	if (!message_id && !change_id)
		jx_complain(&errors, "?message_id", "give message_id, change_id or both");
	if ((message_id && strlen(message_id) > ID_MAX) ||
	    (change_id && strlen(change_id) > ID_MAX))
		jx_complain(&errors, "?message_id", "more than %d bytes", ID_MAX);
	if (http_query_done(req, &errors) < 0 ||
	    export_find_mail(req->db, message_id, change_id, &job, &column, err) < 0)
		return -1;
	if (job == 0)
		return http_reply_json(req, 200, json_array());
	return reply_checks(req, job, column, err);
}

const struct http_route http_export_routes[] = {
	{
		.method = "GET",
		.pattern = "/api/v1/jobs/{id}/export",
		.operation = "exportJob",
		.summary = "A job's results as KTAP, JUnit, KCIDB or b4's checks",
		.flags = HTTP_READ,
		.query = "format origin cells",
		.handle = export_get,
	},
	{
		.method = "GET",
		.pattern = "/api/v1/checks",
		.operation = "listChecks",
		.summary = "What is known of a mailed patch or series, as b4's checks",
		.flags = HTTP_READ,
		.query = "message_id change_id",
		.handle = checks_get,
	},
	{0},
};
