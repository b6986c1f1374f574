/* The store's content, jobs that end, and the two carriers. */
#include "tests/sim/night.h"

#include "common/err.h"
#include "common/fsio.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/nightly/step.h"
#include "server/daemon/nightly/zone.h"
#include "server/daemon/report/page.h"
#include "server/daemon/store/lanes.h"
#include "server/daemon/store/schedules.h"
#include "server/daemon/store/world.h"
#include "server/daemon/suite.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void write_do(struct night *n, store_write_fn *fn, void *arg)
{
	struct err err;

	if (store_write(n->store, fn, arg, &err) < 0)
		night_die(n, "store: %s", err.text);
}

/* ---- The beginning ---- */

static json_t *job_document(void)
{
	return json_pack("{s:[s,s], s:{s:[s]}, s:s}", "builds", "base", "v1", "boards", "cache",
	                 "vivt", "suite", "s");
}

static struct schedules_new schedule_of(const struct night_schedule *s, json_t *job)
{
	return (struct schedules_new){.name = s->name,
	                              .cron = s->cron,
	                              .zone = s->zone,
	                              .job = job,
	                              .window_s = s->window_s,
	                              .overlap = s->overlap,
	                              .catch_up = s->catch_up,
	                              .report = s->report};
}

/* Keep for the check what the schedule is from now on. */
static int epoch_note(struct night *n, struct db *db, int plan, struct err *err)
{
	struct schedules_row row;

	if (n->epochs_count[plan] == EDITS_MAX)
		night_die(n, "too many edits");
	if (schedules_load(db, 0, night_schedules[plan].name, &row, err) < 0)
		return -1;
	n->epochs[plan][n->epochs_count[plan]++] =
		(struct night_epoch){.from = n->now, .plan = row.plan};
	schedules_row_release(&row);
	return 0;
}

static int world_write(struct db *db, void *arg, struct err *err)
{
	struct night *n = arg;

	if (db_exec(db, err, NULL,
	            "INSERT INTO build (name, arch, description, cmdline, created) VALUES"
	            " ('base', 'arm', '', '', 0), ('v1', 'arm', '', '', 0)",
	            "") < 0)
		return -1;
	for (int i = 0; i < NIGHT_PLANS; i++) {
		SCOPED_JSON job = job_document();
		const struct schedules_new fresh = schedule_of(&night_schedules[i], job);

		if (schedules_create(db, &fresh, n->now, err) < 0 || epoch_note(n, db, i, err) < 0)
			return -1;
	}
	return 0;
}

struct edit {
	struct night *n;
	int plan;
	char cron[32];
	const char *zone;
};

static int edit_write(struct db *db, void *arg, struct err *err)
{
	struct edit *e = arg;
	struct night *n = e->n;
	const struct world_config world = {.suites = n->suites};
	SCOPED_JSON job = job_document();
	struct schedules_new change = schedule_of(&night_schedules[e->plan], job);
	int64_t id = e->plan + 1;

	change.cron = e->cron;
	change.zone = e->zone;
	if (nightly_settle(db, &world, id, n->now, err) < 0 ||
	    schedules_change(db, id, &change, n->now, err) < 0)
		return -1;
	return epoch_note(n, db, e->plan, err);
}

void night_edit(struct night *n, int plan)
{
	struct edit e = {.n = n, .plan = plan};

	e.zone = night_schedules[night_random(n, NIGHT_PLANS)].zone;
	(void)snprintf(e.cron, sizeof(e.cron),
	               night_chance(n, 200) ? "%d,59 %d-23/3 * * sat,sun" : "%d %d * * *",
	               (int)night_random(n, 59), (int)night_random(n, 22));
	n->edits++;
	write_do(n, edit_write, &e);
}

static struct suites *suites_make(struct night *n)
{
	static const char text[] = "{\"name\":\"s\",\"version\":\"1\",\"tests\":["
				   "{\"name\":\"one\",\"kind\":\"contract\",\"argv\":[\"true\"]},"
				   "{\"name\":\"two\",\"kind\":\"contract\",\"argv\":[\"true\"]}]}";
	SCOPED_STR dir = xasprintf("%s/suites", n->dir);
	SCOPED_STR path = xasprintf("%s/s.json", dir);
	struct suites *suites;
	struct err err;

