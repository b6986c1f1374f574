/* git_plan.h - the text of a run that asks a builder's repository something: one step of the suite `git`. Pure. */
#pragma once
#include <jansson.h>

struct suite_test;
struct suites;

/* step: "resolve" or "range"; question: what it gets as question.json. NULL when there is no such suite or step; the caller
 * frees. */
char *git_plan_text(const struct suites *suites, const char *step, json_t *question);

/* A step's argv, where `tree:` has the name of the tree behind it. */
json_t *git_plan_argv(const struct suite_test *test, const char *tree);
