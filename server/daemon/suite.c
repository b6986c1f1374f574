#include "server/daemon/suite.h"

#include "common/cacheclass.h"
#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/xalloc.h"

#include <dirent.h>
#include <string.h>

#define SUITE_FILE_MAX ((size_t)8 * 1024 * 1024)

struct loaded {
	struct suite suite; /* its strings and arrays are borrowed from doc and paths */
	json_t *doc;        /* owned */
	json_t *none;       /* owned: the empty array of tests that name no classes or cells */
	char **paths;       /* owned, one a program */
};

struct suites {
	struct loaded *list; /* by name */
	size_t count;
};

static void loaded_release(struct loaded *l)
{
	for (size_t i = 0; i < l->suite.programs_count; i++)
		free(l->paths[i]);
	free((void *)l->paths);
	free(l->suite.programs);
	free(l->suite.tests);
	free(l->suite.known);
	json_decref(l->doc);
	json_decref(l->none);
	(void)memset(l, 0, sizeof(*l));
}

/* --- programs --- */

static bool program_known(const struct suite *s, const struct suite_program *program)
{
	for (size_t i = 0; i < s->programs_count; i++)
		if (strcmp(s->programs[i].name, program->name) == 0 &&
		    strcmp(s->programs[i].arch, program->arch) == 0)
			return true;
	return false;
}

/* Read the program at pointer into the suite; its path is relative to the suite file. */
static void read_program(struct loaded *l, json_t *item, const char *dir, const char *pointer,
                         struct jx_errors *errors)
{
	static const struct jx_field fields[] = {
		{"name", JX_STRING, true, 1, 64, offsetof(struct suite_program, name)},
		{"arch", JX_STRING, true, 1, 32, offsetof(struct suite_program, arch)},
		{"path", JX_STRING, true, 1, 4000, offsetof(struct suite_program, path)},
	};
	struct suite_program program = {0};
	struct suite *s = &l->suite;
	struct err err;
	char *path;

	if (!jx_read(item, fields, sizeof(fields) / sizeof(*fields), &program, pointer, errors))
		return;
	if (!jx_name_valid(program.name)) {
		jx_complain(errors, pointer, "'%s' is no name", program.name);
		return;
	}
	if (strcmp(program.arch, "armel") != 0 && strcmp(program.arch, "x86-64") != 0) {
		jx_complain(errors, pointer, "arch '%s': it is armel or x86-64", program.arch);
		return;
	}
	if (program_known(s, &program)) {
		jx_complain(errors, pointer, "'%s' for %s is there twice", program.name,
		            program.arch);
		return;
	}
	path = program.path[0] == '/' ? xstrdup(program.path)
	                              : xasprintf("%s/%s", dir, program.path);
	if (sha256_file(path, program.sha256, &program.size, &err) < 0) {
		jx_complain(errors, pointer, "%s", err.text);
		free(path);
		return;
	}
	program.path = path;
	l->paths[s->programs_count] = path;
	s->programs[s->programs_count++] = program;
}

static void read_programs(struct loaded *l, json_t *programs, const char *dir,
                          struct jx_errors *errors)
{
	size_t i, count = json_array_size(programs);
	json_t *item;

	l->paths = xcalloc(count + 1, sizeof(*l->paths));
	l->suite.programs = xcalloc(count + 1, sizeof(*l->suite.programs));
	json_array_foreach(programs, i, item)
	{
		SCOPED_STR at = xasprintf("/programs/%zu", i);

		read_program(l, item, dir, at, errors);
	}
}

/* --- tests --- */

bool suite_kind_valid(const char *kind)
{
	return strcmp(kind, "contract") == 0 || strcmp(kind, "gap") == 0 ||
	       strcmp(kind, "info") == 0;
}

static void check_caches(json_t *caches, const char *pointer, struct jx_errors *errors)
{
	json_t *item;
	size_t i;

	if (!jx_strings(caches, 32, pointer, errors))
		return;
	json_array_foreach(caches, i, item)
	{
		if (cache_class_parse(json_string_value(item)) == CACHE_UNKNOWN)
			jx_complain(errors, pointer, "no such cache class '%s'",
			            json_string_value(item));
	}
}

