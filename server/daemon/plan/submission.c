#include "server/daemon/plan/submission.h"

#include "common/cacheclass.h"
#include "common/gitname.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/xalloc.h"

#include <stddef.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static void complain_about_class(const char *name, const char *pointer, struct jx_errors *errors)
{
	if (cache_class_parse(name) == CACHE_UNKNOWN)
		jx_complain(errors, pointer,
		            "no such cache class '%s': it is vivt, vipt-aliasing, "
		            "vipt-nonaliasing, pipt or none",
		            name);
}

static void check_builds(json_t *builds, const char *pointer, struct jx_errors *errors)
{
	json_t *item;
	size_t i;

	json_array_foreach(builds, i, item)
	{
		SCOPED_STR at = xasprintf("%s/%zu", pointer, i);

		if (json_is_integer(item) ? json_integer_value(item) < 1
		                          : !json_is_string(item) || json_string_length(item) == 0)
			jx_complain(errors, at, "must be the id or the name of a build");
	}
}

static void check_builds_of_class(struct submission *s, const char *class, json_t *builds,
                                  struct jx_errors *errors)
{
	SCOPED_STR at = xasprintf("/builds_by_cache/%.64s", class);
	size_t n = json_array_size(builds);

	complain_about_class(class, at, errors);
	if (!json_is_array(builds) || n < 1 || n > SUBMISSION_COLUMNS) {
		jx_complain(errors, at, "must be an array of 1 to %d builds", SUBMISSION_COLUMNS);
		return;
	}
	check_builds(builds, at, errors);
	if (s->columns == 0)
		s->columns = n;
	else if (s->columns != n)
		jx_complain(errors, at, "has %zu builds where a class before it has %zu", n,
		            s->columns);
}

static bool given(json_t *doc, const char *field)
{
	json_t *value = json_object_get(doc, field);

	return value && !json_is_null(value);
}

/* A study has its columns from the series. */
static void check_no_builds(json_t *doc, struct jx_errors *errors)
{
	static const char *const fields[] = {"builds", "builds_by_cache", "labels"};

	for (size_t i = 0; i < COUNT(fields); i++) {
		SCOPED_STR at = xasprintf("/%s", fields[i]);

		if (given(doc, fields[i]))
			jx_complain(errors, at, "does not go with series");
	}
}

/* Which builds: exactly one of the ways to say it. Sets the number of columns. */
static void check_columns(struct submission *s, json_t *doc, struct jx_errors *errors)
{
	bool plain = given(doc, "builds"), by_cache = given(doc, "builds_by_cache");
	const char *class;
	json_t *builds;

	if (given(doc, "series")) {
		check_no_builds(doc, errors);
		return;
	}
	if (plain && by_cache)
		jx_complain(errors, "/builds_by_cache", "give builds or builds_by_cache, not both");
	else if (!plain && !by_cache)
		jx_complain(errors, "/builds", "is required: builds, builds_by_cache or series");
	if (s->builds) {
		check_builds(s->builds, "/builds", errors);
		s->columns = json_array_size(s->builds);
	} else if (s->builds_by_cache) {
		json_object_foreach(s->builds_by_cache, class, builds)
		{
			check_builds_of_class(s, class, builds, errors);
		}
	}
}

static void check_labels(const struct submission *s, struct jx_errors *errors)
{
	json_t *item;
	size_t i;

	if (!s->labels || !jx_strings(s->labels, 64, "/labels", errors))
		return;
	if (s->columns != 0 && json_array_size(s->labels) != s->columns)
		jx_complain(errors, "/labels", "has %zu labels for %zu builds",
		            json_array_size(s->labels), s->columns);
	json_array_foreach(s->labels, i, item)
	{
		for (size_t k = 0; k < i; k++) {
			SCOPED_STR at = xasprintf("/labels/%zu", i);

			if (json_equal(item, json_array_get(s->labels, k)))
				jx_complain(errors, at, "'%s' is there twice",
				            json_string_value(item));
		}
	}
}

static void check_kind(const char *kind, const char *pointer, struct jx_errors *errors)
{
	static const char *const kinds[] = {"physical", "qemu", "emulated", "host"};

	for (size_t i = 0; i < COUNT(kinds); i++)
		if (strcmp(kinds[i], kind) == 0)
			return;
	jx_complain(errors, pointer, "no such kind '%s': it is physical, qemu, emulated or host",
	            kind);
}

