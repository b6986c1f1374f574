#include "agent/request.h"

#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/xalloc.h"

#include <stdlib.h>
#include <string.h>

#define ID_MAX ((int64_t)1 << 53) /* any JSON reader keeps these exactly */

struct envelope {
	int64_t v;
	json_t *limits, *tests;
};

static const struct jx_field envelope_fields[] = {
	{"v", JX_INT, true, 1, 1, offsetof(struct envelope, v)},
	{"limits", JX_OBJECT, false, 0, 0, offsetof(struct envelope, limits)},
	{"tests", JX_ARRAY, true, 1, REQUEST_TESTS_MAX, offsetof(struct envelope, tests)},
};

static const struct jx_field request_fields[] = {
	{"run", JX_INT, true, 1, ID_MAX, offsetof(struct request, run)},
	{"attempt", JX_INT, true, 1, 1000000, offsetof(struct request, attempt)},
	{"leg", JX_INT, true, 1, 1000000, offsetof(struct request, leg)},
	{"fence", JX_INT, true, 0, ID_MAX, offsetof(struct request, fence)},
	{"stop_on_oops", JX_BOOL, false, 0, 0, offsetof(struct request, stop_on_oops)},
	{"device", JX_STRING, false, 1, 200, offsetof(struct request, device)},
	{"make_jobs", JX_INT, false, 1, 1024, offsetof(struct request, make_jobs)},
	{"bench_ms", JX_INT, false, 1, 60000, offsetof(struct request, bench_ms)},
	{"iterations", JX_INT, false, 1, 1000000, offsetof(struct request, iterations)},
};

static const struct jx_field limit_fields[] = {
	{"memory_mib", JX_INT, false, 1, 1 << 20, offsetof(struct request, memory_mib)},
	{"output_bytes", JX_INT, false, 1, 1 << 30, offsetof(struct request, output_bytes)},
};

static const struct jx_field test_fields[] = {
	{"id", JX_INT, true, 0, ID_MAX, offsetof(struct planned, id)},
	{"rep", JX_INT, false, 1, 1000000, offsetof(struct planned, rep)},
	{"time_limit_s", JX_INT, false, 1, 86400, offsetof(struct planned, time_limit_s)},
	{"name", JX_STRING, true, 1, 64, offsetof(struct planned, name)},
	{"argv", JX_ARRAY, true, 1, 256, offsetof(struct planned, argv)},
};

static const struct jx_field output_fields[] = {
	{"output", JX_STRING, false, 1, 16, 0}, /* into a text by itself */
};

#define ROWS(table) (table), sizeof(table) / sizeof(*(table))

static void read_output(struct planned *test, const char *output, const char *pointer,
                        struct jx_errors *errors)
{
	test->ktap = strcmp(output, "ktap") == 0;
	if (!test->ktap && strcmp(output, "records") != 0)
		jx_complain(errors, pointer, "output '%.16s': it is records or ktap", output);
}

static void read_test(struct planned *test, json_t *object, size_t at, struct jx_errors *errors)
{
	const char *output = "records";
	char pointer[32];

	(void)snprintf(pointer, sizeof(pointer), "/tests/%zu", at);
	*test = (struct planned){.rep = 1, .time_limit_s = 60};
	if (!jx_read_wire(object, ROWS(test_fields), test, pointer, errors) ||
	    !jx_read_wire(object, ROWS(output_fields), &output, pointer, errors))
		return;
	read_output(test, output, pointer, errors);
	if (!jx_name_valid(test->name)) {
		SCOPED_STR where = xasprintf("%s/name", pointer);

		jx_complain(errors, where, "must be letters, digits and ._+- (no sign first)");
	}
	SCOPED_STR where = xasprintf("%s/argv", pointer);

	(void)jx_strings(test->argv, 4096, where, errors);
}

static int by_id(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Results are kept by id, so an id must name one test. */
static void check_ids(const struct request *req, struct jx_errors *errors)
{
	SCOPED_MEM memory = xcalloc(req->count, sizeof(int64_t));
	int64_t *ids = memory;

	for (size_t i = 0; i < req->count; i++)
		ids[i] = req->tests[i].id;
	qsort(ids, req->count, sizeof(*ids), by_id);
	for (size_t i = 1; i < req->count; i++) {
		if (ids[i] != ids[i - 1])
			continue;
		jx_complain(errors, "/tests", "two tests have the id %lld", (long long)ids[i]);
		return;
	}
}

static void read_all(struct request *req, struct jx_errors *errors)
{
	struct envelope env = {0};

	(void)jx_read_wire(req->doc, ROWS(envelope_fields), &env, "", errors);
	if (!json_is_object(req->doc))
		return;
	(void)jx_read_wire(req->doc, ROWS(request_fields), req, "", errors);
	if (env.limits)
		(void)jx_read_wire(env.limits, ROWS(limit_fields), req, "/limits", errors);
	if (!env.tests)
		return;
	req->count = json_array_size(env.tests);
	req->tests = xcalloc(req->count, sizeof(*req->tests));
	for (size_t i = 0; i < req->count; i++)
		read_test(&req->tests[i], json_array_get(env.tests, i), i, errors);
	check_ids(req, errors);
}

int request_parse(struct request *req, const char *text, size_t len, struct err *err)
{
	struct jx_errors errors = {0};
	int rc;

	*req = (struct request){.memory_mib = 64, .output_bytes = 1 << 20};
	req->doc = jx_parse(text, len, REQUEST_MAX, err);
	if (!req->doc)
		return err_context(err, "request");
	read_all(req, &errors);
	rc = jx_errors_to_err(&errors, err);
	jx_errors_release(&errors);
	if (rc < 0) {
		request_release(req);
		return err_context(err, "request");
	}
	return 0;
}

void request_release(struct request *req)
{
	free(req->tests);
	json_decref(req->doc);
	*req = (struct request){0};
}

bool request_same(const struct request *a, const struct request *b)
{
	return json_equal(a->doc, b->doc) != 0;
}
