#include "aes.h"

#include <string.h>

/* FIPS 197. The state is 16 bytes, column after column, and worked on a column at a time: a word, the first row in its lowest
 * byte (all that this runs on is little-endian). A round key has the same shape. */
#define ROUNDS  10U
#define COLUMNS 4U

struct state {
	uint32_t columns[COLUMNS];
};

union schedule {
	uint8_t bytes[(ROUNDS + 1U) * AES_BLOCK_BYTES];
	struct state keys[ROUNDS + 1U];
};

/* The substitution box and its inverse: made on first use, from their definition. */
static uint8_t box[256];
static uint8_t inverse_box[256];

/* Multiply by x in the field of AES. */
static uint8_t times_x(uint8_t value)
{
	return (uint8_t)(value << 1 ^ (value >> 7) * 0x1b);
}

static uint8_t rotate(uint8_t value, unsigned int by)
{
	return (uint8_t)(value << by | value >> (8 - by));
}

static void make_boxes(void)
{
	uint8_t p = 1;
	uint8_t q = 1;

	/* p runs over all powers of 3, q over their inverses. */
	do {
		uint8_t image;

		p = (uint8_t)(p ^ times_x(p));
		q = (uint8_t)(q ^ q << 1);
		q = (uint8_t)(q ^ q << 2);
		q = (uint8_t)(q ^ q << 4);
		q = (uint8_t)(q ^ (q >> 7) * 0x09);
		image = (uint8_t)(q ^ rotate(q, 1) ^ rotate(q, 2) ^ rotate(q, 3) ^ rotate(q, 4) ^
		                  0x63);
		box[p] = image;
		inverse_box[image] = p;
	} while (p != 1);
	box[0] = 0x63;
	inverse_box[0x63] = 0;
}

static void expand(const uint8_t key[AES_KEY_BYTES], union schedule *schedule)
{
	uint8_t *words = schedule->bytes;
	uint8_t constant = 1;

	if (box[0] == 0)
		make_boxes();
	memcpy(words, key, AES_KEY_BYTES);
	for (unsigned int i = AES_KEY_BYTES; i < sizeof(schedule->bytes); i += 4) {
		uint8_t next[4];

		memcpy(next, words + i - 4, 4);
		if (i % AES_KEY_BYTES == 0) {
			uint8_t first = next[0];

			next[0] = (uint8_t)(box[next[1]] ^ constant);
			next[1] = box[next[2]];
			next[2] = box[next[3]];
			next[3] = box[first];
			constant = times_x(constant);
		}
		for (unsigned int j = 0; j < 4; j++)
			words[i + j] = words[i + j - AES_KEY_BYTES] ^ next[j];
	}
}

static struct state state_of(const uint8_t block[AES_BLOCK_BYTES])
{
	struct state state;

	memcpy(&state, block, sizeof(state));
	return state;
}

static void mix(struct state *to, const struct state *from)
{
	for (unsigned int i = 0; i < COLUMNS; i++)
		to->columns[i] ^= from->columns[i];
}

/* Row r of the state moves by r columns; by is 1 to encrypt and 3, which is back by one, to decrypt. */
static void substitute_and_shift(struct state *state, const uint8_t table[256], unsigned int by)
{
	const struct state old = *state;

	for (unsigned int i = 0; i < COLUMNS; i++)
		state->columns[i] =
			table[old.columns[i] & 0xff] |
			(uint32_t)table[old.columns[(i + by) % COLUMNS] >> 8 & 0xff] << 8 |
			(uint32_t)table[old.columns[(i + 2) % COLUMNS] >> 16 & 0xff] << 16 |
			(uint32_t)table[old.columns[(i + 3 * by) % COLUMNS] >> 24] << 24;
}

/* Of each byte of a column the one that is rows below it. */
static uint32_t below(uint32_t column, unsigned int rows)
{
	return column >> 8 * rows | column << (32 - 8 * rows);
}

static uint32_t all_times_x(uint32_t column)
{
	return (column & 0x7f7f7f7fU) << 1 ^ (column >> 7 & 0x01010101U) * 0x1b;
}

static uint32_t mix_column(uint32_t column)
{
	return all_times_x(column ^ below(column, 1)) ^ below(column, 1) ^ below(column, 2) ^
	       below(column, 3);
}

/* Mixing is its own inverse's cube root: what undoes it is a small correction, then mixing. */
static uint32_t unmix_column(uint32_t column)
{
	return mix_column(column ^ all_times_x(all_times_x(column ^ below(column, 2))));
}

static void encrypt(const union schedule *schedule, struct state *state)
{
	mix(state, &schedule->keys[0]);
	for (unsigned int round = 1; round <= ROUNDS; round++) {
		substitute_and_shift(state, box, 1);
		for (unsigned int i = 0; i < COLUMNS && round < ROUNDS; i++)
			state->columns[i] = mix_column(state->columns[i]);
		mix(state, &schedule->keys[round]);
	}
}

static void decrypt(const union schedule *schedule, struct state *state)
{
	for (unsigned int round = ROUNDS; round > 0; round--) {
		mix(state, &schedule->keys[round]);
		for (unsigned int i = 0; i < COLUMNS && round < ROUNDS; i++)
			state->columns[i] = unmix_column(state->columns[i]);
		substitute_and_shift(state, inverse_box, 3);
	}
	mix(state, &schedule->keys[0]);
}

void aes_cbc(enum aes_way way, const uint8_t key[AES_KEY_BYTES], const uint8_t iv[AES_BLOCK_BYTES],
             uint8_t *data, size_t bytes)
{
	union schedule schedule = {{0}};
	struct state chain = state_of(iv);

	expand(key, &schedule);
	for (size_t i = 0; i < bytes; i += AES_BLOCK_BYTES) {
		struct state before = state_of(data + i), state = before;

		if (way == AES_ENCRYPT) {
			mix(&state, &chain);
			encrypt(&schedule, &state);
			chain = state;
		} else {
			decrypt(&schedule, &state);
			mix(&state, &chain);
			chain = before;
		}
		memcpy(data + i, &state, sizeof(state));
	}
}

void aes_xts(enum aes_way way, const uint8_t key[2 * AES_KEY_BYTES],
             const uint8_t tweak[AES_BLOCK_BYTES], uint8_t *data, size_t bytes)
{
	union schedule schedule = {{0}};
	union {
		struct state state;
		uint8_t bytes[AES_BLOCK_BYTES];
	} mask = {state_of(tweak)};

	expand(key + AES_KEY_BYTES, &schedule);
	encrypt(&schedule, &mask.state);
	expand(key, &schedule);
	for (size_t i = 0; i < bytes; i += AES_BLOCK_BYTES) {
		struct state state = state_of(data + i);
		unsigned int carry = 0;

		mix(&state, &mask.state);
		if (way == AES_ENCRYPT)
			encrypt(&schedule, &state);
		else
			decrypt(&schedule, &state);
		mix(&state, &mask.state);
		memcpy(data + i, &state, sizeof(state));
		for (unsigned int j = 0; j < AES_BLOCK_BYTES; j++) {
			unsigned int doubled = (unsigned int)mask.bytes[j] << 1 | carry;

			mask.bytes[j] = (uint8_t)doubled;
			carry = doubled >> 8;
		}
		mask.bytes[0] = (uint8_t)(mask.bytes[0] ^ carry * 0x87U);
	}
}
