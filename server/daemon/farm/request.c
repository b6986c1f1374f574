/* request.json of an attempt (docs/WIRE.md, section 5). It is made from the store, so that one that a crash kept from
 * the disk is made again. */
#include "common/fsio.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/sha256.h"
#include "common/xalloc.h"
#include "server/daemon/farm/farm_private.h"
#include "server/daemon/http/upload.h"
#include "server/daemon/store/files.h"
#include "server/daemon/store/requests.h"
#include "server/daemon/store/store.h"
#include "server/daemon/suite.h"

#include <string.h>

#define OUTPUT_BYTES (1 << 20) /* that one test program may print */

static json_t *build_part(struct board *b, struct err *err)
{
	struct store *store = b->farm->config.store;
	struct db *db = store_read_begin(store);
	json_t *build = store_request_build(db, b->attempt->follow.ref.build, err);
	json_t *file;
	const char *role;

	store_read_end(store, db);
	json_object_foreach(json_object_get(build, "files"), role, file)
	{
		SCOPED_STR path = upload_path(b->farm->config.state_dir,
		                              json_string_value(json_object_get(file, "sha256")));

		(void)json_object_set_new(file, "path", json_string(path));
	}
	return build;
}

/* ---- What a builder needs ---- */

static void input_add(json_t *inputs, const char *name, const char *path, const char *sha256,
                      int64_t size)
{
	(void)json_array_append_new(inputs,
	                            json_pack("{s:s, s:s, s:s, s:I}", "name", name, "path", path,
	                                      "sha256", sha256, "size", (json_int_t)size));
}

/* The files that list names by SHA-256, as NAME by their number. */
static int inputs_list(struct board *b, struct db *db, json_t *inputs, const json_t *list,
                       const char *name, struct err *err)
{
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		const char *sha256 = json_string_value(item);
		SCOPED_STR path = upload_path(b->farm->config.state_dir, sha256);
		SCOPED_STR numbered = xasprintf("%04zu.%s", i + 1, name);
		int64_t size = file_size(db, sha256, err);

		if (size < 0)
			return -1;
		input_add(inputs, numbered, path, sha256, size);
	}
	return 0;
}

/* The recipe stands beside the request, as the text that its hash is of; so does a question. */
static int input_text(struct board *b, json_t *inputs, const char *name, const char *text,
                      struct err *err)
{
	SCOPED_STR path = xasprintf("%s/%s", b->attempt->dir, name);
	char sha256[SHA256_HEX];

	sha256_hex(text, strlen(text), sha256);
	input_add(inputs, name, path, sha256, (int64_t)strlen(text));
	if (fs_mkdirs(b->attempt->dir, err) < 0)
		return -1;
	return fs_replace_file(path, text, strlen(text), 0640, err);
}

static json_t *inputs_part(struct board *b, struct err *err)
{
	struct store *store = b->farm->config.store;
	SCOPED_JSON inputs = json_array();
	struct db *db = store_read_begin(store);
	SCOPED_JSON text = store_request_recipe(db, b->attempt->follow.ref.build, err);
	SCOPED_JSON recipe = text ? json_loads(json_string_value(text), 0, NULL) : NULL;
	int rc = text ? 0 : -1;

	if (rc == 0)
		rc = inputs_list(b, db, inputs, json_object_get(recipe, "patches"), "patch", err);
	if (rc == 0)
		rc = inputs_list(b, db, inputs, json_object_get(recipe, "fragments"), "frag", err);
	store_read_end(store, db);
	if (rc == 0)
		rc = input_text(b, inputs, "recipe.json", json_string_value(text), err);
	return rc == 0 ? take_json(&inputs) : NULL;
}

static json_t *inputs_question(struct board *b, struct err *err)
{
	SCOPED_JSON inputs = json_array();
	SCOPED_STR text = jx_text(json_object_get(b->attempt->follow.ref.plan, "question"));

	return input_text(b, inputs, "question.json", text, err) == 0 ? take_json(&inputs) : NULL;
}

