#include "server/daemon/worker.h"

#include "common/err.h"

#include <stdatomic.h>
#include <string.h>
#include <time.h>

static void init(struct worker *worker)
{
	pthread_condattr_t attr;

	memset(worker, 0, sizeof(*worker));
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_mutex_init(&worker->mutex, NULL);
	(void)pthread_cond_init(&worker->wake, &attr);
	(void)pthread_condattr_destroy(&attr);
}

static void release(struct worker *worker)
{
	(void)pthread_cond_destroy(&worker->wake);
	(void)pthread_mutex_destroy(&worker->mutex);
}

int worker_start(struct worker *worker, const char *name, void *(*run)(void *arg), void *arg,
                 struct err *err)
{
	int rc;

	init(worker);
	rc = pthread_create(&worker->thread, NULL, run, arg);
	if (rc != 0) {
		release(worker);
		return err_set(err, ERR_IO, "no thread for %s: %s", name, strerror(rc));
	}
	(void)pthread_setname_np(worker->thread, name);
	return 0;
}

void worker_kick(struct worker *worker)
{
	(void)pthread_mutex_lock(&worker->mutex);
	worker->kicked = true;
	(void)pthread_cond_signal(&worker->wake);
	(void)pthread_mutex_unlock(&worker->mutex);
}

static struct timespec instant_after(int64_t us)
{
	struct timespec at;

	(void)clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec += us / 1000000;
	at.tv_nsec += us % 1000000 * 1000;
	at.tv_sec += at.tv_nsec / 1000000000;
	at.tv_nsec %= 1000000000;
	return at;
}

static bool sleep_until(struct worker *worker, int64_t us, bool kick_wakes)
{
	const struct timespec limit = instant_after(us < 0 ? 0 : us);
	int rc = 0;

	(void)pthread_mutex_lock(&worker->mutex);
	while (rc == 0 && !atomic_load(&worker->ending) && !(kick_wakes && worker->kicked))
		rc = us < 0 ? pthread_cond_wait(&worker->wake, &worker->mutex)
		            : pthread_cond_timedwait(&worker->wake, &worker->mutex, &limit);
	if (kick_wakes)
		worker->kicked = false;
	(void)pthread_mutex_unlock(&worker->mutex);
	return !atomic_load(&worker->ending);
}

bool worker_wait(struct worker *worker, int64_t us)
{
	return sleep_until(worker, us, true);
}

bool worker_pause(struct worker *worker, int64_t us)
{
	return sleep_until(worker, us, false);
}

bool worker_is_ending(const struct worker *worker)
{
	return atomic_load(&worker->ending);
}

void worker_end(struct worker *worker)
{
	(void)pthread_mutex_lock(&worker->mutex);
	atomic_store(&worker->ending, true);
	(void)pthread_cond_signal(&worker->wake);
	(void)pthread_mutex_unlock(&worker->mutex);
	(void)pthread_join(worker->thread, NULL);
	release(worker);
}
