#include "server/daemon/plan/plan.h"

#include "common/jx.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/plan/glob.h"
#include "server/daemon/plan/maker.h"
#include "server/daemon/plan/slots.h"
#include "server/daemon/recipe/kernels.h"
#include "server/daemon/suite.h"

#include <string.h>

/* --- tests --- */

/* Mark the suite's tests that the i-th glob takes. */
static void take_tests(struct maker *m, size_t i, const char *glob, bool *taken)
{
	const struct suite *suite = m->plan->suite;
	SCOPED_STR at = xasprintf("/tests/%zu", i);
	bool any = false;

	for (size_t k = 0; k < suite->tests_count; k++) {
		if (!glob_match(glob, suite->tests[k].name))
			continue;
		taken[k] = true;
		any = true;
	}
	if (!any)
		jx_complain(m->errors, at, "suite '%s' has no test '%s'", suite->name, glob);
}

/* Repetitions are rounds over all tests, so that each test has been run once as early as possible. */
static json_t *plan_tests(const struct maker *m, const bool *taken)
{
	const struct suite *suite = m->plan->suite;
	json_t *tests = json_array();
	json_int_t id = 0;

	for (int64_t rep = 1; rep <= m->s->repetitions; rep++) {
		for (size_t k = 0; k < suite->tests_count; k++) {
			const struct suite_test *t = &suite->tests[k];
			bool ktap = strcmp(t->output, "ktap") == 0;

			if (!taken[k])
				continue;
			(void)json_array_append_new(
				tests,
				json_pack("{s:I, s:s, s:I, s:s, s:I, s:O, s:s*}", "id", id, "name",
			                  t->name, "rep", (json_int_t)rep, "kind", t->kind,
			                  "time_limit_s", (json_int_t)t->time_limit_s, "argv",
			                  t->argv, "output", ktap ? t->output : NULL));
			id++;
		}
	}
	return tests;
}

static void choose_tests(struct maker *m)
{
	const struct suite *suite = m->plan->suite;
	SCOPED_MEM mem = xcalloc(suite->tests_count + 1, sizeof(bool));
	bool *taken = mem;
	SCOPED_JSON text = NULL;
	json_t *glob;
	size_t i;

	json_array_foreach(m->s->tests, i, glob)
	{
		take_tests(m, i, json_string_value(glob), taken);
	}
	for (i = 0; i < suite->tests_count; i++) {
		taken[i] |= json_array_size(m->s->tests) == 0;
		if (taken[i])
			(void)json_array_append_new(m->plan->tests,
			                            json_string(suite->tests[i].name));
	}
	m->plan->planned = json_array_size(m->plan->tests) * (size_t)m->s->repetitions;
	if (m->plan->planned > PLAN_RUN_TESTS) {
		jx_complain(m->errors, "/repetitions",
		            "%zu tests x %lld repetitions: a run has at most %d tests",
		            json_array_size(m->plan->tests), (long long)m->s->repetitions,
		            PLAN_RUN_TESTS);
		return;
	}
	text = json_pack("{s:s, s:s, s:o, s:{s:I, s:I}}", "suite", suite->name, "version",
	                 suite->version, "tests", plan_tests(m, taken), "limits", "boot_s",
	                 (json_int_t)m->s->boot_s, "run_s", (json_int_t)m->s->run_s);
	if (m->s->iterations)
		(void)json_object_set_new(text, "iterations", json_integer(m->s->iterations));
	m->plan->text = jx_text(text);
}

static void choose_suite(struct maker *m)
{
	if (!m->s->suite)
		return;
	m->plan->suite = suite_find(m->world->suites, m->s->suite);
	if (!m->plan->suite)
		jx_complain(m->errors, "/suite", "no such suite '%s'", m->s->suite);
	else if (strcmp(m->s->suite, PLAN_BUILD_SUITE) == 0 ||
	         strcmp(m->s->suite, PLAN_GIT_SUITE) == 0)
		jx_complain(m->errors, "/suite", "'%s' is for builders and tests no kernel",
		            m->s->suite);
	else
		choose_tests(m);
}

/* --- builds --- */

