/* study_sim [-s SEED] [-j JOBS] [-n ROUNDS] - studies in simulated time: builds that fail, runs that wait for them, rounds until
 * it is decided, cancels and adoptions, and a cohortd that is killed between what it wrote and what it was to do next.
 *
 * The decisions are the real ones (server/daemon/schedule, compare/open.h); the store is in memory and forgets nothing. */
#include "common/timeus.h"
#include "common/xalloc.h"
#include "server/daemon/compare/open.h"
#include "server/daemon/schedule/build.h"
#include "server/daemon/schedule/heap.h"
#include "server/daemon/schedule/schedule.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECOND   1000000LL
#define HOUR     (3600 * SECOND)
#define COLUMNS  4
#define SLOTS    2
#define BUILDERS 2
#define BOARDS   6 /* that test, of each slot */
#define ROUNDS   12
#define RECIPES  3 /* jobs for each recipe: so often is a build shared */

struct build {
	struct build_state state;
	bool wrong;  /* the recipe does not compile */
	int makers;  /* runs that are open and make it */
	int kernels; /* runs that made one */
};

struct run {
	struct run_state state;
	int64_t id, board; /* board: of its lease, or -1 */
	int job, slot, column, round, build;
	bool makes, counted;
	char boards[64];
};

struct job {
	int columns, first_rounds;
	int build[SLOTS][COLUMNS];
	double rate[COLUMNS];
	struct open_tally tally[SLOTS][COLUMNS];
	bool deciding, cancelled, done;
};

enum kind { EV_END, EV_ARRIVE, EV_CANCEL, EV_RESTART };

struct event {
	int64_t at, order, run, fence;
	enum kind kind;
	size_t place;
};

static struct {
	uint64_t seed, random;
	int64_t now, order;
	struct heap events;
	/* The store. */
	struct build *builds;
	struct run **runs;
	struct job *jobs;
	size_t builds_count, runs_count, runs_room;
	int jobs_count, jobs_made;
	int64_t fence, busy[BUILDERS + SLOTS * BOARDS];
	/* cohortd's memory. */
	struct schedule *schedule;
	bool decide;
	int64_t restarts, adopted, made_again, rounds, unbuilt, faults, twice;
} sim;

static _Noreturn void broken(const char *what, int line)
{
	(void)fprintf(stderr, "study_sim.c:%d: not so: %s\nagain: study_sim -s %" PRIu64 " -j %d\n",
	              line, what, sim.seed, sim.jobs_count);
	exit(1);
}

#define must(cond) ((cond) ? (void)0 : broken(#cond, __LINE__))

static uint64_t random_below(uint64_t below)
{
	sim.random ^= sim.random >> 12;
	sim.random ^= sim.random << 25;
	sim.random ^= sim.random >> 27;
	return (sim.random * 0x2545f4914f6cdd1dULL >> 16) % below;
}

static bool chance(unsigned per_mille)
{
	return random_below(1000) < per_mille;
}

static void at(int64_t delay, enum kind kind, int64_t run, int64_t fence)
{
	struct event *e = xcalloc(1, sizeof(*e));

	*e = (struct event){.at = sim.now + delay,
	                    .order = sim.order++,
	                    .kind = kind,
	                    .run = run,
	                    .fence = fence};
	heap_push(&sim.events, e);
}

static bool before(const void *a, const void *b)
{
	const struct event *x = a, *y = b;

	return x->at != y->at ? x->at < y->at : x->order < y->order;
}

/* ---- cohortd's memory, and losing it ---- */

static void queue(const struct run *run)
{
	const struct schedule_run waiting = {.id = run->id,
	                                     .not_before = run->state.not_before,
	                                     .expires = run->state.expires,
	                                     .boards = run->boards};

	if (run->state.phase == RUN_QUEUED && !run->state.waiting)
		schedule_add(sim.schedule, &waiting);
}

