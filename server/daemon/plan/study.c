/* A study: which columns a series has, and which kernel each of them runs in each class. */
#include "common/jx.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/plan/maker.h"
#include "server/daemon/plan/slots.h"
#include "server/daemon/recipe/controls.h"
#include "server/daemon/recipe/kernels.h"

#include <string.h>

/* --- columns --- */

static struct column *add_column(struct maker *m, const char *role, char *label)
{
	struct column *column;

	if (m->columns_count == PLAN_COLUMNS) {
		free(label);
		jx_complain(m->errors, "/revisions",
		            "a study has at most %d columns: base, revisions, commits, controls",
		            PLAN_COLUMNS);
		return NULL;
	}
	column = &m->columns[m->columns_count++];
	*column = (struct column){.role = role, .label = label, .mails = json_array()};
	return column;
}

/* The first patches of the revision: all of them are the revision itself. */
static bool add_patches(struct maker *m, const struct plan_revision *r, size_t patches)
{
	bool all = patches == json_array_size(r->patches);
	struct column *column = add_column(
		m, "revision", all ? xstrdup(r->label) : xasprintf("%s.%zu", r->label, patches));

	if (!column)
		return false;
	column->revision = r;
	column->patches = patches;
	for (size_t i = 0; i < patches; i++)
		(void)json_array_append(column->mails, json_array_get(r->patches, i));
	return true;
}

static bool add_revision(struct maker *m, const struct plan_revision *r)
{
	size_t count = json_array_size(r->patches);

	for (size_t n = m->s->study.commits ? 1 : count; n <= count; n++)
		if (!add_patches(m, r, n))
			return false;
	return true;
}

static const struct plan_revision *find_revision(const struct plan_series *series,
                                                 const json_t *ref)
{
	for (size_t i = 0; i < series->count; i++) {
		const struct plan_revision *r = &series->revisions[i];

		if (json_is_integer(ref) ? json_integer_value(ref) == r->version
		                         : strcmp(json_string_value(ref), r->label) == 0)
			return r;
	}
	return NULL;
}

/* Those that are named, or all. */
static void add_revisions(struct maker *m)
{
	const struct plan_series *series = m->series;
	json_t *ref;
	size_t i;

	for (i = 0; i < series->count && !m->s->study.revisions; i++)
		if (!add_revision(m, &series->revisions[i]))
			return;
	json_array_foreach(m->s->study.revisions, i, ref)
	{
		SCOPED_STR at = xasprintf("/revisions/%zu", i);
		SCOPED_STR word = json_dumps(ref, JSON_ENCODE_ANY);
		const struct plan_revision *r;

		if (!json_is_string(ref) && !json_is_integer(ref))
			continue; /* its reading has complained */
		r = find_revision(series, ref);
		if (!r)
			jx_complain(m->errors, at, "series '%s' has no revision %s", series->name,
			            word);
		else if (!add_revision(m, r))
			return;
	}
}

static void add_controls(struct maker *m)
{
	json_t *name;
	size_t i;

	json_array_foreach(m->s->study.controls, i, name)
	{
		SCOPED_STR at = xasprintf("/controls/%zu", i);
		const struct control *control;
		struct column *column;

		if (!json_is_string(name))
			continue;
		control = controls_find(m->world->controls, json_string_value(name));
		if (!control) {
			jx_complain(m->errors, at, "no such control '%s'", json_string_value(name));
			continue;
		}
		column = add_column(m, "control", xstrdup(control->name));
		if (!column)
			return;
		column->control = control;
		(void)json_array_append_new(column->mails, json_string(control->sha256));
	}
}

/* The base that the revisions name themselves, when they name one and the same. */
static const char *common_base(struct maker *m)
{
	SCOPED_STR at = xasprintf("%s/commit", m->base_at);
	const char *commit = NULL;

	for (size_t i = 0; i < m->columns_count; i++) {
		const struct plan_revision *r = m->columns[i].revision;

		if (!r)
			continue;
		if (!r->base_commit)
			jx_complain(m->errors, at,
			            "is required: revision %s does not say what it is based on",
			            r->label);
		else if (commit && strcmp(commit, r->base_commit) != 0)
			jx_complain(m->errors, at,
			            "is required: the revisions have different bases");
		else
			commit = r->base_commit;
		if (!jx_ok(m->errors))
			return NULL;
	}
	return commit;
}

void study_begin(struct maker *m)
{
	const struct submission_study *study = &m->s->study;
	bool found = json_is_string(study->series) || json_integer_value(study->series) > 0;
	SCOPED_STR word = found ? json_dumps(study->series, JSON_ENCODE_ANY) : NULL;

	m->columns = xcalloc(PLAN_COLUMNS, sizeof(*m->columns));
	(void)add_column(m, "base", xstrdup("base"));
	m->series =
		found && m->world->series ? m->world->series(m->world->arg, study->series) : NULL;
	if (found && !m->series)
		jx_complain(m->errors, "/series", "no such series %s", word);
	m->tree = study->tree;
	m->commit = study->commit;
	if (m->series) {
		m->plan->series = m->series->id;
		add_revisions(m);
		if (!m->commit)
			m->commit = common_base(m);
	}
	add_controls(m);
	builders_choose(m);
}

