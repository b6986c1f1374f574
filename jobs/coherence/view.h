/* view.h - compare what one reader sees of a page with what it should see. */
#pragma once
#include "block.h"

#include <stdbool.h>
#include <stdint.h>

struct inject;

/* A trial looks three times: the user at once, then the kernel, then the user again after
 * every cache line has been evicted. Which of them are wrong tells the kind of fault. */
enum view_index { VIEW_USER, VIEW_KERNEL, VIEW_LATE, VIEW_COUNT };

/* One bit for each half-line of a page. */
struct halves {
	uint32_t bits[PAGE_HALVES / 32U];
};

struct view {
	struct halves bad;
	uint32_t seen[PAGE_WORDS]; /* meaningful only in the half-lines that are bad */
};

static inline bool halves_test(const struct halves *halves, unsigned int half)
{
	return (halves->bits[half / 32U] >> half % 32U & 1U) != 0;
}

static inline void halves_set(struct halves *halves, unsigned int half)
{
	halves->bits[half / 32U] |= UINT32_C(1) << half % 32U;
}

/* Nothing was seen to be bad in any of them. Their words may stay: writing them would push out what a trial wants cached. */
static inline void views_clear(struct view *views, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		views[i].bad = (struct halves){{0}};
}

/* How many half-lines are set. */
unsigned int halves_count(const struct halves *halves);

/* 64 hex digits and a NUL. The digits follow the page: the first digit is half-lines 0 to 3,
 * and half-line 0 is its highest bit. */
void halves_print(const struct halves *halves, char text[PAGE_HALVES / 4U + 1U]);

/* Read the page at address at and note each half-line that differs
 * from expect. No system call, no allocation, and no store unless something is wrong. Bits
 * that an earlier look set stay set: several looks may make one view. inject (may be NULL) is
 * only for the self-check: it changes what was read. */
void view_take(struct view *view, enum view_index index, const volatile void *at,
               const struct pattern *expect, const struct inject *inject);

/* Add what is bad in from to view, words included. */
void view_merge(struct view *view, const struct view *from);
