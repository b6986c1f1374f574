/* kernels.h - which kernels the farm can build: the flavours of DIR/kernels.json (docs/SERIES.md), with the fragments
 * and files that they name. Read once at start and not changed after: no lock. */
#pragma once
#include "common/sha256.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct kernels; /* opaque */

/* One row: a configuration of the kernel for one cache class. Everything is borrowed from the kernels. */
struct flavour {
	const char *name;    /* unique: "v5", "v5+dbg"; the builder's output directory */
	const char *variant; /* what a study asks for: "ref", "dbg"; one a cache class */
	const char *cache;
	const char *arch, *cross, *cmdline;
	json_t *targets; /* array: make's */
	json_t *collect; /* {role: path below the output directory} */
	json_t *fragments; /* array of SHA-256, in order: of two that set an option the later one counts */
	json_t *files; /* {role: SHA-256}: go with every build */
};

/* Read DIR/kernels.json and hash what it names. NULL with *err that names the file and each wrong field. */
struct kernels *kernels_load(const char *dir, struct err *err);
void kernels_free(struct kernels *kernels); /* kernels may be NULL */

/* The i-th row, NULL behind the last. These take NULL for kernels: there are none. */
const struct flavour *kernels_at(const struct kernels *kernels, size_t i);
const struct flavour *kernels_named(const struct kernels *kernels, const char *name);
const struct flavour *kernels_for(const struct kernels *kernels, const char *cache,
                                  const char *variant);

/* A file that recipes name by its SHA-256. */
struct kernels_file {
	char *path; /* owned by the kernels */
	char sha256[SHA256_HEX];
	uint64_t size;
};
const struct kernels_file *kernels_file_at(const struct kernels *kernels, size_t i);
