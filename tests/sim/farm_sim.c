/* farm_sim [-s SEED] [-b BOARDS] [-r RUNS] [-n ROUNDS] - the farm's decisions in simulated time. */
#include "tests/sim/sim.h"

#include "common/timeus.h"
#include "common/xalloc.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MS     1000LL
#define SECOND 1000000LL
#define HOUR   (3600 * SECOND)

/* ---- What cohortd does, as server/daemon/farm does it, over a store in memory ---- */

static void board_tell(struct sim *sim, int b, enum board_event_kind kind, bool good)
{
	struct sim_board *board = &sim->boards[b];
	const struct board_event event = {.kind = kind, .now = sim->now, .good = good};

	(void)board_apply(&board->farm, &event);
	schedule_board_idle(sim->schedule, b, board->farm.phase == BOARD_IDLE);
}

static void board_poke(struct sim *sim, int b)
{
	struct sim_board *board = &sim->boards[b];
	unsigned acts;
	int64_t due;

	while ((acts = board_act(&board->farm, sim->now)) != 0) {
		if (acts & BOARD_ACT_SPAWN) {
			fake_spawn(sim, b);
			board_tell(sim, b, BOARD_EV_SPAWNED, false);
		}
		if (acts & BOARD_ACT_CHECK) {
			board_tell(sim, b, BOARD_EV_CHECKED, false);
			if (sim_chance(sim, 970)) /* else the answer never comes */
				sim_at(sim, (int64_t)sim_random(sim, 300) * MS, SIM_ANSWER, b);
		}
	}
	due = board_due(&board->farm);
	if (due != INT64_MAX && due != board->timer) {
		board->timer = due;
		sim_at(sim, due > sim->now ? due - sim->now : 0, SIM_TIMER, b);
	}
}

static void run_wait(struct sim *sim, struct sim_run *run)
{
	const struct schedule_run waiting = {.id = run->id,
	                                     .priority = run->priority,
	                                     .not_before = run->state.not_before,
	                                     .expires = run->state.expires,
	                                     .boards = run->boards};

	schedule_add(sim->schedule, &waiting);
}

/* One transaction: an event of a run with all that run_act() wants of the store. */
static bool run_change(struct sim *sim, struct sim_run *run, const struct run_event *event)
{
	unsigned acts;

	if (!run_apply(&run->state, event))
		return false;
	for (int twice = 0; twice < 2; twice++) {
		acts = run_act(&run->state);
		if (acts & RUN_ACT_FILL) {
			run->missing = 0;
			for (int i = 0; i < run->tests; i++)
				run->missing += run->count[i] == 0;
		}
		if (acts & RUN_ACT_RELEASE) {
			sim->boards[run->board].lease = (struct sim_lease){0};
			run->board = -1;
			run_released(&run->state);
		}
	}
	if (run_ended(&run->state))
		sim->open--;
	else if (run->state.phase == RUN_QUEUED)
		run_wait(sim, run);
	return true;
}

static void run_lease(struct sim *sim, struct sim_run *run, int b)
{
	struct sim_board *board = &sim->boards[b];
	const struct run_event event = {
		.kind = RUN_EV_LEASE, .now = sim->now, .fence = board->fence + 1};

	/* The index is a hint: a run that was cancelled may still stand in it. */
	if (run->state.phase != RUN_QUEUED) {
		schedule_board_idle(sim->schedule, b, true);
		return;
	}
	check_pick(sim, run->id, b);
	sim_assert(sim, run_change(sim, run, &event));
	sim->leases++;
	board->fence++;
	board->lease = (struct sim_lease){
		.run = run->id, .attempt = run->state.attempt, .fence = board->fence};
	run->board = b;
	for (int i = 0; i < run->tests; i++)
		run->count[i] = 0;
	board_tell(sim, b, BOARD_EV_LEASED, false);
	fake_run_op(sim, b);
	check_lease(sim, b);
}

static void schedule_pass(struct sim *sim)
{
	const struct run_event late = {.kind = RUN_EV_TIME, .now = sim->now};
	int64_t id;
	int b;

	while (schedule_expired(sim->schedule, sim->now, &id)) {
		(void)run_change(sim, &sim->runs[id - 1], &late);
		check_run(sim, &sim->runs[id - 1]);
	}
	while (schedule_pick(sim->schedule, sim->now, &id, &b))
		run_lease(sim, &sim->runs[id - 1], b);
}