/* --- a slot --- */

/* Boards that start what they are given, and are of the kernel's architecture. */
static void check_slot(struct maker *m, const struct slot *slot, const struct flavour *flavour)
{
	for (size_t i = 0; i < slot->count; i++) {
		const struct plan_board *board = slot->boards[i];

		if (!board->needs_kernel)
			jx_complain(m->errors, "/boards",
			            "board '%s' runs the kernel that it has: a study's kernels "
			            "are none of its",
			            board->name);
		else if (flavour && !plan_arch_fits(flavour->arch, board->arch))
			jx_complain(m->errors, "/boards",
			            "flavour '%s' is for %s, and board '%s' is %s", flavour->name,
			            flavour->arch, board->name, board->arch);
		else
			continue;
		return;
	}
}

/* Does the plan have a test that the control must fail in this class? Names are "test" or "test:cells". */
static bool control_shows(const struct maker *m, const struct control *control, const char *cache)
{
	json_t *kill, *test;
	size_t i, k;

	json_array_foreach(json_object_get(control->expect, cache), i, kill)
	{
		const char *name = json_string_value(kill);
		size_t len = strcspn(name, ":");

		json_array_foreach(m->plan->tests, k, test)
		{
			if (json_string_length(test) == len &&
			    strncmp(json_string_value(test), name, len) == 0)
				return true;
		}
	}
	return false;
}

/* A control runs where something must fail: elsewhere it would be one more kernel that says nothing. */
static bool column_runs(const struct maker *m, const struct column *column, const char *cache,
                        const struct flavour *flavour)
{
	return !column->control || (control_fits(column->control, flavour->name) &&
	                            control_shows(m, column->control, cache));
}

void study_slot(struct maker *m, const struct slot *slot, size_t round)
{
	const struct flavour *flavour =
		kernels_for(m->world->kernels, slot->cache, m->s->study.flavour);

	if (round == 1) {
		check_slot(m, slot, flavour);
		if (!flavour)
			jx_complain(m->errors, "/flavour",
			            "no flavour '%s' for class %s, which board '%s' has",
			            m->s->study.flavour, slot->cache, slot->boards[0]->name);
	}
	for (size_t i = 0; i < m->columns_count && flavour; i++) {
		struct plan_run *run;

		if (!column_runs(m, &m->columns[i], slot->cache, flavour))
			continue;
		m->columns[i].ran = true;
		run = plan_add_run(m->plan, slot, i, round);
		if (m->tree && m->commit)
			run->recipe = recipe_want(m, i, flavour);
	}
}

/* --- what the columns are --- */

/* Of what the control must fail, that which is tested. */
static json_t *expect_json(const struct maker *m, const struct column *column)
{
	json_t *expect = json_object(), *kills;
	const char *cache;

	if (!column->control)
		return expect;
	json_object_foreach(column->control->expect, cache, kills)
	{
		if (control_shows(m, column->control, cache))
			(void)json_object_set(expect, cache, kills);
	}
	return expect;
}

static void tell_column(struct maker *m, size_t i)
{
	const struct column *c = &m->columns[i];
	json_int_t series = m->series && c->revision ? m->series->id : 0;
	json_t *doc =
		json_pack("{s:s, s:s, s:o, s:o, s:I, s:s?, s:o}", "label", c->label, "role",
	                  c->role, "series", series ? json_integer(series) : json_null(),
	                  "revision", c->revision ? json_integer(c->revision->id) : json_null(),
	                  "patches", (json_int_t)c->patches, "control",
	                  c->control ? c->control->name : NULL, "expect", expect_json(m, c));

	if (c->control && !c->ran)
		jx_complain(m->errors, "/controls",
		            "'%s' must fail nothing in this study: no such test, class or flavour",
		            c->control->name);
	(void)json_array_append_new(m->plan->columns, doc);
	(void)json_array_append_new(m->plan->labels, json_string(c->label));
}

void columns_free(struct maker *m)
{
	for (size_t i = 0; i < m->columns_count; i++) {
		free(m->columns[i].label);
		json_decref(m->columns[i].mails);
	}
	free(m->columns);
	m->columns = NULL;
	m->columns_count = 0;
}

void study_end(struct maker *m)
{
	bool planned = m->plan->runs_count > 0 && m->plan->suite;

	for (size_t i = 0; i < m->columns_count; i++) {
		/* Without runs there is something else to complain about. */
		m->columns[i].ran |= !planned;
		tell_column(m, i);
	}
	columns_free(m);
}