/* Each string of a selector's member. */
static void check_words(json_t *list, const char *pointer,
                        void (*check)(const char *, const char *, struct jx_errors *),
                        struct jx_errors *errors)
{
	json_t *item;
	size_t i;

	if (!jx_strings(list, 64, pointer, errors))
		return;
	json_array_foreach(list, i, item)
	{
		SCOPED_STR at = xasprintf("%s/%zu", pointer, i);

		if (check)
			check(json_string_value(item), at, errors);
	}
}

/* What a wrong selector would match says nothing: then boards becomes NULL. */
static void read_selector(struct submission *s, struct jx_errors *errors)
{
	static const struct jx_field fields[] = {
		{"cache", JX_ARRAY, false, 1, 16, offsetof(struct submission, cache)},
		{"names", JX_ARRAY, false, 1, 1000, offsetof(struct submission, names)},
		{"tags", JX_ARRAY, false, 1, 64, offsetof(struct submission, tags)},
		{"kinds", JX_ARRAY, false, 1, 16, offsetof(struct submission, kinds)},
	};

	size_t before = json_array_size(errors->list);

	if (!s->boards)
		return;
	(void)jx_read(s->boards, fields, COUNT(fields), s, "/boards", errors);
	check_words(s->cache, "/boards/cache", complain_about_class, errors);
	check_words(s->names, "/boards/names", NULL, errors);
	check_words(s->tags, "/boards/tags", NULL, errors);
	check_words(s->kinds, "/boards/kinds", check_kind, errors);
	if (json_array_size(errors->list) > before)
		s->boards = NULL;
}

static void read_limits(struct submission *s, json_t *limits, struct jx_errors *errors)
{
	static const struct jx_field fields[] = {
		{"boot_s", JX_INT, false, 1, 3600, offsetof(struct submission, boot_s)},
		{"run_s", JX_INT, false, 1, 7L * 86400, offsetof(struct submission, run_s)},
		{"ttl_s", JX_INT, false, 1, 30L * 86400, offsetof(struct submission, ttl_s)},
	};

	if (limits)
		(void)jx_read(limits, fields, COUNT(fields), s, "/limits", errors);
}

/* ---- What a study has ---- */

static void check_refs(json_t *list, const char *pointer, bool versions, struct jx_errors *errors)
{
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		SCOPED_STR at = xasprintf("%s/%zu", pointer, i);
		bool number = versions && json_is_integer(item) && json_integer_value(item) > 0;

		if (!number && json_string_length(item) == 0)
			jx_complain(errors, at,
			            versions ? "must be a revision: \"v2\" or 2"
			                     : "must be the name of a control");
		for (size_t k = 0; k < i; k++)
			if (json_equal(item, json_array_get(list, k)))
				jx_complain(errors, at, "is there twice");
	}
}

static void read_base(struct submission_study *study, json_t *base, struct jx_errors *errors)
{
	static const struct jx_field fields[] = {
		{"tree", JX_STRING, false, 1, 64, offsetof(struct submission_study, tree)},
		{"commit", JX_STRING, false, 1, 128, offsetof(struct submission_study, commit)},
	};

	if (base)
		(void)jx_read(base, fields, COUNT(fields), study, "/base", errors);
	if (study->commit && !git_name_valid(study->commit))
		jx_complain(errors, "/base/commit", "must be a commit, a tag or a branch");
}

static void read_until(struct submission *s, json_t *until, struct jx_errors *errors)
{
	static const struct jx_field fields[] = {
		{"decided", JX_BOOL, true, 0, 0, offsetof(struct submission, decided)},
		{"max_rounds", JX_INT, false, 1, SUBMISSION_ROUNDS,
	         offsetof(struct submission, max_rounds)},
	};

	if (until)
		(void)jx_read(until, fields, COUNT(fields), s, "/until", errors);
	if (s->decided && s->max_rounds < s->rounds)
		jx_complain(errors, "/until/max_rounds", "is less than rounds");
}

