/* ssh_connect.c - from nothing to a session, step by step: TCP, key exchange, the board's key, ours. */
#include "server/board/ssh_private.h"

#include "common/fsio.h"
#include "common/scoped.h"
#include "common/xalloc.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define SECOND 1000000

static void ssh_up(struct ssh *s)
{
	s->step = SSH_UP;
	s->deadline.at_us = 0;
	s->silence_us = s->limits->silence_us;
	s->remote.state = REMOTE_UP;
	s->remote.session++;
	libssh2_keepalive_config(s->session, 1, (unsigned)(s->limits->keepalive_us / SECOND));
	loop_arm(s->loop, &s->keepalive, s->limits->keepalive_us);
	s->remote.events.up(s->remote.events.arg);
	loop_arm(s->loop, &s->kick, 0);
}

/* libssh2 has one word for a key that is refused and for a board that went away in between. */
static bool ssh_peer_gone(const struct ssh *s)
{
	char byte;
	ssize_t n = recv(s->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

static const char *ssh_auth_fault(const struct ssh *s, int rc)
{
	bool refused = rc == LIBSSH2_ERROR_AUTHENTICATION_FAILED || rc == LIBSSH2_ERROR_FILE;

	return refused || !ssh_peer_gone(s) ? "ssh-auth" : "ssh-connect";
}

void ssh_authenticate(struct ssh *s)
{
	int rc = libssh2_userauth_publickey_fromfile_ex(s->session, s->board->ssh.user,
	                                                (unsigned)strlen(s->board->ssh.user), NULL,
	                                                s->board->ssh.key, NULL);
	struct err err;

	if (rc == LIBSSH2_ERROR_EAGAIN)
		return;
	if (rc == 0) {
		ssh_up(s);
		return;
	}
	(void)ssh_error(s, ERR_DENIED, &err, s->board->ssh.host);
	(void)err_context(&err, "user %s with the key %s", s->board->ssh.user, s->board->ssh.key);
	ssh_down(s, ssh_auth_fault(s, rc), &err);
}

static void ssh_check_host(struct ssh *s)
{
	size_t len = 0;
	int type;
	const char *blob = libssh2_session_hostkey(s->session, &len, &type);
	char shown[7 + 44] = "none";
	struct err err;

	if (blob && len == s->pinned.len && memcmp(blob, s->pinned.blob, len) == 0) {
		s->step = SSH_AUTH;
		loop_arm(s->loop, &s->deadline, s->limits->auth_us);
		ssh_authenticate(s);
		return;
	}
	if (blob && len <= sizeof(s->pinned.blob))
		host_key_fingerprint(blob, len, shown);
	(void)err_set(&err, ERR_DENIED,
	              "%s port %d has the host key %s, but %s %s is pinned: the board was set up "
	              "anew, or this is another machine. Nothing was sent to it.",
	              s->board->ssh.host, (int)s->board->ssh.port, shown, s->pinned.type,
	              s->pinned.fingerprint);
	ssh_down(s, "host-key-mismatch", &err);
}

void ssh_handshake(struct ssh *s)
{
	int rc = libssh2_session_handshake(s->session, s->fd);
	struct err err;

	s->watch.events = (short)(POLLIN | (ssh_sending(s) ? POLLOUT : 0));
	if (!s->heard && libssh2_session_banner_get(s->session)) {
		s->heard = true;
		loop_arm(s->loop, &s->deadline, s->limits->handshake_us);
	}
	if (rc == LIBSSH2_ERROR_EAGAIN)
		return;
	if (rc == 0) {
		ssh_check_host(s);
		return;
	}
	(void)ssh_error(s, ERR_PROTOCOL, &err, "SSH handshake");
	(void)err_context(&err, "%s port %d", s->board->ssh.host, (int)s->board->ssh.port);
	ssh_down(s, "ssh-connect", &err);
}

/* What a session is to use of a kind: first, then whatever else this libssh2 can. */
static void ssh_prefer(struct ssh *s, int kind, const char *first)
{
	const char **others = NULL;
	int count = libssh2_session_supported_algs(s->session, kind, &others);
	SCOPED_STR list = xstrdup(first);

	for (int i = 0; i < count; i++) {
		char *longer = xasprintf("%s,%s", list, others[i]);

		free(list);
		list = longer;
	}
	if (others)
		libssh2_free(s->session, others);
	(void)libssh2_session_method_pref(s->session, kind, list);
}

/* The pinned type of key first; the others so that a changed key can be shown. Boards compute slowly, so the cheapest of the
 * ciphers that are good. Nothing is compressed: that would make us the slow side in front of a fast board. */
static void ssh_choose_methods(struct ssh *s)
{
	SCOPED_STR keys = xasprintf("%s,ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,"
	                            "ecdsa-sha2-nistp521",
	                            s->pinned.type);

	(void)libssh2_session_method_pref(s->session, LIBSSH2_METHOD_HOSTKEY, keys);
	ssh_prefer(s, LIBSSH2_METHOD_CRYPT_CS, "aes128-ctr");
	ssh_prefer(s, LIBSSH2_METHOD_CRYPT_SC, "aes128-ctr");
}

void ssh_connected(struct ssh *s)
{
	int one = 1, failed = 0;
	socklen_t len = sizeof(failed);
	struct err err;

	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &failed, &len) < 0 || failed != 0) {
		errno = failed ? failed : errno;
		(void)err_errno(&err, ERR_IO, "%s port %d", s->board->ssh.host,
		                (int)s->board->ssh.port);
		ssh_try_next(s, &err);
		return;
	}
	(void)setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	s->session = libssh2_session_init();
	if (!s->session)
		abort();
	libssh2_session_set_blocking(s->session, 0);
	ssh_choose_methods(s);
	s->step = SSH_HANDSHAKE;
	s->heard = false;
	loop_arm(s->loop, &s->deadline, s->banner_us);
	ssh_handshake(s);
}

