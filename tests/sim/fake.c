/* The farm's surroundings: random numbers, boards, cohort-board processes. */
#include "tests/sim/sim.h"

#include "common/xalloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS 1000LL

uint64_t sim_random(struct sim *sim, uint64_t below)
{
	/* xorshift64*: the same numbers on each machine. */
	sim->random ^= sim->random >> 12;
	sim->random ^= sim->random << 25;
	sim->random ^= sim->random >> 27;
	return (sim->random * 0x2545f4914f6cdd1dULL >> 16) % below;
}

bool sim_chance(struct sim *sim, unsigned per_mille)
{
	return sim_random(sim, 1000) < per_mille;
}

void sim_at(struct sim *sim, int64_t delay, enum sim_kind kind, int board)
{
	struct sim_event *e = xcalloc(1, sizeof(*e));

	*e = (struct sim_event){.at = sim->now + delay,
	                        .order = sim->order++,
	                        .kind = kind,
	                        .board = board,
	                        .life = board >= 0 ? sim->boards[board].life : 0};
	heap_push(&sim->events, e);
}

static bool event_before(const void *a, const void *b)
{
	const struct sim_event *x = a, *y = b;

	return x->at != y->at ? x->at < y->at : x->order < y->order;
}

/* Boards first … first + count - 1, as the store has them. */
static void set_add(struct sim *sim, int first, int count)
{
	size_t room = (size_t)count * 12 + 3, used = 1;
	char *text = xcalloc(1, room);

	text[0] = '[';
	for (int i = 0; i < count; i++)
		used += (size_t)snprintf(text + used, room - used, "%s\"b%d\"", i ? "," : "",
		                         first + i);
	text[used] = ']';
	sim->set_first[sim->sets_count] = first;
	sim->set_count[sim->sets_count] = count;
	sim->sets[sim->sets_count++] = text;
}

static void sets_make(struct sim *sim)
{
	int n = sim->boards_count, most = n + 8;

	sim->sets = xcalloc((size_t)most, sizeof(*sim->sets));
	sim->set_first = xcalloc((size_t)most, sizeof(*sim->set_first));
	sim->set_count = xcalloc((size_t)most, sizeof(*sim->set_count));
	set_add(sim, 0, n);
	for (int i = 0; i < 3; i++)
		if (n >= 3)
			set_add(sim, n / 3 * i, n / 3);
	for (int i = 0; i<n; i += n> 100 ? 7 : 1)
		set_add(sim, i, 1);
}

void sim_make(struct sim *sim, int boards, int64_t runs)
{
	heap_init(&sim->events, offsetof(struct sim_event, place), event_before);
	sim->boards_count = boards;
	sim->runs_count = runs;
	sim->boards = xcalloc((size_t)boards, sizeof(*sim->boards));
	sim->runs = xcalloc((size_t)runs, sizeof(*sim->runs));
	sets_make(sim);
	for (int b = 0; b < boards; b++)
		(void)snprintf(sim->boards[b].name, sizeof(sim->boards[b].name), "b%d", b);
	for (int64_t i = 0; i < runs; i++) {
		struct sim_run *r = &sim->runs[i];
		/* Half of the runs fit many boards, the others one. */
		int set = sim_chance(sim, 500) ? (int)sim_random(sim, sim->sets_count < 4 ? 1 : 4)
		                               : (int)sim_random(sim, (uint64_t)sim->sets_count);

		r->id = i + 1;
		r->priority = (int64_t)sim_random(sim, 5) - 2;
		r->set = set;
		r->boards = sim->sets[set];
		r->tests = 1 + (int)sim_random(sim, TESTS_MAX);
		r->board = -1;
		r->state.max_attempts = 1 + (int64_t)sim_random(sim, 4);
	}
}

void sim_free(struct sim *sim)
{
	for (struct sim_event *e; (e = heap_top(&sim->events));) {
		heap_remove(&sim->events, e);
		free(e);
	}
	heap_release(&sim->events);
	for (int i = 0; i < sim->sets_count; i++)
		free(sim->sets[i]);
	schedule_free(sim->schedule);
	free(sim->sets);
	free(sim->set_first);
	free(sim->set_count);
	free(sim->boards);
	free(sim->runs);
}

/* ---- cohort-board ---- */

void fake_spawn(struct sim *sim, int b)
{
	struct sim_board *board = &sim->boards[b];

	board->life++;
	board->process = true;
	board->working = board->cancel = false;
	sim_at(sim, (int64_t)sim_random(sim, 50) * MS, SIM_HELLO, b);
	if (sim_chance(sim, 20))
		sim_at(sim, (int64_t)sim_random(sim, 60000) * MS, SIM_DEATH, b);
}

void fake_death(struct sim *sim, int b)
{
	sim->boards[b].process = sim->boards[b].working = false;
	sim->boards[b].life++;
}

/* The `run` op. It may come again: the journal says how far the attempt is. */
void fake_run_op(struct sim *sim, int b)
{
	struct sim_board *board = &sim->boards[b];
	struct sim_journal *j = &board->journal;

	if (board->working)
		return;
	if (j->run != board->lease.run || j->attempt != board->lease.attempt) {
		board->old = *j;
		*j = (struct sim_journal){.run = board->lease.run,
		                          .attempt = board->lease.attempt,
		                          .fence = board->lease.fence};
	}
	board->working = true;
	sim_at(sim, 1 + (int64_t)sim_random(sim, 2000) * MS, SIM_STEP, b);
}

static void fake_end(struct sim *sim, int b, enum run_outcome outcome)
{
	struct sim_board *board = &sim->boards[b];

	board->journal.ended = true;
	board->journal.outcome = outcome;
	board->working = false;
	/* The hint may be there twice, or late. */
	sim_at(sim, 0, SIM_HINT, b);
	if (sim_chance(sim, 50))
		sim_at(sim, 0, SIM_HINT, b);
	if (sim_chance(sim, 50))
		sim_at(sim, (int64_t)sim_random(sim, 100000) * MS, SIM_STALE, b);
}

void fake_step(struct sim *sim, int b)
{
	struct sim_board *board = &sim->boards[b];
	struct sim_journal *j = &board->journal;
	int tests = sim->runs[j->run - 1].tests;

	if (!board->working)
		return;
	if (j->ended) {
		sim_at(sim, 0, SIM_HINT, b);
		board->working = false;
	} else if (board->cancel) {
		fake_end(sim, b, RUN_OUTCOME_CANCELLED);
	} else if (board->lost || sim_chance(sim, 15)) {
		fake_end(sim, b, RUN_OUTCOME_FAULT);
	} else if ((int)j->count == tests || sim_chance(sim, 5)) {
		fake_end(sim, b,
		         RUN_OUTCOME_COMPLETE); /* now and then with tests that are missing */
	} else {
		j->tests[j->count] = (int)j->count;
		j->count++;
		if (sim_chance(sim, 900))
			sim_at(sim, 0, SIM_HINT, b);
		sim_at(sim, 1 + (int64_t)sim_random(sim, sim_chance(sim, 10) ? 200000 : 2000) * MS,
		       SIM_STEP, b);
	}
}
