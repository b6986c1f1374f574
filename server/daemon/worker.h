/* worker.h - a thread that does what there is to do, and sleeps until somebody has more.
 *
 * What there is to do is the owner's business: the thread looks for it (in the store, in a queue), and worker_wait()s
 * when it found none. A kick that comes while it works or looks is kept, so whoever makes work first and
 * kicks then is never overslept. */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct err;

struct worker {
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	bool kicked;         /* under the mutex */
	_Atomic bool ending; /* set under it; long work may look at it, or be given its address */
};

#define WORKER_NO_LIMIT (-1)

/* Start the thread, which calls run(arg) and ends when that returns. name is what the system shows, at most 15 bytes.
 * Returns 0, or -1 with *err (ERR_IO) and nothing to end. */
int worker_start(struct worker *worker, const char *name, void *(*run)(void *arg), void *arg,
                 struct err *err);

/* Any thread: there is work. */
void worker_kick(struct worker *worker);

/* The thread: sleep until a kick, which is then used up, until us have passed, or until the end.
 * Returns false when it is time to end. */
bool worker_wait(struct worker *worker, int64_t us);

/* The same, but no kick wakes it: all are kept for the next worker_wait(). */
bool worker_pause(struct worker *worker, int64_t us);

/* Any thread. */
bool worker_is_ending(const struct worker *worker);

/* Ask the thread to end and wait for it. */
void worker_end(struct worker *worker);
