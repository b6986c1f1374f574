/* Translation: rights, fault codes, page sizes, and what the TLB may keep. */
#include "rig.h"

#define PR ALLOW_READ
#define PW ALLOW_WRITE
#define UR (ALLOW_READ << 2)
#define UW (ALLOW_WRITE << 2)

/* ARM ARM (DDI 0100) table B4-1, for a client. */
static void test_rights(void **state)
{
	static const struct {
		unsigned ap;
		uint32_t control;
		uint8_t allow;
	} rows[] = {
		{0, 0, 0},
		{0, SCTLR_S, PR},
		{0, SCTLR_R, PR | UR},
		{1, 0, PR | PW},
		{1, SCTLR_S, PR | PW},
		{1, SCTLR_R, PR | PW},
		{2, 0, PR | PW | UR},
		{2, SCTLR_S, PR | PW | UR},
		{2, SCTLR_R, PR | PW | UR},
		{3, 0, PR | PW | UR | UW},
	};

	(void)state;
	for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++)
		assert_int_equal(mmu_allow(1u << 6, rows[n].control, 3, rows[n].ap), rows[n].allow);
	for (unsigned ap = 0; ap < 4; ap++) {
		assert_int_equal(mmu_allow(3u << 6, 0, 3, ap), 0xf);     /* manager */
		assert_int_equal(mmu_allow(0, 0, 3, ap), 0);             /* no access */
		assert_int_equal(mmu_allow(2u << 6, SCTLR_R, 3, ap), 0); /* reserved */
	}
}

static void expect_fault(struct rig *rig, uint32_t va, uint32_t need, uint32_t status)
{
	struct fault fault = {0, 0, false};

	assert_null(mmu_find(&rig->mem.mmu, va, need, &fault));
	assert_int_equal(fault.status, status);
	assert_int_equal(fault.mva, va);
	/* Again, now perhaps from the TLB. */
	assert_null(mmu_find(&rig->mem.mmu, va, need, &fault));
	assert_int_equal(fault.status, status);
}

static uint32_t expect_pa(struct rig *rig, uint32_t va, uint32_t need)
{
	struct fault fault = {0, 0, false};
	const struct tlb_entry *entry = mmu_find(&rig->mem.mmu, va, need, &fault);

	assert_non_null(entry);
	return entry->pa | (va & 0x3ff);
}

static void test_faults(void **state)
{
	struct rig rig;

	(void)state;
	rig_begin(&rig, false);
	rig_paging(&rig);
	poke(&rig, L1_AT + 4 * 2, 0x422 | 2 << 5);        /* section, domain 3: no access */
	poke(&rig, L1_AT + 4 * 3, L2_AT | 0x11 | 2 << 5); /* pages, domain 2: no access */
	poke(&rig, L1_AT + 4 * 4, 0x10000000 | 0x11);     /* coarse table that is no RAM */
	map_page(&rig, PAGED, FRAME, 0x550);              /* privileged only */
	expect_fault(&rig, 0x00500000, PR, FAULT_SECTION_TRANSLATION);
	expect_fault(&rig, PAGED + 0x1000, PR, FAULT_PAGE_TRANSLATION);
	expect_fault(&rig, 0x00200000, PR, FAULT_SECTION_DOMAIN | 3 << 4);
	expect_fault(&rig, 0x00300000, PR, FAULT_PAGE_DOMAIN | 2 << 4);
	expect_fault(&rig, 0x00301000, PR, FAULT_PAGE_TRANSLATION | 2 << 4);
	expect_fault(&rig, 0x00000000, UR, FAULT_SECTION_PERMISSION);
	expect_fault(&rig, PAGED, UR, FAULT_PAGE_PERMISSION);
	expect_fault(&rig, 0x00400000, PR, FAULT_EXTERNAL_WALK_2);
	rig.mem.mmu.ttbr = 0x10000000;
	expect_fault(&rig, 0x00600000, PR, FAULT_EXTERNAL_WALK_1);
	rig_end(&rig);
}

