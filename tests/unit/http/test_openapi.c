/* openapi.json and the route tables say the same, both ways. */
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/http/request.h"
#include "server/daemon/http/routes.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

extern const char http_openapi[];

static json_t *doc;

static int load(void **state)
{
	json_error_t where;

	(void)state;
	doc = json_loads(http_openapi, JSON_REJECT_DUPLICATES, &where);
	if (!doc)
		fail_msg("line %d: %s", where.line, where.text);
	return 0;
}

static int unload(void **state)
{
	(void)state;
	json_decref(doc);
	return 0;
}

/* The object that value is or refers to. */
static json_t *resolve(json_t *value)
{
	const char *at = json_string_value(json_object_get(value, "$ref"));
	json_t *found = doc;

	if (!at)
		return value;
	assert_int_equal(strncmp(at, "#/", 2), 0);
	at += 2;
	while (*at) {
		SCOPED_STR name = xstrndup(at, strcspn(at, "/"));

		found = json_object_get(found, name);
		at += strlen(name) + (at[strlen(name)] == '/');
	}
	if (!found)
		fail_msg("%s: there is no such thing",
		         json_string_value(json_object_get(value, "$ref")));
	return found;
}

static json_t *operation_of(const struct http_route *route)
{
	char method[16] = "";
	json_t *path = json_object_get(json_object_get(doc, "paths"), route->pattern);

	for (size_t i = 0; route->method[i] && i < sizeof(method) - 1; i++)
		method[i] = (char)tolower((unsigned char)route->method[i]);
	return json_object_get(path, method);
}

static void same_text(const struct http_route *route, json_t *operation, const char *member,
                      const char *want)
{
	const char *got = json_string_value(json_object_get(operation, member));

	if (!got || strcmp(got, want) != 0)
		fail_msg("%s %s: %s is \"%s\", the table says \"%s\"", route->method,
		         route->pattern, member, got ? got : "(none)", want);
}

static size_t words(const char *list)
{
	size_t n = 0;

	for (; list && *list; n++) {
		list += strcspn(list, " ");
		list += *list == ' ';
	}
	return n;
}

/* Query parameters are those of the row, path parameters those of the pattern, a POST has Idempotency-Key. */
static void same_parameters(const struct http_route *route, json_t *operation)
{
	size_t i, queries = 0, keys = 0;
	json_t *one;

	json_array_foreach(json_object_get(operation, "parameters"), i, one)
	{
		json_t *parameter = resolve(one);
		const char *name = json_string_value(json_object_get(parameter, "name"));
		const char *in = json_string_value(json_object_get(parameter, "in"));
		SCOPED_STR braced = xasprintf("{%s}", name);

		assert_non_null(json_object_get(parameter, "schema"));
		if (strcmp(in, "path") == 0 && !strstr(route->pattern, braced))
			fail_msg("%s has no %s", route->pattern, braced);
		if (strcmp(in, "query") == 0 && !word_in(route->query, name))
			fail_msg("%s %s knows no ?%s=", route->method, route->pattern, name);
		queries += strcmp(in, "query") == 0;
		keys += strcmp(name, "Idempotency-Key") == 0;
	}
	if (queries != words(route->query))
		fail_msg("%s %s: %zu query parameters are described of \"%s\"", route->method,
		         route->pattern, queries, route->query);
	assert_int_equal(keys, strcmp(route->method, "POST") == 0);
}

static void same_body(const struct http_route *route, json_t *operation)
{
	json_t *body = json_object_get(operation, "requestBody");
	json_t *content = json_object_get(body, "content");
	bool required = json_is_true(json_object_get(body, "required"));
	bool json = json_object_get(content, "application/json") != NULL;

	if (required != ((route->flags & (HTTP_JSON | HTTP_RAW)) != 0))
		fail_msg("%s %s: a body is%s described", route->method, route->pattern,
		         required ? "" : " not");
	if (required && json != ((route->flags & HTTP_JSON) != 0))
		fail_msg("%s %s: another type of body", route->method, route->pattern);
}

/* Writing always needs a token; reading has the choice of none; public things have no security at all. */
static void same_security(const struct http_route *route, json_t *operation)
{
	json_t *security = json_object_get(operation, "security");
	size_t want = route->flags & HTTP_PUBLIC ? 0 : strcmp(route->method, "GET") == 0 ? 2 : 1;

	assert_true(json_is_array(security));
	if (json_array_size(security) != want)
		fail_msg("%s %s: security has %zu rows, not %zu", route->method, route->pattern,
		         json_array_size(security), want);
}

static size_t check_route(const struct http_route *route)
{
	json_t *operation = operation_of(route), *responses, *response;
	const char *status;

	if (!operation)
		fail_msg("%s %s is not described", route->method, route->pattern);
	same_text(route, operation, "operationId", route->operation);
	same_text(route, operation, "summary", route->summary);
	same_parameters(route, operation);
	same_body(route, operation);
	same_security(route, operation);
	responses = json_object_get(operation, "responses");
	assert_non_null(json_object_get(responses, "default"));
	assert_true(json_object_size(responses) >= 2);
	json_object_foreach(responses, status, response)
	{
		assert_non_null(json_object_get(resolve(response), "description"));
	}
	return 1;
}

static void routes_are_described(void **state)
{
	size_t routes = 0, described = 0;
	const char *pattern;
	json_t *path;

	(void)state;
	for (const struct http_route *const *table = http_routes; *table; table++)
		for (const struct http_route *row = *table; row->pattern; row++)
			routes += check_route(row);
	json_object_foreach(json_object_get(doc, "paths"), pattern, path)
	{
		described += json_object_size(path);
	}
	assert_int_equal(routes, described);
}

/* A row that its flags contradict would fail only when someone asks. */
static void rows_are_sound(void **state)
{
	(void)state;
	for (const struct http_route *const *table = http_routes; *table; table++)
		for (const struct http_route *row = *table; row->pattern; row++) {
			bool reads = strcmp(row->method, "GET") == 0;

			if (!row->handle || (row->flags & HTTP_READ && row->flags & HTTP_WRITE) ||
			    (reads && row->flags & (HTTP_WRITE | HTTP_JSON | HTTP_RAW)) ||
			    (!reads && row->flags & HTTP_PUBLIC) ||
			    ((row->flags & HTTP_RAW) != 0) != (row->upload && row->piece))
				fail_msg("%s %s", row->method, row->pattern);
		}
}

/* Each reference leads somewhere. */
static void references(json_t *value)
{
	const char *key;
	json_t *one;
	size_t i;

	assert_non_null(resolve(value));
	json_array_foreach(value, i, one)
	{
		references(one);
	}
	json_object_foreach(value, key, one)
	{
		references(one);
	}
}

static void references_resolve(void **state)
{
	(void)state;
	references(doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(routes_are_described),
		cmocka_unit_test(rows_are_sound),
		cmocka_unit_test(references_resolve),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
