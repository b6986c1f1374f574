/* Schedules: making, looking, disabling, removing, running one now. */
#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/http/http.h"
#include "server/daemon/http/routes.h"
#include "server/daemon/nightly/document.h"
#include "server/daemon/nightly/step.h"
#include "server/daemon/store/job_make.h"
#include "server/daemon/store/schedules.h"
#include "server/daemon/store/world.h"

#include <stddef.h>
#include <string.h>

/* ---- Making ---- */

struct made {
	struct schedules_new schedule; /* borrowed from the body */
	struct jx_errors errors;
};

static void made_free(void *data)
{
	struct made *m = data;

	jx_errors_release(&m->errors);
	free(m);
}

static int schedule_prepare(struct http_req *req, struct err *err)
{
	struct made *m = xcalloc(1, sizeof(*m));

	(void)err;
	req->data = m;
	req->data_free = made_free;
	(void)schedules_read(req->body, &m->schedule, &m->errors);
	return 0;
}

/* Complaints about the job, with their pointers below /job. */
static void complain_below(const struct jx_errors *job, struct jx_errors *errors)
{
	json_t *one;
	size_t i;

	json_array_foreach(job->list, i, one)
	{
		SCOPED_STR at =
			xasprintf("/job%s", json_string_value(json_object_get(one, "pointer")));

		jx_complain(errors, at, "%s", json_string_value(json_object_get(one, "detail")));
	}
}

/* Would the job be taken now? */
static int job_check(struct http_req *req, struct made *m, struct err *err)
{
	SCOPED_JSON doc = json_deep_copy(m->schedule.job);
	const struct world_config world = http_world(req);
	struct jx_errors errors = {0};
	int rc;

	if (!doc)
		return 0;
	rc = job_latest(req->db, doc, &errors, err);
	if (rc == 0 && jx_ok(&errors))
		rc = job_make(req->db, &world, doc, req->now_us, NULL, &errors, err);
	complain_below(&errors, &m->errors);
	jx_errors_release(&errors);
	return rc;
}

static int reply_schedule(struct http_req *req, int status, const char *name, struct err *err)
{
	json_t *schedule = schedules_view(req->db, name, req->now_us, err);

	return schedule ? http_reply_json(req, status, schedule) : -1;
}

static int schedule_post(struct http_req *req, struct err *err)
{
	struct made *m = req->data;

	if (job_check(req, m, err) < 0)
		return -1;
	if (!jx_ok(&m->errors))
		return http_problem_fields(req, 422, &m->errors);
	if (schedules_create(req->db, &m->schedule, req->now_us, err) < 0)
		return -1;
	return reply_schedule(req, 201, m->schedule.name, err);
}

/* ---- Looking ---- */

static int schedules_get(struct http_req *req, struct err *err)
{
	struct http_page page;
	json_t *items;

	if (http_page_read(req, &page) < 0)
		return -1;
	items = schedules_list(req->db, page.name, page.limit + 1, req->now_us, err);
	return items ? http_reply_page(req, &page, items, "name") : -1;
}

static int schedule_get(struct http_req *req, struct err *err)
{
	return reply_schedule(req, 200, req->param[0], err);
}

static int schedule_runs_get(struct http_req *req, struct err *err)
{
	struct schedules_row row;
	struct http_page page;
	json_t *items;

	if (http_page_read(req, &page) < 0 ||
	    schedules_load(req->db, 0, req->param[0], &row, err) < 0)
		return -1;
	items = schedules_run_list(req->db, &row, page.id, page.limit + 1, err);
	schedules_row_release(&row);
	return items ? http_reply_page(req, &page, items, "id") : -1;
}

/* ---- Changing ---- */

/* The schedule with what body changes: a document as POST takes it. null is what a schedule has that does not say. */
static json_t *changed_document(const json_t *view, json_t *body)
{
	static const char *const members[] = {"name",     "cron",    "zone",     "job",
	                                      "window_s", "overlap", "catch_up", "report"};
	json_t *doc = json_object();

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		(void)json_object_set(doc, members[i], json_object_get(view, members[i]));
	(void)json_object_update(doc, body);
	(void)json_object_del(doc, "disabled");
	return doc;
}

static void disabled_check(const json_t *disabled, struct jx_errors *errors)
{
	const char *reason = json_string_value(disabled);

	if (disabled && !json_is_null(disabled) && (!reason || !*reason || strlen(reason) > 400))
		jx_complain(errors, "/disabled", "must be a reason of 1 to 400 bytes, or null");
}

/* All complaints at once, as POST has them. A job that is not changed is not judged: its board may be away today. */
static int change_check(struct http_req *req, json_t *doc, struct made *m, struct err *err)
{
	if (json_object_size(req->body) == 0)
		jx_complain(&m->errors, "", "must be an object with something to change");
	(void)schedules_read(doc, &m->schedule, &m->errors);
	if (json_object_get(req->body, "name"))
		jx_complain(&m->errors, "/name", "cannot be changed");
	disabled_check(json_object_get(req->body, "disabled"), &m->errors);
	return json_object_get(req->body, "job") ? job_check(req, m, err) : 0;
}

