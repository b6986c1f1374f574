/* cohort-board: one board's SSH session, console, power, and the run that is on it. */
#include "common/err.h"
#include "common/fsio.h"
#include "common/logline.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/board/control.h"
#include "server/board/drive.h"
#include "server/board/loop.h"
#include "server/board/once.h"
#include "server/board/ssh.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libssh2.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>

struct options {
	const char *board, *state, *once;
	enum log_level level;
};

static const char usage[] =
	"usage: cohort-board --board FILE --state DIR [--once REQUEST.json] [--verbose]\n"
	"  Serves one board: ops on stdin, hints on stdout (docs/WIRE.md, section 4).\n"
	"  --once does one run by hand and prints its journal; exit status 0 when it ended without a fault.\n";

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{"board", required_argument, NULL, 'b'},
		{"state", required_argument, NULL, 's'},
		{"once", required_argument, NULL, 'o'},
		{"verbose", no_argument, NULL, 'v'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int c;

	*o = (struct options){.level = LOG_LEVEL_INFO};
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == 'b')
			o->board = optarg;
		else if (c == 's')
			o->state = optarg;
		else if (c == 'o')
			o->once = optarg;
		else if (c == 'v')
			o->level = LOG_LEVEL_DEBUG;
		else if (c == 'V')
			return puts("cohort-board " COHORT_VERSION) < 0 ? 2 : 0;
		else
			return fputs(usage, c == 'h' ? stdout : stderr) < 0 || c != 'h' ? 2 : 0;
	}
	if (o->board && o->state && optind == argc)
		return -1;
	(void)fputs(usage, stderr);
	return 2;
}

/* Two cohort-boards on one board would run over each other. Held until the process ends. */
static int lock_board(const char *state, const char *name, struct err *err)
{
	SCOPED_STR path = xasprintf("%s/%s.lock", state, name);
	SCOPED_FD fd = -1;

	if (fs_mkdirs(state, err) < 0)
		return -1;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		return take_fd(&fd);
	if (fd >= 0 && errno == EWOULDBLOCK)
		return err_set(err, ERR_CONFLICT, "%s: another cohort-board serves this board",
		               path);
	return err_errno(err, ERR_IO, "%s", path);
}

struct signals {
	struct loop_watch watch;
	struct drive *drive;
};

static void on_signal(void *arg, short revents)
{
	const struct signals *s = arg;
	struct signalfd_siginfo info;

	(void)revents;
	while (read(s->watch.fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		drive_quit(s->drive);
}

static int open_signals(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void step(void *arg)
{
	drive_step(arg);
}

/* Serve until the end; returns the exit status. */
static int serve(const struct options *o, const struct board_file *board, struct once *once)
{
	static struct drive drive; /* once, which is the caller's, points to it */
	struct loop loop;
	struct control control = {0};
	struct drive_hints hints = o->once ? once_hints : control_hints;
	struct signals signals = {.drive = &drive};
	struct err err;
	int rc = 0;

	loop_init(&loop);
	loop.after = step;
	loop.after_arg = &drive;
	signals.watch = (struct loop_watch){
		.fd = open_signals(), .events = POLLIN, .fn = on_signal, .arg = &signals};
	loop_add_watch(&loop, &signals.watch);
	hints.arg = o->once ? (void *)once : (void *)&control;
	control.out.fd = -1;
	drive_init(&drive, &loop, board, ssh_new(&loop, board, &ssh_limits_usual), o->state,
	           &hints);
	if (!o->once) {
		control_start(&control, &loop, &drive, STDIN_FILENO, STDOUT_FILENO);
	} else {
		once->drive = &drive;
		rc = drive_run(&drive, once->dir, once->run, once->attempt, once->fence, &err);
		loop.again = true;
	}
	if (rc < 0)
		log_error("%s", err.text);
	else
		loop_run(&loop);
	if (once)
		once->drive = NULL;
	drive_release(&drive);
	control_stop(&control);
	(void)close(signals.watch.fd);
	return rc < 0 || (o->once && !once->good);
}

int main(int argc, char **argv)
{
	struct options o;
	struct err err;
	struct once once = {0};
	struct board_file *board;
	SCOPED_FD lock = -1;
	int status = parse(argc, argv, &o);

	if (status >= 0)
		return status;
	log_open("cohort-board", o.level);
	if (sodium_init() < 0 || libssh2_init(0) != 0)
		return 1;
	board = board_file_load(o.board, &err);
	lock = board ? lock_board(o.state, board->name, &err) : -1;
	if (lock < 0 || (o.once && once_prepare(&once, o.once, o.state, &err) < 0)) {
		log_error("%s", err.text);
		status = 1;
	} else {
		status = serve(&o, board, &once);
	}
	once_release(&once);
	board_file_free(board);
	libssh2_exit();
	return status;
}
