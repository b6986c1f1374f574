/* ramfs.h - files on ramfs, which every kernel has and whose page cache is the generic one, without a disk below. */
#pragma once
#include "ctx.h"

#include <sys/types.h>

/* Mount one, seen by nobody else and gone with this process. Returns 0; 1 when this user may not, with *reason saying
 * why; or -1 after ctx_error(). */
int ramfs_mount(struct ctx *ctx, enum reason *reason);

/* pool_file_fn: a file on it. */
int file_on_ramfs(struct ctx *ctx, unsigned int index, off_t bytes);
