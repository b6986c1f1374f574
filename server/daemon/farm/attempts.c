/* Attempts from the lease on: who gets which board, the request, the orders to cohort-board. */
#include "common/logline.h"
#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/farm/farm_private.h"
#include "server/daemon/store/leases.h"
#include "server/daemon/store/runs.h"
#include "server/daemon/store/store.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define SECOND      1000000LL
#define QUIET_SLACK (600 * SECOND) /* beyond the attempt's own limits */

void attempt_free(struct attempt *a)
{
	if (!a)
		return;
	keep_drop(a->keep);
	follow_release(&a->follow);
	free(a->dir);
	free(a);
}

void attempt_discard(struct attempt *a)
{
	keep_drop(a->keep);
	a->keep = NULL;
	follow_discard(&a->follow);
}

void attempt_broken(struct attempt *a, const char *code, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	if (a->broken.kind != ERR_NONE)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)err_set(&a->broken, ERR_INVALID, "%s", text);
	a->broken_code = code;
}

/* The board holds a lease from now on, or since before a restart. Takes ref over. */
static int attempt_begin(struct board *b, struct attempt_ref *ref, struct db *db, struct err *err)
{
	struct farm *farm = b->farm;
	struct attempt *a = xcalloc(1, sizeof(*a));
	const json_t *limits = json_object_get(ref->plan, "limits");

	a->dir = xasprintf("%s/runs/%" PRId64 "/%" PRId64, farm->config.state_dir, ref->run,
	                   ref->attempt);
	a->max_quiet =
		QUIET_SLACK + SECOND * (json_integer_value(json_object_get(limits, "run_s")) +
	                                json_integer_value(json_object_get(limits, "boot_s")));
	a->quiet_since = farm->mono;
	a->reread_at = farm->mono;
	if (follow_open(&a->follow, ref, a->dir, db, err) < 0) {
		attempt_free(a);
		return -1;
	}
	b->attempt = a;
	board_tell(b, BOARD_EV_LEASED, false);
	return 0;
}

static void request_try(struct board *b)
{
	struct attempt *a = b->attempt;
	struct err err;

	if (b->farm->mono < a->request_at)
		return;
	a->requested = request_write(b, &err) == 0;
	if (a->requested)
		return;
	if (err.kind == ERR_NOTFOUND || err.kind == ERR_INVALID) {
		attempt_broken(a, "internal", "%s", err.text);
		return;
	}
	log_error("run %" PRId64 ": %s", a->follow.ref.run, err.text);
	a->request_at = b->farm->mono + FARM_RETRY;
}

void attempt_ops(struct board *b)
{
	struct attempt *a = b->attempt;

	if (!a || a->broken.kind != ERR_NONE)
		return;
	if (b->farm->mono - a->quiet_since > a->max_quiet) {
		attempt_broken(a, "lease-lost", "no new journal line for %" PRId64 " s",
		               (int64_t)(a->max_quiet / SECOND));
		process_kill(b);
		return;
	}
	if (!a->requested)
		request_try(b);
	if (!a->requested || !b->state.greeted)
		return;
	if (!a->run_sent)
		process_send(b, "run", &a->follow.ref, a->dir);
	a->run_sent = true;
	if (a->cancel && !a->cancel_sent) {
		process_send(b, "cancel", &a->follow.ref, NULL);
		a->cancel_sent = true;
	}
}

/* ---- Cancel ---- */

static int cancel_take(void *arg, int64_t run)
{
	struct farm *farm = arg;

	for (size_t i = 0; i < farm->boards_count; i++) {
		struct attempt *a = farm->boards[i]->attempt;

		if (a && a->follow.ref.run == run)
			a->cancel = true;
	}
	return 0;
}

/* ---- The queue ---- */

static int queued_take(void *arg, const struct schedule_run *run)
{
	struct farm *farm = arg;

	schedule_add(farm->schedule, run);
	if (run->id > farm->last_run)
		farm->last_run = run->id;
	return 0;
}

int runs_look(struct farm *farm, struct err *err)
{
	struct db *db = store_read_begin(farm->config.store);
	int rc = store_runs_queued(db, farm->reload ? 0 : farm->last_run, queued_take, farm, err);

	if (rc == 0)
		rc = store_runs_cancelling(db, cancel_take, farm, err);
	store_read_end(farm->config.store, db);
	if (rc == 0)
		farm->reload = false;
	return rc;
}

void run_requeue(struct farm *farm, int64_t run)
{
	struct db *db = store_read_begin(farm->config.store);
	struct err err;

	if (store_run_queued(db, run, queued_take, farm, &err) < 0) {
		log_error("the farm: %s", err.text);
		farm->reload = farm->look = true;
		farm->retry_at = farm->mono + FARM_RETRY;
	}
	store_read_end(farm->config.store, db);
}

void builder_ended(struct farm *farm, int64_t run)
{
	struct db *db = store_read_begin(farm->config.store);
	struct err err;

	/* Its end may have made new runs, too: another build run, the next round. */
	farm->look = farm->again = true;
	if (store_runs_queued_behind(db, run, queued_take, farm, &err) < 0) {
		log_error("the farm: %s", err.text);
		farm->reload = true;
		farm->retry_at = farm->mono + FARM_RETRY;
	}
	store_read_end(farm->config.store, db);
}

/* ---- Leases ---- */

