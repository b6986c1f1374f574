/* What must be true when a year is over: each instant has its outcome, once; each job its schedule and its mail. */
#include "tests/sim/night.h"

#include "common/err.h"
#include "common/scoped.h"
#include "common/timeus.h"
#include "server/daemon/nightly/zone.h"
#include "server/daemon/store/schedules.h"
#include "server/daemon/suite.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The one number that sql (a literal) asks for. */
static int64_t number(struct night *n, struct db *db, const char *sql)
{
	struct err err;
	sqlite3_stmt *s = db_query(db, sql, "");

	if (db_step(db, s, &err) != 1)
		night_die(n, "%s: %s", sql, err.text);
	return db_int(s, 0);
}

static void expect(struct night *n, struct db *db, const char *what, const char *sql,
                   int64_t wanted)
{
	int64_t got = number(n, db, sql);

	if (got != wanted)
		night_die(n, "%s: %" PRId64 " where %" PRId64 " should be", what, got, wanted);
}

/* ---- Instants ---- */

static bool quiet(const struct night *n, int64_t instant)
{
	for (size_t i = 0; i < n->spans_count; i++)
		if (n->spans[i].from < instant + 3 * HOUR && n->spans[i].to > instant - 3 * HOUR)
			return false;
	return true;
}

/* How the rows of the schedule cover the instant. */
struct covered {
	int64_t rows, submitted, skipped;
	int64_t decided;
	bool early; /* a clock that was ahead has run it, and what is run is run */
};

static struct covered cover(struct night *n, struct db *db, int64_t schedule, int64_t instant)
{
	sqlite3_stmt *s =
		db_query(db,
	                 "SELECT outcome, why, decided, job FROM schedule_run WHERE schedule = ?1"
	                 " AND first <= ?2 AND instant >= ?2 AND why <> 'by hand'",
	                 "ii", schedule, instant);
	struct covered c = {0};
	struct err err;

	while (db_step(db, s, &err) == 1) {
		const char *outcome = db_text(s, 0), *why = db_text(s, 1);

		c.rows++;
		c.submitted += strcmp(outcome, "submitted") == 0;
		c.skipped += strcmp(outcome, "skipped") == 0;
		c.decided = db_int(s, 2);
		c.early |= db_int(s, 3) && n->jobs[db_int(s, 3)].start < instant - MINUTE;
		if (strcmp(outcome, "waiting") == 0 && instant < n->now - 2 * DAY)
			night_die(n, "an instant waits for ever");
		if (strcmp(outcome, "skipped") == 0 && *why == '\0')
			night_die(n, "an instant is skipped and nobody says why");
	}
	return c;
}

static bool job_was_open(struct night *n, struct db *db, int64_t schedule, int64_t at)
{
	sqlite3_stmt *s =
		db_query(db, "SELECT job FROM schedule_run WHERE schedule = ?1 AND job IS NOT NULL",
	                 "i", schedule);
	bool open = false;
	struct err err;

	while (db_step(db, s, &err) == 1) {
		const struct night_job *job = &n->jobs[db_int(s, 0)];

		open |= job->start <= at && (job->end == 0 || job->end >= at);
	}
	return open;
}

static void instant_check(struct night *n, struct db *db, const struct schedules_row *row,
                          int64_t instant)
{
	struct covered c = cover(n, db, row->id, instant);
	char when[32];

	time_format(instant, when);
	if (c.rows == 0)
		night_die(n, "%s: the instant %s is forgotten", row->name, when);
	if (c.submitted > 1 || (c.submitted == 0 && c.rows > 1))
		night_die(n, "%s: the instant %s has %" PRId64 " rows", row->name, when, c.rows);
	if (!quiet(n, instant) || n->end - instant < DAY)
		return;
	/* A night on which nothing was wrong is no night to skip, but for a job that is open. A clock that was ahead may have given
	 * another reason, which stays. */
	if (c.submitted == 0 && quiet(n, c.decided) && !job_was_open(n, db, row->id, instant))
		night_die(n, "%s: the instant %s was skipped on a good night", row->name, when);
	if (c.submitted && !c.early && c.decided - instant > MINUTE &&
	    !job_was_open(n, db, row->id, instant))
		night_die(n, "%s: the instant %s was late on a good night", row->name, when);
}

/* Was it an instant of the schedule when its job was submitted? One that waits may be of the schedule as it was before. */
static bool of_its_time(struct night *n, int plan, int64_t instant, int64_t start)
{
	size_t epoch = n->epochs_count[plan] - 1;

	while (epoch > 0 && n->epochs[plan][epoch].from > start)
		epoch--;
	for (size_t back = 0; back < 2 && back <= epoch; back++)
		if (nightly_next(&n->epochs[plan][epoch - back].plan, instant - SECOND) == instant)
			return true;
	return false;
}

static void invented_check(struct night *n, struct db *db, int plan, int64_t schedule)
{
	sqlite3_stmt *s = db_query(db,
	                           "SELECT instant, job FROM schedule_run WHERE schedule = ?1 AND"
	                           " job IS NOT NULL",
	                           "i", schedule);
	struct err err;

	while (db_step(db, s, &err) == 1) {
		char when[32];

		time_format(db_int(s, 0), when);
		if (!of_its_time(n, plan, db_int(s, 0), n->jobs[db_int(s, 1)].start))
			night_die(n, "%s: the instant %s is invented", night_schedules[plan].name,
			          when);
	}
}

