/* arm_insn.h - what the files of the ARM decoder share: fields of an instruction, the shifter and
 * the flags. An instruction is a function of the core and its 32 bits. */
#pragma once
#include "cpu.h"

#include <stdint.h>

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* Bits 27:20 and 7:4 choose; a row takes all whose bits under mask are value. The first one wins. */
struct arm_row {
	uint32_t mask, value;
	arm_fn *run;
};

extern const struct arm_row arm_data_rows[]; /* each table ends with a row whose run is NULL */
extern const struct arm_row arm_multiply_rows[];
extern const struct arm_row arm_memory_rows[];
extern const struct arm_row arm_system_rows[];
/* ARMv6 only. */
extern const struct arm_row arm_media_rows[];
extern const struct arm_row arm_dual_rows[];
extern const struct arm_row arm_exclusive_rows[];
extern const struct arm_row arm_state_rows[];

/* The instructions with condition field 15. */
arm_fn arm_unconditional;
arm_fn arm_unconditional_v6; /* those that ARMv6 adds */
arm_fn arm_undefined;
arm_fn arm_branch;
arm_fn arm_breakpoint;

/* insn, with bits that the decoder has looked at already as the constants that they are. */
#define FIXED(insn, mask, value) (((insn) & ~(mask)) | (value))

#define RN(insn) ((insn) >> 16 & 15)
#define RD(insn) ((insn) >> 12 & 15)
#define RS(insn) ((insn) >> 8 & 15)
#define RM(insn) ((insn)&15)

ALWAYS_INLINE uint32_t rotate_right(uint32_t value, uint32_t by)
{
	by &= 31;
	return by ? value >> by | value << (32 - by) : value;
}

/* REV and REV16. */
ALWAYS_INLINE uint32_t reverse_word(uint32_t value)
{
	return __builtin_bswap32(value);
}

ALWAYS_INLINE uint32_t reverse_halves(uint32_t value)
{
	return rotate_right(__builtin_bswap32(value), 16);
}

/* An operand and the carry out of the shifter: 0 or 1. */
struct shifted {
	uint32_t value, carry;
};

enum shift_kind { SHIFT_LSL, SHIFT_LSR, SHIFT_ASR, SHIFT_ROR };

/* Shift by 0 to 255, as an amount in a register does. */
ALWAYS_INLINE struct shifted shift_by(uint32_t value, unsigned kind, uint32_t by, uint32_t carry)
{
	if (by == 0)
		return (struct shifted){value, carry};
	switch ((enum shift_kind)kind) {
	case SHIFT_LSL:
		if (by < 32)
			return (struct shifted){value << by, value >> (32 - by) & 1};
		return (struct shifted){0, by == 32 ? value & 1 : 0};
	case SHIFT_LSR:
		if (by < 32)
			return (struct shifted){value >> by, value >> (by - 1) & 1};
		return (struct shifted){0, by == 32 ? value >> 31 : 0};
	case SHIFT_ASR:
		if (by < 32)
			/* cppcheck-suppress shiftTooManyBitsSigned ; arithmetic on each compiler used */
			return (struct shifted){(uint32_t)((int32_t)value >> by),
			                        value >> (by - 1) & 1};
		return (struct shifted){0 - (value >> 31), value >> 31};
	case SHIFT_ROR:
	default:
		value = rotate_right(value, by);
		return (struct shifted){value, value >> 31};
	}
}

/* Shift by an amount in the instruction, where 0 is LSL #0, LSR #32, ASR #32 and RRX. */
ALWAYS_INLINE struct shifted shift_immediate(uint32_t value, unsigned kind, uint32_t by,
                                             uint32_t carry)
{
	if (by == 0 && kind == SHIFT_ROR)
		return (struct shifted){carry << 31 | value >> 1, value & 1};
	if (by == 0 && kind != SHIFT_LSL)
		by = 32;
	return shift_by(value, kind, by, carry);
}

ALWAYS_INLINE uint32_t carry_of(const struct cpu *cpu)
{
	return cpu->cpsr >> 29 & 1;
}

ALWAYS_INLINE uint32_t nz_of(uint32_t value)
{
	return (value & PSR_N) | (value ? 0 : PSR_Z);
}

ALWAYS_INLINE void set_nz(struct cpu *cpu, uint32_t value)
{
	cpu->cpsr = (cpu->cpsr & ~(PSR_N | PSR_Z)) | nz_of(value);
}

ALWAYS_INLINE void set_nzc(struct cpu *cpu, uint32_t value, uint32_t carry)
{
	cpu->cpsr = (cpu->cpsr & ~(PSR_N | PSR_Z | PSR_C)) | nz_of(value) | carry << 29;
}

/* a - b: carry is "no borrow". The same as add_flags(cpu, a, ~b, 1), in less. */
ALWAYS_INLINE uint32_t subtract_flags(struct cpu *cpu, uint32_t a, uint32_t b)
{
	uint32_t difference = a - b;
	uint32_t overflow = ((a ^ b) & (a ^ difference)) >> 31;

	cpu->cpsr = (cpu->cpsr & ~(PSR_N | PSR_Z | PSR_C | PSR_V)) | nz_of(difference) |
	            (uint32_t)(a >= b) << 29 | overflow << 28;
	return difference;
}

/* a + b + carry; a subtraction adds the complement with carry 1. */
ALWAYS_INLINE uint32_t add_flags(struct cpu *cpu, uint32_t a, uint32_t b, uint32_t carry)
{
	uint64_t wide = (uint64_t)a + b + carry;
	uint32_t sum = (uint32_t)wide;
	uint32_t overflow = (~(a ^ b) & (a ^ sum)) >> 31;

	cpu->cpsr = (cpu->cpsr & ~(PSR_N | PSR_Z | PSR_C | PSR_V)) | nz_of(sum) |
	            (uint32_t)(wide >> 32) << 29 | overflow << 28;
	return sum;
}
