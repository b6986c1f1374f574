#include "overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* The first of these that exists is hidden below memory. */
static const char *const directories[] = {"/opt", "/var", "/run", "/tmp", "/mnt"};
static const char *below;

static int mount_memory(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		below = directories[i];
		if (mount("none", below, "tmpfs", 0, "size=1m") == 0)
			return 0;
		if (errno != ENOENT)
			return -1;
	}
	return -1;
}

static int make_layers(void)
{
	static const char *const names[] = {"lower", "upper", "work", "merged"};
	char path[64];
	int fd;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", below, names[i]);
		if (mkdir(path, 0700) < 0)
			return -1;
	}
	(void)snprintf(path, sizeof(path), "%s/lower/file", below);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0700);
	if (fd < 0)
		return -1;
	(void)close(fd);
	return 0;
}

static int mount_layers(void)
{
	char options[160];
	char path[64];

	(void)snprintf(options, sizeof(options),
	               "lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work", below, below, below);
	(void)snprintf(path, sizeof(path), "%s/merged", below);
	return mount("none", path, "overlay", 0, options);
}

int overlay_mount(struct ctx *ctx, enum reason *reason)
{
	if (mount_memory() == 0 && make_layers() == 0 && mount_layers() == 0)
		return 0;
	*reason = ctx_reason(errno);
	return *reason == REASON_NONE ? ctx_error(ctx, "mounting an overlay file system") : 1;
}

int overlay_file(struct ctx *ctx)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/merged/file", below);
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? ctx_error(ctx, "a file on the overlay file system") : fd;
}