/* Each kilobyte of a small page and each 16 KiB of a large one have rights of their own. */
static void test_subpages(void **state)
{
	struct rig rig;

	(void)state;
	rig_begin(&rig, false);
	rig_paging(&rig);
	map_page(&rig, PAGED + 0x2000, FRAME, 0xe40); /* AP 0, 1, 2, 3 from the first */
	expect_fault(&rig, PAGED + 0x2000, PR, FAULT_PAGE_PERMISSION);
	expect_fault(&rig, PAGED + 0x2400, UR, FAULT_PAGE_PERMISSION);
	assert_int_equal(expect_pa(&rig, PAGED + 0x2404, PW), FRAME + 0x404);
	assert_int_equal(expect_pa(&rig, PAGED + 0x2804, UR), FRAME + 0x804);
	expect_fault(&rig, PAGED + 0x2804, UW, FAULT_PAGE_PERMISSION);
	assert_int_equal(expect_pa(&rig, PAGED + 0x2ffc, UW), FRAME + 0xffc);
	for (unsigned n = 0; n < 16; n++)
		poke(&rig, L2_AT + 4 * (0x10 + n), FRAME | 0xe40 | 1);
	expect_fault(&rig, PAGED + 0x10000, PR, FAULT_PAGE_PERMISSION);
	assert_int_equal(expect_pa(&rig, PAGED + 0x17abc, PW), FRAME + 0x7abc);
	assert_int_equal(expect_pa(&rig, PAGED + 0x1fabc, UW), FRAME + 0xfabc);
	rig_end(&rig);
}

static void test_fine_table(void **state)
{
	struct rig rig;

	(void)state;
	rig_begin(&rig, false);
	rig_paging(&rig);
	poke(&rig, L1_AT + 4 * 2, 0xc000 | 0x13);
	poke(&rig, 0xc000 + 4 * 5, (FRAME + 0x400) | 0x33); /* tiny page 5 */
	assert_int_equal(expect_pa(&rig, 0x00201404, UW), FRAME + 0x404);
	expect_fault(&rig, 0x00201000, PR, FAULT_PAGE_TRANSLATION);
	poke(&rig, L2_AT, FRAME | 0x33); /* not in a coarse table */
	expect_fault(&rig, PAGED, PR, FAULT_PAGE_TRANSLATION);
	rig_end(&rig);
}

/* A changed table is seen after a flush of its page or of all; DACR acts at once. */
static void test_tlb(void **state)
{
	struct rig rig;

	(void)state;
	rig_begin(&rig, false);
	rig_paging(&rig);
	map_page(&rig, PAGED, FRAME, AP_ALL);
	assert_int_equal(expect_pa(&rig, PAGED, PR), FRAME);
	poke(&rig, L2_AT, (FRAME + 0x1000) | AP_ALL | 2);
	assert_int_equal(expect_pa(&rig, PAGED, PR), FRAME);
	mmu_flush_page(&rig.mem.mmu, PAGED + 0x800, 0);
	assert_int_equal(expect_pa(&rig, PAGED, PR), FRAME + 0x1000);
	mmu_set_dacr(&rig.mem.mmu, 0);
	expect_fault(&rig, PAGED, PR, FAULT_PAGE_DOMAIN);
	mmu_set_dacr(&rig.mem.mmu, 1);
	assert_int_equal(expect_pa(&rig, PAGED, PR), FRAME + 0x1000);
	/* A section goes by any of its addresses. */
	poke(&rig, L1_AT + 8, 0xc12);
	assert_int_equal(expect_pa(&rig, 0x00210000, UW), 0x10000);
	poke(&rig, L1_AT + 8, 0x00100c12);
	mmu_flush_page(&rig.mem.mmu, 0x00200000, 0);
	assert_int_equal(expect_pa(&rig, 0x00210000, UW), 0x00110000);
	rig_end(&rig);
}

/* Walks read memory: an entry that is dirty in the D-cache is not seen. */
static void test_walk_reads_memory(void **state)
{
	struct rig rig;

	(void)state;
	rig_begin(&rig, true);
	rig_paging(&rig);
	map_page(&rig, PAGED + 0x1000, FRAME, AP_ALL);
	map_page(&rig, PAGED, L2_AT, CACHED); /* the table itself, cached */
	store(&rig, PAGED + 4, (FRAME + 0x1000) | AP_ALL | 2);
	mmu_flush(&rig.mem.mmu);
	assert_int_equal(expect_pa(&rig, PAGED + 0x1000, PR), FRAME);
	c7(&rig, 10, 1, PAGED + 4);
	mmu_flush(&rig.mem.mmu);
	assert_int_equal(expect_pa(&rig, PAGED + 0x1000, PR), FRAME + 0x1000);
	rig_end(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rights),   cmocka_unit_test(test_faults),
		cmocka_unit_test(test_subpages), cmocka_unit_test(test_fine_table),
		cmocka_unit_test(test_tlb),      cmocka_unit_test(test_walk_reads_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