/* Rows of instants before the schedules were. While a clock is set back there are some that have come. */
static void early_check(struct night *n, struct db *db)
{
	sqlite3_stmt *s =
		db_query(db,
	                 "SELECT count(*) FROM schedule_run WHERE first < ?1 AND decided >= ?1 AND"
	                 " why LIKE 'missed:%'",
	                 "i", n->begin);
	struct err err;

	if (db_step(db, s, &err) != 1 || db_int(s, 0) != 0)
		night_die(n, "instants from before the schedules are called missed");
}

static void instants_check(struct night *n, struct db *db, int plan)
{
	const char *name = night_schedules[plan].name;
	struct schedules_row row;
	size_t count = 0;
	struct err err;

	if (schedules_load(db, 0, name, &row, &err) < 0)
		night_die(n, "%s", err.text);
	for (size_t i = 0; i < n->epochs_count[plan]; i++) {
		const struct night_epoch *e = &n->epochs[plan][i];
		int64_t until = i + 1 < n->epochs_count[plan] ? e[1].from : row.plan.seen;
		int64_t at = nightly_next(&e->plan, e->from);

		for (; at <= until && at <= n->now; at = nightly_next(&e->plan, at), count++)
			instant_check(n, db, &row, at);
	}
	if (nightly_next(&row.plan, row.plan.seen) <= n->now)
		night_die(n, "%s: not all is decided", name);
	invented_check(n, db, plan, row.id);
	(void)printf("%-10s %zu instants, %zu times edited\n", name, count,
	             n->epochs_count[plan] - 1);
	schedules_row_release(&row);
}

/* ---- What went out ---- */

static void deliveries_check(struct night *n, struct db *db)
{
	sqlite3_stmt *s =
		db_query(db, "SELECT id, kind, state, tries, doubt, created FROM delivery", "");
	struct err err;

	while (db_step(db, s, &err) == 1) {
		int64_t id = db_int(s, 0);
		int accepted = n->accepted[id], doubted = n->doubted[id];
		bool mail = strcmp(db_text(s, 1), "mail") == 0,
		     sent = strcmp(db_text(s, 2), "sent") == 0;

		/* Without a lost answer, once; a mail with one, twice at most. */
		if (accepted > 1 + doubted || (mail && accepted > 2))
			night_die(n, "%s %" PRId64 " went out %d times, %d answers were lost",
			          db_text(s, 1), id, accepted, doubted);
		if (sent && accepted == 0)
			night_die(n, "%s %" PRId64 " is sent, and nobody has it", db_text(s, 1),
			          id);
		if (mail && db_int(s, 4) != doubted)
			night_die(n, "mail %" PRId64 ": doubt is %" PRId64 " and not %d", id,
			          db_int(s, 4), doubted);
		/* What is made in the last hours may have been told to come again. */
		if (!sent && !(mail && doubted >= DELIVERY_DOUBT) &&
		    db_int(s, 3) < DELIVERY_TRIES && db_int(s, 5) < n->now - DAY)
			night_die(n, "%s %" PRId64 " is %s after a calm week", db_text(s, 1), id,
			          db_text(s, 2));
	}
}

static void told_check(struct night *n, struct db *db)
{
	sqlite3_stmt *s = db_query(
		db,
		"SELECT r.job, coalesce(r.digest, 0) = 0, s.report FROM schedule_run r JOIN"
		" schedule s ON s.id = r.schedule JOIN job j ON j.id = r.job WHERE"
		" j.state = 'done'",
		"");
	struct err err;

	while (db_step(db, s, &err) == 1) {
		int64_t job = db_int(s, 0);
		bool untold = db_int(s, 1) != 0, report = db_int(s, 2) != 0;

		if (untold && report && n->jobs[job].results && n->jobs[job].end < n->now - 2 * DAY)
			night_die(n, "no digest tells of job %" PRId64, job);
		if (!untold && !report)
			night_die(n, "a digest tells of job %" PRId64 ", which nobody asked for",
			          job);
	}
}

void night_check(struct night *n)
{
	struct db *db = store_read_begin(n->store);

	for (int i = 0; i < NIGHT_PLANS; i++)
		instants_check(n, db, i);
	early_check(n, db);
	(void)printf(
		"%" PRId64 " submitted, %" PRId64 " skipped\n",
		number(n, db, "SELECT count(*) FROM schedule_run WHERE outcome = 'submitted'"),
		number(n, db, "SELECT sum(count) FROM schedule_run WHERE outcome = 'skipped'"));
	expect(n, db, "jobs without an instant",
	       "SELECT count(*) FROM job WHERE id NOT IN (SELECT job FROM schedule_run WHERE job IS NOT"
	       " NULL)",
	       0);
	expect(n, db, "two jobs of an instant",
	       "SELECT count(*) - count(DISTINCT job) FROM schedule_run WHERE job IS NOT NULL", 0);
	expect(n, db, "ended jobs that no webhook heard of",
	       "SELECT count(*) FROM job WHERE state IN ('done', 'cancelled')"
	       " AND ended < (SELECT max(ended) FROM job) AND id NOT IN (SELECT"
	       " json_extract(message, '$.job.id') FROM delivery WHERE kind = 'hook')",
	       0);
	expect(n, db, "jobs that a webhook heard of twice",
	       "SELECT count(*) - count(DISTINCT json_extract(message, '$.job.id')) FROM delivery"
	       " WHERE kind = 'hook'",
	       0);
	expect(n, db, "two digests a morning",
	       "SELECT count(*) - count(DISTINCT message_id) FROM delivery WHERE kind = 'mail'", 0);
	deliveries_check(n, db);
	told_check(n, db);
	store_read_end(n->store, db);
}
