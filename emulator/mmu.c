#include "mmu.h"

#include "bus.h"
#include "snap.h"

#include <string.h>

void mmu_init(struct mmu *mmu, struct bus *bus)
{
	memset(mmu, 0, sizeof(*mmu));
	mmu->bus = bus;
	mmu->control = 0x00050078; /* bits 3-6, 16, 18 read as one */
	mmu_flush(mmu);
}

static void forget(struct tlb_entry *entry)
{
	entry->tag = TLB_EMPTY;
	entry->owner = TLB_EMPTY;
}

void mmu_flush(struct mmu *mmu)
{
	for (unsigned i = 0; i < TLB_SIZE; i++)
		forget(&mmu->tlb[i]);
	memset(mmu->sections, 0, sizeof(mmu->sections));
}

static uint32_t *sections_of(struct mmu *mmu, uint32_t mva, uint32_t *bit)
{
	*bit = 1u << (mva >> 20 & 31);
	return &mmu->sections[mva >> 25];
}

static void note_section(struct mmu *mmu, const struct tlb_entry *entry)
{
	uint32_t bit;
	uint32_t *sections = sections_of(mmu, entry->owner << 10, &bit);

	if (entry->owner != TLB_EMPTY && (entry->attr & TLB_SECTION))
		*sections |= bit;
}

/* ASID << 22 of an entry, or TLB_GLOBAL; not for an empty one. */
static uint32_t space_of(const struct tlb_entry *entry)
{
	return entry->owner & 0xffc00000u;
}

void mmu_flush_asid(struct mmu *mmu, uint8_t asid)
{
	for (unsigned i = 0; i < TLB_SIZE; i++) {
		if (space_of(&mmu->tlb[i]) == (uint32_t)asid << 22)
			forget(&mmu->tlb[i]);
	}
}

static void forget_if(struct tlb_entry *entry, bool is_meant, uint8_t asid)
{
	uint32_t space = space_of(entry);

	if (is_meant && (space == TLB_GLOBAL || space == (uint32_t)asid << 22))
		forget(entry);
}

/* How large the entry was that the pieces came from is not kept, so the largest of its kind goes:
 * 64 KiB of pages, 1 MiB of a section. A core may forget more than it is told to. */
void mmu_flush_page(struct mmu *mmu, uint32_t mva, uint8_t asid)
{
	uint32_t first = mva >> 16 << 6;
	uint32_t bit;

	for (uint32_t piece = first; piece < first + 64; piece++) {
		struct tlb_entry *entry = &mmu->tlb[piece % TLB_SIZE];

		forget_if(entry, (entry->owner & 0x3fffffu) == piece, asid);
	}
	if (!(*sections_of(mmu, mva, &bit) & bit))
		return;
	for (unsigned i = 0; i < TLB_SIZE; i++) {
		struct tlb_entry *entry = &mmu->tlb[i];

		forget_if(entry,
		          (entry->owner & 0x3fffffu) >> 10 == mva >> 20 &&
		                  (entry->attr & TLB_SECTION),
		          asid);
	}
}

/* Entries of the new address space wake up, those of others go to sleep. */
void mmu_set_context(struct mmu *mmu, uint32_t context)
{
	uint32_t space = (context & 0xff) << 22;

	mmu->context = context;
	for (unsigned i = 0; i < TLB_SIZE; i++) {
		struct tlb_entry *entry = &mmu->tlb[i];

		if (entry->owner == TLB_EMPTY || space_of(entry) == TLB_GLOBAL)
			continue;
		entry->tag = space_of(entry) == space ? entry->owner << 10 : TLB_EMPTY;
	}
}

