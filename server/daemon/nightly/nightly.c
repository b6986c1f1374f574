#include "server/daemon/nightly/nightly.h"

#include "common/err.h"
#include "common/logline.h"
#include "common/timeus.h"
#include "common/xalloc.h"
#include "server/daemon/nightly/step.h"
#include "server/daemon/report/report.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define SOON_MS 1000 /* while something waits for jobs to end, and after the store failed */

struct nightly {
	struct nightly_config config;
	int kick, timer; /* owned */
	pthread_t thread;
	_Atomic bool stop;
};

/* Wake at wall time due, and whenever somebody sets the clock. */
static void timer_set(const struct nightly *n, int64_t due)
{
	const int64_t far =
		INT64_C(4102444800); /* a timer must be set for the clock's changes to be told */
	int64_t s = due == INT64_MAX ? far : due / 1000000;
	struct itimerspec at = {.it_value = {.tv_sec = (time_t)s}};

	if (due != INT64_MAX)
		at.it_value.tv_nsec = (long)(due % 1000000) * 1000;
	if (timerfd_settime(n->timer, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &at, NULL) < 0)
		log_error("the schedules' timer: %s", strerror(errno));
}

static void wait_for_work(const struct nightly *n, int64_t now, const struct nightly_outlook *o,
                          int timeout_ms)
{
	struct pollfd fds[] = {{.fd = n->kick, .events = POLLIN},
	                       {.fd = n->timer, .events = POLLIN}};
	uint64_t count;

	timer_set(n, o->due);
	/* Set back before the timer could notice? */
	if (time_wall_us() < now)
		return;
	(void)poll(fds, 2, timeout_ms);
	(void)!read(n->kick, &count, sizeof(count));
	(void)!read(n->timer, &count, sizeof(count)); /* ECANCELED: the clock was set */
}

/* One look at everything. -1 when something is to be tried again soon. */
static int look(struct nightly *n, int64_t now, struct nightly_outlook *outlook)
{
	int64_t due = INT64_MAX;
	struct err err;
	int rc = nightly_step(n->config.store, &n->config.world, now, outlook, &err);

	if (rc < 0)
		log_error("schedules: %s", err.text);
	if (outlook->submitted)
		n->config.kick(n->config.arg);
	if (n->config.report && report_step(n->config.report, now, &due, &err) < 0) {
		log_error("the report: %s", err.text);
		rc = -1;
	}
	if (due < outlook->due)
		outlook->due = due;
	outlook->waiting |= n->config.report && report_follows(n->config.report);
	return rc;
}

static void *nightly_main(void *arg)
{
	struct nightly *n = arg;

	(void)pthread_setname_np(pthread_self(), "nightly");
	while (!atomic_load(&n->stop)) {
		struct nightly_outlook outlook;
		int64_t now = time_wall_us();
		int timeout_ms = -1;

		if (look(n, now, &outlook) < 0 || outlook.waiting)
			timeout_ms = SOON_MS;
		wait_for_work(n, now, &outlook, timeout_ms);
	}
	return NULL;
}

static void nightly_free(struct nightly *n)
{
	if (n->kick >= 0)
		(void)close(n->kick);
	if (n->timer >= 0)
		(void)close(n->timer);
	free(n);
}

struct nightly *nightly_open(const struct nightly_config *config, struct err *err)
{
	struct nightly *n = xcalloc(1, sizeof(*n));
	int rc = 0;

	n->config = *config;
	n->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	n->timer = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (n->kick >= 0 && n->timer >= 0)
		rc = pthread_create(&n->thread, NULL, nightly_main, n);
	else
		rc = errno;
	if (rc == 0)
		return n;
	errno = rc;
	(void)err_errno(err, ERR_IO, "the schedules' thread");
	nightly_free(n);
	return NULL;
}

void nightly_kick(struct nightly *nightly)
{
	const uint64_t one = 1;

	(void)!write(nightly->kick, &one, sizeof(one));
}

void nightly_close(struct nightly *nightly)
{
	if (!nightly)
		return;
	atomic_store(&nightly->stop, true);
	nightly_kick(nightly);
	(void)pthread_join(nightly->thread, NULL);
	nightly_free(nightly);
}
