/* mmu.h - ARMv5 and ARMv6 translation: domains, permissions, and a TLB of 1 KiB pieces.
 *
 * Walks read memory, never the D-cache: a page table entry that the kernel did not clean is not
 * seen, as on the real core. A piece keeps its domain and AP bits, so that DACR, S and R act on
 * what is in the TLB already. With ARMv6 a piece is of one address space (ASID) or of all; those of
 * others sleep until their ASID is set again. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bus;
struct snap;

/* SCTLR (c1) bits that something here acts on. */
#define SCTLR_M  0x0001u   /* MMU */
#define SCTLR_A  0x0002u   /* alignment faults */
#define SCTLR_C  0x0004u   /* D-cache */
#define SCTLR_S  0x0100u   /* system protection */
#define SCTLR_R  0x0200u   /* ROM protection */
#define SCTLR_I  0x1000u   /* I-cache */
#define SCTLR_V  0x2000u   /* high vectors */
#define SCTLR_RR 0x4000u   /* round robin replacement */
#define SCTLR_U  0x400000u /* ARMv6: loads and stores need not be aligned */
#define SCTLR_XP 0x800000u /* ARMv6: descriptors without sub-pages */

/* What an access needs. For user mode shift left by 2 (cpu->user_shift). */
#define ALLOW_READ    1u
#define ALLOW_WRITE   2u
#define ALLOW_EXECUTE 0x10u
#define ALLOW_ANY     0x5fu /* a translation is enough: cache maintenance */

/* Fault status (FSR bits 3:0). */
#define FAULT_ALIGNMENT           0x1u
#define FAULT_DEBUG               0x2u /* ARMv6: BKPT */
#define FAULT_EXTERNAL            0x8u /* fetch from a device */
#define FAULT_SECTION_TRANSLATION 0x5u
#define FAULT_PAGE_TRANSLATION    0x7u
#define FAULT_SECTION_DOMAIN      0x9u
#define FAULT_PAGE_DOMAIN         0xbu
#define FAULT_EXTERNAL_WALK_1     0xcu
#define FAULT_SECTION_PERMISSION  0xdu
#define FAULT_EXTERNAL_WALK_2     0xeu
#define FAULT_PAGE_PERMISSION     0xfu
#define FAULT_WRITE               0x800u /* in ARMv6's data fault status */

enum tlb_attr {
	TLB_DCACHED = 1,   /* loads and stores go through the D-cache */
	TLB_WRITEBACK = 2, /* stores that hit stay in the line */
	TLB_ICACHED = 4,   /* fetches go through the I-cache */
	TLB_SECTION = 8,   /* for the fault status */
	TLB_XN = 16,       /* never executed, but by a manager */
};

struct tlb_entry {
	uint32_t tag;   /* MVA of the piece, or TLB_EMPTY; also when it sleeps */
	uint32_t pa;    /* of the piece */
	uint32_t owner; /* MVA >> 10, with ASID << 22 or TLB_GLOBAL; TLB_EMPTY */
	uint8_t allow;  /* ALLOW_* bits, user ones shifted by 2; follows DACR, S and R */
	uint8_t quick;  /* those of them for which mmu_quick() does */
	uint8_t attr;   /* enum tlb_attr */
	uint8_t ap;     /* the piece's two AP bits, and APX as bit 2 */
	uint8_t *host;  /* its bytes when it is RAM, else NULL */
	uint8_t domain; /* 0-15 */
};

#define TLB_PIECE  0xfffffc00u
#define TLB_EMPTY  UINT32_MAX
#define TLB_GLOBAL 0x40000000u
#define TLB_SIZE   1024u

struct fault {
	uint32_t status; /* domain << 4 | FAULT_*; 0: none */
	uint32_t mva;
	bool write; /* a store; ARMv6 shows it */
};

