#include "ramfs.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

static int root = -1; /* its root directory */

/* Only our descriptor holds it: it is detached from the tree at once. */
static int mount_detached(void)
{
	static const char *const directories[] = {"/tmp", "/mnt", "/run", "/var", "/opt"};

	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		if (mount("none", directories[i], "ramfs", 0, NULL) < 0)
			continue;
		root = open(directories[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		(void)umount2(directories[i], MNT_DETACH);
		return root < 0 ? -1 : 0;
	}
	return -1;
}

int ramfs_mount(struct ctx *ctx, enum reason *reason)
{
	if (mount_detached() == 0)
		return 0;
	*reason = ctx_reason(errno);
	return *reason == REASON_NONE ? ctx_error(ctx, "mounting ramfs") : 1;
}

int file_on_ramfs(struct ctx *ctx, unsigned int index, off_t bytes)
{
	char name[16];
	int fd;

	(void)snprintf(name, sizeof(name), "file%u", index);
	fd = openat(root, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return ctx_error(ctx, "a file on ramfs");
	(void)unlinkat(root, name, 0);
	return ftruncate(fd, bytes) < 0 ? ctx_error(ctx, "sizing a file on ramfs") : fd;
}
