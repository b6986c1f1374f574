/* ARMv6 where a program in user mode cannot show it: exclusive accesses across modes and aborts, unaligned ones across
 * pages, changes of state, and what is refused by name. */
#include "run.h"

#define ALL  0x30u  /* AP: everything for everybody */
#define READ 0x220u /* APX and AP: read-only for everybody */

static void begin(struct rig *rig)
{
	rig_begin_core(rig, CPU_ARM1176, false);
	rig_paging_v6(rig);
	poke(rig, L1_AT, 0xc02); /* user mode may run the code */
	map_page(rig, PAGED, FRAME, ALL);
}

static void stops(struct rig *rig, uint32_t insn, const char *why)
{
	poke(rig, CODE, insn);
	mem_fetch_forget(&rig->mem);
	rig->cpu.pc = CODE;
	rig->cpu.run_until = rig->cpu.count + 1;
	assert_int_equal(cpu_run(&rig->cpu), EXEC_STOP);
	assert_non_null(strstr(rig->cpu.stop_text, why));
}

/* LDREX r1, [r0] in one mode, STREX r2, r3, [r0] in another: nothing but CLREX or a STREX opens the monitor. */
static void test_exclusive(void **state)
{
	struct rig rig;

	(void)state;
	begin(&rig);
	poke(&rig, FRAME + 8, 0x55);
	(void)cpu_set_cpsr(&rig.cpu, MODE_SYS);
	rig.cpu.r[0] = PAGED + 8;
	rig.cpu.r[2] = 9;
	rig.cpu.r[3] = 0x66;
	RUN(&rig, 2, 0xe1901f9f, 0xef000000); /* ldrex; swi */
	assert_int_equal(rig.cpu.cpsr & 0x1f, MODE_SVC);
	assert_int_equal(rig.cpu.r[1], 0x55);
	RUN(&rig, 1, 0xe1802f93); /* strex */
	assert_int_equal(rig.cpu.r[2], 0);
	assert_int_equal(peek(&rig, FRAME + 8), 0x66);
	rig.cpu.r[3] = 0x77;
	RUN(&rig, 1, 0xe1802f93); /* again: it is open */
	assert_int_equal(rig.cpu.r[2], 1);
	RUN(&rig, 3, 0xe1901f9f, 0xf57ff01f, 0xe1802f93); /* ldrex, clrex, strex */
	assert_int_equal(rig.cpu.r[2], 1);
	RUN(&rig, 3, 0xe1901f9f, 0xe2800004, 0xe1802f93); /* of another address */
	assert_int_equal(rig.cpu.r[2], 1);
	assert_int_equal(peek(&rig, FRAME + 8), 0x66);
	assert_int_equal(peek(&rig, FRAME + 12), 0);
	rig_end(&rig);
}

/* A STREX that fails accesses nothing; one that aborts changes nothing, and may be done again. */
static void test_exclusive_aborts(void **state)
{
	struct rig rig;

	(void)state;
	begin(&rig);
	map_page(&rig, PAGED + 0x1000, FRAME + 0x1000, READ);
	rig.cpu.r[0] = PAGED + 0x1010;
	rig.cpu.r[2] = 9;
	RUN(&rig, 1, 0xe1802f93);
	assert_int_equal(rig.cpu.r[2], 1);
	rig.cpu.r[2] = 9;
	RUN(&rig, 2, 0xe1901f9f, 0xe1802f93);
	expect_exception(&rig, MODE_ABT, 0x10, CODE + 4 + 8);
	assert_int_equal(rig.mem.dfsr, FAULT_PAGE_PERMISSION | FAULT_WRITE);
	assert_int_equal(rig.mem.far, PAGED + 0x1010);
	assert_int_equal(rig.cpu.r[2], 9);
	map_page(&rig, PAGED + 0x1000, FRAME + 0x1000, ALL);
	RUN(&rig, 1, 0xe1802f93);
	assert_int_equal(rig.cpu.r[2], 0);
	rig_end(&rig);
}

