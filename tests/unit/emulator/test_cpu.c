/* What a program in user mode cannot show: modes, exceptions, aborts, accesses of other rights. */
#include "run.h"

static void test_banks(void **state)
{
	static const uint32_t modes[] = {MODE_SYS, MODE_FIQ, MODE_IRQ,
	                                 MODE_SVC, MODE_ABT, MODE_UND};
	struct rig rig;

	(void)state;
	rig_begin(&rig, false);
	for (uint32_t n = 0; n < 6; n++) {
		assert_true(cpu_set_cpsr(&rig.cpu, modes[n]));
		rig.cpu.r[12] = modes[n] == MODE_FIQ ? 0xf12 : 0x12;
		rig.cpu.r[13] = 0x100 + n;
		rig.cpu.r[14] = 0x200 + n;
		if (cpu_spsr(&rig.cpu))
			*cpu_spsr(&rig.cpu) = 0x300 + n;
	}
	for (uint32_t n = 0; n < 6; n++) {
		assert_true(cpu_set_cpsr(&rig.cpu, modes[n]));
		assert_int_equal(rig.cpu.r[12], modes[n] == MODE_FIQ ? 0xf12 : 0x12);
		assert_int_equal(rig.cpu.r[13], 0x100 + n);
		assert_int_equal(rig.cpu.r[14], 0x200 + n);
		assert_int_equal(*cpu_user_reg(&rig.cpu, 12), 0x12);
		assert_int_equal(*cpu_user_reg(&rig.cpu, 13), 0x100);
		if (n > 0)
			assert_int_equal(*cpu_spsr(&rig.cpu), 0x300 + n);
	}
	assert_true(cpu_set_cpsr(&rig.cpu, MODE_USR));
	assert_null(cpu_spsr(&rig.cpu));
	assert_int_equal(rig.cpu.r[13], 0x100);
	assert_false(cpu_set_cpsr(&rig.cpu, 0x15));
	assert_int_equal(rig.cpu.cpsr, MODE_USR);
	rig_end(&rig);
}

static void test_exceptions(void **state)
{
	struct rig rig;

	(void)state;
	rig_begin(&rig, false);
	(void)cpu_set_cpsr(&rig.cpu, MODE_USR | PSR_C);
	RUN(&rig, 1, 0xef000000); /* swi */
	expect_exception(&rig, MODE_SVC, 0x08, CODE + 4);
	assert_int_equal(*cpu_spsr(&rig.cpu), MODE_USR | PSR_C);
	(void)cpu_set_cpsr(&rig.cpu, MODE_USR);
	RUN(&rig, 1, 0xe7f000f0); /* undefined for ever */
	expect_exception(&rig, MODE_UND, 0x04, CODE + 4);
	(void)cpu_set_cpsr(&rig.cpu, MODE_USR);
	RUN(&rig, 1, 0xee110f10); /* mrc p15 is not for user mode */
	expect_exception(&rig, MODE_UND, 0x04, CODE + 4);
	RUN(&rig, 1, 0xee000a10); /* there is no VFP */
	expect_exception(&rig, MODE_UND, 0x04, CODE + 4);
	RUN(&rig, 1, 0xe1200070); /* bkpt */
	expect_exception(&rig, MODE_ABT, 0x0c, CODE + 4);
	(void)cpu_set_cpsr(&rig.cpu, MODE_USR | PSR_T);
	RUN(&rig, 1, 0x0000df00); /* Thumb swi */
	expect_exception(&rig, MODE_SVC, 0x08, CODE + 2);
	mmu_set_control(&rig.mem.mmu, rig.mem.mmu.control | SCTLR_V);
	RUN(&rig, 1, 0xef000000);
	expect_exception(&rig, MODE_SVC, 0xffff0008, CODE + 4);
	rig_end(&rig);
}

