#include "cp15.h"

#include "cache.h"
#include "mem.h"

#include <stddef.h>

typedef uint32_t read_fn(struct cpu *cpu);
typedef void write_fn(struct cpu *cpu, uint32_t value);

struct row {
	struct cp15_op op;
	read_fn *read;   /* NULL: no MRC */
	write_fn *write; /* NULL: no MCR */
};

static uint32_t read_midr(struct cpu *cpu)
{
	(void)cpu;
	return CP15_MIDR;
}

static uint32_t read_cache_type(struct cpu *cpu)
{
	return cpu->mem->cache_type;
}

/* No tightly coupled memory. */
static uint32_t read_tcm(struct cpu *cpu)
{
	(void)cpu;
	return 0;
}

static uint32_t read_control(struct cpu *cpu)
{
	return cpu->mem->mmu.control;
}

static void write_control(struct cpu *cpu, uint32_t value)
{
	struct mem *mem = cpu->mem;
	const uint32_t writable = 0xff87;
	bool round_robin = value & SCTLR_RR;

	mmu_set_control(&mem->mmu, (mem->mmu.control & ~writable) | (value & writable));
	if (mem->d)
		cache_set_round_robin(mem->d, round_robin);
	if (mem->i)
		cache_set_round_robin(mem->i, round_robin);
	mem_fetch_forget(mem);
}

static uint32_t read_ttbr(struct cpu *cpu)
{
	return cpu->mem->mmu.ttbr;
}

static void write_ttbr(struct cpu *cpu, uint32_t value)
{
	cpu->mem->mmu.ttbr = value & 0xffffc000u;
}

static uint32_t read_dacr(struct cpu *cpu)
{
	return cpu->mem->mmu.dacr;
}

static void write_dacr(struct cpu *cpu, uint32_t value)
{
	mmu_set_dacr(&cpu->mem->mmu, value);
	mem_fetch_forget(cpu->mem);
}

static uint32_t read_dfsr(struct cpu *cpu)
{
	return cpu->mem->dfsr;
}

static void write_dfsr(struct cpu *cpu, uint32_t value)
{
	cpu->mem->dfsr = value & 0xff;
}

static uint32_t read_ifsr(struct cpu *cpu)
{
	return cpu->mem->ifsr;
}

static void write_ifsr(struct cpu *cpu, uint32_t value)
{
	cpu->mem->ifsr = value & 0xff;
}

static uint32_t read_far(struct cpu *cpu)
{
	return cpu->mem->far;
}

static void write_far(struct cpu *cpu, uint32_t value)
{
	cpu->mem->far = value;
}

static uint32_t read_pid(struct cpu *cpu)
{
	return cpu->mem->mmu.pid;
}

static void write_pid(struct cpu *cpu, uint32_t value)
{
	cpu->mem->mmu.pid = value & 0xfe000000u;
	mem_fetch_forget(cpu->mem);
}

/* Caches: c7. An address is a virtual one, so the process id counts. */

static void invalidate_i(struct cpu *cpu, uint32_t value)
{
	(void)value;
	mem_i_all(cpu->mem);
}

/* This core's operations cannot abort: an address without a translation is in no cache. */
static void invalidate_i_line(struct cpu *cpu, uint32_t value)
{
	(void)mem_i_line(cpu->mem, value);
}

static void invalidate_d(struct cpu *cpu, uint32_t value)
{
	(void)value;
	mem_d_all(cpu->mem, CACHE_INVALIDATE);
}

static void invalidate_both(struct cpu *cpu, uint32_t value)
{
	invalidate_i(cpu, value);
	invalidate_d(cpu, value);
}

static void invalidate_d_line(struct cpu *cpu, uint32_t value)
{
	(void)mem_d_line(cpu->mem, CACHE_INVALIDATE, value);
}

static void clean_d_line(struct cpu *cpu, uint32_t value)
{
	(void)mem_d_line(cpu->mem, CACHE_CLEAN, value);
}

static void clean_invalidate_d_line(struct cpu *cpu, uint32_t value)
{
	(void)mem_d_line(cpu->mem, CACHE_CLEAN_INVALIDATE, value);
}

static void invalidate_d_index(struct cpu *cpu, uint32_t value)
{
	mem_d_index(cpu->mem, CACHE_INVALIDATE, value);
}

static void clean_d_index(struct cpu *cpu, uint32_t value)
{
	mem_d_index(cpu->mem, CACHE_CLEAN, value);
}