static void restart(void)
{
	schedule_free(sim.schedule);
	sim.schedule = schedule_new();
	for (int b = 0; b < BUILDERS + SLOTS * BOARDS; b++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "b%d", b);
		must(schedule_board(sim.schedule, name) == b);
		schedule_board_idle(sim.schedule, b, sim.busy[b] == 0);
	}
	for (size_t i = 0; i < sim.runs_count; i++)
		queue(sim.runs[i]);
	sim.decide = true;
	sim.restarts++;
}

/* What the store says now is to be noticed; or cohortd dies, and a new one reads it all. */
static void notice(const struct run *run)
{
	if (chance(3))
		restart();
	queue(run);
	sim.decide = true;
}

/* ---- The store ---- */

static struct run *add_run(int job, int slot, int column, int round, bool makes)
{
	struct run *run = xcalloc(1, sizeof(*run));
	int first = makes ? 0 : BUILDERS + slot * BOARDS, count = makes ? BUILDERS : BOARDS;
	size_t used = 0;

	if (sim.runs_count == sim.runs_room) {
		sim.runs_room = sim.runs_room ? sim.runs_room * 2 : 1024;
		sim.runs = xrealloc(sim.runs, sim.runs_room * sizeof(struct run *));
	}
	*run = (struct run){.id = (int64_t)sim.runs_count + 1,
	                    .board = -1,
	                    .job = job,
	                    .slot = slot,
	                    .column = column,
	                    .round = round,
	                    .makes = makes,
	                    .build = sim.jobs[job].build[slot][column]};
	run->state = (struct run_state){.max_attempts = 3, .expires = INT64_MAX};
	for (int i = 0; i < count; i++)
		used += (size_t)snprintf(run->boards + used, sizeof(run->boards) - used,
		                         "%s\"b%d\"", i ? "," : "[", first + i);
	(void)snprintf(run->boards + used, sizeof(run->boards) - used, "]");
	sim.runs[sim.runs_count++] = run;
	if (makes)
		must(++sim.builds[run->build].makers == 1);
	return run;
}

static bool waits(const struct run *run)
{
	return run->state.phase == RUN_QUEUED && run->state.waiting;
}

static bool slot_settled(int job, int slot)
{
	for (size_t i = 0; i < sim.runs_count; i++) {
		const struct run *r = sim.runs[i];

		if (r->job == job && r->slot == slot && !r->makes && waits(r) &&
		    !build_settled(&sim.builds[r->build].state))
			return false;
	}
	return true;
}

static void run_change(struct run *run, const struct run_event *event);

/* As store/made_builds.c: the build's own runs, and those of the slots that it is in. */
static void settle(int build)
{
	for (size_t i = 0; i < sim.runs_count; i++) {
		struct run *r = sim.runs[i];
		struct run_event event = {.now = sim.now, .expires = INT64_MAX};
		bool in_slot = false;

		for (int c = 0; c < sim.jobs[r->job].columns; c++)
			in_slot |= sim.jobs[r->job].build[r->slot][c] == build;
		if (!in_slot || r->makes || !waits(r))
			continue;
		if (sim.builds[r->build].state.phase == BUILD_FAILED)
			event.kind = RUN_EV_UNBUILT;
		else if (build_lets_run(&sim.builds[r->build].state, r->round,
		                        slot_settled(r->job, r->slot)))
			event.kind = RUN_EV_BUILT;
		else
			continue;
		sim.unbuilt += event.kind == RUN_EV_UNBUILT;
		run_change(r, &event);
	}
}

static int other_job(int build, int job)
{
	for (size_t i = 0; i < sim.runs_count; i++)
		if (sim.runs[i]->build == build && sim.runs[i]->job != job && waits(sim.runs[i]))
			return sim.runs[i]->job;
	return -1;
}

