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

static int schedule_patch(struct http_req *req, struct err *err)
{
	json_t *disabled = NULL;
	const struct jx_field fields[] = {{"disabled", JX_ANY, true, 0, 0, 0}};
	const char *reason;
	struct jx_errors errors = {0};
	struct schedules_row row;
	int rc;

	/* null is a word here: enable. */
	if (json_is_null(json_object_get(req->body, "disabled")) &&
	    json_object_size(req->body) == 1)
		disabled = json_object_get(req->body, "disabled");
	else
		(void)jx_read(req->body, fields, 1, &disabled, "", &errors);
	reason = json_string_value(disabled);
	if (disabled && !json_is_null(disabled) && (!reason || !*reason || strlen(reason) > 400))
		jx_complain(&errors, "/disabled", "must be a reason of 1 to 400 bytes, or null");
	if (http_query_done(req, &errors) < 0 ||
	    schedules_load(req->db, 0, req->param[0], &row, err) < 0)
		return -1;
	rc = nightly_disable(req->db, &row, reason, req->now_us, err);
	schedules_row_release(&row);
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
		.summary = "Disable with a reason, enable",
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
