#include "server/daemon/ranges/ranges.h"

#include "common/err.h"
#include "common/jx.h"
#include "common/logline.h"
#include "common/scoped.h"
#include "common/timeus.h"
#include "common/xalloc.h"
#include "server/daemon/http/http.h"
#include "server/daemon/http/series_files.h"
#include "server/daemon/series/series.h"
#include "server/daemon/store/ranges.h"
#include "server/daemon/store/series.h"
#include "server/daemon/store/store.h"
#include "server/daemon/worker.h"

#include <inttypes.h>
#include <string.h>

#define AGAIN_US   INT64_C(1000000) /* after the store or the disk failed */
#define DETAIL_MAX 4000             /* bytes of why a range is no revision */

struct ranges {
	struct http_context ctx; /* store and state_dir */
	struct worker worker;
};

/* One range that is being read. */
struct work {
	struct ranges *r;
	struct range_row row;
	struct series_text text;
	struct series_revision revision;
	char *why; /* owned: it is none, because */
};

/* ---- Reading ---- */

/* All complaints, a line each. */
static char *complaints(const struct jx_errors *errors)
{
	char *text = xcalloc(1, DETAIL_MAX + 1);
	size_t used = 0, i;
	json_t *one;

	json_array_foreach(errors->list, i, one)
	{
		const char *detail = json_string_value(json_object_get(one, "detail"));
		int n = snprintf(text + used, DETAIL_MAX - used, "%s%s", used ? "\n" : "",
		                 detail ? detail : "");

		if (n < 0 || (size_t)n >= DETAIL_MAX - used)
			break;
		used += (size_t)n;
	}
	text[used] = '\0';
	return text;
}

static int place(struct work *w, struct series_place *place, struct err *err)
{
	struct db *db = store_read_begin(w->r->ctx.store);
	int rc = series_place(db, &w->revision, w->row.series, place, err);

	store_read_end(w->r->ctx.store, db);
	return rc;
}

/* Is that the mails' doing, and not the store's or the disk's? */
static bool refuses(const struct err *err)
{
	return err->kind == ERR_CONFLICT || err->kind == ERR_INVALID || err->kind == ERR_NOTFOUND ||
	       err->kind == ERR_TOOBIG;
}

/* The mails into files; or w->why. -1 with *err: try again. */
static int work_read(struct work *w, struct err *err)
{
	struct jx_errors errors = {0};
	struct series_place at = {0};
	int rc = series_text_open(&w->r->ctx, w->row.mails, &w->text, &errors, err);

	if (rc == 0 &&
	    series_read(w->text.text, w->text.len, w->row.version, "/range", &w->revision, &errors))
		rc = place(w, &at, err);
	if (rc == 0 && jx_ok(&errors) && at.revision == 0)
		rc = series_files_keep(&w->r->ctx, &w->revision, err);
	if (!jx_ok(&errors))
		w->why = complaints(&errors);
	else if (rc < 0 && refuses(err))
		w->why = xstrdup(err->text);
	jx_errors_release(&errors);
	return w->why ? 0 : rc;
}

static int work_write(struct db *db, void *arg, struct err *err)
{
	struct work *w = arg;
	int64_t now = time_wall_us();
	struct series_place at = {0};
	bool fresh;

	if (w->why)
		return range_end(db, w->row.id, 0, w->why, now, err);
	if (series_files_add(db, &w->revision, w->row.series, &at, &fresh, now, err) < 0)
		return -1;
	return range_end(db, w->row.id, at.revision, "", now, err);
}

/* False: the store or the disk failed. */
static bool work_run(struct work *w)
{
	struct err err = {0};
	int rc;

	series_files_begin();
	rc = work_read(w, &err);
	series_files_end();
	if (rc == 0)
		rc = store_write(w->r->ctx.store, work_write, w, &err);
	/* Another revision may have come between the two. */
	if (rc < 0 && !w->why && refuses(&err)) {
		w->why = xstrdup(err.text);
		rc = store_write(w->r->ctx.store, work_write, w, &err);
	}
	if (rc < 0)
		log_error("range %" PRId64 ": %s", w->row.id, err.text);
	else if (w->why)
		log_note("range %" PRId64 " is no revision: %s", w->row.id, w->why);
	series_release(&w->revision);
	series_text_close(&w->text);
	free(w->why);
	return rc == 0;
}

/* ---- The thread ---- */

/* Read one that is there. 1: one was, 0: none, -1: it is to be tried again. */
static int read_one(struct ranges *r)
{
	struct work w = {.r = r};
	struct db *db = store_read_begin(r->ctx.store);
	struct err err = {0};
	int rc = range_next(db, &w.row, &err);

	store_read_end(r->ctx.store, db);
	if (rc < 0)
		log_error("ranges: %s", err.text);
	if (rc == 1 && !work_run(&w))
		rc = -1;
	range_row_release(&w.row);
	return rc;
}

static void *run(void *arg)
{
	struct ranges *r = arg;

	while (!worker_is_ending(&r->worker)) {
		int rc = read_one(r);

		if (rc < 0)
			(void)worker_pause(&r->worker, AGAIN_US);
		else if (rc == 0)
			(void)worker_wait(&r->worker, WORKER_NO_LIMIT);
	}
	return NULL;
}

struct ranges *ranges_open(struct store *store, const char *state_dir, struct err *err)
{
	struct ranges *r = xcalloc(1, sizeof(*r));

	r->ctx.store = store;
	r->ctx.state_dir = state_dir;
	if (worker_start(&r->worker, "ranges", run, r, err) == 0)
		return r;
	free(r);
	return NULL;
}

void ranges_kick(struct ranges *r)
{
	worker_kick(&r->worker);
}

void ranges_close(struct ranges *r)
{
	if (!r)
		return;
	worker_end(&r->worker);
	free(r);
}
