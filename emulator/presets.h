/* presets.h - caches as real parts have them: one row a part, with where it is from. */
#pragma once
#include <stdio.h>

struct err;
struct machine_config;

/* Give config the core and the caches of the part called name; seeds stay. The core is always one of those that
 * this program has: an ARM920, a Feroceon or an XScale is an ARM926 with that part's caches.
 * 0, or -1 with *err (ERR_INVALID). */
int presets_apply(const char *name, struct machine_config *config, struct err *err);

/* A line for each part. */
void presets_print(FILE *file);
