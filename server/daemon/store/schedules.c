#include "server/daemon/store/schedules.h"

#include "common/err.h"
#include "common/jx.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/nightly/zone.h"
#include "server/daemon/store/columns.h"

#include <inttypes.h>
#include <string.h>

#define SECOND_US INT64_C(1000000)

/* ---- Making and removing ---- */

int schedules_create(struct db *db, const struct schedules_new *s, int64_t now_us, struct err *err)
{
	SCOPED_STR job = jx_text(s->job);
	int64_t made;

	if (db_exec(db, err, &made,
	            "INSERT INTO schedule (name, cron, zone, job, window_s, overlap, catch_up, report,"
	            " seen, created, since) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?9)"
	            " ON CONFLICT (name) DO NOTHING",
	            "ssssissii", s->name, s->cron, s->zone, job, s->window_s, s->overlap,
	            s->catch_up, (int64_t)s->report, now_us) < 0)
		return -1;
	if (made)
		return 0;
	return err_set(err, ERR_CONFLICT, "there is a schedule %s already", s->name);
}

int schedules_change(struct db *db, int64_t id, const struct schedules_new *s, int64_t now_us,
                     struct err *err)
{
	SCOPED_STR job = jx_text(s->job);

	if (db_exec(db, err, NULL,
	            "UPDATE schedule SET cron = ?2, zone = ?3, job = ?4, window_s = ?5, overlap = ?6,"
	            " catch_up = ?7, report = ?8, seen = ?9, since = ?9 WHERE id = ?1",
	            "isssissii", id, s->cron, s->zone, job, s->window_s, s->overlap, s->catch_up,
	            (int64_t)s->report, now_us) < 0)
		return -1;
	if (s->report)
		return 0;
	return db_exec(db, err, NULL,
	               "UPDATE schedule_run SET digest = 0 WHERE schedule = ?1 AND digest IS NULL",
	               "i", id);
}

static int no_schedule(const char *name, struct err *err)
{
	return err_set(err, ERR_NOTFOUND, "no such schedule: %s", name);
}

int schedules_remove(struct db *db, const char *name, struct err *err)
{
	int64_t gone;

	if (db_exec(db, err, NULL,
	            "DELETE FROM schedule_run WHERE schedule = (SELECT id FROM schedule WHERE name = ?1)",
	            "s", name) < 0 ||
	    db_exec(db, err, &gone, "DELETE FROM schedule WHERE name = ?1", "s", name) < 0)
		return -1;
	return gone ? 0 : no_schedule(name, err);
}

/* ---- Loading ---- */

#define SCHEDULE_SELECT                                                                            \
	"SELECT id, name, cron, zone, job, window_s, overlap, catch_up, report, disabled, seen,"   \
	" created, since FROM schedule "

void schedules_row_release(struct schedules_row *row)
{
	free(row->name);
	free(row->disabled);
	json_decref(row->job);
	memset(row, 0, sizeof(*row));
}

static int row_read(sqlite3_stmt *s, struct schedules_row *row, struct err *err)
{
	memset(row, 0, sizeof(*row));
	row->id = db_int(s, 0);
	row->name = xstrdup(db_text(s, 1));
	row->disabled = db_text_or_null(s, 9) ? xstrdup(db_text(s, 9)) : NULL;
	row->job = column_json(s, 4);
	row->report = db_int(s, 8) != 0;
	row->plan.seen = db_int(s, 10);
	row->since = db_int(s, 12);
	row->plan.window = db_int(s, 5) * SECOND_US;
	row->plan.catch_up = strcmp(db_text(s, 7), "once") == 0;
	(void)nightly_overlap_parse(db_text(s, 6), &row->plan.overlap);
	row->zone = zone_named(db_text(s, 3), err);
	row->plan.zone = row->zone;
	if (row->zone && cron_parse(db_text(s, 2), &row->plan.cron, err) == 0)
		return 0;
	(void)err_context(err, "schedule %s", row->name);
	err->kind = ERR_INVALID;
	schedules_row_release(row);
	return -1;
}

