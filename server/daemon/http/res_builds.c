/* Builds: kernels by name, made of uploaded files. */
#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/sha256.h"
#include "common/xalloc.h"
#include "server/daemon/http/http.h"
#include "server/daemon/http/routes.h"
#include "server/daemon/plan/plan.h"
#include "server/daemon/store/builds.h"
#include "server/daemon/store/jobs.h"
#include "server/daemon/store/made_builds.h"
#include "server/daemon/store/store.h"
#include "server/daemon/store/world.h"

#include <string.h>

static const struct jx_field build_fields[] = {
	{"name", JX_STRING, true, 1, 64, offsetof(struct build_new, name)},
	{"release", JX_STRING, false, 1, 128, offsetof(struct build_new, release)},
	{"build_id", JX_STRING, false, 1, 128, offsetof(struct build_new, build_id)},
	{"arch", JX_STRING, false, 1, 64, offsetof(struct build_new, arch)},
	{"description", JX_STRING, false, 0, 4096, offsetof(struct build_new, description)},
	{"cmdline", JX_STRING, false, 0, 2048, offsetof(struct build_new, cmdline)},
	{"config_sha256", JX_STRING, false, 1, 64, offsetof(struct build_new, config_sha256)},
	{"compiler", JX_STRING, false, 1, 256, offsetof(struct build_new, compiler)},
	{"series", JX_STRING, false, 1, 256, offsetof(struct build_new, series)},
	{"revision", JX_STRING, false, 1, 256, offsetof(struct build_new, revision)},
	{"files", JX_OBJECT, false, 0, 4, offsetof(struct build_new, files)},
};

static void files_validate(json_t *files, struct jx_errors *errors)
{
	const char *role;
	json_t *sha256;

	json_object_foreach(files, role, sha256)
	{
		SCOPED_STR pointer = xasprintf("/files/%.64s", role);

		if (strcmp(role, "kernel") != 0 && strcmp(role, "dtb") != 0 &&
		    strcmp(role, "initramfs") != 0 && strcmp(role, "modules") != 0)
			jx_complain(errors, pointer,
			            "must be one of: kernel dtb initramfs modules");
		else if (!json_is_string(sha256) || !sha256_valid(json_string_value(sha256)))
			jx_complain(errors, pointer,
			            "must be a SHA-256 of 64 lower-case hex digits");
	}
}

/* These become arguments and environment of boot commands. */
static void plain_validate(const char *text, const char *pointer, struct jx_errors *errors)
{
	for (; text && *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f) {
			jx_complain(errors, pointer, "must not hold control characters");
			return;
		}
}

static bool hex_valid(const char *text)
{
	size_t len = strlen(text);

	return len % 2 == 0 && strspn(text, "0123456789abcdef") == len;
}

static void build_validate(const struct build_new *b, struct jx_errors *errors)
{
	if (b->name && !jx_name_valid(b->name))
		jx_complain(errors, "/name", "must be a name: [A-Za-z0-9][A-Za-z0-9._+-]{0,63}");
	if (!jx_name_valid(b->arch))
		jx_complain(errors, "/arch", "must be a name, as arm");
	if (b->build_id && !hex_valid(b->build_id))
		jx_complain(errors, "/build_id", "must be lower-case hex digits");
	if (b->config_sha256 && !sha256_valid(b->config_sha256))
		jx_complain(errors, "/config_sha256",
		            "must be a SHA-256 of 64 lower-case hex digits");
	plain_validate(b->cmdline, "/cmdline", errors);
	plain_validate(b->release, "/release", errors);
	files_validate(b->files, errors);
}

static int build_prepare(struct http_req *req, struct err *err)
{
	struct build_new *build = xcalloc(1, sizeof(*build));
	struct jx_errors errors = {0};
	int rc = 0;

	(void)err;
	*build = (struct build_new){.arch = "arm", .description = "", .cmdline = ""};
	req->data = build;
	req->data_free = free;
	(void)jx_read(req->body, build_fields, sizeof(build_fields) / sizeof(build_fields[0]),
	              build, "", &errors);
	build_validate(build, &errors);
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

/* One that is there, or is being made, is answered as it is. */
static int make_post(struct http_req *req, struct err *err)
{
	const struct making *m = req->data;
	struct build_state state;
	json_t *build;
	int64_t id, job;
	bool make;

	if (!m->plan)
		return http_problem_fields(req, 422, &m->errors);
	id = made_build_find(req->db, &m->plan->recipes[0], &state, err);
	if (id < 0)
		return -1;
	make = id == 0 || build_want(&state);
	if (make && job_insert(req->db, m->plan, m->request, req->now_us, &job, err) < 0)
		return -1;
	if (id == 0)
		id = made_build_find(req->db, &m->plan->recipes[0], &state, err);
	build = id > 0 ? build_get(req->db, id, err) : NULL;
	return build ? http_reply_json(req, make ? 201 : 200, build) : -1;
}

const struct http_route http_builds_routes[] = {
	{
		.method = "POST",
		.pattern = "/api/v1/builds/make",
		.operation = "makeBuild",
		.summary = "Have a builder make a kernel",
		.flags = HTTP_WRITE | HTTP_JSON | HTTP_KICK,
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
