#include "mmu.h"

#include "bus.h"
#include "host.h"
#include "snap.h"

/* What a walk found before any right was looked at. */
struct translation {
	uint32_t pa;    /* of the 1 KiB piece */
	uint32_t flags; /* the last descriptor: C is bit 3, B is bit 2 */
	unsigned ap, domain;
	bool section;
};

void mmu_init(struct mmu *mmu, struct bus *bus)
{
	mmu->bus = bus;
	mmu->control = 0x00050078; /* bits 3-6, 16, 18 read as one */
	mmu->ttbr = 0;
	mmu->dacr = 0;
	mmu->pid = 0;
	mmu->walks = 0;
	mmu_flush(mmu);
}

void mmu_flush(struct mmu *mmu)
{
	for (unsigned i = 0; i < TLB_SIZE; i++)
		mmu->tlb[i].tag = TLB_EMPTY;
}

/* How large the entry was that the pieces came from is not kept, so the largest of its kind goes:
 * 64 KiB of pages, 1 MiB of a section. A core may forget more than it is told to. */
void mmu_flush_page(struct mmu *mmu, uint32_t mva)
{
	uint32_t large = mva >> 16;
	uint32_t megabyte = mva >> 20;

	for (unsigned i = 0; i < TLB_SIZE; i++) {
		struct tlb_entry *entry = &mmu->tlb[i];

		if (entry->tag >> 6 == large ||
		    (entry->tag >> 10 == megabyte && (entry->attr & TLB_SECTION)))
			entry->tag = TLB_EMPTY;
	}
}

uint8_t mmu_allow(uint32_t dacr, uint32_t control, unsigned domain, unsigned ap)
{
	static const uint8_t by_ap[4] = {0x0, 0x3, 0x7, 0xf};
	/* AP 0: what S and R say. Both is reserved; the core then gives nothing. */
	static const uint8_t by_sr[4] = {0x0, 0x1, 0x5, 0x0};

	switch (dacr >> (2 * domain) & 3) {
	case 1: /* client */
		return ap ? by_ap[ap] : by_sr[control >> 8 & 3];
	case 3: /* manager */
		return 0xf;
	default:
		return 0;
	}
}

static void recompute_rights(struct mmu *mmu)
{
	for (unsigned i = 0; i < TLB_SIZE; i++) {
		struct tlb_entry *entry = &mmu->tlb[i];

		if (entry->tag != TLB_EMPTY)
			entry->allow = mmu_allow(mmu->dacr, mmu->control, entry->domain, entry->ap);
	}
}

void mmu_set_dacr(struct mmu *mmu, uint32_t dacr)
{
	if (mmu->dacr == dacr)
		return;
	mmu->dacr = dacr;
	if (mmu->control & SCTLR_M)
		recompute_rights(mmu);
}

void mmu_set_control(struct mmu *mmu, uint32_t control)
{
	uint32_t changed = mmu->control ^ control;

	mmu->control = control;
	if (changed & (SCTLR_M | SCTLR_C | SCTLR_I))
		mmu_flush(mmu);
	else if (changed & (SCTLR_S | SCTLR_R))
		recompute_rights(mmu);
}

static bool read_descriptor(const struct mmu *mmu, uint32_t address, uint32_t *descriptor)
{
	const uint8_t *at = bus_ram(mmu->bus, address, 4);

	if (at)
		*descriptor = host_read(at, 4);
	return at != NULL;
}

/* The second level, below a coarse table (4 KiB a row) or a fine one (1 KiB a row). */
static uint32_t walk_page(const struct mmu *mmu, uint32_t mva, uint32_t first,
                          struct translation *out)
{
	bool fine = (first & 3) == 3;
	uint32_t at = fine ? (first & 0xfffff000u) | (mva >> 8 & 0xffc)
	                   : (first & 0xfffffc00u) | (mva >> 10 & 0x3fc);
	uint32_t page;

	if (!read_descriptor(mmu, at, &page))
		return FAULT_EXTERNAL_WALK_2;
	out->flags = page;
	switch (page & 3) {
	case 1: /* 64 KiB, AP bits for each 16 */
		out->pa = (page & 0xffff0000u) | (mva & 0xfc00);
		out->ap = page >> (4 + 2 * (mva >> 14 & 3)) & 3;
		return 0;
	case 2: /* 4 KiB, AP bits for each 1 */
		out->pa = (page & 0xfffff000u) | (mva & 0xc00);
		out->ap = page >> (4 + 2 * (mva >> 10 & 3)) & 3;
		return 0;
	case 3: /* 1 KiB, in fine tables only */
		if (!fine)
			return FAULT_PAGE_TRANSLATION;
		out->pa = page & 0xfffffc00u;
		out->ap = page >> 4 & 3;
		return 0;
	default:
		return FAULT_PAGE_TRANSLATION;
	}
}

