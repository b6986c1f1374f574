#include "server/board/loop.h"

#include "common/timeus.h"

#include <poll.h>
#include <stdlib.h>

static void loop_clock(struct loop *l)
{
	l->mono_us = time_mono_us();
	l->wall_us = time_wall_us();
}

void loop_init(struct loop *l)
{
	*l = (struct loop){0};
	loop_clock(l);
}

void loop_add_watch(struct loop *l, struct loop_watch *w)
{
	if (l->watches == LOOP_MAX)
		abort();
	l->watch[l->watches++] = w;
}

void loop_add_timer(struct loop *l, struct loop_timer *t)
{
	if (l->timers == LOOP_MAX)
		abort();
	l->timer[l->timers++] = t;
}

/* A hole is filled by the last one: rounds that are under way look at each place again. */
void loop_del_watch(struct loop *l, const struct loop_watch *w)
{
	for (size_t i = 0; i < l->watches; i++)
		if (l->watch[i] == w)
			l->watch[i] = l->watch[--l->watches];
}

void loop_del_timer(struct loop *l, const struct loop_timer *t)
{
	for (size_t i = 0; i < l->timers; i++)
		if (l->timer[i] == t)
			l->timer[i] = l->timer[--l->timers];
}

void loop_arm(const struct loop *l, struct loop_timer *t, int64_t in_us)
{
	t->at_us = l->mono_us + (in_us > 0 ? in_us : 0);
}

static int loop_wait_ms(const struct loop *l)
{
	int64_t first = INT64_MAX;

	if (l->again)
		return 0;
	for (size_t i = 0; i < l->timers; i++)
		if (l->timer[i]->at_us != 0 && l->timer[i]->at_us < first)
			first = l->timer[i]->at_us;
	return first == INT64_MAX ? -1 : time_left_ms(time_mono_us(), first);
}

static void loop_fds(struct loop *l)
{
	struct pollfd fds[LOOP_MAX];
	struct loop_watch *who[LOOP_MAX];
	nfds_t count = l->watches;
	int ready;

	for (nfds_t i = 0; i < count; i++) {
		who[i] = l->watch[i];
		fds[i] = (struct pollfd){.fd = who[i]->fd, .events = who[i]->events};
	}
	ready = poll(fds, count, loop_wait_ms(l));
	l->again = false;
	loop_clock(l);
	for (nfds_t i = 0; ready > 0 && i < count; i++) {
		bool there = false;

		for (size_t k = 0; k < l->watches; k++)
			there |= l->watch[k] == who[i];
		/* an earlier callback may have closed this one's file */
		if (there && fds[i].revents && who[i]->fd == fds[i].fd)
			who[i]->fn(who[i]->arg, fds[i].revents);
	}
}

static void loop_due(struct loop *l)
{
	for (size_t i = 0; i < l->timers; i++) {
		struct loop_timer *t = l->timer[i];

		if (t->at_us == 0 || t->at_us > l->mono_us)
			continue;
		t->at_us = 0;
		t->fn(t->arg);
	}
}

void loop_round(struct loop *l)
{
	loop_fds(l);
	loop_due(l);
	if (l->after)
		l->after(l->after_arg);
}

void loop_run(struct loop *l)
{
	while (!l->stop)
		loop_round(l);
}
