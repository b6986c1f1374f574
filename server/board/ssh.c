#include "server/board/ssh_private.h"

#include "common/xalloc.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define SECOND 1000000

const struct ssh_limits ssh_limits_usual = {
	.tcp_us = 5 * SECOND,
	.handshake_us = 10 * SECOND,
	.auth_us = 10 * SECOND,
	.keepalive_us = 2 * SECOND,
	.silence_us = 10 * SECOND,
};

int ssh_error(struct ssh *s, enum err_kind kind, struct err *err, const char *what)
{
	char *text = NULL;

	(void)libssh2_session_last_error(s->session, &text, NULL, 0);
	return err_set(err, kind, "%s: %s", what, text && *text ? text : "unknown error");
}

void ssh_add(struct ssh *s, struct remote_op *op)
{
	struct remote_op **end = &s->ops;

	while (*end)
		end = op_next(*end);
	*end = op;
	loop_arm(s->loop, &s->kick, 0);
}

LIBSSH2_CHANNEL *ssh_take_spare(struct ssh *s)
{
	LIBSSH2_CHANNEL *spare = s->spare;

	s->spare = NULL;
	return spare;
}

/* libssh2 1.10 frees the keys of an exchange that is under way only when the exchange fails, not with its session: on a shut
 * socket it fails. */
static void ssh_fail_handshake(struct ssh *s)
{
	for (int i = 0; i < 100; i++)
		if (libssh2_session_handshake(s->session, s->fd) != LIBSSH2_ERROR_EAGAIN)
			break;
}

/* Free what belongs to the connection. The socket is shut first, so that libssh2 sends and waits for nothing. */
static void ssh_teardown(struct ssh *s)
{
	if (s->fd >= 0)
		(void)shutdown(s->fd, SHUT_RDWR);
	if (s->step == SSH_HANDSHAKE)
		ssh_fail_handshake(s);
	while (s->ops) {
		struct remote_op *op = s->ops;

		s->ops = *op_next(op);
		op_forget(op);
		op_free(op);
	}
	for (int i = 0; s->session && i < 100; i++)
		if (libssh2_session_free(s->session) != LIBSSH2_ERROR_EAGAIN)
			break;
	if (s->fd >= 0)
		(void)close(s->fd);
	if (s->addrs)
		freeaddrinfo(s->addrs);
	s->addrs = s->addr = NULL;
	s->fd = s->watch.fd = -1;
	s->session = NULL;
	s->spare = NULL;
	s->sftp = NULL;
	s->busy = NULL;
	s->deadline.at_us = s->keepalive.at_us = s->kick.at_us = 0;
	s->step = SSH_IDLE;
	s->remote.state = REMOTE_DOWN;
}

void ssh_down(struct ssh *s, const char *fault, const struct err *err)
{
	struct err kept = *err;

	for (struct remote_op *op = s->ops; op; op = *op_next(op))
		op_fail(op, &kept);
	ssh_teardown(s);
	s->remote.events.down(s->remote.events.arg, fault, &kept);
}

static void ssh_lost(struct ssh *s, const char *what)
{
	struct err err;

	(void)ssh_error(s, ERR_CLOSED, &err, what);
	ssh_down(s, "ssh-lost", &err);
}

/* Keep one channel open ahead of its use. Returns -1 when the session is dead. */
static int ssh_spare(struct ssh *s)
{
	char byte;
	ssize_t n;

	if (s->spare) {
		n = libssh2_channel_read_ex(s->spare, 0, &byte, 1);
		if (n == LIBSSH2_ERROR_EAGAIN)
			return 0;
		if (n < 0)
			return -1;
		/* The board closed it: it is of no use. */
		(void)libssh2_channel_free(s->spare);
		s->spare = NULL;
	}
	s->spare = libssh2_channel_open_session(s->session);
	if (s->spare)
		return 0;
	switch (libssh2_session_last_errno(s->session)) {
	case LIBSSH2_ERROR_EAGAIN:
	case LIBSSH2_ERROR_CHANNEL_FAILURE: /* the board has a limit: another one must close first */
		return 0;
	default:
		return -1;
	}
}

bool ssh_sending(const struct ssh *s)
{
	return (libssh2_session_block_directions(s->session) & LIBSSH2_SESSION_BLOCK_OUTBOUND) != 0;
}

static int ssh_pump_spare(struct ssh *s)
{
	bool had = s->spare != NULL;

	if (s->busy && s->busy != &s->spare)
		return 0;
	if (ssh_spare(s) < 0)
		return -1;
	s->busy = !s->spare && ssh_sending(s) ? &s->spare : NULL;
	return !had && s->spare ? 1 : 0;
}

/* One turn of each op. Returns whether anything moved. */
static bool ssh_pump_ops(struct ssh *s)
{
	struct remote_op **at = &s->ops;
	bool moved = false;

	while (*at) {
		struct remote_op *op = *at;
		enum op_result result;

		if (s->busy && s->busy != op) {
			at = op_next(op);
			continue;
		}
		result = op_step(s, op);
		s->busy = result == OP_WAIT && op_talks(op) && ssh_sending(s) ? op : NULL;
		moved |= result != OP_WAIT;
		if (result == OP_DONE) {
			*at = *op_next(op);
			op_free(op);
		} else {
			at = op_next(op);
		}
	}
	return moved;
}

