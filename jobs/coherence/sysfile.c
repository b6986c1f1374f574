#include "sysfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int sysfile_read(const char *path, char *text, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t done;
	int error;

	if (fd < 0)
		return -1;
	done = read(fd, text, room - 1);
	error = errno;
	(void)close(fd);
	errno = error;
	if (done < 0)
		return -1;
	text[done] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return 0;
}

int sysfile_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	size_t length = strlen(text);
	ssize_t done;
	int error;

	if (fd < 0)
		return -1;
	done = write(fd, text, length);
	error = done >= 0 && done != (ssize_t)length ? EIO : errno;
	(void)close(fd);
	errno = error;
	return done == (ssize_t)length ? 0 : -1;
}

int sysfile_number(const char *path, uint64_t *value)
{
	char text[64];
	char *end;

	if (sysfile_read(path, text, sizeof(text)) < 0)
		return -1;
	*value = strtoull(text, &end, 10);
	if (end != text)
		return 0;
	errno = EIO;
	return -1;
}
