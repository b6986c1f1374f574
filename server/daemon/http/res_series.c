/* Patch series: mails or ranges in, revisions out, and what changed between two of them. */
#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/http/http.h"
#include "server/daemon/http/routes.h"
#include "server/daemon/http/series_files.h"
#include "server/daemon/plan/plan.h"
#include "server/daemon/series/series.h"
#include "server/daemon/store/ranges.h"
#include "server/daemon/store/series.h"
#include "server/daemon/store/store.h"
#include "server/daemon/store/world.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define VERSION_MAX 999999

/* ---- Adding a revision ---- */

struct add {
	/* As the body says; mbox is borrowed from it. */
	const char *mbox, *file, *name, *tree, *range;
	int64_t version;
	bool dry_run;

	struct world *world;
	struct plan *plan;       /* of a range: nothing has come yet */
	char *request;           /* owned: the body, of a range */
	struct series_text text; /* the mails */
	struct series_revision revision;
	struct series_place place;
	struct jx_errors errors;
};

static const struct jx_field add_fields[] = {
	{"mbox", JX_STRING, false, 1, HTTP_BODY_MAX, offsetof(struct add, mbox)},
	{"file", JX_STRING, false, 64, 64, offsetof(struct add, file)},
	{"series", JX_STRING, false, 1, 64, offsetof(struct add, name)},
	{"version", JX_INT, false, 1, VERSION_MAX, offsetof(struct add, version)},
	{"dry_run", JX_BOOL, false, 0, 0, offsetof(struct add, dry_run)},
	{"tree", JX_STRING, false, 1, 64, offsetof(struct add, tree)},
	{"range", JX_STRING, false, 1, 260, offsetof(struct add, range)},
};

static void add_free(void *data)
{
	struct add *a = data;

	plan_free(a->plan);
	world_free(a->world);
	free(a->request);
	series_release(&a->revision);
	series_text_close(&a->text);
	jx_errors_release(&a->errors);
	free(a);
}

static int refuse(struct http_req *req, struct add *a)
{
	return http_problem_fields(req, 422, &a->errors);
}

static int add_read(struct http_req *req, struct add *a)
{
	(void)jx_read(req->body, add_fields, sizeof(add_fields) / sizeof(add_fields[0]), a, "",
	              &a->errors);
	if ((a->mbox != NULL) + (a->file != NULL) + (a->range != NULL) != 1 && jx_ok(&a->errors))
		jx_complain(&a->errors, "/mbox", "one of mbox, file and range is required");
	if (a->tree && !a->range)
		jx_complain(&a->errors, "/tree", "goes with range only");
	if (a->range && a->dry_run)
		jx_complain(&a->errors, "/dry_run", "does not go with range");
	if (a->name && !jx_name_valid(a->name))
		jx_complain(&a->errors, "/series",
		            "must be a name: [A-Za-z0-9][A-Za-z0-9._+-]{0,63}");
	return jx_ok(&a->errors) ? 0 : refuse(req, a);
}

/* The mails into a revision, and where it belongs. */
static int add_parse(struct http_req *req, struct add *a, struct err *err)
{
	struct db *db;
	int rc;

	if (a->mbox)
		a->text = (struct series_text){.text = a->mbox, .len = strlen(a->mbox)};
	else if (series_text_open(req->ctx, a->file, &a->text, &a->errors, err) < 0)
		return jx_ok(&a->errors) ? -1 : refuse(req, a);
	if (!series_read(a->text.text, a->text.len, a->version, a->mbox ? "/mbox" : "/file",
	                 &a->revision, &a->errors))
		return refuse(req, a);
	db = store_read_begin(req->ctx->store);
	rc = series_place(db, &a->revision, a->name, &a->place, err);
	store_read_end(req->ctx->store, db);
	return rc;
}

/* Who could read the range: the mails come later. */
static int range_plan(struct http_req *req, struct add *a, struct err *err)
{
	const struct world_config config = http_world(req);
	struct db *db = store_read_begin(req->ctx->store);
	int rc = -1;

	a->world = world_load(db, &config, err);
	if (a->world) {
		a->plan = plan_make_range(a->tree, a->range, world_plan(a->world), &a->errors);
		rc = world_close(a->world, err);
	}
	store_read_end(req->ctx->store, db);
	a->request = jx_text(req->body);
	return rc == 0 && !a->plan ? refuse(req, a) : rc;
}

static int range_reply(struct http_req *req, const struct add *a, struct err *err)
{
	const struct range_new ask = {.plan = a->plan,
	                              .span = a->range,
	                              .series = a->name,
	                              .version = a->version,
	                              .request = a->request};
	bool fresh;
	int64_t id = range_ask(req->db, &ask, req->now_us, &fresh, err);
	json_t *range = id < 0 ? NULL : range_get(req->db, id, err);

	if (!range)
		return -1;
	(void)json_object_set_new(range, "url", json_sprintf("/api/v1/ranges/%" PRId64, id));
	return http_reply_json(req, fresh ? 202 : 200, range);
}

