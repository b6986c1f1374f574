#include "server/board/control.h"

#include "common/err.h"
#include "common/jx.h"
#include "common/logline.h"
#include "common/scoped.h"
#include "common/xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* --- out: a line is one write of at most PIPE_BUF bytes, so that it is in the pipe whole or not at all --- */

static bool say(struct control *c, const char *text)
{
	SCOPED_STR line = xasprintf("%s\n", text);
	size_t len = strlen(line);

	if (c->eof || len > PIPE_BUF)
		return true;
	if (write(c->out.fd, line, len) == (ssize_t)len)
		return true;
	return errno != EAGAIN; /* a reader that is gone will show at our stdin */
}

static void say_state(void *arg, const char *state, const char *detail, json_t *facts)
{
	struct control *c = arg;
	SCOPED_JSON doc = json_pack("{s:s, s:s, s:s, s:O?}", "ev", "state", "state", state,
	                            "detail", detail, "facts", facts);
	SCOPED_STR text = jx_text(doc);

	if (strlen(text) + 1 > PIPE_BUF) {
		(void)json_object_set_new(doc, "facts", json_null());
		free(text);
		text = jx_text(doc);
	}
	(void)say(c, text);
}

static void say_journal(void *arg, const struct record *record)
{
	struct control *c = arg;

	(void)snprintf(c->pending, sizeof(c->pending),
	               "{\"ev\":\"journal\",\"run\":%lld,\"attempt\":%lld,\"size\":%llu}",
	               (long long)record->request.run, (long long)record->request.attempt,
	               (unsigned long long)record_size(record));
	c->out.events = say(c, c->pending) ? 0 : POLLOUT;
}

const struct drive_hints control_hints = {.state = say_state, .journal = say_journal};

static void control_writable(void *arg, short revents)
{
	struct control *c = arg;

	if (revents & (POLLERR | POLLHUP))
		c->out.fd = -1;
	else if (say(c, c->pending))
		c->out.events = 0;
}

/* --- in --- */

struct op {
	const char *name, *dir;
	int64_t run, attempt, fence;
};

static int op_run(struct drive *d, const struct op *op, struct err *err)
{
	if (!op->dir || op->dir[0] != '/' || op->fence < 0)
		return err_set(err, ERR_INVALID, "needs fence and an absolute dir");
	return drive_run(d, op->dir, op->run, op->attempt, op->fence, err);
}

static int op_cancel(struct drive *d, const struct op *op, struct err *err)
{
	(void)err;
	drive_cancel(d, op->run, op->attempt);
	return 0;
}

static int op_release(struct drive *d, const struct op *op, struct err *err)
{
	(void)err;
	drive_clean(d, op->run, op->attempt);
	return 0;
}

static int op_check(struct drive *d, const struct op *op, struct err *err)
{
	(void)op;
	(void)err;
	drive_check(d);
	return 0;
}

static int op_quit(struct drive *d, const struct op *op, struct err *err)
{
	(void)op;
	(void)err;
	drive_quit(d);
	return 0;
}

static int op_do(struct control *c, json_t *doc, struct err *err)
{
	static const struct {
		const char *name;
		int (*fn)(struct drive *d, const struct op *op, struct err *err);
	} ops[] = {
		{"run", op_run},     {"cancel", op_cancel}, {"release", op_release},
		{"check", op_check}, {"quit", op_quit},
	};
	static const struct jx_field fields[] = {
		{"op", JX_STRING, true, 1, 32, offsetof(struct op, name)},
		{"dir", JX_STRING, false, 1, 4000, offsetof(struct op, dir)},
		{"run", JX_INT, false, 0, INT64_MAX, offsetof(struct op, run)},
		{"attempt", JX_INT, false, 0, INT64_MAX, offsetof(struct op, attempt)},
		{"fence", JX_INT, false, 0, INT64_MAX, offsetof(struct op, fence)},
	};
	struct jx_errors errors = {0};
	struct op op = {.fence = -1};
	int rc;

	(void)jx_read_wire(doc, fields, sizeof(fields) / sizeof(*fields), &op, "", &errors);
	rc = jx_errors_to_err(&errors, err);
	jx_errors_release(&errors);
	if (rc < 0)
		return -1;
	for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++)
		if (strcmp(ops[i].name, op.name) == 0)
			return ops[i].fn(c->drive, &op, err);
	return err_set(err, ERR_INVALID, "unknown op");
}

static int control_line(void *arg, char *text, size_t len, uint64_t end)
{
	struct control *c = arg;
	struct err err;
	SCOPED_JSON doc = jx_parse(text, len, 65536, &err);

	(void)end;
	if (!doc || op_do(c, doc, &err) < 0)
		log_error("control: %s: %.200s", err.text, text);
	return 0;
}

static void control_readable(void *arg, short revents)
{
	struct control *c = arg;
	char data[16384];
	ssize_t n = read(c->in.fd, data, sizeof(data));

	(void)revents;
	if (n > 0) {
		(void)lines_feed(&c->lines, 0, data, (size_t)n, control_line, c);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		c->eof = true;
		c->in.fd = c->out.fd = -1;
		if (!c->drive->quitting)
			c->drive->loop->stop = true;
	}
}

void control_start(struct control *c, struct loop *loop, struct drive *drive, int in, int out)
{
	char hello[64];

	*c = (struct control){.drive = drive};
	c->in = (struct loop_watch){.fd = in, .events = POLLIN, .fn = control_readable, .arg = c};
	c->out = (struct loop_watch){.fd = out, .fn = control_writable, .arg = c};
	lines_init(&c->lines, 65536);
	loop_add_watch(loop, &c->in);
	loop_add_watch(loop, &c->out);
	(void)fcntl(out, F_SETFL, fcntl(out, F_GETFL) | O_NONBLOCK);
	(void)snprintf(hello, sizeof(hello), "{\"ev\":\"hello\",\"pid\":%ld}", (long)getpid());
	(void)say(c, hello);
}

void control_stop(struct control *c)
{
	lines_release(&c->lines);
}
