/* ARM state, ARMv6: the SIMD and saturating instructions on the bytes and halves of a register. */
#include "arm_insn.h"

#include <stddef.h>

#define GE_SHIFT 16

/* Bits 22:20 of the parallel additions: what becomes of each sum. */
enum prefix { SIGNED = 1, SATURATED, HALVED, UNSIGNED = 5, UNSIGNED_SATURATED, UNSIGNED_HALVED };

/* One lane's sum or difference, as wide as it is: its value for the register, and whether it sets GE. */
struct lane {
	uint32_t value;
	bool ge;
};

static int32_t clamp(int32_t value, int32_t low, int32_t high)
{
	if (value < low)
		return low;
	return value > high ? high : value;
}

static struct lane finish_lane(enum prefix prefix, int32_t sum, unsigned bits, bool subtract)
{
	int32_t top = 1 << (bits - 1);
	bool ge = sum >= 0;

	switch (prefix) {
	case SATURATED:
		sum = clamp(sum, -top, top - 1);
		break;
	case UNSIGNED_SATURATED:
		sum = clamp(sum, 0, 2 * top - 1);
		break;
	case HALVED:
	case UNSIGNED_HALVED:
		/* cppcheck-suppress shiftTooManyBitsSigned ; arithmetic on each compiler used */
		sum >>= 1;
		break;
	case UNSIGNED:
		ge = subtract ? sum >= 0 : sum >= 2 * top;
		break;
	case SIGNED:
	default:
		break;
	}
	return (struct lane){(uint32_t)sum & ((1u << bits) - 1), ge};
}

/* The lane of value that starts at bit at, signed or not as the prefix says. */
static int32_t lane_of(uint32_t value, unsigned at, unsigned bits, enum prefix prefix)
{
	uint32_t lane = value >> at & ((1u << bits) - 1);

	if (prefix >= UNSIGNED)
		return (int32_t)lane;
	return bits == 8 ? (int8_t)lane : (int16_t)lane;
}

/* The parallel additions and subtractions. Bits 7:5 choose which; those with exchange pair the upper half of Rn
 * with the lower one of Rm and the other way round. Only the plain ones, S and U, set GE. */
static enum exec parallel(struct cpu *cpu, uint32_t insn)
{
	enum prefix prefix = (enum prefix)(insn >> 20 & 7);
	unsigned op = insn >> 5 & 7;
	unsigned bits = op & 4 ? 8 : 16;
	bool exchange = op == 1 || op == 2;
	uint32_t n = cpu->r[RN(insn)], m = cpu->r[RM(insn)];
	uint32_t result = 0, ge = 0;

	if ((prefix & 3) == 0 || op == 5 || op == 6)
		return EXEC_UNDEFINED;
	for (unsigned at = 0; at < 32; at += bits) {
		/* ASX (1) subtracts below, SAX (2) above. */
		bool subtract = exchange ? (op == 1) == (at == 0) : op & 2;
		int32_t a = lane_of(n, at, bits, prefix);
		int32_t b = lane_of(m, exchange ? 16 - at : at, bits, prefix);
		struct lane lane = finish_lane(prefix, subtract ? a - b : a + b, bits, subtract);

		result |= lane.value << at;
		if (lane.ge)
			ge |= ((1u << bits / 8) - 1) << at / 8;
	}
	cpu->r[RD(insn)] = result;
	if ((prefix & 3) == 1)
		cpu->cpsr = (cpu->cpsr & ~PSR_GE) | ge << GE_SHIFT;
	return EXEC_OK;
}

/* Bytes of Rn where GE is set, of Rm elsewhere. */
static enum exec select_bytes(struct cpu *cpu, uint32_t insn)
{
	uint32_t mask = 0;

	for (unsigned byte = 0; byte < 4; byte++) {
		if (cpu->cpsr >> (GE_SHIFT + byte) & 1)
			mask |= 0xffu << 8 * byte;
	}
	cpu->r[RD(insn)] = (cpu->r[RN(insn)] & mask) | (cpu->r[RM(insn)] & ~mask);
	return EXEC_OK;
}

/* PKHBT and, with bit 6, PKHTB, which shifts right. */
static enum exec pack(struct cpu *cpu, uint32_t insn)
{
	bool right = insn & 0x40;
	uint32_t m =
		shift_immediate(cpu->r[RM(insn)], right ? SHIFT_ASR : SHIFT_LSL, insn >> 7 & 31, 0)
			.value;
	uint32_t of_m = right ? 0x0000ffffu : 0xffff0000u;