static void follow(struct run *run)
{
	struct build *build = &sim.builds[run->build];
	enum build_made made = build->wrong ? BUILD_MADE_FAILURE
	                       : chance(20) ? BUILD_MADE_NOTHING
	                                    : BUILD_MADE_KERNEL;
	int other = other_job(run->build, run->job);

	if (run_ended(&run->state))
		build->makers--;
	if (!build_follow(&build->state, run->state.phase, made, other >= 0))
		return;
	build->kernels += build->state.phase == BUILD_COMPLETE;
	must(build->kernels <= 1);
	if (run->state.phase == RUN_CANCELLED && build->state.phase == BUILD_WAITING) {
		struct run *again = NULL;

		/* The job has the build in that place, or another one. */
		for (int s = 0; s < SLOTS && !again; s++)
			for (int c = 0; c < sim.jobs[other].columns && !again; c++)
				if (sim.jobs[other].build[s][c] == run->build)
					again = add_run(other, s, c, 1, true);
		must(again != NULL);
		sim.made_again++;
		queue(again);
	}
	if (build_settled(&build->state))
		settle(run->build);
}

static void run_change(struct run *run, const struct run_event *event)
{
	if (!run_apply(&run->state, event))
		return;
	for (int twice = 0; twice < 2; twice++)
		if (run_act(&run->state) & RUN_ACT_RELEASE) {
			sim.busy[run->board] = 0;
			schedule_board_idle(sim.schedule, (int)run->board, true);
			run->board = -1;
			run_released(&run->state);
		}
	if (!run->makes && run->state.phase == RUN_DONE) {
		struct open_tally *tally = &sim.jobs[run->job].tally[run->slot][run->column];
		unsigned rate = (unsigned)(sim.jobs[run->job].rate[run->column] * 1000);

		must(!run->counted);
		run->counted = true;
		tally->told++;
		tally->bad += chance(rate);
	}
	if (run->makes)
		follow(run);
	notice(run);
}

/* ---- Jobs ---- */

static void job_insert(void)
{
	int j = sim.jobs_made++;
	struct job *job = &sim.jobs[j];

	job->columns = 2 + (int)random_below(COLUMNS - 1);
	job->first_rounds = 1 + (int)random_below(3);
	job->deciding = true;
	for (int c = 0; c < job->columns; c++)
		job->rate[c] = chance(300) ? 1 : chance(400) ? 0.4 : 0;
	for (int s = 0; s < SLOTS; s++)
		for (int c = 0; c < job->columns; c++) {
			int b = (int)random_below(sim.builds_count);
			struct build *build = &sim.builds[b];

			/* A slot has each build once. */
			for (int k = 0; k < c; k++)
				while (job->build[s][k] == b) {
					b = (int)random_below(sim.builds_count);
					build = &sim.builds[b];
					k = 0;
				}
			job->build[s][c] = b;
			if (build_want(&build->state) ||
			    (build->state.phase == BUILD_WAITING && build->makers == 0))
				queue(add_run(j, s, c, 1, true));
		}
	for (int round = 1; round <= job->first_rounds; round++)
		for (int s = 0; s < SLOTS; s++)
			for (int c = 0; c < job->columns; c++)
				add_run(j, s, c, round, false)->state.waiting = true;
	for (int s = 0; s < SLOTS; s++)
		for (int c = 0; c < job->columns; c++)
			settle(job->build[s][c]);
	if (sim.jobs_made < sim.jobs_count)
		at((int64_t)random_below(600) * SECOND, EV_ARRIVE, 0, 0);
}

static void job_cancel(void)
{
	struct job *job;
	int j = (int)random_below((uint64_t)sim.jobs_made);
	const struct run_event cancel = {.kind = RUN_EV_CANCEL, .now = sim.now};
	size_t count = sim.runs_count;

	job = &sim.jobs[j];
	if (job->done || job->cancelled || !chance(400))
		return;
	job->cancelled = true;
	job->deciding = false;
	for (int builds = 0; builds < 2; builds++)
		for (size_t i = 0; i < count; i++) {
			struct run *r = sim.runs[i];
			int other;

			if (r->job != j || r->makes != (builds == 1) || run_ended(&r->state))
				continue;
			other = builds ? other_job(r->build, j) : -1;
			if (other < 0) {
				run_change(r, &cancel);
				continue;
			}
			r->job = other; /* it goes over to who waits */
			sim.adopted++;
		}
}

/* ---- Rounds ---- */

struct slot_state {
	int last;
	bool open;
};

static struct slot_state slot_state(int job, int slot)
{
	struct slot_state state = {0};

