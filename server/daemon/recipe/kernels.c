#include "server/daemon/recipe/kernels.h"

#include "common/cacheclass.h"
#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/xalloc.h"

#include <string.h>

#define KERNELS_MAX  ((size_t)1024 * 1024) /* bytes of kernels.json */
#define FLAVOURS_MAX 64

struct kernels {
	json_t *doc; /* owned: the rows borrow from it */
	char *dir;   /* owned */
	struct flavour *rows;
	size_t count;
	struct kernels_file *files;
	size_t files_count;
	json_t *owned; /* owned: what the rows' fragments and files became */
};

/* A row as it stands in the file. */
struct raw {
	const char *name, *variant, *cache, *arch, *cross, *cmdline;
	json_t *fragments, *targets, *collect, *files;
};

/* The SHA-256 of the file that is named: path is relative to the directory. NULL with a complaint. */
static const char *file_take(struct kernels *k, const char *name, const char *pointer,
                             struct jx_errors *errors)
{
	char *path = name[0] == '/' ? xstrdup(name) : xasprintf("%s/%s", k->dir, name);
	struct kernels_file *file;
	struct err err;

	for (size_t i = 0; i < k->files_count; i++)
		if (strcmp(k->files[i].path, path) == 0) {
			free(path);
			return k->files[i].sha256;
		}
	/* The rows keep copies of the hashes, so that the array may move. */
	k->files = xrealloc(k->files, (k->files_count + 1) * sizeof(*k->files));
	file = &k->files[k->files_count];
	*file = (struct kernels_file){.path = path};
	if (sha256_file(path, file->sha256, &file->size, &err) < 0) {
		jx_complain(errors, pointer, "%s", err.text);
		free(path);
		return NULL;
	}
	k->files_count++;
	return file->sha256;
}

static json_t *read_fragments(struct kernels *k, json_t *names, const char *pointer,
                              struct jx_errors *errors)
{
	json_t *list = json_array(), *name;
	size_t i;

	(void)json_array_append_new(k->owned, list);
	if (!jx_strings(names, 4000, pointer, errors))
		return list;
	json_array_foreach(names, i, name)
	{
		SCOPED_STR at = xasprintf("%s/%zu", pointer, i);
		const char *sha256 = file_take(k, json_string_value(name), at, errors);

		if (sha256)
			(void)json_array_append_new(list, json_string(sha256));
	}
	return list;
}

static json_t *read_files(struct kernels *k, json_t *files, const char *pointer,
                          struct jx_errors *errors)
{
	json_t *list = json_object(), *path;
	const char *role;

	(void)json_array_append_new(k->owned, list);
	json_object_foreach(files, role, path)
	{
		SCOPED_STR at = xasprintf("%s/%.64s", pointer, role);
		const char *sha256;

		if (strcmp(role, "initramfs") != 0 && strcmp(role, "dtb") != 0) {
			jx_complain(errors, at, "must be one of: initramfs dtb");
		} else if (!json_is_string(path) || json_string_length(path) == 0) {
			jx_complain(errors, at, "must be a path");
		} else {
			sha256 = file_take(k, json_string_value(path), at, errors);
			if (sha256)
				(void)json_object_set_new(list, role, json_string(sha256));
		}
	}
	return list;
}

/* Paths that a build leaves behind: they stay below its output directory. */
static void check_collect(json_t *collect, const char *pointer, struct jx_errors *errors)
{
	const char *role;
	json_t *path;

	if (!json_object_get(collect, "kernel"))
		jx_complain(errors, pointer, "has no kernel");
	json_object_foreach(collect, role, path)
	{
		SCOPED_STR at = xasprintf("%s/%.64s", pointer, role);
		const char *text = json_string_value(path);

		if (strcmp(role, "kernel") != 0 && strcmp(role, "dtb") != 0)
			jx_complain(errors, at, "must be one of: kernel dtb");
		else if (!text || !*text || text[0] == '/' || strstr(text, ".."))
			jx_complain(errors, at, "must be a path below the output directory");
	}
}

static void check_row(const struct kernels *k, const struct raw *raw, const char *pointer,
                      struct jx_errors *errors)
{
	SCOPED_STR targets = xasprintf("%s/targets", pointer);
	SCOPED_STR collect = xasprintf("%s/collect", pointer);

	if (!jx_name_valid(raw->name))
		jx_complain(errors, pointer, "'%s' is no name", raw->name);
	if (!jx_name_valid(raw->variant))
		jx_complain(errors, pointer, "'%s' is no name", raw->variant);
	if (cache_class_parse(raw->cache) == CACHE_UNKNOWN)
		jx_complain(errors, pointer, "no such cache class '%s'", raw->cache);
	if (kernels_named(k, raw->name))
		jx_complain(errors, pointer, "flavour '%s' is there twice", raw->name);
	if (kernels_for(k, raw->cache, raw->variant))
		jx_complain(errors, pointer, "class %s has a flavour '%s' already", raw->cache,
		            raw->variant);
	(void)jx_strings(raw->targets, 128, targets, errors);
	check_collect(raw->collect, collect, errors);
}

