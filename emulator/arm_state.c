/* ARM state, ARMv6: changes of the processor's state, and what saves it at an exception and gets it back. */
#include "arm_insn.h"
#include "cp15.h"
#include "mem.h"

#include <stddef.h>

#define BEFORE    0x01000000u
#define UP        0x00800000u
#define WRITEBACK 0x00200000u

enum exec cpu_change_state(struct cpu *cpu, uint32_t aif, uint32_t imod, bool to_mode,
                           uint32_t mode)
{
	uint32_t mask = (aif & 4 ? PSR_A : 0u) | (aif & 2 ? PSR_I : 0u) | (aif & 1 ? PSR_F : 0u);
	uint32_t value = cpu->cpsr;

	if (cpu->user_shift)
		return EXEC_OK;
	if (imod == 2)
		value &= ~mask;
	else if (imod == 3)
		value |= mask;
	if (to_mode)
		value = (value & ~0x1fu) | mode;
	if (!cpu_set_cpsr(cpu, value))
		return cpu_stop(cpu, "CPS to mode 0x%02x, which does not exist", mode);
	return EXEC_OK;
}

enum exec cpu_set_endian(struct cpu *cpu, bool big)
{
	if (big)
		return cpu_stop(cpu, "SETEND BE: big-endian data is not modelled");
	return EXEC_OK;
}

/* The lower of two words at the base, by the four addressing modes. */
static uint32_t place(uint32_t insn, uint32_t base)
{
	uint32_t lowest = insn & UP ? base : base - 8;

	return !(insn & BEFORE) == !(insn & UP) ? lowest + 4 : lowest;
}

static uint32_t moved(uint32_t insn, uint32_t base)
{
	return insn & UP ? base + 8 : base - 8;
}

/* SRS: LR and SPSR to the stack of another mode. */
static enum exec store_return_state(struct cpu *cpu, uint32_t insn)
{
	uint32_t *sp = cpu_stack_of(cpu, insn & 0x1f);
	const uint32_t *spsr = cpu_spsr(cpu);
	uint32_t at;

	if (!spsr || !sp)
		return EXEC_UNDEFINED;
	at = place(insn, *sp);
	if (!mem_aligned(cpu->mem, at, 4, true) || !mem_store32(cpu->mem, at, 0, cpu->r[14]) ||
	    !mem_store32(cpu->mem, at + 4, 0, *spsr))
		return EXEC_DATA_ABORT;
	if (insn & WRITEBACK)
		*sp = moved(insn, *sp);
	return EXEC_OK;
}

/* RFE: PC and CPSR from memory. */
static enum exec return_from_exception(struct cpu *cpu, uint32_t insn)
{
	uint32_t base = cpu->r[RN(insn)];
	uint32_t at = place(insn, base);
	uint32_t pc, cpsr;

	if (cpu->user_shift)
		return EXEC_UNDEFINED;
	if (!mem_aligned(cpu->mem, at, 4, false) || !mem_load32(cpu->mem, at, 0, &pc) ||
	    !mem_load32(cpu->mem, at + 4, 0, &cpsr))
		return EXEC_DATA_ABORT;
	if (insn & WRITEBACK)
		cpu->r[RN(insn)] = moved(insn, base);
	if (!cpu_set_cpsr(cpu, cpsr))
		return cpu_stop(cpu, "RFE to a state 0x%08x that does not exist", cpsr);
	return cpu_jump(cpu, pc);
}

enum exec arm_unconditional_v6(struct cpu *cpu, uint32_t insn)
{
	if ((insn & 0x0ff10020) == 0x01000000)
		return cpu_change_state(cpu, insn >> 6 & 7, insn >> 18 & 3, insn >> 17 & 1,
		                        insn & 0x1f);
	if ((insn & 0x0ffffdff) == 0x01010000)
		return cpu_set_endian(cpu, insn & 0x200);
	if ((insn & 0x0e5fffe0) == 0x084d0500)
		return store_return_state(cpu, insn);
	if ((insn & 0x0e50ffff) == 0x08100a00)
		return return_from_exception(cpu, insn);
	if ((insn & 0x0fffffff) == 0x057ff01f) { /* CLREX */
		cpu->exclusive_bytes = 0;
		return EXEC_OK;
	}
	return EXEC_UNDEFINED;
}

/* MCRR: an operation on a range of addresses. */
static enum exec coprocessor_range(struct cpu *cpu, uint32_t insn)
{
	if (RS(insn) != 15)
		return EXEC_UNDEFINED;
	cpu_attend(cpu); /* it may be the I-cache's */
	return cp15_range(cpu, insn >> 4 & 15, insn & 15, cpu->r[RN(insn)], cpu->r[RD(insn)]);
}

const struct arm_row arm_state_rows[] = {
	{0x0ff00000, 0x0c400000, coprocessor_range},
	{0, 0, NULL},
};
