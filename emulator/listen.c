#include "listen.h"

#include "common/err.h"
#include "common/scoped.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define WAITING 4 /* clients, until the one before has left */

static int listen_unix(const char *path, struct err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	SCOPED_FD fd = -1;
	struct stat old;

	if (path[0] == '\0' || strlen(path) >= sizeof(address.sun_path))
		return err_set(err, ERR_INVALID, "%s: the path of a socket has 1 to %zu characters",
		               path, sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, path, strlen(path));
	if (lstat(path, &old) == 0 && S_ISSOCK(old.st_mode))
		(void)unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, WAITING) < 0)
		return err_errno(err, ERR_IO, "%s", path);
	return take_fd(&fd);
}

static int listen_tcp(const char *text, struct err *err)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	SCOPED_FD fd = -1;
	unsigned long port;
	const int yes = 1;
	char *end;

	errno = 0;
	port = strtoul(text, &end, 10);
	if (errno || end == text || *end || port - 1 >= UINT16_MAX)
		return err_set(err, ERR_INVALID, "tcp:%s: a port from 1 to 65535 is needed", text);
	address.sin_port = htons((uint16_t)port);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, WAITING) < 0)
		return err_errno(err, ERR_IO, "port %lu of 127.0.0.1", port);
	return take_fd(&fd);
}

int listen_at(const char *where, struct err *err)
{
	if (strncmp(where, "tcp:", 4) == 0)
		return listen_tcp(where + 4, err);
	return listen_unix(strncmp(where, "unix:", 5) == 0 ? where + 5 : where, err);
}