static void check_test(const struct suite *s, const struct suite_test *test, const char *pointer,
                       struct jx_errors *errors)
{
	SCOPED_STR argv = xasprintf("%s/argv", pointer);
	SCOPED_STR classes = xasprintf("%s/classes", pointer);
	SCOPED_STR cells = xasprintf("%s/cells", pointer);

	if (!jx_name_valid(test->name))
		jx_complain(errors, pointer, "'%s' is no name", test->name);
	for (size_t i = 0; i < s->tests_count; i++)
		if (strcmp(s->tests[i].name, test->name) == 0)
			jx_complain(errors, pointer, "test '%s' is there twice", test->name);
	if (!suite_kind_valid(test->kind))
		jx_complain(errors, pointer, "kind '%s': it is contract, gap or info", test->kind);
	if (strcmp(test->output, "records") != 0 && strcmp(test->output, "ktap") != 0)
		jx_complain(errors, pointer, "output '%s': it is records or ktap", test->output);
	(void)jx_strings(test->argv, 4096, argv, errors);
	(void)jx_strings(test->cells, 128, cells, errors);
	check_caches(test->classes, classes, errors);
}

static void read_test(struct suite *s, json_t *item, json_t *none, const char *pointer,
                      struct jx_errors *errors)
{
	static const struct jx_field fields[] = {
		{"name", JX_STRING, true, 1, 64, offsetof(struct suite_test, name)},
		{"description", JX_STRING, false, 0, 2000,
	         offsetof(struct suite_test, description)},
		{"kind", JX_STRING, true, 1, 16, offsetof(struct suite_test, kind)},
		{"time_limit_s", JX_INT, false, 1, 3600, offsetof(struct suite_test, time_limit_s)},
		{"argv", JX_ARRAY, true, 1, 64, offsetof(struct suite_test, argv)},
		{"output", JX_STRING, false, 1, 16, offsetof(struct suite_test, output)},
		{"classes", JX_ARRAY, false, 0, 8, offsetof(struct suite_test, classes)},
		{"cells", JX_ARRAY, false, 0, 10000, offsetof(struct suite_test, cells)},
	};
	struct suite_test test = {.description = "",
	                          .time_limit_s = 60,
	                          .output = "records",
	                          .classes = none,
	                          .cells = none};

	if (!jx_read(item, fields, sizeof(fields) / sizeof(*fields), &test, pointer, errors))
		return;
	check_test(s, &test, pointer, errors);
	s->tests[s->tests_count++] = test;
}

static void read_tests(struct suite *s, json_t *tests, json_t *none, struct jx_errors *errors)
{
	json_t *item;
	size_t i;

	s->tests = xcalloc(json_array_size(tests) + 1, sizeof(*s->tests));
	json_array_foreach(tests, i, item)
	{
		SCOPED_STR at = xasprintf("/tests/%zu", i);

		read_test(s, item, none, at, errors);
	}
}

/* --- what is known to fail --- */

static bool has_test(const struct suite *s, const char *name)
{
	for (size_t i = 0; i < s->tests_count; i++)
		if (strcmp(s->tests[i].name, name) == 0)
			return true;
	return false;
}

static void read_known_one(struct suite *s, json_t *item, const char *pointer,
                           struct jx_errors *errors)
{
	static const struct jx_field fields[] = {
		{"test", JX_STRING, true, 1, 64, offsetof(struct suite_known, test)},
		{"cells", JX_ARRAY, true, 1, 1000, offsetof(struct suite_known, cells)},
		{"caches", JX_ARRAY, true, 1, 8, offsetof(struct suite_known, caches)},
		{"why", JX_STRING, true, 1, 2000, offsetof(struct suite_known, why)},
	};
	SCOPED_STR cells = xasprintf("%s/cells", pointer);
	SCOPED_STR caches = xasprintf("%s/caches", pointer);
	struct suite_known known = {0};

	if (!jx_read(item, fields, sizeof(fields) / sizeof(*fields), &known, pointer, errors))
		return;
	if (!has_test(s, known.test))
		jx_complain(errors, pointer, "the suite has no test '%s'", known.test);
	(void)jx_strings(known.cells, 128, cells, errors);
	check_caches(known.caches, caches, errors);
	s->known[s->known_count++] = known;
}

