/* What the system control coprocessors of all cores have. */
#include "cp15_rows.h"
#include "mem.h"

uint32_t cp15_read_cache_type(struct cpu *cpu)
{
	return cpu->mem->cache_type;
}

/* No tightly coupled memory, no coprocessor but this one, nothing locked in cache or TLB. */
uint32_t cp15_read_zero(struct cpu *cpu)
{
	(void)cpu;
	return 0;
}

uint32_t cp15_read_control(struct cpu *cpu)
{
	return cpu->mem->mmu.control;
}

void cp15_set_control(struct cpu *cpu, uint32_t value, uint32_t mask)
{
	struct mem *mem = cpu->mem;
	bool round_robin = value & SCTLR_RR;

	mmu_set_control(&mem->mmu, (mem->mmu.control & ~mask) | (value & mask));
	if (mem->d)
		cache_set_round_robin(mem->d, round_robin);
	if (mem->i)
		cache_set_round_robin(mem->i, round_robin);
	mem_fetch_forget(mem);
}

uint32_t cp15_read_ttbr(struct cpu *cpu)
{
	return cpu->mem->mmu.ttbr;
}

uint32_t cp15_read_dacr(struct cpu *cpu)
{
	return cpu->mem->mmu.dacr;
}

enum exec cp15_write_dacr(struct cpu *cpu, uint32_t value)
{
	mmu_set_dacr(&cpu->mem->mmu, value);
	mem_fetch_forget(cpu->mem);
	return EXEC_OK;
}

uint32_t cp15_read_dfsr(struct cpu *cpu)
{
	return cpu->mem->dfsr;
}

uint32_t cp15_read_far(struct cpu *cpu)
{
	return cpu->mem->far;
}

enum exec cp15_write_far(struct cpu *cpu, uint32_t value)
{
	cpu->mem->far = value;
	return EXEC_OK;
}

uint32_t cp15_read_pid(struct cpu *cpu)
{
	return cpu->mem->mmu.pid;
}

enum exec cp15_write_pid(struct cpu *cpu, uint32_t value)
{
	mmu_set_pid(&cpu->mem->mmu, value & 0xfe000000u);
	mem_fetch_forget(cpu->mem);
	return EXEC_OK;
}

enum exec cp15_invalidate_i(struct cpu *cpu, uint32_t value)
{
	(void)value;
	mem_i_all(cpu->mem);
	return EXEC_OK;
}

enum exec cp15_invalidate_d(struct cpu *cpu, uint32_t value)
{
	(void)value;
	mem_d_all(cpu->mem, CACHE_INVALIDATE);
	return EXEC_OK;
}

enum exec cp15_invalidate_both(struct cpu *cpu, uint32_t value)
{
	(void)cp15_invalidate_i(cpu, value);
	return cp15_invalidate_d(cpu, value);
}

enum exec cp15_invalidate_d_index(struct cpu *cpu, uint32_t value)
{
	mem_d_index(cpu->mem, CACHE_INVALIDATE, value);
	return EXEC_OK;
}

enum exec cp15_clean_d_index(struct cpu *cpu, uint32_t value)
{
	mem_d_index(cpu->mem, CACHE_CLEAN, value);
	return EXEC_OK;
}

enum exec cp15_clean_invalidate_d_index(struct cpu *cpu, uint32_t value)
{
	mem_d_index(cpu->mem, CACHE_CLEAN_INVALIDATE, value);
	return EXEC_OK;
}

enum exec cp15_nothing(struct cpu *cpu, uint32_t value)
{
	(void)cpu;
	(void)value;
	return EXEC_OK;
}

enum exec cp15_wait_for_interrupt(struct cpu *cpu, uint32_t value)
{
	(void)value;
	if (cpu->lines)
		return EXEC_OK;
	cpu->waiting = true;
	cpu_poke(cpu);
	return EXEC_OK;
}

/* One TLB serves loads and fetches: flushing one flushes both. */
enum exec cp15_flush_tlb(struct cpu *cpu, uint32_t value)
{
	(void)value;
	mmu_flush(&cpu->mem->mmu);
	mem_fetch_forget(cpu->mem);
	return EXEC_OK;
}
