#include "server/board/request.h"

#include "common/boardfile.h"
#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/sha256.h"
#include "common/xalloc.h"

#include <string.h>

#define ID_MAX ((int64_t)1 << 53) /* any JSON reader keeps these exactly */

#define ROWS(table) (table), sizeof(table) / sizeof(*(table))

struct top {
	int64_t v;
	const char *purpose;
	json_t *build, *suite, *agent, *tests, *limits, *inputs;
};

static const struct jx_field top_fields[] = {
	{"v", JX_INT, true, 1, 1, offsetof(struct top, v)},
	{"build", JX_OBJECT, true, 0, 0, offsetof(struct top, build)},
	{"suite", JX_OBJECT, true, 0, 0, offsetof(struct top, suite)},
	{"agent", JX_OBJECT, true, 0, 0, offsetof(struct top, agent)},
	{"tests", JX_ARRAY, true, 1, REQUEST_TESTS_MAX, offsetof(struct top, tests)},
	{"limits", JX_OBJECT, false, 0, 0, offsetof(struct top, limits)},
	{"purpose", JX_STRING, false, 1, 16, offsetof(struct top, purpose)},
	{"inputs", JX_ARRAY, false, 0, REQUEST_INPUTS_MAX, offsetof(struct top, inputs)},
};

static const struct jx_field request_fields[] = {
	{"run", JX_INT, true, 1, ID_MAX, offsetof(struct request, run)},
	{"attempt", JX_INT, true, 1, 1000000, offsetof(struct request, attempt)},
	{"fence", JX_INT, true, 0, ID_MAX, offsetof(struct request, fence)},
	{"board", JX_STRING, true, 1, 64, offsetof(struct request, board)},
	{"iterations", JX_INT, false, 1, 1000000, offsetof(struct request, iterations)},
};

static const struct jx_field limit_fields[] = {
	{"boot_s", JX_INT, false, 1, 3600, offsetof(struct request, boot_s)},
	{"run_s", JX_INT, false, 1, 7 * 86400, offsetof(struct request, run_s)},
	{"memory_mib", JX_INT, false, 1, 1 << 20, offsetof(struct request, memory_mib)},
	{"output_bytes", JX_INT, false, 1, 1 << 30, offsetof(struct request, output_bytes)},
};

static const struct jx_field build_fields[] = {
	{"name", JX_STRING, false, 0, 256, offsetof(struct request, build_name)},
	{"release", JX_STRING, false, 1, 128, offsetof(struct request, release)},
	{"build_id", JX_STRING, false, 1, 128, offsetof(struct request, build_id)},
	{"cmdline", JX_STRING, false, 0, 2048, offsetof(struct request, cmdline)},
};

static const struct jx_field file_fields[] = {
	{"name", JX_STRING, false, 1, 64, offsetof(struct wire_file, name)},
	{"path", JX_STRING, true, 1, 4096, offsetof(struct wire_file, path)},
	{"sha256", JX_STRING, true, 64, 64, offsetof(struct wire_file, sha256)},
	{"size", JX_INT, true, 0, ID_MAX, offsetof(struct wire_file, size)},
};

static const struct jx_field test_fields[] = {
	{"id", JX_INT, true, 0, ID_MAX, offsetof(struct planned, id)},
	{"rep", JX_INT, false, 1, 1000000, offsetof(struct planned, rep)},
	{"time_limit_s", JX_INT, false, 1, 86400, offsetof(struct planned, time_limit_s)},
	{"name", JX_STRING, true, 1, 64, offsetof(struct planned, name)},
	{"argv", JX_ARRAY, true, 1, 256, offsetof(struct planned, argv)},
	{"output", JX_STRING, false, 1, 16, offsetof(struct planned, output)},
};

static void read_file(struct wire_file *f, json_t *object, const char *pointer,
                      struct jx_errors *errors)
{
	if (!jx_read_wire(object, ROWS(file_fields), f, pointer, errors))
		return;
	/* The hash becomes a file name on the board, the path one here. */
	if (!sha256_valid(f->sha256) || f->path[0] != '/')
		jx_complain(errors, pointer, "needs an absolute path and 64 lower-case hex digits");
}

