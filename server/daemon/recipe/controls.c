#include "server/daemon/recipe/controls.h"

#include "common/cacheclass.h"
#include "common/err.h"
#include "common/fsio.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/xalloc.h"

#include <string.h>

#define CONTROLS_MAX ((size_t)4 * 1024 * 1024) /* bytes of controls.json */
#define PATCH_MAX    ((size_t)1024 * 1024)

struct controls {
	json_t *doc;    /* owned: the rows borrow from it */
	json_t *expect; /* owned: what the rows' expectations became */
	struct control *rows;
	size_t count;
};

/* A row as it stands in the file; what only the reports of jobs/controls read is named and left alone. */
struct raw {
	const char *id, *name, *kind, *title, *breaks;
	json_t *kernels, *expected;
};

/* A control's file is words, then a diff. */
static const char *diff_of(const char *text)
{
	const char *at = strncmp(text, "--- a/", 6) == 0 ? text : strstr(text, "\n--- a/");

	return at && *at == '\n' ? at + 1 : at;
}

/* The same control is the same bytes always: nothing of the place or the time goes in. */
static char *mail_make(const char *name, const char *title, const char *diff)
{
	return xasprintf("From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001\n"
	                 "From: Cohort <cohort@localhost>\n"
	                 "Date: Thu, 1 Jan 1970 00:00:00 +0000\n"
	                 "Subject: [PATCH] control %s: %s\n\n---\n%s",
	                 name, title, diff);
}

static int mail_read(struct control *c, const char *dir, const char *pointer,
                     struct jx_errors *errors)
{
	SCOPED_STR path = xasprintf("%s/%s.patch", dir, c->name);
	struct err err;
	size_t len;
	SCOPED_STR text = fs_read_file(path, PATCH_MAX, &len, &err);
	const char *diff = text ? diff_of(text) : NULL;
	char *mail;

	if (!text)
		jx_complain(errors, pointer, "%s", err.text);
	else if (!diff)
		jx_complain(errors, pointer, "%s has no diff", path);
	if (!diff)
		return -1;
	mail = mail_make(c->name, c->title, diff);
	sha256_hex(mail, strlen(mail), c->sha256);
	c->mail = mail;
	return 0;
}

/* {"vivt": ["dio-read-anon"]} of the cache classes that the farm knows: the file has variants of them, too. */
static json_t *expect_read(struct controls *all, json_t *expected, const char *pointer,
                           struct jx_errors *errors)
{
	json_t *expect = json_object(), *row;
	const char *class;

	(void)json_array_append_new(all->expect, expect);
	json_object_foreach(expected, class, row)
	{
		SCOPED_STR at = xasprintf("%s/expected/%.64s/kills", pointer, class);
		json_t *kills = json_object_get(row, "kills");

		if (cache_class_parse(class) == CACHE_UNKNOWN)
			continue;
		if (!json_is_array(kills))
			jx_complain(errors, at, "must be an array of tests");
		else if (jx_strings(kills, 128, at, errors) && json_array_size(kills) > 0)
			(void)json_object_set(expect, class, kills);
	}
	return expect;
}

static void read_row(struct controls *all, json_t *item, const char *dir, const char *pointer,
                     struct jx_errors *errors)
{
	static const struct jx_field fields[] = {
		{"id", JX_STRING, false, 1, 64, offsetof(struct raw, id)},
		{"name", JX_STRING, true, 1, 64, offsetof(struct raw, name)},
		{"kind", JX_STRING, true, 1, 32, offsetof(struct raw, kind)},
		{"title", JX_STRING, true, 1, 500, offsetof(struct raw, title)},
		{"breaks", JX_STRING, false, 0, 10000, offsetof(struct raw, breaks)},
		{"kernels", JX_ARRAY, true, 1, 64, offsetof(struct raw, kernels)},
		{"expected", JX_OBJECT, true, 1, 64, offsetof(struct raw, expected)},
	};
	SCOPED_STR kernels = xasprintf("%s/kernels", pointer);
	struct control *c = &all->rows[all->count];
	struct raw raw = {0};

	if (!jx_read(item, fields, sizeof(fields) / sizeof(*fields), &raw, pointer, errors) ||
	    strcmp(raw.kind, "control") != 0)
		return;
	if (!jx_name_valid(raw.name) || strpbrk(raw.title, "\r\n")) {
		jx_complain(errors, pointer, "'%s' is no name, or its title has lines", raw.name);
		return;
	}
	if (controls_find(all, raw.name)) {
		jx_complain(errors, pointer, "control '%s' is there twice", raw.name);
		return;
	}
	*c = (struct control){.name = raw.name, .title = raw.title, .kernels = raw.kernels};
	(void)jx_strings(raw.kernels, 64, kernels, errors);
	c->expect = expect_read(all, raw.expected, pointer, errors);
	if (mail_read(c, dir, pointer, errors) == 0)
		all->count++;
}

static void read_doc(struct controls *all, const char *dir, struct jx_errors *errors)
{
	struct outer {
		const char *about;
		json_t *controls;
	} outer = {0};
	static const struct jx_field fields[] = {
		{"about", JX_STRING, false, 0, 10000, offsetof(struct outer, about)},
		{"controls", JX_ARRAY, true, 1, 1000, offsetof(struct outer, controls)},
	};
	json_t *item;
	size_t i;

	(void)jx_read(all->doc, fields, sizeof(fields) / sizeof(*fields), &outer, "", errors);
	all->rows = xcalloc(json_array_size(outer.controls) + 1, sizeof(*all->rows));
	json_array_foreach(outer.controls, i, item)
	{
		SCOPED_STR at = xasprintf("/controls/%zu", i);

		read_row(all, item, dir, at, errors);
	}
}

struct controls *controls_load(const char *dir, struct err *err)
{
	SCOPED_STR path = xasprintf("%s/controls.json", dir);
	struct controls *all = xcalloc(1, sizeof(*all));
	struct jx_errors errors = {0};
	int rc = -1;

	all->expect = json_array();
	all->doc = jx_load(path, CONTROLS_MAX, err);
	if (all->doc) {
		read_doc(all, dir, &errors);
		rc = jx_errors_to_err(&errors, err);
		if (rc < 0)
			(void)err_context(err, "%s", path);
	}
	jx_errors_release(&errors);
	if (rc == 0)
		return all;
	controls_free(all);
	return NULL;
}

void controls_free(struct controls *all)
{
	if (!all)
		return;
	for (size_t i = 0; i < all->count; i++)
		free(all->rows[i].mail);
	free(all->rows);
	json_decref(all->expect);
	json_decref(all->doc);
	free(all);
}

const struct control *controls_at(const struct controls *all, size_t i)
{
	return all && i < all->count ? &all->rows[i] : NULL;
}

const struct control *controls_find(const struct controls *all, const char *name)
{
	for (size_t i = 0; all && i < all->count; i++)
		if (strcmp(all->rows[i].name, name) == 0)
			return &all->rows[i];
	return NULL;
}

bool control_fits(const struct control *control, const char *flavour)
{
	size_t base = strcspn(flavour, "+"), i;
	json_t *name;

	json_array_foreach(control->kernels, i, name)
	{
		const char *text = json_string_value(name);

		if (strcmp(text, flavour) == 0 ||
		    (strlen(text) == base && strncmp(text, flavour, base) == 0))
			return true;
	}
	return false;
}