static void test_interrupts(void **state)
{
	struct rig rig;

	(void)state;
	rig_begin(&rig, false);
	(void)cpu_set_cpsr(&rig.cpu, MODE_USR | PSR_I | PSR_T);
	cpu_set_line(&rig.cpu, CPU_IRQ, true);
	RUN(&rig, 1, 0x46c046c0); /* masked: nop, nop */
	assert_int_equal(rig.cpu.pc, CODE + 2);
	rig.cpu.cpsr &= ~PSR_I;
	assert_true(cpu_interrupt(&rig.cpu));
	expect_exception(&rig, MODE_IRQ, 0x18, CODE + 6); /* the next instruction + 4 */
	assert_false(cpu_interrupt(&rig.cpu));
	cpu_set_line(&rig.cpu, CPU_FIQ, true);
	assert_true(cpu_interrupt(&rig.cpu));
	expect_exception(&rig, MODE_FIQ, 0x1c, 0x1c);
	assert_true(rig.cpu.cpsr & PSR_F);
	rig_end(&rig);
}

/* After an abort the base is what it was, and no register of the list is loaded. */
static void test_aborts_restore(void **state)
{
	static const uint32_t code[] = {
		0xe5b01004, /* ldr r1, [r0, #4]! */
		0xe4901ffc, /* ldr r1, [r0], #0xffc */
		0xe8b0003e, /* ldmia r0!, {r1-r5} */
		0xe8a0003e, /* stmia r0!, {r1-r5} */
		0xe1e020d8, /* ldrd r2, [r0, #8]! */
		0xe1001091, /* swp r1, r1, [r0] */
		0xe8b0003f, /* ldmia r0!, {r0-r5} */
	};
	struct rig rig;

	(void)state;
	rig_begin(&rig, false);
	rig_paging(&rig);
	map_page(&rig, PAGED, FRAME, CACHED);
	for (size_t n = 0; n < sizeof(code) / sizeof(code[0]); n++) {
		/* Blocks begin on the page that is there, and end on one that is not. */
		uint32_t base = n == 2 || n == 3 || n == 6 ? PAGED + 0xff4 : PAGED + 0x1ff8;

		(void)cpu_set_cpsr(&rig.cpu, MODE_SVC | PSR_I);
		for (uint32_t r = 0; r < 15; r++)
			rig.cpu.r[r] = base + (r ? r * 0x11 : 0);
		run(&rig, &code[n], 1, 1);
		expect_exception(&rig, MODE_ABT, 0x10, CODE + 8);
		assert_int_equal(rig.mem.dfsr, FAULT_PAGE_TRANSLATION);
		assert_true(rig.mem.far >= PAGED + 0x1000 && rig.mem.far < PAGED + 0x3000);
		for (uint32_t r = 0; r < 6; r++)
			assert_int_equal(rig.cpu.r[r], base + (r ? r * 0x11 : 0));
	}
	rig_end(&rig);
}

static void test_user_access(void **state)
{
	struct rig rig;

	(void)state;
	rig_begin(&rig, false);
	rig_paging(&rig);
	map_page(&rig, PAGED, FRAME, 0x550 | CB); /* privileged only */
	rig.cpu.r[0] = PAGED;
	RUN(&rig, 1, 0xe4901000); /* ldr r1, [r0], #0 */
	assert_int_equal(rig.cpu.pc, CODE + 4);
	RUN(&rig, 1, 0xe4b01004); /* ldrt r1, [r0], #4 */
	expect_exception(&rig, MODE_ABT, 0x10, CODE + 8);
	assert_int_equal(rig.mem.dfsr, FAULT_PAGE_PERMISSION);
	assert_int_equal(rig.cpu.r[0], PAGED);
	rig_end(&rig);
}

static void test_block_user_bank(void **state)
{
	struct rig rig;

	(void)state;
	rig_begin(&rig, false);
	(void)cpu_set_cpsr(&rig.cpu, MODE_SYS);
	rig.cpu.r[13] = 0x1313;
	rig.cpu.r[14] = 0x1414;
	(void)cpu_set_cpsr(&rig.cpu, MODE_SVC);
	rig.cpu.r[13] = 1;
	rig.cpu.r[0] = FRAME;
	RUN(&rig, 1, 0xe8c06000); /* stmia r0, {sp, lr}^ */
	assert_int_equal(peek(&rig, FRAME), 0x1313);
	assert_int_equal(peek(&rig, FRAME + 4), 0x1414);
	/* ldmia r0, {r1, pc}^ returns: to Thumb, as the SPSR has it */
	poke(&rig, FRAME + 4, 0x2002);
	*cpu_spsr(&rig.cpu) = MODE_USR | PSR_T | PSR_N;
	RUN(&rig, 1, 0xe8d08002);
	assert_int_equal(rig.cpu.r[1], 0x1313);
	assert_int_equal(rig.cpu.pc, 0x2002);
	assert_int_equal(rig.cpu.cpsr, MODE_USR | PSR_T | PSR_N);
	assert_int_equal(rig.cpu.r[13], 0x1313);
	rig_end(&rig);
}

