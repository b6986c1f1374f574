#include "server/daemon/plan/git_plan.h"

#include "common/jx.h"
#include "common/scoped.h"
#include "server/daemon/plan/plan.h"
#include "server/daemon/suite.h"

#include <string.h>

#define TREE_WORD "tree:" /* in a step's argv: the tree's name goes behind it */

json_t *git_plan_argv(const struct suite_test *test, const char *tree)
{
	json_t *argv = json_array(), *word;
	size_t i;

	json_array_foreach(test->argv, i, word)
	{
		if (strcmp(json_string_value(word), TREE_WORD) == 0)
			(void)json_array_append_new(argv, json_sprintf(TREE_WORD "%s", tree));
		else
			(void)json_array_append(argv, word);
	}
	return argv;
}

char *git_plan_text(const struct suites *suites, const char *step, json_t *question)
{
	const struct suite *suite = suite_find(suites, PLAN_GIT_SUITE);
	const char *tree = json_string_value(json_object_get(question, "tree"));
	const struct suite_test *test = NULL;
	SCOPED_JSON text = NULL;

	for (size_t i = 0; suite && i < suite->tests_count; i++)
		if (strcmp(suite->tests[i].name, step) == 0)
			test = &suite->tests[i];
	if (!test || !tree)
		return NULL;
	text = json_pack("{s:s, s:s, s:[{s:i, s:s, s:i, s:s, s:I, s:o}], s:{s:i, s:I}, s:O}",
	                 "suite", suite->name, "version", suite->version, "tests", "id", 0, "name",
	                 test->name, "rep", 1, "kind", test->kind, "time_limit_s",
	                 (json_int_t)test->time_limit_s, "argv", git_plan_argv(test, tree),
	                 "limits", "boot_s", 3600, "run_s", (json_int_t)test->time_limit_s + 60,
	                 "question", question);
	return jx_text(text);
}
