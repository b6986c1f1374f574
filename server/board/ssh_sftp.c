#include "server/board/ssh_private.h"

#include "common/xalloc.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WINDOW                                                                                     \
	(256 *                                                                                     \
	 1024) /* handed to libssh2 at once, which sends or asks for it in packets and waits for none */

struct remote_op *ssh_put(struct remote *r, const struct remote_put *put)
{
	struct remote_op *op = op_new((struct ssh *)r, OP_PUT, put->limit_us);

	op->put = *put;
	op->local = xstrdup(put->local);
	op->path = xstrdup(put->path);
	return op;
}

struct remote_op *ssh_get(struct remote *r, const struct remote_get *get)
{
	struct remote_op *op = op_new((struct ssh *)r, OP_GET, get->limit_us);

	op->get = *get;
	op->path = xstrdup(get->path);
	return op;
}

static bool sftp_gone(const struct ssh *s)
{
	return s->sftp && libssh2_channel_eof(libssh2_sftp_get_channel(s->sftp)) == 1;
}

static int open_local(struct remote_op *op)
{
	struct stat st;

	op->fd = open(op->local, O_RDONLY | O_CLOEXEC);
	if (op->fd < 0 || fstat(op->fd, &st) < 0)
		return err_errno(&op->err, ERR_IO, "%s", op->local);
	op->total = (uint64_t)st.st_size;
	return 0;
}

/* Open the local file and the session's SFTP channel. */
static enum op_result sftp_init(struct ssh *s, struct remote_op *op)
{
	if (op->kind == OP_PUT && op->fd < 0 && open_local(op) < 0) {
		op_finish(op, -1, &op->err);
		return OP_DONE;
	}
	if (sftp_gone(
		    s)) /* a board short of memory kills it; what is left of it goes with the session */
		s->sftp = NULL;
	if (!s->sftp)
		s->sftp = libssh2_sftp_init(s->session);
	if (s->sftp) {
		op->window = xcalloc(1, WINDOW);
		op->sftp_state = F_OPEN;
		return OP_MOVED;
	}
	if (libssh2_session_last_errno(s->session) == LIBSSH2_ERROR_EAGAIN)
		return OP_WAIT;
	(void)ssh_error(s, ERR_PROTOCOL, &op->err, "SFTP on the board");
	op_finish(op, -1, &op->err);
	return OP_DONE;
}

/* Why SFTP refused: libssh2's own error, or the server's status. */
static void sftp_refused(struct ssh *s, struct remote_op *op, const char *what)
{
	int code = libssh2_session_last_errno(s->session);

	if (code == LIBSSH2_ERROR_SFTP_PROTOCOL)
		(void)err_set(&op->err, ERR_IO, "%s: SFTP %s refused with status %lu", op->path,
		              what, libssh2_sftp_last_error(s->sftp));
	else
		(void)ssh_error(s, ERR_PROTOCOL, &op->err, what);
	op->failed = true;
}

static enum op_result sftp_open(struct ssh *s, struct remote_op *op)
{
	unsigned long flags = op->kind == OP_GET
	                              ? LIBSSH2_FXF_READ
	                              : LIBSSH2_FXF_WRITE | LIBSSH2_FXF_CREAT | LIBSSH2_FXF_TRUNC;

	op->handle = libssh2_sftp_open_ex(s->sftp, op->path, (unsigned)strlen(op->path), flags,
	                                  0755, LIBSSH2_SFTP_OPENFILE);
	if (op->handle) {
		if (op->kind == OP_GET)
			libssh2_sftp_seek64(op->handle, op->get.offset);
		op->sftp_state = F_MOVE;
		return OP_MOVED;
	}
	if (libssh2_session_last_errno(s->session) == LIBSSH2_ERROR_EAGAIN)
		return OP_WAIT;
	sftp_refused(s, op, "open");
	op_finish(op, -1, &op->err);
	return OP_DONE;
}

/* libssh2 has sent the head of the window already when it asks again: what it gets must not move under it, so
 * bytes are only taken off the front when it says that the board has them. */
static enum op_result put_write(struct ssh *s, struct remote_op *op)
{
	ssize_t n;

	if (op->have < WINDOW && op->done + op->have < op->total) {
		n = pread(op->fd, op->window + op->have, WINDOW - op->have,
		          (off_t)(op->done + op->have));
		if (n <= 0) {
			(void)err_set(&op->err, ERR_IO, "%s: became shorter", op->local);
			op->failed = true;
			op->sftp_state = F_CLOSE;
			return OP_MOVED;
		}
		op->have += (size_t)n;
	}
	if (op->have == 0) {
		op->sftp_state = F_SYNC;
		return OP_MOVED;
	}
	n = libssh2_sftp_write(op->handle, op->window, op->have);
	if (n == LIBSSH2_ERROR_EAGAIN)
		return OP_WAIT;
	if (n < 0) {
		sftp_refused(s, op, "write");
		op->sftp_state = F_CLOSE;
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

static enum op_result get_read(struct ssh *s, struct remote_op *op)
{
	ssize_t n = libssh2_sftp_read(op->handle, op->window, WINDOW);

	if (n == LIBSSH2_ERROR_EAGAIN)
		return OP_WAIT;
	if (n < 0)
		sftp_refused(s, op, "read");
	if (n <= 0) {
		op->sftp_state = F_CLOSE;
		return OP_MOVED;
	}
	op->at_us = s->loop->mono_us;
	if (!op->dropped)
		op->get.data(op->get.arg, op->window, (size_t)n);
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
		sftp_refused(s, op, "fsync");
	op->sftp_state = F_CLOSE;
	return OP_MOVED;
}

static enum op_result sftp_close(struct ssh *s, struct remote_op *op)
{
	int rc = libssh2_sftp_close_handle(op->handle);

	if (rc == LIBSSH2_ERROR_EAGAIN)
		return OP_WAIT;
	if (rc < 0 && !op->failed)
		sftp_refused(s, op, "close");
	op_finish(op, 0, op->failed ? &op->err : NULL);
	return OP_DONE;
}

static enum op_result sftp_talk(struct ssh *s, struct remote_op *op)
{
	switch (op->sftp_state) {
	case F_INIT:
		return sftp_init(s, op);
	case F_OPEN:
		return sftp_open(s, op);
	case F_MOVE:
		return op->kind == OP_GET ? get_read(s, op) : put_write(s, op);
	case F_SYNC:
		return put_sync(s, op);
	case F_CLOSE:
		break;
	}
	return sftp_close(s, op);
}

enum op_result sftp_step(struct ssh *s, struct remote_op *op)
{
	enum op_result result = sftp_talk(s, op);

	if (result != OP_WAIT || ssh_sending(s) || !sftp_gone(s))
		return result;
	(void)err_set(&op->err, ERR_IO, "%s: the board's SFTP server ended", op->path);
	op_finish(op, -1, &op->err);
	return OP_DONE;
}
