/* dmdev.h - device-mapper maps by ioctl, without dmsetup. */
#pragma once
#include <stdint.h>
#include <sys/types.h>

struct ctx;

/* Create the map name with one target over sectors, running. The ledger has it first.
 * Returns 0 and its number in *device, or -1 with errno: EINVAL when the kernel
 * has no such target or refuses its parameters; ENODEV when it has no device mapper. */
int dm_create(struct ctx *ctx, const char *name, const char *target, const char *parameters,
              uint64_t sectors, dev_t *device);

/* Remove the map name; wait until it is free. Returns 0 when it is gone or never was. */
int dm_remove(const char *name);

/* Remove every map for whose name wanted() is true. Returns how many. */
unsigned int dm_remove_matching(int (*wanted)(const char *name, void *context), void *context);
