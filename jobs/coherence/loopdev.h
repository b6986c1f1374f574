/* loopdev.h - loop devices by ioctl. */
#pragma once
#include <stdint.h>

struct ctx;

struct loop {
	int fd; /* the block device; owned */
	unsigned int number;
	unsigned int major, minor;
};

/* Put a loop device over the open file backing. It goes when its last user does.
 * Returns 0, or -1 with errno: ENODEV when this kernel has none. */
int loop_attach(struct ctx *ctx, int backing, struct loop *loop);

/* Clear loop device number if it is over that file; wait for it to be free.
 * Returns 0 when it is no longer ours, else -1. */
int loop_remove(unsigned int number, uint64_t device, uint64_t inode);

/* Clear every loop device for whose backing file wanted() is true. Returns how many. */
unsigned int loop_remove_matching(int (*wanted)(const char *name, void *context), void *context);
