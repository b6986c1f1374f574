#include "server/daemon/farm/keeper.h"

#include "common/err.h"
#include "common/scoped.h"
#include "common/sha256.h"
#include "common/xalloc.h"
#include "server/daemon/filestore.h"
#include "server/daemon/worker.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct kept_file {
	char *from; /* owned */
	char sha256[SHA256_HEX];
	int64_t size;
};

struct keep {
	struct keeper *keeper;
	struct kept_file *files; /* owned; the keeper's alone once it is started */
	size_t count;
	/* Under the keeper's mutex: */
	struct keep *next; /* in the queue */
	bool started, dropped;
	enum keep_state state;
	struct err err;
};

struct keeper {
	const char *state_dir;
	void (*kick)(void *arg);
	void *arg;
	struct worker worker;
	pthread_mutex_t mutex;
	struct keep *first, **last; /* the queue, under the mutex */
};

static void keep_free(struct keep *keep)
{
	for (size_t i = 0; i < keep->count; i++)
		free(keep->files[i].from);
	free(keep->files);
	free(keep);
}

/* ---- The thread ---- */

static enum keep_state keep_all(const struct keeper *k, const struct keep *keep, struct err *err)
{
	for (size_t i = 0; i < keep->count; i++) {
		const struct kept_file *f = &keep->files[i];

		if (filestore_copy(k->state_dir, f->from, f->sha256, f->size, err) == 0)
			continue;
		return err->kind == ERR_INVALID || err->kind == ERR_NOTFOUND ? KEEP_REFUSED
		                                                             : KEEP_FAILED;
	}
	return KEEP_DONE;
}

/* The next that is asked for, or NULL. */
static struct keep *keep_take(struct keeper *k)
{
	struct keep *keep;

	(void)pthread_mutex_lock(&k->mutex);
	keep = k->first;
	if (keep) {
		k->first = keep->next;
		if (!k->first)
			k->last = &k->first;
	}
	(void)pthread_mutex_unlock(&k->mutex);
	return keep;
}

static void keep_do(struct keeper *k, struct keep *keep)
{
	struct err err = {0};
	enum keep_state state = keep_all(k, keep, &err);
	bool dropped;

	(void)pthread_mutex_lock(&k->mutex);
	keep->state = state;
	keep->err = err;
	keep->started = false; /* from here on it is the asker's again */
	dropped = keep->dropped;
	(void)pthread_mutex_unlock(&k->mutex);
	if (dropped)
		keep_free(keep);
	else
		k->kick(k->arg);
}

static void *run(void *arg)
{
	struct keeper *k = arg;

	while (!worker_is_ending(&k->worker)) {
		struct keep *keep = keep_take(k);

		if (keep)
			keep_do(k, keep);
		else
			(void)worker_wait(&k->worker, WORKER_NO_LIMIT);
	}
	return NULL;
}

struct keeper *keeper_open(const char *state_dir, void (*kick)(void *arg), void *arg,
                           struct err *err)
{
	struct keeper *k = xcalloc(1, sizeof(*k));

	*k = (struct keeper){.state_dir = state_dir, .kick = kick, .arg = arg, .last = &k->first};
	(void)pthread_mutex_init(&k->mutex, NULL);
	if (worker_start(&k->worker, "keeper", run, k, err) == 0)
		return k;
	(void)pthread_mutex_destroy(&k->mutex);
	free(k);
	return NULL;
}

void keeper_close(struct keeper *k)
{
	if (!k)
		return;
	worker_end(&k->worker);
	while (k->first) {
		struct keep *keep = k->first;

		k->first = keep->next;
		keep_free(keep);
	}
	(void)pthread_mutex_destroy(&k->mutex);
	free(k);
}

/* ---- The asker ---- */

struct keep *keep_begin(struct keeper *keeper)
{
	struct keep *keep = xcalloc(1, sizeof(*keep));

	keep->keeper = keeper;
	return keep;
}

void keep_file(struct keep *keep, const char *from, const char *sha256, int64_t size)
{
	struct kept_file *f;

	keep->files = xrealloc(keep->files, (keep->count + 1) * sizeof(*keep->files));
	f = &keep->files[keep->count++];
	*f = (struct kept_file){.from = xstrdup(from), .size = size};
	(void)snprintf(f->sha256, sizeof(f->sha256), "%s", sha256);
}

void keep_start(struct keep *keep)
{
	struct keeper *k = keep->keeper;

	(void)pthread_mutex_lock(&k->mutex);
	keep->started = true;
	keep->next = NULL;
	*k->last = keep;
	k->last = &keep->next;
	(void)pthread_mutex_unlock(&k->mutex);
	worker_kick(&k->worker);
}

enum keep_state keep_look(struct keep *keep, struct err *err)
{
	struct keeper *k = keep->keeper;
	enum keep_state state;

	(void)pthread_mutex_lock(&k->mutex);
	state = keep->started ? KEEP_BUSY : keep->state;
	*err = keep->err;
	(void)pthread_mutex_unlock(&k->mutex);
	return state;
}

void keep_drop(struct keep *keep)
{
	bool mine;

	if (!keep)
		return;
	(void)pthread_mutex_lock(&keep->keeper->mutex);
	keep->dropped = true;
	mine = !keep->started;
	(void)pthread_mutex_unlock(&keep->keeper->mutex);
	if (mine)
		keep_free(keep);
}
