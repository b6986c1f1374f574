#include "nullblk.h"

#include "ctx.h"
#include "detached.h"
#include "ledger.h"
#include "node.h"
#include "sysfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The directory whose subdirectories are devices, or -1 with errno. */
static int open_group(void)
{
	int root;
	int group;
	int error;

	/* Mounting configfs would load nothing, but is in vain without the driver. */
	if (access("/sys/module/null_blk", F_OK) < 0) {
		errno = ENODEV;
		return -1;
	}
	root = detached_mount("configfs");
	if (root < 0)
		return -1;
	group = openat(root, "nullb", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	error = errno == ENOENT ? ENODEV : errno;
	(void)close(root);
	errno = error;
	return group;
}

static int set_up(int item)
{
	static const struct {
		const char *name, *value;
	} settings[] = {
		{"size", "4"}, /* MiB */
		{"memory_backed", "1"},  {"submit_queues", "1"},
		{"hw_queue_depth", "4"}, {"power", "1"},
	};

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		if (detached_write(item, settings[i].name, settings[i].value) < 0)
			return -1;
	}
	return 0;
}

/* The device's number: since 6.0 it has the directory's name, before that nullbN. */
static int find_device(int item, const char *label, dev_t *device)
{
	char index[16] = "";
	char name[24];
	int fd;

	if (node_block(label, device) == 0)
		return 0;
	fd = openat(item, "index", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (read(fd, index, sizeof(index) - 1) < 0)
		index[0] = '\0';
	(void)close(fd);
	index[strcspn(index, "\n")] = '\0';
	(void)snprintf(name, sizeof(name), "nullb%.8s", index);
	return node_block(name, device);
}

static int make(int group, const char *name, dev_t *device)
{
	int item;
	int result;
	int error;

	if (mkdirat(group, name, 0700) < 0)
		return -1;
	item = openat(group, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (item < 0)
		return -1;
	result = set_up(item) < 0 ? -1 : find_device(item, name, device);
	error = errno;
	(void)close(item);
	errno = error;
	return result;
}

int nullblk_open(struct ctx *ctx, dev_t *device)
{
	struct ledger_entry *entry = ledger_add(ctx->ledger, LEDGER_FREE);
	int group = open_group();
	int result;
	int error;

	if (group < 0)
		return -1;
	if (entry == NULL) {
		(void)close(group);
		errno = ENOSPC;
		return -1;
	}
	(void)snprintf(entry->name, sizeof(entry->name), "%s", ctx->ledger->label);
	entry->kind = LEDGER_NULL_BLK;
	result = make(group, entry->name, device);
	error = errno;
	(void)close(group);
	errno = error;
	return result;
}

int nullblk_remove(const char *name)
{
	int group = open_group();
	int result;

	if (group < 0)
		return errno == ENODEV || errno == ENOSYS ? 0 : -1;
	result = unlinkat(group, name, AT_REMOVEDIR);
	if (result < 0 && errno == ENOENT)
		result = 0;
	(void)close(group);
	return result;
}

unsigned int nullblk_remove_matching(int (*wanted)(const char *name, void *context), void *context)
{
	int group = open_group();
	DIR *directory = group < 0 ? NULL : fdopendir(group);
	const struct dirent *found;
	unsigned int removed = 0;

	if (directory == NULL)
		return 0;
	while ((found = readdir(directory)) != NULL) {
		if (wanted(found->d_name, context) && nullblk_remove(found->d_name) == 0)
			removed++;
	}
	(void)closedir(directory);
	return removed;
}
