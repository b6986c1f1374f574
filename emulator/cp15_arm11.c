/* The system control coprocessor of the ARM1136J-S r1p3 and the ARM1176JZ-S r0p7. Both see a physical address in
 * a cache line's tag: operations by virtual address ask the MMU, and abort where it has no translation. */
#include "cp15_rows.h"
#include "mem.h"

#include <stddef.h>

/* SCTLR: bits that can be written, and those among them that must stay 0 here. */
#define CONTROL_WRITABLE    0x33e0ff87u
#define CONTROL_UNSUPPORTED 0x33008080u /* FA, TEX remap, EE, VE, L4, B */

/* What the parts say about themselves in c0: CRm 0, 1 and 2. */
struct identity {
	uint32_t midr;
	uint32_t features[8];     /* PFR0, PFR1, DFR0, AFR0, MMFR0 to MMFR3 */
	uint32_t instructions[6]; /* ISAR0 to ISAR5 */
};

static const struct identity identities[] = {
	[CPU_ARM1136] = {0x4117b363,
                         {0x111, 0x1, 0x2, 0x3, 0x01130003, 0x10030302, 0x01222110, 0},
                         {0x00140011, 0x12002111, 0x11231111, 0x01102131, 0x141, 0}},
	[CPU_ARM1176] = {0x410fb767,
                         {0x111, 0x11, 0x33, 0, 0x01130003, 0x10030302, 0x01222100, 0},
                         {0x00140011, 0x12002111, 0x11231121, 0x01102131, 0x1141, 0}},
};

static uint32_t read_midr(struct cpu *cpu)
{
	return identities[cpu->model].midr;
}

static uint32_t read_tlb_type(struct cpu *cpu)
{
	(void)cpu;
	return 0x800; /* unified, 8 entries that can be locked */
}

#define FEATURE(n)                                                                                 \
	static uint32_t read_feature_##n(struct cpu *cpu)                                          \
	{                                                                                          \
		return identities[cpu->model].features[n];                                         \
	}
#define INSTRUCTIONS(n)                                                                            \
	static uint32_t read_instructions_##n(struct cpu *cpu)                                     \
	{                                                                                          \
		return identities[cpu->model].instructions[n];                                     \
	}
FEATURE(0)
FEATURE(1)
FEATURE(2)
FEATURE(3)
FEATURE(4)
FEATURE(5)
FEATURE(6)
FEATURE(7)
INSTRUCTIONS(0)
INSTRUCTIONS(1)
INSTRUCTIONS(2)
INSTRUCTIONS(3)
INSTRUCTIONS(4)
INSTRUCTIONS(5)

static enum exec write_control(struct cpu *cpu, uint32_t value)
{
	if (value & CONTROL_UNSUPPORTED)
		return cpu_stop(cpu, "SCTLR 0x%08x: bits 0x%08x are not modelled", value,
		                value & CONTROL_UNSUPPORTED);
	cp15_set_control(cpu, value, CONTROL_WRITABLE);
	return EXEC_OK;
}

/* A register that is only stored. */
/* NOLINTBEGIN(bugprone-macro-parentheses): at is what is assigned to */
#define REGISTER(name, at)                                                                         \
	static uint32_t read_##name(struct cpu *cpu)                                               \
	{                                                                                          \
		return at;                                                                         \
	}                                                                                          \
	static enum exec write_##name(struct cpu *cpu, uint32_t value)                             \
	{                                                                                          \
		at = value;                                                                        \
		return EXEC_OK;                                                                    \
	}
/* NOLINTEND(bugprone-macro-parentheses) */
REGISTER(aux_control, cpu->cp15.aux_control)
REGISTER(ttbr1, cpu->mem->mmu.ttbr1)
REGISTER(wfar, cpu->cp15.wfar)
REGISTER(ifar, cpu->cp15.ifar)
REGISTER(user_thread, cpu->cp15.thread[0])
REGISTER(shown_thread, cpu->cp15.thread[1])
REGISTER(kernel_thread, cpu->cp15.thread[2])