/* The build, or NULL: then check_builds() has complained. */
static const struct plan_build *find_build(const struct maker *m, const json_t *ref)
{
	if (!json_is_string(ref) && json_integer_value(ref) < 1)
		return NULL;
	return m->world->build(m->world->arg, ref);
}

static void check_builds_at(struct maker *m, json_t *builds, const char *base)
{
	json_t *ref;
	size_t i;

	json_array_foreach(builds, i, ref)
	{
		SCOPED_STR at = xasprintf("%s/%zu", base, i);

		const struct plan_build *build = find_build(m, ref);

		if (build && build->failed)
			jx_complain(m->errors, at, "build '%s' could not be made", build->name);
		if (build)
			continue;
		if (json_is_string(ref))
			jx_complain(m->errors, at, "no such build '%s'", json_string_value(ref));
		else if (json_integer_value(ref) > 0)
			jx_complain(m->errors, at, "no such build %lld",
			            (long long)json_integer_value(ref));
	}
}

static void check_builds(struct maker *m)
{
	const char *class;
	json_t *builds;

	check_builds_at(m, m->s->builds, "/builds");
	json_object_foreach(m->s->builds_by_cache, class, builds)
	{
		SCOPED_STR at = xasprintf("/builds_by_cache/%.64s", class);

		check_builds_at(m, builds, at);
	}
}

bool plan_arch_fits(const char *build, const char *board)
{
	bool arm = strcmp(build, "arm") == 0 || strcmp(build, "armel") == 0 ||
	           strcmp(build, "armhf") == 0;

	return strcmp(build, board) == 0 || (arm && strcmp(board, "armel") == 0) ||
	       (strcmp(build, "x86_64") == 0 && strcmp(board, "x86-64") == 0);
}

/* Can the boards of the slot boot this build? One complaint does, for the first that cannot. */
static void check_boots(struct maker *m, const struct slot *slot, const struct plan_build *build,
                        const char *pointer)
{
	for (size_t i = 0; i < slot->count && !build->failed; i++) {
		const struct plan_board *board = slot->boards[i];

		if (board->needs_kernel && !build->kernel && !build->pending) {
			jx_complain(m->errors, pointer,
			            "build '%s' has no kernel, and board '%s' boots one",
			            build->name, board->name);
			return;
		}
		if (build->files && !plan_arch_fits(build->arch, board->arch)) {
			jx_complain(m->errors, pointer,
			            "build '%s' is for %s, and board '%s' is %s", build->name,
			            build->arch, board->name, board->arch);
			return;
		}
	}
}

/* The builds of a slot's class, with the pointer to them: NULL when the class has none. */
static json_t *builds_of(const struct maker *m, const struct slot *slot, char **pointer)
{
	if (m->s->builds) {
		*pointer = xstrdup("/builds");
		return m->s->builds;
	}
	*pointer = xasprintf("/builds_by_cache/%s", slot->cache);
	return json_object_get(m->s->builds_by_cache, slot->cache);
}

struct plan_run *plan_add_run(struct plan *plan, const struct slot *slot, size_t column,
                              size_t round)
{
	struct plan_run *run = &plan->runs[plan->runs_count++];

	run->column = column;
	run->round = round;
	run->cache = slot->cache;
	run->kind = slot->kind;
	run->boards = json_array();
	for (size_t i = 0; i < slot->count; i++)
		(void)json_array_append_new(run->boards, json_string(slot->boards[i]->name));
	return run;
}

/* A round of a slot. The first one is where complaints are made. */
static void plan_slot(struct maker *m, const struct slot *slot, size_t round)
{
	SCOPED_STR base = NULL;
	json_t *builds = builds_of(m, slot, &base), *ref;
	size_t column;

	if (!builds && m->s->builds_by_cache && round == 1)
		jx_complain(m->errors, "/builds_by_cache",
		            "no builds for class %s, which board '%s' has", slot->cache,
		            slot->boards[0]->name);
	json_array_foreach(builds, column, ref)
	{
		SCOPED_STR at = xasprintf("%s/%zu", base, column);
		const struct plan_build *build = find_build(m, ref);

		if (!build || column >= SUBMISSION_COLUMNS)
			continue;
		if (round == 1)
			check_boots(m, slot, build, at);
		plan_add_run(m->plan, slot, column, round)->build = build;
	}
}

