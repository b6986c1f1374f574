#include "server/daemon/http/listen.h"

#include "common/err.h"
#include "common/scoped.h"
#include "common/xalloc.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define BACKLOG 256

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static bool is_loopback(const union address *a)
{
	if (a->any.sa_family == AF_INET)
		return ntohl(a->v4.sin_addr.s_addr) >> 24 == 127;
	if (IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr))
		return a->v6.sin6_addr.s6_addr[12] == 127;
	return IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr);
}

static bool port_parse(const char *text, int *port)
{
	size_t len = strlen(text);

	if (len == 0 || len > 5 || strspn(text, "0123456789") != len)
		return false;
	*port = (int)strtol(text, NULL, 10);
	return *port <= 65535;
}

/* "HOST:PORT" into an address. */
static int address_parse(const char *text, struct listener *l, union address *a, struct err *err)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;
	SCOPED_STR host = xstrndup(text, len);

	memset(a, 0, sizeof(*a));
	if (!colon || !port_parse(colon + 1, &l->port))
		return err_set(err, ERR_INVALID, "listen %s: must be ADDRESS:PORT", text);
	if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
		host[len - 1] = '\0';
		a->v6.sin6_family = AF_INET6;
		a->v6.sin6_port = htons((uint16_t)l->port);
		if (inet_pton(AF_INET6, host + 1, &a->v6.sin6_addr) == 1)
			return 0;
	} else {
		a->v4.sin_family = AF_INET;
		a->v4.sin_port = htons((uint16_t)l->port);
		if (inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host,
		              &a->v4.sin_addr) == 1)
			return 0;
	}
	return err_set(
		err, ERR_INVALID,
		"listen %s: must be an IPv4 address, an IPv6 address in brackets or localhost",
		text);
}

static void host_print(struct listener *l, const union address *a)
{
	char text[INET6_ADDRSTRLEN] = "";

	if (a->any.sa_family == AF_INET)
		(void)inet_ntop(AF_INET, &a->v4.sin_addr, text, sizeof(text));
	else
		(void)inet_ntop(AF_INET6, &a->v6.sin6_addr, text, sizeof(text));
	(void)snprintf(l->host, sizeof(l->host), a->any.sa_family == AF_INET ? "%s" : "[%s]", text);
}

int listen_parse(const char *text, struct listener *l, struct err *err)
{
	union address a;

	*l = (struct listener){.fd = -1};
	if (address_parse(text, l, &a, err) < 0)
		return -1;
	l->loopback = is_loopback(&a);
	host_print(l, &a);
	return 0;
}

int listen_open(const char *text, struct listener *l, struct err *err)
{
	union address a;
	socklen_t len;
	SCOPED_FD fd = -1;
	int one = 1;

	if (listen_parse(text, l, err) < 0 || address_parse(text, l, &a, err) < 0)
		return -1;
	len = a.any.sa_family == AF_INET ? sizeof(a.v4) : sizeof(a.v6);
	fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(fd, &a.any, len) < 0 || listen(fd, BACKLOG) < 0 ||
	    getsockname(fd, &a.any, &len) < 0)
		return err_errno(err, ERR_IO, "listen %s", text);
	l->port = ntohs(a.any.sa_family == AF_INET ? a.v4.sin_port : a.v6.sin6_port);
	l->fd = take_fd(&fd);
	return 0;
}
