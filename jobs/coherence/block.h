/* block.h - what test pages hold: 16-byte blocks that say who wrote them and when.
 *
 * One block fills one half-line, the unit an ARM9 cache writes back. A reader can therefore
 * tell of each wrong half-line whose data it is and how old, not only that it is wrong:
 *	word 0  generation << 16 | page index
 *	word 1  half-line index << 24 | writer << 16 | nonce of this run
 *	word 2  ~word 0
 *	word 3  word 1 ^ BLOCK_XOR
 * Words are computed, never read from a reference buffer: such a buffer would be one more
 * page competing for the cache under test. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define PAGE_BYTES  4096U
#define PAGE_WORDS  1024U
#define PAGE_HALVES 256U
#define HALF_BYTES  16U
#define HALF_WORDS  4U
#define BLOCK_XOR   0x5ac35ac3U

enum writer {
	WRITER_ZERO = 0, /* no block at all: four zero words */
	WRITER_USER = 'U',
	WRITER_KERNEL = 'K',
	WRITER_CIPHER = 'C',
	WRITER_POISON = 'P',
	WRITER_NOISE = 'N', /* the user's, made incompressible: each word XOR noise of its place */
	WRITER_SAME = 'S',  /* the user's, one word all over the page: generation << 16 | page */
};

struct stamp {
	uint16_t generation;
	uint16_t page;
	uint16_t nonce;
	uint8_t writer; /* enum writer */
};

/* What a whole page should hold: base everywhere, but over in the words w with
 * from <= w < to and (w & mask) == match. mask 0 selects every word of the range. */
struct pattern {
	struct stamp base;
	struct stamp over;
	uint16_t from, to;
	uint16_t mask, match;
};

#define PATTERN_EVEN_WORDS  1U /* mask for pattern: every other word of a half-line */
#define PATTERN_EVEN_HALVES 4U /* mask for pattern: every other half-line */

enum tag { TAG_STALE, TAG_FOREIGN, TAG_CIPHER, TAG_POISON, TAG_ZERO, TAG_TORN, TAG_COUNT };

/* The pattern that is stamp in every word. */
struct pattern pattern_of(struct stamp stamp);

/* True when word (0..PAGE_WORDS-1) of the page belongs to over. */
static inline bool pattern_is_over(const struct pattern *pattern, unsigned int word)
{
	return word >= pattern->from && word < pattern->to &&
	       (word & pattern->mask) == pattern->match;
}

/* Words without a pattern that a compressor could use; the same on every page. */
static inline uint32_t block_noise(unsigned int word)
{
	uint32_t mixed = (word + 1U) * 2654435761U;

	mixed = (mixed ^ mixed >> 15) * 0x85ebca6bU;
	mixed = (mixed ^ mixed >> 13) * 0xc2b2ae35U;
	return mixed ^ mixed >> 16;
}

/* Put noise over a half-line, or take it away again. */
static inline void block_mask(unsigned int half, uint32_t words[HALF_WORDS])
{
	for (unsigned int i = 0; i < HALF_WORDS; i++)
		words[i] ^= block_noise(half * HALF_WORDS + i);
}

static inline void stamp_half(const struct stamp *stamp, unsigned int half,
                              uint32_t out[HALF_WORDS])
{
	if (stamp->writer == WRITER_ZERO) {
		out[0] = out[1] = out[2] = out[3] = 0;
		return;
	}
	out[0] = (uint32_t)stamp->generation << 16 | stamp->page;
	out[1] = half << 24 | (uint32_t)stamp->writer << 16 | stamp->nonce;
	out[2] = ~out[0];
	out[3] = out[1] ^ BLOCK_XOR;
	if (stamp->writer == WRITER_SAME)
		out[1] = out[2] = out[3] = out[0];
	else if (stamp->writer == WRITER_NOISE)
		block_mask(half, out);
}

/* The four words that half-line half of the page should hold. */
static inline void pattern_half(const struct pattern *pattern, unsigned int half,
                                uint32_t out[HALF_WORDS])
{
	unsigned int first = half * HALF_WORDS;
	uint32_t over[HALF_WORDS];

	stamp_half(&pattern->base, half, out);
	if (first + HALF_WORDS <= pattern->from || first >= pattern->to)
		return;
	stamp_half(&pattern->over, half, over);
	for (unsigned int i = 0; i < HALF_WORDS; i++) {
		if (pattern_is_over(pattern, first + i))
			out[i] = over[i];
	}
}

/* Half-lines that follow one rule, so that nobody needs to look at the pattern for each: half-line h holds
 * words[h % STRETCH_HALVES], with its index h << 24 put over word 1 and word 3. */
#define STRETCH_HALVES 8U

struct stretch {
	uint32_t words[STRETCH_HALVES][HALF_WORDS];
};

/* The stretch that begins with half-line half. Returns where it ends: half when there is none. */
unsigned int pattern_stretch(const struct pattern *pattern, unsigned int half,
                             struct stretch *stretch);

/* Write the whole page of pattern to at, by plain stores. */
void pattern_store(volatile void *at, const struct pattern *pattern);

/* Write only the words that belong to over. */
void pattern_store_over(volatile void *at, const struct pattern *pattern);

/* Say what the wrong words actual of half-line half are. cipher is the raw ciphertext of the
 * same page, or NULL when the test has none. */
enum tag block_tag(const uint32_t actual[HALF_WORDS], unsigned int half,
                   const struct pattern *expect, const void *cipher);

/* The name a record gives the tag. */
const char *tag_name(enum tag tag);
