/* Translation of ARMv6: descriptors without sub-pages, address spaces, two tables; and those with sub-pages. */
#include "rig.h"

#define PR ALLOW_READ
#define PW ALLOW_WRITE
#define PX ALLOW_EXECUTE
#define UR (ALLOW_READ << 2)
#define UW (ALLOW_WRITE << 2)
#define UX (ALLOW_EXECUTE << 2)

/* Small pages: AP in 5:4, APX, TEX in 8:6, C and B, XN, nG. */
#define AP(n)      ((n) << 4)
#define APX        0x200u
#define TEX(n)     ((n) << 6)
#define XN         0x1u
#define NOT_GLOBAL 0x800u

static void begin(struct rig *rig)
{
	rig_begin_core(rig, CPU_ARM1176, false);
	rig_paging_v6(rig);
}

static const struct tlb_entry *find(struct rig *rig, uint32_t va, uint32_t need)
{
	struct fault fault;

	return mmu_find(&rig->mem.mmu, va, need, &fault);
}

static void expect_fault(struct rig *rig, uint32_t va, uint32_t need, uint32_t status)
{
	struct fault fault = {0, 0, false};

	assert_null(mmu_find(&rig->mem.mmu, va, need, &fault));
	assert_int_equal(fault.status, status);
	assert_int_equal(fault.mva, va);
	assert_int_equal(fault.write, need == PW || need == UW);
}

static uint32_t pa_of(struct rig *rig, uint32_t va)
{
	const struct tlb_entry *entry = find(rig, va, PR);

	assert_non_null(entry);
	return entry->pa | (va & 0x3ff);
}

/* ARM ARM (DDI 0100I) table B4-1: APX and AP; a page for all, for privileged code, nobody's, read-only. */
static void test_rights(void **state)
{
	static const struct {
		uint32_t bits;
		uint8_t allow;
	} rows[] = {
		{AP(0), 0},
		{AP(1), PR | PW | PX},
		{AP(2), PR | PW | PX | UR | UX},
		{AP(3), PR | PW | PX | UR | UW | UX},
		{APX | AP(0), 0},
		{APX | AP(1), PR | PX},
		{APX | AP(2), PR | PX | UR | UX},
		{APX | AP(3), PR | PX | UR | UX},
		{AP(3) | XN, PR | PW | UR | UW},
	};
	static const uint8_t needs[] = {PR, PW, PX, UR, UW, UX};
	struct rig rig;

	(void)state;
	begin(&rig);
	for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
		map_page(&rig, PAGED, FRAME, rows[n].bits);
		for (size_t i = 0; i < sizeof(needs); i++) {
			if (rows[n].allow & needs[i])
				assert_non_null(find(&rig, PAGED, needs[i]));
			else
				expect_fault(&rig, PAGED, needs[i], FAULT_PAGE_PERMISSION);
		}
	}
	/* A manager is not asked, not even for XN. */
	mmu_set_dacr(&rig.mem.mmu, 3);
	assert_non_null(find(&rig, PAGED, UX));
	mmu_set_dacr(&rig.mem.mmu, 1);
	assert_null(find(&rig, PAGED, UX));
	rig_end(&rig);
}

static void test_faults(void **state)
{
	struct rig rig;

	(void)state;
	begin(&rig);
	poke(&rig, L1_AT + 4 * 2, 0x402 | 2 << 5);       /* section, domain 2: no access */
	poke(&rig, L1_AT + 4 * 3, L2_AT | 0x1 | 2 << 5); /* pages of it */
	poke(&rig, L1_AT + 4 * 4, 0x403);                /* reserved */
	poke(&rig, L1_AT + 4 * 5, 0x412);                /* section, never executed */
	poke(&rig, L1_AT + 4 * 6, 0x8402);               /* section, read-only */
	poke(&rig, L1_AT + 4 * 7, 0x10000001);           /* table that is no RAM */
	map_page(&rig, PAGED, FRAME, AP(1));
	expect_fault(&rig, 0x00400000, PR, FAULT_SECTION_TRANSLATION);
	expect_fault(&rig, 0x00800000, PR, FAULT_SECTION_TRANSLATION);
	expect_fault(&rig, PAGED + 0x1000, PW, FAULT_PAGE_TRANSLATION);
	expect_fault(&rig, 0x00200000, PR, FAULT_SECTION_DOMAIN | 2 << 4);
	expect_fault(&rig, 0x00300000, PW, FAULT_PAGE_DOMAIN | 2 << 4);
	expect_fault(&rig, 0x00500000, PX, FAULT_SECTION_PERMISSION);
	assert_non_null(find(&rig, 0x00500000, PW));
	expect_fault(&rig, 0x00600000, PW, FAULT_SECTION_PERMISSION);
	assert_non_null(find(&rig, 0x00600000, PR));
	expect_fault(&rig, 0x00700000, PR, FAULT_EXTERNAL_WALK_2);
	rig_end(&rig);
}