/* There is no coprocessor 10 or 11 (VFP), so access to them cannot be given. */
static enum exec write_coprocessor_access(struct cpu *cpu, uint32_t value)
{
	(void)cpu;
	(void)value;
	return EXEC_OK;
}

static enum exec write_ttbr(struct cpu *cpu, uint32_t value)
{
	cpu->mem->mmu.ttbr = value;
	return EXEC_OK;
}

static uint32_t read_ttbcr(struct cpu *cpu)
{
	return cpu->mem->mmu.ttbcr;
}

static enum exec write_ttbcr(struct cpu *cpu, uint32_t value)
{
	cpu->mem->mmu.ttbcr = value & 0x37;
	return EXEC_OK;
}

static enum exec write_dfsr(struct cpu *cpu, uint32_t value)
{
	cpu->mem->dfsr = value & 0x1cff;
	return EXEC_OK;
}

/* Without the domain. */
static uint32_t read_ifsr(struct cpu *cpu)
{
	return cpu->mem->ifsr & 0x140f;
}

static enum exec write_ifsr(struct cpu *cpu, uint32_t value)
{
	cpu->mem->ifsr = value & 0x140f;
	return EXEC_OK;
}

static uint32_t read_context(struct cpu *cpu)
{
	return cpu->mem->mmu.context;
}

static enum exec write_context(struct cpu *cpu, uint32_t value)
{
	mmu_set_context(&cpu->mem->mmu, value);
	mem_fetch_forget(cpu->mem);
	return EXEC_OK;
}

/* Without a cache nobody asks the MMU, but the operation aborts all the same. */
static bool is_mapped(struct cpu *cpu, uint32_t va)
{
	struct mem *mem = cpu->mem;

	return mem->d || mmu_find(&mem->mmu, mmu_mva(&mem->mmu, va), ALLOW_ANY, &mem->data_fault);
}

static enum exec d_line(struct cpu *cpu, enum cache_op op, uint32_t va)
{
	return is_mapped(cpu, va) && mem_d_line(cpu->mem, op, va) ? EXEC_OK : EXEC_DATA_ABORT;
}

static enum exec invalidate_d_line(struct cpu *cpu, uint32_t value)
{
	return d_line(cpu, CACHE_INVALIDATE, value);
}

static enum exec clean_d_line(struct cpu *cpu, uint32_t value)
{
	return d_line(cpu, CACHE_CLEAN, value);
}

static enum exec clean_invalidate_d_line(struct cpu *cpu, uint32_t value)
{
	return d_line(cpu, CACHE_CLEAN_INVALIDATE, value);
}

static enum exec invalidate_i_line(struct cpu *cpu, uint32_t value)
{
	return is_mapped(cpu, value) && mem_i_line(cpu->mem, value) ? EXEC_OK : EXEC_DATA_ABORT;
}

static enum exec clean_d(struct cpu *cpu, uint32_t value)
{
	(void)value;
	mem_d_all(cpu->mem, CACHE_CLEAN);
	return EXEC_OK;
}

static enum exec clean_invalidate_d(struct cpu *cpu, uint32_t value)
{
	(void)value;
	mem_d_all(cpu->mem, CACHE_CLEAN_INVALIDATE);
	return EXEC_OK;
}

/* Cache dirty status: bit 0. */
static uint32_t read_dirty(struct cpu *cpu)
{
	return cpu->mem->d && cpu->mem->d->dirty_lines;
}

/* The address has the ASID in its low bits. */
static enum exec flush_tlb_page(struct cpu *cpu, uint32_t value)
{
	mmu_flush_page(&cpu->mem->mmu, mmu_mva(&cpu->mem->mmu, value), (uint8_t)value);
	mem_fetch_forget(cpu->mem);
	return EXEC_OK;
}

static enum exec flush_tlb_asid(struct cpu *cpu, uint32_t value)
{
	mmu_flush_asid(&cpu->mem->mmu, (uint8_t)value);
	mem_fetch_forget(cpu->mem);
	return EXEC_OK;
}

