#include "server/daemon/recipe/recipe.h"

#include "common/scoped.h"
#include "server/daemon/recipe/kernels.h"

#include <stdlib.h>
#include <string.h>

void recipe_make(struct recipe *recipe, const struct recipe_base *base, const struct flavour *f)
{
	SCOPED_JSON doc =
		json_pack("{s:i, s:s, s:s, s:O, s:s, s:O, s:s, s:s, s:O, s:O, s:O}", "v", 1, "tree",
	                  base->tree, "commit", base->commit, "patches", base->patches, "flavour",
	                  f->name, "fragments", f->fragments, "arch", f->arch, "cross", f->cross,
	                  "targets", f->targets, "collect", f->collect, "files", f->files);

	if (base->previous)
		(void)json_object_set_new(doc, "previous", json_deep_copy(base->previous));
	if (*f->cmdline)
		(void)json_object_set_new(doc, "cmdline", json_string(f->cmdline));
	recipe->text = json_dumps(doc, JSON_COMPACT | JSON_SORT_KEYS);
	if (!recipe->text)
		abort(); /* out of memory, as xalloc.h has it */
	sha256_hex(recipe->text, strlen(recipe->text), recipe->sha256);
}

void recipe_release(struct recipe *recipe)
{
	free(recipe->text);
	recipe->text = NULL;
}
