#include "server/board/ssh_private.h"

#include "common/scoped.h"
#include "common/xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define STDERR_KEEP 1024
#define READ_BURST  (256 * 1024) /* bytes of one command before others get their turn */
#define PUT_WINDOW                                                                                 \
	(256 * 1024) /* handed to libssh2 at once, which sends it in packets and waits for none */

/* A command goes through the first row of states, a transfer through the second. */
enum exec_state { X_CHANNEL, X_START, X_WRITE, X_EOF, X_READ, X_CLOSED, X_FREE };
enum put_state { P_INIT, P_OPEN, P_WRITE, P_SYNC, P_CLOSE };

struct remote_op {
	struct remote_op *next;
	bool is_put;
	enum exec_state state;
	enum put_state put_state;
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
	char *local, *path; /* owned */
	int fd;             /* owned */
	uint64_t done, total;
	LIBSSH2_SFTP_HANDLE *handle;
	char *window; /* owned: file bytes from done on */
	size_t have;
};

static struct remote_op *op_new(struct ssh *s, bool is_put, int64_t limit_us)
{
	struct remote_op *op = xcalloc(1, sizeof(*op));

	op->is_put = is_put;
	op->limit_us = limit_us;
	op->at_us = s->loop->mono_us;
	op->fd = -1;
	ssh_add(s, op);
	return op;
}

struct remote_op *ssh_exec(struct remote *r, const struct remote_exec *exec)
{
	struct remote_op *op = op_new((struct ssh *)r, false, exec->limit_us);

	op->exec = *exec;
	op->command = xstrdup(exec->command);
	op->input = xcalloc(1, exec->input_len + 1);
	if (exec->input)
		(void)memcpy(op->input, exec->input, exec->input_len);
	return op;
}

struct remote_op *ssh_put(struct remote *r, const struct remote_put *put)
{
	struct remote_op *op = op_new((struct ssh *)r, true, put->limit_us);

	op->put = *put;
	op->local = xstrdup(put->local);
	op->path = xstrdup(put->path);
	return op;
}

void ssh_drop(struct remote *r, struct remote_op *op)
{
	struct ssh *s = (struct ssh *)r;

	op->dropped = true;
	loop_arm(s->loop, &s->kick, 0);
}

void op_free(struct remote_op *op)
{
	if (op->fd >= 0)
		(void)close(op->fd);
	free(op->command);
	free(op->input);
	free(op->local);
	free(op->path);
	free(op->window);
	free(op);
}

struct remote_op **op_next(struct remote_op *op)
{
	return &op->next;
}

int64_t op_deadline(const struct remote_op *op)
{
	return op->limit_us && !op->dropped ? op->at_us + op->limit_us : 0;
}

bool op_late(const struct remote_op *op, int64_t now_us)
{
	return op_deadline(op) != 0 && now_us >= op->at_us + op->limit_us;
}

static void op_finish(struct remote_op *op, int status, const struct err *err)
{
	if (op->dropped)
		return;
	op->dropped = true;
	if (op->is_put)
		op->put.done(op->put.arg, err);
	else
		op->exec.done(op->exec.arg, status, op->complaint, err);
}

void op_fail(struct remote_op *op, const struct err *err)
{
	op_finish(op, -1, err);
}

void op_forget(struct remote_op *op)
{
	op->dropped = true;
	if (op->handle)
		(void)libssh2_sftp_close_handle(op->handle);
}

bool op_talks(const struct remote_op *op)
{
	return op->is_put || op->state != X_CHANNEL;
}

static enum op_result exec_start(struct ssh *s, struct remote_op *op)
{
	int rc;

	if (op->state == X_CHANNEL) {
		op->channel = ssh_take_spare(s);
		if (!op->channel)
			return OP_WAIT;
		op->state = X_START;
	}
	rc = libssh2_channel_process_startup(op->channel, "exec", 4, op->command,
	                                     (unsigned)strlen(op->command));
	if (rc == LIBSSH2_ERROR_EAGAIN)
		return OP_WAIT;
	op->state = X_WRITE;
	if (rc < 0) {
		struct err err;

		(void)ssh_error(s, ERR_PROTOCOL, &err, "command refused");
		op_finish(op, -1, &err);
	}
	return OP_MOVED;
}

static enum op_result exec_write(struct remote_op *op)
{
	if (op->sent < op->exec.input_len) {
		ssize_t n = libssh2_channel_write(op->channel, op->input + op->sent,
		                                  op->exec.input_len - op->sent);

		if (n == LIBSSH2_ERROR_EAGAIN)
			return OP_WAIT;
		if (n > 0) {
			op->sent += (size_t)n;
			return OP_MOVED;
		}
		/* It may have ended without reading: its status tells more than this error. */
		op->sent = op->exec.input_len;
		return OP_MOVED;
	}
	op->state = X_EOF;
	return OP_MOVED;
}

