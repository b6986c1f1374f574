/* nullblk.h - null_blk devices that keep what is written to them. */
#pragma once
#include <sys/types.h>

struct ctx;

/* Make one of a few MiB; the ledger has it first. Returns 0 and its number, or -1 with errno: ENODEV when this
 * kernel has none that can be made. */
int nullblk_open(struct ctx *ctx, dev_t *device);

/* Remove the device name. Returns 0 when it is gone or never was, else -1. */
int nullblk_remove(const char *name);

/* Remove every device for whose name wanted() is true. Returns how many. */
unsigned int nullblk_remove_matching(int (*wanted)(const char *name, void *context), void *context);
