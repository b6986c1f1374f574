/* provisions.h - what cohortd is given to make kernels from: flavours (--kernels) and controls (--controls). */
#pragma once
#include <stdint.h>

struct controls;
struct err;
struct kernels;
struct provisions; /* opaque */
struct store;

/* Read both directories; NULL for one means that there are none. NULL with *err. */
struct provisions *provisions_load(const char *kernels_dir, const char *controls_dir,
                                   struct err *err);
void provisions_free(struct provisions *provisions); /* provisions may be NULL */

/* Each file that recipes may name becomes a file of the store. */
int provisions_store(const struct provisions *provisions, struct store *store,
                     const char *state_dir, int64_t now_us, struct err *err);

/* NULL: there are none. */
const struct kernels *provisions_kernels(const struct provisions *provisions);
const struct controls *provisions_controls(const struct provisions *provisions);

/* What was read, for --check-config. */
void provisions_print(const struct provisions *provisions);
