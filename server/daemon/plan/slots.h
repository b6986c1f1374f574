/* slots.h - the selector of a job, matched with the farm's boards: one slot gets one run of each build. */
#pragma once
#include "server/daemon/plan/plan.h"

struct slot {
	const char *cache, *kind;
	const struct plan_board **boards; /* owned array: the boards that fit; at least one */
	size_t count;
};

struct slots {
	struct slot *list; /* by class, kind, and then board */
	size_t count;
};

/* Fill *slots; complains when a named board is not there, or nothing is left. The caller releases it. */
void slots_match(struct slots *slots, const struct submission *s, const struct plan_world *world,
                 struct jx_errors *errors);
void slots_release(struct slots *slots);
