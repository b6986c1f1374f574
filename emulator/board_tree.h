/* board_tree.h - what the kernel's device tree of the board does not know: devices by virtio-mmio. */
#pragma once
#include <stdint.h>

struct board_links;

/* The place of virtio device n: the network card first, then the drives. */
#define BOARD_VIRTIO_BASE(n)  (0x10030000u + 0x1000u * (n))
#define BOARD_VIRTIO_INPUT(n) (27u + (n)) /* of the secondary controller, passed on; a PCI slot's */

/* Add a node for each of them that is among links and not in the tree already. Returns 0, or libfdt's
 * negative code. */
int board_tree(const struct board_links *links, void *fdt);
