/* build.h - the states of a kernel that the farm makes, pure as run.h is (docs/STATES.md, "Build"). */
#pragma once
#include "server/daemon/schedule/run.h"

enum build_phase {
	BUILD_WAITING, /* its build run is queued */
	BUILD_BUILDING,
	BUILD_COMPLETE,
	BUILD_FAILED,
};

struct build_state {
	enum build_phase phase;
	bool farm; /* failed for the farm's reasons: nothing is known about the recipe */
};

/* What its build run left behind when it was done. */
enum build_made {
	BUILD_MADE_NOTHING, /* steps did not get to their end: the farm's */
	BUILD_MADE_FAILURE, /* a step failed: the recipe's */
	BUILD_MADE_KERNEL,
};

/* A study needs it. True when it is to be made (again): then its state is waiting. */
bool build_want(struct build_state *build);

/* Its build run is now in that phase; made counts with RUN_DONE only. others: somebody else waits for it, who is not
 * cancelled. True when its state changed. When it is waiting again behind RUN_CANCELLED, it needs another build run. */
bool build_follow(struct build_state *build, enum run_phase run, enum build_made made, bool others);

/* Nothing more will come. */
bool build_settled(const struct build_state *build);

/* May a run of that round start? own: its build's state; the first round starts as soon as its own kernel is there, the
 * later ones when each kernel of the slot is settled, so that columns take turns. */
bool build_lets_run(const struct build_state *own, int64_t round, bool slot_settled);

/* "waiting" … as in the store. */
const char *build_phase_name(enum build_phase phase);
bool build_phase_parse(const char *name, enum build_phase *phase);
