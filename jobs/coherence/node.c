#include "node.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define MISC_MAJOR 10U

/* Where a node may be made: the first of these that is writable and not mounted nodev. */
static const char *const directories[] = {"/tmp", "/dev", "/run", "/dev/shm", "/mnt", "/"};

int node_open(mode_t type, dev_t device, int flags)
{
	char path[64];
	int error = ENOENT;

	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		int fd;

		(void)snprintf(path, sizeof(path), "%s/.cohort-node-%ld", directories[i],
		               (long)getpid());
		if (mknod(path, type | 0600, device) < 0) {
			error = errno;
			continue;
		}
		fd = open(path, flags | O_CLOEXEC);
		error = errno;
		(void)unlink(path);
		if (fd >= 0)
			return fd;
		if (error != EACCES) /* EACCES: mounted nodev */
			break;
	}
	errno = error;
	return -1;
}

int node_misc(const char *name, dev_t *device)
{
	FILE *misc = fopen("/proc/misc", "re");
	char line[128];
	unsigned int number;
	char found[64];
	int result = -1;

	while (misc != NULL && result < 0 && fgets(line, sizeof(line), misc) != NULL) {
		if (sscanf(line, "%u %63s", &number, found) == 2 && strcmp(found, name) == 0) {
			*device = makedev(MISC_MAJOR, number);
			result = 0;
		}
	}
	if (misc != NULL)
		(void)fclose(misc);
	if (result < 0)
		errno = ENODEV;
	return result;
}

int node_block(const char *name, dev_t *device)
{
	char path[96];
	unsigned int high;
	unsigned int low;
	FILE *file;
	int fields;

	(void)snprintf(path, sizeof(path), "/sys/block/%s/dev", name);
	file = fopen(path, "re");
	if (file == NULL)
		return -1;
	fields = fscanf(file, "%u:%u", &high, &low);
	(void)fclose(file);
	if (fields != 2) {
		errno = EIO;
		return -1;
	}
	*device = makedev(high, low);
	return 0;
}
