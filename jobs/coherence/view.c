#include "view.h"

#include "inject.h"

#include <stddef.h>

unsigned int halves_count(const struct halves *halves)
{
	unsigned int count = 0;

	for (unsigned int half = 0; half < PAGE_HALVES; half++)
		count += halves_test(halves, half) ? 1U : 0U;
	return count;
}

void halves_print(const struct halves *halves, char text[PAGE_HALVES / 4U + 1U])
{
	for (unsigned int digit = 0; digit < PAGE_HALVES / 4U; digit++) {
		unsigned int value = 0;

		for (unsigned int i = 0; i < 4; i++)
			value = value << 1 | (halves_test(halves, digit * 4U + i) ? 1U : 0U);
		text[digit] = "0123456789abcdef"[value];
	}
	text[PAGE_HALVES / 4U] = '\0';
}

/* Apart from view_take() so that the loop over good half-lines stays short. */
static void note_bad(struct view *view, unsigned int half, const uint32_t seen[HALF_WORDS])
{
	halves_set(&view->bad, half);
	for (unsigned int i = 0; i < HALF_WORDS; i++)
		view->seen[half * HALF_WORDS + i] = seen[i];
}

/* Apart from view_take(), which has more to keep in registers. */
static __attribute__((noinline)) void take_stretch(struct view *view,
                                                   const volatile uint32_t *words,
                                                   unsigned int half, unsigned int end,
                                                   const struct stretch *stretch)
{
	for (; half < end; half++) {
		const volatile uint32_t *line = words + (size_t)half * HALF_WORDS;
		uint32_t a = line[0], b = line[1], c = line[2], d = line[3];
		const uint32_t *want = stretch->words[half % STRETCH_HALVES];
		uint32_t index = half << 24;

		if (((a ^ want[0]) | (b ^ want[1] ^ index) | (c ^ want[2]) |
		     (d ^ want[3] ^ index)) != 0)
			note_bad(view, half, (const uint32_t[HALF_WORDS]){a, b, c, d});
	}
}

void view_take(struct view *view, enum view_index index, const volatile void *at,
               const struct pattern *expect, const struct inject *inject)
{
	const volatile uint32_t *words = at;
	const struct pattern pattern =
		*expect; /* of its own, so that no store below can change it */
	unsigned int half = 0;

	while (half < PAGE_HALVES) {
		struct stretch stretch;
		unsigned int end =
			inject == NULL ? pattern_stretch(&pattern, half, &stretch) : half;
		uint32_t seen[HALF_WORDS];
		uint32_t want[HALF_WORDS];

		if (end > half) {
			take_stretch(view, words, half, end, &stretch);
			half = end;
			continue;
		}
		for (unsigned int i = 0; i < HALF_WORDS; i++)
			seen[i] = words[half * HALF_WORDS + i];
		pattern_half(&pattern, half, want);
		if (inject != NULL)
			inject_view(inject, index, half, expect, seen);
		if (((seen[0] ^ want[0]) | (seen[1] ^ want[1]) | (seen[2] ^ want[2]) |
		     (seen[3] ^ want[3])) != 0)
			note_bad(view, half, seen);
		half++;
	}
}

void view_merge(struct view *view, const struct view *from)
{
	for (unsigned int half = 0; half < PAGE_HALVES; half++) {
		if (halves_test(&from->bad, half))
			note_bad(view, half, from->seen + (size_t)half * HALF_WORDS);
	}
}