static void read_build(struct request *r, json_t *build, struct jx_errors *errors)
{
	static const char *const names[] = {"kernel", "dtb", "initramfs", "modules"};
	json_t *files = json_object_get(build, "files");

	(void)jx_read_wire(build, ROWS(build_fields), r, "/build", errors);
	for (size_t i = 0; i < BUILD_FILES; i++) {
		SCOPED_STR at = xasprintf("/build/files/%s", names[i]);
		json_t *file = json_object_get(files, names[i]);

		r->build[i] = (struct wire_file){.name = names[i]};
		if (file && !json_is_null(file))
			read_file(&r->build[i], file, at, errors);
	}
}

/* Files that go onto the board, at most max, behind those that are there. */
static void read_files(struct request *r, json_t *files, size_t max, const char *pointer,
                       struct jx_errors *errors)
{
	json_t *file;
	size_t i;

	if (json_array_size(files) > max) {
		jx_complain(errors, pointer, "at most %zu files", max);
		return;
	}
	json_array_foreach(files, i, file)
	{
		SCOPED_STR at = xasprintf("%s/%zu", pointer, i);
		struct wire_file *f = &r->files[r->file_count++];

		read_file(f, file, at, errors);
		if (!f->name)
			jx_complain(errors, at, "needs a name");
	}
}

static void read_tests(struct request *r, json_t *tests, struct jx_errors *errors)
{
	r->count = json_array_size(tests);
	r->tests = xcalloc(r->count, sizeof(*r->tests));
	for (size_t i = 0; i < r->count; i++) {
		SCOPED_STR at = xasprintf("/tests/%zu", i);
		struct planned *t = &r->tests[i];

		*t = (struct planned){.rep = 1, .time_limit_s = 60};
		if (!jx_read_wire(json_array_get(tests, i), ROWS(test_fields), t, at, errors))
			continue;
		SCOPED_STR argv_at = xasprintf("%s/argv", at);

		(void)jx_strings(t->argv, 4096, argv_at, errors);
		if (!jx_name_valid(t->name))
			jx_complain(errors, at, "name: letters, digits and ._+- (no sign first)");
		/* Plans are numbered in order, so a doubled id is one that does not grow. */
		if (i > 0 && t->id <= r->tests[i - 1].id)
			jx_complain(errors, at, "id: must be greater than the one before");
	}
}

static void read_all(struct request *r, struct jx_errors *errors)
{
	struct top top = {.purpose = "test"};

	if (!jx_read_wire(r->doc, ROWS(top_fields), &top, "", errors) ||
	    !jx_read_wire(r->doc, ROWS(request_fields), r, "", errors))
		return;
	read_build(r, top.build, errors);
	read_file(&r->files[0], top.agent, "/agent", errors);
	r->files[0].name = "agent";
	r->file_count = 1;
	read_files(r, json_object_get(top.suite, "files"), REQUEST_FILES_MAX, "/suite/files",
	           errors);
	read_files(r, top.inputs, REQUEST_INPUTS_MAX, "/inputs", errors);
	r->builds = strcmp(top.purpose, "build") == 0;
	if (!r->builds && strcmp(top.purpose, "test") != 0)
		jx_complain(errors, "/purpose", "must be test or build");
	read_tests(r, top.tests, errors);
	if (top.limits)
		(void)jx_read_wire(top.limits, ROWS(limit_fields), r, "/limits", errors);
}

int request_parse(struct request *r, json_t *doc, struct err *err)
{
	struct jx_errors errors = {0};
	int rc;

	*r = (struct request){
		.doc = json_incref(doc),
		.cmdline = "",
		.build_name = "",
		.boot_s = 180,
		.run_s = 3600,
		.memory_mib = 64,
		.output_bytes = 1 << 20,
	};
	read_all(r, &errors);
	rc = jx_errors_to_err(&errors, err);
	jx_errors_release(&errors);
	if (rc < 0)
		request_release(r);
	return rc;
}

int request_load(struct request *r, const char *path, struct err *err)
{
	SCOPED_JSON doc = jx_load(path, REQUEST_CAP, err);

	if (!doc)
		return -1;
	if (request_parse(r, doc, err) < 0)
		return err_context(err, "%s", path);
	return 0;
}

