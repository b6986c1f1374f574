#include "server/daemon/nightly/step.h"

#include "common/err.h"
#include "common/jx.h"
#include "common/logline.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/nightly/zone.h"
#include "server/daemon/store/job_make.h"
#include "server/daemon/store/runs.h"
#include "server/daemon/store/schedules.h"
#include "server/daemon/store/store.h"

#include <inttypes.h>
#include <string.h>

#define SECOND INT64_C(1000000)

/* One schedule in a write transaction. */
struct deciding {
	const struct world_config *world;
	int64_t id, now;
	bool submitted;
	/* of the transaction */
	struct db *db;
	struct schedules_row row;
	int64_t open; /* its job that has not ended; 0: none */
};

/* Read a schedule as it is now. A clock that came back from behind its last change has seen what was before that; those are no
 * instants of it. */
static int load(struct db *db, int64_t id, int64_t now, struct schedules_row *row, struct err *err)
{
	if (schedules_load(db, id, NULL, row, err) < 0)
		return -1;
	if (row->since <= now && row->plan.seen < row->since)
		row->plan.seen = row->since;
	return 0;
}

/* ---- The job ---- */

/* The document that is submitted: with a name, and a time to live that ends with the window. */
static json_t *document_of(const struct schedules_row *row, int64_t instant, int64_t now)
{
	json_t *doc = json_deep_copy(row->job), *limits = json_object_get(doc, "limits");
	json_int_t ttl = json_integer_value(json_object_get(limits, "ttl_s"));
	int64_t left = (instant + row->plan.window - now + SECOND - 1) / SECOND;
	char local[32];

	zone_format(row->zone, instant, local);
	if (!json_object_get(doc, "name"))
		(void)json_object_set_new(doc, "name", json_sprintf("%s %.10s", row->name, local));
	if (row->plan.window == 0 || (ttl > 0 && ttl <= left))
		return doc;
	if (!json_is_object(limits)) {
		limits = json_object();
		(void)json_object_set_new(doc, "limits", limits);
	}
	(void)json_object_set_new(limits, "ttl_s", json_integer(left > 0 ? left : 1));
	return doc;
}

static int submit(struct db *db, const struct world_config *world, const struct schedules_row *row,
                  int64_t instant, int64_t now, int64_t *job, struct jx_errors *errors,
                  struct err *err)
{
	SCOPED_JSON doc = document_of(row, instant, now);

	*job = 0;
	if (job_latest(db, doc, errors, err) < 0)
		return -1;
	if (!jx_ok(errors))
		return 0;
	if (job_make(db, world, doc, now, job, errors, err) < 0)
		return -1;
	/* The time to live is that of each run; what is queued later, rounds and runs that wait for kernels, must know too. */
	if (*job == 0 || row->plan.window == 0)
		return 0;
	return store_job_window_set(db, *job, instant + row->plan.window, err);
}

/* ---- Outcomes ---- */

/* What a row is to say. Texts may be kept on the stack of the caller. */
static struct schedules_run outcome(int64_t instant, const char *word, const char *why, int64_t job)
{
	return (struct schedules_run){.instant = instant,
	                              .first = instant,
	                              .count = 1,
	                              .outcome = word,
	                              .why = why,
	                              .job = job};
}

/* Keep what became of an instant: a new row, or the one that is there. One that was skipped when a clock was ahead, and comes
 * again now, is only decided again for the better: the reason that is there stays. */
static int keep(struct deciding *d, enum schedules_there there, const struct schedules_run *run,
                struct err *err)
{
	if (there == SCHEDULES_SKIPPED && strcmp(run->outcome, "skipped") == 0)
		return 0;
	if (there != SCHEDULES_NONE)
		return schedules_run_settle(d->db, &d->row, run, d->now, err);
	return schedules_run_add(d->db, &d->row, run, d->now, NULL, err);
}

static char *late_text(int64_t late)
{
	int64_t minutes = late / (60 * SECOND);

	if (minutes < 1)
		return xstrdup("");
	return xasprintf("%" PRId64 " h %" PRId64 " min after its time", minutes / 60,
	                 minutes % 60);
}

