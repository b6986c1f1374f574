/* ARM state, ARMv6K: loads and stores that notice what came between. The core has one monitor: LDREX
 * closes it on an address, STREX stores only if it is closed on the same one, and opens it. No exception
 * opens it: the kernel does, by CLREX. */
#include "arm_insn.h"
#include "mem.h"

#include <stddef.h>

/* Bits 22:21: a word, a double word, a byte, a half. */
static unsigned bytes_of(uint32_t insn)
{
	static const uint8_t bytes[4] = {4, 8, 1, 2};

	return bytes[insn >> 21 & 3];
}

static bool load(struct cpu *cpu, uint32_t address, unsigned bytes, uint32_t value[2])
{
	switch (bytes) {
	case 1:
		return mem_load8(cpu->mem, address, cpu->user_shift, &value[0]);
	case 2:
		return mem_load16(cpu->mem, address, cpu->user_shift, &value[0]);
	case 8:
		if (!mem_load32(cpu->mem, address + 4, cpu->user_shift, &value[1]))
			return false;
		return mem_load32(cpu->mem, address, cpu->user_shift, &value[0]);
	default:
		return mem_load32(cpu->mem, address, cpu->user_shift, &value[0]);
	}
}

static enum exec load_exclusive(struct cpu *cpu, uint32_t insn)
{
	uint32_t address = cpu->r[RN(insn)];
	unsigned bytes = bytes_of(insn);
	uint32_t value[2] = {0, 0};

	if (bytes == 8 && (RD(insn) & 1))
		return EXEC_UNDEFINED;
	if (!mem_aligned(cpu->mem, address, bytes, false) || !load(cpu, address, bytes, value))
		return EXEC_DATA_ABORT;
	cpu->exclusive_address = address;
	cpu->exclusive_bytes = bytes;
	cpu->r[RD(insn)] = value[0];
	if (bytes == 8)
		cpu->r[RD(insn) + 1] = value[1];
	return EXEC_OK;
}

/* A double word does not cross a page, so its halves abort together. */
static bool store(struct cpu *cpu, uint32_t address, unsigned bytes, const uint32_t *value)
{
	switch (bytes) {
	case 1:
		return mem_store8(cpu->mem, address, cpu->user_shift, value[0]);
	case 2:
		return mem_store16(cpu->mem, address, cpu->user_shift, value[0]);
	case 8:
		return mem_store32(cpu->mem, address, cpu->user_shift, value[0]) &&
		       mem_store32(cpu->mem, address + 4, cpu->user_shift, value[1]);
	default:
		return mem_store32(cpu->mem, address, cpu->user_shift, value[0]);
	}
}

static enum exec store_exclusive(struct cpu *cpu, uint32_t insn)
{
	uint32_t address = cpu->r[RN(insn)];
	unsigned bytes = bytes_of(insn);
	bool closed = cpu->exclusive_bytes == bytes && cpu->exclusive_address == address;

	if (bytes == 8 && (RM(insn) & 1))
		return EXEC_UNDEFINED;
	if (!mem_aligned(cpu->mem, address, bytes, true) ||
	    (closed && !store(cpu, address, bytes, &cpu->r[RM(insn)])))
		return EXEC_DATA_ABORT;
	cpu->exclusive_bytes = 0;
	cpu->r[RD(insn)] = !closed;
	return EXEC_OK;
}

const struct arm_row arm_exclusive_rows[] = {
	{0x0f9000f0, 0x01900090, load_exclusive},
	{0x0f9000f0, 0x01800090, store_exclusive},
	{0, 0, NULL},
};