/* With alignment checks off, a word from an odd address comes rotated. */
static void test_rotated_load(void **state)
{
	struct rig rig;

	(void)state;
	rig_begin(&rig, false);
	poke(&rig, FRAME, 0x44332211);
	rig.cpu.r[0] = FRAME + 1;
	RUN(&rig, 1, 0xe5901000); /* ldr r1, [r0] */
	assert_int_equal(rig.cpu.r[1], 0x11443322);
	mmu_set_control(&rig.mem.mmu, rig.mem.mmu.control | SCTLR_A);
	RUN(&rig, 1, 0xe5901000);
	expect_exception(&rig, MODE_ABT, 0x10, CODE + 8);
	assert_int_equal(rig.mem.dfsr, FAULT_ALIGNMENT);
	rig_end(&rig);
}

static void test_status_writes(void **state)
{
	struct rig rig;

	(void)state;
	rig_begin(&rig, false);
	rig.cpu.r[0] = 0xf8000000u | MODE_SYS | PSR_T;
	RUN(&rig, 1, 0xe129f000);                               /* msr cpsr_fc, r0 */
	assert_int_equal(rig.cpu.cpsr, 0xf8000000u | MODE_SYS); /* T is for BX */
	rig.cpu.r[0] = MODE_USR;
	RUN(&rig, 1, 0xe121f000); /* msr cpsr_c, r0 */
	assert_int_equal(rig.cpu.cpsr, 0xf8000000u | MODE_USR);
	rig.cpu.r[0] = MODE_SVC;
	RUN(&rig, 1, 0xe129f000); /* from user mode: the flags only */
	assert_int_equal(rig.cpu.cpsr, MODE_USR);
	rig_end(&rig);
}

static void test_halt_and_stop(void **state)
{
	struct rig rig;

	(void)state;
	rig_begin(&rig, false);
	poke(&rig, CODE, 0xeafffffe); /* b . */
	rig.cpu.pc = CODE;
	rig.cpu.run_until = 10;
	assert_int_equal(cpu_run(&rig.cpu), EXEC_HALT);
	rig.cpu.cpsr &= ~PSR_I; /* an interrupt may still come */
	assert_int_equal(cpu_run(&rig.cpu), EXEC_OK);
	poke(&rig, CODE, 0xe321f015); /* msr cpsr_c, #0x15: no such mode */
	mem_fetch_forget(&rig.mem);
	rig.cpu.run_until = 20;
	assert_int_equal(cpu_run(&rig.cpu), EXEC_STOP);
	assert_non_null(strstr(rig.cpu.stop_text, "0x00000015"));
	rig_end(&rig);
}

static void test_prefetch_abort(void **state)
{
	struct rig rig;

	(void)state;
	rig_begin(&rig, false);
	rig_paging(&rig);
	rig.cpu.pc = PAGED + 0x40;
	rig.cpu.run_until = rig.cpu.count + 1;
	assert_int_equal(cpu_run(&rig.cpu), EXEC_OK);
	expect_exception(&rig, MODE_ABT, 0x0c, PAGED + 0x44);
	assert_int_equal(rig.mem.ifsr, FAULT_PAGE_TRANSLATION);
	rig_end(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_banks),         cmocka_unit_test(test_exceptions),
		cmocka_unit_test(test_interrupts),    cmocka_unit_test(test_aborts_restore),
		cmocka_unit_test(test_user_access),   cmocka_unit_test(test_block_user_bank),
		cmocka_unit_test(test_rotated_load),  cmocka_unit_test(test_status_writes),
		cmocka_unit_test(test_halt_and_stop), cmocka_unit_test(test_prefetch_abort),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
