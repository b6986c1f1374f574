/* load.h - put a kernel, its device tree and its initramfs into RAM, as a boot loader does. */
#pragma once
#include <stdint.h>

struct board_links;
struct bus;
struct cpu;
struct err;

struct load_request {
	const char *kernel; /* zImage, or a raw Image */
	const char *dtb;
	const char *initrd; /* NULL: none */
	const char *append; /* command line; NULL: what the device tree says */
	/* Becomes /chosen/rng-seed unless the device tree has one: the same seed, the same random
	 * numbers. */
	uint64_t seed;
	const struct board_links *links; /* whose devices the device tree gets */
};

/* Load and set the registers: r0 = 0, r1 = ~0, r2 = device tree, pc = kernel. The copy of the device
 * tree gets the size of RAM, the command line, where the initramfs is, and the seed.
 * Returns 0, or -1 with *err naming the file and what is wrong with it. */
int load_linux(struct bus *bus, struct cpu *cpu, const struct load_request *request,
               struct err *err);