static int instant_submit(struct deciding *d, int64_t instant, enum schedules_there there,
                          struct err *err)
{
	SCOPED_STR why = late_text(d->now - instant);
	struct jx_errors errors = {0};
	struct schedules_run run;
	struct err complaint = {0};
	int64_t job;
	int rc = submit(d->db, d->world, &d->row, instant, d->now, &job, &errors, err);

	if (rc == 0) {
		(void)jx_errors_to_err(&errors, &complaint);
		run = job ? outcome(instant, "submitted", why, job)
		          : outcome(instant, "skipped", complaint.text, 0);
		rc = keep(d, there, &run, err);
	}
	jx_errors_release(&errors);
	if (rc == 0 && job) {
		d->submitted = true;
		d->open = job;
	}
	return rc;
}

static int instant_skip(struct deciding *d, int64_t instant, enum schedules_there there,
                        const char *why, struct err *err)
{
	const struct schedules_run run = outcome(instant, "skipped", why, 0);

	return keep(d, there, &run, err);
}

/* The one that waits gives its place to a newer one. */
static int instant_wait(struct deciding *d, int64_t instant, enum schedules_there there,
                        struct err *err)
{
	SCOPED_STR why = xasprintf("waits for job %" PRId64, d->open);
	const struct schedules_run run = outcome(instant, "waiting", why, 0);
	int64_t older;

	if (schedules_run_waiting(d->db, d->row.id, &older, err) < 0)
		return -1;
	if (older == instant)
		return 0;
	if (older &&
	    instant_skip(d, older, SCHEDULES_FINAL,
	                 "the next instant came before the job that it waited for had ended",
	                 err) < 0)
		return -1;
	return keep(d, there, &run, err);
}

static int open_cancel(struct deciding *d, int64_t newest, struct err *err)
{
	for (int64_t job = newest; job != 0;)
		if (store_job_cancel(d->db, job, d->now, err) < 0 ||
		    schedules_job_open(d->db, d->id, job, &job, err) < 0)
			return -1;
	return 0;
}

/* A new job that is refused is no reason to give the old one up. */
static int instant_replace(struct deciding *d, int64_t instant, enum schedules_there there,
                           struct err *err)
{
	int64_t old = d->open;

	if (instant_submit(d, instant, there, err) < 0)
		return -1;
	return d->open != old ? open_cancel(d, old, err) : 0;
}

static int verdict_do(struct deciding *d, enum nightly_verdict verdict, int64_t instant,
                      enum schedules_there there, struct err *err)
{
	SCOPED_STR open = xasprintf("job %" PRId64 " of the instant before has not ended", d->open);
	SCOPED_STR late = late_text(d->now - instant);
	SCOPED_STR missed =
		xasprintf("missed: the farm was not there, or its clock was off; seen %s", late);

	switch (verdict) {
	case NIGHTLY_CANCEL_AND_SUBMIT:
		return instant_replace(d, instant, there, err);
	case NIGHTLY_SUBMIT:
		return instant_submit(d, instant, there, err);
	case NIGHTLY_WAIT:
		return instant_wait(d, instant, there, err);
	case NIGHTLY_SKIP_MISSED:
		return instant_skip(d, instant, there, missed, err);
	case NIGHTLY_SKIP_WINDOW:
		return instant_skip(d, instant, there, "its time window had ended", err);
	case NIGHTLY_SKIP_OPEN:
		return instant_skip(d, instant, there, open, err);
	case NIGHTLY_NOTHING:
		break;
	}
	return 0;
}

/* ---- One schedule ---- */

/* Instants behind seen and up to until are skipped: a row for those between two that have their rows already, which a
 * clock that was set may have left there. */
static int passed_keep(struct db *db, const struct schedules_row *row, int64_t until, int64_t now,
                       const char *why, struct err *err)
{
	int64_t from = row->plan.seen;

	while (from < until) {
		struct schedules_run run = outcome(0, "skipped", why, 0);
		struct nightly_some some;
		int64_t first, last;

		if (schedules_run_next(db, row->id, from, &first, &last, err) < 0)
			return -1;
		some = nightly_between(&row->plan, from, first - 1 < until ? first - 1 : until);
		run.instant = some.last;
		run.first = some.first;
		run.count = some.count;
		if (some.count > 0 && schedules_run_add(db, row, &run, now, NULL, err) < 0)
			return -1;
		from = last;
	}
	return 0;
}

