/* The system control coprocessor of the ARM926EJ-S. Its cache operations cannot abort: an address without a
 * translation is in no cache. */
#include "cp15_rows.h"
#include "mem.h"

#include <stddef.h>

static uint32_t read_midr(struct cpu *cpu)
{
	(void)cpu;
	return 0x41069265; /* r0p5 */
}

static enum exec write_control(struct cpu *cpu, uint32_t value)
{
	cp15_set_control(cpu, value, 0xff87);
	return EXEC_OK;
}

static enum exec write_ttbr(struct cpu *cpu, uint32_t value)
{
	cpu->mem->mmu.ttbr = value & 0xffffc000u;
	return EXEC_OK;
}

static enum exec write_dfsr(struct cpu *cpu, uint32_t value)
{
	cpu->mem->dfsr = value & 0xff;
	return EXEC_OK;
}

static uint32_t read_ifsr(struct cpu *cpu)
{
	return cpu->mem->ifsr;
}

static enum exec write_ifsr(struct cpu *cpu, uint32_t value)
{
	cpu->mem->ifsr = value & 0xff;
	return EXEC_OK;
}

static enum exec invalidate_i_line(struct cpu *cpu, uint32_t value)
{
	(void)mem_i_line(cpu->mem, value);
	return EXEC_OK;
}

static enum exec invalidate_d_line(struct cpu *cpu, uint32_t value)
{
	(void)mem_d_line(cpu->mem, CACHE_INVALIDATE, value);
	return EXEC_OK;
}

static enum exec clean_d_line(struct cpu *cpu, uint32_t value)
{
	(void)mem_d_line(cpu->mem, CACHE_CLEAN, value);
	return EXEC_OK;
}

static enum exec clean_invalidate_d_line(struct cpu *cpu, uint32_t value)
{
	(void)mem_d_line(cpu->mem, CACHE_CLEAN_INVALIDATE, value);
	return EXEC_OK;
}

/* Z, which the loop around it waits for, is bit 30: nothing is dirty any more. */
static uint32_t test_clean(struct cpu *cpu)
{
	return !cpu->mem->d || cache_test_clean(cpu->mem->d) ? PSR_Z : 0;
}

static uint32_t test_clean_invalidate(struct cpu *cpu)
{
	uint32_t clean = test_clean(cpu);

	if (clean)
		mem_d_all(cpu->mem, CACHE_INVALIDATE);
	return clean;
}

static enum exec flush_tlb_page(struct cpu *cpu, uint32_t value)
{
	mmu_flush_page(&cpu->mem->mmu, mmu_mva(&cpu->mem->mmu, value), 0);
	mem_fetch_forget(cpu->mem);
	return EXEC_OK;
}

const struct cp15_row cp15_arm926_rows[] = {
	{{0, 0, 0, 0}, read_midr, NULL, 0},
	{{0, 0, 0, 1}, cp15_read_cache_type, NULL, 0},
	{{0, 0, 0, 2}, cp15_read_zero, NULL, 0},
	{{0, 0, 0, 3}, read_midr, NULL, 0}, /* what is not decoded shows the MIDR */
	{{0, 0, 0, 4}, read_midr, NULL, 0},
	{{0, 0, 0, 5}, read_midr, NULL, 0},
	{{0, 0, 0, 6}, read_midr, NULL, 0},
	{{0, 0, 0, 7}, read_midr, NULL, 0},
	{{0, 1, 0, 0}, cp15_read_control, write_control, 0},
	{{0, 2, 0, 0}, cp15_read_ttbr, write_ttbr, 0},
	{{0, 3, 0, 0}, cp15_read_dacr, cp15_write_dacr, 0},
	{{0, 5, 0, 0}, cp15_read_dfsr, write_dfsr, 0},
	{{0, 5, 0, 1}, read_ifsr, write_ifsr, 0},
	{{0, 6, 0, 0}, cp15_read_far, cp15_write_far, 0},
	{{0, 7, 0, 4}, NULL, cp15_wait_for_interrupt, 0},
	{{0, 7, 5, 0}, NULL, cp15_invalidate_i, 0},
	{{0, 7, 5, 1}, NULL, invalidate_i_line, 0},
	{{0, 7, 5, 4}, NULL, cp15_nothing, 0}, /* flush prefetch buffer */
	{{0, 7, 6, 0}, NULL, cp15_invalidate_d, 0},
	{{0, 7, 6, 1}, NULL, invalidate_d_line, 0},
	{{0, 7, 6, 2}, NULL, cp15_invalidate_d_index, 0},
	{{0, 7, 7, 0}, NULL, cp15_invalidate_both, 0},
	{{0, 7, 10, 1}, NULL, clean_d_line, 0},
	{{0, 7, 10, 2}, NULL, cp15_clean_d_index, 0},
	{{0, 7, 10, 3}, test_clean, NULL, 0},
	{{0, 7, 10, 4}, NULL, cp15_nothing, 0}, /* drain write buffer */
	{{0, 7, 14, 1}, NULL, clean_invalidate_d_line, 0},
	{{0, 7, 14, 2}, NULL, cp15_clean_invalidate_d_index, 0},
	{{0, 7, 14, 3}, test_clean_invalidate, NULL, 0},
	{{0, 8, 5, 0}, NULL, cp15_flush_tlb, 0},
	{{0, 8, 5, 1}, NULL, flush_tlb_page, 0},
	{{0, 8, 6, 0}, NULL, cp15_flush_tlb, 0},
	{{0, 8, 6, 1}, NULL, flush_tlb_page, 0},
	{{0, 8, 7, 0}, NULL, cp15_flush_tlb, 0},
	{{0, 9, 0, 0}, cp15_read_zero, NULL, 0},
	{{0, 9, 0, 1}, cp15_read_zero, NULL, 0},
	{{0, 10, 0, 0}, cp15_read_zero, NULL, 0},
	{{0, 13, 0, 0}, cp15_read_pid, cp15_write_pid, 0},
	{{0, 0, 0, 0}, NULL, NULL, 0},
};