/* With SCTLR.U single loads and stores may be anywhere, these not. */
static void test_must_be_aligned(void **state)
{
	static const struct {
		uint32_t insn, offset;
		bool write;
	} rows[] = {
		{0xe1901f9f, 2, false}, /* ldrex r1, [r0] */
		{0xe1802f93, 2, true},  /* strex r2, r3, [r0] */
		{0xe1b02f9f, 4, false}, /* ldrexd r2, [r0] */
		{0xe1f01f9f, 1, false}, /* ldrexh r1, [r0] */
		{0xe1c020d0, 2, false}, /* ldrd r2, [r0] */
		{0xe1c020f0, 2, true},  /* strd r2, [r0] */
		{0xe890000e, 2, false}, /* ldmia r0, {r1-r3} */
		{0xe880000e, 2, true},  /* stmia r0, {r1-r3} */
		{0xe1001091, 2, true},  /* swp r1, r1, [r0] */
		{0xf8900a00, 2, false}, /* rfeia r0 */
	};
	struct rig rig;

	(void)state;
	begin(&rig);
	for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
		(void)cpu_set_cpsr(&rig.cpu, MODE_SVC | PSR_I);
		rig.cpu.r[0] = PAGED + rows[n].offset;
		run(&rig, &rows[n].insn, 1, 1);
		expect_exception(&rig, MODE_ABT, 0x10, CODE + 8);
		assert_int_equal(rig.mem.dfsr, FAULT_ALIGNMENT | (rows[n].write ? FAULT_WRITE : 0));
		assert_int_equal(rig.mem.far, PAGED + rows[n].offset);
	}
	(void)cpu_set_cpsr(&rig.cpu, MODE_SVC | PSR_I);
	rig.cpu.r[0] = PAGED + 4;
	RUN(&rig, 1, 0xe1c020d0); /* ldrd needs words only */
	assert_int_equal(rig.cpu.pc, CODE + 4);
	mmu_set_control(&rig.mem.mmu, rig.mem.mmu.control | SCTLR_A);
	rig.cpu.r[0] = PAGED + 2;
	RUN(&rig, 1, 0xe5901000);
	expect_exception(&rig, MODE_ABT, 0x10, CODE + 8);
	rig_end(&rig);
}

/* Over the end of a page: both halves, or an abort that has written nothing. */
static void test_across_pages(void **state)
{
	struct rig rig;

	(void)state;
	begin(&rig);
	map_page(&rig, PAGED + 0x1000, FRAME + 0x8000, ALL);
	rig.cpu.r[0] = PAGED + 0xffe;
	rig.cpu.r[1] = 0x44332211;
	RUN(&rig, 2, 0xe5801000, 0xe5902000); /* str r1, [r0]; ldr r2, [r0] */
	assert_int_equal(rig.cpu.r[2], 0x44332211);
	assert_int_equal(peek(&rig, FRAME + 0xffc), 0x22110000);
	assert_int_equal(peek(&rig, FRAME + 0x8000), 0x00004433);
	map_page(&rig, PAGED + 0x1000, FRAME + 0x8000, READ);
	rig.cpu.r[1] = 0;
	RUN(&rig, 1, 0xe5801000);
	expect_exception(&rig, MODE_ABT, 0x10, CODE + 8);
	assert_int_equal(rig.mem.dfsr, FAULT_PAGE_PERMISSION | FAULT_WRITE);
	assert_int_equal(rig.mem.far, PAGED + 0x1001);
	assert_int_equal(peek(&rig, FRAME + 0xffc), 0x22110000);
	rig_end(&rig);
}