	for (size_t i = 0; i < sim.runs_count; i++) {
		const struct run *r = sim.runs[i];

		if (r->job != job || r->slot != slot || r->makes)
			continue;
		state.last = r->round > state.last ? r->round : state.last;
		state.open |= !run_ended(&r->state);
	}
	return state;
}

/* Make the round behind follows; nothing when it is there already. */
static int round_make(int j, int slot, int follows, const bool *columns)
{
	struct slot_state state = slot_state(j, slot);
	int made = 0;

	if (state.open || state.last != follows)
		return 0;
	for (int c = 0; c < sim.jobs[j].columns; c++)
		if (columns[c] &&
		    sim.builds[sim.jobs[j].build[slot][c]].state.phase == BUILD_COMPLETE) {
			queue(add_run(j, slot, c, follows + 1, false));
			made++;
		}
	sim.rounds += made > 0;
	return made;
}

static void job_decide(int j)
{
	struct job *job = &sim.jobs[j];
	bool asked[COLUMNS] = {false, true, true, true}, row, columns[COLUMNS];
	int made = 0, busy = 0;

	for (int s = 0; s < SLOTS && job->deciding; s++) {
		const struct open_row tally = {.test = "t", .tally = job->tally[s]};
		const struct open_view view = {.rows = &tally,
		                               .rows_count = 1,
		                               .columns = (size_t)job->columns,
		                               .asked = asked};
		struct slot_state state = slot_state(j, s);

		busy += state.open;
		if (state.open || state.last >= ROUNDS || !study_open(&view, &row, NULL, columns))
			continue;
		made += round_make(j, s, state.last, columns);
		sim.twice +=
			round_make(j, s, state.last, columns); /* who decides again makes nothing */
	}
	if (made == 0 && busy == 0)
		job->deciding = false;
	for (size_t i = 0; i < sim.runs_count; i++)
		if (sim.runs[i]->job == j && !run_ended(&sim.runs[i]->state))
			return;
	job->done = !job->deciding;
}

/* ---- The loop ---- */

static void lease(int64_t id, int b)
{
	struct run *run = sim.runs[id - 1];
	const struct run_event event = {.kind = RUN_EV_LEASE, .now = sim.now, .fence = ++sim.fence};

	if (!run_apply(&run->state,
	               &event)) { /* the index is a hint: a cancelled one may stand in it */
		must(run_ended(&run->state));
		schedule_board_idle(sim.schedule, b, true);
		return;
	}
	must(run->makes == (b < BUILDERS));
	must(run->makes || sim.builds[run->build].state.phase == BUILD_COMPLETE);
	must(run->makes || b >= BUILDERS + run->slot * BOARDS);
	must(sim.busy[b] == 0);
	run->board = b;
	sim.busy[b] = id;
	at((1 + (int64_t)random_below(run->makes ? 300 : 60)) * SECOND, EV_END, id, sim.fence);
	if (run->makes)
		follow(run);
}

static void end(const struct event *e)
{
	struct run *run = sim.runs[e->run - 1];
	struct run_event event = {.kind = RUN_EV_ENDED, .now = sim.now, .fence = e->fence};

	event.outcome = run->state.cancelling ? RUN_OUTCOME_CANCELLED
	                : chance(60)          ? RUN_OUTCOME_FAULT
	                                      : RUN_OUTCOME_COMPLETE;
	sim.faults += event.outcome == RUN_OUTCOME_FAULT;
	run_change(run, &event);
	run_change(run, &event); /* read twice from the journal: once is enough */
}

static bool all_done(void)
{
	for (int j = 0; j < sim.jobs_count; j++)
		if (!sim.jobs[j].done)
			return false;
	return true;
}

static void pass(void)
{
	int64_t id;
	int b;

	while (sim.decide) {
		sim.decide = false;
		for (int j = 0; j < sim.jobs_made; j++)
			if (!sim.jobs[j].done)
				job_decide(j);
	}
	while (schedule_pick(sim.schedule, sim.now, &id, &b))
		lease(id, b);
}