static void check_study(const struct submission *s, json_t *doc, struct jx_errors *errors)
{
	static const char *const fields[] = {"base", "revisions", "controls", "commits", "flavour"};

	if (given(doc, "series")) {
		if (!json_is_string(s->study.series) && json_integer_value(s->study.series) < 1)
			jx_complain(errors, "/series", "must be the id or the name of a series");
		check_refs(s->study.revisions, "/revisions", true, errors);
		check_refs(s->study.controls, "/controls", false, errors);
		return;
	}
	for (size_t i = 0; i < COUNT(fields); i++) {
		SCOPED_STR at = xasprintf("/%s", fields[i]);

		if (given(doc, fields[i]))
			jx_complain(errors, at, "goes with series only");
	}
}

/* Objects inside the submission. */
struct inner {
	json_t *limits, *base, *until;
};

static struct inner read_fields(json_t *doc, struct submission *s, struct jx_errors *errors)
{
	struct outer {
		struct submission s;
		struct inner inner;
	} out = {.s = *s};
	static const struct jx_field fields[] = {
		{"name", JX_STRING, false, 1, 200, offsetof(struct outer, s.name)},
		{"builds", JX_ARRAY, false, 1, SUBMISSION_COLUMNS,
	         offsetof(struct outer, s.builds)},
		{"builds_by_cache", JX_OBJECT, false, 1, 8,
	         offsetof(struct outer, s.builds_by_cache)},
		{"labels", JX_ARRAY, false, 1, SUBMISSION_COLUMNS,
	         offsetof(struct outer, s.labels)},
		{"boards", JX_OBJECT, true, 0, 0, offsetof(struct outer, s.boards)},
		{"each", JX_STRING, false, 1, 16, offsetof(struct outer, s.each)},
		{"suite", JX_STRING, true, 1, 64, offsetof(struct outer, s.suite)},
		{"tests", JX_ARRAY, false, 1, 200, offsetof(struct outer, s.tests)},
		{"iterations", JX_INT, false, 1, SUBMISSION_ITERATIONS,
	         offsetof(struct outer, s.iterations)},
		{"repetitions", JX_INT, false, 1, 1000, offsetof(struct outer, s.repetitions)},
		{"priority", JX_INT, false, -100, 100, offsetof(struct outer, s.priority)},
		{"max_attempts", JX_INT, false, 1, 10, offsetof(struct outer, s.max_attempts)},
		{"limits", JX_OBJECT, false, 0, 0, offsetof(struct outer, inner.limits)},
		{"rounds", JX_INT, false, 1, SUBMISSION_ROUNDS, offsetof(struct outer, s.rounds)},
		{"until", JX_OBJECT, false, 0, 0, offsetof(struct outer, inner.until)},
		{"series", JX_ANY, false, 0, 0, offsetof(struct outer, s.study.series)},
		{"revisions", JX_ARRAY, false, 1, 64, offsetof(struct outer, s.study.revisions)},
		{"controls", JX_ARRAY, false, 0, 32, offsetof(struct outer, s.study.controls)},
		{"base", JX_OBJECT, false, 0, 0, offsetof(struct outer, inner.base)},
		{"commits", JX_BOOL, false, 0, 0, offsetof(struct outer, s.study.commits)},
		{"flavour", JX_STRING, false, 1, 32, offsetof(struct outer, s.study.flavour)},
	};

	(void)jx_read(doc, fields, COUNT(fields), &out, "", errors);
	*s = out.s;
	return out.inner;
}

bool submission_read(json_t *doc, struct submission *out, struct jx_errors *errors)
{
	struct submission s = {.each = "class",
	                       .repetitions = 1,
	                       .max_attempts = 3,
	                       .boot_s = 3600, /* the board's own limit is what counts */
	                       .run_s = 3600,
	                       .ttl_s = 86400,
	                       .rounds = 1,
	                       .max_rounds = 50,
	                       .study = {.flavour = "ref"}};
	struct inner inner = read_fields(doc, &s, errors);

	read_limits(&s, inner.limits, errors);
	read_base(&s.study, inner.base, errors);
	read_until(&s, inner.until, errors);
	check_study(&s, doc, errors);
	check_columns(&s, doc, errors);
	check_labels(&s, errors);
	read_selector(&s, errors);
	if (strcmp(s.each, "class") != 0 && strcmp(s.each, "board") != 0)
		jx_complain(errors, "/each", "must be class or board");
	if (s.tests && !jx_strings(s.tests, 128, "/tests", errors))
		s.tests = NULL;
	*out = s;
	return jx_ok(errors);
}