struct mmu {
	struct bus *bus; /* borrowed */
	bool v6;         /* descriptors, faults and rights of ARMv6 */
	bool watched;    /* mmu_watch() */
	uint32_t control, ttbr, dacr, pid;
	uint32_t ttbr1, ttbcr; /* ARMv6: the second table, and which addresses it is for */
	uint32_t context;      /* ARMv6: change by mmu_set_context() only; bits 7:0 are the ASID */
	uint64_t walks;        /* statistics */
	uint32_t sections[4096 /
	                  32]; /* a bit a megabyte: there may be pieces of a section in the TLB */
	struct tlb_entry tlb[TLB_SIZE];
};

void mmu_init(struct mmu *mmu, struct bus *bus);

/* Set a register; the TLB keeps what stays valid. */
void mmu_set_control(struct mmu *mmu, uint32_t control);
void mmu_set_dacr(struct mmu *mmu, uint32_t dacr);
void mmu_set_pid(struct mmu *mmu, uint32_t pid);
void mmu_set_context(struct mmu *mmu, uint32_t context);

/* From now on mmu_quick() finds nothing: somebody wants to see each access. */
void mmu_watch(struct mmu *mmu, bool watch);

/* Forget all translations, those of one address space, or the page of mva (each of its pieces) that
 * this address space or all have. */
void mmu_flush(struct mmu *mmu);
void mmu_flush_asid(struct mmu *mmu, uint8_t asid);
void mmu_flush_page(struct mmu *mmu, uint32_t mva, uint8_t asid);

/* Save or load registers and TLB. */
void mmu_snap(struct mmu *mmu, struct snap *snap);

/* The slow half of mmu_find(): walk, check, fill the TLB. NULL with *fault set. */
struct tlb_entry *mmu_walk(struct mmu *mmu, uint32_t mva, uint32_t need, struct fault *fault);

/* What the tables say about an address, before any right is looked at. */
struct translation {
	uint32_t pa; /* of the 1 KiB piece */
	unsigned ap; /* as in struct tlb_entry */
	unsigned domain;
	bool cached, writeback, section;
	bool xn;  /* never executed */
	bool own; /* of the current address space, not of all */
};

/* Walk the tables of mva. Returns 0 or FAULT_*; the domain is set if the walk got that far. */
uint32_t mmu_tables(const struct mmu *mmu, uint32_t mva, struct translation *out);

/* ALLOW_READ and ALLOW_WRITE bits that AP bits give in a domain, under these DACR and control. */
uint8_t mmu_allow(uint32_t dacr, uint32_t control, unsigned domain, unsigned ap);

/* The address that the TLB and the caches see: below 32 MiB the process id is in front (FCSE). */
static inline uint32_t mmu_mva(const struct mmu *mmu, uint32_t va)
{
	return va < 0x02000000u ? va | mmu->pid : va;
}

/* The entry that translates mva for an access that needs this right (one bit), or NULL with *fault set. */
static inline struct tlb_entry *mmu_find(struct mmu *mmu, uint32_t mva, uint32_t need,
                                         struct fault *fault)
{
	struct tlb_entry *entry = &mmu->tlb[(mva >> 10) % TLB_SIZE];

	if (__builtin_expect(entry->tag == (mva & TLB_PIECE) && (entry->allow & need) != 0, 1))
		return entry;
	return mmu_walk(mmu, mva, need, fault);
}

/* What most accesses are: aligned, translated and allowed, nobody watching, no FCSE, and to RAM that is cached as well as it
 * can be (write-back, if it is a store). Others: NULL. */
static inline const struct tlb_entry *mmu_quick(const struct mmu *mmu, uint32_t va, uint32_t need,
                                                unsigned bytes)
{
	const struct tlb_entry *entry = &mmu->tlb[(va >> 10) % TLB_SIZE];

	if (__builtin_expect(
		    (va & (TLB_PIECE | (bytes - 1))) == entry->tag && (entry->quick & need), 1))
		return entry;
	return NULL;
}
