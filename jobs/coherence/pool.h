/* pool.h - sets of test pages, TARGETS_PER_DELTA for each colour delta. */
#pragma once
#include "trial.h"

/* Make file number index for a pool, with at least offset + one page of bytes.
 * Returns a descriptor the pool owns, or -1 after ctx_skip() or ctx_error(). */
typedef int pool_file_fn(struct ctx *ctx, unsigned int index, off_t bytes);

/* Make pool empty, with room for the views of POOL_MAX targets, for a test that fills it by hand.
 * Returns 0, or -1 after ctx_skip(). */
int pool_start(struct ctx *ctx, struct pool *pool);

/* Fill pool with pages of anonymous memory, each a VMA of its own. More are allocated than
 * needed and chosen by frame number, none below ctx->least_frame. A delta that never came up stays short.
 * Returns 0, or -1 (skip: frame numbers are hidden from us). */
int pool_anon(struct ctx *ctx, struct pool *pool);

/* The same with one page of one new file each, mapped MAP_SHARED. Each page is at an offset of
 * its address's colour, as caches that alias require. */
int pool_files(struct ctx *ctx, struct pool *pool, pool_file_fn *make);

/* The file that pool_of_file() wants has this many bytes; holes are fine. */
#define POOL_FILE_BYTES (UINT64_C(1) << 20)

/* As pool_files(), but every page is of the one file fd, which stays the caller's. */
int pool_of_file(struct ctx *ctx, struct pool *pool, int fd);

/* Make files and slots without mapping anything: no frame, no delta known yet. */
int pool_unmapped(struct ctx *ctx, struct pool *pool, pool_file_fn *make, unsigned int count);

/* Map the page of target into its slot at va with these protection and mapping flags.
 * Returns 0, or -1 after ctx_error(). */
int target_map(struct ctx *ctx, struct target *target, int prot, int flags);

/* Drop that mapping; the slot is PROT_NONE again. */
int target_unmap(struct ctx *ctx, struct target *target);

/* pool_file_fn: a file on tmpfs (memfd). */
int file_on_tmpfs(struct ctx *ctx, unsigned int index, off_t bytes);

/* End what pool holds. */
void pool_free(struct pool *pool);
