#include "block.h"

#include <string.h>

struct pattern pattern_of(struct stamp stamp)
{
	return (struct pattern){.base = stamp};
}

void pattern_store(volatile void *at, const struct pattern *pattern)
{
	volatile uint32_t *words = at;
	uint32_t block[HALF_WORDS];

	for (unsigned int half = 0; half < PAGE_HALVES; half++) {
		pattern_half(pattern, half, block);
		for (unsigned int i = 0; i < HALF_WORDS; i++)
			words[half * HALF_WORDS + i] = block[i];
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

enum tag block_tag(const uint32_t actual[HALF_WORDS], unsigned int half,
                   const struct pattern *expect, const void *cipher)
{
	static const uint32_t zero[HALF_WORDS];
	const uint8_t *raw = cipher;
	uint32_t page = actual[0] & 0xffffU;

	if (memcmp(actual, zero, sizeof(zero)) == 0)
		return TAG_ZERO;
	if (raw != NULL && memcmp(actual, raw + (size_t)half * HALF_BYTES, HALF_BYTES) == 0)
		return TAG_CIPHER;
	if (actual[2] != ~actual[0] || actual[3] != (actual[1] ^ BLOCK_XOR))
		return TAG_TORN;
	if ((actual[1] >> 16 & 0xffU) == WRITER_POISON)
		return TAG_POISON;
	if (page != expect->base.page && page != expect->over.page)
		return TAG_FOREIGN;
	if ((actual[1] & 0xffffU) != expect->base.nonce || actual[1] >> 24 != half)
		return TAG_FOREIGN;
	return generation_older(actual[0] >> 16, expect) ? TAG_STALE : TAG_FOREIGN;
}

const char *tag_name(enum tag tag)
{
	static const char *const names[TAG_COUNT] = {
		[TAG_STALE] = "stale",   [TAG_FOREIGN] = "foreign", [TAG_CIPHER] = "cipher",
		[TAG_POISON] = "poison", [TAG_ZERO] = "zero",       [TAG_TORN] = "torn",
	};

	return names[tag];
}