/* A class that is named and not run would look tested. */
static void check_classes_run(struct maker *m, const struct slots *slots)
{
	const char *class;
	json_t *builds;

	json_object_foreach(m->s->builds_by_cache, class, builds)
	{
		SCOPED_STR at = xasprintf("/builds_by_cache/%.64s", class);
		size_t i = 0;

		while (i < slots->count && strcmp(slots->list[i].cache, class) != 0)
			i++;
		if (i == slots->count)
			jx_complain(m->errors, at, "the selector matches no board of this class");
	}
}

/* --- the whole --- */

static bool has_program(const struct suite *suite, const char *name, const char *arch)
{
	bool known = false;

	for (size_t i = 0; i < suite->programs_count; i++) {
		if (strcmp(suite->programs[i].name, name) != 0)
			continue;
		known = true;
		if (strcmp(suite->programs[i].arch, arch) == 0)
			return true;
	}
	return !known; /* not a program of the suite: the board's own */
}

static void check_programs(struct maker *m, const struct slot *slot)
{
	const struct suite *suite = m->plan->suite;

	for (size_t i = 0; i < slot->count; i++) {
		for (size_t k = 0; k < suite->tests_count; k++) {
			const char *program =
				json_string_value(json_array_get(suite->tests[k].argv, 0));

			if (has_program(suite, program, slot->boards[i]->arch))
				continue;
			jx_complain(m->errors, "/suite",
			            "'%s' has no program '%s' for %s, which board '%s' runs",
			            suite->name, program, slot->boards[i]->arch,
			            slot->boards[i]->name);
			return;
		}
	}
}

/* Labels that nobody gave: the name of the column's build, or the names of its builds by class. A build that is there
 * twice gets its column's number. */
static void default_label(struct plan *plan, size_t column)
{
	SCOPED_STR label = xstrdup("");
	json_t *old;
	size_t i;

	for (i = 0; i < plan->runs_count; i++) {
		const struct plan_run *run = &plan->runs[i];
		char *longer;

		if (run->column != column || strstr(label, run->build->name))
			continue;
		longer = xasprintf("%s%s%s", label, *label ? "/" : "", run->build->name);
		free(label);
		label = longer;
	}
	json_array_foreach(plan->labels, i, old)
	{
		if (strcmp(json_string_value(old), label) == 0) {
			char *longer = xasprintf("%s #%zu", label, column + 1);

			free(label);
			label = longer;
			break;
		}
	}
	(void)json_array_append_new(plan->labels, json_string(label));
}

static void plan_runs(struct maker *m, const struct slots *slots)
{
	struct plan *plan = m->plan;
	bool study = m->s->study.series;
	size_t columns = study ? m->columns_count : m->s->columns, round;
	size_t runs = slots->count * columns * (size_t)m->s->rounds;

	if (runs > PLAN_RUNS || runs * plan->planned > PLAN_RESULTS) {
		jx_complain(m->errors, "",
		            "%zu runs with %zu results each: a job has at most %d runs and %d "
		            "results",
		            runs, plan->planned, PLAN_RUNS, PLAN_RESULTS);
		return;
	}
	/* By classes, a wrong class may have more columns than the others. */
	if (!study && m->s->builds_by_cache)
		columns = SUBMISSION_COLUMNS;
	plan->runs =
		xcalloc(slots->count * columns * (size_t)m->s->rounds + 1, sizeof(*plan->runs));
	for (size_t i = 0; i < slots->count && plan->suite; i++)
		check_programs(m, &slots->list[i]);
	/* Round by round: drift and a sick board then show in each column. */
	for (round = 1; round <= (size_t)m->s->rounds; round++)
		for (size_t i = 0; i < slots->count; i++)
			(study ? study_slot : plan_slot)(m, &slots->list[i], round);
	check_classes_run(m, slots);
	for (size_t i = 0; i < m->s->columns && !m->s->labels; i++)
		default_label(plan, i);
}

