/* zramdev.h - a compressed RAM disk, as a block device or to swap to. */
#pragma once
#include <stdint.h>
#include <sys/types.h>

struct ctx;

struct zram {
	int fd; /* the block device, read and write; owned, -1 when given back */
	unsigned int number;
	dev_t device;
	uint64_t bytes; /* that a test may use; one page more, behind them, says whose it is */
};

/* Make a zram device of bytes (a multiple of the page size); algorithm NULL: the kernel's default.
 * The ledger has it first. Returns 0, or -1 with errno: ENODEV when this kernel has none, EINVAL
 * when it has not that algorithm. */
int zram_open(struct ctx *ctx, struct zram *zram, uint64_t bytes, const char *algorithm);

/* Swap to it, before any other swap area. Returns 0, or -1 with errno. */
int zram_swapon(struct zram *zram);

/* Stop swapping to it. Returns 0, or -1 with errno. */
int zram_swapoff(const struct zram *zram);

/* End swapping to zram device number, empty it and take it away. LEDGER_ZRAM_NEW: the one that
 * was being made. Returns 0 when it is gone, else -1. */
int zram_remove(unsigned int number);

/* Take device number away if nothing is in it: a runner was killed before it had a label, or when it was empty again.
 * Returns 0, or -1 when it is not there or in use. */
int zram_remove_empty(unsigned int number);

#define LEDGER_ZRAM_NEW 0xffffffffU

/* Remove every zram device whose last page wanted() is true for. Returns how many. */
unsigned int zram_remove_matching(int (*wanted)(const char *name, void *context), void *context);
