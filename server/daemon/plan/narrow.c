/* The text of a run, narrowed to what a later round still asks. */
#include "common/jx.h"
#include "common/scoped.h"
#include "server/daemon/plan/plan.h"

#include <string.h>

static bool named(const json_t *names, const json_t *test)
{
	const json_t *name = json_object_get(test, "name"), *item;
	size_t i;

	json_array_foreach(names, i, item)
	{
		if (json_equal(item, name))
			return true;
	}
	return false;
}

char *plan_narrow(const char *text, const json_t *names, size_t *planned)
{
	SCOPED_JSON plan = json_loads(text, 0, NULL);
	json_t *tests = json_object_get(plan, "tests"), *left = json_array(), *test;
	size_t i;

	json_array_foreach(tests, i, test)
	{
		if (!named(names, test))
			continue;
		(void)json_object_set_new(test, "id",
		                          json_integer((json_int_t)json_array_size(left)));
		(void)json_array_append(left, test);
	}
	*planned = json_array_size(left);
	if (*planned == 0) {
		json_decref(left);
		return NULL;
	}
	(void)json_object_set_new(plan, "tests", left);
	return jx_text(plan);
}
