#include "knob.h"

#include "ctx.h"
#include "ledger.h"
#include "sysfile.h"
#include "zramdev.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

/* Where the file with old values may be: the first that is writable. */
static const char *const directories[] = {"/run", "/dev/shm", "/tmp"};

#define DIRECTORIES (sizeof(directories) / sizeof(directories[0]))
#define SUFFIX      ".knobs"
#define LINE_ROOM   (LEDGER_NAME_MAX + LEDGER_VALUE_MAX + 2U)

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

/* A board whose directories are all read-only can still be tested: then only a killed runner
 * leaves the setting changed. */
void knob_remember(const struct ledger *ledger, const char *name, const char *value)
{
	char line[LINE_ROOM];
	int length = snprintf(line, sizeof(line), "%s %s\n", name, value);

	for (size_t i = 0; i < DIRECTORIES; i++) {
		char path[96];
		int fd;

		(void)snprintf(path, sizeof(path), "%s/%s" SUFFIX, directories[i], ledger->label);
		fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0)
			continue;
		if (write(fd, line, (size_t)length) == length) {
			(void)close(fd);
			return;
		}
		(void)close(fd);
	}
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
	knob_remember(ctx->ledger, entry->name, entry->value);
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

void knob_forget(const struct ledger *ledger)
{
	for (size_t i = 0; i < DIRECTORIES; i++) {
		char path[96];

		(void)snprintf(path, sizeof(path), "%s/%s" SUFFIX, directories[i], ledger->label);
		(void)unlink(path);
	}
}

static int restore_line(char *line)
{
	char *value = strchr(line, ' ');

	if (value == NULL)
		return -1;
	*value++ = '\0';
	value[strcspn(value, "\n")] = '\0';
	if (strcmp(line, KNOB_ZRAM) == 0)
		return zram_remove_empty((unsigned int)strtoul(value, NULL, 10));
	for (unsigned int knob = 0; knob < KNOB_COUNT; knob++) {
		if (strcmp(line, paths[knob]) == 0)
			return sysfile_write(paths[knob], value);
	}
	return -1;
}

/* Others may write into /tmp, too: only a plain file of our own user is believed. */
static unsigned int restore_file(int directory, const char *name)
{
	char line[LINE_ROOM];
	unsigned int restored = 0;
	struct stat status;
	int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

	if (file == NULL)
		return 0;
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == geteuid()) {
		while (fgets(line, sizeof(line), file) != NULL)
			restored += restore_line(line) == 0 ? 1U : 0U;
		(void)unlinkat(directory, name, 0);
	}
	(void)fclose(file);
	return restored;
}

unsigned int knob_sweep(int (*is_orphan)(const char *name, void *context), void *context)
{
	unsigned int restored = 0;

	for (size_t i = 0; i < DIRECTORIES; i++) {
		DIR *directory = opendir(directories[i]);
		const struct dirent *found;

		while (directory != NULL && (found = readdir(directory)) != NULL) {
			if (strstr(found->d_name, SUFFIX) != NULL &&
			    is_orphan(found->d_name, context))
				restored += restore_file(dirfd(directory), found->d_name);
		}
		if (directory != NULL)
			(void)closedir(directory);
	}
	return restored;
}