static void ssh_next_deadline(struct ssh *s)
{
	s->deadline.at_us = 0;
	for (struct remote_op *op = s->ops; op; op = *op_next(op)) {
		int64_t at = op_deadline(op);

		if (at != 0 && (s->deadline.at_us == 0 || at < s->deadline.at_us))
			s->deadline.at_us = at;
	}
}

static void ssh_pump(struct ssh *s)
{
	bool moved = true;

	for (int turn = 0; moved && turn < 16; turn++) {
		int spare = ssh_pump_spare(s);

		if (spare < 0) {
			ssh_lost(s, "connection lost");
			return;
		}
		moved = ssh_pump_ops(s) || spare > 0;
	}
	if (moved)
		loop_arm(s->loop, &s->kick, 0);
	s->watch.events = (short)(POLLIN | (ssh_sending(s) ? POLLOUT : 0));
	ssh_next_deadline(s);
}

/* --- what wakes it --- */

static void ssh_ready(void *arg, short revents)
{
	struct ssh *s = arg;

	if (revents & (POLLIN | POLLHUP | POLLERR)) {
		s->rx_us = s->loop->mono_us;
		s->silence_us = s->limits->silence_us;
	}
	switch (s->step) {
	case SSH_IDLE:
		break;
	case SSH_TCP:
		ssh_connected(s);
		break;
	case SSH_HANDSHAKE:
		ssh_handshake(s);
		break;
	case SSH_AUTH:
		ssh_authenticate(s);
		break;
	case SSH_UP:
		ssh_pump(s);
		break;
	}
}

static void ssh_late(void *arg)
{
	struct ssh *s = arg;
	struct err err;

	if (s->step == SSH_UP) {
		(void)err_set(&err, ERR_TIMEOUT, "the board did not answer a command in time");
		for (struct remote_op *op = s->ops; op; op = *op_next(op))
			if (op_late(op, s->loop->mono_us))
				op_fail(op, &err);
		ssh_pump(s);
		return;
	}
	(void)err_set(&err, ERR_TIMEOUT, "%s port %d: no answer (%s)", s->board->ssh.host,
	              (int)s->board->ssh.port,
	              s->step == SSH_TCP    ? "TCP"
	              : s->step == SSH_AUTH ? "authentication"
	              : s->heard            ? "SSH key exchange"
	                                    : "connected, but no SSH banner came");
	if (s->step == SSH_TCP)
		ssh_try_next(s, &err);
	else
		ssh_down(s, "ssh-connect", &err);
}

static void ssh_keep_alive(void *arg)
{
	struct ssh *s = arg;
	int64_t quiet_us = s->loop->mono_us - s->rx_us;
	struct err err;
	int next;

	if (quiet_us >= s->silence_us) {
		(void)err_set(&err, ERR_TIMEOUT, "silence for %d s", (int)(quiet_us / SECOND));
		ssh_down(s, "ssh-lost", &err);
		return;
	}
	if (!s->busy)
		(void)libssh2_keepalive_send(s->session, &next);
	loop_arm(s->loop, &s->keepalive, s->limits->keepalive_us / 2);
	ssh_pump(s);
}

static void ssh_kicked(void *arg)
{
	struct ssh *s = arg;

	if (s->step == SSH_IDLE)
		ssh_begin(s);
	else if (s->step == SSH_UP)
		ssh_pump(s);
}

/* --- the face --- */

static void ssh_connect(struct remote *r, int64_t banner_us)
{
	struct ssh *s = (struct ssh *)r;

	s->banner_us = banner_us;
	s->rx_us = s->loop->mono_us;
	r->state = REMOTE_CONNECTING;
	loop_arm(s->loop, &s->kick, 0);
}

static void ssh_disconnect(struct remote *r)
{
	ssh_teardown((struct ssh *)r);
}

static void ssh_probe(struct remote *r, int64_t limit_us)
{
	struct ssh *s = (struct ssh *)r;

	if (s->step != SSH_UP)
		return;
	s->rx_us = s->loop->mono_us;
	s->silence_us = limit_us;
	loop_arm(s->loop, &s->keepalive, 0);
}

static void ssh_free(struct remote *r)
{
	struct ssh *s = (struct ssh *)r;

	ssh_teardown(s);
	loop_del_watch(s->loop, &s->watch);
	loop_del_timer(s->loop, &s->deadline);
	loop_del_timer(s->loop, &s->keepalive);
	loop_del_timer(s->loop, &s->kick);
	free(s);
}

struct remote *ssh_new(struct loop *loop, const struct board_file *board,
                       const struct ssh_limits *limits)
{
	static const struct remote_class class = {
		.connect = ssh_connect,
		.disconnect = ssh_disconnect,
		.exec = ssh_exec,
		.put = ssh_put,
		.get = ssh_get,
		.drop = ssh_drop,
		.probe = ssh_probe,
		.free = ssh_free,
	};
	struct ssh *s = xcalloc(1, sizeof(*s));

	s->remote.class = &class;
	s->loop = loop;
	s->board = board;
	s->limits = limits;
	s->fd = -1;
	s->watch = (struct loop_watch){.fd = -1, .fn = ssh_ready, .arg = s};
	s->deadline = (struct loop_timer){.fn = ssh_late, .arg = s};
	s->keepalive = (struct loop_timer){.fn = ssh_keep_alive, .arg = s};
	s->kick = (struct loop_timer){.fn = ssh_kicked, .arg = s};
	loop_add_watch(loop, &s->watch);
	loop_add_timer(loop, &s->deadline);
	loop_add_timer(loop, &s->keepalive);
	loop_add_timer(loop, &s->kick);
	return &s->remote;
}
