/* recipe.h - everything that goes into a kernel build, as one text (docs/SERIES.md). Its SHA-256 is the build's
 * identity: the same ingredients are one build, whoever asks for them. Pure. */
#pragma once
#include "common/sha256.h"

#include <jansson.h>

struct flavour;

struct recipe {
	char *text; /* owned: JSON with sorted keys, what is hashed and what the builder gets as recipe.json */
	char sha256[SHA256_HEX];
};

struct recipe_base {
	const char *tree, *commit;
	json_t *patches;        /* array of SHA-256, in order; borrowed */
	const json_t *previous; /* the same of the revision before, for a range-diff; NULL: none */
};

/* The caller calls recipe_release(). */
void recipe_make(struct recipe *recipe, const struct recipe_base *base,
                 const struct flavour *flavour);
void recipe_release(struct recipe *recipe);

/* The digits of a recipe's hash that stand in the kernel's release behind "-cohort-". */
#define RECIPE_DIGITS 12
