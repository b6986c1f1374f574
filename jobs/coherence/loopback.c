#include "loopback.h"

#include "ledger.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define READ_LIMIT_S 2

/* The reason word for errno of a call about sockets; 1, or -1 after ctx_error(). */
static int cannot(struct ctx *ctx, const char *what, enum reason *reason)
{
	if (errno == EAFNOSUPPORT || errno == EPROTONOSUPPORT)
		*reason = REASON_NOCONFIG;
	else
		*reason = ctx_reason(errno);
	return *reason == REASON_NONE ? ctx_error(ctx, "%s", what) : 1;
}

/* Read lo's flags into request. Returns 1 when it is up, 0 when it is down, or -1 with errno. */
static int is_up(int fd, struct ifreq *request)
{
	memset(request, 0, sizeof(*request));
	memcpy(request->ifr_name, "lo", sizeof("lo"));
	if (ioctl(fd, SIOCGIFFLAGS, request) < 0)
		return -1;
	return (request->ifr_flags & IFF_UP) != 0 ? 1 : 0;
}

static int bring_up(struct ctx *ctx, int fd)
{
	struct ifreq request;
	int up = is_up(fd, &request);

	if (up != 0)
		return up < 0 ? -1 : 0;
	if (ledger_add(ctx->ledger, LEDGER_LOOPBACK) == NULL) {
		errno = ENOSPC;
		return -1;
	}
	request.ifr_flags |= IFF_UP;
	return ioctl(fd, SIOCSIFFLAGS, &request);
}

int loopback_up(struct ctx *ctx, enum reason *reason)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int result = 0;

	if (fd < 0)
		return cannot(ctx, "a network socket", reason);
	if (bring_up(ctx, fd) < 0)
		result = cannot(ctx, "the interface lo", reason);
	(void)close(fd);
	return result;
}

int loopback_down(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request;
	int result;

	if (fd < 0)
		return -1;
	result = is_up(fd, &request);
	if (result > 0) {
		request.ifr_flags = (short)(request.ifr_flags & ~IFF_UP);
		result = ioctl(fd, SIOCSIFFLAGS, &request);
	}
	(void)close(fd);
	return result;
}

static int listen_on_lo(struct sockaddr_in *address)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t length = sizeof(*address);

	memset(address, 0, sizeof(*address));
	address->sin_family = AF_INET;
	address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (const struct sockaddr *)address, length) < 0 || listen(fd, 1) < 0 ||
	    getsockname(fd, (struct sockaddr *)address, &length) < 0)
		return -1;
	return fd;
}

int loopback_pair(struct ctx *ctx, int ends[2], enum reason *reason)
{
	struct timeval limit = {.tv_sec = READ_LIMIT_S};
	struct sockaddr_in address;
	int result = loopback_up(ctx, reason);
	int listener;

	if (result != 0)
		return result;
	listener = listen_on_lo(&address);
	ends[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || ends[1] < 0 ||
	    connect(ends[1], (const struct sockaddr *)&address, sizeof(address)) < 0)
		return cannot(ctx, "a connection over lo", reason);
	ends[0] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (ends[0] < 0 || setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0)
		return cannot(ctx, "a connection over lo", reason);
	(void)close(listener);
	return 0;
}
