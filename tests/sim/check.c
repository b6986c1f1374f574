/* What must hold at each step, and at the end. */
#include "tests/sim/sim.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

_Noreturn void sim_broken(const struct sim *sim, const char *what, const char *file, int line)
{
	(void)fprintf(stderr, "%s:%d: not so: %s (simulated time %" PRId64 " us)\n", file, line,
	              what, sim->now);
	(void)fprintf(stderr, "again: farm_sim -b %d -r %" PRId64 " -s %" PRIu64 "\n",
	              sim->boards_count, sim->runs_count, sim->seed);
	exit(1);
}

static bool fits(const struct sim *sim, const struct sim_run *run, int board)
{
	int first = sim->set_first[run->set];

	return board >= first && board < first + sim->set_count[run->set];
}

static bool outranks(const struct sim_run *a, const struct sim_run *b)
{
	return a->priority != b->priority ? a->priority > b->priority : a->id < b->id;
}

/* Looks at every run, so only at some picks; tests/unit/schedule does at each, on a small farm. */
static void check_rank(struct sim *sim, const struct sim_run *run)
{
	sim->picks_checked++;
	for (int64_t i = 0; i < sim->submitted; i++) {
		const struct sim_run *other = &sim->runs[i];

		if (other->state.phase != RUN_QUEUED || !outranks(other, run) ||
		    other->state.not_before > sim->now || other->state.expires <= sim->now)
			continue;
		for (int b = 0; b < sim->boards_count; b++)
			sim_assert(sim, !(sim->boards[b].farm.phase == BOARD_IDLE &&
			                  sim->boards[b].lease.run == 0 && fits(sim, other, b)));
	}
}

void check_pick(struct sim *sim, int64_t id, int b)
{
	struct sim_run *run = &sim->runs[id - 1];

	sim_assert(sim, id >= 1 && id <= sim->submitted);
	sim_assert(sim, fits(sim, run, b));
	sim_assert(sim, sim->boards[b].lease.run == 0);
	sim_assert(sim, sim->boards[b].farm.phase == BOARD_IDLE);
	if (sim->boards_count <= 20 || sim->leases % 997 == 0)
		check_rank(sim, run);
}

void check_lease(const struct sim *sim, int b)
{
	const struct sim_board *board = &sim->boards[b];
	const struct sim_run *run;

	if (board->lease.run == 0)
		return;
	run = &sim->runs[board->lease.run - 1];
	sim_assert(sim, run->board == b);
	sim_assert(sim, run->state.phase == RUN_RUNNING);
	sim_assert(sim, run->state.fence == board->lease.fence);
	sim_assert(sim, run->state.attempt == board->lease.attempt);
	sim_assert(sim, board->lease.fence == board->fence);
}

void check_run(const struct sim *sim, const struct sim_run *run)
{
	int have = 0;

	sim_assert(sim, run->state.attempt <= run->state.max_attempts);
	sim_assert(sim, (run->state.phase == RUN_RUNNING) == (run->board >= 0));
	for (int i = 0; i < run->tests; i++) {
		sim_assert(sim, run->count[i] <= 1);
		have += run->count[i];
	}
	if (run->state.phase == RUN_DONE || run->state.phase == RUN_FAILED)
		sim_assert(sim, have + run->missing == run->tests);
}

void check_end(struct sim *sim)
{
	/* The index is a hint: a run that was cancelled stands in it until one of its boards is free or its time is up. */
	for (int64_t i = 0; i < sim->runs_count; i++)
		if (sim->runs[i].state.phase == RUN_CANCELLED)
			schedule_remove(sim->schedule, sim->runs[i].id);
	sim_assert(sim, schedule_waiting(sim->schedule) == 0);
	for (int64_t i = 0; i < sim->runs_count; i++) {
		sim_assert(sim, run_ended(&sim->runs[i].state));
		check_run(sim, &sim->runs[i]);
	}
	for (int b = 0; b < sim->boards_count; b++)
		sim_assert(sim, sim->boards[b].lease.run == 0);
}
