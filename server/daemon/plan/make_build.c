/* Kernels that a plan has made: recipes, and the runs of builders that follow them. */
#include "common/gitname.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/plan/git_plan.h"
#include "server/daemon/plan/maker.h"
#include "server/daemon/recipe/kernels.h"
#include "server/daemon/suite.h"

#include <string.h>

#define BUILD_RUN_S (6 * 3600) /* of make on a slow builder, from nothing */

/* --- who can make it --- */

static json_t *trees_of(const struct plan_board *board)
{
	return board->trees ? json_loads(board->trees, 0, NULL) : NULL;
}

/* Names of all trees: {"linux-6.1": true}. */
static json_t *all_trees(const struct plan_world *world)
{
	json_t *all = json_object();

	for (size_t i = 0; i < world->boards_count; i++) {
		SCOPED_JSON trees = trees_of(&world->boards[i]);
		const char *name;
		json_t *path;

		if (strcmp(world->boards[i].kind, PLAN_BUILDER) != 0)
			continue;
		json_object_foreach(trees, name, path)
		{
			(void)json_object_set_new(all, name, json_true());
		}
	}
	return all;
}

static void complain_about_tree(struct maker *m, json_t *all)
{
	SCOPED_STR pointer = xasprintf("%s/tree", m->base_at);
	char there[300] = "";
	size_t used = 0;
	const char *name;
	json_t *yes;

	json_object_foreach(all, name, yes)
	{
		int n = snprintf(there + used, sizeof(there) - used, " %s", name);

		if (n < 0 || (size_t)n >= sizeof(there) - used)
			break;
		used += (size_t)n;
	}
	if (!*there)
		jx_complain(m->errors, pointer, "the farm has no builder with a tree");
	else if (m->tree)
		jx_complain(m->errors, pointer, "no builder has a tree '%s'; there is:%s", m->tree,
		            there);
	else
		jx_complain(m->errors, pointer, "is required: builders have%s", there);
}

/* The only one, when nobody named it. */
static void choose_tree(struct maker *m, json_t *all)
{
	if (!m->tree && json_object_size(all) == 1)
		m->tree = m->plan->tree = xstrdup(json_object_iter_key(json_object_iter(all)));
}

/* Each step's program must be there for the builder. */
static bool has_programs(const struct suite *suite, const char *arch)
{
	for (size_t i = 0; i < suite->programs_count; i++)
		if (strcmp(suite->programs[i].arch, arch) == 0)
			return true;
	return suite->programs_count == 0;
}

static void choose_boards(struct maker *m, const struct suite *suite)
{
	for (size_t i = 0; i < m->world->boards_count; i++) {
		const struct plan_board *board = &m->world->boards[i];
		SCOPED_JSON trees = trees_of(board);

		if (strcmp(board->kind, PLAN_BUILDER) == 0 && m->tree &&
		    json_object_get(trees, m->tree) && (!suite || has_programs(suite, board->arch)))
			(void)json_array_append_new(m->plan->builders, json_string(board->name));
	}
}

/* --- what they do --- */

static void plan_steps(struct maker *m, const struct suite *suite)
{
	json_t *steps = json_array();
	SCOPED_JSON text = NULL;

	for (size_t i = 0; i < suite->tests_count; i++) {
		const struct suite_test *t = &suite->tests[i];

		(void)json_array_append_new(steps, json_pack("{s:I, s:s, s:i, s:s, s:I, s:o}", "id",
		                                             (json_int_t)i, "name", t->name, "rep",
		                                             1, "kind", t->kind, "time_limit_s",
		                                             (json_int_t)t->time_limit_s, "argv",
		                                             git_plan_argv(t, m->tree)));
	}
	text = json_pack("{s:s, s:s, s:o, s:{s:i, s:i}}", "suite", suite->name, "version",
	                 suite->version, "tests", steps, "limits", "boot_s", 3600, "run_s",
	                 BUILD_RUN_S);
	m->plan->build_text = jx_text(text);
	m->plan->build_planned = suite->tests_count;
}

/* The base has a name: what commit that is will be asked. */
static void plan_ask(struct maker *m)
{
	SCOPED_STR pointer = xasprintf("%s/commit", m->base_at);
	SCOPED_JSON question =
		json_pack("{s:i, s:s, s:s}", "v", 1, "tree", m->tree, "commit", m->commit);

	m->plan->ask_text = git_plan_text(m->world->suites, "resolve", question);
	if (!m->plan->ask_text)
		jx_complain(m->errors, pointer,
		            "must be a whole id: this farm has no suite '%s', which finds out what "
		            "a name is",
		            PLAN_GIT_SUITE);
}