static void read_known(struct suite *s, json_t *list, struct jx_errors *errors)
{
	json_t *item;
	size_t i;

	s->known = xcalloc(json_array_size(list) + 1, sizeof(*s->known));
	json_array_foreach(list, i, item)
	{
		SCOPED_STR at = xasprintf("/known/%zu", i);

		read_known_one(s, item, at, errors);
	}
}

/* --- files --- */

struct suite_doc {
	const char *name, *version, *description, *notes;
	json_t *programs, *tests, *known;
};

/* The document of l->doc into l->suite; file is NAME.json, which makes names unique. */
static void read_suite(struct loaded *l, const char *dir, const char *file,
                       struct jx_errors *errors)
{
	static const struct jx_field fields[] = {
		{"name", JX_STRING, true, 1, 64, offsetof(struct suite_doc, name)},
		{"version", JX_STRING, true, 1, 128, offsetof(struct suite_doc, version)},
		{"description", JX_STRING, false, 0, 2000, offsetof(struct suite_doc, description)},
		{"notes", JX_STRING, false, 0, 10000, offsetof(struct suite_doc, notes)},
		{"programs", JX_ARRAY, false, 0, 64, offsetof(struct suite_doc, programs)},
		{"tests", JX_ARRAY, true, 1, 2000, offsetof(struct suite_doc, tests)},
		{"known", JX_ARRAY, false, 0, 1000, offsetof(struct suite_doc, known)},
	};
	struct suite_doc d = {.description = ""};

	(void)jx_read(l->doc, fields, sizeof(fields) / sizeof(*fields), &d, "", errors);
	if (d.name && (!jx_name_valid(d.name) || strlen(file) != strlen(d.name) + 5 ||
	               strncmp(file, d.name, strlen(d.name)) != 0))
		jx_complain(errors, "/name", "'%s' must be the name of the file without .json",
		            d.name);
	l->suite.name = d.name;
	l->suite.version = d.version;
	l->suite.description = d.description;
	read_programs(l, d.programs, dir, errors);
	read_tests(&l->suite, d.tests, l->none, errors);
	read_known(&l->suite, d.known, errors);
}

static int load_one(struct suites *suites, const char *dir, const char *file, struct err *err)
{
	SCOPED_STR path = xasprintf("%s/%s", dir, file);
	struct loaded *l = &suites->list[suites->count];
	struct jx_errors errors = {0};
	int rc;

	l->doc = jx_load(path, SUITE_FILE_MAX, err);
	if (!l->doc)
		return -1;
	l->none = json_array();
	suites->count++;
	read_suite(l, dir, file, &errors);
	rc = jx_errors_to_err(&errors, err);
	jx_errors_release(&errors);
	return rc < 0 ? err_context(err, "%s", path) : 0;
}

static int is_suite_file(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && len > 5 && strcmp(entry->d_name + len - 5, ".json") == 0;
}

static int by_name(const void *a, const void *b)
{
	const struct loaded *left = a, *right = b;

	return strcmp(left->suite.name, right->suite.name);
}

struct suites *suites_load(const char *dir, struct err *err)
{
	struct dirent **files = NULL;
	int n = scandir(dir, &files, is_suite_file, alphasort);
	struct suites *suites;
	int rc = 0;

	if (n < 0) {
		(void)err_errno(err, ERR_IO, "suites in %s", dir);
		return NULL;
	}
	suites = xcalloc(1, sizeof(*suites));
	suites->list = xcalloc((size_t)n + 1, sizeof(*suites->list));
	for (int i = 0; i < n; i++) {
		if (rc == 0)
			rc = load_one(suites, dir, files[i]->d_name, err);
		free(files[i]);
	}
	free((void *)files);
	if (rc < 0) {
		suites_free(suites);
		return NULL;
	}
	qsort(suites->list, suites->count, sizeof(*suites->list), by_name);
	return suites;
}

void suites_free(struct suites *suites)
{
	if (!suites)
		return;
	for (size_t i = 0; i < suites->count; i++)
		loaded_release(&suites->list[i]);
	free(suites->list);
	free(suites);
}

const struct suite *suite_at(const struct suites *suites, size_t i)
{
	return i < suites->count ? &suites->list[i].suite : NULL;
}

const struct suite *suite_find(const struct suites *suites, const char *name)
{
	for (size_t i = 0; i < suites->count; i++)
		if (strcmp(suites->list[i].suite.name, name) == 0)
			return &suites->list[i].suite;
	return NULL;
}
