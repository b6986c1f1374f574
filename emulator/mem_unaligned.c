/* Accesses at addresses that are not aligned: faults, or with ARMv6's SCTLR.U byte after byte. */
#include "mem.h"

static bool alignment_fault(struct mem *mem, uint32_t va, bool write)
{
	mem->data_fault = (struct fault){FAULT_ALIGNMENT, mmu_mva(&mem->mmu, va), write};
	return false;
}

bool mem_misaligned(struct mem *mem, uint32_t va, bool write)
{
	if (!(mem->mmu.control & (SCTLR_A | SCTLR_U)))
		return false;
	(void)alignment_fault(mem, va, write);
	return true;
}

uint64_t mem_load_unaligned(struct mem *mem, uint32_t va, uint32_t shift, unsigned bytes)
{
	uint32_t all = 0;

	if (mem->mmu.control & SCTLR_A) {
		(void)alignment_fault(mem, va, false);
		return MEM_ABORT;
	}
	for (unsigned n = 0; n < bytes; n++) {
		uint32_t byte;

		if (!mem_load8(mem, va + n, shift, &byte))
			return MEM_ABORT;
		all |= byte << 8 * n;
	}
	return all;
}

bool mem_store_unaligned(struct mem *mem, uint32_t va, uint32_t shift, unsigned bytes,
                         uint32_t value)
{
	if (mem->mmu.control & SCTLR_A)
		return alignment_fault(mem, va, true);
	/* Nothing is written if the other page's bytes cannot be. */
	if (!mmu_find(&mem->mmu, mmu_mva(&mem->mmu, va), ALLOW_WRITE << shift, &mem->data_fault) ||
	    !mmu_find(&mem->mmu, mmu_mva(&mem->mmu, va + bytes - 1), ALLOW_WRITE << shift,
	              &mem->data_fault))
		return false;
	for (unsigned n = 0; n < bytes; n++) {
		if (!mem_store8(mem, va + n, shift, value >> 8 * n & 0xff))
			return false;
	}
	return true;
}
