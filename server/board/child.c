#include "server/board/child.h"

#include "common/err.h"
#include "common/scoped.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINE_CAP 4096

static int child_line(void *arg, char *text, size_t len, uint64_t end)
{
	struct child *c = arg;

	(void)end;
	if (c->spec.line)
		c->spec.line(c->spec.arg, text, len);
	return 0;
}

static void child_close(struct child *c)
{
	if (c->out.fd >= 0)
		(void)close(c->out.fd);
	if (c->end.fd >= 0)
		(void)close(c->end.fd);
	if (c->input >= 0)
		(void)close(c->input);
	c->out.fd = c->end.fd = c->input = -1;
	c->limit.at_us = 0;
	lines_release(&c->lines);
}

/* The status counts when the process has ended; what it left in the pipe is read, but nobody waits for a daemon
 * that inherited the pipe. */
static void child_finish(struct child *c)
{
	int status = c->late                ? -1
	             : WIFEXITED(c->status) ? WEXITSTATUS(c->status)
	                                    : 128 + WTERMSIG(c->status);

	if (c->lines.have > 0) /* last words without a newline count, too */
		(void)lines_feed(&c->lines, 0, "\n", 1, child_line, c);
	c->pid = 0;
	child_close(c);
	if (c->spec.done)
		c->spec.done(c->spec.arg, status);
}

static bool child_read(struct child *c)
{
	char data[4096];
	ssize_t n = read(c->out.fd, data, sizeof(data));

	if (n > 0 && c->spec.data)
		c->spec.data(c->spec.arg, data, (size_t)n);
	else if (n > 0)
		(void)lines_feed(&c->lines, 0, data, (size_t)n, child_line, c);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		(void)close(c->out.fd);
		c->out.fd = -1;
	}
	return n > 0;
}

static void child_on_out(void *arg, short revents)
{
	(void)revents;
	(void)child_read(arg);
}

static void child_on_end(void *arg, short revents)
{
	struct child *c = arg;

	(void)revents;
	if (waitpid(c->pid, &c->status, WNOHANG) != c->pid)
		return;
	for (int left = 64; left > 0 && c->out.fd >= 0; left--)
		if (!child_read(c))
			break;
	child_finish(c);
}

static void child_on_limit(void *arg)
{
	struct child *c = arg;

	c->late = true;
	(void)kill(-c->pid, SIGKILL);
}

void child_init(struct child *c, struct loop *loop)
{
	*c = (struct child){.loop = loop, .input = -1};
	c->out = (struct loop_watch){.fd = -1, .events = POLLIN, .fn = child_on_out, .arg = c};
	c->end = (struct loop_watch){.fd = -1, .events = POLLIN, .fn = child_on_end, .arg = c};
	c->limit = (struct loop_timer){.fn = child_on_limit, .arg = c};
	loop_add_watch(loop, &c->out);
	loop_add_watch(loop, &c->end);
	loop_add_timer(loop, &c->limit);
}

/* In the child. Nothing of ours is inherited: all our descriptors are close-on-exec. */
static void child_exec(const struct child_spec *spec, int in, int out) __attribute__((noreturn));
static void child_exec(const struct child_spec *spec, int in, int out)
{
	sigset_t none;

	(void)setpgid(0, 0);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0 || chdir(spec->dir) < 0)
		_exit(126);
	for (const char *const *e = spec->env; e && *e; e++) {
		const char *eq = strchr(*e, '=');
		SCOPED_STR name = strndup(*e, (size_t)(eq - *e));

		if (!name || setenv(name, eq + 1, 1) < 0)
			_exit(126);
	}
	(void)execvp(spec->argv[0], spec->argv);
	(void)dprintf(2, "%s: %s\n", spec->argv[0], strerror(errno));
	_exit(127);
}

/* The two pipes, and the child between them. */
static int child_fork(struct child *c, int in[2], int out[2], struct err *err)
{
	c->pid = fork();
	if (c->pid == 0)
		child_exec(&c->spec, in[0], out[1]);
	if (c->pid < 0) {
		c->pid = 0;
		return err_errno(err, ERR_IO, "fork");
	}
	(void)setpgid(c->pid, c->pid);
	c->end.fd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	if (c->end.fd >= 0)
		return 0;
	(void)err_errno(err, ERR_IO, "pidfd_open");
	child_stop(c);
	return -1;
}

int child_start(struct child *c, const struct child_spec *spec, struct err *err)
{
	int in[2] = {-1, -1}, out[2] = {-1, -1}, rc;

	c->spec = *spec;
	c->late = false;
	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0) {
		(void)err_errno(err, ERR_IO, "pipe");
		if (in[0] >= 0) {
			(void)close(in[0]);
			(void)close(in[1]);
		}
		return -1;
	}
	rc = child_fork(c, in, out, err);
	(void)close(in[0]);
	(void)close(out[1]);
	if (rc == 0 && spec->data)
		c->input = in[1];
	else
		(void)close(in[1]);
	if (rc < 0) {
		(void)close(out[0]);
		return -1;
	}
	(void)fcntl(out[0], F_SETFL, O_NONBLOCK);
	c->out.fd = out[0];
	lines_init(&c->lines, LINE_CAP);
	if (spec->limit_us)
		loop_arm(c->loop, &c->limit, spec->limit_us);
	return 0;
}

bool child_runs(const struct child *c)
{
	return c->pid > 0;
}

void child_stop(struct child *c)
{
	if (c->pid > 0) {
		(void)kill(-c->pid, SIGKILL);
		(void)waitpid(c->pid, NULL, 0);
	}
	c->pid = 0;
	child_close(c);
}

void child_release(struct child *c)
{
	child_stop(c);
	loop_del_watch(c->loop, &c->out);
	loop_del_watch(c->loop, &c->end);
	loop_del_timer(c->loop, &c->limit);
}