const struct cp15_row cp15_arm11_rows[] = {
	{{0, 0, 0, 0}, read_midr, NULL, 0},
	{{0, 0, 0, 1}, cp15_read_cache_type, NULL, 0},
	{{0, 0, 0, 2}, cp15_read_zero, NULL, 0},
	{{0, 0, 0, 3}, read_tlb_type, NULL, 0},
	{{0, 0, 0, 4}, read_midr, NULL, 0}, /* what is not decoded shows the MIDR */
	{{0, 0, 0, 5}, read_midr, NULL, 0},
	{{0, 0, 0, 6}, read_midr, NULL, 0},
	{{0, 0, 0, 7}, read_midr, NULL, 0},
	{{0, 0, 1, 0}, read_feature_0, NULL, 0},
	{{0, 0, 1, 1}, read_feature_1, NULL, 0},
	{{0, 0, 1, 2}, read_feature_2, NULL, 0},
	{{0, 0, 1, 3}, read_feature_3, NULL, 0},
	{{0, 0, 1, 4}, read_feature_4, NULL, 0},
	{{0, 0, 1, 5}, read_feature_5, NULL, 0},
	{{0, 0, 1, 6}, read_feature_6, NULL, 0},
	{{0, 0, 1, 7}, read_feature_7, NULL, 0},
	{{0, 0, 2, 0}, read_instructions_0, NULL, 0},
	{{0, 0, 2, 1}, read_instructions_1, NULL, 0},
	{{0, 0, 2, 2}, read_instructions_2, NULL, 0},
	{{0, 0, 2, 3}, read_instructions_3, NULL, 0},
	{{0, 0, 2, 4}, read_instructions_4, NULL, 0},
	{{0, 0, 2, 5}, read_instructions_5, NULL, 0},
	{{0, 1, 0, 0}, cp15_read_control, write_control, 0},
	{{0, 1, 0, 1}, read_aux_control, write_aux_control, 0},
	{{0, 1, 0, 2}, cp15_read_zero, write_coprocessor_access, 0},
	{{0, 2, 0, 0}, cp15_read_ttbr, write_ttbr, 0},
	{{0, 2, 0, 1}, read_ttbr1, write_ttbr1, 0},
	{{0, 2, 0, 2}, read_ttbcr, write_ttbcr, 0},
	{{0, 3, 0, 0}, cp15_read_dacr, cp15_write_dacr, 0},
	{{0, 5, 0, 0}, cp15_read_dfsr, write_dfsr, 0},
	{{0, 5, 0, 1}, read_ifsr, write_ifsr, 0},
	{{0, 6, 0, 0}, cp15_read_far, cp15_write_far, 0},
	{{0, 6, 0, 1}, read_wfar, write_wfar, 0},
	{{0, 6, 0, 2}, read_ifar, write_ifar, 0},
	{{0, 7, 0, 4}, NULL, cp15_wait_for_interrupt, 0},
	{{0, 7, 5, 0}, NULL, cp15_invalidate_i, 0},
	{{0, 7, 5, 1}, NULL, invalidate_i_line, 0},
	{{0, 7, 5, 4}, NULL, cp15_nothing, USER_WRITE}, /* flush prefetch buffer */
	{{0, 7, 5, 6}, NULL, cp15_nothing, 0},          /* forget branch targets, all or one */
	{{0, 7, 5, 7}, NULL, cp15_nothing, 0},
	{{0, 7, 6, 0}, NULL, cp15_invalidate_d, 0},
	{{0, 7, 6, 1}, NULL, invalidate_d_line, 0},
	{{0, 7, 6, 2}, NULL, cp15_invalidate_d_index, 0},
	{{0, 7, 7, 0}, NULL, cp15_invalidate_both, 0},
	{{0, 7, 10, 0}, NULL, clean_d, 0},
	{{0, 7, 10, 1}, NULL, clean_d_line, 0},
	{{0, 7, 10, 2}, NULL, cp15_clean_d_index, 0},
	{{0, 7, 10, 4}, NULL, cp15_nothing, USER_WRITE}, /* barriers: all done, in order */
	{{0, 7, 10, 5}, NULL, cp15_nothing, USER_WRITE},
	{{0, 7, 10, 6}, read_dirty, NULL, 0},
	{{0, 7, 13, 1}, NULL, cp15_nothing, USER_WRITE}, /* prefetch */
	{{0, 7, 14, 0}, NULL, clean_invalidate_d, 0},
	{{0, 7, 14, 1}, NULL, clean_invalidate_d_line, 0},
	{{0, 7, 14, 2}, NULL, cp15_clean_invalidate_d_index, 0},
	{{0, 7, 15, 0}, NULL, cp15_nothing, 0}, /* of a unified cache: there is none */
	{{0, 8, 5, 0}, NULL, cp15_flush_tlb, 0},
	{{0, 8, 5, 1}, NULL, flush_tlb_page, 0},
	{{0, 8, 5, 2}, NULL, flush_tlb_asid, 0},
	{{0, 8, 6, 0}, NULL, cp15_flush_tlb, 0},
	{{0, 8, 6, 1}, NULL, flush_tlb_page, 0},
	{{0, 8, 6, 2}, NULL, flush_tlb_asid, 0},
	{{0, 8, 7, 0}, NULL, cp15_flush_tlb, 0},
	{{0, 8, 7, 1}, NULL, flush_tlb_page, 0},
	{{0, 8, 7, 2}, NULL, flush_tlb_asid, 0},
	{{0, 9, 0, 0}, cp15_read_zero, NULL, 0},
	{{0, 9, 0, 1}, cp15_read_zero, NULL, 0},
	{{0, 10, 0, 0}, cp15_read_zero, NULL, 0},
	{{0, 13, 0, 0}, cp15_read_pid, cp15_write_pid, 0},
	{{0, 13, 0, 1}, read_context, write_context, 0},
	{{0, 13, 0, 2}, read_user_thread, write_user_thread, USER_READ | USER_WRITE},
	{{0, 13, 0, 3}, read_shown_thread, write_shown_thread, USER_READ},
	{{0, 13, 0, 4}, read_kernel_thread, write_kernel_thread, 0},
	{{0, 0, 0, 0}, NULL, NULL, 0},
};

