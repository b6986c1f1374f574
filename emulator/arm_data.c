/* ARM state: data processing, with a function made for each opcode and kind of operand. */
#include "arm_insn.h"

#include <stddef.h>

enum alu { AND, EOR, SUB, RSB, ADD, ADC, SBC, RSC, TST, TEQ, CMP, CMN, ORR, MOV, BIC, MVN };

#define SET_FLAGS 0x00100000u

ALWAYS_INLINE uint32_t logic(unsigned op, uint32_t a, uint32_t b)
{
	switch (op) {
	case AND:
	case TST:
		return a & b;
	case EOR:
	case TEQ:
		return a ^ b;
	case ORR:
		return a | b;
	case BIC:
		return a & ~b;
	case MVN:
		return ~b;
	default:
		return b;
	}
}

struct sum {
	uint32_t a, b, carry;
};

ALWAYS_INLINE struct sum as_sum(unsigned op, uint32_t a, uint32_t b, uint32_t carry)
{
	switch (op) {
	case SUB:
	case CMP:
		return (struct sum){a, ~b, 1};
	case RSB:
		return (struct sum){b, ~a, 1};
	case ADC:
		return (struct sum){a, b, carry};
	case SBC:
		return (struct sum){a, ~b, carry};
	case RSC:
		return (struct sum){b, ~a, carry};
	default:
		return (struct sum){a, b, 0};
	}
}

/* Rd is the PC: a jump, and with S the return from an exception. */
static enum exec write_pc(struct cpu *cpu, uint32_t insn, uint32_t value)
{
	if (insn & SET_FLAGS) {
		const uint32_t *spsr = cpu_spsr(cpu);

		if (!spsr || !cpu_set_cpsr(cpu, *spsr))
			return cpu_stop(cpu, "return with an SPSR that names no mode");
	}
	return cpu_jump(cpu, value);
}

ALWAYS_INLINE bool is_logic(unsigned op)
{
	return op == AND || op == EOR || op == TST || op == TEQ || op >= ORR;
}

ALWAYS_INLINE bool is_test(unsigned op)
{
	return op >= TST && op <= CMN;
}

ALWAYS_INLINE enum exec data(struct cpu *cpu, uint32_t insn, unsigned op, struct shifted b)
{
	bool flags = (insn & SET_FLAGS) && (is_test(op) || RD(insn) != 15);
	uint32_t a = cpu->r[RN(insn)];
	uint32_t result;

	if (is_logic(op)) {
		result = logic(op, a, b.value);
		if (flags)
			set_nzc(cpu, result, b.carry);
	} else {
		struct sum sum = as_sum(op, a, b.value, carry_of(cpu));

		if (flags && (op == SUB || op == CMP || op == RSB))
			result = subtract_flags(cpu, sum.a, ~sum.b);
		else if (flags)
			result = add_flags(cpu, sum.a, sum.b, sum.carry);
		else
			result = sum.a + sum.b + sum.carry;
	}
	if (is_test(op))
		return EXEC_OK;
	if (RD(insn) == 15)
		return write_pc(cpu, insn, result);
	cpu->r[RD(insn)] = result;
	return EXEC_OK;
}

ALWAYS_INLINE struct shifted operand_immediate(struct cpu *cpu, uint32_t insn)
{
	uint32_t by = insn >> 7 & 0x1e;
	uint32_t value = rotate_right(insn & 0xff, by);

	return (struct shifted){value, by ? value >> 31 : carry_of(cpu)};
}

ALWAYS_INLINE struct shifted operand_shift(struct cpu *cpu, uint32_t insn, unsigned kind)
{
	return shift_immediate(cpu->r[RM(insn)], kind, insn >> 7 & 31, carry_of(cpu));
}

/* The extra cycle for the amount shows in the PC. */
ALWAYS_INLINE struct shifted operand_register(struct cpu *cpu, uint32_t insn)
{
	cpu->r[15] += 4;
	return shift_by(cpu->r[RM(insn)], insn >> 5 & 3, cpu->r[RS(insn)] & 0xff, carry_of(cpu));
}