static void test_change_state(void **state)
{
	struct rig rig;

	(void)state;
	begin(&rig);
	(void)cpu_set_cpsr(&rig.cpu, MODE_SVC | PSR_I | PSR_A);
	RUN(&rig, 1, 0xf10800c0); /* cpsie if: A stays */
	assert_int_equal(rig.cpu.cpsr, MODE_SVC | PSR_A);
	RUN(&rig, 1, 0xf10e01d2); /* cpsid ai with a mode: 0x12 */
	assert_int_equal(rig.cpu.cpsr, MODE_IRQ | PSR_A | PSR_I | PSR_F);
	RUN(&rig, 1, 0xf102001f); /* cps #31 */
	assert_int_equal(rig.cpu.cpsr, MODE_SYS | PSR_A | PSR_I | PSR_F);
	rig.cpu.cpsr |= PSR_T;
	RUN(&rig, 1, 0x0000b662); /* cpsie i */
	assert_int_equal(rig.cpu.cpsr, MODE_SYS | PSR_T | PSR_A | PSR_F);
	(void)cpu_set_cpsr(&rig.cpu, MODE_USR);
	RUN(&rig, 1, 0xf10e01d3); /* nothing in user mode */
	assert_int_equal(rig.cpu.cpsr, MODE_USR);
	rig.cpu.r[0] = 0xffffffffu & ~PSR_E;
	RUN(&rig, 1, 0xe12ff000); /* msr cpsr_fsxc: flags and GE */
	assert_int_equal(rig.cpu.cpsr, 0xf80f0000u | MODE_USR);
	rig_end(&rig);
}

/* SRS to the stack of another mode, RFE back, each of the four ways of counting. */
static void test_save_and_return(void **state)
{
	static const struct {
		uint32_t srs, rfe; /* srsXX sp!, #31; rfeXX r0 */
		uint32_t at, after;
	} rows[] = {
		{0xf8ed051f, 0xf8900a00, 0, 8},                       /* ia */
		{0xf9ed051f, 0xf9900a00, 4, 8},                       /* ib */
		{0xf86d051f, 0xf8100a00, (uint32_t)-4, (uint32_t)-8}, /* da */
		{0xf96d051f, 0xf9100a00, (uint32_t)-8, (uint32_t)-8}, /* db */
	};
	struct rig rig;

	(void)state;
	begin(&rig);
	for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
		(void)cpu_set_cpsr(&rig.cpu, MODE_SVC | PSR_I);
		*cpu_stack_of(&rig.cpu, MODE_SYS) = PAGED + 0x80;
		rig.cpu.r[14] = 0x2002;
		*cpu_spsr(&rig.cpu) = MODE_USR | PSR_T | PSR_Z;
		run(&rig, &rows[n].srs, 1, 1);
		assert_int_equal(peek(&rig, FRAME + 0x80 + rows[n].at), 0x2002);
		assert_int_equal(peek(&rig, FRAME + 0x84 + rows[n].at), MODE_USR | PSR_T | PSR_Z);
		assert_int_equal(*cpu_stack_of(&rig.cpu, MODE_SYS), PAGED + 0x80 + rows[n].after);
		rig.cpu.r[0] = PAGED + 0x80;
		run(&rig, &rows[n].rfe, 1, 1);
		assert_int_equal(rig.cpu.pc, 0x2002);
		assert_int_equal(rig.cpu.cpsr, MODE_USR | PSR_T | PSR_Z);
		assert_int_equal(rig.cpu.r[0], PAGED + 0x80);
	}
	(void)cpu_set_cpsr(&rig.cpu, MODE_SYS);
	RUN(&rig, 1, 0xf8ed051f); /* no SPSR to save */
	expect_exception(&rig, MODE_UND, 0x04, CODE + 4);
	rig_end(&rig);
}