int schedules_load(struct db *db, int64_t id, const char *name, struct schedules_row *row,
                   struct err *err)
{
	sqlite3_stmt *s = id ? db_query(db, SCHEDULE_SELECT "WHERE id = ?1", "i", id)
	                     : db_query(db, SCHEDULE_SELECT "WHERE name = ?1", "s", name);
	int rc = db_step(db, s, err);
	struct err why;

	if (rc == 0)
		return name ? no_schedule(name, err)
		            : err_set(err, ERR_NOTFOUND, "no such schedule: %" PRId64, id);
	return rc < 0 ? -1 : row_read(s, row, err ? err : &why);
}

json_t *schedules_ids(struct db *db, struct err *err)
{
	sqlite3_stmt *s = db_query(db, "SELECT id FROM schedule ORDER BY id", "");
	SCOPED_JSON ids = json_array();
	int rc;

	while ((rc = db_step(db, s, err)) == 1)
		(void)json_array_append_new(ids, json_integer(db_int(s, 0)));
	return rc < 0 ? NULL : take_json(&ids);
}

int schedules_seen_set(struct db *db, int64_t id, int64_t seen, struct err *err)
{
	return db_exec(db, err, NULL, "UPDATE schedule SET seen = ?2 WHERE id = ?1", "ii", id,
	               seen);
}

int schedules_disabled_set(struct db *db, int64_t id, const char *reason, struct err *err)
{
	return db_exec(db, err, NULL, "UPDATE schedule SET disabled = ?2 WHERE id = ?1", "is", id,
	               reason);
}

/* ---- Instants ---- */

static int run_event(struct db *db, const struct schedules_row *schedule,
                     const struct schedules_run *run, int64_t now_us, struct err *err)
{
	char when[32];

	time_format(run->instant, when);
	return db_event(db, now_us, "schedule", run->job, 0, NULL,
	                json_pack("{s:s, s:s, s:s, s:s, s:I}", "schedule", schedule->name,
	                          "instant", when, "outcome", run->outcome, "why", run->why,
	                          "count", (json_int_t)run->count),
	                err);
}

/* What the digest is to tell of a row: not yet, or never, when nobody asked for it. */
static const int64_t *untold(const struct schedules_row *schedule)
{
	static const int64_t never = 0;

	return schedule->report ? NULL : &never;
}

int schedules_run_add(struct db *db, const struct schedules_row *schedule,
                      const struct schedules_run *run, int64_t now_us, bool *made, struct err *err)
{
	const int64_t *job = run->job ? &run->job : NULL;
	int64_t added;

	if (db_exec(db, err, &added,
	            "INSERT INTO schedule_run (schedule, instant, first, count, outcome, why, job,"
	            " decided, digest) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
	            " ON CONFLICT (schedule, instant) DO NOTHING",
	            "iiiissIiI", schedule->id, run->instant, run->first, (int64_t)run->count,
	            run->outcome, run->why, job, now_us, untold(schedule)) < 0)
		return -1;
	if (made)
		*made = added > 0;
	return added ? run_event(db, schedule, run, now_us, err) : 0;
}

int schedules_run_next(struct db *db, int64_t schedule, int64_t after, int64_t *first,
                       int64_t *last, struct err *err)
{
	sqlite3_stmt *s = db_query(db,
	                           "SELECT first, instant FROM schedule_run WHERE schedule = ?1 AND"
	                           " instant > ?2 ORDER BY instant LIMIT 1",
	                           "ii", schedule, after);
	int rc = db_step(db, s, err);

	*first = rc == 1 ? db_int(s, 0) : INT64_MAX;
	*last = rc == 1 ? db_int(s, 1) : INT64_MAX;
	return rc < 0 ? -1 : 0;
}

int schedules_run_is(struct db *db, int64_t schedule, int64_t instant, enum schedules_there *there,
                     struct err *err)
{
	sqlite3_stmt *s =
		db_query(db,
	                 "SELECT outcome = 'skipped' AND (count = 1 OR why LIKE 'missed:%') FROM"
	                 " schedule_run WHERE"
	                 " schedule = ?1 AND instant = ?2",
	                 "ii", schedule, instant);
	int rc = db_step(db, s, err);

	*there = SCHEDULES_NONE;
	if (rc == 1)
		*there = db_int(s, 0) ? SCHEDULES_SKIPPED : SCHEDULES_FINAL;
	return rc < 0 ? -1 : 0;
}

