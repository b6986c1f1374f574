#include "agent/follow.h"

#include "common/err.h"
#include "common/journal.h"
#include "common/scoped.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

/* How long to wait for news before looking again. The bell and inotify tell of each line and of the worker's death;
 * the look is for the moment between a descriptor's end and the lock's, and for kernels without inotify. */
#define WAIT_FIRST_MS 1
#define WAIT_POLL_MS  50
#define WAIT_WATCH_MS 1000

static const char last_event[] = "{\"ev\":\"agent-finished\"";

struct follower {
	const struct leg *leg;
	int fd, out, news; /* news: the bell, or inotify, or -1 */
	int64_t at;        /* offset behind the last whole line written */
	bool finished;     /* that line was agent-finished */
	int wait_ms;
	char block[JOURNAL_LINE_MAX];
};

/* Write all; a reader that is slow is waited for, one that is gone is told by -1. */
static int put(int out, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(out, data, len);
		struct pollfd room = {.fd = out, .events = POLLOUT};

		if (n < 0 && errno == EAGAIN && poll(&room, 1, -1) >= 0)
			continue;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Does the last of the whole lines in text say that the agent finished? */
static bool ends_journal(const char *text, size_t len)
{
	const char *nl = len > 1 ? memrchr(text, '\n', len - 1) : NULL;
	const char *line = nl ? nl + 1 : text;

	return (size_t)(text + len - line) > sizeof(last_event) &&
	       memcmp(line, last_event, sizeof(last_event) - 1) == 0;
}

/* Write what is there. Returns bytes written, or -1 (the reader is gone) or -2 (the journal cannot be read). */
static int pump(struct follower *f)
{
	int total = 0;

	for (;;) {
		ssize_t n = pread(f->fd, f->block, sizeof(f->block), (off_t)f->at);
		const char *nl = n > 0 ? memrchr(f->block, '\n', (size_t)n) : NULL;
		size_t len = nl ? (size_t)(nl - f->block) + 1 : 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -2;
		if (len == 0)
			return total;
		if (put(f->out, f->block, len) < 0)
			return -1;
		f->at += (int64_t)len;
		f->finished = ends_journal(f->block, len);
		total = 1;
	}
}

/* When the offset is at the end already, the line before it tells whether more can come. */
static void look_back(struct follower *f)
{
	int64_t from = f->at > (int64_t)sizeof(f->block) ? f->at - (int64_t)sizeof(f->block) : 0;
	ssize_t n = pread(f->fd, f->block, (size_t)(f->at - from), (off_t)from);

	f->finished = n > 0 && f->block[n - 1] == '\n' && ends_journal(f->block, (size_t)n);
}

/* Wait for the journal or the reader. Returns false when the reader is gone. */
static bool await(struct follower *f)
{
	int most = f->news >= 0 ? WAIT_WATCH_MS : WAIT_POLL_MS;
	struct pollfd fds[] = {{.fd = f->out}, {.fd = f->news, .events = POLLIN}};
	char news[1024];

	(void)poll(fds, 2, f->wait_ms);
	f->wait_ms = f->wait_ms * 2 > most ? most : f->wait_ms * 2;
	if (fds[1].revents) {
		f->wait_ms = WAIT_FIRST_MS;
		/* The bell's end is heard once: the worker's lock must go, and is looked for, soon. */
		if (read(f->news, news, sizeof(news)) == 0)
			f->news = -1;
	}
	return !(fds[0].revents & (POLLERR | POLLHUP | POLLNVAL));
}

static int follow(struct follower *f)
{
	bool alive = true;

	for (;;) {
		int n = pump(f);

		if (n < 0)
			return n == -1 ? FOLLOW_GONE : -1;
		if (f->finished)
			return FOLLOW_FINISHED;
		if (!alive)
			return FOLLOW_DEAD;
		if (n > 0)
			f->wait_ms = WAIT_FIRST_MS;
		/* A worker that is dead here may have written since the pump: that is pumped before the verdict. */
		alive = leg_alive(f->leg);
		if (alive && !await(f))
			return FOLLOW_GONE;
	}
}

static int follow_watched(struct follower *f, struct err *err)
{
	SCOPED_FD watch = -1;
	int rc;

	if (f->news < 0) {
		watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
		if (watch >= 0 &&
		    inotify_add_watch(watch, f->leg->journal, IN_MODIFY | IN_CLOSE_WRITE) >= 0)
			f->news = watch;
	}
	rc = follow(f);
	return rc < 0 ? err_errno(err, ERR_IO, "%s", f->leg->journal) : rc;
}

int follow_leg(const struct leg *leg, int64_t from, int out, int bell, struct err *err)
{
	static struct follower f;
	SCOPED_FD fd = -1;
	struct stat st;

	if (!leg_exists(leg))
		return FOLLOW_NO_LEG;
	fd = open(leg->journal, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(err, ERR_IO, "%s", leg->journal);
	if (from > st.st_size)
		return err_set(err, ERR_INVALID,
		               "--from %" PRId64 ": the journal has %" PRId64 " bytes", from,
		               (int64_t)st.st_size);
	f = (struct follower){.leg = leg,
	                      .fd = fd,
	                      .out = out,
	                      .news = bell,
	                      .at = from,
	                      .wait_ms = WAIT_FIRST_MS};
	look_back(&f);
	return follow_watched(&f, err);
}