	if (fs_mkdirs(dir, &err) < 0 || fs_replace_file(path, text, strlen(text), 0600, &err) < 0)
		night_die(n, "%s", err.text);
	suites = suites_load(dir, &err);
	if (!suites)
		night_die(n, "%s", err.text);
	return suites;
}

void night_open(struct night *n)
{
	static struct hook hook = {.events = HOOK_JOB_ENDED};
	struct err err;

	n->store = store_open(n->dir, &err);
	if (!n->store)
		night_die(n, "%s", err.text);
	n->suites = suites_make(n);
	write_do(n, world_write, n);
	night_board(n, true);
	hook.name = xstrdup("ci");
	n->hooks = (struct hooks){.list = &hook, .count = 1};
	n->zone = zone_named("Europe/Berlin", &err);
	n->to = json_pack("[s]", "list@example.org");
	n->digest = (struct digest_config){
		.source = {.suites = n->suites, .state_dir = n->dir},
		.style = {.from = "farm@example.org", .lines = PAGE_LINES},
		.to = n->to,
		.at = {.zone = n->zone},
	};
	if (!n->digest.at.zone || cron_parse("0 7 * * *", &n->digest.at.cron, &err) < 0)
		night_die(n, "%s", err.text);
	night_carriers(n);
}

void night_reopen(struct night *n)
{
	struct err err;

	store_close(n->store);
	n->store = store_open(n->dir, &err);
	if (!n->store)
		night_die(n, "%s", err.text);
	n->mails.store = n->posts.store = n->store;
}

void night_close(struct night *n)
{
	static const char *const names[] = {"cohort.db", "cohort.db-wal", "cohort.db-shm", "lock",
	                                    "suites/s.json"};
	SCOPED_STR suites = xasprintf("%s/suites", n->dir);

	store_close(n->store);
	suites_free(n->suites);
	free(n->hooks.list[0].name);
	json_decref(n->to);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		SCOPED_STR path = xasprintf("%s/%s", n->dir, names[i]);

		(void)unlink(path);
	}
	(void)rmdir(suites);
	(void)rmdir(n->dir);
}

static int board_write(struct db *db, void *arg, struct err *err)
{
	const bool *there = arg;

	if (!*there)
		return db_exec(db, err, NULL, "DELETE FROM board", "");
	return db_exec(
		db, err, NULL,
		"INSERT INTO board (name, kind, cache, arch, origin, document, updated) VALUES"
		" ('b', 'physical', 'vivt', 'armel', 'api', '{\"boot\":{\"method\":\"none\"}}', 0)"
		" ON CONFLICT (name) DO NOTHING",
		"");
}

void night_board(struct night *n, bool there)
{
	write_do(n, board_write, &there);
}

/* ---- Jobs ---- */

void night_jobs_look(struct night *n, void (*started)(struct night *n, int64_t job))
{
	struct db *db = store_read_begin(n->store);
	struct err err;
	sqlite3_stmt *s =
		db_query(db, "SELECT id FROM job WHERE id > ?1 ORDER BY id", "i", n->last_job);

	while (db_step(db, s, &err) == 1) {
		int64_t job = db_int(s, 0);

		if (job != n->last_job + 1 || job >= JOBS_MAX)
			night_die(n, "job %" PRId64 " after %" PRId64, job, n->last_job);
		n->last_job = job;
		n->jobs[job].start = n->now;
		started(n, job);
	}
	store_read_end(n->store, db);
}

struct ending {
	struct night *n;
	int64_t job;
	bool results, ended;
};

static int runs_fold(struct db *db, int64_t job, struct err *err)
{
	sqlite3_stmt *s = db_query(db, "SELECT id FROM run WHERE job = ?1", "i", job);
	int64_t runs[8];
	size_t count = 0;

	while (count < 8 && db_step(db, s, err) == 1)
		runs[count++] = db_int(s, 0);
	for (size_t i = 0; i < count; i++)
		if (lane_fold(db, runs[i], false, err) < 0)
			return -1;
	return 0;
}

