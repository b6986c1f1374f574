#include "detached.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

int detached_mount(const char *type)
{
#if defined(SYS_fsopen) && defined(SYS_fsmount)
	int context = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
	int root = -1;
	int error;

	if (context < 0)
		return -1;
	if (syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		root = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, 0);
	error = errno;
	(void)close(context);
	errno = error;
	return root;
#else
	(void)type;
	errno = ENOSYS;
	return -1;
#endif
}

int detached_write(int directory, const char *name, const char *text)
{
	int fd = openat(directory, name, O_WRONLY | O_CLOEXEC);
	ssize_t done;
	int error;

	if (fd < 0)
		return -1;
	done = write(fd, text, strlen(text));
	error = errno;
	(void)close(fd);
	errno = error;
	return done < 0 ? -1 : 0;
}
