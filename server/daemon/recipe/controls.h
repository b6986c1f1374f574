/* controls.h - kernels that are wrong on purpose (jobs/controls): the rows of DIR/controls.json, each with its patch as
 * a mail that `git am` takes. A study that carries one shows whether its tests can fail at all.
 * Read once at start and not changed after: no lock. */
#pragma once
#include "common/sha256.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct err;
struct controls; /* opaque */

struct control {
	const char *name, *title; /* borrowed from the controls, as all but the hash */
	json_t *kernels; /* array: names of flavours that it is made for, "v5", "v5+highmem" */
	json_t *expect;  /* {cache class: [tests that must fail there]} */
	char *mail;      /* the patch */
	char sha256[SHA256_HEX]; /* of mail */
};

/* Read DIR/controls.json and DIR/NAME.patch of each row of the kind `control`; other kinds are fixes, and nothing that
 * must fail. NULL with *err that names file and field. */
struct controls *controls_load(const char *dir, struct err *err);
void controls_free(struct controls *all); /* all may be NULL */

/* The i-th row, NULL behind the last. Both take NULL for controls: there are none. */
const struct control *controls_at(const struct controls *all, size_t i);
const struct control *controls_find(const struct controls *all, const char *name);

/* Is it made for the flavour of that name? One for "v5" is for "v5+dbg", too. */
bool control_fits(const struct control *control, const char *flavour);
