#include "knob.h"

#include "ctx.h"
#include "knobfile.h"
#include "ledger.h"
#include "sysfile.h"
#include "zramdev.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KSM "/sys/kernel/mm/ksm/"

/* A test sets the one that starts something last: what was set last is put back first. */
static const char *const paths[KNOB_COUNT] = {
	[KNOB_KSM_SLEEP] = KSM "sleep_millisecs",
	[KNOB_KSM_PAGES] = KSM "pages_to_scan",
	[KNOB_KSM_SMART_SCAN] = KSM "smart_scan",
	[KNOB_KSM_ADVISOR] = KSM "advisor_mode",
	[KNOB_KSM_RUN] = KSM "run",
	[KNOB_SCSI_DEBUG_DELAY] = "/sys/bus/pseudo/drivers/scsi_debug/delay",
	[KNOB_ZSWAP_ENABLED] = "/sys/module/zswap/parameters/enabled",
	[KNOB_BPF_JIT] = "/proc/sys/net/core/bpf_jit_enable",
	[KNOB_COMPACT_UNEVICTABLE] = "/proc/sys/vm/compact_unevictable_allowed",
};

bool knob_exists(enum knob knob)
{
	return access(paths[knob], W_OK) == 0;
}

/* The values of a list such as "[none] scan-time": the one in brackets is set. */
static void pick_chosen(char *value)
{
	char *open = strchr(value, '[');
	size_t length;

	if (open == NULL)
		return;
	length = strcspn(open + 1, "]");
	memmove(value, open + 1, length);
	value[length] = '\0';
}

static struct ledger_entry *find_entry(struct ledger *ledger, enum knob knob)
{
	for (unsigned int i = 0; i < LEDGER_ENTRIES; i++) {
		struct ledger_entry *entry = &ledger->entries[i];

		if (entry->kind == LEDGER_KNOB && strcmp(entry->name, paths[knob]) == 0)
			return entry;
	}
	return NULL;
}

static int note_old(struct ctx *ctx, enum knob knob)
{
	char old[128];
	struct ledger_entry *entry;

	if (find_entry(ctx->ledger, knob) != NULL)
		return 0;
	if (sysfile_read(paths[knob], old, sizeof(old)) < 0)
		return -1;
	pick_chosen(old);
	entry = ledger_add(ctx->ledger, LEDGER_FREE);
	if (entry == NULL || strlen(old) >= sizeof(entry->value)) {
		errno = ENOSPC;
		return -1;
	}
	(void)snprintf(entry->name, sizeof(entry->name), "%s", paths[knob]);
	memcpy(entry->value, old, strlen(old) + 1);
	entry->kind = LEDGER_KNOB; /* last: a half-filled entry must not be restored */
	knobfile_note(ctx->ledger, entry->name, entry->value);
	return 0;
}

int knob_set(struct ctx *ctx, enum knob knob, const char *value)
{
	if (note_old(ctx, knob) < 0)
		return -1;
	return sysfile_write(paths[knob], value);
}

int knob_restore(const struct ledger_entry *entry)
{
	return sysfile_write(entry->name, entry->value);
}

int knob_restore_noted(const char *name, const char *value)
{
	if (strcmp(name, KNOB_ZRAM) == 0)
		return zram_remove_empty((unsigned int)strtoul(value, NULL, 10));
	for (unsigned int knob = 0; knob < KNOB_COUNT; knob++) {
		if (strcmp(name, paths[knob]) == 0)
			return sysfile_write(paths[knob], value);
	}
	return -1;
}