/* The next thing that happens: an event, or a run's back-off is over. */
static void step(void)
{
	struct event *e = heap_top(&sim.events);
	int64_t due = schedule_due(sim.schedule);

	must(e || due != INT64_MAX);
	if (!e || due < e->at) {
		sim.now = due > sim.now ? due : sim.now;
		return;
	}
	heap_remove(&sim.events, e);
	sim.now = e->at;
	if (e->kind == EV_END)
		end(e);
	else if (e->kind == EV_ARRIVE)
		job_insert();
	else if (e->kind == EV_RESTART)
		restart();
	else
		job_cancel();
	if (e->kind == EV_CANCEL || e->kind == EV_RESTART)
		at((int64_t)random_below(e->kind == EV_CANCEL ? 120 : 2000) * SECOND, e->kind, 0,
		   0);
	free(e);
}

static void check_end(void)
{
	must(sim.twice == 0);
	for (size_t i = 0; i < sim.runs_count; i++) {
		const struct run *r = sim.runs[i];

		must(run_ended(&r->state));
		must(!(r->counted && r->makes));
		/* A round has each column once. */
		for (size_t k = i + 1; k < sim.runs_count && !r->makes; k++)
			must(sim.runs[k]->makes || sim.runs[k]->job != r->job ||
			     sim.runs[k]->slot != r->slot || sim.runs[k]->column != r->column ||
			     sim.runs[k]->round != r->round);
	}
	for (size_t b = 0; b < sim.builds_count; b++)
		must(sim.builds[b].makers == 0);
	for (int b = 0; b < BUILDERS + SLOTS * BOARDS; b++)
		must(sim.busy[b] == 0);
}

static void simulate(uint64_t seed, int jobs)
{
	int64_t began = time_mono_us(), steps = 0;

	(void)memset(&sim, 0, sizeof(sim));
	sim.seed = seed;
	sim.random = seed * 2 + 1;
	sim.now = HOUR;
	sim.jobs_count = jobs;
	sim.jobs = xcalloc((size_t)jobs, sizeof(*sim.jobs));
	sim.builds_count = (size_t)(jobs * SLOTS * COLUMNS / RECIPES + COLUMNS + 1);
	sim.builds = xcalloc(sim.builds_count, sizeof(*sim.builds));
	for (size_t b = 0; b < sim.builds_count; b++)
		sim.builds[b].wrong = chance(150);
	heap_init(&sim.events, offsetof(struct event, place), before);
	restart();
	job_insert();
	at(SECOND, EV_CANCEL, 0, 0);
	at(SECOND, EV_RESTART, 0, 0);
	while (!all_done()) {
		step();
		pass();
		must(++steps < 3000000);
	}
	check_end();
	(void)printf("seed %" PRIu64 ": %d jobs, %zu runs, %" PRId64 " rounds added, %" PRId64
	             " adopted, %" PRId64 " made again, %" PRId64 " unbuilt, %" PRId64
	             " faults, %" PRId64 " restarts in %" PRId64 " ms\n",
	             seed, jobs, sim.runs_count, sim.rounds, sim.adopted, sim.made_again,
	             sim.unbuilt, sim.faults, sim.restarts, (time_mono_us() - began) / 1000);
	for (struct event *e; (e = heap_top(&sim.events));) {
		heap_remove(&sim.events, e);
		free(e);
	}
	heap_release(&sim.events);
	for (size_t i = 0; i < sim.runs_count; i++)
		free(sim.runs[i]);
	free(sim.runs);
	free(sim.jobs);
	free(sim.builds);
	schedule_free(sim.schedule);
}

int main(int argc, char **argv)
{
	uint64_t seed = (uint64_t)time_wall_us();
	int jobs = 60, rounds = 20, opt;

	while ((opt = getopt(argc, argv, "s:j:n:")) != -1) {
		if (opt == 's')
			seed = strtoull(optarg, NULL, 10);
		else if (opt == 'j')
			jobs = (int)strtol(optarg, NULL, 10);
		else if (opt == 'n')
			rounds = (int)strtol(optarg, NULL, 10);
		else
			return 2;
	}
	for (int i = 0; i < rounds; i++)
		simulate(seed + (uint64_t)i, jobs);
	return 0;
}
