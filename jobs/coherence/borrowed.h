/* borrowed.h - block devices in memory that are there already, and that nobody uses: RAM disks, scsi_debug's, mtdblock
 * over mtdram. One may be borrowed when it is blank: what a test will write to holds one byte, over and over, and
 * holds it again afterwards. */
#pragma once
#include <stdint.h>
#include <sys/types.h>

struct ctx;
struct ledger_entry;

enum borrowed_kind { BORROWED_BRD, BORROWED_SCSI_DEBUG, BORROWED_MTDBLOCK, BORROWED_KINDS };

#define BORROWED_BYTES (UINT64_C(128) << 10) /* what a test may write to, from the start */

/* Borrow the first that is blank; the ledger has it first. Returns 0 and its number, or -1 with
 * errno: ENODEV when there is none of that kind, EBUSY when all are in use or hold something. */
int borrowed_take(struct ctx *ctx, enum borrowed_kind kind, dev_t *device);

/* Make it blank again. Whoever calls has closed it. Returns 0, or -1 with errno. */
int borrowed_give_back(struct ledger_entry *entry);

/* Make every device blank for whose label wanted() is true. Returns how many. */
unsigned int borrowed_sweep(int (*wanted)(const char *name, void *context), void *context);

/* The name in /sys/block of the first mtdblock over mtdram. Returns 0, or -1 with errno ENODEV. */
int borrowed_mtdram(char name[32]);