/* An `ended` from some journal: only the lease's own fence may do something. */
static void attempt_ended(struct sim *sim, int b, const struct sim_journal *j)
{
	struct sim_run *run = &sim->runs[j->run - 1];
	const struct run_event event = {
		.kind = RUN_EV_ENDED, .now = sim->now, .fence = j->fence, .outcome = j->outcome};

	if (!run_change(sim, run, &event))
		return;
	sim->faults += j->outcome == RUN_OUTCOME_FAULT;
	check_run(sim, run);
	board_tell(sim, b, BOARD_EV_RELEASED, j->outcome != RUN_OUTCOME_FAULT);
	board_poke(sim, b);
}

/* Follow the journal: results and offset in one transaction. */
static void journal_follow(struct sim *sim, int b)
{
	struct sim_board *board = &sim->boards[b];
	struct sim_journal *j = &board->journal;
	struct sim_run *run;

	if (board->lease.run == 0 || j->run != board->lease.run || j->fence != board->lease.fence)
		return;
	run = &sim->runs[j->run - 1];
	while (board->lease.offset < j->count)
		run->count[j->tests[board->lease.offset++]]++;
	check_run(sim, run);
	check_lease(sim, b);
	if (j->ended) {
		attempt_ended(sim, b, j);
		attempt_ended(sim, b, j); /* a duplicate does nothing */
	}
}

static void stale_event(struct sim *sim, int b)
{
	struct sim_journal *old = &sim->boards[b].old;
	const struct run_event event = {.kind = RUN_EV_ENDED, .now = sim->now, .fence = old->fence};

	if (old->run == 0 || old->fence >= sim->boards[b].fence)
		return;
	/* Its run may be leased again, here with a newer fence, or on another board with any. */
	if (sim->runs[old->run - 1].board != b && sim->runs[old->run - 1].board >= 0)
		return;
	sim->stale++;
	sim_assert(sim, !run_apply(&sim->runs[old->run - 1].state, &event));
}

static void runs_submit(struct sim *sim, int64_t count)
{
	for (; count > 0 && sim->submitted < sim->runs_count; count--) {
		struct sim_run *run = &sim->runs[sim->submitted++];

		run->state.expires = sim->now + (sim_chance(sim, 3) ? 60 * SECOND : 2000 * HOUR);
		sim->open++;
		run_wait(sim, run);
	}
	if (sim->submitted < sim->runs_count)
		sim_at(sim, (int64_t)sim_random(sim, 20) * SECOND, SIM_ARRIVE, -1);
}

static void run_cancel(struct sim *sim)
{
	struct sim_run *run = &sim->runs[sim_random(sim, (uint64_t)sim->submitted)];
	const struct run_event event = {.kind = RUN_EV_CANCEL, .now = sim->now};

	if (run_change(sim, run, &event) && run->board >= 0 &&
	    (run_act(&run->state) & RUN_ACT_CANCEL))
		sim->boards[run->board].cancel = true;
	if (sim->open > 0 || sim->submitted < sim->runs_count)
		sim_at(sim, (int64_t)sim_random(sim, 40) * SECOND, SIM_CANCEL, -1);
}

/* kill -9 cohortd: its memory is gone, every cohort-board sees EOF and goes; what is leased goes on. */
static void farm_start(struct sim *sim)
{
	schedule_free(sim->schedule);
	sim->schedule = schedule_new();
	for (int b = 0; b < sim->boards_count; b++) {
		struct sim_board *board = &sim->boards[b];

		fake_death(sim, b);
		board->timer = 0;
		board_init(&board->farm, b % 2 == 0, false, board->lease.run != 0);
		sim_assert(sim, schedule_board(sim->schedule, board->name) == b);
		board_poke(sim, b);
	}
	for (int64_t i = 0; i < sim->submitted; i++)
		if (sim->runs[i].state.phase == RUN_QUEUED)
			run_wait(sim, &sim->runs[i]);
	sim->restarts++;
	if (sim->restarts < 20)
		sim_at(sim, (int64_t)sim_random(sim, 90) * SECOND, SIM_RESTART, -1);
}

static void hello(struct sim *sim, int b)
{
	struct sim_board *board = &sim->boards[b];

	board_tell(sim, b, BOARD_EV_HELLO, false);
	if (board->lease.run == 0)
		return;
	/* A lease that it holds: the attempt goes on, whoever died. */
	journal_follow(sim, b);
	if (board->lease.run == 0)
		return;
	fake_run_op(sim, b);
	if (run_act(&sim->runs[board->lease.run - 1].state) & RUN_ACT_CANCEL)
		board->cancel = true;
}

static void board_lost(struct sim *sim, int b)
{
	sim->boards[b].lost = true;
	if (sim->boards[b].process)
		board_tell(sim, b, BOARD_EV_UNREACHABLE, false);
	sim_at(sim, (int64_t)sim_random(sim, 900) * SECOND, SIM_FOUND, b);
}