/* The request of a builder's run: of the kernel nothing is known yet, or there is none. */
static int request_builds(struct board *b, json_t *request, struct err *err)
{
	json_t *build = json_object_get(request, "build");
	bool git = b->attempt->follow.ref.purpose == PURPOSE_GIT;
	json_t *inputs = git ? inputs_question(b, err) : inputs_part(b, err);

	if (!inputs)
		return -1;
	(void)json_object_set_new(request, "purpose", json_string("build"));
	(void)json_object_set_new(request, "inputs", inputs);
	(void)json_object_set_new(build, "release", json_null());
	(void)json_object_set_new(build, "build_id", json_null());
	(void)json_object_set_new(build, "files", json_object());
	return 0;
}

static json_t *suite_part(const struct board *b, struct err *err)
{
	const char *name = json_string_value(json_object_get(b->attempt->follow.ref.plan, "suite"));
	const struct suite *suite = name ? suite_find(b->farm->config.suites, name) : NULL;
	json_t *files = json_array();

	if (!suite) {
		json_decref(files);
		(void)err_set(err, ERR_NOTFOUND, "the suite '%s' is gone", name ? name : "");
		return NULL;
	}
	for (size_t i = 0; i < suite->programs_count; i++) {
		const struct suite_program *p = &suite->programs[i];

		if (strcmp(p->arch, b->arch) == 0)
			(void)json_array_append_new(files, json_pack("{s:s, s:s, s:s, s:I}", "name",
			                                             p->name, "path", p->path,
			                                             "sha256", p->sha256, "size",
			                                             (json_int_t)p->size));
	}
	return json_pack("{s:s, s:o}", "name", name, "files", files);
}

static json_t *agent_part(struct board *b, struct err *err)
{
	const struct agent *agent =
		agents_get(&b->farm->agents, b->farm->config.agent_dir, b->arch, err);

	if (!agent)
		return NULL;
	return json_pack("{s:s, s:s, s:I}", "path", agent->path, "sha256", agent->sha256, "size",
	                 (json_int_t)agent->size);
}

static json_t *tests_part(const json_t *plan)
{
	static const char *const keys[] = {"id", "name", "rep", "argv", "time_limit_s", "output"};
	json_t *tests = json_array(), *test;
	size_t i;

	json_array_foreach(json_object_get(plan, "tests"), i, test)
	{
		json_t *one = json_object();

		for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
			if (json_object_get(test, keys[k]))
				(void)json_object_set(one, keys[k], json_object_get(test, keys[k]));
		(void)json_array_append_new(tests, one);
	}
	return tests;
}

static json_t *limits_part(const struct board *b)
{
	json_t *limits = json_pack("{s:I, s:i}", "memory_mib", (json_int_t)b->memory_mib,
	                           "output_bytes", OUTPUT_BYTES);

	(void)json_object_update_missing(limits,
	                                 json_object_get(b->attempt->follow.ref.plan, "limits"));
	return limits;
}

static json_t *request_make(struct board *b, struct err *err)
{
	const struct attempt_ref *ref = &b->attempt->follow.ref;
	SCOPED_JSON build = build_part(b, err);
	SCOPED_JSON suite = build ? suite_part(b, err) : NULL;
	SCOPED_JSON agent = suite ? agent_part(b, err) : NULL;

	if (!agent)
		return NULL;
	return json_pack("{s:i, s:I, s:I, s:I, s:s, s:s, s:O, s:O, s:O, s:o, s:o, s:O*}", "v", 1,
	                 "run", (json_int_t)ref->run, "attempt", (json_int_t)ref->attempt, "fence",
	                 (json_int_t)ref->fence, "board", b->name, "cache", ref->cache, "build",
	                 build, "suite", suite, "agent", agent, "tests", tests_part(ref->plan),
	                 "limits", limits_part(b), "iterations",
	                 json_object_get(ref->plan, "iterations"));
}

int request_write(struct board *b, struct err *err)
{
	SCOPED_STR path = xasprintf("%s/request.json", b->attempt->dir);
	SCOPED_JSON request = NULL;
	SCOPED_STR text = NULL;

	if (access(path, F_OK) == 0)
		return 0;
	request = request_make(b, err);
	if (!request ||
	    (b->attempt->follow.ref.purpose != PURPOSE_TEST && request_builds(b, request, err) < 0))
		return -1;
	text = jx_text(request);
	if (fs_mkdirs(b->attempt->dir, err) < 0)
		return -1;
	return fs_replace_file(path, text, strlen(text), 0640, err);
}
