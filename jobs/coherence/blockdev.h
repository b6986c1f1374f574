/* blockdev.h - block devices in memory, one for each driver that copies user pages in its own way. */
#pragma once
#include "borrowed.h"
#include "ctx.h"
#include "zramdev.h"

enum backend {
	BACKEND_BRD,
	BACKEND_NULL_BLK,
	BACKEND_ZRAM,
	BACKEND_SCSI_DEBUG,
	BACKEND_MTDBLOCK,
	BACKEND_UBIBLOCK, /* cannot be written to */
	BACKENDS,
};

#define BLOCKDEV_BYTES BORROWED_BYTES /* what each has, at least */

struct blockdev {
	enum backend backend;
	int buffered, direct; /* the device, opened twice */
	struct zram zram;
};

/* Set one up with content (at most BLOCKDEV_BYTES) at its start. Returns 0; 1 when this kernel or user cannot, with
 * *reason saying why; or -1 after ctx_error(). */
int blockdev_open(struct ctx *ctx, enum backend backend, const void *content, size_t bytes,
                  struct blockdev *dev, enum reason *reason);

/* Close it and leave what was there before. Returns 0, or -1 after ctx_error(). */
int blockdev_close(struct ctx *ctx, struct blockdev *dev);

/* Read bytes at offset by a way that does not touch the caller's pages, through the page cache.
 * Returns 0, or -1 after ctx_error(). */
int blockdev_look(struct ctx *ctx, const struct blockdev *dev, void *buffer, size_t bytes,
                  off_t offset);
