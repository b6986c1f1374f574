#include "block.h"

#include <stddef.h>
#include <string.h>

struct pattern pattern_of(struct stamp stamp)
{
	return (struct pattern){.base = stamp};
}

/* A block, whose words go by the index of its half-line as in struct stretch. */
static bool is_plain(const struct stamp *stamp)
{
	return stamp->writer != WRITER_ZERO && stamp->writer != WRITER_SAME &&
	       stamp->writer != WRITER_NOISE;
}

unsigned int pattern_stretch(const struct pattern *pattern, unsigned int half,
                             struct stretch *stretch)
{
	unsigned int first = half * HALF_WORDS;
	unsigned int end = PAGE_HALVES;
	bool is_over = first >= pattern->from && first < pattern->to;

	if (is_over)
		end = pattern->to / HALF_WORDS;
	else if (first < pattern->from && pattern->from < pattern->to)
		end = pattern->from / HALF_WORDS;
	if (!is_plain(&pattern->base) ||
	    (is_over &&
	     (!is_plain(&pattern->over) || pattern->mask >= STRETCH_HALVES * HALF_WORDS)))
		return half;
	for (unsigned int i = half; i < end && i < half + STRETCH_HALVES; i++) {
		uint32_t *words = stretch->words[i % STRETCH_HALVES];

		pattern_half(pattern, i, words);
		words[1] ^= i << 24;
		words[3] ^= i << 24;
	}
	return end;
}

static void store_stretch(volatile uint32_t *words, unsigned int half, unsigned int end,
                          const struct stretch *stretch)
{
	for (; half < end; half++) {
		volatile uint32_t *line = words + (size_t)half * HALF_WORDS;
		const uint32_t *block = stretch->words[half % STRETCH_HALVES];

		line[0] = block[0];
		line[1] = block[1] ^ half << 24;
		line[2] = block[2];
		line[3] = block[3] ^ half << 24;
	}
}

void pattern_store(volatile void *at, const struct pattern *pattern)
{
	const struct pattern stored =
		*pattern; /* of its own, so that no store below can change it */
	volatile uint32_t *words = at;
	unsigned int half = 0;

	while (half < PAGE_HALVES) {
		struct stretch stretch;
		uint32_t block[HALF_WORDS];
		unsigned int end = pattern_stretch(&stored, half, &stretch);

		if (end > half) {
			store_stretch(words, half, end, &stretch);
			half = end;
			continue;
		}
		pattern_half(&stored, half, block);
		for (unsigned int i = 0; i < HALF_WORDS; i++)
			words[half * HALF_WORDS + i] = block[i];
		half++;
	}
}

void pattern_store_over(volatile void *at, const struct pattern *pattern)
{
	volatile uint32_t *words = at;
	uint32_t block[HALF_WORDS];

	for (unsigned int half = 0; half < PAGE_HALVES; half++) {
		stamp_half(&pattern->over, half, block);
		for (unsigned int i = 0; i < HALF_WORDS; i++) {
			if (pattern_is_over(pattern, half * HALF_WORDS + i))
				words[half * HALF_WORDS + i] = block[i];
		}
	}
}

/* Older in sequence arithmetic: generations are 16 bits and may wrap in a long run. */
static bool generation_older(uint32_t generation, const struct pattern *expect)
{
	uint16_t newest = expect->base.generation;

	if (expect->to > expect->from && (int16_t)(expect->over.generation - newest) > 0)
		newest = expect->over.generation;
	return (int16_t)((uint16_t)generation - newest) < 0;
}

static bool is_block(const uint32_t words[HALF_WORDS])
{
	return words[2] == ~words[0] && words[3] == (words[1] ^ BLOCK_XOR);
}

/* Find the plain block in what was read: as it is, under noise, or for a page of one word as that
 * word says. Returns false when there is none. */
static bool decode(const uint32_t actual[HALF_WORDS], unsigned int half,
                   const struct pattern *expect, uint32_t plain[HALF_WORDS])
{
	memcpy(plain, actual, HALF_BYTES);
	if (is_block(plain))
		return true;
	block_mask(half, plain);
	if (is_block(plain))
		return true;
	if (actual[1] != actual[0] || actual[2] != actual[0] || actual[3] != actual[0])
		return false;
	plain[0] = actual[0];
	plain[1] = half << 24 | (uint32_t)WRITER_SAME << 16 | expect->base.nonce;
	return true;
}

enum tag block_tag(const uint32_t actual[HALF_WORDS], unsigned int half,
                   const struct pattern *expect, const void *cipher)
{
	static const uint32_t zero[HALF_WORDS];
	const uint8_t *raw = cipher;
	uint32_t plain[HALF_WORDS];
	uint32_t page;

	if (memcmp(actual, zero, sizeof(zero)) == 0)
		return TAG_ZERO;
	if (raw != NULL && memcmp(actual, raw + (size_t)half * HALF_BYTES, HALF_BYTES) == 0)
		return TAG_CIPHER;
	if (!decode(actual, half, expect, plain))
		return TAG_TORN;
	page = plain[0] & 0xffffU;
	if ((plain[1] >> 16 & 0xffU) == WRITER_POISON)
		return TAG_POISON;
	if (page != expect->base.page && page != expect->over.page)
		return TAG_FOREIGN;
	if ((plain[1] & 0xffffU) != expect->base.nonce || plain[1] >> 24 != half)
		return TAG_FOREIGN;
	return generation_older(plain[0] >> 16, expect) ? TAG_STALE : TAG_FOREIGN;
}

const char *tag_name(enum tag tag)
{
	static const char *const names[TAG_COUNT] = {
		[TAG_STALE] = "stale",   [TAG_FOREIGN] = "foreign", [TAG_CIPHER] = "cipher",
		[TAG_POISON] = "poison", [TAG_ZERO] = "zero",       [TAG_TORN] = "torn",
	};

	return names[tag];
}
