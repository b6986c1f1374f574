#include "common/fsio.h"

#include "common/err.h"
#include "common/scoped.h"
#include "common/xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

int fs_write_all(int fd, const void *data, size_t len, struct err *err)
{
	const char *next = data;

	while (len > 0) {
		ssize_t n = write(fd, next, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, ERR_IO, "write");
		next += n;
		len -= (size_t)n;
	}
	return 0;
}

char *fs_read_file(const char *path, size_t cap, size_t *len, struct err *err)
{
	SCOPED_FD fd = open(path, O_RDONLY | O_CLOEXEC);
	SCOPED_STR text = NULL;
	size_t have = 0, room = 4096;

	if (fd < 0) {
		(void)err_errno(err, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "%s", path);
		return NULL;
	}
	text = xcalloc(1, room);
	for (;;) {
		ssize_t n = read(fd, text + have, room - have - 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			(void)err_errno(err, ERR_IO, "%s", path);
			return NULL;
		}
		if (n == 0)
			break;
		have += (size_t)n;
		if (have > cap) {
			(void)err_set(err, ERR_TOOBIG, "%s: larger than %zu bytes", path, cap);
			return NULL;
		}
		if (room - have < 2)
			text = xrealloc(text, room *= 2);
	}
	text[have] = '\0';
	if (len)
		*len = have;
	return take_str(&text);
}

int fs_sync_parent(const char *path, struct err *err)
{
	const char *slash = strrchr(path, '/');
	SCOPED_STR dir = slash == path ? xstrdup("/")
	                 : slash       ? xstrndup(path, (size_t)(slash - path))
	                               : xstrdup(".");
	SCOPED_FD fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return err_errno(err, ERR_IO, "%s", dir);
	return 0;
}

int fs_replace_file(const char *path, const void *data, size_t len, mode_t mode, struct err *err)
{
	SCOPED_STR temp = xasprintf("%s.%ld.tmp", path, (long)getpid());
	SCOPED_FD fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	if (fd < 0)
		return err_errno(err, ERR_IO, "%s", temp);
	if (fs_write_all(fd, data, len, err) < 0) {
		(void)unlink(temp);
		return err_context(err, "%s", temp);
	}
	if (fsync(fd) < 0 || rename(temp, path) < 0) {
		(void)err_errno(err, ERR_IO, "%s", path);
		(void)unlink(temp);
		return -1;
	}
	return fs_sync_parent(path, err);
}

int fs_mkdirs(const char *path, struct err *err)
{
	SCOPED_STR part = xstrdup(path);

	for (char *p = part + 1;; p++) {
		char was = *p;

		if (was != '/' && was != '\0')
			continue;
		*p = '\0';
		if (mkdir(part, 0750) < 0 && errno != EEXIST)
			return err_errno(err, ERR_IO, "%s", part);
		*p = was;
		if (was == '\0')
			return 0;
	}
}
