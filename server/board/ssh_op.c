#include "server/board/ssh_private.h"

#include "common/xalloc.h"

#include <string.h>
#include <unistd.h>

#define READ_BURST (256 * 1024) /* bytes of one command before others get their turn */

struct remote_op *op_new(struct ssh *s, enum op_kind kind, int64_t limit_us)
{
	struct remote_op *op = xcalloc(1, sizeof(*op));

	op->kind = kind;
	op->limit_us = limit_us;
	op->at_us = s->loop->mono_us;
	op->fd = -1;
	ssh_add(s, op);
	return op;
}

struct remote_op *ssh_exec(struct remote *r, const struct remote_exec *exec)
{
	struct remote_op *op = op_new((struct ssh *)r, OP_EXEC, exec->limit_us);

	op->exec = *exec;
	op->command = xstrdup(exec->command);
	op->input = xcalloc(1, exec->input_len + 1);
	if (exec->input)
		(void)memcpy(op->input, exec->input, exec->input_len);
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

void op_finish(struct remote_op *op, int status, const struct err *err)
{
	if (op->dropped)
		return;
	op->dropped = true;
	if (op->kind == OP_PUT)
		op->put.done(op->put.arg, err);
	else if (op->kind == OP_GET)
		op->get.done(op->get.arg, err);
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
	return op->kind != OP_EXEC || op->state != X_CHANNEL;
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

/* A dropped op leaves as soon as no packet of it is half sent. Returns true when it is gone at once. */
static bool op_leave(const struct ssh *s, struct remote_op *op)
{
	bool between = s->busy != op;

	if (op->kind != OP_EXEC) {
		if (op->sftp_state == F_MOVE && between)
			op->sftp_state = F_CLOSE;
		return op->sftp_state == F_INIT && between;
	}
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
	return op->kind == OP_EXEC ? exec_step(s, op) : sftp_step(s, op);
}
