/* blocks.h - what both sides of the processor comparison read and write: blocks of instructions with the
 * registers to start from, and what was there at the end. Little-endian, as the machine. */
#pragma once
#include <stdint.h>

#define CODE_AT    0x03000000u
#define DATA_AT    0x03100000u
#define EXIT_AT    0x03200000u /* where a block jumps when it is done, in ARM state */
#define CODE_BYTES 1024u
#define DATA_WORDS 256u
#define FLAGS      0xf80f0000u /* NZCVQ, and GE, which is 0 before ARMv6 */

struct block {
	uint32_t thumb;
	uint32_t flags;
	uint32_t data_seed;
	uint32_t regs[15];
	uint8_t code[CODE_BYTES];
};

struct outcome {
	uint32_t regs[15];
	uint32_t flags;
	uint32_t data[DATA_WORDS];
};

static inline void fill_data(uint32_t *data, uint32_t seed)
{
	for (uint32_t i = 0; i < DATA_WORDS; i++) {
		seed = seed * 1664525u + 1013904223u;
		data[i] = seed ^ seed >> 16;
	}
}
