#include "server/daemon/provisions.h"

#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/filestore.h"
#include "server/daemon/recipe/controls.h"
#include "server/daemon/recipe/kernels.h"
#include "server/daemon/store/files.h"
#include "server/daemon/store/store.h"

#include <stdio.h>
#include <string.h>

struct provisions {
	struct kernels *kernels;
	struct controls *controls;
};

struct provisions *provisions_load(const char *kernels_dir, const char *controls_dir,
                                   struct err *err)
{
	struct provisions *p = xcalloc(1, sizeof(*p));

	if (kernels_dir)
		p->kernels = kernels_load(kernels_dir, err);
	if (controls_dir && (p->kernels || !kernels_dir))
		p->controls = controls_load(controls_dir, err);
	if (!kernels_dir == !p->kernels && !controls_dir == !p->controls)
		return p;
	provisions_free(p);
	return NULL;
}

void provisions_free(struct provisions *p)
{
	if (!p)
		return;
	kernels_free(p->kernels);
	controls_free(p->controls);
	free(p);
}

const struct kernels *provisions_kernels(const struct provisions *p)
{
	return p->kernels;
}

const struct controls *provisions_controls(const struct provisions *p)
{
	return p->controls;
}

struct rows {
	const struct provisions *provisions;
	int64_t now_us;
};

static int rows_write(struct db *db, void *arg, struct err *err)
{
	const struct rows *rows = arg;
	const struct kernels_file *file;
	const struct control *control;

	for (size_t i = 0; (file = kernels_file_at(rows->provisions->kernels, i)); i++)
		if (file_put(db, file->sha256, (int64_t)file->size, rows->now_us, err) < 0)
			return -1;
	for (size_t i = 0; (control = controls_at(rows->provisions->controls, i)); i++)
		if (file_put(db, control->sha256, (int64_t)strlen(control->mail), rows->now_us,
		             err) < 0)
			return -1;
	return 0;
}

int provisions_store(const struct provisions *p, struct store *store, const char *state_dir,
                     int64_t now_us, struct err *err)
{
	struct rows rows = {.provisions = p, .now_us = now_us};
	const struct kernels_file *file;
	const struct control *control;

	/* The bytes first: a row says that they are there. */
	for (size_t i = 0; (file = kernels_file_at(p->kernels, i)); i++)
		if (filestore_copy(state_dir, file->path, file->sha256, (int64_t)file->size, err) <
		    0)
			return -1;
	for (size_t i = 0; (control = controls_at(p->controls, i)); i++)
		if (filestore_text(state_dir, control->mail, control->sha256, err) < 0)
			return -1;
	return store_write(store, rows_write, &rows, err);
}

void provisions_print(const struct provisions *p)
{
	const struct flavour *f;
	size_t controls = 0;

	for (size_t i = 0; (f = kernels_at(p->kernels, i)); i++) {
		SCOPED_STR targets = jx_text(f->targets);

		(void)printf("flavour %s: class %s, %s, %zu fragments, %s %s\n", f->name, f->cache,
		             f->variant, json_array_size(f->fragments), f->cross, targets);
	}
	while (controls_at(p->controls, controls))
		controls++;
	if (controls > 0)
		(void)printf("%zu controls\n", controls);
}
