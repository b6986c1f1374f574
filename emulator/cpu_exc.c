/* Exceptions: what each leaves in LR and SPSR, and where it goes. */
#include "cpu.h"
#include "mem.h"

#include <assert.h>
#include <stddef.h>

struct vector {
	uint32_t offset;
	enum cpu_mode mode;
	uint32_t mask;             /* CPSR bits set on entry, A with ARMv6 only */
	uint32_t lr_arm, lr_thumb; /* LR is the instruction's address plus this */
};

static const struct vector vectors[] = {
	[EXEC_UNDEFINED] = {0x04, MODE_UND, PSR_I, 4, 2},
	[EXEC_SWI] = {0x08, MODE_SVC, PSR_I, 4, 2},
	[EXEC_PREFETCH_ABORT] = {0x0c, MODE_ABT, PSR_I | PSR_A, 4, 4},
	[EXEC_DATA_ABORT] = {0x10, MODE_ABT, PSR_I | PSR_A, 8, 8},
};
/* The address is that of the instruction which did not run. */
static const struct vector irq_vector = {0x18, MODE_IRQ, PSR_I | PSR_A, 4, 4};
static const struct vector fiq_vector = {0x1c, MODE_FIQ, PSR_I | PSR_F | PSR_A, 4, 4};

static void enter(struct cpu *cpu, const struct vector *vector)
{
	uint32_t old = cpu->cpsr;
	uint32_t mask = cpu->v6 ? vector->mask : vector->mask & ~PSR_A;
	uint32_t *spsr;

	(void)cpu_set_cpsr(cpu, (old & ~(0x1fu | PSR_T)) | (uint32_t)vector->mode | mask);
	spsr = cpu_spsr(cpu);
	assert(spsr != NULL);
	*spsr = old;
	cpu->r[14] = cpu->pc + (old & PSR_T ? vector->lr_thumb : vector->lr_arm);
	cpu->next_pc = mem_vector_base(cpu->mem) + vector->offset;
}

void cpu_exception(struct cpu *cpu, enum exec why)
{
	assert(why > EXEC_OK && why < EXEC_HALT);
	if (why == EXEC_DATA_ABORT)
		mem_report_data_fault(cpu->mem);
	else if (why == EXEC_PREFETCH_ABORT)
		cpu->cp15.ifar = cpu->pc;
	enter(cpu, &vectors[why]);
}

bool cpu_interrupt(struct cpu *cpu)
{
	if ((cpu->lines & CPU_FIQ) && !(cpu->cpsr & PSR_F))
		enter(cpu, &fiq_vector);
	else if ((cpu->lines & CPU_IRQ) && !(cpu->cpsr & PSR_I))
		enter(cpu, &irq_vector);
	else
		return false;
	cpu->pc = cpu->next_pc;
	return true;
}