/* A is set by aborts and interrupts only; the registers tell where and why. */
static void test_exceptions(void **state)
{
	struct rig rig;

	(void)state;
	begin(&rig);
	(void)cpu_set_cpsr(&rig.cpu, MODE_SYS);
	RUN(&rig, 1, 0xef000000);
	assert_false(rig.cpu.cpsr & PSR_A);
	(void)cpu_set_cpsr(&rig.cpu, MODE_SYS);
	RUN(&rig, 1, 0xe1200070); /* bkpt */
	expect_exception(&rig, MODE_ABT, 0x0c, CODE + 4);
	assert_true(rig.cpu.cpsr & PSR_A);
	assert_int_equal(rig.mem.ifsr, FAULT_DEBUG);
	assert_int_equal(rig.cpu.cp15.ifar, CODE);
	(void)cpu_set_cpsr(&rig.cpu, MODE_SYS);
	map_page(&rig, PAGED, FRAME, ALL | 1);
	rig.cpu.pc = PAGED + 8; /* never executed */
	rig.cpu.run_until = rig.cpu.count + 1;
	assert_int_equal(cpu_run(&rig.cpu), EXEC_OK);
	expect_exception(&rig, MODE_ABT, 0x0c, PAGED + 12);
	assert_int_equal(rig.mem.ifsr, FAULT_PAGE_PERMISSION);
	assert_int_equal(rig.cpu.cp15.ifar, PAGED + 8);
	(void)cpu_set_cpsr(&rig.cpu, MODE_USR);
	RUN(&rig, 1, 0xee1d0f70); /* mrc p15, 0, r0, c13, c0, 3 */
	assert_int_equal(rig.cpu.pc, CODE + 4);
	RUN(&rig, 1, 0xee110f10); /* mrc p15, 0, r0, c1, c0, 0 is not for it */
	expect_exception(&rig, MODE_UND, 0x04, CODE + 4);
	(void)cpu_set_cpsr(&rig.cpu, MODE_USR);
	RUN(&rig, 1, 0xf8900a00); /* nor is rfe */
	expect_exception(&rig, MODE_UND, 0x04, CODE + 4);
	rig_end(&rig);
}

static void test_big_endian(void **state)
{
	struct rig rig;

	(void)state;
	begin(&rig);
	stops(&rig, 0xf1010200, "SETEND BE");
	stops(&rig, 0xe322fc02, "big-endian"); /* msr cpsr_x, #0x200 */
	*cpu_spsr(&rig.cpu) = MODE_USR | PSR_E;
	stops(&rig, 0xe1b0f00e, "SPSR"); /* movs pc, lr */
	rig_end(&rig);
}

/* What ARMv6 adds is undefined on an ARM926. */
static void test_only_on_v6(void **state)
{
	static const uint32_t code[] = {
		0xe1901f9f, /* ldrex */
		0xe1802f93, /* strex */
		0xe6bf0f30, /* rev */
		0xe6af0070, /* sxtb */
		0xe6100f10, /* sadd16 */
		0xe7000010, /* smlad */
		0xe0400090, /* umaal */
		0xf57ff01f, /* clrex */
		0xf10800c0, /* cpsie */
		0xf8900a00, /* rfe */
		0xec410f0e, /* mcrr p15, 0, r0, r1, c14 */
		0xee100e10, /* mrc p14, 0, r0, c0, c0, 0 */
	};
	static const uint32_t thumb[] = {0xb200, 0xba00, 0xb662, 0xb650};
	struct rig rig;

	(void)state;
	rig_begin(&rig, false);
	for (size_t n = 0; n < sizeof(code) / sizeof(code[0]); n++) {
		(void)cpu_set_cpsr(&rig.cpu, MODE_SVC | PSR_I);
		run(&rig, &code[n], 1, 1);
		expect_exception(&rig, MODE_UND, 0x04, CODE + 4);
	}
	for (size_t n = 0; n < sizeof(thumb) / sizeof(thumb[0]); n++) {
		(void)cpu_set_cpsr(&rig.cpu, MODE_SVC | PSR_I | PSR_T);
		run(&rig, &thumb[n], 1, 1);
		expect_exception(&rig, MODE_UND, 0x04, CODE + 2);
	}
	rig_end(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exclusive),       cmocka_unit_test(test_exclusive_aborts),
		cmocka_unit_test(test_must_be_aligned), cmocka_unit_test(test_across_pages),
		cmocka_unit_test(test_change_state),    cmocka_unit_test(test_save_and_return),
		cmocka_unit_test(test_exceptions),      cmocka_unit_test(test_big_endian),
		cmocka_unit_test(test_only_on_v6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