/* Ranges without a cache: the first address that has no translation aborts, as with one. */
static bool range_is_mapped(struct cpu *cpu, uint32_t start, uint32_t end)
{
	uint32_t pages = (end >> 12) - (start >> 12);

	if (cpu->mem->d || end < start)
		return true;
	for (; is_mapped(cpu, start); start = (start & ~0xfffu) + 0x1000) {
		if (pages-- == 0)
			return true;
	}
	return false;
}

enum exec cp15_arm11_range(struct cpu *cpu, unsigned opc, unsigned crm, uint32_t start,
                           uint32_t end)
{
	struct mem *mem = cpu->mem;
	bool done;

	if (cpu->user_shift && crm != 12)
		return EXEC_UNDEFINED;
	if (crm == 12 && (opc == 1 || opc == 2)) /* prefetch */
		return EXEC_OK;
	if (opc != 0 || (crm != 5 && crm != 6 && crm != 12 && crm != 14))
		return cpu_stop(cpu, "CP15 operation MCRR p15, %u, Rd, Rn, c%u is not modelled",
		                opc, crm);
	if (!range_is_mapped(cpu, start, end))
		return EXEC_DATA_ABORT;
	switch (crm) {
	case 5:
		done = mem_i_range(mem, start, end);
		break;
	case 6:
		done = mem_d_range(mem, CACHE_INVALIDATE, start, end);
		break;
	case 12:
		done = mem_d_range(mem, CACHE_CLEAN, start, end);
		break;
	default:
		done = mem_d_range(mem, CACHE_CLEAN_INVALIDATE, start, end);
		break;
	}
	return done ? EXEC_OK : EXEC_DATA_ABORT;
}