int schedules_run_waiting(struct db *db, int64_t schedule, int64_t *instant, struct err *err)
{
	sqlite3_stmt *s =
		db_query(db,
	                 "SELECT instant FROM schedule_run WHERE schedule = ?1 AND outcome"
	                 " = 'waiting' ORDER BY instant LIMIT 1",
	                 "i", schedule);
	int rc = db_step(db, s, err);

	*instant = rc == 1 ? db_int(s, 0) : 0;
	return rc < 0 ? -1 : 0;
}

int schedules_run_settle(struct db *db, const struct schedules_row *schedule,
                         const struct schedules_run *run, int64_t now_us, struct err *err)
{
	const int64_t *job = run->job ? &run->job : NULL;

	if (db_exec(db, err, NULL,
	            "UPDATE schedule_run SET outcome = ?3, why = ?4, job = ?5, decided = ?6,"
	            " digest = ?7, first = instant, count = 1"
	            " WHERE schedule = ?1 AND instant = ?2",
	            "iissIiI", schedule->id, run->instant, run->outcome, run->why, job, now_us,
	            untold(schedule)) < 0)
		return -1;
	return run_event(db, schedule, run, now_us, err);
}

int schedules_runs_take_back(struct db *db, const struct schedules_row *schedule, int64_t now_us,
                             int64_t *first, struct err *err)
{
	int64_t after = now_us > schedule->since ? now_us : schedule->since;
	sqlite3_stmt *s = db_query(db,
	                           "SELECT coalesce(min(first), ?3) FROM schedule_run WHERE"
	                           " schedule = ?1 AND instant > ?2 AND outcome = 'skipped'",
	                           "iii", schedule->id, after, INT64_MAX);

	if (db_step(db, s, err) < 1)
		return -1;
	*first = db_int(s, 0);
	return db_exec(db, err, NULL,
	               "DELETE FROM schedule_run WHERE schedule = ?1 AND instant > ?2 AND outcome ="
	               " 'skipped' AND (count > 1 OR why LIKE 'missed:%')",
	               "ii", schedule->id, after);
}

int schedules_job_open(struct db *db, int64_t schedule, int64_t before, int64_t *job,
                       struct err *err)
{
	sqlite3_stmt *s = db_query(db,
	                           "SELECT j.id FROM job j WHERE j.state IN ('queued', 'running')"
	                           " AND j.id < ?2 AND EXISTS (SELECT 1 FROM schedule_run r WHERE"
	                           " r.job = j.id AND r.schedule = ?1) ORDER BY j.id DESC LIMIT 1",
	                           "ii", schedule, before);
	int rc = db_step(db, s, err);

	*job = rc == 1 ? db_int(s, 0) : 0;
	return rc < 0 ? -1 : 0;
}

int schedules_of_job(struct db *db, int64_t job, struct schedules_job *out, struct err *err)
{
	/* Before: by what was submitted, not by the hands of a clock that may have been off. */
	sqlite3_stmt *s = db_query(
		db,
		"SELECT s.name, b.id, b.created FROM schedule_run r JOIN schedule s ON s.id ="
		" r.schedule LEFT JOIN job b ON b.id = (SELECT max(o.job) FROM schedule_run o WHERE"
		" o.schedule = r.schedule AND o.job < r.job) WHERE r.job = ?1",
		"i", job);
	int rc = db_step(db, s, err);

	*out = (struct schedules_job){0};
	if (rc < 1)
		return rc;
	out->name = xstrdup(db_text(s, 0));
	out->before = db_int(s, 1);
	out->before_created = db_int(s, 2);
	return 0;
}

/* ---- Showing ---- */

static json_t *local_text(const struct zone *zone, int64_t us)
{
	char text[32];

	zone_format(zone, us, text);
	return json_string(text);
}

