/* ARM state: branches, status registers, coprocessors. */
#include "arm_insn.h"
#include "cp15.h"
#include "host.h"
#include "mem.h"

#include <stddef.h>

enum exec arm_branch(struct cpu *cpu, uint32_t insn)
{
	int32_t offset = (int32_t)(insn << 8) >> 6;
	uint32_t target = cpu->r[15] + (uint32_t)offset;

	if (insn & 0x01000000)
		cpu->r[14] = cpu->pc + 4;
	else if (target == cpu->pc && (cpu->cpsr & PSR_I))
		return EXEC_HALT;
	return cpu_jump(cpu, target);
}

/* BX; BXJ without Jazelle is the same. */
static enum exec branch_exchange(struct cpu *cpu, uint32_t insn)
{
	return cpu_branch_exchange(cpu, cpu->r[RM(insn)]);
}

static enum exec branch_link_exchange(struct cpu *cpu, uint32_t insn)
{
	uint32_t target = cpu->r[RM(insn)];

	cpu->r[14] = cpu->pc + 4;
	return cpu_branch_exchange(cpu, target);
}

enum exec arm_breakpoint(struct cpu *cpu, uint32_t insn)
{
	(void)insn;
	if (cpu->v6)
		cpu->mem->ifsr = FAULT_DEBUG;
	return EXEC_PREFETCH_ABORT;
}

static enum exec software_interrupt(struct cpu *cpu, uint32_t insn)
{
	(void)cpu;
	(void)insn;
	return EXEC_SWI;
}

#define OF_SPSR 0x00400000u

static enum exec status_to_register(struct cpu *cpu, uint32_t insn)
{
	const uint32_t *spsr = insn & OF_SPSR ? cpu_spsr(cpu) : NULL;

	cpu->r[RD(insn)] = spsr ? *spsr : cpu->cpsr; /* a mode without an SPSR shows the CPSR */
	return EXEC_OK;
}

static enum exec write_status(struct cpu *cpu, uint32_t insn, uint32_t value)
{
	uint32_t mask = 0;
	uint32_t *spsr;

	for (unsigned field = 0; field < 4; field++) {
		if (insn & 0x10000u << field)
			mask |= 0xffu << 8 * field;
	}
	if (insn & OF_SPSR) {
		spsr = cpu_spsr(cpu);
		if (spsr)
			*spsr = (*spsr & ~mask) | (value & mask);
		return EXEC_OK;
	}
	/* User mode has the flags only; the state bit is for BX. */
	if (cpu->v6)
		mask &= PSR_GE | PSR_E | (cpu->user_shift ? 0xf8000000u : 0xf80001dfu);
	else
		mask &= cpu->user_shift ? 0xf8000000u : 0xf80000dfu;
	if (!cpu_set_cpsr(cpu, (cpu->cpsr & ~mask) | (value & mask)))
		return cpu_stop(cpu, "MSR of 0x%08x: no such mode, or big-endian data", value);
	return EXEC_OK;
}

static enum exec register_to_status(struct cpu *cpu, uint32_t insn)
{
	return write_status(cpu, insn, cpu->r[RM(insn)]);
}

static enum exec immediate_to_status(struct cpu *cpu, uint32_t insn)
{
	return write_status(cpu, insn, rotate_right(insn & 0xff, insn >> 7 & 0x1e));
}

/* CP14. Of the debug unit there are its ID and its status, which say that it can do nothing and keep nothing:
 * Linux on ARMv6 looks at both. */
static enum exec debug_register(struct cpu *cpu, struct cp15_op op, bool is_read, unsigned rd)
{
	bool status = op.crm == 1;

	if (!cpu->v6 || cpu->user_shift || rd == 15 || op.opc1 || op.crn || op.crm > 1 || op.opc2)
		return EXEC_UNDEFINED;
	if (!is_read)
		return status ? EXEC_OK : EXEC_UNDEFINED;
	cpu->r[rd] = 0;
	return EXEC_OK;
}

/* MRC and MCR. There is CP15 for privileged code and no other coprocessor but that: Linux then finds no VFP. */
static enum exec coprocessor_register(struct cpu *cpu, uint32_t insn)
{
	struct cp15_op op = {.opc1 = insn >> 21 & 7,
	                     .crn = insn >> 16 & 15,
	                     .crm = insn & 15,
	                     .opc2 = insn >> 5 & 7};
	enum exec result;
	uint32_t value;

	bool is_read = insn & 0x00100000;

	if ((insn >> 8 & 15) == 14)
		return debug_register(cpu, op, is_read, RD(insn));
	if ((insn >> 8 & 15) != 15 || (cpu->user_shift && !cp15_is_for_user(cpu, op, is_read)))
		return EXEC_UNDEFINED;
	if (!is_read) {
		result = cp15_write(cpu, op, cpu->r[RD(insn)]);
		if (cpu->mem->fetch_line == FETCH_NONE)
			cpu_attend(cpu);
		return result;
	}
	result = cp15_read(cpu, op, &value);
	if (result != EXEC_OK)
		return result;
	if (RD(insn) == 15)
		cpu->cpsr = (cpu->cpsr & 0x0fffffff) | (value & 0xf0000000);
	else
		cpu->r[RD(insn)] = value;
	return EXEC_OK;
}

enum exec arm_undefined(struct cpu *cpu, uint32_t insn)
{
	(void)cpu;
	(void)insn;
	return EXEC_UNDEFINED;
}

__attribute__((noinline)) enum exec arm_unconditional(struct cpu *cpu, uint32_t insn)
{
	if ((insn & 0x0e000000) == 0x0a000000) { /* BLX; bit 24 is bit 1 of the target */
		int32_t offset = (int32_t)(insn << 8) >> 6;

		cpu->r[14] = cpu->pc + 4;
		return cpu_branch_exchange(cpu,
		                           (cpu->r[15] + (uint32_t)offset + (insn >> 23 & 2)) | 1);
	}
	if ((insn & 0x0d70f000) == 0x0550f000) /* PLD, which is ignored */
		return EXEC_OK;
	return cpu->v6 ? arm_unconditional_v6(cpu, insn) : EXEC_UNDEFINED;
}

const struct arm_row arm_system_rows[] = {
	{0x0fb000f0, 0x01000000, status_to_register},
	{0x0fb000f0, 0x01200000, register_to_status},
	{0x0fb00000, 0x03200000, immediate_to_status},
	{0x0ff000f0, 0x01200010, branch_exchange},
	{0x0ff000f0, 0x01200020, branch_exchange},
	{0x0ff000f0, 0x01200030, branch_link_exchange},
	{0x0ff000f0, 0x01200070, arm_breakpoint},
	{0x0e000000, 0x0a000000, arm_branch},
	{0x0f000010, 0x0e000010, coprocessor_register},
	{0x0f000000, 0x0f000000, software_interrupt},
	{0, 0, NULL},
};