	cpu->r[RD(insn)] = (cpu->r[RN(insn)] & ~of_m) | (m & of_m);
	return EXEC_OK;
}

/* SXTAB16, SXTAB, SXTAH and with bit 22 the unsigned ones: bits 21:20 choose. Rn 15: nothing is added. */
static enum exec extend(struct cpu *cpu, uint32_t insn)
{
	uint32_t m = rotate_right(cpu->r[RM(insn)], insn >> 7 & 0x18);
	uint32_t n = RN(insn) == 15 ? 0 : cpu->r[RN(insn)];
	bool zero = insn & 0x00400000;
	uint32_t low = zero ? m & 0xff : (uint32_t)(int8_t)m;
	uint32_t high;

	switch (insn >> 20 & 3) {
	case 0:
		high = zero ? m >> 16 & 0xff : (uint32_t)(int8_t)(m >> 16);
		cpu->r[RD(insn)] = ((n + low) & 0xffff) | (n + (high << 16)) >> 16 << 16;
		break;
	case 2:
		cpu->r[RD(insn)] = n + low;
		break;
	default:
		low = zero ? m & 0xffff : (uint32_t)(int16_t)m;
		cpu->r[RD(insn)] = n + low;
		break;
	}
	return EXEC_OK;
}

/* value in bits bits, signed, or in 0 to 2^bits - 1; Q when it did not fit. */
static uint32_t saturate_to(struct cpu *cpu, int32_t value, unsigned bits, bool is_unsigned)
{
	int64_t high = ((int64_t)1 << (is_unsigned ? bits : bits - 1)) - 1;
	int64_t low = is_unsigned ? 0 : -high - 1;

	if (value >= low && value <= high)
		return (uint32_t)value;
	cpu->cpsr |= PSR_Q;
	return (uint32_t)(value < low ? low : high);
}

/* SSAT, and with bit 22 USAT. */
static enum exec saturate_word(struct cpu *cpu, uint32_t insn)
{
	bool is_unsigned = insn & 0x00400000;
	unsigned bits = (insn >> 16 & 31) + !is_unsigned;
	uint32_t value = shift_immediate(cpu->r[RM(insn)], insn & 0x40 ? SHIFT_ASR : SHIFT_LSL,
	                                 insn >> 7 & 31, 0)
	                         .value;

	cpu->r[RD(insn)] = saturate_to(cpu, (int32_t)value, bits, is_unsigned);
	return EXEC_OK;
}

static enum exec saturate_halves(struct cpu *cpu, uint32_t insn)
{
	bool is_unsigned = insn & 0x00400000;
	unsigned bits = (insn >> 16 & 15) + !is_unsigned;
	uint32_t m = cpu->r[RM(insn)];
	uint32_t low = saturate_to(cpu, (int16_t)m, bits, is_unsigned);
	uint32_t high = saturate_to(cpu, (int16_t)(m >> 16), bits, is_unsigned);

	cpu->r[RD(insn)] = (low & 0xffff) | high << 16;
	return EXEC_OK;
}

static enum exec reverse(struct cpu *cpu, uint32_t insn)
{
	cpu->r[RD(insn)] = reverse_word(cpu->r[RM(insn)]);
	return EXEC_OK;
}

static enum exec reverse_in_halves(struct cpu *cpu, uint32_t insn)
{
	cpu->r[RD(insn)] = reverse_halves(cpu->r[RM(insn)]);
	return EXEC_OK;
}

static enum exec reverse_signed(struct cpu *cpu, uint32_t insn)
{
	cpu->r[RD(insn)] = (uint32_t)(int16_t)reverse_halves(cpu->r[RM(insn)]);
	return EXEC_OK;
}

const struct arm_row arm_media_rows[] = {
	{0x0f800010, 0x06000010, parallel},
	{0x0ff000f0, 0x068000b0, select_bytes},
	{0x0ff00030, 0x06800010, pack},
	{0x0fb00030, 0x06a00010, saturate_word}, /* bit 20 is the amount's */
	{0x0fb00030, 0x06b00010, saturate_word},
	{0x0fb000f0, 0x06a00030, saturate_halves},
	{0x0fb000f0, 0x06800070, extend},
	{0x0fb000f0, 0x06a00070, extend},
	{0x0fb000f0, 0x06b00070, extend},
	{0x0ff000f0, 0x06b00030, reverse},
	{0x0ff000f0, 0x06b000b0, reverse_in_halves},
	{0x0ff000f0, 0x06f000b0, reverse_signed},
	{0, 0, NULL},
};