uint8_t mmu_allow(uint32_t dacr, uint32_t control, unsigned domain, unsigned ap)
{
	/* From 4 on with APX, which makes them read-only. */
	static const uint8_t by_ap[8] = {0x0, 0x3, 0x7, 0xf, 0x0, 0x1, 0x5, 0x5};
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

static uint8_t allow_of(const struct mmu *mmu, const struct tlb_entry *entry)
{
	uint8_t allow = mmu_allow(mmu->dacr, mmu->control, entry->domain, entry->ap);
	bool manager = (mmu->dacr >> (2 * entry->domain) & 3) == 3;

	if ((entry->attr & TLB_XN) && !manager)
		return allow;
	return (uint8_t)(allow | (allow & (ALLOW_READ | ALLOW_READ << 2)) * ALLOW_EXECUTE);
}

static uint8_t quick_of(const struct mmu *mmu, const struct tlb_entry *entry)
{
	unsigned rights = 0;

	if (!entry->host || mmu->watched || mmu->pid)
		return 0;
	if (entry->attr & TLB_DCACHED)
		rights |= ALLOW_READ | ALLOW_READ << 2;
	if ((entry->attr & TLB_DCACHED) && (entry->attr & TLB_WRITEBACK))
		rights |= ALLOW_WRITE | ALLOW_WRITE << 2;
	if (entry->attr & TLB_ICACHED)
		rights |= ALLOW_EXECUTE | ALLOW_EXECUTE << 2;
	return (uint8_t)(entry->allow & rights);
}

static void recompute_rights(struct mmu *mmu)
{
	for (unsigned i = 0; i < TLB_SIZE; i++) {
		struct tlb_entry *entry = &mmu->tlb[i];

		if (entry->owner == TLB_EMPTY)
			continue;
		if (mmu->control & SCTLR_M)
			entry->allow = allow_of(mmu, entry);
		entry->quick = quick_of(mmu, entry);
	}
}

void mmu_set_pid(struct mmu *mmu, uint32_t pid)
{
	mmu->pid = pid;
	recompute_rights(mmu);
}

void mmu_watch(struct mmu *mmu, bool watch)
{
	mmu->watched = watch;
	recompute_rights(mmu);
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
	if (changed & (SCTLR_M | SCTLR_C | SCTLR_I | SCTLR_XP))
		mmu_flush(mmu);
	else if ((changed & (SCTLR_S | SCTLR_R)) && (control & SCTLR_M))
		recompute_rights(mmu);
}

static uint8_t attributes(const struct mmu *mmu, const struct translation *t)
{
	unsigned attr = (t->section ? TLB_SECTION : 0u) | (t->xn ? TLB_XN : 0u);

	if (t->cached) {
		if (mmu->control & SCTLR_C)
			attr |= TLB_DCACHED | (t->writeback ? TLB_WRITEBACK : 0u);
		if (mmu->control & SCTLR_I)
			attr |= TLB_ICACHED;
	}
	return (uint8_t)attr;
}

/* With the MMU off every address is its own and allowed; of the caches only the I-cache works. */
static void identity(const struct mmu *mmu, uint32_t mva, struct tlb_entry *entry)
{
	entry->pa = mva & ~0x3ffu;
	entry->allow = UINT8_MAX;
	entry->attr = mmu->control & SCTLR_I ? TLB_ICACHED : 0;
	entry->owner = mva >> 10 | TLB_GLOBAL;
}

/* Returns 0 or the fault status. */
static uint32_t fill(struct mmu *mmu, uint32_t mva, struct tlb_entry *entry)
{
	struct translation t = {.section = false};
	uint32_t status;

	mmu->walks++;
	if (mmu->control & SCTLR_M) {
		status = mmu_tables(mmu, mva, &t);
		if (status)
			return t.domain << 4 | status;
		entry->pa = t.pa;
		entry->ap = (uint8_t)t.ap;
		entry->domain = (uint8_t)t.domain;
		entry->attr = attributes(mmu, &t);
		entry->allow = allow_of(mmu, entry);
		entry->owner = mva >> 10 | (t.own ? (mmu->context & 0xff) << 22 : TLB_GLOBAL);
	} else {
		identity(mmu, mva, entry);
	}
	entry->tag = mva & TLB_PIECE;
	entry->host = bus_ram(mmu->bus, entry->pa, 1024);
	entry->quick = quick_of(mmu, entry);
	note_section(mmu, entry);
	return 0;
}

/* Why the entry's rights do not do. */
static uint32_t rights_fault(const struct mmu *mmu, const struct tlb_entry *entry)
{
	bool section = entry->attr & TLB_SECTION;
	bool client = mmu->dacr >> (2 * entry->domain) & 1;
	uint32_t status = client ? (section ? FAULT_SECTION_PERMISSION : FAULT_PAGE_PERMISSION)
	                         : (section ? FAULT_SECTION_DOMAIN : FAULT_PAGE_DOMAIN);

	return (uint32_t)entry->domain << 4 | status;
}

struct tlb_entry *mmu_walk(struct mmu *mmu, uint32_t mva, uint32_t need, struct fault *fault)
{
	struct tlb_entry *entry = &mmu->tlb[(mva >> 10) % TLB_SIZE];
	uint32_t status = entry->tag == (mva & TLB_PIECE) ? 0 : fill(mmu, mva, entry);

	if (!status && (entry->allow & need))
		return entry;
	fault->status = status ? status : rights_fault(mmu, entry);
	fault->mva = mva;
	fault->write = need == ALLOW_WRITE || need == ALLOW_WRITE << 2;
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
	SNAP(snap, entry->owner);
	SNAP(snap, is_ram);
	if (snap_loading(snap)) {
		entry->host = is_ram ? bus_ram(mmu->bus, entry->pa, 1024) : NULL;
		entry->quick = quick_of(mmu, entry);
		note_section(mmu, entry);
		snap_need(snap, !is_ram || entry->host);
		snap_need(snap, entry->ap < 8 && entry->domain < 16);
	}
}

void mmu_snap(struct mmu *mmu, struct snap *snap)
{
	snap_part(snap, "mmu");
	SNAP(snap, mmu->control);
	SNAP(snap, mmu->ttbr);
	SNAP(snap, mmu->dacr);
	SNAP(snap, mmu->pid);
	SNAP(snap, mmu->ttbr1);
	SNAP(snap, mmu->ttbcr);
	SNAP(snap, mmu->context);
	SNAP(snap, mmu->walks);
	for (unsigned n = 0; n < TLB_SIZE; n++)
		entry_snap(mmu, &mmu->tlb[n], snap);
}
