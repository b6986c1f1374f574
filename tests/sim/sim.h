/* sim.h - a farm in simulated time. The decisions are the real ones (server/daemon/schedule/); around them stand a
 * store that forgets nothing, boards that break, and a cohortd that is killed and starts again from the store. */
#pragma once
#include "server/daemon/schedule/board.h"
#include "server/daemon/schedule/heap.h"
#include "server/daemon/schedule/run.h"
#include "server/daemon/schedule/schedule.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TESTS_MAX 6

/* The store: what is on disk. */
struct sim_run {
	struct run_state state;
	int64_t id, priority;
	const char *boards; /* of sim.sets */
	int set;
	int tests;
	int count[TESTS_MAX]; /* results of the last attempt, a test */
	int missing;
	int board; /* of the lease, or -1 */
};

struct sim_lease {
	int64_t run; /* 0: none */
	int64_t attempt, fence;
	size_t offset; /* journal entries that are in the store */
};

/* One attempt's journal on cohort-board's disk: which test finished, then how it ended. */
struct sim_journal {
	int64_t run, attempt, fence;
	int tests[TESTS_MAX];
	size_t count;
	bool ended;
	enum run_outcome outcome;
};

struct sim_board {
	char name[16];
	int64_t fence;           /* store */
	struct sim_lease lease;  /* store */
	struct board_state farm; /* cohortd's memory */
	int64_t timer;           /* when its timer is set for */

	struct sim_journal journal; /* cohort-board's disk */
	struct sim_journal old;     /* the one before: for events that come too late */
	bool process, working, lost, cancel;
	unsigned life; /* counts processes: events of a dead one are void */
};

enum sim_kind {
	SIM_HELLO,
	SIM_ANSWER, /* of a health check */
	SIM_STEP,   /* the board got on with its work */
	SIM_HINT,   /* cohortd looks into the journal */
	SIM_DEATH,  /* of cohort-board */
	SIM_LOST,
	SIM_FOUND,
	SIM_TIMER, /* a board's */
	SIM_STALE, /* an event of an older attempt */
	SIM_CANCEL,
	SIM_ARRIVE, /* runs are submitted */
	SIM_RESTART,
};

struct sim_event {
	int64_t at, order;
	enum sim_kind kind;
	int board;
	unsigned life;
	size_t place;
};

struct sim {
	uint64_t seed, random;
	int64_t now, order;
	struct heap events;
	struct schedule *schedule; /* cohortd's memory */
	struct sim_board *boards;
	int boards_count;
	struct sim_run *runs; /* id is index + 1 */
	int64_t runs_count, submitted, open;
	char **sets;
	int *set_first, *set_count; /* the boards of a set are neighbours */
	int sets_count;
	int64_t steps, leases, faults, restarts, stale, picks_checked;
};

/* fake.c */
uint64_t sim_random(struct sim *sim, uint64_t below);
bool sim_chance(struct sim *sim, unsigned per_mille);
void sim_at(struct sim *sim, int64_t delay, enum sim_kind kind, int board);
void sim_make(struct sim *sim, int boards, int64_t runs);
void sim_free(struct sim *sim);
void fake_spawn(struct sim *sim, int b);
void fake_run_op(struct sim *sim, int b);
void fake_step(struct sim *sim, int b);
void fake_death(struct sim *sim, int b);

/* check.c: ends the program with seed and reason when something is wrong. */
#define sim_assert(sim, cond) ((cond) ? (void)0 : sim_broken(sim, #cond, __FILE__, __LINE__))
_Noreturn void sim_broken(const struct sim *sim, const char *what, const char *file, int line);
void check_pick(struct sim *sim, int64_t id, int b);
void check_lease(const struct sim *sim, int b);
void check_run(const struct sim *sim, const struct sim_run *run);
void check_end(struct sim *sim);
