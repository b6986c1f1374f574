#include "ledger.h"

#include "borrowed.h"
#include "dmdev.h"
#include "knob.h"
#include "knobfile.h"
#include "loopback.h"
#include "loopdev.h"
#include "memcg.h"
#include "nullblk.h"
#include "ubidev.h"
#include "zramdev.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ledger_init(struct ledger *ledger, pid_t owner)
{
	memset(ledger, 0, sizeof(*ledger));
	(void)snprintf(ledger->label, sizeof(ledger->label), LEDGER_LABEL "%ld", (long)owner);
}

struct ledger_entry *ledger_add(struct ledger *ledger, enum ledger_kind kind)
{
	for (unsigned int i = 0; i < LEDGER_ENTRIES; i++) {
		struct ledger_entry *entry = &ledger->entries[i];

		if (entry->kind == LEDGER_FREE) {
			memset(entry, 0, sizeof(*entry));
			entry->kind = kind;
			return entry;
		}
	}
	return NULL;
}

static int remove_entry(struct ledger_entry *entry)
{
	entry->name[sizeof(entry->name) - 1] = '\0';
	entry->value[sizeof(entry->value) - 1] = '\0';
	if (entry->kind == LEDGER_LOOP)
		return loop_remove(entry->loop, entry->device, entry->inode);
	if (entry->kind == LEDGER_MAP)
		return dm_remove(entry->name);
	if (entry->kind == LEDGER_ZRAM)
		return zram_remove(entry->loop);
	if (entry->kind == LEDGER_KNOB)
		return knob_restore(entry);
	if (entry->kind == LEDGER_CGROUP)
		return memcg_remove(entry->name);
	if (entry->kind == LEDGER_LOOPBACK)
		return loopback_down();
	if (entry->kind == LEDGER_NULL_BLK)
		return nullblk_remove(entry->name);
	if (entry->kind == LEDGER_BORROWED)
		return borrowed_give_back(entry);
	if (entry->kind == LEDGER_UBI)
		return ubi_remove(entry->loop);
	return 0;
}

unsigned int ledger_clean(struct ledger *ledger)
{
	unsigned int failed = 0;

	/* Backwards: a map holds the loop device below it. */
	for (unsigned int i = LEDGER_ENTRIES; i-- > 0;) {
		struct ledger_entry *entry = &ledger->entries[i];

		if (remove_entry(entry) < 0)
			failed++;
		entry->kind = LEDGER_FREE;
	}
	if (failed == 0)
		knobfile_forget(ledger);
	return failed;
}

/* True when name has our label and the runner that it names is gone. */
static int is_orphan(const char *name, void *context)
{
	const char *label = strstr(name, LEDGER_LABEL);
	long owner;

	(void)context;
	if (label == NULL)
		return 0;
	owner = strtol(label + strlen(LEDGER_LABEL), NULL, 10);
	return owner > 0 && kill((pid_t)owner, 0) < 0 && errno == ESRCH;
}

unsigned int ledger_sweep(void)
{
	return dm_remove_matching(is_orphan, NULL) + loop_remove_matching(is_orphan, NULL) +
	       zram_remove_matching(is_orphan, NULL) + memcg_remove_matching(is_orphan, NULL) +
	       nullblk_remove_matching(is_orphan, NULL) + ubi_remove_matching(is_orphan, NULL) +
	       borrowed_sweep(is_orphan, NULL) + knobfile_sweep(is_orphan, NULL);
}
