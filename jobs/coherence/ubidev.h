/* ubidev.h - a read-only block device over a UBI volume over mtdram, by ioctl. */
#pragma once
#include <stddef.h>
#include <sys/types.h>

struct ctx;

/* Attach UBI to mtdram, which must be blank, make a volume that holds content, and a block device over it. The
 * ledger has it first. Returns 0 and its number, or -1 with errno: ENODEV when the kernel lacks a part, EBUSY
 * when mtdram is in use. */
int ubi_open(struct ctx *ctx, const void *content, size_t bytes, dev_t *device);

/* Take that apart and erase MTD device number. Returns 0 when it is gone, else -1. */
int ubi_remove(unsigned int mtd);

/* The same for what a runner has left for whose volume wanted() is true. Returns how many. */
unsigned int ubi_remove_matching(int (*wanted)(const char *name, void *context), void *context);