/* Where an access goes, by TEX, C and B, in small pages, large pages and sections. */
static void test_memory_types(void **state)
{
	static const struct {
		unsigned tex, cb;
		unsigned attr; /* TLB_DCACHED, TLB_WRITEBACK */
	} rows[] = {
		{0, 0, 0},
		{0, 1, 0},
		{0, 2, TLB_DCACHED},
		{0, 3, TLB_DCACHED | TLB_WRITEBACK},
		{1, 0, 0},
		{1, 3, TLB_DCACHED | TLB_WRITEBACK},
		{2, 0, 0},
		/* The inner cache's own: none, write-back write-allocate, write-through, write-back. */
		{4, 0, 0},
		{5, 1, TLB_DCACHED | TLB_WRITEBACK},
		{6, 2, TLB_DCACHED},
		{7, 3, TLB_DCACHED | TLB_WRITEBACK},
	};
	struct rig rig;

	(void)state;
	begin(&rig);
	for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
		uint32_t tex = rows[n].tex, cb = rows[n].cb << 2;
		unsigned both = TLB_DCACHED | TLB_WRITEBACK;

		map_page(&rig, PAGED, FRAME, AP(3) | TEX(tex) | cb);
		for (unsigned i = 0; i < 16; i++)
			poke(&rig, L2_AT + 4 * (0x10 + i), FRAME | AP(3) | tex << 12 | cb | 1);
		poke(&rig, L1_AT + 4 * 2, 0xc02 | tex << 12 | cb);
		assert_int_equal(find(&rig, PAGED, PR)->attr & both, rows[n].attr);
		assert_int_equal(find(&rig, PAGED + 0x13000, PR)->attr & both, rows[n].attr);
		assert_int_equal(find(&rig, 0x00200000, PR)->attr & both, rows[n].attr);
		assert_int_equal(!!(find(&rig, PAGED, PR)->attr & TLB_ICACHED),
		                 !!(rows[n].attr & TLB_DCACHED));
	}
	rig_end(&rig);
}

static void test_sizes(void **state)
{
	struct rig rig;

	(void)state;
	begin(&rig);
	map_page(&rig, PAGED + 0x1000, FRAME, AP(3));
	for (unsigned i = 0; i < 16; i++)
		poke(&rig, L2_AT + 4 * (0x10 + i), FRAME | AP(3) | 0x8000 | 1); /* XN is bit 15 */
	assert_int_equal(pa_of(&rig, PAGED + 0x1abc), FRAME + 0xabc);
	assert_int_equal(pa_of(&rig, PAGED + 0x1ab34), FRAME + 0xab34);
	expect_fault(&rig, PAGED + 0x1ab34, PX, FAULT_PAGE_PERMISSION);
	/* 16 MiB at 16 MiB, whatever the domain field says. */
	for (unsigned i = 0; i < 16; i++)
		poke(&rig, L1_AT + 4 * (16 + i), 0x40c02 | 5 << 5);
	assert_int_equal(pa_of(&rig, 0x01123456), 0x00123456);
	rig_end(&rig);
}

/* A page that is not global is seen under its ASID only, and again when that comes back, without a walk. */
static void test_address_spaces(void **state)
{
	struct rig rig;
	struct mmu *mmu = &rig.mem.mmu;
	uint64_t walks;

	(void)state;
	begin(&rig);
	map_page(&rig, PAGED, FRAME, AP(3) | NOT_GLOBAL);
	map_page(&rig, PAGED + 0x1000, FRAME, AP(3));
	mmu_set_context(mmu, 0x101);
	assert_int_equal(pa_of(&rig, PAGED), FRAME);
	assert_int_equal(pa_of(&rig, PAGED + 0x1000), FRAME);
	/* The tables change; the TLB is not told. */
	poke(&rig, L2_AT, (FRAME + 0x4000) | AP(3) | NOT_GLOBAL | 2);
	poke(&rig, L2_AT + 4, (FRAME + 0x4000) | AP(3) | 2);
	walks = mmu->walks;
	mmu_set_context(mmu, 0x102);
	mmu_set_context(mmu, 0x201);
	assert_int_equal(pa_of(&rig, PAGED), FRAME);
	mmu_set_context(mmu, 0x102);
	assert_int_equal(pa_of(&rig, PAGED + 0x1000), FRAME);
	assert_int_equal(mmu->walks, walks);
	assert_int_equal(pa_of(&rig, PAGED), FRAME + 0x4000);
	rig_end(&rig);
}

