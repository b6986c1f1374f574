#include "agent/leg.h"

#include "agent/procs.h"
#include "common/err.h"
#include "common/fsio.h"
#include "common/scoped.h"
#include "common/timeus.h"
#include "common/xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#define END_US (10 * 1000000) /* a test gets two seconds, then it is killed */

void leg_init(struct leg *leg, const char *root, int64_t run, int64_t attempt, int64_t number)
{
	char *dir =
		xasprintf("%s/runs/%" PRId64 ".%" PRId64 ".%" PRId64, root, run, attempt, number);

	*leg = (struct leg){
		.run = run,
		.attempt = attempt,
		.number = number,
		.root = xstrdup(root),
		.dir = dir,
		.request = xasprintf("%s/request.json", dir),
		.journal = xasprintf("%s/journal.ndjson", dir),
		.lock = xasprintf("%s/lock", dir),
		.work = xasprintf("%s/work", dir),
	};
}

/* One number of the name: digits only, no zero first, so that each leg has one name. */
static bool number(const char **p, char end, int64_t *out)
{
	size_t digits = strspn(*p, "0123456789");

	if (digits == 0 || digits > 16 || **p == '0' || (*p)[digits] != end)
		return false;
	*out = strtoll(*p, NULL, 10);
	*p += digits + (end != '\0');
	return true;
}

int leg_parse(struct leg *leg, const char *root, const char *name, struct err *err)
{
	int64_t run, attempt, leg_number;
	const char *p = name;

	if (!number(&p, '.', &run) || !number(&p, '.', &attempt) ||
	    !number(&p, '\0', &leg_number)) {
		(void)err_set(err, ERR_INVALID, "--run %s: must be RUN.ATTEMPT.LEG", name);
		return -1;
	}
	leg_init(leg, root, run, attempt, leg_number);
	return 0;
}

void leg_release(struct leg *leg)
{
	free(leg->root);
	free(leg->dir);
	free(leg->request);
	free(leg->journal);
	free(leg->lock);
	free(leg->work);
	*leg = (struct leg){0};
}

bool leg_exists(const struct leg *leg)
{
	struct stat st;

	return stat(leg->journal, &st) == 0 && st.st_size > 0;
}

bool leg_alive(const struct leg *leg)
{
	SCOPED_FD fd = open(leg->lock, O_RDONLY | O_CLOEXEC);

	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

int root_lock(const char *root, struct err *err)
{
	SCOPED_STR path = xasprintf("%s/lock", root);
	SCOPED_FD fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);

	if (fd < 0)
		return err_errno(err, ERR_IO, "%s", path);
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_errno(err, ERR_IO, "%s", path);
	return take_fd(&fd);
}

/* Written in place, always as long, within one sector: there is the old number or the new one, and one sync does. */
int root_fence(const char *root, int64_t fence, struct err *err)
{
	SCOPED_STR path = xasprintf("%s/fence", root);
	SCOPED_FD fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	char line[24] = "";
	int64_t seen;

	if (fd < 0 || pread(fd, line, sizeof(line) - 1, 0) < 0)
		return err_errno(err, ERR_IO, "%s", path);
	seen = strtoll(line, NULL, 10);
	if (fence < seen)
		return err_set(err, ERR_DENIED, "stale fence %" PRId64 ": %" PRId64 " was seen",
		               fence, seen);
	if (fence == seen)
		return 0;
	(void)snprintf(line, sizeof(line), "%019" PRId64 "\n", fence);
	if (pwrite(fd, line, strlen(line), 0) != (ssize_t)strlen(line) || fdatasync(fd) < 0)
		return err_errno(err, ERR_IO, "%s", path);
	return 0;
}

int leg_lock(const struct leg *leg, struct err *err)
{
	SCOPED_FD fd = open(leg->lock, O_RDWR | O_CREAT | O_CLOEXEC, 0640);

	if (fd < 0)
		return err_errno(err, ERR_IO, "%s", leg->lock);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return err_errno(err, errno == EWOULDBLOCK ? ERR_CONFLICT : ERR_IO, "%s",
		                 leg->lock);
	return take_fd(&fd);
}