/* Returns 0 or FAULT_*. */
static uint32_t walk_tables(const struct mmu *mmu, uint32_t mva, struct translation *out)
{
	uint32_t first;

	if (!read_descriptor(mmu, (mmu->ttbr & 0xffffc000u) | (mva >> 18 & 0x3ffc), &first))
		return FAULT_EXTERNAL_WALK_1;
	out->domain = first >> 5 & 15;
	out->section = (first & 3) == 2;
	if ((first & 3) == 0)
		return FAULT_SECTION_TRANSLATION;
	if (!out->section)
		return walk_page(mmu, mva, first, out);
	out->flags = first;
	out->pa = (first & 0xfff00000u) | (mva & 0xffc00);
	out->ap = first >> 10 & 3;
	return 0;
}

static uint8_t attributes(const struct mmu *mmu, const struct translation *t)
{
	unsigned attr = t->section ? TLB_SECTION : 0;

	if (t->flags & 8) {
		if (mmu->control & SCTLR_C)
			attr |= TLB_DCACHED | (t->flags & 4 ? TLB_WRITEBACK : 0u);
		if (mmu->control & SCTLR_I)
			attr |= TLB_ICACHED;
	}
	return (uint8_t)attr;
}

/* With the MMU off every address is its own and allowed; of the caches only the I-cache works. */
static void identity(const struct mmu *mmu, uint32_t mva, struct tlb_entry *entry)
{
	entry->pa = mva & ~0x3ffu;
	entry->allow = 0xf;
	entry->attr = mmu->control & SCTLR_I ? TLB_ICACHED : 0;
}

struct tlb_entry *mmu_walk(struct mmu *mmu, uint32_t mva, uint32_t need, struct fault *fault)
{
	struct tlb_entry *entry = &mmu->tlb[(mva >> 10) % TLB_SIZE];

	if (entry->tag != mva >> 10) {
		struct translation t = {.section = false};

		mmu->walks++;
		if (mmu->control & SCTLR_M) {
			uint32_t status = walk_tables(mmu, mva, &t);

			if (status) {
				*fault = (struct fault){t.domain << 4 | status, mva};
				return NULL;
			}
			entry->pa = t.pa;
			entry->ap = (uint8_t)t.ap;
			entry->domain = (uint8_t)t.domain;
			entry->attr = attributes(mmu, &t);
			entry->allow = mmu_allow(mmu->dacr, mmu->control, t.domain, t.ap);
		} else {
			identity(mmu, mva, entry);
		}
		entry->tag = mva >> 10;
		entry->host = bus_ram(mmu->bus, entry->pa, 1024);
	}
	if (entry->allow & need)
		return entry;
	{
		bool section = entry->attr & TLB_SECTION;
		bool client = mmu->dacr >> (2 * entry->domain) & 1;
		uint32_t status =
			client ? (section ? FAULT_SECTION_PERMISSION : FAULT_PAGE_PERMISSION)
			       : (section ? FAULT_SECTION_DOMAIN : FAULT_PAGE_DOMAIN);

		*fault = (struct fault){(uint32_t)entry->domain << 4 | status, mva};
	}
	return NULL;
}

static void entry_snap(struct mmu *mmu, struct tlb_entry *entry, struct snap *snap)
{
	bool is_ram = entry->host != NULL;

	SNAP(snap, entry->tag);
	SNAP(snap, entry->allow);
	SNAP(snap, entry->attr);
	SNAP(snap, entry->ap);
	SNAP(snap, entry->domain);
	SNAP(snap, entry->pa);
	SNAP(snap, is_ram);
	if (snap_loading(snap)) {
		entry->host = is_ram ? bus_ram(mmu->bus, entry->pa, 1024) : NULL;
		snap_need(snap, !is_ram || entry->host);
	}
}

void mmu_snap(struct mmu *mmu, struct snap *snap)
{
	snap_part(snap, "mmu");
	SNAP(snap, mmu->control);
	SNAP(snap, mmu->ttbr);
	SNAP(snap, mmu->dacr);
	SNAP(snap, mmu->pid);
	SNAP(snap, mmu->walks);
	for (unsigned n = 0; n < TLB_SIZE; n++)
		entry_snap(mmu, &mmu->tlb[n], snap);
}