struct grant {
	int64_t run;
	struct board *board;
	enum lease_answer answer;
	struct attempt_ref ref; /* LEASE_GIVEN */
};

struct grants {
	struct farm *farm;
	struct grant list[FARM_LEASES];
	int64_t late[FARM_LEASES];
	size_t count, late_count;
};

static int grants_write(struct db *db, void *arg, struct err *err)
{
	struct grants *g = arg;
	struct run_change late = {.event = {.kind = RUN_EV_TIME, .now = g->farm->wall}};
	bool applied;

	for (size_t i = 0; i < g->late_count; i++)
		if (store_run_apply(db, g->late[i], &late, &applied, NULL, err) < 0)
			return -1;
	for (size_t i = 0; i < g->count; i++) {
		struct grant *one = &g->list[i];

		if (store_lease_give(db, one->run, one->board->name, g->farm->wall, &one->answer,
		                     &one->ref, err) < 0)
			return -1;
	}
	return 0;
}

static void grant_done(struct farm *farm, struct grant *one, struct db *db)
{
	struct board *b = one->board;
	struct err err;

	if (one->answer == LEASE_GIVEN) {
		if (attempt_begin(b, &one->ref, db, &err) < 0) {
			log_error("run %" PRId64 ": %s", one->run, err.text);
			abort(); /* the store cannot be read: a restart takes it up */
		}
		b->dirty = false; /* the lease's transaction wrote the board's state */
		return;
	}
	run_requeue(farm, one->run);
	if (one->answer == LEASE_NO_RUN) {
		schedule_board_idle(farm->schedule, b->seat, b->state.phase == BOARD_IDLE);
	} else {
		/* The store knows better: see why, and write again what is seen here. */
		b->dirty = farm->look = true;
	}
}

static void grants_failed(struct farm *farm, struct grants *g, const struct err *err)
{
	log_error("the farm: %s", err->text);
	farm->retry_at = farm->mono + FARM_RETRY;
	farm->reload = farm->look = true;
	for (size_t i = 0; i < g->count; i++) {
		struct board *b = g->list[i].board;

		attempt_ref_release(&g->list[i].ref);
		schedule_board_idle(farm->schedule, b->seat, b->state.phase == BOARD_IDLE);
	}
}

void schedule_pass(struct farm *farm)
{
	struct grants g;
	struct db *db;
	struct err err;
	int seat;

	g.farm = farm;
	g.count = g.late_count = 0;
	while (g.late_count < FARM_LEASES &&
	       schedule_expired(farm->schedule, farm->wall, &g.late[g.late_count]))
		g.late_count++;
	while (g.count < FARM_LEASES) {
		struct grant *one = &g.list[g.count];

		*one = (struct grant){0};
		if (!schedule_pick(farm->schedule, farm->wall, &one->run, &seat))
			break;
		one->board = board_of_seat(farm, seat);
		g.count++;
	}
	if (g.count == 0 && g.late_count == 0)
		return;
	farm->decide |= g.late_count > 0;
	farm->again = true;
	if (store_write(farm->config.store, grants_write, &g, &err) < 0) {
		grants_failed(farm, &g, &err);
		return;
	}
	db = store_read_begin(farm->config.store);
	for (size_t i = 0; i < g.count; i++)
		grant_done(farm, &g.list[i], db);
	store_read_end(farm->config.store, db);
	for (size_t i = 0; i < g.count; i++)
		attempt_ops(g.list[i].board);
}

/* ---- After a restart ---- */

struct resume {
	struct farm *farm;
	struct db *db;
	struct err *err;
	struct attempt_ref *orphans; /* owned: leases of boards that are no more */
	size_t count;
	bool failed;
};

static int lease_take(void *arg, const struct lease *lease)
{
	struct resume *r = arg;
	struct board *b = board_named(r->farm, lease->board);
	struct attempt_ref ref;

	if (store_attempt_ref(r->db, lease->run, lease->attempt, &ref, r->err) < 0 ||
	    (b && attempt_begin(b, &ref, r->db, r->err) < 0)) {
		r->failed = true;
		return -1;
	}
	if (b)
		return 0;
	r->orphans = xrealloc(r->orphans, (r->count + 1) * sizeof(*r->orphans));
	r->orphans[r->count++] = ref;
	return 0;
}

static int orphans_end(struct db *db, void *arg, struct err *err)
{
	struct resume *r = arg;
	struct run_state state;
	bool applied;

	for (size_t i = 0; i < r->count; i++)
		if (store_attempt_end(db, &r->orphans[i], "fault",
		                      "{\"code\":\"lease-lost\",\"stage\":null,"
		                      "\"detail\":\"its board is gone from the farm\"}",
		                      r->farm->wall, &applied, &state, err) < 0)
			return -1;
	return 0;
}

int attempts_resume(struct farm *farm, struct err *err)
{
	struct resume r = {.farm = farm, .err = err};
	int rc;

	r.db = store_read_begin(farm->config.store);
	rc = store_leases(r.db, lease_take, &r, err);
	store_read_end(farm->config.store, r.db);
	if (r.failed)
		rc = -1;
	if (rc == 0 && r.count > 0)
		rc = store_write(farm->config.store, orphans_end, &r, err);
	for (size_t i = 0; i < r.count; i++)
		attempt_ref_release(&r.orphans[i]);
	free(r.orphans);
	return rc;
}
