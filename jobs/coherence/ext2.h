/* ext2.h - a small ext2 file system of our own, so that the page cache of a disk file system
 * is tested on boards that have none but their initramfs. */
#pragma once
#include "trial.h"

#define EXT2_BLOCKS 256U /* of 4 KiB */

/* Write an empty ext2 into the file fd, EXT2_BLOCKS long. Returns 0, or -1 with errno. */
int ext2_make(int fd);

/* Mount one over a loop device, in a mount namespace of our own: it is gone when this process
 * is. Sets ctx->ext2. Returns 0; 1 when this kernel or user cannot, with *reason saying why;
 * or -1 after ctx_error(). */
int ext2_mount(struct ctx *ctx, enum reason *reason);

/* pool_file_fn: a file on that file system. */
int file_on_ext2(struct ctx *ctx, unsigned int index, off_t bytes);
