/* knob.h - settings of the kernel that a test changes and that must be what they were afterwards.
 *
 * The old value is written into the ledger before the first change, and for the case that the
 * runner itself is killed into a file that ledger_sweep() finds. */
#pragma once
#include <stdbool.h>

struct ctx;
struct ledger;
struct ledger_entry;

enum knob {
	KNOB_KSM_SLEEP,
	KNOB_KSM_PAGES,
	KNOB_KSM_SMART_SCAN, /* since 6.7: pages that did not merge are passed over */
	KNOB_KSM_ADVISOR,    /* since 6.8: sets the two above by itself */
	KNOB_KSM_RUN,
	KNOB_ZSWAP_ENABLED,
	KNOB_COMPACT_UNEVICTABLE, /* may compaction move locked pages? */
	KNOB_SCSI_DEBUG_DELAY,    /* how long each command takes, in ticks */
	KNOB_BPF_JIT,
	KNOB_COUNT,
};

/* True when this kernel has it. */
bool knob_exists(enum knob knob);

/* Set it. Returns 0, or -1 with errno. */
int knob_set(struct ctx *ctx, enum knob knob, const char *value);

#define KNOB_ZRAM                                                                                  \
	"zram" /* as name: not a setting but the number of a zram device that may have no label yet */

/* Write a line for the sweep into the file of this ledger, where there is room for one. */
void knob_remember(const struct ledger *ledger, const char *name, const char *value);

/* Put back what entry notes. Returns 0, or -1 when it could not. */
int knob_restore(const struct ledger_entry *entry);

/* Everything of this ledger is restored: its file may go. */
void knob_forget(const struct ledger *ledger);

/* Restore what runners that no longer live have left; is_orphan() knows them by the name of
 * their file. Returns how many settings were put back. */
unsigned int knob_sweep(int (*is_orphan)(const char *name, void *context), void *context);
