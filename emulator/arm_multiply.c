/* ARM state: multiplications, and the saturating and 16-bit ones of ARMv5TE. */
#include "arm_insn.h"

#include <stddef.h>

#define SET_FLAGS  0x00100000u
#define ACCUMULATE 0x00200000u
#define SIGNED     0x00400000u

/* In this group Rd and Rn have changed places. */
static enum exec multiply(struct cpu *cpu, uint32_t insn)
{
	uint32_t result = cpu->r[RM(insn)] * cpu->r[RS(insn)];

	if (insn & ACCUMULATE)
		result += cpu->r[RD(insn)];
	cpu->r[RN(insn)] = result;
	if (insn & SET_FLAGS)
		set_nz(cpu, result);
	return EXEC_OK;
}

static uint64_t long_register(const struct cpu *cpu, uint32_t insn)
{
	return (uint64_t)cpu->r[RN(insn)] << 32 | cpu->r[RD(insn)];
}

static void set_long_register(struct cpu *cpu, uint32_t insn, uint64_t value)
{
	cpu->r[RD(insn)] = (uint32_t)value;
	cpu->r[RN(insn)] = (uint32_t)(value >> 32);
}

static enum exec multiply_long(struct cpu *cpu, uint32_t insn)
{
	uint32_t m = cpu->r[RM(insn)];
	uint32_t s = cpu->r[RS(insn)];
	uint64_t result;

	if (insn & SIGNED)
		result = (uint64_t)((int64_t)(int32_t)m * (int32_t)s);
	else
		result = (uint64_t)m * s;
	if (insn & ACCUMULATE)
		result += long_register(cpu, insn);
	set_long_register(cpu, insn, result);
	if (insn & SET_FLAGS)
		cpu->cpsr = (cpu->cpsr & ~(PSR_N | PSR_Z)) | ((uint32_t)(result >> 32) & PSR_N) |
		            (result ? 0 : PSR_Z);
	return EXEC_OK;
}

/* The 16-bit half of a register that bit x or y chooses. */
static int32_t half(uint32_t value, uint32_t top)
{
	return (int16_t)(top ? value >> 16 : value);
}

/* a + b; an overflow sets Q and the sum wraps. */
static uint32_t add_sticky(struct cpu *cpu, uint32_t a, uint32_t b)
{
	uint32_t sum = a + b;

	if ((~(a ^ b) & (a ^ sum)) >> 31)
		cpu->cpsr |= PSR_Q;
	return sum;
}

static uint32_t product_of_halves(const struct cpu *cpu, uint32_t insn)
{
	return (uint32_t)(half(cpu->r[RM(insn)], insn & 0x20) *
	                  half(cpu->r[RS(insn)], insn & 0x40));
}

static enum exec smla(struct cpu *cpu, uint32_t insn)
{
	cpu->r[RN(insn)] = add_sticky(cpu, product_of_halves(cpu, insn), cpu->r[RD(insn)]);
	return EXEC_OK;
}

static enum exec smul(struct cpu *cpu, uint32_t insn)
{
	cpu->r[RN(insn)] = product_of_halves(cpu, insn);
	return EXEC_OK;
}

static enum exec smlal(struct cpu *cpu, uint32_t insn)
{
	int64_t product = (int32_t)product_of_halves(cpu, insn);

	set_long_register(cpu, insn, long_register(cpu, insn) + (uint64_t)product);
	return EXEC_OK;
}

/* Upper 32 of the 48 bits of a word times a half. */
static uint32_t product_word_half(const struct cpu *cpu, uint32_t insn)
{
	int64_t product = (int64_t)(int32_t)cpu->r[RM(insn)] * half(cpu->r[RS(insn)], insn & 0x40);

	return (uint32_t)(product >> 16);
}

static enum exec smlaw(struct cpu *cpu, uint32_t insn)
{
	cpu->r[RN(insn)] = add_sticky(cpu, product_word_half(cpu, insn), cpu->r[RD(insn)]);
	return EXEC_OK;
}

static enum exec smulw(struct cpu *cpu, uint32_t insn)
{
	cpu->r[RN(insn)] = product_word_half(cpu, insn);
	return EXEC_OK;
}

static int32_t saturate(struct cpu *cpu, int64_t value)
{
	if (value >= INT32_MIN && value <= INT32_MAX)
		return (int32_t)value;
	cpu->cpsr |= PSR_Q;
	return value < 0 ? INT32_MIN : INT32_MAX;
}

/* QADD, QSUB, QDADD, QDSUB: bit 21 subtracts, bit 22 doubles (and saturates) Rn first. */
static enum exec saturating(struct cpu *cpu, uint32_t insn)
{
	int64_t a = (int32_t)cpu->r[RM(insn)];
	int64_t b = (int32_t)cpu->r[RN(insn)];

	if (insn & 1u << 22)
		b = saturate(cpu, 2 * b);
	cpu->r[RD(insn)] = (uint32_t)saturate(cpu, insn & 1u << 21 ? a - b : a + b);
	return EXEC_OK;
}

static enum exec clz(struct cpu *cpu, uint32_t insn)
{
	uint32_t value = cpu->r[RM(insn)];

	cpu->r[RD(insn)] = value ? (uint32_t)__builtin_clz(value) : 32;
	return EXEC_OK;
}

const struct arm_row arm_multiply_rows[] = {
	{0x0fc000f0, 0x00000090, multiply}, {0x0f8000f0, 0x00800090, multiply_long},
	{0x0ff00090, 0x01000080, smla},     {0x0ff000b0, 0x01200080, smlaw},
	{0x0ff000b0, 0x012000a0, smulw},    {0x0ff00090, 0x01400080, smlal},
	{0x0ff00090, 0x01600080, smul},     {0x0f9000f0, 0x01000050, saturating},
	{0x0ff000f0, 0x01600010, clz},      {0, 0, NULL},
};