/* The pid in the lock file is the worker's as long as the lock is held: the worker wrote it and lives. With a
 * pidfd taken before that is checked, the signal cannot reach another process that got the number later. */
static int signal_worker(const struct leg *leg, pid_t pid, struct err *err)
{
	SCOPED_FD pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (!leg_alive(leg))
		return 0;
	if (pidfd >= 0 ? syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0) < 0
	               : kill(pid, SIGTERM) < 0)
		return errno == ESRCH ? 0 : err_errno(err, ERR_IO, "worker %ld", (long)pid);
	return 0;
}

int leg_cancel(const struct leg *leg, struct err *err)
{
	SCOPED_STR text = NULL;
	long pid;

	if (!leg_exists(leg))
		return err_set(err, ERR_NOTFOUND, "%s: no such leg", leg->dir);
	if (!leg_alive(leg))
		return 0;
	text = fs_read_file(leg->lock, 64, NULL, err);
	pid = text ? strtol(text, NULL, 10) : 0;
	if (pid <= 1)
		return text ? err_set(err, ERR_IO, "%s: no pid in it", leg->lock) : -1;
	return signal_worker(leg, (pid_t)pid, err);
}

/* A worker takes its work directory away when it ends; where one is left, a test may be left too. */
static void kill_leftovers(const struct leg *leg)
{
	SCOPED_STR setting = xasprintf("TMPDIR=%s/", leg->work);
	struct stat st;

	if (stat(leg->work, &st) < 0)
		return;
	procs_kill_by_env(setting);
	remove_tree(leg->work);
}

static int end_leg(const struct leg *leg, struct err *err)
{
	const struct timespec pause = {.tv_nsec = 5000000};
	const int64_t end = time_mono_us() + END_US;

	if (leg_alive(leg) && leg_cancel(leg, err) < 0)
		return -1;
	while (leg_alive(leg) && time_mono_us() < end)
		(void)nanosleep(&pause, NULL);
	if (leg_alive(leg))
		return err_set(err, ERR_CONFLICT, "%s: its worker does not end", leg->dir);
	kill_leftovers(leg);
	return 0;
}

int leg_take_over(int root, const struct leg *leg, struct err *err)
{
	const char *name = strrchr(leg->dir, '/') + 1;
	SCOPED_STR line = xasprintf("%s\n", name);
	char last[64] = "";
	struct leg other;
	int rc;

	if (pread(root, last, sizeof(last) - 1, 0) < 0)
		return err_errno(err, ERR_IO, "%s/lock", leg->root);
	last[strcspn(last, "\n")] = '\0';
	if (strcmp(last, name) != 0 && leg_parse(&other, leg->root, last, NULL) == 0) {
		rc = end_leg(&other, err);
		leg_release(&other);
		if (rc < 0)
			return -1;
	}
	if (pwrite(root, line, strlen(line), 0) < 0 || ftruncate(root, (off_t)strlen(line)) < 0)
		return err_errno(err, ERR_IO, "%s/lock", leg->root);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)at;
	(void)(type == FTW_DP ? rmdir(path) : unlink(path));
	return 0;
}

void remove_tree(const char *path)
{
	(void)nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

int leg_clean(const struct leg *leg, struct err *err)
{
	struct stat st;
	SCOPED_FD root = -1;

	if (stat(leg->dir, &st) < 0 && errno == ENOENT)
		return 0;
	root = root_lock(leg->root, err);
	if (root < 0)
		return -1;
	if (leg_alive(leg))
		return err_set(err, ERR_CONFLICT, "%s: its worker is alive", leg->dir);
	kill_leftovers(leg);
	remove_tree(leg->dir);
	if (stat(leg->dir, &st) == 0)
		return err_set(err, ERR_IO, "%s: not everything could be removed", leg->dir);
	return 0;
}
