/* The system control coprocessor: registers, maintenance, and that nothing unknown is swallowed. */
#include "rig.h"

static uint32_t get(struct rig *rig, uint8_t crn, uint8_t crm, uint8_t opc2)
{
	uint32_t value = 0;

	assert_int_equal(cp15_read(&rig->cpu, (struct cp15_op){0, crn, crm, opc2}, &value),
	                 EXEC_OK);
	return value;
}

static void set(struct rig *rig, uint8_t crn, uint8_t crm, uint8_t opc2, uint32_t value)
{
	assert_int_equal(cp15_write(&rig->cpu, (struct cp15_op){0, crn, crm, opc2}, value),
	                 EXEC_OK);
}

static void test_registers(void **state)
{
	struct rig rig;

	(void)state;
	rig_begin(&rig, false);
	assert_int_equal(get(&rig, 0, 0, 0), 0x41069265);
	set(&rig, 2, 0, 0, 0x12345678);
	assert_int_equal(get(&rig, 2, 0, 0), 0x12344000);
	set(&rig, 3, 0, 0, 0x55555555);
	assert_int_equal(get(&rig, 3, 0, 0), 0x55555555);
	set(&rig, 5, 0, 0, 0xfff);
	assert_int_equal(get(&rig, 5, 0, 0), 0xff);
	set(&rig, 6, 0, 0, 0xdeadbeef);
	assert_int_equal(get(&rig, 6, 0, 0), 0xdeadbeef);
	set(&rig, 1, 0, 0, 0);
	assert_int_equal(get(&rig, 1, 0, 0), 0x00050078);
	set(&rig, 1, 0, 0, 0xffffffff);
	assert_int_equal(get(&rig, 1, 0, 0), 0x0005ffff);
	rig_end(&rig);
}

/* FCSE: below 32 MiB the process id is part of the address, also in maintenance. */
static void test_process_id(void **state)
{
	struct rig rig;

	(void)state;
	rig_begin(&rig, false);
	set(&rig, 13, 0, 0, 0x04ffffff);
	assert_int_equal(get(&rig, 13, 0, 0), 0x04000000);
	assert_int_equal(mmu_mva(&rig.mem.mmu, 0x1000), 0x04001000);
	assert_int_equal(mmu_mva(&rig.mem.mmu, 0x02001000), 0x02001000);
	(void)cache_fill(rig.d, 0x04001000, FRAME);
	set(&rig, 7, 6, 1, 0x1000);
	assert_int_equal(cache_find(rig.d, 0x04001000, 0), CACHE_MISS);
	rig_end(&rig);
}

/* Line n of the D-cache, dirty; and the same line of the I-cache. */
static void fill_both(struct rig *rig, uint32_t mva)
{
	uint32_t line = cache_fill(rig->d, mva, FRAME + (mva & 0xfff));

	host_write(cache_bytes(rig->d, line), 4, 0x77);
	cache_mark_dirty(rig->d, line, mva);
	(void)cache_fill(rig->i, mva, FRAME + (mva & 0xfff));
	poke(rig, FRAME + (mva & 0xfff), 0);
}

/* Each operation on a dirty line: whether it stays in D and I, and whether memory gets it. */
static void test_maintenance(void **state)
{
	static const struct {
		uint8_t crm, opc2;
		bool in_d, in_i, written;
	} rows[] = {
		{5, 0, true, false, false}, {5, 1, true, false, false}, {5, 4, true, true, false},
		{6, 0, false, true, false}, {6, 1, false, true, false}, {7, 0, false, false, false},
		{10, 1, true, true, true},  {10, 4, true, true, false}, {14, 1, false, true, true},
	};
	struct rig rig;

	(void)state;
	rig_begin(&rig, false);
	for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
		cache_all(rig.d, CACHE_INVALIDATE);
		cache_all(rig.i, CACHE_INVALIDATE);
		fill_both(&rig, 0x1040);
		set(&rig, 7, rows[n].crm, rows[n].opc2, 0x1040);
		assert_int_equal(cache_find(rig.d, 0x1040, 0) != CACHE_MISS, rows[n].in_d);
		assert_int_equal(cache_find(rig.i, 0x1040, 0) != CACHE_MISS, rows[n].in_i);
		assert_int_equal(peek(&rig, FRAME + 0x40) == 0x77, rows[n].written);
	}
	rig_end(&rig);
}

/* The loop of the kernel: MRC to the flags until Z. */
static void test_test_and_clean(void **state)
{
	struct rig rig;

	(void)state;
	rig_begin(&rig, false);
	fill_both(&rig, 0x1000);
	fill_both(&rig, 0x1020);
	assert_int_equal(get(&rig, 7, 14, 3), 0);
	assert_int_not_equal(cache_find(rig.d, 0x1000, 0), CACHE_MISS);
	assert_int_equal(get(&rig, 7, 14, 3), PSR_Z);
	assert_int_equal(cache_find(rig.d, 0x1000, 0), CACHE_MISS);
	assert_int_equal(peek(&rig, FRAME), 0x77);
	assert_int_equal(peek(&rig, FRAME + 0x20), 0x77);
	fill_both(&rig, 0x1000);
	assert_int_equal(get(&rig, 7, 10, 3), PSR_Z);
	assert_int_not_equal(cache_find(rig.d, 0x1000, 0), CACHE_MISS);
	rig_end(&rig);
}

static void test_coherent_mode(void **state)
{
	struct rig rig;

	(void)state;
	rig_begin(&rig, false);
	rig.mem.d = NULL;
	rig.mem.i = NULL;
	for (uint8_t crm = 5; crm <= 7; crm++)
		set(&rig, 7, crm, 0, 0);
	set(&rig, 7, 14, 1, 0x1000);
	assert_int_equal(get(&rig, 7, 14, 3), PSR_Z);
	rig_end(&rig);
}

static void test_wait_for_interrupt(void **state)
{
	struct rig rig;

	(void)state;
	rig_begin(&rig, false);
	rig.cpu.run_until = 100;
	set(&rig, 7, 0, 4, 0);
	assert_true(rig.cpu.waiting);
	assert_int_equal(rig.cpu.run_until, 0);
	cpu_set_line(&rig.cpu, CPU_IRQ, true);
	assert_false(rig.cpu.waiting);
	set(&rig, 7, 0, 4, 0); /* one is there already */
	assert_false(rig.cpu.waiting);
	rig_end(&rig);
}

static void test_not_modelled(void **state)
{
	struct rig rig;
	uint32_t value;

	(void)state;
	rig_begin(&rig, false);
	rig.cpu.pc = 0xc0001234;
	assert_int_equal(cp15_write(&rig.cpu, (struct cp15_op){5, 15, 13, 1}, 0), EXEC_STOP);
	assert_non_null(strstr(rig.cpu.stop_text, "MCR p15, 5, Rd, c15, c13, 1"));
	assert_non_null(strstr(rig.cpu.stop_text, "0xc0001234"));
	/* There is only one direction. */
	assert_int_equal(cp15_read(&rig.cpu, (struct cp15_op){0, 7, 5, 0}, &value), EXEC_STOP);
	assert_non_null(strstr(rig.cpu.stop_text, "MRC"));
	assert_int_equal(cp15_write(&rig.cpu, (struct cp15_op){0, 0, 0, 0}, 0), EXEC_STOP);
	rig_end(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_registers),     cmocka_unit_test(test_process_id),
		cmocka_unit_test(test_maintenance),   cmocka_unit_test(test_test_and_clean),
		cmocka_unit_test(test_coherent_mode), cmocka_unit_test(test_wait_for_interrupt),
		cmocka_unit_test(test_not_modelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
