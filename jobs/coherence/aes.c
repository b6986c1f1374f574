#include "aes.h"

#include <string.h>

/* FIPS 197. The state is 16 bytes, column after column; a round key has the same shape. */
#define ROUNDS 10U

struct schedule {
	uint8_t keys[(ROUNDS + 1U) * AES_BLOCK_BYTES];
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

static void expand(const uint8_t key[AES_KEY_BYTES], struct schedule *schedule)
{
	uint8_t *words = schedule->keys;
	uint8_t constant = 1;

	if (box[0] == 0)
		make_boxes();
	memcpy(words, key, AES_KEY_BYTES);
	for (unsigned int i = AES_KEY_BYTES; i < sizeof(schedule->keys); i += 4) {
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

static void mix(uint8_t *to, const uint8_t *from)
{
	for (unsigned int i = 0; i < AES_BLOCK_BYTES; i++)
		to[i] ^= from[i];
}

/* Row r of the state moves by r columns; by is 1 to encrypt and 3, which is back by one, to decrypt. */
static void substitute_and_shift(uint8_t state[AES_BLOCK_BYTES], const uint8_t table[256],
                                 unsigned int by)
{
	uint8_t old[AES_BLOCK_BYTES];

	memcpy(old, state, sizeof(old));
	for (unsigned int column = 0; column < 4; column++) {
		for (unsigned int row = 0; row < 4; row++)
			state[4 * column + row] = table[old[4 * ((column + by * row) % 4) + row]];
	}
}

static void mix_column(uint8_t column[4])
{
	uint8_t all = (uint8_t)(column[0] ^ column[1] ^ column[2] ^ column[3]);
	uint8_t first = column[0];

	for (unsigned int row = 0; row < 4; row++) {
		uint8_t next = row == 3 ? first : column[row + 1];

		column[row] = (uint8_t)(column[row] ^ all ^ times_x((uint8_t)(column[row] ^ next)));
	}
}

/* Mixing is its own inverse's cube root: what undoes it is a small correction, then mixing. */
static void unmix_column(uint8_t column[4])
{
	uint8_t even = times_x(times_x((uint8_t)(column[0] ^ column[2])));
	uint8_t odd = times_x(times_x((uint8_t)(column[1] ^ column[3])));

	column[0] ^= even;
	column[1] ^= odd;
	column[2] ^= even;
	column[3] ^= odd;
	mix_column(column);
}

static void encrypt(const struct schedule *schedule, uint8_t block[AES_BLOCK_BYTES])
{
	mix(block, schedule->keys);
	for (unsigned int round = 1; round <= ROUNDS; round++) {
		substitute_and_shift(block, box, 1);
		for (unsigned int i = 0; i < AES_BLOCK_BYTES && round < ROUNDS; i += 4)
			mix_column(block + i);
		mix(block, schedule->keys + (size_t)round * AES_BLOCK_BYTES);
	}
}

static void decrypt(const struct schedule *schedule, uint8_t block[AES_BLOCK_BYTES])
{
	for (unsigned int round = ROUNDS; round > 0; round--) {
		mix(block, schedule->keys + (size_t)round * AES_BLOCK_BYTES);
		for (unsigned int i = 0; i < AES_BLOCK_BYTES && round < ROUNDS; i += 4)
			unmix_column(block + i);
		substitute_and_shift(block, inverse_box, 3);
	}
	mix(block, schedule->keys);
}

void aes_cbc(enum aes_way way, const uint8_t key[AES_KEY_BYTES], const uint8_t iv[AES_BLOCK_BYTES],
             uint8_t *data, size_t bytes)
{
	struct schedule schedule = {{0}};
	uint8_t chain[AES_BLOCK_BYTES];

	expand(key, &schedule);
	memcpy(chain, iv, sizeof(chain));
	for (size_t i = 0; i < bytes; i += AES_BLOCK_BYTES) {
		uint8_t *block = data + i;
		uint8_t before[AES_BLOCK_BYTES];

		memcpy(before, block, sizeof(before));
		if (way == AES_ENCRYPT) {
			mix(block, chain);
			encrypt(&schedule, block);
			memcpy(chain, block, sizeof(chain));
		} else {
			decrypt(&schedule, block);
			mix(block, chain);
			memcpy(chain, before, sizeof(chain));
		}
	}
}

void aes_xts(enum aes_way way, const uint8_t key[2 * AES_KEY_BYTES],
             const uint8_t tweak[AES_BLOCK_BYTES], uint8_t *data, size_t bytes)
{
	struct schedule schedule = {{0}};
	uint8_t mask[AES_BLOCK_BYTES];

	expand(key + AES_KEY_BYTES, &schedule);
	memcpy(mask, tweak, sizeof(mask));
	encrypt(&schedule, mask);
	expand(key, &schedule);
	for (size_t i = 0; i < bytes; i += AES_BLOCK_BYTES) {
		unsigned int carry = 0;

		mix(data + i, mask);
		if (way == AES_ENCRYPT)
			encrypt(&schedule, data + i);
		else
			decrypt(&schedule, data + i);
		mix(data + i, mask);
		for (unsigned int j = 0; j < AES_BLOCK_BYTES; j++) {
			unsigned int doubled = (unsigned int)mask[j] << 1 | carry;

			mask[j] = (uint8_t)doubled;
			carry = doubled >> 8;
		}
		mask[0] = (uint8_t)(mask[0] ^ carry * 0x87U);
	}
}
