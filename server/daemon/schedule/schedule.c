/* Runs that fit the same boards stand in one group, with a heap of their own. A group is `hot` when it may have
 * a run for an idle board: a run came, or one of its boards became idle. A decision takes the best hot group
 * and either finds it an idle board or cools it down, so each change is looked at once. */
#include "server/daemon/schedule/schedule.h"

#include "common/scoped.h"
#include "common/xalloc.h"
#include "server/daemon/schedule/heap.h"
#include "server/daemon/schedule/table.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct group {
	char *text; /* owned: the boards as JSON; the key */
	uint64_t key;
	uint64_t *bits; /* owned: a bit a board */
	size_t words;
	struct heap ready; /* of waiting: may start now */
	size_t waiting;
	size_t hot_place;
};

struct waiting {
	int64_t id, priority, not_before, expires;
	struct group *group;
	size_t ready_place, delay_place, expiry_place;
};

struct seat {
	char *name; /* owned */
	struct group **groups;
	size_t groups_count, groups_room;
};

struct schedule {
	struct seat *seats;
	size_t seats_count, seats_room;
	uint64_t *idle; /* a bit a seat */
	size_t words;
	struct table seat_by_name, group_by_text, run_by_id;
	struct heap hot, delayed, expiry;
};

static bool run_before(const void *a, const void *b)
{
	const struct waiting *x = a, *y = b;

	return x->priority != y->priority ? x->priority > y->priority : x->id < y->id;
}

static bool group_before(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	return run_before(heap_top(&x->ready), heap_top(&y->ready));
}

static bool delay_before(const void *a, const void *b)
{
	return ((const struct waiting *)a)->not_before < ((const struct waiting *)b)->not_before;
}

static bool expiry_before(const void *a, const void *b)
{
	return ((const struct waiting *)a)->expires < ((const struct waiting *)b)->expires;
}

struct schedule *schedule_new(void)
{
	struct schedule *s = xcalloc(1, sizeof(*s));

	heap_init(&s->hot, offsetof(struct group, hot_place), group_before);
	heap_init(&s->delayed, offsetof(struct waiting, delay_place), delay_before);
	heap_init(&s->expiry, offsetof(struct waiting, expiry_place), expiry_before);
	return s;
}

static void group_free(struct group *g)
{
	heap_release(&g->ready);
	free(g->text);
	free(g->bits);
	free(g);
}

void schedule_free(struct schedule *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->run_by_id.size; i++)
		free(s->run_by_id.slots[i].value);
	for (size_t i = 0; i < s->group_by_text.size; i++)
		if (s->group_by_text.slots[i].value)
			group_free(s->group_by_text.slots[i].value);
	for (size_t i = 0; i < s->seats_count; i++) {
		free(s->seats[i].name);
		free(s->seats[i].groups);
	}
	table_release(&s->run_by_id);
	table_release(&s->group_by_text);
	table_release(&s->seat_by_name);
	heap_release(&s->hot);
	heap_release(&s->delayed);
	heap_release(&s->expiry);
	free(s->seats);
	free(s->idle);
	free(s);
}

static void bit_set(uint64_t *bits, int i, bool on)
{
	uint64_t bit = 1ULL << (i % 64);

	if (on)
		bits[i / 64] |= bit;
	else
		bits[i / 64] &= ~bit;
}

/* ---- Boards ---- */

static int seat_add(struct schedule *s, const char *name)
{
	if (s->seats_count == s->seats_room) {
		size_t words = s->seats_room ? s->words * 2 : 1;

		s->seats_room = words * 64;
		s->seats = xrealloc(s->seats, s->seats_room * sizeof(*s->seats));
		s->idle = xrealloc(s->idle, words * sizeof(*s->idle));
		(void)memset(s->idle + s->words, 0, (words - s->words) * sizeof(*s->idle));
		s->words = words;
	}
	s->seats[s->seats_count] = (struct seat){.name = xstrdup(name)};
	return (int)s->seats_count++;
}

int schedule_board(struct schedule *s, const char *name)
{
	uint64_t key = table_text_key(name);

	/* The table keeps number + 1 as a pointer's value; a key that another text has moves on by one. */
	for (;; key++) {
		uintptr_t number = (uintptr_t)table_get(&s->seat_by_name, key);

		if (number == 0)
			break;
		if (strcmp(s->seats[number - 1].name, name) == 0)
			return (int)number - 1;
	}
	int board = seat_add(s, name);

	table_put(&s->seat_by_name, key,
	          (void *)((uintptr_t)board + 1)); // NOLINT(performance-no-int-to-ptr)
	return board;
}

const char *schedule_board_name(const struct schedule *s, int board)
{
	return s->seats[board].name;
}

void schedule_board_idle(struct schedule *s, int board, bool idle)
{
	struct seat *seat = &s->seats[board];

	bit_set(s->idle, board, idle);
	for (size_t i = 0; idle && i < seat->groups_count; i++) {
		struct group *g = seat->groups[i];

		if (g->hot_place == 0 && heap_top(&g->ready))
			heap_push(&s->hot, g);
	}
}

/* ---- Groups ---- */

static void seat_join(struct seat *seat, struct group *g)
{
	if (seat->groups_count == seat->groups_room) {
		seat->groups_room = seat->groups_room ? seat->groups_room * 2 : 4;
		seat->groups = xrealloc(seat->groups, seat->groups_room * sizeof(void *));
	}
	seat->groups[seat->groups_count++] = g;
}