void request_release(struct request *r)
{
	free(r->tests);
	json_decref(r->doc);
	*r = (struct request){0};
}

ptrdiff_t request_find(const struct request *r, int64_t id)
{
	size_t low = 0, high = r->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (r->tests[mid].id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return low < r->count && r->tests[low].id == id ? (ptrdiff_t)low : -1;
}

static const struct wire_file *file_named(const struct request *r, const char *name)
{
	for (size_t i = 1; i < r->file_count; i++)
		if (strcmp(r->files[i].name, name) == 0)
			return &r->files[i];
	return NULL;
}

/* What of a step's argv is a reference: its name, or NULL. */
static const char *behind(const char *word, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(word, prefix, len) == 0 ? word + len : NULL;
}

/* The word as the board is to see it, or NULL when it names nothing. The caller frees. */
static char *word_on_board(const struct request *r, const struct board_file *board,
                           const char *word, bool program)
{
	const char *file = r->builds ? behind(word, "file:") : NULL;
	const char *tree = r->builds ? behind(word, "tree:") : NULL;
	const struct wire_file *f = file || program ? file_named(r, file ? file : word) : NULL;

	if (f)
		return xasprintf("%s/files/%s", board->root, f->sha256);
	if (file)
		return NULL;
	if (tree && !board_file_tree(board, tree))
		return NULL;
	return xstrdup(tree ? board_file_tree(board, tree) : word);
}

int request_fits(const struct request *r, const struct board_file *board, struct err *err)
{
	json_t *word;
	size_t k;

	if (r->builds != (board->kind == BOARD_BUILDER))
		return err_set(err, ERR_INVALID, "the board is of kind %s: it does not %s",
		               board_kind_name(board->kind), r->builds ? "build" : "test");
	for (size_t i = 0; i < r->count; i++) {
		json_array_foreach(r->tests[i].argv, k, word)
		{
			SCOPED_STR there = word_on_board(r, board, json_string_value(word), k == 0);

			if (!there)
				return err_set(err, ERR_INVALID,
				               "%s: the board has no %s (docs/BOARDFILE.md)",
				               r->tests[i].name, json_string_value(word));
		}
	}
	return 0;
}

static json_t *argv_on_board(const struct request *r, const struct board_file *board, json_t *argv)
{
	json_t *copy = json_array(), *word;
	size_t i;

	json_array_foreach(argv, i, word)
	{
		SCOPED_STR there = word_on_board(r, board, json_string_value(word), i == 0);

		(void)json_array_append_new(copy,
		                            json_string(there ? there : json_string_value(word)));
	}
	return copy;
}

static void set_if(json_t *doc, const char *key, int64_t value)
{
	if (value)
		(void)json_object_set_new(doc, key, json_integer((json_int_t)value));
}

json_t *request_for_leg(const struct request *r, const struct request_leg *leg)
{
	const struct board_file *board = leg->board;
	json_t *tests = json_array(), *doc;

	for (size_t i = 0; i < r->count; i++) {
		const struct planned *t = &r->tests[i];

		if (leg->skip(leg->arg, i))
			continue;
		(void)json_array_append_new(
			tests, json_pack("{s:I, s:s, s:I, s:o, s:I, s:s*}", "id", (json_int_t)t->id,
		                         "name", t->name, "rep", (json_int_t)t->rep, "argv",
		                         argv_on_board(r, board, t->argv), "time_limit_s",
		                         (json_int_t)t->time_limit_s, "output", t->output));
	}
	doc = json_pack("{s:i, s:I, s:I, s:I, s:I, s:b, s:{s:I, s:I}, s:s*, s:o}", "v", 1, "run",
	                (json_int_t)r->run, "attempt", (json_int_t)r->attempt, "leg",
	                (json_int_t)leg->leg, "fence", (json_int_t)r->fence, "stop_on_oops",
	                leg->stop_on_oops, "limits", "memory_mib", (json_int_t)r->memory_mib,
	                "output_bytes", (json_int_t)r->output_bytes, "device", board->device,
	                "tests", tests);
	set_if(doc, "make_jobs", board->make_jobs);
	set_if(doc, "bench_ms", board->bench_ms);
	set_if(doc, "iterations", r->iterations);
	return doc;
}
