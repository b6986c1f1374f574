#include "node.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define MISC_MAJOR 10U

/* Where a node may be made: the first of these that is writable and not mounted nodev. */
static const char *const directories[] = {"/tmp", "/dev", "/run", "/dev/shm", "/mnt", "/"};

int node_open_named(mode_t type, dev_t device, int flags, char path[NODE_PATH_MAX])
{
	int error = ENOENT;

	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		int fd;

		(void)snprintf(path, NODE_PATH_MAX, "%s/.cohort-node-%ld", directories[i],
		               (long)getpid());
		if (mknod(path, type | 0600, device) < 0) {
			error = errno;
			continue;
		}
		fd = open(path, flags | O_CLOEXEC);
		error = errno;
		if (fd >= 0)
			return fd;
		(void)unlink(path);
		if (error != EACCES) /* EACCES: mounted nodev */
			break;
	}
	errno = error;
	return -1;
}

int node_open(mode_t type, dev_t device, int flags)
{
	char path[NODE_PATH_MAX];
	int fd = node_open_named(type, device, flags, path);

	if (fd >= 0)
		(void)unlink(path);
	return fd;
}

/* Read a number at *text and step over it. Returns 0, or -1 when there is none. */
static int take_number(char **text, unsigned int *number)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(*text, &end, 10);
	if (end == *text || errno != 0 || value > UINT_MAX)
		return -1;
	*text = end;
	*number = (unsigned int)value;
	return 0;
}

int node_misc(const char *name, dev_t *device)
{
	FILE *misc = fopen("/proc/misc", "re");
	char line[128];
	int result = -1;

	while (misc != NULL && result < 0 && fgets(line, sizeof(line), misc) != NULL) {
		char *next = line;
		unsigned int number;

		if (take_number(&next, &number) < 0)
			continue;
		next += strspn(next, " ");
		next[strcspn(next, "\n")] = '\0';
		if (strcmp(next, name) == 0) {
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
	char text[96];
	char *next = text;
	unsigned int high;
	unsigned int low;
	FILE *file;

	(void)snprintf(text, sizeof(text), "/sys/block/%s/dev", name);
	file = fopen(text, "re");
	if (file == NULL)
		return -1;
	if (fgets(text, sizeof(text), file) == NULL)
		text[0] = '\0';
	(void)fclose(file);
	if (take_number(&next, &high) < 0 || *next++ != ':' || take_number(&next, &low) < 0) {
		errno = EIO;
		return -1;
	}
	*device = makedev(high, low);
	return 0;
}