static void clean_invalidate_d_index(struct cpu *cpu, uint32_t value)
{
	mem_d_index(cpu->mem, CACHE_CLEAN_INVALIDATE, value);
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

/* There is no write buffer, and nothing is prefetched. */
static void nothing(struct cpu *cpu, uint32_t value)
{
	(void)cpu;
	(void)value;
}

static void wait_for_interrupt(struct cpu *cpu, uint32_t value)
{
	(void)value;
	if (cpu->lines)
		return;
	cpu->waiting = true;
	cpu_poke(cpu);
}

/* One TLB serves loads and fetches: flushing one flushes both. */

static void flush_tlb(struct cpu *cpu, uint32_t value)
{
	(void)value;
	mmu_flush(&cpu->mem->mmu);
	mem_fetch_forget(cpu->mem);
}

static void flush_tlb_page(struct cpu *cpu, uint32_t value)
{
	mmu_flush_page(&cpu->mem->mmu, mmu_mva(&cpu->mem->mmu, value), 0);
	mem_fetch_forget(cpu->mem);
}

/* Cache and TLB lockdown: reads 0, nothing is ever locked. */
static uint32_t read_lockdown(struct cpu *cpu)
{
	(void)cpu;
	return 0;
}

static const struct row rows[] = {
	{{0, 0, 0, 0}, read_midr, NULL},
	{{0, 0, 0, 1}, read_cache_type, NULL},
	{{0, 0, 0, 2}, read_tcm, NULL},
	{{0, 0, 0, 3}, read_midr, NULL}, /* what is not decoded shows the MIDR */
	{{0, 0, 0, 4}, read_midr, NULL},
	{{0, 0, 0, 5}, read_midr, NULL},
	{{0, 0, 0, 6}, read_midr, NULL},
	{{0, 0, 0, 7}, read_midr, NULL},
	{{0, 1, 0, 0}, read_control, write_control},
	{{0, 2, 0, 0}, read_ttbr, write_ttbr},
	{{0, 3, 0, 0}, read_dacr, write_dacr},
	{{0, 5, 0, 0}, read_dfsr, write_dfsr},
	{{0, 5, 0, 1}, read_ifsr, write_ifsr},
	{{0, 6, 0, 0}, read_far, write_far},
	{{0, 7, 0, 4}, NULL, wait_for_interrupt},
	{{0, 7, 5, 0}, NULL, invalidate_i},
	{{0, 7, 5, 1}, NULL, invalidate_i_line},
	{{0, 7, 5, 4}, NULL, nothing}, /* flush prefetch buffer */
	{{0, 7, 6, 0}, NULL, invalidate_d},
	{{0, 7, 6, 1}, NULL, invalidate_d_line},
	{{0, 7, 6, 2}, NULL, invalidate_d_index},
	{{0, 7, 7, 0}, NULL, invalidate_both},
	{{0, 7, 10, 1}, NULL, clean_d_line},
	{{0, 7, 10, 2}, NULL, clean_d_index},
	{{0, 7, 10, 3}, test_clean, NULL},
	{{0, 7, 10, 4}, NULL, nothing}, /* drain write buffer */
	{{0, 7, 14, 1}, NULL, clean_invalidate_d_line},
	{{0, 7, 14, 2}, NULL, clean_invalidate_d_index},
	{{0, 7, 14, 3}, test_clean_invalidate, NULL},
	{{0, 8, 5, 0}, NULL, flush_tlb},
	{{0, 8, 5, 1}, NULL, flush_tlb_page},
	{{0, 8, 6, 0}, NULL, flush_tlb},
	{{0, 8, 6, 1}, NULL, flush_tlb_page},
	{{0, 8, 7, 0}, NULL, flush_tlb},
	{{0, 9, 0, 0}, read_lockdown, NULL},
	{{0, 9, 0, 1}, read_lockdown, NULL},
	{{0, 10, 0, 0}, read_lockdown, NULL},
	{{0, 13, 0, 0}, read_pid, write_pid},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* Maintenance comes by the thousand, so the likely row is remembered. */
static const struct row *row_of(struct cp15_op op)
{
	static _Thread_local const struct row *last = &rows[0];

	if (last->op.opc1 == op.opc1 && last->op.crn == op.crn && last->op.crm == op.crm &&
	    last->op.opc2 == op.opc2)
		return last;
	for (size_t i = 0; i < ROWS; i++) {
		const struct row *row = &rows[i];

		if (row->op.crn == op.crn && row->op.crm == op.crm && row->op.opc2 == op.opc2 &&
		    row->op.opc1 == op.opc1) {
			last = row;
			return row;
		}
	}
	return NULL;
}

static enum exec not_modelled(struct cpu *cpu, const char *mnemonic, struct cp15_op op)
{
	return cpu_stop(cpu, "CP15 operation %s p15, %u, Rd, c%u, c%u, %u is not modelled",
	                mnemonic, op.opc1, op.crn, op.crm, op.opc2);
}

enum exec cp15_read(struct cpu *cpu, struct cp15_op op, uint32_t *value)
{
	const struct row *row = row_of(op);

	if (!row || !row->read)
		return not_modelled(cpu, "MRC", op);
	*value = row->read(cpu);
	return EXEC_OK;
}

enum exec cp15_write(struct cpu *cpu, struct cp15_op op, uint32_t value)
{
	const struct row *row = row_of(op);

	if (!row || !row->write)
		return not_modelled(cpu, "MCR", op);
	row->write(cpu, value);
	return EXEC_OK;
}