/* The clock was ahead and came back: what was decided about the future comes again. */
static int clock_back(struct deciding *d, struct err *err)
{
	int64_t first, seen = d->now;

	if (d->row.plan.seen <= d->now)
		return 0;
	if (schedules_runs_take_back(d->db, &d->row, d->now, &first, err) < 0)
		return -1;
	if (first - 1 < seen)
		seen = first - 1;
	d->row.plan.seen = seen;
	return schedules_seen_set(d->db, d->row.id, seen, err);
}

static int waiting_look(struct deciding *d, struct err *err)
{
	int64_t instant;

	if (schedules_run_waiting(d->db, d->row.id, &instant, err) < 0)
		return -1;
	if (instant == 0)
		return 0;
	return verdict_do(d, nightly_waited(&d->row.plan, instant, d->now, d->open != 0), instant,
	                  SCHEDULES_FINAL, err);
}

static int instants_look(struct deciding *d, struct err *err)
{
	struct nightly_decision n = nightly_decide(&d->row.plan, d->now, d->open != 0);
	enum schedules_there there;

	if (n.verdict == NIGHTLY_NOTHING)
		return 0;
	if (schedules_run_is(d->db, d->row.id, n.instant, &there, err) < 0 ||
	    passed_keep(d->db, &d->row, n.before, d->now,
	                "missed: the farm was not there, or its clock was off", err) < 0)
		return -1;
	if (there != SCHEDULES_FINAL && verdict_do(d, n.verdict, n.instant, there, err) < 0)
		return -1;
	return schedules_seen_set(d->db, d->row.id, n.instant, err);
}

static int decide(struct db *db, void *arg, struct err *err)
{
	struct deciding *d = arg;
	int rc;

	d->db = db;
	d->submitted = false;
	if (load(db, d->id, d->now, &d->row, err) < 0)
		return err->kind == ERR_NOTFOUND ? 0 : -1;
	rc = schedules_job_open(db, d->id, INT64_MAX, &d->open, err);
	if (rc == 0 && !d->row.disabled &&
	    (clock_back(d, err) < 0 || waiting_look(d, err) < 0 || instants_look(d, err) < 0))
		rc = -1;
	schedules_row_release(&d->row);
	return rc;
}

/* ---- All of them ---- */

/* Does it wait, and no longer? The jobs are asked for only then: a look that finds nothing to do is cheap. */
static int wait_over(struct db *db, const struct schedules_row *row, int64_t waiting, int64_t now,
                     bool *over, struct err *err)
{
	int64_t open = 0;

	if (waiting && schedules_job_open(db, row->id, INT64_MAX, &open, err) < 0)
		return -1;
	*over = waiting && nightly_waited(&row->plan, waiting, now, open != 0) != NIGHTLY_WAIT;
	return 0;
}

/* Is there something to decide? Also says when the next look is due. */
static int look_row(struct db *db, const struct schedules_row *row, int64_t now, bool *act,
                    struct nightly_outlook *outlook, struct err *err)
{
	int64_t waiting, next = nightly_next(&row->plan, now);
	bool over;

	if (schedules_run_waiting(db, row->id, &waiting, err) < 0 ||
	    wait_over(db, row, waiting, now, &over, err) < 0)
		return -1;
	*act = over || row->plan.seen > now ||
	       nightly_decide(&row->plan, now, false).verdict != NIGHTLY_NOTHING;
	outlook->waiting |= waiting != 0;
	if (waiting && row->plan.window && waiting + row->plan.window < next)
		next = waiting + row->plan.window;
	if (next < outlook->due)
		outlook->due = next;
	return 0;
}

/* Look at all ids; those with something to decide are added to act, if it is not NULL. One that cannot be read must not
 * hold up the others. */
static int look(struct db *db, const json_t *ids, int64_t now, json_t *act,
                struct nightly_outlook *outlook, struct err *err)
{
	json_t *id;
	size_t i;
	int rc = 0;

