/* The tables in memory: ARMv5's, ARMv6's with sub-pages (as ARMv5's) and without. */
#include "bus.h"
#include "host.h"
#include "mmu.h"

static bool read_descriptor(const struct mmu *mmu, uint32_t address, uint32_t *descriptor)
{
	const uint8_t *at = bus_ram(mmu->bus, address, 4);

	if (at)
		*descriptor = host_read(at, 4);
	return at != NULL;
}

/* The C and B bits of a descriptor, 3 and 2, and with ARMv6 what TEX makes of them: 1xx gives the policy of
 * the inner cache in C and B, 001 with both is write-back, write-allocate; the rest with a 1 in it is not
 * cached. Whether a store that misses fills a line is the core's matter. */
static void take_memory_type(struct translation *out, uint32_t flags, unsigned tex)
{
	bool c = flags & 8, b = flags & 4;

	out->cached = c;
	out->writeback = c && b;
	if (tex & 4) {
		out->cached = c || b;
		out->writeback = b;
	} else if (tex) {
		out->cached = tex == 1 && c && b;
		out->writeback = out->cached;
	}
}

/* Below a coarse table (4 KiB a row) or a fine one (1 KiB a row, ARMv5 only), with AP bits for each quarter. */
static uint32_t second_with_subpages(const struct mmu *mmu, uint32_t mva, bool fine, uint32_t page,
                                     struct translation *out)
{
	take_memory_type(out, page, 0);
	switch (page & 3) {
	case 1: /* 64 KiB, AP bits for each 16 */
		if (mmu->v6)
			take_memory_type(out, page, page >> 12 & 7);
		out->pa = (page & 0xffff0000u) | (mva & 0xfc00);
		out->ap = page >> (4 + 2 * (mva >> 14 & 3)) & 3;
		return 0;
	case 2: /* 4 KiB, AP bits for each 1 */
		out->pa = (page & 0xfffff000u) | (mva & 0xc00);
		out->ap = page >> (4 + 2 * (mva >> 10 & 3)) & 3;
		return 0;
	case 3: /* ARMv6: 4 KiB with TEX instead of the quarters. ARMv5: 1 KiB, in fine tables only */
		if (mmu->v6)
			take_memory_type(out, page, page >> 6 & 7);
		else if (!fine)
			return FAULT_PAGE_TRANSLATION;
		out->pa = mmu->v6 ? (page & 0xfffff000u) | (mva & 0xc00) : page & 0xfffffc00u;
		out->ap = page >> 4 & 3;
		return 0;
	default:
		return FAULT_PAGE_TRANSLATION;
	}
}

static uint32_t second_v6(uint32_t mva, uint32_t page, struct translation *out)
{
	bool large = (page & 3) == 1;

	if ((page & 3) == 0)
		return FAULT_PAGE_TRANSLATION;
	out->pa = large ? (page & 0xffff0000u) | (mva & 0xfc00)
	                : (page & 0xfffff000u) | (mva & 0xc00);
	out->xn = large ? page >> 15 & 1 : page & 1;
	out->ap = (page >> 4 & 3) | (page >> 7 & 4);
	out->own = page >> 11 & 1;
	take_memory_type(out, page, large ? page >> 12 & 7 : page >> 6 & 7);
	return 0;
}

static uint32_t second(const struct mmu *mmu, uint32_t mva, uint32_t first, struct translation *out)
{
	bool fine = (first & 3) == 3;
	uint32_t at = fine ? (first & 0xfffff000u) | (mva >> 8 & 0xffc)
	                   : (first & 0xfffffc00u) | (mva >> 10 & 0x3fc);
	uint32_t page;

	if (!read_descriptor(mmu, at, &page))
		return FAULT_EXTERNAL_WALK_2;
	if (mmu->control & SCTLR_XP)
		return second_v6(mva, page, out);
	return second_with_subpages(mmu, mva, fine, page, out);
}

/* 1 MiB; with ARMv6 also 16 MiB (a supersection, always of domain 0). */
static void take_section(const struct mmu *mmu, uint32_t mva, uint32_t first,
                         struct translation *out)
{
	out->section = true;
	out->pa = (first & 0xfff00000u) | (mva & 0xffc00);
	out->ap = first >> 10 & 3;
	take_memory_type(out, first, mmu->v6 ? first >> 12 & 7 : 0);
	if (mmu->v6 && (first & 1u << 18)) {
		out->pa = (first & 0xff000000u) | (mva & 0xfffc00);
		out->domain = 0;
	}
	if (mmu->control & SCTLR_XP) {
		out->xn = first >> 4 & 1;
		out->ap |= first >> 13 & 4;
		out->own = first >> 17 & 1;
	}
}

/* Where the first-level descriptor is. TTBCR.N divides the addresses between two tables; the first then
 * is shorter. With ARMv5 it is 0. False when TTBCR says not to walk. */
static bool first_at(const struct mmu *mmu, uint32_t mva, uint32_t *at)
{
	unsigned n = mmu->ttbcr & 7;
	bool second_table = n && mva >> (32 - n);
	uint32_t mask = second_table ? 0x3fff : 0x3fffu >> n;

	*at = ((second_table ? mmu->ttbr1 : mmu->ttbr) & ~mask) | (mva >> 18 & mask & ~3u);
	return !(mmu->ttbcr & (second_table ? 0x20u : 0x10u));
}

uint32_t mmu_tables(const struct mmu *mmu, uint32_t mva, struct translation *out)
{
	uint32_t at, first;

	if (!first_at(mmu, mva, &at))
		return FAULT_SECTION_TRANSLATION;
	if (!read_descriptor(mmu, at, &first))
		return FAULT_EXTERNAL_WALK_1;
	out->domain = first >> 5 & 15;
	switch (first & 3) {
	case 2:
		take_section(mmu, mva, first, out);
		return 0;
	case 3: /* a fine table */
		if (mmu->v6)
			return FAULT_SECTION_TRANSLATION;
		return second(mmu, mva, first, out);
	case 1:
		return second(mmu, mva, first, out);
	default:
		return FAULT_SECTION_TRANSLATION;
	}
}
