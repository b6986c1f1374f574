/* Results: in pages, as a stream of all, and one with its evidence. */
#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/compare/intern.h"
#include "server/daemon/http/excerpt.h"
#include "server/daemon/http/http.h"
#include "server/daemon/http/routes.h"
#include "server/daemon/store/results.h"
#include "server/daemon/store/store.h"

#include <string.h>

#define BATCH 200 /* results read in one transaction of a stream */

/* --- filters --- */

static int read_filter(struct http_req *req, struct result_filter *f)
{
	struct jx_errors errors = {0};

	http_query_int(req, "job", 1, INT64_MAX, &f->job, &errors);
	http_query_int(req, "run", 1, INT64_MAX, &f->run, &errors);
	f->test = http_query(req, "test");
	f->cell = http_query(req, "cell");
	f->verdict = http_query_word(req, "verdict", "pass fail skip inconclusive error missing",
	                             &errors);
	f->cache = http_query_word(req, "cache", HTTP_CACHE_WORDS, &errors);
	f->board = http_query(req, "board");
	return http_query_done(req, &errors);
}

/* --- the stream --- */

/* One that is under way: its lines are made batch by batch, each in a read transaction of its own. */
struct ndjson {
	struct store *store;
	struct result_filter filter; /* its texts are in texts */
	struct intern texts;
	struct result_walk walk;
	char *text; /* owned: lines that are made and not sent */
	size_t len, sent;
};

static void ndjson_end(void *arg)
{
	struct ndjson *n = arg;

	intern_release(&n->texts);
	result_walk_release(&n->walk);
	free(n->text);
	free(n);
}

static void add_line(struct ndjson *n, const json_t *result)
{
	SCOPED_STR line = jx_text(result);
	size_t len = strlen(line);

	n->text = xrealloc(n->text, n->len + len + 1);
	(void)memcpy(n->text + n->len, line, len);
	n->text[n->len + len] = '\n';
	n->len += len + 1;
}

/* Make the lines of the next batch. */
static int batch_make(struct ndjson *n)
{
	struct db *db = store_read_begin(n->store);
	struct err err;
	SCOPED_JSON results = result_walk(db, &n->filter, &n->walk, BATCH, &err);
	json_t *result;
	size_t i;

	store_read_end(n->store, db);
	json_array_foreach(results, i, result)
	{
		add_line(n, result);
	}
	return results ? 0 : -1;
}

/* Make more lines; none at the end. */
static int fill(struct ndjson *n)
{
	n->len = 0;
	n->sent = 0;
	while (n->len == 0 && !n->walk.ended)
		if (batch_make(n) < 0)
			return -1;
	return 0;
}

static ssize_t ndjson_next(void *arg, char *buf, size_t max)
{
	struct ndjson *n = arg;
	size_t take;

	if (n->sent == n->len && fill(n) < 0)
		return -1;
	take = n->len - n->sent < max ? n->len - n->sent : max;
	if (take > 0)
		(void)memcpy(buf, n->text + n->sent, take);
	n->sent += take;
	return (ssize_t)take;
}

/* The request is gone before the stream ends: it keeps its own copy of the filter. */
static int reply_ndjson(struct http_req *req, const struct result_filter *f)
{
	struct ndjson *n = xcalloc(1, sizeof(*n));
	const char **texts[] = {&n->filter.test, &n->filter.cell, &n->filter.verdict,
	                        &n->filter.cache, &n->filter.board};

	n->store = req->ctx->store;
	n->filter = *f;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (*texts[i])
			*texts[i] = intern_text(&n->texts, *texts[i]);
	return http_reply_stream(
		req, 200, "application/x-ndjson",
		&(struct http_stream){.next = ndjson_next, .end = ndjson_end, .arg = n});
}

/* --- handlers --- */

static int wants_ndjson(struct http_req *req, bool *yes)
{
	struct jx_errors errors = {0};
	const char *format = http_query_word(req, "format", "json ndjson", &errors);

	*yes = format ? strcmp(format, "ndjson") == 0 : http_accepts(req, "application/x-ndjson");
	return http_query_done(req, &errors);
}

static int results_get(struct http_req *req, struct err *err)
{
	struct result_filter filter = {0};
	struct http_page page;
	json_t *items;
	int64_t next;
	bool ndjson;

	if (read_filter(req, &filter) < 0 || wants_ndjson(req, &ndjson) < 0)
		return -1;
	if (ndjson)
		return reply_ndjson(req, &filter);
	if (http_page_read(req, &page) < 0)
		return -1;
	items = result_list(req->db, &filter, page.id, page.limit, &next, err);
	return items ? http_reply_part(req, items, next) : -1;
}

/* What the log of the attempt says about the test; "" when there is none. */
static json_t *excerpt_json(struct http_req *req, const struct result_window *w)
{
	SCOPED_STR text =
		log_excerpt_read(req->ctx->state_dir, w->run, w->attempt, w->from_us, w->to_us);
	json_t *value = json_string(text);

	return value ? value : json_string("");
}

static int result_get(struct http_req *req, struct err *err)
{
	struct result_window window;
	json_t *result;
	int64_t id;

	if (http_id(req, "result", &id) < 0 || result_window(req->db, id, &window, err) < 0)
		return -1;
	result = result_view(req->db, id, err);
	if (!result)
		return -1;
	(void)json_object_set_new(result, "log_excerpt", excerpt_json(req, &window));
	return http_reply_json(req, 200, result);
}

const struct http_route http_results_routes[] = {
	{
		.method = "GET",
		.pattern = "/api/v1/results",
		.operation = "listResults",
		.summary = "Results by filter: pages, newest first, or all as NDJSON, oldest first",
		.flags = HTTP_READ,
		.query = "limit cursor job run test cell verdict cache board format",
		.handle = results_get,
	},
	{
		.method = "GET",
		.pattern = "/api/v1/results/{id}",
		.operation = "getResult",
		.summary = "One result with its evidence",
		.flags = HTTP_READ,
		.handle = result_get,
	},
	{0},
};
