/* knob.h - settings of the kernel that a test changes and that must be what they were afterwards.
 *
 * The old value is written into the ledger before the first change, and for the case that the
 * runner itself is killed into a file that ledger_sweep() finds (knobfile.h). */
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

/* Put back what entry notes. Returns 0, or -1 when it could not. */
int knob_restore(const struct ledger_entry *entry);

/* The same for what a file says, which must be a knob that we know, or KNOB_ZRAM. */
int knob_restore_noted(const char *name, const char *value);