/* By address and ASID, by ASID, all. */
static void test_flushes(void **state)
{
	struct rig rig;
	struct mmu *mmu = &rig.mem.mmu;

	(void)state;
	begin(&rig);
	map_page(&rig, PAGED, FRAME, AP(3) | NOT_GLOBAL);
	map_page(&rig, PAGED + 0x10000, FRAME, AP(3));
	mmu_set_context(mmu, 7);
	assert_int_equal(pa_of(&rig, PAGED), FRAME);
	assert_int_equal(pa_of(&rig, PAGED + 0x10000), FRAME);
	poke(&rig, L2_AT, (FRAME + 0x4000) | AP(3) | NOT_GLOBAL | 2);
	poke(&rig, L2_AT + 0x40, (FRAME + 0x4000) | AP(3) | 2);
	mmu_flush_page(mmu, PAGED, 8); /* another one's */
	mmu_flush_asid(mmu, 8);
	assert_int_equal(pa_of(&rig, PAGED), FRAME);
	mmu_flush_page(mmu, PAGED + 0x10000, 8); /* everybody's */
	assert_int_equal(pa_of(&rig, PAGED), FRAME);
	assert_int_equal(pa_of(&rig, PAGED + 0x10000), FRAME + 0x4000);
	/* Also while it sleeps. */
	mmu_set_context(mmu, 8);
	mmu_flush_page(mmu, PAGED, 7);
	mmu_set_context(mmu, 7);
	assert_int_equal(pa_of(&rig, PAGED), FRAME + 0x4000);
	poke(&rig, L2_AT, FRAME | AP(3) | NOT_GLOBAL | 2);
	poke(&rig, L2_AT + 0x40, FRAME | AP(3) | 2);
	mmu_flush_asid(mmu, 7);
	assert_int_equal(pa_of(&rig, PAGED), FRAME);
	assert_int_equal(pa_of(&rig, PAGED + 0x10000), FRAME + 0x4000);
	mmu_flush(mmu);
	assert_int_equal(pa_of(&rig, PAGED + 0x10000), FRAME);
	rig_end(&rig);
}

/* TTBCR.N: low addresses by the first table, which is then shorter, high ones by the second. */
static void test_two_tables(void **state)
{
	struct rig rig;
	struct mmu *mmu = &rig.mem.mmu;

	(void)state;
	begin(&rig);
	mmu->ttbr1 = 0x10000 | 0x1b; /* attributes of walks are ignored */
	mmu->ttbcr = 1;
	mmu->ttbr = 0x6000 | 0x1b; /* 8 KiB now */
	poke(&rig, 0x6000, 0x402);
	poke(&rig, 0x6000 + 4 * 0x7ff, 0x00100402);
	poke(&rig, 0x10000 + 4 * 0x800, 0x402);
	assert_int_equal(pa_of(&rig, 0x00012344), 0x12344);
	assert_int_equal(pa_of(&rig, 0x7ff12344), 0x112344);
	assert_int_equal(pa_of(&rig, 0x80012344), 0x12344);
	mmu_flush(mmu);
	mmu->ttbcr = 1 | 0x10; /* no walks for the first, no walks for the second */
	expect_fault(&rig, 0x00012344, PR, FAULT_SECTION_TRANSLATION);
	assert_int_equal(pa_of(&rig, 0x80012344), 0x12344);
	mmu_flush(mmu);
	mmu->ttbcr = 1 | 0x20;
	assert_int_equal(pa_of(&rig, 0x00012344), 0x12344);
	expect_fault(&rig, 0x80012344, PR, FAULT_SECTION_TRANSLATION);
	rig_end(&rig);
}

/* Without SCTLR.XP the tables are ARMv5's, but for the third kind of page: 4 KiB with TEX. */
static void test_subpages(void **state)
{
	struct rig rig;

	(void)state;
	begin(&rig);
	mmu_set_control(&rig.mem.mmu, rig.mem.mmu.control & ~SCTLR_XP);
	map_page(&rig, PAGED, FRAME, 0xe40); /* AP 0, 1, 2, 3 of the quarters */
	expect_fault(&rig, PAGED, PR, FAULT_PAGE_PERMISSION);
	expect_fault(&rig, PAGED + 0x800, UW, FAULT_PAGE_PERMISSION);
	assert_non_null(find(&rig, PAGED + 0xc00, UX));
	poke(&rig, L2_AT + 4, FRAME | AP(3) | TEX(6) | 8 | 3);
	assert_int_equal(pa_of(&rig, PAGED + 0x1c04), FRAME + 0xc04);
	assert_int_equal(find(&rig, PAGED + 0x1000, UW)->attr & (TLB_DCACHED | TLB_WRITEBACK),
	                 TLB_DCACHED);
	rig_end(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rights),         cmocka_unit_test(test_faults),
		cmocka_unit_test(test_memory_types),   cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_address_spaces), cmocka_unit_test(test_flushes),
		cmocka_unit_test(test_two_tables),     cmocka_unit_test(test_subpages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