static void seat_leave(struct seat *seat, const struct group *g)
{
	for (size_t i = 0; i < seat->groups_count; i++)
		if (seat->groups[i] == g) {
			seat->groups[i] = seat->groups[--seat->groups_count];
			return;
		}
}

static bool group_has(const struct group *g, size_t board)
{
	return board / 64 < g->words && (g->bits[board / 64] >> (board % 64) & 1);
}

static struct group *group_make(struct schedule *s, const char *text, uint64_t key)
{
	struct group *g = xcalloc(1, sizeof(*g));
	SCOPED_JSON names = json_loads(text, 0, NULL);
	json_t *name;
	size_t i;

	g->text = xstrdup(text);
	g->key = key;
	heap_init(&g->ready, offsetof(struct waiting, ready_place), run_before);
	json_array_foreach(names, i, name)
	{
		if (json_is_string(name))
			(void)schedule_board(s, json_string_value(name));
	}
	g->words = s->words;
	g->bits = xcalloc(g->words, sizeof(*g->bits));
	json_array_foreach(names, i, name)
	{
		int board = json_is_string(name) ? schedule_board(s, json_string_value(name)) : -1;

		if (board >= 0 && !group_has(g, (size_t)board)) {
			bit_set(g->bits, board, true);
			seat_join(&s->seats[board], g);
		}
	}
	table_put(&s->group_by_text, key, g);
	return g;
}

static struct group *group_get(struct schedule *s, const char *text)
{
	for (uint64_t key = table_text_key(text);; key++) {
		struct group *g = table_get(&s->group_by_text, key);

		if (!g)
			return group_make(s, text, key);
		if (strcmp(g->text, text) == 0)
			return g;
	}
}

static void group_drop(struct schedule *s, struct group *g)
{
	for (size_t w = 0; w < g->words; w++)
		for (uint64_t bits = g->bits[w]; bits; bits &= bits - 1)
			seat_leave(&s->seats[w * 64 + (size_t)__builtin_ctzll(bits)], g);
	table_remove(&s->group_by_text, g->key);
	group_free(g);
}

/* The idle board of the group that the fewest groups want, or -1. */
static int group_board(const struct schedule *s, const struct group *g)
{
	int best = -1;

	for (size_t w = 0; w < g->words; w++)
		for (uint64_t bits = g->bits[w] & s->idle[w]; bits; bits &= bits - 1) {
			int board = (int)(w * 64) + __builtin_ctzll(bits);

			if (best < 0 || s->seats[board].groups_count < s->seats[best].groups_count)
				best = board;
		}
	return best;
}

/* ---- Runs ---- */

/* Its group's best run may change: out of the order of hot groups while it does. */
static void ready_add(struct schedule *s, struct waiting *w)
{
	heap_remove(&s->hot, w->group);
	heap_push(&w->group->ready, w);
	heap_push(&s->hot, w->group);
}

static void ready_remove(struct schedule *s, struct waiting *w)
{
	bool hot = w->group->hot_place != 0;

	heap_remove(&s->hot, w->group);
	heap_remove(&w->group->ready, w);
	if (hot && heap_top(&w->group->ready))
		heap_push(&s->hot, w->group);
}

void schedule_add(struct schedule *s, const struct schedule_run *run)
{
	struct waiting *w;

	if (table_get(&s->run_by_id, (uint64_t)run->id))
		return;
	w = xcalloc(1, sizeof(*w));
	w->id = run->id;
	w->priority = run->priority;
	w->not_before = run->not_before;
	w->expires = run->expires;
	w->group = group_get(s, run->boards);
	w->group->waiting++;
	table_put(&s->run_by_id, (uint64_t)run->id, w);
	heap_push(&s->expiry, w);
	heap_push(&s->delayed, w); /* schedule_pick() knows the time and lets it go on */
}

static void waiting_take(struct schedule *s, struct waiting *w)
{
	heap_remove(&s->expiry, w);
	heap_remove(&s->delayed, w);
	ready_remove(s, w);
	table_remove(&s->run_by_id, (uint64_t)w->id);
	if (--w->group->waiting == 0)
		group_drop(s, w->group);
	free(w);
}

void schedule_remove(struct schedule *s, int64_t run)
{
	struct waiting *w = table_get(&s->run_by_id, (uint64_t)run);

	if (w)
		waiting_take(s, w);
}

bool schedule_pick(struct schedule *s, int64_t now, int64_t *run, int *board)
{
	struct waiting *w;
	struct group *g;

	while ((w = heap_top(&s->delayed)) && w->not_before <= now) {
		heap_remove(&s->delayed, w);
		ready_add(s, w);
	}
	while ((g = heap_top(&s->hot))) {
		*board = group_board(s, g);
		if (*board < 0) {
			heap_remove(&s->hot, g);
			continue;
		}
		w = heap_top(&g->ready);
		*run = w->id;
		bit_set(s->idle, *board, false);
		waiting_take(s, w);
		return true;
	}
	return false;
}

bool schedule_expired(struct schedule *s, int64_t now, int64_t *run)
{
	struct waiting *w = heap_top(&s->expiry);

	if (!w || w->expires > now)
		return false;
	*run = w->id;
	waiting_take(s, w);
	return true;
}

int64_t schedule_due(const struct schedule *s)
{
	const struct waiting *delayed = heap_top(&s->delayed), *expiry = heap_top(&s->expiry);
	int64_t due = INT64_MAX;

	if (delayed)
		due = delayed->not_before;
	if (expiry && expiry->expires < due)
		due = expiry->expires;
	return due;
}

size_t schedule_waiting(const struct schedule *s)
{
	return s->run_by_id.count;
}
