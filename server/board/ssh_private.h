/* ssh_private.h - what ssh.c (the session), ssh_op.c (commands in it) and ssh_sftp.c (transfers) share. */
#pragma once
#include "common/boardfile.h"
#include "common/err.h"
#include "server/board/loop.h"
#include "server/board/remote.h"
#include "server/board/ssh.h"

#include <libssh2.h>
#include <libssh2_sftp.h>
#include <netdb.h>

enum ssh_step { SSH_IDLE, SSH_TCP, SSH_HANDSHAKE, SSH_AUTH, SSH_UP };

struct ssh {
	struct remote remote; /* first: a struct remote * is a struct ssh * */
	struct loop *loop;
	const struct board_file *board;
	const struct ssh_limits *limits;
	struct host_key pinned;
	enum ssh_step step;
	struct addrinfo *addrs, *addr; /* owned list; the one in use */
	int fd;                        /* owned */
	LIBSSH2_SESSION *session;
	LIBSSH2_CHANNEL *spare;
	LIBSSH2_SFTP *sftp;
	struct loop_watch watch;
	struct loop_timer deadline, keepalive, kick;
	int64_t rx_us, banner_us, silence_us;
	bool heard;            /* its banner came on this connection */
	struct remote_op *ops; /* list, oldest first */
	const void *
		busy; /* an op, or &spare: its packet is half sent, no other call may come before it */
};

#define STDERR_KEEP 1024

enum op_kind { OP_EXEC, OP_PUT, OP_GET };

/* A command goes through the first row of states, a transfer through the second. */
enum exec_state { X_CHANNEL, X_START, X_WRITE, X_EOF, X_READ, X_CLOSED, X_FREE };
enum sftp_state { F_INIT, F_OPEN, F_MOVE, F_SYNC, F_CLOSE };

struct remote_op {
	struct remote_op *next;
	enum op_kind kind;
	enum exec_state state;
	enum sftp_state sftp_state;
	bool dropped;
	int64_t limit_us, at_us; /* the deadline is at_us + limit_us */
	bool failed;             /* a transfer that only has its handle to close */
	struct err err;

	struct remote_exec exec;
	char *command, *input; /* owned */
	size_t sent;
	LIBSSH2_CHANNEL *channel;
	char complaint[STDERR_KEEP + 1];
	size_t complained;

	struct remote_put put;
	struct remote_get get;
	char *local, *path; /* owned */
	int fd;             /* owned */
	uint64_t done, total;
	LIBSSH2_SFTP_HANDLE *handle;
	char *window; /* owned: what is put: file bytes from done on; what is got: room for the next ones */
	size_t have;
};

/* What a step of an op came to. */
enum op_result { OP_WAIT, OP_MOVED, OP_DONE };

struct remote_op *op_new(struct ssh *s, enum op_kind kind, int64_t limit_us);

/* Tell the owner, once. */
void op_finish(struct remote_op *op, int status, const struct err *err);

/* One step of a transfer (ssh_sftp.c). */
enum op_result sftp_step(struct ssh *s, struct remote_op *op);

/* Do what can be done for this op now. OP_DONE: its callback was called, and it is to be freed. */
enum op_result op_step(struct ssh *s, struct remote_op *op);

/* The session is gone (err), so is its channel: call done and let nothing of libssh2 be touched again. */
void op_fail(struct remote_op *op, const struct err *err);

/* Before the session is freed: no callbacks, and the handle goes (its channel goes with the session). */
void op_forget(struct remote_op *op);

/* Does the op hold a channel, so that its last step called libssh2? */
bool op_talks(const struct remote_op *op);

bool op_late(const struct remote_op *op, int64_t now_us);
int64_t op_deadline(const struct remote_op *op);
struct remote_op **op_next(struct remote_op *op);
void op_free(struct remote_op *op);

/* Take the spare channel, or NULL when there is none yet. */
LIBSSH2_CHANNEL *ssh_take_spare(struct ssh *s);

/* libssh2's last error of this session into *err; -1. */
int ssh_error(struct ssh *s, enum err_kind kind, struct err *err, const char *what);

/* Does libssh2 wait for the socket to take more? */
bool ssh_sending(const struct ssh *s);

/* The session is over: every op gets its done(), then the owner hears of it. */
void ssh_down(struct ssh *s, const char *fault, const struct err *err);

/* The steps of connecting (ssh_connect.c); each goes on to the next, or down. */
void ssh_begin(struct ssh *s);
void ssh_try_next(
	struct ssh *s,
	const struct err *last); /* the next address; last: what to say if there is none */
void ssh_connected(struct ssh *s);
void ssh_handshake(struct ssh *s);
void ssh_authenticate(struct ssh *s);

struct remote_op *ssh_exec(struct remote *r, const struct remote_exec *exec);
struct remote_op *ssh_put(struct remote *r, const struct remote_put *put);
struct remote_op *ssh_get(struct remote *r, const struct remote_get *get);
void ssh_drop(struct remote *r, struct remote_op *op);
void ssh_add(struct ssh *s, struct remote_op *op);
