/* Builds: kernels by name, made of uploaded files. */
#include "common/err.h"
#include "common/jx.h"
#include "common/xalloc.h"
#include "server/daemon/http/build_body.h"
#include "server/daemon/http/http.h"
#include "server/daemon/http/routes.h"
#include "server/daemon/plan/plan.h"
#include "server/daemon/store/builds.h"
#include "server/daemon/store/jobs.h"
#include "server/daemon/store/made_builds.h"
#include "server/daemon/store/store.h"
#include "server/daemon/store/world.h"

#include <inttypes.h>
#include <stdlib.h>

static int build_prepare(struct http_req *req, struct err *err)
{
	struct build_new *build = xcalloc(1, sizeof(*build));
	struct jx_errors errors = {0};
	int rc = 0;

	(void)err;
	req->data = build;
	req->data_free = free;
	build_body_read(req->body, build, &errors);
	if (!jx_ok(&errors))
		rc = http_problem_fields(req, 422, &errors);
	jx_errors_release(&errors);
	return rc;
}

static int build_post(struct http_req *req, struct err *err)
{
	struct jx_errors errors = {0};
	bool old;
	int64_t id = build_create(req->db, req->data, req->now_us, &old, &errors, err);
	json_t *build;
	int rc = -1;

	if (id == 0)
		rc = http_problem_fields(req, 422, &errors);
	jx_errors_release(&errors);
	if (id <= 0)
		return rc;
	build = build_get(req->db, id, err);
	return build ? http_reply_json(req, old ? 200 : 201, build) : -1;
}

static int builds_get(struct http_req *req, struct err *err)
{
	struct jx_errors errors = {0};
	struct build_filter filter = {
		.state = http_query_word(req, "state", "waiting building complete failed", &errors),
		.series = http_query(req, "series")};
	struct http_page page;
	json_t *items;

	if (http_query_done(req, &errors) < 0 || http_page_read(req, &page) < 0)
		return -1;
	filter.before = page.id;
	filter.limit = page.limit + 1;
	items = builds_list(req->db, &filter, err);
	return items ? http_reply_page(req, &page, items, "id") : -1;
}

static int build_show(struct http_req *req, struct err *err)
{
	json_t *build;
	int64_t id;

	if (http_id(req, "build", &id) < 0)
		return -1;
	build = build_get(req->db, id, err);
	return build ? http_reply_json(req, 200, build) : -1;
}

/* ---- Made by the farm ---- */

struct making {
	struct world *world;
	struct plan *plan; /* NULL: errors say why */
	struct jx_errors errors;
	char *request;
};

static void making_free(void *data)
{
	struct making *m = data;

	plan_free(m->plan);
	world_free(m->world);
	jx_errors_release(&m->errors);
	free(m->request);
	free(m);
}

static int make_prepare(struct http_req *req, struct err *err)
{
	const struct world_config config = http_world(req);
	struct making *m = xcalloc(1, sizeof(*m));
	struct db *db = store_read_begin(req->ctx->store);
	int rc = -1;

	req->data = m;
	req->data_free = making_free;
	m->world = world_load(db, &config, err);
	if (m->world) {
		m->plan = plan_make_build(req->body, world_plan(m->world), &m->errors);
		rc = world_close(m->world, err);
	}
	store_read_end(req->ctx->store, db);
	m->request = jx_text(req->body);
	return rc;
}

/* Which build it is will be known when a builder has said what the commit's name is now: until then there is a job. */
static int make_unresolved(struct http_req *req, struct err *err)
{
	const struct making *m = req->data;
	json_t *view;
	int64_t job;

	if (job_insert(req->db, m->plan, m->request, req->now_us, &job, err) < 0)
		return -1;
	view = job_view(req->db, job, err);
	if (!view)
		return -1;
	return http_reply_json(req, 202,
	                       json_pack("{s:o, s:o}", "url",
	                                 json_sprintf("/api/v1/jobs/%" PRId64, job), "job", view));
}

/* One that is there, or is being made, is answered as it is. */
static int make_post(struct http_req *req, struct err *err)
{
	const struct making *m = req->data;
	const char *sha256;
	struct build_state state;
	json_t *build;
	int64_t id, job;
	bool make;

	if (!m->plan)
		return http_problem_fields(req, 422, &m->errors);
	if (m->plan->ask_text)
		return make_unresolved(req, err);
	sha256 = m->plan->recipes[0].recipe.sha256;
	id = made_build_find(req->db, sha256, &state, err);
	if (id < 0)
		return -1;
	make = id == 0 || build_want(&state);
	if (make && job_insert(req->db, m->plan, m->request, req->now_us, &job, err) < 0)
		return -1;
	if (id == 0)
		id = made_build_find(req->db, sha256, &state, err);
	build = id > 0 ? build_get(req->db, id, err) : NULL;
	return build ? http_reply_json(req, make ? 201 : 200, build) : -1;
}

const struct http_route http_builds_routes[] = {
	{
		.method = "POST",
		.pattern = "/api/v1/recipes",
		.operation = "makeBuild",
		.summary = "Have a builder make a kernel",
		.flags = HTTP_WRITE | HTTP_JSON | HTTP_KICK,
		.made = "/api/v1/builds",
		.prepare = make_prepare,
		.handle = make_post,
	},
	{
		.method = "GET",
		.pattern = "/api/v1/builds",
		.operation = "listBuilds",
		.summary = "Builds, newest first",
		.flags = HTTP_READ,
		.query = "limit cursor state series",
		.handle = builds_get,
	},
	{
		.method = "POST",
		.pattern = "/api/v1/builds",
		.operation = "createBuild",
		.summary = "Register a build",
		.flags = HTTP_WRITE | HTTP_JSON,
		.prepare = build_prepare,
		.handle = build_post,
	},
	{
		.method = "GET",
		.pattern = "/api/v1/builds/{id}",
		.operation = "getBuild",
		.summary = "One build",
		.flags = HTTP_READ,
		.handle = build_show,
	},
	{0},
};