/* The revision as its row would be. */
static json_t *revision_preview(const struct series_revision *r)
{
	json_t *patches = json_array();

	for (size_t i = 0; i < r->patches_count; i++)
		(void)json_array_append_new(
			patches,
			json_pack("{s:I, s:s, s:s, s:s?, s:s, s:I}", "n", (json_int_t)i + 1,
		                  "subject", r->patches[i].subject, "author", r->patches[i].author,
		                  "message_id", r->patches[i].message_id, "sha256",
		                  r->patches[i].sha256, "size", (json_int_t)r->patches[i].size));
	return json_pack("{s:I, s:s, s:s, s:s?, s:s?, s:s, s:o}", "version", (json_int_t)r->version,
	                 "title", r->title, "author", r->author, "message_id", r->message_id,
	                 "base_commit", *r->base_commit ? r->base_commit : NULL, "patchset_hash",
	                 r->patchset_hash, "patches", patches);
}

static int preview_reply(struct http_req *req, const struct add *a)
{
	return http_reply_json(req, 200,
	                       json_pack("{s:b, s:{s:s, s:b}, s:b, s:o, s:I}", "valid", 1, "series",
	                                 "name", a->place.name, "new", a->place.series == 0, "new",
	                                 a->place.revision == 0, "revision",
	                                 revision_preview(&a->revision), "passed_over",
	                                 (json_int_t)a->revision.ignored));
}

/* Out of the transaction: reading takes as long as the mails are, and files are synced. */
static int add_prepare(struct http_req *req, struct err *err)
{
	struct add *a = xcalloc(1, sizeof(*a));
	int rc;

	req->data = a;
	req->data_free = add_free;
	if (add_read(req, a) < 0)
		return -1;
	if (a->range)
		return range_plan(req, a, err);
	series_files_begin();
	rc = add_parse(req, a, err);
	if (rc == 0 && !a->dry_run && a->place.revision == 0)
		rc = series_files_keep(req->ctx, &a->revision, err);
	series_files_end();
	return rc == 0 && a->dry_run ? preview_reply(req, a) : rc;
}

static int add_reply(struct http_req *req, const struct add *a, int status, struct err *err)
{
	json_t *series = series_get(req->db, a->place.name, err);
	json_t *revision = series ? series_revision_get(req->db, a->place.revision, err) : NULL;
	SCOPED_STR url = xasprintf("/api/v1/series/%s/revisions/%" PRId64, a->place.name,
	                           a->revision.version);

	if (!revision) {
		json_decref(series);
		return -1;
	}
	return http_reply_json(req, status,
	                       json_pack("{s:s, s:o, s:o, s:I}", "url", url, "series", series,
	                                 "revision", revision, "passed_over",
	                                 (json_int_t)a->revision.ignored));
}

static int add_handle(struct http_req *req, struct err *err)
{
	struct add *a = req->data;
	bool fresh;

	if (a->plan)
		return range_reply(req, a, err);
	/* Placed again: another request may have been first. */
	if (series_files_add(req->db, &a->revision, a->name, &a->place, &fresh, req->now_us, err) <
	    0)
		return -1;
	return add_reply(req, a, fresh ? 201 : 200, err);
}

/* ---- Looking ---- */

static int series_get_all(struct http_req *req, struct err *err)
{
	struct http_page page;
	json_t *items;

	if (http_page_read(req, &page) < 0)
		return -1;
	items = series_list(req->db, page.id, page.limit + 1, err);
	return items ? http_reply_page(req, &page, items, "id") : -1;
}

static int series_show(struct http_req *req, struct err *err)
{
	json_t *series = series_get(req->db, req->param[0], err);

	return series ? http_reply_json(req, 200, series) : -1;
}

/* "3" or "v3". 0: it is neither. */
static int64_t version_parse(const char *text)
{
	text += *text == 'v';
	if (strlen(text) > 6 || strspn(text, "0123456789") != strlen(text))
		return 0;
	return strtoll(text, NULL, 10);
}

/* The revision that the path names: its id, or -1. */
static int64_t revision_param(struct http_req *req, struct db *db, struct err *err)
{
	int64_t version = version_parse(req->param[1]);

	if (version == 0)
		return http_problem(req, 404, "no such version: %.64s", req->param[1]);
	return series_find_revision(db, req->param[0], version, err);
}

static int revision_show(struct http_req *req, struct err *err)
{
	int64_t id = revision_param(req, req->db, err);
	json_t *revision = id < 0 ? NULL : series_revision_get(req->db, id, err);

	return revision ? http_reply_json(req, 200, revision) : -1;
}

