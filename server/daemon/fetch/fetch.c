#include "server/daemon/fetch/fetch.h"

#include "common/err.h"
#include "common/jx.h"
#include "common/logline.h"
#include "common/scoped.h"
#include "common/timeus.h"
#include "common/xalloc.h"
#include "server/daemon/fetch/transfer.h"
#include "server/daemon/http/build_body.h"
#include "server/daemon/store/fetches.h"
#include "server/daemon/store/files.h"
#include "server/daemon/store/store.h"
#include "server/daemon/worker.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <string.h>

#define TRIES     8               /* in a row that bring no byte */
#define PAUSE_US  INT64_C(500000) /* behind the first; doubled each time */
#define PAUSE_MAX (30 * INT64_C(1000000))

struct fetcher {
	struct fetch_config config;
	struct worker worker;
};

/* One build that is being fetched. */
struct work {
	struct fetcher *f;
	struct fetch_row row;
	/* Of the present file: */
	const char *role, *sha256;
	int64_t done, total;
	int64_t now_us;
	const char *state, *detail; /* of the end */
};

/* ---- Transactions ---- */

static int progress_write(struct db *db, void *arg, struct err *err)
{
	const struct work *w = arg;

	return fetch_progress(db, &w->row, w->role, w->done, w->total, w->now_us, err);
}

static int file_write(struct db *db, void *arg, struct err *err)
{
	const struct work *w = arg;

	return file_put(db, w->sha256, w->done, w->now_us, err);
}

static int end_write(struct db *db, void *arg, struct err *err)
{
	const struct work *w = arg;

	return fetch_end(db, w->row.id, w->row.name, w->detail, 0, w->now_us, err);
}

/* The build, now that each of its files is there. */
static int build_write(struct db *db, void *arg, struct err *err)
{
	const struct work *w = arg;
	SCOPED_JSON doc = fetch_build(w->row.request);
	struct jx_errors errors = {0};
	struct build_new build;
	int64_t id = -1;
	bool old;

	build_body_read(doc, &build, &errors);
	if (jx_ok(&errors))
		id = build_create(db, &build, w->now_us, &old, &errors, err);
	if (!jx_ok(&errors))
		(void)jx_errors_to_err(&errors, err);
	jx_errors_release(&errors);
	return id > 0 ? fetch_end(db, w->row.id, w->row.name, NULL, id, w->now_us, err) : -1;
}

/* Write until the store takes it, or the fetcher ends. */
static int write_surely(struct work *w, store_write_fn *fn, struct err *err)
{
	int64_t pause = PAUSE_US;

	for (;;) {
		w->now_us = time_wall_us();
		if (store_write(w->f->config.store, fn, w, err) == 0)
			return 0;
		if ((err->kind != ERR_IO && err->kind != ERR_NOSPACE) ||
		    worker_is_ending(&w->f->worker))
			return -1;
		(void)worker_pause(&w->f->worker, pause);
		pause = pause * 2 < PAUSE_MAX ? pause * 2 : PAUSE_MAX;
	}
}

static void on_progress(void *arg, int64_t done, int64_t total)
{
	struct work *w = arg;

	w->done = done;
	w->total = total;
	w->now_us = time_wall_us();
	/* Nobody waits for it: a store that cannot be written is told elsewhere. */
	(void)store_write(w->f->config.store, progress_write, w, NULL);
}

/* ---- Files ---- */

static bool file_there(const struct work *w)
{
	struct db *db = store_read_begin(w->f->config.store);
	bool there = file_size(db, w->sha256, NULL) >= 0;

	store_read_end(w->f->config.store, db);
	return there;
}

/* 0: it is there; -1 with *err, or because the fetcher ends. */
static int file_fetch(struct work *w, const char *url, struct err *err)
{
	struct transfer t = {.state_dir = w->f->config.state_dir,
	                     .where = w->f->config.where,
	                     .ca = w->f->config.ca,
	                     .url = url,
	                     .sha256 = w->sha256,
	                     .max = w->f->config.file_max,
	                     .stop = &w->f->worker.ending,
	                     .progress = on_progress,
	                     .arg = w};
	int64_t pause = PAUSE_US, size = 0;

	for (int try = 0; !file_there(w);) {
		bool got;
		enum transfer_end end = transfer_run(&t, &size, &got, err);

		if (end == TRANSFER_WHOLE) {
			w->done = size;
			return write_surely(w, file_write, err);
		}
		try = got ? 0 : try + 1;
		if (got)
			pause = PAUSE_US;
		if (end == TRANSFER_FAILED || try == TRIES || worker_is_ending(&w->f->worker))
			return -1;
		log_info("fetch %" PRId64 ", %s: %s; again", w->row.id, w->role, err->text);
		(void)worker_pause(&w->f->worker, pause);
		pause = pause * 2 < PAUSE_MAX ? pause * 2 : PAUSE_MAX;
	}
	return 0;
}

static int files_fetch(struct work *w, struct err *err)
{
	const char *role;
	json_t *file;

	json_object_foreach(json_object_get(w->row.request, "files"), role, file)
	{
		const char *url = json_string_value(json_object_get(file, "url"));

		w->role = role;
		w->sha256 = json_string_value(json_object_get(file, "sha256"));
		if (file_fetch(w, url, err) < 0)
			return err_context(err, "%s from %.200s", role, url);
	}
	return 0;
}

static void work_run(struct work *w)
{
	struct err err = {0};
	int rc = files_fetch(w, &err);

	if (worker_is_ending(&w->f->worker))
		return;
	if (rc == 0)
		rc = write_surely(w, build_write, &err);
	if (rc == 0 || worker_is_ending(&w->f->worker))
		return;
	w->detail = err.text;
	log_note("fetch %" PRId64 " of build %s failed: %s", w->row.id, w->row.name, err.text);
	(void)write_surely(w, end_write, &(struct err){0});
}

/* ---- The thread ---- */

static bool next_take(struct fetcher *f, struct fetch_row *row)
{
	struct db *db = store_read_begin(f->config.store);
	struct err err = {0};
	int rc = fetch_next(db, row, &err);

	store_read_end(f->config.store, db);
	if (rc < 0)
		log_error("fetches: %s", err.text);
	return rc == 1;
}

static void *run(void *arg)
{
	struct fetcher *f = arg;

	while (!worker_is_ending(&f->worker)) {
		struct work w = {.f = f};

		if (!next_take(f, &w.row)) {
			(void)worker_wait(&f->worker, WORKER_NO_LIMIT);
			continue;
		}
		work_run(&w);
		fetch_row_release(&w.row);
	}
	return NULL;
}

struct fetcher *fetch_open(const struct fetch_config *config, struct err *err)
{
	struct fetcher *f = xcalloc(1, sizeof(*f));

	f->config = *config;
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
	if (worker_start(&f->worker, "fetches", run, f, err) == 0)
		return f;
	curl_global_cleanup();
	free(f);
	return NULL;
}

void fetch_kick(struct fetcher *f)
{
	worker_kick(&f->worker);
}

const struct fetch_where *fetch_where(const struct fetcher *f)
{
	return &f->config.where;
}

void fetch_close(struct fetcher *f)
{
	if (!f)
		return;
	worker_end(&f->worker);
	curl_global_cleanup();
	free(f);
}
