/* node.h - open a device by its number.
 * A board may have no devtmpfs, a static /dev without our device, or a read-only root. */
#pragma once
#include <sys/types.h>

/* Open the device (type is S_IFBLK or S_IFCHR) through a node that exists only for the moment.
 * Returns a close-on-exec descriptor that the caller owns, or -1 with errno. */
int node_open(mode_t type, dev_t device, int flags);

#define NODE_PATH_MAX 64U

/* The same, but the node stays at path until the caller removes it, for calls that want a name. */
int node_open_named(mode_t type, dev_t device, int flags, char path[NODE_PATH_MAX]);

/* Number of a miscellaneous device by its name in /proc/misc, such as "loop-control".
 * Returns 0, or -1 with errno ENODEV when the kernel has none. */
int node_misc(const char *name, dev_t *device);

/* Number of the block device /sys/block/NAME. Returns 0, or -1 with errno. */
int node_block(const char *name, dev_t *device);
