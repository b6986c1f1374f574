/* ledger.h - what a test leaves in the kernel when it is killed.
 *
 * Most of what a test makes ends with its process: files have no name, mounts live in a mount
 * namespace of its own, loop devices clear themselves. What does not is written here before
 * it is made, in memory shared with the runner, which takes it away after every test, however
 * that ended. When the runner itself was killed, the next one finds the leftovers by label. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LEDGER_LABEL     "cohort-coherence-" /* the runner's pid follows */
#define LEDGER_ENTRIES   16U
#define LEDGER_NAME_MAX  48U
#define LEDGER_VALUE_MAX 24U

enum ledger_kind {
	LEDGER_FREE,
	LEDGER_LOOP,
	LEDGER_MAP,
	LEDGER_ZRAM,
	LEDGER_KNOB,
	LEDGER_CGROUP,
	LEDGER_LOOPBACK,
	LEDGER_NULL_BLK,
	LEDGER_BORROWED,
	LEDGER_UBI,
};

struct ledger_entry {
	enum ledger_kind kind;
	unsigned int loop;      /* number of the loop, zram or MTD device */
	uint64_t device, inode; /* its backing file, to be sure that it is ours */
	char name
		[LEDGER_NAME_MAX]; /* of the device-mapper map, the knob's file, the cgroup, the block device */
	char value[LEDGER_VALUE_MAX]; /* what the knob was, or what filled the device */
};

struct ledger {
	char label[LEDGER_NAME_MAX]; /* in every name that we give */
	struct ledger_entry entries[LEDGER_ENTRIES];
};

/* Start a ledger for the runner with this pid. */
void ledger_init(struct ledger *ledger, pid_t owner);

/* Note a device that is about to be made. LEDGER_FREE as kind: the caller sets it when the entry is whole.
 * Returns the entry, or NULL when there is no room. */
struct ledger_entry *ledger_add(struct ledger *ledger, enum ledger_kind kind);

/* Take away everything in ledger. Returns how many things could not be removed. */
unsigned int ledger_clean(struct ledger *ledger);

/* Take away what runners that no longer live have left. Returns how many things went. */
unsigned int ledger_sweep(void);
