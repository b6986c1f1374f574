/* ARM state, ARMv6: multiplications of both halves at once, of the most significant word, and UMAAL. */
#include "arm_insn.h"

#include <stddef.h>

#define SUBTRACT 0x40u
#define EXCHANGE 0x20u /* the halves of Rs */
#define ROUND    0x20u /* of the most significant word */

/* As among the other multiplications Rd and Rn have changed places: RN() is the destination, RD() what is
 * added, 15 for nothing. */
static int64_t two_products(const struct cpu *cpu, uint32_t insn)
{
	uint32_t m = cpu->r[RM(insn)];
	uint32_t s = rotate_right(cpu->r[RS(insn)], insn & EXCHANGE ? 16 : 0);
	int64_t low = (int64_t)(int16_t)m * (int16_t)s;
	int64_t high = (int64_t)(int16_t)(m >> 16) * (int16_t)(s >> 16);

	return insn & SUBTRACT ? low - high : low + high;
}

/* SMLAD, SMLSD, SMUAD, SMUSD. Q when the whole sum does not fit. */
static enum exec dual(struct cpu *cpu, uint32_t insn)
{
	int64_t sum = two_products(cpu, insn);

	if (RD(insn) != 15)
		sum += (int32_t)cpu->r[RD(insn)];
	if (sum != (int32_t)sum)
		cpu->cpsr |= PSR_Q;
	cpu->r[RN(insn)] = (uint32_t)sum;
	return EXEC_OK;
}

static void set_long(struct cpu *cpu, uint32_t insn, uint64_t value)
{
	cpu->r[RD(insn)] = (uint32_t)value;
	cpu->r[RN(insn)] = (uint32_t)(value >> 32);
}

/* SMLALD, SMLSLD. */
static enum exec dual_long(struct cpu *cpu, uint32_t insn)
{
	uint64_t old = (uint64_t)cpu->r[RN(insn)] << 32 | cpu->r[RD(insn)];

	set_long(cpu, insn, old + (uint64_t)two_products(cpu, insn));
	return EXEC_OK;
}

/* SMMUL, SMMLA; with bits 7:6 SMMLS. */
static enum exec most_significant(struct cpu *cpu, uint32_t insn)
{
	uint64_t product =
		(uint64_t)((int64_t)(int32_t)cpu->r[RM(insn)] * (int32_t)cpu->r[RS(insn)]);
	uint64_t sum = RD(insn) == 15 ? 0 : (uint64_t)cpu->r[RD(insn)] << 32;

	sum = insn & SUBTRACT ? sum - product : sum + product;
	if (insn & ROUND)
		sum += 0x80000000u;
	cpu->r[RN(insn)] = (uint32_t)(sum >> 32);
	return EXEC_OK;
}

/* USAD8, USADA8: the sum of the bytes' absolute differences. */
static enum exec differences(struct cpu *cpu, uint32_t insn)
{
	uint32_t sum = RD(insn) == 15 ? 0 : cpu->r[RD(insn)];

	for (unsigned at = 0; at < 32; at += 8) {
		uint32_t m = cpu->r[RM(insn)] >> at & 0xff;
		uint32_t s = cpu->r[RS(insn)] >> at & 0xff;

		sum += m > s ? m - s : s - m;
	}
	cpu->r[RN(insn)] = sum;
	return EXEC_OK;
}

static enum exec multiply_add_add(struct cpu *cpu, uint32_t insn)
{
	set_long(cpu, insn,
	         (uint64_t)cpu->r[RM(insn)] * cpu->r[RS(insn)] + cpu->r[RN(insn)] +
	                 cpu->r[RD(insn)]);
	return EXEC_OK;
}

const struct arm_row arm_dual_rows[] = {
	{0x0ff00090, 0x07000010, dual},
	{0x0ff00090, 0x07400010, dual_long},
	{0x0ff000d0, 0x07500010, most_significant},
	{0x0ff000d0, 0x075000d0, most_significant},
	{0x0ff000f0, 0x07800010, differences},
	{0x0ff000f0, 0x00400090, multiply_add_add},
	{0, 0, NULL},
};
