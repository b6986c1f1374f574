#include "server/board/console.h"

#include "common/boardfile.h"
#include "common/cacheclass.h"
#include "common/err.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LINE_CAP       4096
#define QUIET_US       200000 /* a complaint is whole when nothing came for so long */
#define BACKOFF_US     50000
#define BACKOFF_MAX_US 5000000

static void console_lost(struct console *c, const char *why)
{
	if (c->watch.fd >= 0)
		(void)close(c->watch.fd);
	c->watch.fd = -1;
	if (c->open)
		c->events.state(c->events.arg, false, why);
	c->open = false;
	c->lines.have = 0;
	loop_arm(c->loop, &c->again, c->backoff_us);
	c->backoff_us = c->backoff_us * 2 > BACKOFF_MAX_US ? BACKOFF_MAX_US : c->backoff_us * 2;
}

static int console_line(void *arg, char *text, size_t len, uint64_t end)
{
	struct console *c = arg;

	(void)end;
	while (len > 0 && text[len - 1] == '\r') /* as a serial line ends */
		text[--len] = '\0';
	if (strstr(text, "Booting Linux on physical CPU"))
		c->boots++;
	if (cache_class_of_boot_line(text, NULL) != CACHE_UNKNOWN)
		(void)snprintf(c->cache_line, sizeof(c->cache_line), "%s", text);
	c->events.line(c->events.arg, text, len);
	kwarn_line(&c->kwarn, text);
	return 0;
}

static void console_data(void *arg, const char *data, size_t len)
{
	struct console *c = arg;

	if (!c->open)
		c->events.state(c->events.arg, true, "");
	c->open = true;
	c->backoff_us = BACKOFF_US;
	(void)lines_feed(&c->lines, 0, data, len, console_line, c);
	if (kwarn_open(&c->kwarn))
		loop_arm(c->loop, &c->quiet, QUIET_US);
}

static void console_ready(void *arg, short revents)
{
	struct console *c = arg;
	char data[8192];
	ssize_t n;

	if (revents & POLLOUT) { /* the connection is made, or not */
		int failed = 0;
		socklen_t len = sizeof(failed);

		(void)getsockopt(c->watch.fd, SOL_SOCKET, SO_ERROR, &failed, &len);
		if (failed != 0) {
			console_lost(c, strerror(failed));
			return;
		}
		c->watch.events = POLLIN;
		c->open = true;
		c->events.state(c->events.arg, true, "");
		return;
	}
	n = recv(c->watch.fd, data, sizeof(data), MSG_DONTWAIT);
	if (n > 0)
		console_data(c, data, (size_t)n);
	else if (n == 0)
		console_lost(c, "closed");
	else if (errno != EAGAIN && errno != EINTR)
		console_lost(c, strerror(errno));
}

static int console_unix(const struct console *c)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	(void)snprintf(at.sun_path, sizeof(at.sun_path), "%s", c->board->console.path);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&at, sizeof(at)) == 0)
		return fd;
	if (fd >= 0)
		(void)close(fd);
	return -1;
}

static int console_tcp(const struct console *c)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	int one = 1, fd = -1;

	if (getaddrinfo(c->board->console.host, c->board->console.port, &hints, &list) != 0)
		return -1;
	if (list)
		fd = socket(list->ai_family, list->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	if (fd >= 0 && connect(fd, list->ai_addr, list->ai_addrlen) < 0 && errno != EINPROGRESS) {
		(void)close(fd);
		fd = -1;
	}
	freeaddrinfo(list);
	return fd;
}

static void console_ended(void *arg, int status)
{
	char why[48];

	(void)snprintf(why, sizeof(why), "the command ended with status %d", status);
	console_lost(arg, why);
}

static void console_command(struct console *c)
{
	struct child_spec spec = {
		.argv = c->board->console.command,
		.dir = c->board->dir,
		.data = console_data,
		.done = console_ended,
		.arg = c,
	};
	struct err err;

	if (child_start(&c->child, &spec, &err) < 0)
		console_lost(c, err.text);
}

static void console_open(void *arg)
{
	struct console *c = arg;

	switch (c->board->console.type) {
	case BOARD_CONSOLE_NONE:
		return;
	case BOARD_CONSOLE_COMMAND:
		console_command(c);
		return;
	case BOARD_CONSOLE_UNIX:
		c->watch.fd = console_unix(c);
		break;
	case BOARD_CONSOLE_TCP:
		c->watch.fd = console_tcp(c);
		break;
	}
	c->watch.events = POLLOUT;
	if (c->watch.fd < 0)
		console_lost(c, "");
}

static void console_quiet(void *arg)
{
	console_flush(arg);
}

void console_start(struct console *c, struct loop *loop, const struct board_file *board,
                   const struct console_events *events)
{
	*c = (struct console){
		.loop = loop, .board = board, .events = *events, .backoff_us = BACKOFF_US};
	c->watch = (struct loop_watch){.fd = -1, .fn = console_ready, .arg = c};
	c->again = (struct loop_timer){.fn = console_open, .arg = c};
	c->quiet = (struct loop_timer){.fn = console_quiet, .arg = c};
	lines_init(&c->lines, LINE_CAP);
	kwarn_init(&c->kwarn, events->complaint, events->arg);
	loop_add_watch(loop, &c->watch);
	loop_add_timer(loop, &c->again);
	loop_add_timer(loop, &c->quiet);
	child_init(&c->child, loop);
	console_open(c);
}

/* The machine comes up now: its console is there at once or soon, so the waiting begins small again. */
void console_forget(struct console *c)
{
	c->cache_line[0] = '\0';
	c->backoff_us = BACKOFF_US;
	if (c->again.at_us != 0)
		loop_arm(c->loop, &c->again, 0);
}

void console_flush(struct console *c)
{
	kwarn_flush(&c->kwarn);
}

void console_stop(struct console *c)
{
	child_release(&c->child);
	if (c->watch.fd >= 0)
		(void)close(c->watch.fd);
	loop_del_watch(c->loop, &c->watch);
	loop_del_timer(c->loop, &c->again);
	loop_del_timer(c->loop, &c->quiet);
	lines_release(&c->lines);
}
