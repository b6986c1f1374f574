#include "board_tree.h"

#include "board.h"
#include "virtio.h"

#include <libfdt.h>
#include <stdio.h>

static int add_virtio(void *fdt, unsigned n)
{
	const fdt32_t reg[2] = {cpu_to_fdt32(BOARD_VIRTIO_BASE(n)), cpu_to_fdt32(VIRTIO_SIZE)};
	char name[32];
	int node, code;

	(void)snprintf(name, sizeof(name), "virtio@%x", BOARD_VIRTIO_BASE(n));
	node = fdt_add_subnode(fdt, 0, name);
	if (node == -FDT_ERR_EXISTS)
		return 0;
	if (node < 0)
		return node;
	code = fdt_setprop_string(fdt, node, "compatible", "virtio,mmio");
	if (code == 0)
		code = fdt_setprop(fdt, node, "reg", reg, sizeof(reg));
	if (code == 0)
		code = fdt_setprop_u32(fdt, node, "interrupts", BOARD_VIRTIO_INPUT(n));
	return code;
}

/* The card that this board has not: nobody need look for it. */
static int disable_smc91c111(void *fdt)
{
	int node = fdt_node_offset_by_compatible(fdt, -1, "smsc,lan91c111");

	return node < 0 ? 0 : fdt_setprop_string(fdt, node, "status", "disabled");
}

int board_tree(const struct board_links *links, void *fdt)
{
	int code = 0;

	/* A new node comes before the others, and drives get their names in order. */
	for (unsigned n = links->drives; code == 0 && n > 0; n--)
		code = add_virtio(fdt, n);
	if (code == 0 && links->nic == BOARD_VIRTIO_NET)
		code = add_virtio(fdt, 0);
	if (code == 0 && links->nic == BOARD_VIRTIO_NET)
		code = disable_smc91c111(fdt);
	return code;
}