json_t *schedules_run_list(struct db *db, const struct schedules_row *schedule, int64_t before,
                           int64_t limit, struct err *err)
{
	sqlite3_stmt *s = db_query(db,
	                           "SELECT id, instant, first, count, outcome, why, job, decided"
	                           " FROM schedule_run WHERE schedule = ?1 AND id < ?2"
	                           " ORDER BY id DESC LIMIT ?3",
	                           "iii", schedule->id, before, limit);
	SCOPED_JSON list = json_array();
	int rc;

	while ((rc = db_step(db, s, err)) == 1)
		(void)json_array_append_new(
			list, json_pack("{s:I, s:o, s:o, s:o, s:I, s:s, s:s, s:o, s:o}", "id",
		                        (json_int_t)db_int(s, 0), "instant", column_time(s, 1),
		                        "local", local_text(schedule->zone, db_int(s, 1)), "first",
		                        column_time(s, 2), "count", (json_int_t)db_int(s, 3),
		                        "outcome", db_text(s, 4), "why", db_text(s, 5), "job",
		                        db_int(s, 6) ? json_integer(db_int(s, 6)) : json_null(),
		                        "decided", column_time(s, 7)));
	return rc < 0 ? NULL : take_json(&list);
}

#define NEXT_SHOWN 5
#define LAST_SHOWN 5

static json_t *next_list(const struct schedules_row *row, int64_t now_us)
{
	json_t *list = json_array();
	int64_t at = now_us > row->plan.seen ? now_us : row->plan.seen;

	for (int i = 0; i < NEXT_SHOWN; i++) {
		char when[32];

		at = nightly_next(&row->plan, at);
		if (at == INT64_MAX)
			break;
		time_format(at, when);
		(void)json_array_append_new(list, json_pack("{s:s, s:o}", "at", when, "local",
		                                            local_text(row->zone, at)));
	}
	return list;
}

/* The columns of the row; what it was read into is added to it by the caller. */
static json_t *schedule_json(sqlite3_stmt *s)
{
	return json_pack("{s:I, s:s, s:s, s:s, s:o, s:o, s:s, s:s, s:b, s:o, s:o}", "id",
	                 (json_int_t)db_int(s, 0), "name", db_text(s, 1), "cron", db_text(s, 2),
	                 "zone", db_text(s, 3), "job", column_json(s, 4), "window_s",
	                 db_int(s, 5) ? json_integer(db_int(s, 5)) : json_null(), "overlap",
	                 db_text(s, 6), "catch_up", db_text(s, 7), "report", (int)db_int(s, 8),
	                 "disabled_reason", column_text(s, 9), "created", column_time(s, 11));
}

static json_t *schedule_whole(struct db *db, sqlite3_stmt *s, int64_t now_us, struct err *err)
{
	SCOPED_JSON json = schedule_json(s);
	struct schedules_row row;
	struct err why = {0};
	json_t *last;

	/* A zone that went with an update of the system is said; it must not take the list away. */
	if (row_read(s, &row, &why) < 0) {
		(void)json_object_set_new(json, "next", json_array());
		(void)json_object_set_new(json, "last", json_array());
		(void)json_object_set_new(json, "disabled_reason", json_string(why.text));
		return take_json(&json);
	}
	(void)json_object_set_new(json, "next",
	                          row.disabled ? json_array() : next_list(&row, now_us));
	last = schedules_run_list(db, &row, INT64_MAX, LAST_SHOWN, err);
	schedules_row_release(&row);
	if (!last)
		return NULL;
	(void)json_object_set_new(json, "last", last);
	return take_json(&json);
}

json_t *schedules_view(struct db *db, const char *name, int64_t now_us, struct err *err)
{
	sqlite3_stmt *s = db_query(db, SCHEDULE_SELECT "WHERE name = ?1", "s", name);
	int rc = db_step(db, s, err);

	if (rc == 0)
		(void)no_schedule(name, err);
	return rc == 1 ? schedule_whole(db, s, now_us, err) : NULL;
}

json_t *schedules_list(struct db *db, const char *after, int64_t limit, int64_t now_us,
                       struct err *err)
{
	sqlite3_stmt *s = db_query(db, SCHEDULE_SELECT "WHERE name > ?1 ORDER BY name LIMIT ?2",
	                           "si", after, limit);
	SCOPED_JSON list = json_array();
	int rc;

	while ((rc = db_step(db, s, err)) == 1) {
		json_t *one = schedule_whole(db, s, now_us, err);

		if (!one)
			return NULL;
		(void)json_array_append_new(list, one);
	}
	return rc < 0 ? NULL : take_json(&list);
}
