/* Jobs: submitting them, planning them, looking at them, cancelling them. */
#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/http/http.h"
#include "server/daemon/http/routes.h"
#include "server/daemon/plan/plan.h"
#include "server/daemon/report/facts.h"
#include "server/daemon/report/page.h"
#include "server/daemon/report/text.h"
#include "server/daemon/store/jobs.h"
#include "server/daemon/store/runs.h"
#include "server/daemon/store/store.h"
#include "server/daemon/store/world.h"

#include <string.h>

/* What prepare() leaves to handle(). */
struct planned {
	struct world *world;
	struct plan *plan; /* NULL: errors say why */
	struct jx_errors errors;
	char *request; /* the submission as it came */
};

static void planned_free(void *data)
{
	struct planned *p = data;

	plan_free(p->plan);
	world_free(p->world);
	jx_errors_release(&p->errors);
	free(p->request);
	free(p);
}

static int plan_body(struct http_req *req, struct planned *p, struct err *err)
{
	struct db *db = store_read_begin(req->ctx->store);
	const struct world_config config = http_world(req);
	struct submission submission;
	int rc = -1;

	p->world = world_load(db, &config, err);
	if (p->world) {
		(void)submission_read(req->body, &submission, &p->errors);
		p->plan = plan_make(&submission, world_plan(p->world), &p->errors);
		rc = world_close(p->world, err);
	}
	store_read_end(req->ctx->store, db);
	return rc;
}

static int job_prepare(struct http_req *req, struct err *err)
{
	struct planned *p = xcalloc(1, sizeof(*p));
	const char *dry = http_query(req, "dry_run");

	req->data = p;
	req->data_free = planned_free;
	if (dry && strcmp(dry, "true") != 0 && strcmp(dry, "false") != 0) {
		jx_complain(&p->errors, "?dry_run", "must be true or false");
		return http_problem_fields(req, 422, &p->errors);
	}
	if (plan_body(req, p, err) < 0)
		return -1;
	p->request = jx_text(req->body);
	if (!dry || strcmp(dry, "true") != 0)
		return 0;
	if (!p->plan)
		return http_problem_fields(req, 422, &p->errors);
	return http_reply_json(req, 200, plan_preview(p->plan));
}

/* A wrong submission is refused only here, behind the look-up of its Idempotency-Key: what was accepted once stays
 * so. */
static int job_submit(struct http_req *req, struct err *err)
{
	const struct planned *p = req->data;
	json_t *job;
	int64_t id;

	if (!p->plan)
		return http_problem_fields(req, 422, &p->errors);
	if (job_insert(req->db, p->plan, p->request, req->now_us, &id, err) < 0)
		return -1;
	job = job_view(req->db, id, err);
	return job ? http_reply_json(req, 201, job) : -1;
}

static int jobs_get(struct http_req *req, struct err *err)
{
	struct jx_errors errors = {0};
	const char *state = http_query_word(req, "state", "queued running done cancelled", &errors);
	struct http_page page;
	json_t *items;

	if (http_query_done(req, &errors) < 0 || http_page_read(req, &page) < 0)
		return -1;
	items = job_list(req->db, state, page.id, page.limit + 1, err);
	return items ? http_reply_page(req, &page, items, "id") : -1;
}

static int job_get(struct http_req *req, struct err *err)
{
	json_t *job;
	int64_t id;

	if (http_id(req, "job", &id) < 0)
		return -1;
	job = job_view(req->db, id, err);
	return job ? http_reply_json(req, 200, job) : -1;
}

static int job_report(struct http_req *req, struct err *err)
{
	const struct facts_source source = {.suites = req->ctx->suites,
	                                    .now_us = req->now_us,
	                                    .state_dir = req->ctx->state_dir};
	const struct report_style style = {.lines = PAGE_LINES};
	struct page page = {0};
	SCOPED_JSON facts = NULL;
	int64_t id;

	if (http_id(req, "job", &id) < 0)
		return -1;
	facts = facts_load(req->db, &source, id, err);
	if (!facts)
		return -1;
	report_text(&page, facts, &style);
	return http_reply_text(req, 200, "text/plain; charset=utf-8", page.text, page.len);
}

static int job_cancel(struct http_req *req, struct err *err)
{
	json_t *job;
	int64_t id;

	if (http_id(req, "job", &id) < 0 || store_job_cancel(req->db, id, req->now_us, err) < 0)
		return -1;
	job = job_view(req->db, id, err);
	return job ? http_reply_json(req, 200, job) : -1;
}

const struct http_route http_jobs_routes[] = {
	{
		.method = "POST",
		.pattern = "/api/v1/jobs",
		.operation = "submitJob",
		.summary = "Submit a job, or see with dry_run=true what it would do",
		.flags = HTTP_WRITE | HTTP_JSON | HTTP_KICK,
		.query = "dry_run",
		.prepare = job_prepare,
		.handle = job_submit,
	},
	{
		.method = "GET",
		.pattern = "/api/v1/jobs",
		.operation = "listJobs",
		.summary = "Jobs, newest first",
		.flags = HTTP_READ,
		.query = "limit cursor state",
		.handle = jobs_get,
	},
	{
		.method = "GET",
		.pattern = "/api/v1/jobs/{id}",
		.operation = "getJob",
		.summary = "One job with its runs",
		.flags = HTTP_READ,
		.handle = job_get,
	},
	{
		.method = "POST",
		.pattern = "/api/v1/jobs/{id}/cancel",
		.operation = "cancelJob",
		.summary = "Cancel the open runs of a job",
		.flags = HTTP_WRITE | HTTP_KICK,
		.handle = job_cancel,
	},
	{
		.method = "GET",
		.pattern = "/api/v1/jobs/{id}/report",
		.operation = "reportJob",
		.summary = "What the job has to say, as plain text for a mail",
		.flags = HTTP_READ,
		.handle = job_report,
	},
	{0},
};