/* Connect to the next address of the board, or go down with what the last one said. */
void ssh_try_next(struct ssh *s, const struct err *last)
{
	struct err err = *last;

	while (s->addr) {
		const struct addrinfo *a = s->addr;

		s->addr = a->ai_next;
		if (s->fd >= 0)
			(void)close(s->fd);
		s->fd = socket(a->ai_family, a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
		               a->ai_protocol);
		if (s->fd >= 0 &&
		    (connect(s->fd, a->ai_addr, a->ai_addrlen) == 0 || errno == EINPROGRESS)) {
			s->step = SSH_TCP;
			s->watch.fd = s->fd;
			s->watch.events = POLLOUT;
			loop_arm(s->loop, &s->deadline, s->limits->tcp_us);
			return;
		}
		(void)err_errno(&err, ERR_IO, "%s port %d", s->board->ssh.host,
		                (int)s->board->ssh.port);
	}
	ssh_down(s, "ssh-connect", &err);
}

/* The pinned key is read anew for each connection: cohort board rekey changes it under us. */
static int ssh_read_pin(struct ssh *s, struct err *err)
{
	SCOPED_STR text = NULL;

	if (s->board->ssh.host_key)
		return host_key_parse(s->board->ssh.host_key, &s->pinned, err);
	text = fs_read_file(s->board->ssh.host_key_file, 4096, NULL, err);
	if (!text || host_key_parse(text, &s->pinned, err) < 0)
		return err_context(err, "pinned host key %s", s->board->ssh.host_key_file);
	return 0;
}

/* A board has a fixed address, as a rule by number: a name costs a look-up that blocks this board only. */
void ssh_begin(struct ssh *s)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	char port[8];
	struct err err = {0};
	int rc;

	if (ssh_read_pin(s, &err) < 0) {
		ssh_down(s, "host-key-mismatch", &err);
		return;
	}
	(void)snprintf(port, sizeof(port), "%d", (int)s->board->ssh.port);
	rc = getaddrinfo(s->board->ssh.host, port, &hints, &s->addrs);
	if (rc != 0) {
		s->addrs = NULL;
		(void)err_set(&err, ERR_NOTFOUND, "%s: %s", s->board->ssh.host, gai_strerror(rc));
	}
	s->addr = s->addrs;
	ssh_try_next(s, &err);
}