void builders_choose(struct maker *m)
{
	const struct suite *suite = suite_find(m->world->suites, PLAN_BUILD_SUITE);
	SCOPED_JSON all = all_trees(m->world);

	m->plan->builders = json_array();
	if (!m->world->kernels)
		jx_complain(m->errors, "",
		            "this farm makes no kernels: cohortd runs without --kernels");
	else if (!suite)
		jx_complain(m->errors, "", "this farm makes no kernels: it has no suite '%s'",
		            PLAN_BUILD_SUITE);
	choose_tree(m, all);
	choose_boards(m, suite);
	if (json_array_size(m->plan->builders) == 0)
		complain_about_tree(m, all);
	else if (suite)
		plan_steps(m, suite);
	if (m->tree && m->commit && !git_id_valid(m->commit))
		plan_ask(m);
}

/* --- recipes --- */

/* Readable, and unique by the digits of the recipe; sha256 "": there is room for them behind it. */
static char *build_name(const struct maker *m, const struct column *c,
                        const struct flavour *flavour, const char *sha256)
{
	const char *what = m->series && c->revision ? m->series->name : m->tree;
	SCOPED_STR tail = xasprintf("-%.12s-%s%s%.*s", c->label, flavour->name, *sha256 ? "-" : "",
	                            RECIPE_DIGITS, sha256);
	int room = 64 - (int)strlen(tail) - (*sha256 ? 0 : RECIPE_DIGITS + 1);
	char *name = xasprintf("%.*s%s", room > 0 ? room : 0, what, tail);

	/* A name starts with a letter or digit; a tree's may hold what a build's may not. */
	for (char *p = name; *p; p++)
		if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-",
		            *p))
			*p = '_';
	return name;
}

/* The patches of the revision before, when this column is a whole revision. */
static const json_t *previous_of(const struct maker *m, const struct column *c)
{
	const json_t *previous = NULL;

	if (!c->revision || json_array_size(c->mails) < json_array_size(c->revision->patches))
		return NULL;
	for (size_t i = 0; i < m->series->count; i++)
		if (m->series->revisions[i].version < c->revision->version)
			previous = m->series->revisions[i].patches;
	return previous;
}

size_t recipe_want(struct maker *m, size_t column, const struct flavour *flavour)
{
	struct column *c = m->columns ? &m->columns[column] : NULL;
	struct plan *plan = m->plan;
	struct plan_recipe r = {.flavour = flavour, .column = column};
	struct recipe_base base = {.tree = m->tree, .commit = m->commit};

	if (!c)
		return 0; /* not so: who wants a recipe has columns */
	base.patches = c->mails;
	base.previous = previous_of(m, c);
	recipe_make(&r.recipe, &base, flavour);
	for (size_t i = 0; i < plan->recipes_count; i++)
		if (strcmp(plan->recipes[i].recipe.sha256, r.recipe.sha256) == 0) {
			recipe_release(&r.recipe);
			return i;
		}
	r.unresolved = plan->ask_text != NULL;
	r.name = build_name(m, c, flavour, r.unresolved ? "" : r.recipe.sha256);
	r.series = m->series && c->revision ? m->series->name : NULL;
	r.label = c->revision ? c->revision->label : NULL;
	r.revision = c->revision ? c->revision->id : 0;
	plan->recipes = xrealloc(plan->recipes, (plan->recipes_count + 1) * sizeof(*plan->recipes));
	plan->recipes[plan->recipes_count] = r;
	return plan->recipes_count++;
}

/* --- one by hand --- */

struct by_hand {
	const char *tree, *commit, *flavour;
	json_t *series, *revision;
	int64_t patches; /* -1: all */
	int64_t priority;
};

/* What of the series is built, as a study of one column would have it. */
static void read_revision(struct maker *m, const struct by_hand *ask, struct submission *s)
{
	struct column *c;

	s->study.series = ask->series;
	s->study.revisions = json_array();
	if (ask->revision)
		(void)json_array_append(s->study.revisions, ask->revision);
	study_begin(m);
	json_decref(s->study.revisions);
	s->study.revisions = NULL;
	if (m->columns_count < 2)
		return;
	c = &m->columns[1];
	if (ask->patches > (int64_t)c->patches)
		jx_complain(m->errors, "/patches", "revision %s has %zu patches", c->label,
		            c->patches);
	while (ask->patches >= 0 && c->patches > (size_t)ask->patches) {
		char *label = xasprintf("%s.%zu", c->revision->label, --c->patches);

		free(c->label);
		c->label = label;
		(void)json_array_remove(c->mails, c->patches);
	}
}