/* The bits in name are known when the function is made: S, the kind of shift. */
#define IMMEDIATE(op, name, s)                                                                     \
	static enum exec name(struct cpu *cpu, uint32_t insn)                                      \
	{                                                                                          \
		insn = FIXED(insn, SET_FLAGS, s);                                                  \
		return data(cpu, insn, op, operand_immediate(cpu, insn));                          \
	}
#define SHIFT(op, name, s, kind)                                                                   \
	static enum exec name(struct cpu *cpu, uint32_t insn)                                      \
	{                                                                                          \
		insn = FIXED(insn, SET_FLAGS, s);                                                  \
		return data(cpu, insn, op, operand_shift(cpu, insn, kind));                        \
	}
#define DATA(op)                                                                                   \
	IMMEDIATE(op, op##_immediate, 0)                                                           \
	IMMEDIATE(op, op##_immediate_s, SET_FLAGS)                                                 \
	SHIFT(op, op##_lsl, 0, SHIFT_LSL)                                                          \
	SHIFT(op, op##_lsl_s, SET_FLAGS, SHIFT_LSL)                                                \
	SHIFT(op, op##_shift, 0, insn >> 5 & 3)                                                    \
	SHIFT(op, op##_shift_s, SET_FLAGS, insn >> 5 & 3)                                          \
	static enum exec op##_register(struct cpu *cpu, uint32_t insn)                             \
	{                                                                                          \
		struct shifted operand = operand_register(cpu, insn);                              \
                                                                                                   \
		return data(cpu, insn, op, operand);                                               \
	}
/* Tests need S: without it the pattern belongs to the system instructions. */
#define TEST(op)                                                                                   \
	IMMEDIATE(op, op##_immediate_s, SET_FLAGS)                                                 \
	SHIFT(op, op##_lsl_s, SET_FLAGS, SHIFT_LSL)                                                \
	SHIFT(op, op##_shift_s, SET_FLAGS, insn >> 5 & 3)                                          \
	static enum exec op##_register(struct cpu *cpu, uint32_t insn)                             \
	{                                                                                          \
		struct shifted operand = operand_register(cpu, insn);                              \
                                                                                                   \
		return data(cpu, insn, op, operand);                                               \
	}

DATA(AND)
DATA(EOR)
DATA(SUB)
DATA(RSB)
DATA(ADD)
DATA(ADC)
DATA(SBC)
DATA(RSC)
TEST(TST)
TEST(TEQ)
TEST(CMP)
TEST(CMN)
DATA(ORR)
DATA(MOV)
DATA(BIC)
DATA(MVN)

#define TEST_ROW(op)                                                                               \
	{0x0ff00000u, 0x02000000u | (op) << 21 | SET_FLAGS, op##_immediate_s},                     \
		{0x0ff00070u, (op) << 21 | SET_FLAGS, op##_lsl_s},                                 \
		{0x0ff00010u, (op) << 21 | SET_FLAGS, op##_shift_s},                               \
	{                                                                                          \
		0x0ff00090u, (op) << 21 | SET_FLAGS | 0x10u, op##_register                         \
	}
#define ROW(op)                                                                                    \
	TEST_ROW(op), {0x0ff00000u, 0x02000000u | (op) << 21, op##_immediate},                     \
		{0x0ff00070u, (op) << 21, op##_lsl}, {0x0ff00010u, (op) << 21, op##_shift},        \
	{                                                                                          \
		0x0fe00090u, (op) << 21 | 0x10u, op##_register                                     \
	}

const struct arm_row arm_data_rows[] = {
	ROW(AND), ROW(EOR), ROW(SUB),      ROW(RSB),      ROW(ADD),      ROW(ADC),
	ROW(SBC), ROW(RSC), TEST_ROW(TST), TEST_ROW(TEQ), TEST_ROW(CMP), TEST_ROW(CMN),
	ROW(ORR), ROW(MOV), ROW(BIC),      ROW(MVN),      {0, 0, NULL},
};