/* What later rounds are made from. */
static void note_study(struct maker *m)
{
	SCOPED_JSON until = NULL;
	SCOPED_JSON study = NULL;

	if (!m->s->decided && !m->s->study.series && m->s->rounds == 1)
		return;
	until = m->s->decided ? json_pack("{s:b, s:I}", "decided", 1, "max_rounds",
	                                  (json_int_t)m->s->max_rounds)
	                      : json_null();
	study = json_pack("{s:I, s:O, s:I}", "rounds", (json_int_t)m->s->rounds, "until", until,
	                  "ttl_s", (json_int_t)m->s->ttl_s);
	if (m->s->study.series)
		(void)json_object_update_new(study, json_pack("{s:s, s:{s:s?, s:s?}}", "flavour",
		                                              m->s->study.flavour, "base", "tree",
		                                              m->tree, "commit", m->commit));
	m->plan->study = jx_text(study);
}

struct plan *plan_make(const struct submission *s, const struct plan_world *world,
                       struct jx_errors *errors)
{
	struct plan *plan = xcalloc(1, sizeof(*plan));
	struct maker m = {
		.plan = plan, .s = s, .world = world, .errors = errors, .base_at = "/base"};
	struct slots slots = {0};

	plan->submission = *s;
	plan->labels = s->labels ? json_incref(s->labels) : json_array();
	plan->tests = json_array();
	plan->columns = json_array();
	choose_suite(&m);
	check_builds(&m);
	if (s->study.series)
		study_begin(&m);
	slots_match(&slots, s, world, errors);
	if (slots.count > 0)
		plan_runs(&m, &slots);
	slots_release(&slots);
	if (s->study.series)
		study_end(&m);
	note_study(&m);
	if (jx_ok(errors))
		return plan;
	plan_free(plan);
	return NULL;
}

void plan_free(struct plan *plan)
{
	if (!plan)
		return;
	for (size_t i = 0; i < plan->runs_count; i++)
		json_decref(plan->runs[i].boards);
	for (size_t i = 0; i < plan->recipes_count; i++) {
		recipe_release(&plan->recipes[i].recipe);
		free(plan->recipes[i].name);
	}
	free(plan->recipes);
	json_decref(plan->builders);
	json_decref(plan->columns);
	free(plan->build_text);
	free(plan->ask_text);
	free(plan->tree);
	free(plan->study);
	free(plan->runs);
	free(plan->text);
	json_decref(plan->labels);
	json_decref(plan->tests);
	free(plan);
}

/* The kernel of a run: one that is there, or one that is to be made. */
static json_t *preview_build(const struct plan *plan, const struct plan_run *r)
{
	if (r->build)
		return json_pack("{s:I, s:s, s:s?}", "id", (json_int_t)r->build->id, "name",
		                 r->build->name, "release", r->build->release);
	return json_pack("{s:n, s:s, s:n}", "id", "name", plan->recipes[r->recipe].name, "release");
}

json_t *plan_preview(const struct plan *plan)
{
	json_t *runs = json_array(), *builds = json_array();

	for (size_t i = 0; i < plan->recipes_count; i++) {
		const struct plan_recipe *r = &plan->recipes[i];

		(void)json_array_append_new(
			builds, json_pack("{s:s, s:s?, s:I, s:s, s:O}", "name", r->name, "recipe",
		                          r->unresolved ? NULL : r->recipe.sha256, "column",
		                          (json_int_t)r->column, "flavour", r->flavour->name,
		                          "builders", plan->builders));
	}
	for (size_t i = 0; i < plan->runs_count; i++) {
		const struct plan_run *r = &plan->runs[i];

		(void)json_array_append_new(
			runs,
			json_pack("{s:I, s:o, s:s, s:s, s:O, s:I, s:I}", "column",
		                  (json_int_t)r->column, "build", preview_build(plan, r), "cache",
		                  r->cache, "kind", r->kind, "boards", r->boards, "tests",
		                  (json_int_t)plan->planned, "round", (json_int_t)r->round));
	}
	return json_pack("{s:b, s:O, s:o, s:o}", "valid", 1, "labels", plan->labels, "builds",
	                 builds, "runs", runs);
}