static void by_hand_read(json_t *doc, struct by_hand *ask, struct jx_errors *errors)
{
	static const struct jx_field fields[] = {
		{"tree", JX_STRING, false, 1, 64, offsetof(struct by_hand, tree)},
		{"commit", JX_STRING, false, 1, 128, offsetof(struct by_hand, commit)},
		{"flavour", JX_STRING, true, 1, 32, offsetof(struct by_hand, flavour)},
		{"series", JX_ANY, false, 0, 0, offsetof(struct by_hand, series)},
		{"revision", JX_ANY, false, 0, 0, offsetof(struct by_hand, revision)},
		{"patches", JX_INT, false, 0, 64, offsetof(struct by_hand, patches)},
		{"priority", JX_INT, false, -100, 100, offsetof(struct by_hand, priority)},
	};

	(void)jx_read(doc, fields, sizeof(fields) / sizeof(*fields), ask, "", errors);
	if (ask->commit && !git_name_valid(ask->commit))
		jx_complain(errors, "/commit", "must be a commit, a tag or a branch");
	if (ask->series && !ask->revision)
		jx_complain(errors, "/revision", "is required with series");
	if (!ask->series && (ask->revision || ask->patches >= 0))
		jx_complain(errors, "/series", "is required with revision and patches");
	if (ask->revision && json_string_length(ask->revision) == 0 &&
	    json_integer_value(ask->revision) < 1)
		jx_complain(errors, "/revision", "must be a revision: \"v2\" or 2");
	if (ask->series && json_string_length(ask->series) == 0 &&
	    json_integer_value(ask->series) < 1)
		jx_complain(errors, "/series", "must be the id or the name of a series");
}

struct plan *plan_make_build(json_t *doc, const struct plan_world *world, struct jx_errors *errors)
{
	struct by_hand ask = {.patches = -1};
	struct submission s = {.max_attempts = 3, .ttl_s = 86400, .rounds = 1};
	struct plan *plan = xcalloc(1, sizeof(*plan));
	struct maker m = {.plan = plan, .s = &s, .world = world, .errors = errors, .base_at = ""};
	const struct flavour *flavour;

	by_hand_read(doc, &ask, errors);
	plan->labels = json_array();
	plan->columns = json_array();
	plan->tests = json_array();
	s.priority = ask.priority;
	s.study.tree = ask.tree;
	s.study.commit = ask.commit;
	if (jx_ok(errors))
		read_revision(&m, &ask, &s);
	flavour = ask.flavour ? kernels_named(world->kernels, ask.flavour) : NULL;
	if (ask.flavour && world->kernels && !flavour)
		jx_complain(errors, "/flavour", "no such flavour '%s'", ask.flavour);
	if (jx_ok(errors) && !m.commit)
		jx_complain(errors, "/commit", "is required");
	plan->suite = suite_find(world->suites, PLAN_BUILD_SUITE);
	plan->submission = s;
	if (jx_ok(errors) && m.columns) {
		size_t column = m.columns_count - 1;

		(void)recipe_want(&m, column, flavour);
		(void)json_array_append_new(plan->labels, json_string(m.columns[column].label));
	}
	columns_free(&m);
	if (jx_ok(errors))
		return plan;
	plan_free(plan);
	return NULL;
}

/* --- a range --- */

struct plan *plan_make_range(const char *tree, const char *range, const struct plan_world *world,
                             struct jx_errors *errors)
{
	struct submission s = {.max_attempts = 3, .ttl_s = 86400};
	struct plan *plan = xcalloc(1, sizeof(*plan));
	struct maker m = {
		.plan = plan, .world = world, .errors = errors, .base_at = "", .tree = tree};
	const struct suite *suite = suite_find(world->suites, PLAN_GIT_SUITE);
	SCOPED_JSON all = all_trees(world);
	SCOPED_JSON question = NULL;

	plan->submission = s;
	plan->builders = json_array();
	choose_tree(&m, all);
	choose_boards(&m, suite);
	if (!suite)
		jx_complain(errors, "", "this farm reads no repositories: it has no suite '%s'",
		            PLAN_GIT_SUITE);
	else if (json_array_size(plan->builders) == 0)
		complain_about_tree(&m, all);
	if (!git_range_valid(range))
		jx_complain(errors, "/range",
		            "must be two commits, tags or branches with .. between them, as "
		            "v6.1..topic, of the letters A-Z a-z 0-9 . _ + / -");
	if (jx_ok(errors)) {
		question = json_pack("{s:i, s:s, s:s}", "v", 1, "tree", m.tree, "range", range);
		plan->ask_text = git_plan_text(world->suites, "range", question);
		if (!plan->ask_text)
			jx_complain(errors, "", "the suite '%s' has no step 'range'",
			            PLAN_GIT_SUITE);
	}
	if (!plan->tree && m.tree)
		plan->tree = xstrdup(m.tree);
	if (jx_ok(errors))
		return plan;
	plan_free(plan);
	return NULL;
}
