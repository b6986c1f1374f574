#include "agent/worker.h"

#include "agent/events.h"
#include "agent/facts.h"
#include "agent/kmsg.h"
#include "agent/testrun.h"
#include "common/fsio.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define COMPLAINTS_MAX 64 /* a test; a kernel that warns in a loop must not fill the disk */

static void on_complaint(void *arg, enum kwarn_kind kind, const char *text)
{
	struct session *s = arg;

	s->died |= kwarn_fatal(kind);
	if (++s->complaints > COMPLAINTS_MAX)
		return;
	if (s->complaints == COMPLAINTS_MAX) {
		kind = KWARN_OTHER;
		text = "cohort-agent: the kernel complains on; from here on it is not recorded";
	}
	events_put(&s->events, "kernel-warning",
	           json_pack("{s:o, s:s, s:s}", "id",
	                     s->id < 0 ? json_null() : json_integer((json_int_t)s->id), "kind",
	                     kwarn_name(kind), "text", text));
}

/* SIGCHLD must be caught, not ignored, for wait4() to work; all are taken from the signalfd. */
static int open_signals(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
	(void)sigprocmask(SIG_SETMASK, &set, NULL);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static void put_started(struct session *s)
{
	char boot_id[64], release[65];

	facts_boot_id(boot_id);
	facts_release(release);
	events_put(&s->events, "agent-started",
	           json_pack("{s:i, s:I, s:I, s:I, s:I, s:i, s:s, s:s}", "v", 1, "run",
	                     (json_int_t)s->req->run, "attempt", (json_int_t)s->req->attempt, "leg",
	                     (json_int_t)s->req->leg, "fence", (json_int_t)s->req->fence, "pid",
	                     (int)getpid(), "boot_id", boot_id, "release", release));
}

static int begin(struct session *s, const struct start_fds *fds)
{
	char pid[24];
	int len = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());

	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	s->signals = open_signals();
	if (s->signals < 0)
		return err_errno(&s->events.err, ERR_IO, "signalfd");
	if (ftruncate(fds->lock, 0) < 0 || fs_write_all(fds->lock, pid, (size_t)len, NULL) < 0)
		return err_errno(&s->events.err, ERR_IO, "%s", s->leg->lock);
	if (mkdir(s->leg->work, 0755) < 0 && errno != EEXIST)
		return err_errno(&s->events.err, ERR_IO, "%s", s->leg->work);
	if (events_open(&s->events, s->leg->journal) < 0)
		return -1;
	put_started(s);
	return s->events.failed ? -1 : 0;
}

/* Behind an oops the kernel's word counts for nothing: whoever can boot it anew wants the other tests left for then. */
static bool stops(const struct session *s)
{
	return s->died && s->req->stop_on_oops;
}

/* A full disk may have room again once the tests' own files are gone. */
static void put_finished(struct session *s)
{
	bool left = s->finished < (int64_t)s->req->count;
	const char *outcome = s->cancelled       ? "cancelled"
	                      : s->events.failed ? "error"
	                      : left && stops(s) ? "stopped"
	                                         : "complete";
	struct err why = s->events.err;

	s->events.failed = false;
	events_put(&s->events, "agent-finished",
	           json_pack("{s:s, s:s, s:I}", "outcome", outcome, "detail", why.text, "tests",
	                     (json_int_t)s->finished));
}

int worker_main(const struct leg *leg, const struct request *req, struct start_fds *fds)
{
	struct session s = {
		.leg = leg, .req = req, .events = {.bell = -1}, .signals = -1, .id = -1};
	int failed;

	if (begin(&s, fds) < 0) {
		start_ready(fds, &s.events.err);
		return 1;
	}
	start_ready(fds, NULL);
	s.events.bell = fds->bell;
	s.kmsg = kmsg_open(on_complaint, &s);
	events_put(&s.events, "facts", json_pack("{s:o}", "facts", facts_read()));
	for (size_t i = 0; i < req->count && !s.cancelled && !s.events.failed; i++) {
		session_signals(&s);
		kmsg_drain(s.kmsg);
		if (stops(&s))
			break;
		if (!s.cancelled)
			testrun(&s, &req->tests[i]);
	}
	remove_tree(leg->work);
	kmsg_drain(s.kmsg);
	kmsg_flush(s.kmsg);
	put_finished(&s);
	failed = s.events.failed;
	events_close(&s.events);
	kmsg_close(s.kmsg);
	(void)close(s.signals);
	return failed;
}
