#include "net.h"

#include "common/err.h"
#include "common/xalloc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <slirp/libslirp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define QUEUE 512u /* frames for the board: more than the TCP windows of a few connections */
#define FDS   64u

#define ADDRESS(last) ((struct in_addr){htonl(0x0a000200u | (last))})

struct frame {
	size_t len;
	uint8_t bytes[NET_FRAME];
};

struct net {
	Slirp *slirp;
	unsigned first, held; /* of the queue */
	bool announced;       /* the board has sent an ARP packet */
	unsigned fds;
	struct pollfd fd[FDS]; /* the caller's, then libslirp's */
	struct frame queue[QUEUE];
};

/* libslirp has a frame for the board. A full queue loses it, as a wire does: TCP sends it again. */
static ssize_t take_frame(const void *bytes, size_t len, void *opaque)
{
	struct net *net = opaque;
	struct frame *frame;

	if (net->held < QUEUE && len <= NET_FRAME) {
		frame = &net->queue[(net->first + net->held++) % QUEUE];
		memcpy(frame->bytes, bytes, len);
		frame->len = len;
	}
	return (ssize_t)len;
}

static int64_t wall_ns(void *opaque)
{
	struct timespec now;

	(void)opaque;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void ignore_text(const char *text, void *opaque)
{
	(void)text; /* what a board sends wrongly is its own affair */
	(void)opaque;
}

/* Timers are IPv6's, which is off; descriptors are asked for at each poll. */
static void *no_timer(SlirpTimerCb callback, void *argument, void *opaque)
{
	(void)callback;
	(void)argument;
	(void)opaque;
	return NULL;
}

static void free_no_timer(void *timer, void *opaque)
{
	(void)timer;
	(void)opaque;
}

static void change_no_timer(void *timer, int64_t expires, void *opaque)
{
	(void)timer;
	(void)expires;
	(void)opaque;
}

static void ignore_fd(int fd, void *opaque)
{
	(void)fd;
	(void)opaque;
}

static void ignore(void *opaque)
{
	(void)opaque;
}

struct net *net_new(void)
{
	static const SlirpCb callbacks = {
		.send_packet = take_frame,
		.guest_error = ignore_text,
		.clock_get_ns = wall_ns,
		.timer_new = no_timer,
		.timer_free = free_no_timer,
		.timer_mod = change_no_timer,
		.register_poll_fd = ignore_fd,
		.unregister_poll_fd = ignore_fd,
		.notify = ignore,
	};
	const SlirpConfig config = {
		.version = 4,
		.restricted = 1,
		.in_enabled = true,
		.vnetwork = ADDRESS(0),
		.vnetmask = {htonl(0xffffff00u)},
		.vhost = ADDRESS(2),
		.vdhcp_start = ADDRESS(15),
		.vnameserver = ADDRESS(3),
		.disable_host_loopback = true,
		.disable_dns = true,
		.disable_dhcp = true,
	};
	struct net *net = xcalloc(1, sizeof(*net));

	net->slirp = slirp_new(&config, &callbacks, net);
	return net;
}

void net_free(struct net *net)
{
	if (!net)
		return;
	slirp_cleanup(net->slirp);
	free(net);
}

int net_forward(struct net *net, uint16_t host_port, uint16_t guest_port, struct err *err)
{
	const struct in_addr loopback = {htonl(INADDR_LOOPBACK)};

	if (slirp_add_hostfwd(net->slirp, 0, loopback, host_port, ADDRESS(15), guest_port) < 0)
		return err_errno(err, ERR_IO, "port %u of 127.0.0.1", host_port);
	return 0;
}

void net_send(struct net *net, const uint8_t *frame, size_t len)
{
	if (len > 13 && frame[12] == 0x08 && frame[13] == 0x06)
		net->announced = true;
	slirp_input(net->slirp, frame, (int)len);
}

bool net_announced(struct net *net)
{
	bool announced = net->announced;

	net->announced = false;
	return announced;
}

size_t net_next(struct net *net, uint8_t *frame)
{
	const struct frame *next = &net->queue[net->first];

	if (net->held == 0)
		return 0;
	memcpy(frame, next->bytes, next->len);
	net->first = (net->first + 1) % QUEUE;
	net->held--;
	return next->len;
}

/* The same bits by two names. */
static const struct {
	int slirp;
	short host;
} events[] = {
	{SLIRP_POLL_IN, POLLIN},   {SLIRP_POLL_OUT, POLLOUT}, {SLIRP_POLL_PRI, POLLPRI},
	{SLIRP_POLL_ERR, POLLERR}, {SLIRP_POLL_HUP, POLLHUP},
};

static int add_fd(int fd, int wanted, void *opaque)
{
	struct net *net = opaque;
	struct pollfd *row;

	if (net->fds == FDS)
		return -1;
	row = &net->fd[net->fds];
	*row = (struct pollfd){.fd = fd};
	for (size_t n = 0; n < sizeof(events) / sizeof(events[0]); n++) {
		if (wanted & events[n].slirp)
			row->events = (short)(row->events | events[n].host);
	}
	return (int)net->fds++;
}

static int events_of(int index, void *opaque)
{
	const struct net *net = opaque;
	int seen = 0;

	if (index < 0)
		return 0;
	for (size_t n = 0; n < sizeof(events) / sizeof(events[0]); n++) {
		if (net->fd[index].revents & events[n].host)
			seen |= events[n].slirp;
	}
	return seen;
}

void net_poll(struct net *net, bool linked, struct pollfd *extra, unsigned extras,
              unsigned timeout_ms)
{
	uint32_t timeout = timeout_ms;
	int ready;

	for (net->fds = 0; net->fds < extras; net->fds++)
		net->fd[net->fds] = extra[net->fds];
	if (linked)
		slirp_pollfds_fill(net->slirp, &timeout, add_fd, net);
	ready = poll(net->fd, net->fds, timeout < INT32_MAX ? (int)timeout : INT32_MAX);
	for (unsigned n = 0; n < extras; n++)
		extra[n].revents = (short)(ready > 0 ? net->fd[n].revents : 0);
	if (linked)
		slirp_pollfds_poll(net->slirp, ready < 0, events_of, net);
}
