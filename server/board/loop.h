/* loop.h - one thread that waits for file descriptors and deadlines.
 *
 * Watches and timers are members of their owners and are registered once; a watch with fd -1 and a timer with
 * at_us 0 are asleep. The loop reads the clocks once a round: nobody below it reads one. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOOP_MAX 24 /* watches, and timers */

struct loop_watch {
	int fd;       /* borrowed; -1: asleep */
	short events; /* POLLIN, POLLOUT */
	void (*fn)(void *arg, short revents);
	void *arg;
};

struct loop_timer {
	int64_t at_us; /* monotonic; 0: asleep. Put to sleep before fn is called. */
	void (*fn)(void *arg);
	void *arg;
};

struct loop {
	int64_t mono_us, wall_us; /* this round's time */
	struct loop_watch *watch[LOOP_MAX];
	struct loop_timer *timer[LOOP_MAX];
	size_t watches, timers;
	bool stop, again;         /* again: the next round does not wait */
	void (*after)(void *arg); /* called at the end of each round */
	void *after_arg;
};

void loop_init(struct loop *l);
void loop_add_watch(struct loop *l, struct loop_watch *w);
void loop_add_timer(struct loop *l, struct loop_timer *t);

/* Take a watch or timer out again (its owner goes away). */
void loop_del_watch(struct loop *l, const struct loop_watch *w);
void loop_del_timer(struct loop *l, const struct loop_timer *t);

/* Let the timer fire in_us from this round's time on. */
void loop_arm(const struct loop *l, struct loop_timer *t, int64_t in_us);

/* One round: wait, call what is due, call after. */
void loop_round(struct loop *l);

/* Rounds until stop is set. */
void loop_run(struct loop *l);