static int end_write(struct db *db, void *arg, struct err *err)
{
	struct ending *e = arg;
	int64_t now = night_clock(), changed;

	if (db_exec(db, err, &changed,
	            "UPDATE job SET state = 'done', ended = ?2 WHERE id = ?1 AND state = 'queued'",
	            "ii", e->job, now) < 0)
		return -1;
	e->ended = changed > 0;
	if (!e->ended) /* cancelled meanwhile */
		return 0;
	if (e->results &&
	    db_exec(db, err, NULL,
	            "INSERT INTO result (run, attempt, test_id, test, rep, test_kind, verdict, time)"
	            " SELECT r.id, 1, json_extract(t.value, '$.id'), json_extract(t.value, '$.name'),"
	            " json_extract(t.value, '$.rep'), 'contract', CASE WHEN (r.id * 7 + t.key) % 5 = 0"
	            " THEN 'fail' ELSE 'pass' END, ?2 FROM run r, json_each(r.plan, '$.tests') t"
	            " WHERE r.job = ?1",
	            "ii", e->job, now) < 0)
		return -1;
	if (db_exec(db, err, NULL,
	            "UPDATE run SET state = ?3, attempt = 1, board = 'b', arrived = CASE ?3 WHEN 'done'"
	            " THEN planned ELSE 0 END, started = ?2, ended = ?2 WHERE job = ?1",
	            "iis", e->job, now, e->results ? "done" : "failed") < 0 ||
	    runs_fold(db, e->job, err) < 0)
		return -1;
	return db_event(db, now, "job", e->job, 0, NULL,
	                json_pack("{s:s, s:i, s:i}", "state", "done", "planned", 4, "arrived", 4),
	                err);
}

void night_job_end(struct night *n, int64_t job)
{
	struct ending e = {.n = n, .job = job, .results = night_chance(n, 970)};

	write_do(n, end_write, &e);
	if (n->jobs[job].end == 0)
		n->jobs[job].end = n->now;
	n->jobs[job].results = e.ended && e.results;
}

/* ---- Carriers ---- */

static void taken(struct night *n, const struct delivery *d)
{
	if (d->id >= OUT_MAX || n->accepted[d->id] == UINT8_MAX)
		night_die(n, "delivery %" PRId64 " is taken too often", d->id);
	n->accepted[d->id]++;
}

/* What is not for DELIVERY_EV_START to be: nothing is written, as if cohortd had died there. */
static enum delivery_event death(struct night *n)
{
	n->died = true;
	return DELIVERY_EV_START;
}

static enum delivery_event mail_send(void *self, struct carrier_call *call)
{
	struct night *n = self;
	const struct delivery *d = call->delivery;
	uint64_t dice = night_random(n, 100);

	if (dice < 3)
		return death(n);
	if (!n->mail_works)
		return DELIVERY_EV_TROUBLE;
	if (call->hand(call->arg) < 0)
		night_die(n, "delivery %" PRId64 " cannot be handed over", d->id);
	n->doubted[d->id] = (unsigned char)(n->doubted[d->id] + (dice < 9));
	if (dice < 5)
		return death(n); /* before the server had it */
	if (dice >= 9 && dice < 12)
		return DELIVERY_EV_TROUBLE; /* it answered 451 */
	taken(n, d);
	n->mails_taken++;
	if (dice < 7)
		return death(n); /* it answered, and nobody heard */
	return dice < 9 ? DELIVERY_EV_LOST : DELIVERY_EV_SENT;
}

static enum delivery_event hook_send(void *self, struct carrier_call *call)
{
	struct night *n = self;
	const struct delivery *d = call->delivery;
	uint64_t dice = night_random(n, 100);

	if (dice < 2)
		return death(n);
	if (!n->hook_works || dice < 6)
		return DELIVERY_EV_TROUBLE;
	taken(n, d);
	n->posts_taken++;
	n->doubted[d->id] = (unsigned char)(n->doubted[d->id] + (dice < 8));
	return dice < 8 ? death(n) : DELIVERY_EV_SENT;
}

void night_carriers(struct night *n)
{
	n->mail = (struct carrier){.send = mail_send, .self = n};
	n->hook = (struct carrier){.send = hook_send, .self = n};
	n->mails = (struct courier_step){.store = n->store,
	                                 .kind = "mail",
	                                 .carrier = &n->mail,
	                                 .clock = night_clock,
	                                 .stop = &n->stop};
	n->posts = n->mails;
	n->posts.kind = "hook";
	n->posts.carrier = &n->hook;
}