static void keep_complaint(struct remote_op *op, const char *data, size_t len)
{
	size_t room = STDERR_KEEP - op->complained;

	len = len < room ? len : room;
	(void)memcpy(op->complaint + op->complained, data, len);
	op->complained += len;
	op->complaint[op->complained] = '\0';
}

static enum op_result exec_read(struct ssh *s, struct remote_op *op)
{
	static char data[32768];
	size_t got = 0;
	ssize_t n;

	do {
		n = libssh2_channel_read_ex(op->channel, 0, data, sizeof(data));
		if (n > 0 && !op->dropped)
			op->exec.out(op->exec.arg, data, (size_t)n);
		got += n > 0 ? (size_t)n : 0;
	} while (n > 0 && got < READ_BURST);
	if (n < 0 && n != LIBSSH2_ERROR_EAGAIN) {
		struct err err;

		(void)ssh_error(s, ERR_PROTOCOL, &err, "reading a command's output");
		op_finish(op, -1, &err);
		return OP_MOVED;
	}
	n = libssh2_channel_read_ex(op->channel, SSH_EXTENDED_DATA_STDERR, data, sizeof(data));
	if (n > 0)
		keep_complaint(op, data, (size_t)n);
	if (got > 0 || n > 0)
		return OP_MOVED;
	if (!libssh2_channel_eof(op->channel))
		return OP_WAIT;
	op->state = X_CLOSED;
	return OP_MOVED;
}

static int exec_status(struct ssh *s, LIBSSH2_CHANNEL *channel)
{
	static const struct {
		const char *name;
		int number;
	} signals[] = {{"HUP", 1},   {"INT", 2},   {"QUIT", 3},  {"ILL", 4},   {"ABRT", 6},
	               {"FPE", 8},   {"KILL", 9},  {"SEGV", 11}, {"PIPE", 13}, {"ALRM", 14},
	               {"TERM", 15}, {"USR1", 10}, {"USR2", 12}};
	char *name = NULL;
	int status = libssh2_channel_get_exit_status(channel);

	if (libssh2_channel_get_exit_signal(channel, &name, NULL, NULL, NULL, NULL, NULL) != 0 ||
	    !name)
		return status;
	status = 255;
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		if (strcmp(signals[i].name, name) == 0)
			status = 128 + signals[i].number;
	libssh2_free(s->session, name);
	return status;
}

static enum op_result exec_step(struct ssh *s, struct remote_op *op)
{
	int rc;

	switch (op->state) {
	case X_CHANNEL:
	case X_START:
		return exec_start(s, op);
	case X_WRITE:
		return exec_write(op);
	case X_EOF:
		if (libssh2_channel_send_eof(op->channel) == LIBSSH2_ERROR_EAGAIN)
			return OP_WAIT;
		op->state = X_READ;
		return OP_MOVED;
	case X_READ:
		return exec_read(s, op);
	case X_CLOSED:
		if (libssh2_channel_wait_closed(op->channel) == LIBSSH2_ERROR_EAGAIN)
			return OP_WAIT;
		op_finish(op, exec_status(s, op->channel), NULL);
		op->state = X_FREE;
		return OP_MOVED;
	case X_FREE:
		break;
	}
	rc = libssh2_channel_free(op->channel);
	return rc == LIBSSH2_ERROR_EAGAIN ? OP_WAIT : OP_DONE;
}

static bool sftp_gone(const struct ssh *s)
{
	return s->sftp && libssh2_channel_eof(libssh2_sftp_get_channel(s->sftp)) == 1;
}

/* Open the local file and the session's SFTP channel. */
static enum op_result put_init(struct ssh *s, struct remote_op *op)
{
	struct stat st;

	if (op->fd < 0) {
		op->fd = open(op->local, O_RDONLY | O_CLOEXEC);
		if (op->fd < 0 || fstat(op->fd, &st) < 0) {
			(void)err_errno(&op->err, ERR_IO, "%s", op->local);
			op_finish(op, -1, &op->err);
			return OP_DONE;
		}
		op->total = (uint64_t)st.st_size;
		op->window = xcalloc(1, PUT_WINDOW);
	}
	if (sftp_gone(
		    s)) /* a board short of memory kills it; what is left of it goes with the session */
		s->sftp = NULL;
	if (!s->sftp)
		s->sftp = libssh2_sftp_init(s->session);
	if (s->sftp) {
		op->put_state = P_OPEN;
		return OP_MOVED;
	}
	if (libssh2_session_last_errno(s->session) == LIBSSH2_ERROR_EAGAIN)
		return OP_WAIT;
	(void)ssh_error(s, ERR_PROTOCOL, &op->err, "SFTP on the board");
	op_finish(op, -1, &op->err);
	return OP_DONE;
}

/* Why SFTP refused: libssh2's own error, or the server's status. */
static void put_refused(struct ssh *s, struct remote_op *op, const char *what)
{
	int code = libssh2_session_last_errno(s->session);

	if (code == LIBSSH2_ERROR_SFTP_PROTOCOL)
		(void)err_set(&op->err, ERR_IO, "%s: SFTP %s refused with status %lu", op->path,
		              what, libssh2_sftp_last_error(s->sftp));
	else
		(void)ssh_error(s, ERR_PROTOCOL, &op->err, what);
	op->failed = true;
}

