#include "cpu.h"

#include "mem.h"
#include "snap.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Bit n of a row: the condition holds for NZCV == n. NV (15) never does; in ARM state it means
 * "another instruction", which arm_run() looks at when the condition failed. */
const uint16_t cpu_conditions[16] = {
	0xf0f0, 0x0f0f, 0xcccc, 0x3333, /* EQ NE CS CC */
	0xff00, 0x00ff, 0xaaaa, 0x5555, /* MI PL VS VC */
	0x0c0c, 0xf3f3, 0xaa55, 0x55aa, /* HI LS GE LT */
	0x0a05, 0xf5fa, 0xffff, 0x0000, /* GT LE AL NV */
};

static int bank_of(uint32_t mode)
{
	switch (mode & 0x1f) {
	case MODE_USR:
	case MODE_SYS:
		return BANK_USR;
	case MODE_FIQ:
		return BANK_FIQ;
	case MODE_IRQ:
		return BANK_IRQ;
	case MODE_SVC:
		return BANK_SVC;
	case MODE_ABT:
		return BANK_ABT;
	case MODE_UND:
		return BANK_UND;
	default:
		return -1;
	}
}

static const char *const model_names[] = {
	[CPU_ARM926] = "arm926", [CPU_ARM1136] = "arm1136", [CPU_ARM1176] = "arm1176"};

const char *cpu_model_name(enum cpu_model model)
{
	return model_names[model];
}

bool cpu_model_by_name(const char *name, enum cpu_model *model)
{
	for (unsigned n = 0; n < sizeof(model_names) / sizeof(model_names[0]); n++) {
		if (strcmp(name, model_names[n]) == 0) {
			*model = (enum cpu_model)n;
			return true;
		}
	}
	return false;
}

void cpu_init(struct cpu *cpu, struct mem *mem, enum cpu_model model)
{
	memset(cpu, 0, sizeof(*cpu));
	cpu->model = model;
	cpu->v6 = model != CPU_ARM926;
	cpu->stored_pc = cpu->v6 ? 0 : 4;
	cpu->cp15.aux_control = 7; /* prediction on; the ARM926 has no such register */
	cpu->mem = mem;
	mem->mmu.v6 = cpu->v6;
	cpu->cpsr = MODE_SVC | PSR_I | PSR_F | (cpu->v6 ? PSR_A : 0);
	arm_init(cpu);
	thumb_init(cpu);
}

static void bank_switch(struct cpu *cpu, int from, int to)
{
	memcpy(cpu->bank_sp_lr[from], &cpu->r[13], sizeof(cpu->bank_sp_lr[from]));
	memcpy(&cpu->r[13], cpu->bank_sp_lr[to], sizeof(cpu->bank_sp_lr[to]));
	if ((from == BANK_FIQ) != (to == BANK_FIQ)) {
		memcpy(cpu->bank_low[from == BANK_FIQ], &cpu->r[8], sizeof(cpu->bank_low[0]));
		memcpy(&cpu->r[8], cpu->bank_low[to == BANK_FIQ], sizeof(cpu->bank_low[0]));
	}
}

bool cpu_set_cpsr(struct cpu *cpu, uint32_t value)
{
	int from = bank_of(cpu->cpsr);
	int to = bank_of(value);

	if (to < 0 || (cpu->v6 && (value & PSR_E)))
		return false;
	if (from != to)
		bank_switch(cpu, from, to);
	if ((cpu->cpsr ^ value) & 0x1f) {
		cpu->user_shift = (value & 0x1f) == MODE_USR ? 2 : 0;
		mem_fetch_forget(cpu->mem); /* permissions differ */
	}
	cpu->cpsr = value;
	cpu_attend(cpu);
	return true;
}

uint32_t *cpu_spsr(struct cpu *cpu)
{
	int bank = bank_of(cpu->cpsr);

	return bank == BANK_USR ? NULL : &cpu->spsr[bank];
}

uint32_t *cpu_stack_of(struct cpu *cpu, uint32_t mode)
{
	int bank = bank_of(mode);

	if (bank < 0)
		return NULL;
	return bank == bank_of(cpu->cpsr) ? &cpu->r[13] : &cpu->bank_sp_lr[bank][0];
}

uint32_t *cpu_user_reg(struct cpu *cpu, unsigned n)
{
	int bank = bank_of(cpu->cpsr);

	if (bank == BANK_FIQ && n >= 8 && n <= 12)
		return &cpu->bank_low[0][n - 8];
	if (bank != BANK_USR && (n == 13 || n == 14))
		return &cpu->bank_sp_lr[BANK_USR][n - 13];
	return &cpu->r[n];
}

enum exec cpu_stop(struct cpu *cpu, const char *fmt, ...)
{
	char what[112];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	(void)snprintf(cpu->stop_text, sizeof(cpu->stop_text), "%s at pc 0x%08x (%s)", what,
	               cpu->pc, cpu->cpsr & PSR_T ? "Thumb" : "ARM");
	return EXEC_STOP;
}

enum exec cpu_branch_exchange(struct cpu *cpu, uint32_t target)
{
	uint32_t thumb = target & 1 ? PSR_T : 0;

	if ((cpu->cpsr & PSR_T) != thumb) {
		cpu->cpsr ^= PSR_T;
		cpu_attend(cpu);
	}
	return cpu_jump(cpu, target);
}

void cpu_poke(struct cpu *cpu)
{
	cpu->run_until = 0;
	cpu_attend(cpu);
}

void cpu_set_line(struct cpu *cpu, enum cpu_line line, bool level)
{
	if (level) {
		cpu->lines |= (uint32_t)line;
		cpu_attend(cpu);
		cpu->waiting = false;
	} else {
		cpu->lines &= ~(uint32_t)line;
	}
}

enum exec cpu_run(struct cpu *cpu)
{
	while (cpu->count < cpu->run_until) {
		enum exec result;

		cpu->stop_at = cpu->run_until;
		if (cpu->lines && cpu_interrupt(cpu))
			continue;
		result = cpu->cpsr & PSR_T ? thumb_run(cpu) : arm_run(cpu);
		if (result == EXEC_OK)
			continue;
		if (result >= EXEC_HALT)
			return result;
		cpu_exception(cpu, result);
		cpu->pc = cpu->next_pc;
	}
	return EXEC_OK;
}

void cpu_snap(struct cpu *cpu, struct snap *snap)
{
	snap_part(snap, "core");
	SNAP(snap, cpu->r);
	SNAP(snap, cpu->pc);
	SNAP(snap, cpu->next_pc);
	SNAP(snap, cpu->cpsr);
	SNAP(snap, cpu->user_shift);
	SNAP(snap, cpu->lines);
	SNAP(snap, cpu->count);
	SNAP(snap, cpu->waiting);
	SNAP(snap, cpu->spsr);
	SNAP(snap, cpu->bank_sp_lr);
	SNAP(snap, cpu->bank_low);
	SNAP(snap, cpu->exclusive_address);
	SNAP(snap, cpu->exclusive_bytes);
	SNAP(snap, cpu->cp15);
	snap_need(snap, bank_of(cpu->cpsr) >= 0 && (cpu->user_shift == 0 || cpu->user_shift == 2));
}
