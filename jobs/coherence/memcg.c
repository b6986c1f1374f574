#include "memcg.h"

#include "ctx.h"
#include "detached.h"
#include "ledger.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define REMOVE_ATTEMPTS 200U
#define REMOVE_PAUSE_NS 10000000L

static int reclaim_file = -1;

/* The root of the second hierarchy. */
static int open_root(void)
{
	return detached_mount("cgroup2");
}

static int enter(struct ctx *ctx, int root)
{
	struct ledger_entry *entry = ledger_add(ctx->ledger, LEDGER_FREE);
	int group;
	int result;
	int error;

	if (entry == NULL) {
		errno = ENOSPC;
		return -1;
	}
	if (detached_write(root, "cgroup.subtree_control", "+memory") < 0) {
		errno = errno == ENOENT || errno == EINVAL ? ENODEV : errno;
		return -1;
	}
	(void)snprintf(entry->name, sizeof(entry->name), "%s", ctx->ledger->label);
	entry->kind = LEDGER_CGROUP;
	if (mkdirat(root, entry->name, 0700) < 0)
		return -1;
	group = openat(root, entry->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (group < 0)
		return -1;
	result = detached_write(group, "cgroup.procs", "0");
	if (result == 0)
		reclaim_file = openat(group, "memory.reclaim", O_WRONLY | O_CLOEXEC);
	error = errno;
	(void)close(group);
	errno = error;
	return result;
}

int memcg_enter(struct ctx *ctx)
{
	int root = open_root();
	int result;
	int error;

	if (root < 0)
		return -1;
	result = enter(ctx, root);
	error = errno;
	(void)close(root);
	errno = error;
	return result;
}

int memcg_reclaim(size_t bytes)
{
	char text[24];
	int length = snprintf(text, sizeof(text), "%zu", bytes);

	if (reclaim_file < 0) {
		errno = ENOENT;
		return -1;
	}
	if (pwrite(reclaim_file, text, (size_t)length, 0) < 0 && errno != EAGAIN)
		return -1;
	return 0;
}

/* Processes that end leave their cgroup a moment after they have been waited for. */
static int remove_at(int root, const char *name)
{
	struct timespec pause = {.tv_nsec = REMOVE_PAUSE_NS};

	for (unsigned int i = 0; i < REMOVE_ATTEMPTS; i++) {
		if (unlinkat(root, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
			return 0;
		if (errno != EBUSY)
			return -1;
		(void)nanosleep(&pause, NULL);
	}
	return -1;
}

int memcg_remove(const char *name)
{
	int root = open_root();
	int result;

	if (root < 0)
		return -1;
	result = remove_at(root, name);
	(void)close(root);
	return result;
}

unsigned int memcg_remove_matching(int (*wanted)(const char *name, void *context), void *context)
{
	unsigned int removed = 0;
	int root = open_root();
	DIR *directory = root < 0 ? NULL : fdopendir(root);
	const struct dirent *found;

	if (directory == NULL) {
		if (root >= 0)
			(void)close(root);
		return 0;
	}
	while ((found = readdir(directory)) != NULL) {
		if (wanted(found->d_name, context) && remove_at(root, found->d_name) == 0)
			removed++;
	}
	(void)closedir(directory);
	return removed;
}