	json_array_foreach(ids, i, id)
	{
		struct schedules_row row;
		struct err why = {0};
		bool due = false;
		int one = load(db, json_integer_value(id), now, &row, &why);

		if (one == 0) {
			one = row.disabled ? 0 : look_row(db, &row, now, &due, outlook, &why);
			schedules_row_release(&row);
		} else if (why.kind == ERR_NOTFOUND) {
			continue;
		}
		if (one < 0)
			rc = err_set(err, why.kind, "%s", why.text);
		if (due && act)
			(void)json_array_append(act, id);
	}
	return rc;
}

static int act(struct store *store, const struct world_config *world, const json_t *ids,
               int64_t now, struct nightly_outlook *outlook, struct err *err)
{
	json_t *id;
	size_t i;
	int rc = 0;

	json_array_foreach(ids, i, id)
	{
		struct deciding d = {.world = world, .id = json_integer_value(id), .now = now};
		struct err why = {0};

		if (store_write(store, decide, &d, &why) < 0)
			rc = err_set(err, why.kind, "%s", why.text);
		else if (d.submitted)
			outlook->submitted = true;
	}
	return rc;
}

int nightly_step(struct store *store, const struct world_config *world, int64_t now_us,
                 struct nightly_outlook *outlook, struct err *err)
{
	struct db *db = store_read_begin(store);
	SCOPED_JSON ids = schedules_ids(db, err);
	SCOPED_JSON due = json_array();
	int rc;

	*outlook = (struct nightly_outlook){.due = INT64_MAX};
	rc = ids ? look(db, ids, now_us, due, outlook, err) : -1;
	store_read_end(store, db);
	if (json_array_size(due) == 0)
		return rc;
	if (act(store, world, due, now_us, outlook, err) < 0)
		rc = -1;
	db = store_read_begin(store); /* an instant may wait now */
	if (look(db, due, now_us, NULL, outlook, err) < 0)
		rc = -1;
	store_read_end(store, db);
	return rc;
}

/* ---- By hand ---- */

int nightly_run_now(struct db *db, const struct world_config *world,
                    const struct schedules_row *row, int64_t now_us, int64_t *job,
                    struct jx_errors *errors, struct err *err)
{
	struct schedules_run run = outcome(now_us, "submitted", "by hand", 0);

	if (submit(db, world, row, now_us, now_us, job, errors, err) < 0)
		return -1;
	run.job = *job;
	return *job ? schedules_run_add(db, row, &run, now_us, NULL, err) : 0;
}

static int enable(struct db *db, const struct schedules_row *row, int64_t now_us, struct err *err)
{
	SCOPED_STR why = xasprintf("disabled: %s", row->disabled);

	if (now_us <= row->plan.seen)
		return 0;
	if (passed_keep(db, row, now_us, now_us, why, err) < 0)
		return -1;
	return schedules_seen_set(db, row->id, now_us, err);
}

static int disable(struct db *db, const struct schedules_row *row, const char *reason,
                   int64_t now_us, struct err *err)
{
	SCOPED_STR why = xasprintf("disabled: %s", reason);
	struct schedules_run run = outcome(0, "skipped", why, 0);

	if (schedules_run_waiting(db, row->id, &run.instant, err) < 0)
		return -1;
	return run.instant ? schedules_run_settle(db, row, &run, now_us, err) : 0;
}

int nightly_disable(struct db *db, const struct schedules_row *row, const char *reason,
                    int64_t now_us, struct err *err)
{
	int rc = 0;

	if (reason)
		rc = disable(db, row, reason, now_us, err);
	else if (row->disabled)
		rc = enable(db, row, now_us, err);
	return rc < 0 ? -1 : schedules_disabled_set(db, row->id, reason, err);
}

int nightly_settle(struct db *db, const struct world_config *world, int64_t id, int64_t now_us,
                   struct err *err)
{
	struct deciding d = {.world = world, .id = id, .now = now_us};
	struct schedules_row row;
	struct err lost = {0};
	int rc;

	if (load(db, id, now_us, &row, &lost) < 0) {
		if (lost.kind == ERR_INVALID)
			return 0;
		return err_set(err, lost.kind, "%s", lost.text);
	}
	rc = row.disabled ? enable(db, &row, now_us, err) : decide(db, &d, err);
	schedules_row_release(&row);
	return rc;
}
