/* schedule.h - which run goes onto which board next: priority first, then age.
 *
 * An index in memory of the queued runs by the set of boards that fit them. It is only a hint: the lease
 * transaction looks again in the store, so a run that was cancelled meanwhile does no harm here.
 * A decision costs about the number of board sets that changed, not runs times boards. Not locked. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct schedule; /* opaque */

struct schedule *schedule_new(void);
void schedule_free(struct schedule *s);

/* The number of the board of that name; made on first use. It is not idle then. */
int schedule_board(struct schedule *s, const char *name);
const char *schedule_board_name(const struct schedule *s, int board);
void schedule_board_idle(struct schedule *s, int board, bool idle);

struct schedule_run {
	int64_t id, priority;
	int64_t not_before, expires;
	const char *
		boards; /* as the store has it: a JSON array of names; the same text is read once */
};

/* A run waits. One that waits already is left as it is. */
void schedule_add(struct schedule *s, const struct schedule_run *run);
void schedule_remove(struct schedule *s, int64_t run);

/* The best run for which a fitting board is idle, and that board. Both are taken: the run waits no more, the
 * board is not idle. Of the idle boards, the one that the fewest other waiting sets want. False: none. */
bool schedule_pick(struct schedule *s, int64_t now, int64_t *run, int *board);

/* Take a run out that waited until its end. False: none. */
bool schedule_expired(struct schedule *s, int64_t now, int64_t *run);

/* When time alone changes something; INT64_MAX for never. */
int64_t schedule_due(const struct schedule *s);
size_t schedule_waiting(const struct schedule *s);