static enum op_result put_open(struct ssh *s, struct remote_op *op)
{
	op->handle = libssh2_sftp_open_ex(s->sftp, op->path, (unsigned)strlen(op->path),
	                                  LIBSSH2_FXF_WRITE | LIBSSH2_FXF_CREAT | LIBSSH2_FXF_TRUNC,
	                                  0755, LIBSSH2_SFTP_OPENFILE);
	if (op->handle) {
		op->put_state = P_WRITE;
		return OP_MOVED;
	}
	if (libssh2_session_last_errno(s->session) == LIBSSH2_ERROR_EAGAIN)
		return OP_WAIT;
	put_refused(s, op, "open");
	op_finish(op, -1, &op->err);
	return OP_DONE;
}

/* libssh2 has sent the head of the window already when it asks again: what it gets must not move under it, so
 * bytes are only taken off the front when it says that the board has them. */
static enum op_result put_write(struct ssh *s, struct remote_op *op)
{
	ssize_t n;

	if (op->have < PUT_WINDOW && op->done + op->have < op->total) {
		n = pread(op->fd, op->window + op->have, PUT_WINDOW - op->have,
		          (off_t)(op->done + op->have));
		if (n <= 0) {
			(void)err_set(&op->err, ERR_IO, "%s: became shorter", op->local);
			op->failed = true;
			op->put_state = P_CLOSE;
			return OP_MOVED;
		}
		op->have += (size_t)n;
	}
	if (op->have == 0) {
		op->put_state = P_SYNC;
		return OP_MOVED;
	}
	n = libssh2_sftp_write(op->handle, op->window, op->have);
	if (n == LIBSSH2_ERROR_EAGAIN)
		return OP_WAIT;
	if (n < 0) {
		put_refused(s, op, "write");
		op->put_state = P_CLOSE;
		return OP_MOVED;
	}
	op->have -= (size_t)n;
	op->done += (uint64_t)n;
	(void)memmove(op->window, op->window + n, op->have);
	op->at_us = s->loop->mono_us;
	if (n > 0 && !op->dropped)
		op->put.progress(op->put.arg, op->done, op->total);
	return OP_MOVED;
}

/* The next thing that happens to the board may be a crash: what it was sent must be on its disk by then. A server that
 * cannot do this says so, and the hash that each session asks for stands alone. */
static enum op_result put_sync(struct ssh *s, struct remote_op *op)
{
	int rc = libssh2_sftp_fsync(op->handle);

	if (rc == LIBSSH2_ERROR_EAGAIN)
		return OP_WAIT;
	if (rc < 0 && (rc != LIBSSH2_ERROR_SFTP_PROTOCOL ||
	               libssh2_sftp_last_error(s->sftp) != LIBSSH2_FX_OP_UNSUPPORTED))
		put_refused(s, op, "fsync");
	op->put_state = P_CLOSE;
	return OP_MOVED;
}

static enum op_result put_close(struct ssh *s, struct remote_op *op)
{
	int rc = libssh2_sftp_close_handle(op->handle);

	if (rc == LIBSSH2_ERROR_EAGAIN)
		return OP_WAIT;
	if (rc < 0 && !op->failed)
		put_refused(s, op, "close");
	op_finish(op, 0, op->failed ? &op->err : NULL);
	return OP_DONE;
}

static enum op_result put_talk(struct ssh *s, struct remote_op *op)
{
	switch (op->put_state) {
	case P_INIT:
		return put_init(s, op);
	case P_OPEN:
		return put_open(s, op);
	case P_WRITE:
		return put_write(s, op);
	case P_SYNC:
		return put_sync(s, op);
	case P_CLOSE:
		break;
	}
	return put_close(s, op);
}

static enum op_result put_step(struct ssh *s, struct remote_op *op)
{
	enum op_result result = put_talk(s, op);

	if (result != OP_WAIT || ssh_sending(s) || !sftp_gone(s))
		return result;
	(void)err_set(&op->err, ERR_IO, "%s: the board's SFTP server ended", op->path);
	op_finish(op, -1, &op->err);
	return OP_DONE;
}

/* A dropped op leaves as soon as no packet of it is half sent. Returns true when it is gone at once. */
static bool op_leave(const struct ssh *s, struct remote_op *op)
{
	bool between = s->busy != op;

	if (op->is_put && op->put_state == P_INIT)
		return between;
	if (op->is_put && op->put_state == P_WRITE && between)
		op->put_state = P_CLOSE;
	if (op->is_put)
		return false;
	if (op->state == X_CHANNEL)
		return true;
	if (op->state != X_START && between)
		op->state = X_FREE;
	return false;
}

enum op_result op_step(struct ssh *s, struct remote_op *op)
{
	if (op->dropped && op_leave(s, op))
		return OP_DONE;
	return op->is_put ? put_step(s, op) : exec_step(s, op);
}