static int change(struct http_req *req, int64_t id, const struct schedules_new *schedule,
                  struct err *err)
{
	const json_t *disabled = json_object_get(req->body, "disabled");
	const struct world_config world = http_world(req);
	struct schedules_row row;
	int rc;

	if (json_object_size(req->body) > (disabled ? 1 : 0) &&
	    (nightly_settle(req->db, &world, id, req->now_us, err) < 0 ||
	     schedules_change(req->db, id, schedule, req->now_us, err) < 0))
		return -1;
	if (!disabled)
		return 0;
	if (schedules_load(req->db, id, NULL, &row, err) < 0)
		return -1;
	rc = nightly_disable(req->db, &row, json_string_value(disabled), req->now_us, err);
	schedules_row_release(&row);
	return rc;
}

static int schedule_patch(struct http_req *req, struct err *err)
{
	SCOPED_JSON view = schedules_view(req->db, req->param[0], req->now_us, err);
	SCOPED_JSON doc = view ? changed_document(view, req->body) : NULL;
	struct made m = {0};
	int rc;

	if (!doc)
		return -1;
	rc = change_check(req, doc, &m, err);
	if (rc == 0 && !jx_ok(&m.errors))
		rc = http_problem_fields(req, 422, &m.errors);
	if (rc == 0)
		rc = change(req, json_integer_value(json_object_get(view, "id")), &m.schedule, err);
	jx_errors_release(&m.errors);
	return rc < 0 ? -1 : reply_schedule(req, 200, req->param[0], err);
}

static int schedule_delete(struct http_req *req, struct err *err)
{
	if (schedules_remove(req->db, req->param[0], err) < 0)
		return -1;
	return http_reply_json(req, 200, json_pack("{s:s}", "removed", req->param[0]));
}

static int run_reply(struct http_req *req, const struct schedules_row *row,
                     const struct jx_errors *errors, struct err *err)
{
	struct jx_errors below = {0};
	json_t *list;

	if (!jx_ok(errors)) {
		complain_below(errors, &below);
		(void)http_problem_fields(req, 422, &below);
		jx_errors_release(&below);
		return -1;
	}
	list = schedules_run_list(req->db, row, INT64_MAX, 1, err);
	if (!list)
		return -1;
	(void)http_reply_json(req, 201, json_incref(json_array_get(list, 0)));
	json_decref(list);
	return 0;
}

static int schedule_run_post(struct http_req *req, struct err *err)
{
	const struct world_config world = http_world(req);
	struct jx_errors errors = {0};
	struct schedules_row row;
	int64_t job;
	int rc;

	if (schedules_load(req->db, 0, req->param[0], &row, err) < 0)
		return -1;
	rc = nightly_run_now(req->db, &world, &row, req->now_us, &job, &errors, err);
	if (rc == 0)
		rc = run_reply(req, &row, &errors, err);
	jx_errors_release(&errors);
	schedules_row_release(&row);
	return rc;
}

const struct http_route http_schedules_routes[] = {
	{
		.method = "POST",
		.pattern = "/api/v1/schedules",
		.operation = "createSchedule",
		.summary = "Submit a job by the clock",
		.flags = HTTP_WRITE | HTTP_JSON | HTTP_KICK,
		.prepare = schedule_prepare,
		.handle = schedule_post,
	},
	{
		.method = "GET",
		.pattern = "/api/v1/schedules",
		.operation = "listSchedules",
		.summary =
			"Schedules, by name, with their next instants and what became of the last",
		.flags = HTTP_READ,
		.query = "limit cursor",
		.handle = schedules_get,
	},
	{
		.method = "GET",
		.pattern = "/api/v1/schedules/{name}",
		.operation = "getSchedule",
		.summary = "One schedule",
		.flags = HTTP_READ,
		.handle = schedule_get,
	},
	{
		.method = "PATCH",
		.pattern = "/api/v1/schedules/{name}",
		.operation = "changeSchedule",
		.summary = "Change what a schedule says; disable with a reason, enable",
		.flags = HTTP_WRITE | HTTP_JSON | HTTP_KICK,
		.handle = schedule_patch,
	},
	{
		.method = "DELETE",
		.pattern = "/api/v1/schedules/{name}",
		.operation = "removeSchedule",
		.summary = "Remove a schedule; its jobs stay",
		.flags = HTTP_WRITE | HTTP_KICK,
		.handle = schedule_delete,
	},
	{
		.method = "POST",
		.pattern = "/api/v1/schedules/{name}/run",
		.operation = "runSchedule",
		.summary = "Submit the schedule's job now",
		.flags = HTTP_WRITE | HTTP_KICK,
		.handle = schedule_run_post,
	},
	{
		.method = "GET",
		.pattern = "/api/v1/schedules/{name}/runs",
		.operation = "listScheduleRuns",
		.summary = "What became of the schedule's instants, newest first",
		.flags = HTTP_READ,
		.query = "limit cursor",
		.handle = schedule_runs_get,
	},
	{0},
};