static void read_row(struct kernels *k, json_t *item, const char *pointer, struct jx_errors *errors)
{
	static const struct jx_field fields[] = {
		{"name", JX_STRING, true, 1, 32, offsetof(struct raw, name)},
		{"flavour", JX_STRING, true, 1, 32, offsetof(struct raw, variant)},
		{"cache", JX_STRING, true, 1, 32, offsetof(struct raw, cache)},
		{"fragments", JX_ARRAY, true, 1, 16, offsetof(struct raw, fragments)},
		{"arch", JX_STRING, true, 1, 32, offsetof(struct raw, arch)},
		{"cross", JX_STRING, true, 0, 64, offsetof(struct raw, cross)},
		{"targets", JX_ARRAY, true, 1, 16, offsetof(struct raw, targets)},
		{"collect", JX_OBJECT, true, 1, 2, offsetof(struct raw, collect)},
		{"files", JX_OBJECT, false, 0, 2, offsetof(struct raw, files)},
		{"cmdline", JX_STRING, false, 0, 2048, offsetof(struct raw, cmdline)},
	};
	SCOPED_STR fragments = xasprintf("%s/fragments", pointer);
	SCOPED_STR files = xasprintf("%s/files", pointer);
	struct raw raw = {.cmdline = ""};

	if (!jx_read(item, fields, sizeof(fields) / sizeof(*fields), &raw, pointer, errors))
		return;
	check_row(k, &raw, pointer, errors);
	k->rows[k->count++] = (struct flavour){
		.name = raw.name,
		.variant = raw.variant,
		.cache = raw.cache,
		.arch = raw.arch,
		.cross = raw.cross,
		.cmdline = raw.cmdline,
		.targets = raw.targets,
		.collect = raw.collect,
		.fragments = read_fragments(k, raw.fragments, fragments, errors),
		.files = read_files(k, raw.files, files, errors),
	};
}

static void read_doc(struct kernels *k, struct jx_errors *errors)
{
	struct outer {
		json_t *flavours;
		const char *notes;
	} outer = {0};
	static const struct jx_field fields[] = {
		{"flavours", JX_ARRAY, true, 1, FLAVOURS_MAX, offsetof(struct outer, flavours)},
		{"notes", JX_STRING, false, 0, 10000, offsetof(struct outer, notes)},
	};
	json_t *item;
	size_t i;

	(void)jx_read(k->doc, fields, sizeof(fields) / sizeof(*fields), &outer, "", errors);
	k->rows = xcalloc(json_array_size(outer.flavours) + 1, sizeof(*k->rows));
	json_array_foreach(outer.flavours, i, item)
	{
		SCOPED_STR at = xasprintf("/flavours/%zu", i);

		read_row(k, item, at, errors);
	}
}

struct kernels *kernels_load(const char *dir, struct err *err)
{
	SCOPED_STR path = xasprintf("%s/kernels.json", dir);
	struct kernels *k = xcalloc(1, sizeof(*k));
	struct jx_errors errors = {0};
	int rc = -1;

	k->dir = xstrdup(dir);
	k->owned = json_array();
	k->doc = jx_load(path, KERNELS_MAX, err);
	if (k->doc) {
		read_doc(k, &errors);
		rc = jx_errors_to_err(&errors, err);
		if (rc < 0)
			(void)err_context(err, "%s", path);
	}
	jx_errors_release(&errors);
	if (rc == 0)
		return k;
	kernels_free(k);
	return NULL;
}

void kernels_free(struct kernels *k)
{
	if (!k)
		return;
	for (size_t i = 0; i < k->files_count; i++)
		free(k->files[i].path);
	free(k->files);
	free(k->rows);
	free(k->dir);
	json_decref(k->owned);
	json_decref(k->doc);
	free(k);
}

const struct flavour *kernels_at(const struct kernels *k, size_t i)
{
	return k && i < k->count ? &k->rows[i] : NULL;
}

const struct flavour *kernels_named(const struct kernels *k, const char *name)
{
	for (size_t i = 0; k && i < k->count; i++)
		if (strcmp(k->rows[i].name, name) == 0)
			return &k->rows[i];
	return NULL;
}

const struct flavour *kernels_for(const struct kernels *k, const char *cache, const char *variant)
{
	for (size_t i = 0; k && i < k->count; i++)
		if (strcmp(k->rows[i].cache, cache) == 0 &&
		    strcmp(k->rows[i].variant, variant) == 0)
			return &k->rows[i];
	return NULL;
}

const struct kernels_file *kernels_file_at(const struct kernels *k, size_t i)
{
	return k && i < k->files_count ? &k->files[i] : NULL;
}
