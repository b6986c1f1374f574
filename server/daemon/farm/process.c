/* One cohort-board process a board: start, speak, listen, reap. */
#include "common/fsio.h"
#include "common/jx.h"
#include "common/logline.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/farm/farm_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

/* A board of the API has no file of its own: cohort-board reads the document that the store has. */
static char *board_file_path(struct board *b, const char *dir, struct err *err)
{
	SCOPED_STR path = NULL;

	if (b->path)
		return xstrdup(b->path);
	path = xasprintf("%s/board.json", dir);
	if (fs_replace_file(path, b->document, strlen(b->document), 0640, err) < 0)
		return NULL;
	return take_str(&path);
}

static int watch(struct board *b, int fd, struct watch *w, struct err *err)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = w};

	if (epoll_ctl(b->farm->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		return err_errno(err, ERR_IO, "epoll");
	return 0;
}

/* fork and exec with stdin and stdout as given; its own process group, so that Ctrl-C is ours alone to see. */
static int spawn(char *const argv[], int in, int out, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int rc;

	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
	(void)posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	(void)posix_spawnattr_init(&attr);
	(void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
	                                              POSIX_SPAWN_SETSIGDEF);
	(void)posix_spawnattr_setsigmask(&attr, &none);
	(void)posix_spawnattr_setsigdefault(&attr, &all);
	rc = posix_spawn(pid, argv[0], &actions, &attr, argv, environ);
	(void)posix_spawnattr_destroy(&attr);
	(void)posix_spawn_file_actions_destroy(&actions);
	return rc;
}

/* Start cohort-board over two pipes, whose far ends close when this returns. */
static int process_start(struct board *b, char *file, char *dir, struct err *err)
{
	char board_opt[] = "--board", state_opt[] = "--state";
	SCOPED_STR program = xstrdup(b->farm->config.board_program);
	char *const argv[] = {program, board_opt, file, state_opt, dir, NULL};
	int down[2] = {-1, -1}, up[2] = {-1, -1}, rc;

	if (pipe2(down, O_CLOEXEC) < 0 || pipe2(up, O_CLOEXEC) < 0) {
		(void)err_errno(err, ERR_IO, "pipe");
		if (down[0] >= 0) {
			(void)close(down[0]);
			(void)close(down[1]);
		}
		return -1;
	}
	rc = spawn(argv, down[0], up[1], &b->pid);
	(void)close(down[0]);
	(void)close(up[1]);
	b->in = down[1];
	b->out = up[0];
	if (rc != 0) {
		b->pid = 0;
		errno = rc;
		return err_errno(err, ERR_IO, "%s", program);
	}
	b->pidfd = pidfd_open(b->pid, 0);
	if (b->pidfd < 0)
		return err_errno(err, ERR_IO, "pidfd_open");
	(void)fcntl(b->in, F_SETFL, O_NONBLOCK);
	(void)fcntl(b->out, F_SETFL, O_NONBLOCK);
	if (watch(b, b->out, &b->watch_out, err) < 0)
		return -1;
	return watch(b, b->pidfd, &b->watch_process, err);
}

static void fd_drop(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

/* Forget the process, which is reaped here when it is there. */
static void process_drop(struct board *b)
{
	siginfo_t info;

	if (b->pid > 0)
		(void)waitid(P_PID, (id_t)b->pid, &info, WEXITED);
	b->pid = 0;
	fd_drop(&b->in);
	fd_drop(&b->out);
	fd_drop(&b->pidfd);
	lines_release(&b->lines);
	lines_init(&b->lines, HINT_MAX);
	if (b->attempt)
		b->attempt->run_sent = b->attempt->cancel_sent = false;
	b->restart = false;
}

/* cohort-board is no fault of an attempt, unless it dies again and again in it. */
static void process_died(struct board *b, const char *detail)
{
	board_detail(b, detail);
	if (b->attempt && ++b->attempt->deaths >= FARM_DEATHS)
		attempt_broken(b->attempt, "worker-died",
		               "cohort-board ended %d times without finishing a test; last: %s",
		               FARM_DEATHS, detail);
	board_tell(b, BOARD_EV_DIED, false);
}

static int process_spawn(struct board *b, struct err *err)
{
	SCOPED_STR dir = xasprintf("%s/boards/%s", b->farm->config.state_dir, b->name);
	SCOPED_STR file = NULL;

	if (fs_mkdirs(dir, err) < 0)
		return -1;
	file = board_file_path(b, dir, err);
	if (!file)
		return -1;
	lines_release(&b->lines);
	lines_init(&b->lines, HINT_MAX);
	return process_start(b, file, dir, err);
}

void process_act(struct board *b)
{
	unsigned acts = board_act(&b->state, b->farm->mono);
	struct err err;

	if (acts & BOARD_ACT_SPAWN) {
		if (process_spawn(b, &err) == 0) {
			board_tell(b, BOARD_EV_SPAWNED, false);
		} else {
			log_error("board %s: %s", b->name, err.text);
			if (b->pid > 0)
				(void)kill(b->pid, SIGKILL);
			process_drop(b);
			process_died(b, err.text);
		}
	}
	if (acts & BOARD_ACT_CHECK) {
		process_send(b, "check", NULL, NULL);
		board_tell(b, BOARD_EV_CHECKED, false);
	}
}

void process_kill(struct board *b)
{
	if (b->pidfd >= 0)
		(void)pidfd_send_signal(b->pidfd, SIGKILL, NULL, 0);
}

/* It ended, by itself or not: what it said last is heard first. */
void process_gone(struct board *b)
{
	char detail[128];
	siginfo_t info = {0};

	process_read(b);
	if (waitid(P_PID, (id_t)b->pid, &info, WEXITED | WNOWAIT | WNOHANG) < 0 || info.si_pid == 0)
		return;
	(void)snprintf(detail, sizeof(detail), "cohort-board ended: %s %d",
	               info.si_code == CLD_EXITED ? "exit" : "signal", info.si_status);
	if (!atomic_load(&b->farm->stop))
		log_warn("board %s: %s", b->name, detail);
	process_drop(b);
	process_died(b, detail);
}

static int hint_line(void *arg, char *text, size_t len, uint64_t end)
{
	(void)end;
	board_hint(arg, text, len);
	return 0;
}

void process_read(struct board *b)
{
	char buf[8192];
	ssize_t n;

	while (b->out >= 0 && (n = read(b->out, buf, sizeof(buf))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return;
		(void)lines_feed(&b->lines, 0, buf, (size_t)n, hint_line, b);
	}
	/* EOF. Its end is told by the pidfd; a process that closed its stdout and lives is of no use. */
	fd_drop(&b->out);
	process_kill(b);
}

void process_send(struct board *b, const char *op, const struct attempt_ref *ref, const char *dir)
{
	SCOPED_JSON doc = json_pack("{s:s}", "op", op);
	SCOPED_STR text = NULL;
	size_t len;

	if (b->in < 0)
		return;
	if (ref) {
		(void)json_object_set_new(doc, "run", json_integer(ref->run));
		(void)json_object_set_new(doc, "attempt", json_integer(ref->attempt));
	}
	if (dir) {
		(void)json_object_set_new(doc, "fence", json_integer(ref->fence));
		(void)json_object_set_new(doc, "dir", json_string(dir));
	}
	text = jx_text(doc);
	len = strlen(text);
	text = xrealloc(take_str(&text), len + 2);
	text[len++] = '\n';
	/* A line is shorter than PIPE_BUF, so it goes whole or not at all. A pipe that is full has a reader that has
	 * not read for hundreds of lines: begin again with a new one. */
	if (write(b->in, text, len) != (ssize_t)len) {
		log_warn("board %s: cohort-board does not read its orders", b->name);
		process_kill(b);
	}
}