static int mbox_get(struct http_req *req, struct err *err)
{
	int64_t id = revision_param(req, req->db, err);
	json_t *patches = id < 0 ? NULL : series_patches(req->db, id, err);

	return patches ? series_files_reply(req, patches) : -1;
}

/* ---- Ranges ---- */

static int ranges_get(struct http_req *req, struct err *err)
{
	struct http_page page;
	json_t *items;

	if (http_page_read(req, &page) < 0)
		return -1;
	items = range_list(req->db, page.id, page.limit + 1, err);
	return items ? http_reply_page(req, &page, items, "id") : -1;
}

static int range_show(struct http_req *req, struct err *err)
{
	json_t *range;
	int64_t id;

	if (http_id(req, "range", &id) < 0)
		return -1;
	range = range_get(req->db, id, err);
	return range ? http_reply_json(req, 200, range) : -1;
}

/* ---- What changed ---- */

static int64_t version_query(struct http_req *req, const char *name, struct jx_errors *errors)
{
	const char *text = http_query(req, name);
	int64_t version = text ? version_parse(text) : 0;
	char pointer[16];

	(void)snprintf(pointer, sizeof(pointer), "?%s", name);
	if (version == 0)
		jx_complain(errors, pointer, "%s",
		            text ? "must be a version, as 3" : "is required: a version, as 3");
	return version;
}

/* Everything that the store has to say; the files are read out of the transaction. */
static int diff_query(struct http_req *req, struct series_diff *d, struct err *err)
{
	struct db *db = store_read_begin(req->ctx->store);
	int64_t from = series_find_revision(db, req->param[0], d->from, err);
	int64_t to = from < 0 ? -1 : series_find_revision(db, req->param[0], d->to, err);
	int rc = to < 0 ? -1 : series_range_diff(db, from, to, d->range_diff, err);

	if (rc == 0)
		d->from_patches = series_patches(db, from, err);
	if (d->from_patches)
		d->to_patches = series_patches(db, to, err);
	store_read_end(req->ctx->store, db);
	return d->to_patches ? 0 : -1;
}

static int diff_get(struct http_req *req, struct err *err)
{
	struct series_diff d = {0};
	struct jx_errors errors = {0};
	int rc;

	d.from = version_query(req, "from", &errors);
	d.to = version_query(req, "to", &errors);
	if (http_query_done(req, &errors) < 0)
		return -1;
	rc = diff_query(req, &d, err);
	if (rc == 0)
		rc = series_diff_reply(req, &d, err);
	json_decref(d.from_patches);
	json_decref(d.to_patches);
	return rc;
}

const struct http_route http_series_routes[] = {
	{
		.method = "POST",
		.pattern = "/api/v1/series",
		.operation = "addRevision",
		.summary =
			"Mails of a patch series, or a range in a builder's repository, become a revision of it",
		.flags = HTTP_WRITE | HTTP_JSON | HTTP_KICK,
		.prepare = add_prepare,
		.handle = add_handle,
	},
	{
		.method = "GET",
		.pattern = "/api/v1/series",
		.operation = "listSeries",
		.summary = "Patch series with their revisions, newest first",
		.flags = HTTP_READ,
		.query = "limit cursor",
		.handle = series_get_all,
	},
	{
		.method = "GET",
		.pattern = "/api/v1/series/{name}",
		.operation = "getSeries",
		.summary = "One series",
		.flags = HTTP_READ,
		.handle = series_show,
	},
	{
		.method = "GET",
		.pattern = "/api/v1/series/{name}/revisions/{version}",
		.operation = "getRevision",
		.summary = "One revision with its cover letter, builds and jobs",
		.flags = HTTP_READ,
		.handle = revision_show,
	},
	{
		.method = "GET",
		.pattern = "/api/v1/series/{name}/revisions/{version}/mbox",
		.operation = "getRevisionMails",
		.summary = "Its patches as git am takes them",
		.flags = HTTP_READ,
		.handle = mbox_get,
	},
	{
		.method = "GET",
		.pattern = "/api/v1/series/{name}/diff",
		.operation = "diffRevisions",
		.summary = "What changed between two revisions",
		.query = "from to",
		.handle = diff_get,
	},
	{
		.method = "GET",
		.pattern = "/api/v1/ranges",
		.operation = "listRanges",
		.summary = "Ranges in builders' repositories that become revisions, newest first",
		.flags = HTTP_READ,
		.query = "limit cursor",
		.handle = ranges_get,
	},
	{
		.method = "GET",
		.pattern = "/api/v1/ranges/{id}",
		.operation = "getRange",
		.summary = "One of them, and what became of it",
		.flags = HTTP_READ,
		.handle = range_show,
	},
	{0},
};