/* ---- The loop ---- */

static void board_event(struct sim *sim, const struct sim_event *e)
{
	struct sim_board *board = &sim->boards[e->board];
	int b = e->board;

	if (e->kind == SIM_HELLO) {
		hello(sim, b);
	} else if (e->kind == SIM_ANSWER) {
		board_tell(sim, b, board->lost ? BOARD_EV_UNREACHABLE : BOARD_EV_REACHABLE, false);
	} else if (e->kind == SIM_STEP) {
		fake_step(sim, b);
	} else {
		fake_death(sim, b);
		board_tell(sim, b, BOARD_EV_DIED, false);
	}
}

static void event_run(struct sim *sim, const struct sim_event *e)
{
	switch (e->kind) {
	case SIM_HELLO:
	case SIM_ANSWER:
	case SIM_STEP:
	case SIM_DEATH:
		/* Of a process that is no more: nobody hears it. */
		if (e->life == sim->boards[e->board].life)
			board_event(sim, e);
		break;
	case SIM_HINT:
		journal_follow(sim, e->board);
		break;
	case SIM_TIMER:
		board_tell(sim, e->board, BOARD_EV_TIME, false);
		break;
	case SIM_STALE:
		stale_event(sim, e->board);
		break;
	case SIM_LOST:
		board_lost(sim, e->board);
		break;
	case SIM_FOUND:
		sim->boards[e->board].lost = false;
		break;
	case SIM_CANCEL:
		run_cancel(sim);
		break;
	case SIM_ARRIVE:
		runs_submit(sim,
		            1 + (int64_t)sim_random(sim, (uint64_t)(sim->runs_count / 50 + 1)));
		break;
	case SIM_RESTART:
		farm_start(sim);
		break;
	}
	if (e->board >= 0)
		board_poke(sim, e->board);
}

static void sim_run(struct sim *sim)
{
	struct sim_event *e;

	sim->now = HOUR;
	farm_start(sim);
	runs_submit(sim, sim->runs_count / 2 + 1);
	sim_at(sim, SECOND, SIM_CANCEL, -1);
	for (int b = 0; b < sim->boards_count; b += 3)
		sim_at(sim, (int64_t)sim_random(sim, 3600) * SECOND, SIM_LOST, b);
	while ((sim->open > 0 || sim->submitted < sim->runs_count) &&
	       (e = heap_top(&sim->events))) {
		heap_remove(&sim->events, e);
		sim->now = e->at;
		sim->steps++;
		event_run(sim, e);
		free(e);
		schedule_pass(sim);
		sim_assert(sim, sim->steps < 200 * sim->runs_count + 1000000);
	}
	schedule_pass(sim);
	/* A board that nobody asked again would have let its runs wait until their 2000 hours ended. */
	sim_assert(sim, sim->now < 100 * HOUR);
	check_end(sim);
}

static void round_run(uint64_t seed, int boards, int64_t runs)
{
	struct sim sim = {.seed = seed, .random = seed * 2 + 1};
	int64_t before = time_mono_us();

	sim_make(&sim, boards, runs);
	sim_run(&sim);
	(void)printf("seed %" PRIu64 ": %d boards, %" PRId64 " runs, %" PRId64 " leases, %" PRId64
	             " faults, %" PRId64 " restarts, %" PRId64 " stale events, %" PRId64
	             " ranks checked, %" PRId64 " steps, %" PRId64 " simulated s in %" PRId64
	             " ms\n",
	             seed, boards, runs, sim.leases, sim.faults, sim.restarts, sim.stale,
	             sim.picks_checked, sim.steps, (int64_t)((sim.now - HOUR) / SECOND),
	             (int64_t)((time_mono_us() - before) / 1000));
	sim_free(&sim);
}

int main(int argc, char **argv)
{
	uint64_t seed = (uint64_t)time_wall_us();
	int64_t runs = 100000;
	int boards = 1000, rounds = 1, opt;

	while ((opt = getopt(argc, argv, "s:b:r:n:")) != -1) {
		if (opt == 's')
			seed = strtoull(optarg, NULL, 10);
		else if (opt == 'b')
			boards = (int)strtol(optarg, NULL, 10);
		else if (opt == 'r')
			runs = strtoll(optarg, NULL, 10);
		else if (opt == 'n')
			rounds = (int)strtol(optarg, NULL, 10);
		else
			return 2;
	}
	for (int i = 0; i < rounds; i++)
		round_run(seed + (uint64_t)i, boards, runs);
	return 0;
}
