/* The system control coprocessor of the ARM11: what it says it is, ranges and addresses that may abort, what user
 * mode may, and that nothing unknown is swallowed. */
#include "rig.h"

#define PAGE (0x30u | CB) /* everything for everybody, write-back */

static uint32_t get(struct rig *rig, uint8_t crn, uint8_t crm, uint8_t opc2)
{
	uint32_t value = 0;

	assert_int_equal(cp15_read(&rig->cpu, (struct cp15_op){0, crn, crm, opc2}, &value),
	                 EXEC_OK);
	return value;
}

static enum exec set(struct rig *rig, uint8_t crn, uint8_t crm, uint8_t opc2, uint32_t value)
{
	return cp15_write(&rig->cpu, (struct cp15_op){0, crn, crm, opc2}, value);
}

static void test_identity(void **state)
{
	struct rig rig;

	(void)state;
	rig_begin_core(&rig, CPU_ARM1136, false);
	assert_int_equal(get(&rig, 0, 0, 0), 0x4117b363);
	assert_int_equal(get(&rig, 0, 1, 6), 0x01222110); /* MMFR2 */
	rig_end(&rig);
	rig_begin_core(&rig, CPU_ARM1176, false);
	assert_int_equal(get(&rig, 0, 0, 0), 0x410fb767);
	assert_int_equal(get(&rig, 0, 1, 4), 0x01130003); /* MMFR0: Linux calls it ARMv7 */
	assert_int_equal(get(&rig, 0, 1, 6), 0x01222100);
	assert_int_equal(get(&rig, 0, 2, 3), 0x01102131); /* ISAR3 */
	rig_end(&rig);
}

static void test_registers(void **state)
{
	struct rig rig;

	(void)state;
	rig_begin_core(&rig, CPU_ARM1176, false);
	assert_int_equal(get(&rig, 1, 0, 0), 0x00050078);
	assert_int_equal(set(&rig, 1, 0, 0, 0x00c5387a), EXEC_OK);
	assert_int_equal(get(&rig, 1, 0, 0), 0x00c5387a);
	assert_int_equal(set(&rig, 2, 0, 0, 0x1234407b), EXEC_OK);
	assert_int_equal(get(&rig, 2, 0, 0), 0x1234407b);
	assert_int_equal(set(&rig, 2, 0, 2, 0xffffffff), EXEC_OK);
	assert_int_equal(get(&rig, 2, 0, 2), 0x37);
	assert_int_equal(set(&rig, 5, 0, 0, 0xffffffff), EXEC_OK);
	assert_int_equal(get(&rig, 5, 0, 0), 0x1cff);
	assert_int_equal(set(&rig, 13, 0, 1, 0x1234), EXEC_OK);
	assert_int_equal(get(&rig, 13, 0, 1), 0x1234);
	for (uint8_t n = 2; n <= 4; n++)
		assert_int_equal(set(&rig, 13, 0, n, 0x77770000u + n), EXEC_OK);
	for (uint8_t n = 2; n <= 4; n++)
		assert_int_equal(get(&rig, 13, 0, n), 0x77770000u + n);
	assert_int_equal(set(&rig, 1, 0, 2, 0x00f00000), EXEC_OK);
	assert_int_equal(get(&rig, 1, 0, 2), 0); /* there is no VFP to give access to */
	rig_end(&rig);
}

static void test_not_modelled(void **state)
{
	static const struct {
		uint32_t control;
		const char *bits;
	} rows[] = {
		{1u << 28, "0x10000000"}, /* TEX remap */
		{1u << 25, "0x02000000"}, /* big-endian exceptions */
		{1u << 24, "0x01000000"}, /* vectors from the controller */
		{1u << 7, "0x00000080"},  /* big-endian words */
	};
	struct rig rig;

	(void)state;
	rig_begin_core(&rig, CPU_ARM1176, false);
	for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
		assert_int_equal(set(&rig, 1, 0, 0, rows[n].control), EXEC_STOP);
		assert_non_null(strstr(rig.cpu.stop_text, rows[n].bits));
	}
	assert_int_equal(set(&rig, 15, 12, 0, 0), EXEC_STOP);
	assert_int_equal(cp15_range(&rig.cpu, 0, 7, 0, 0), EXEC_STOP);
	assert_non_null(strstr(rig.cpu.stop_text, "MCRR p15, 0, Rd, Rn, c7"));
	/* What only the ARM926 has, and what only these have. */
	assert_int_equal(set(&rig, 7, 14, 3, 0), EXEC_STOP);
	rig_end(&rig);
	rig_begin(&rig, false);
	assert_int_equal(set(&rig, 13, 0, 1, 0), EXEC_STOP);
	assert_int_equal(cp15_range(&rig.cpu, 0, 14, 0, 0), EXEC_UNDEFINED);
	rig_end(&rig);
}

static void test_user_mode(void **state)
{
	struct rig rig;
	const struct cpu *cpu = &rig.cpu;

	(void)state;
	rig_begin_core(&rig, CPU_ARM1176, false);
	assert_true(cp15_is_for_user(cpu, (struct cp15_op){0, 7, 5, 4}, false));
	assert_true(cp15_is_for_user(cpu, (struct cp15_op){0, 7, 10, 4}, false));
	assert_true(cp15_is_for_user(cpu, (struct cp15_op){0, 7, 10, 5}, false));
	assert_false(cp15_is_for_user(cpu, (struct cp15_op){0, 7, 10, 5}, true));
	assert_false(cp15_is_for_user(cpu, (struct cp15_op){0, 7, 10, 1}, false));
	assert_true(cp15_is_for_user(cpu, (struct cp15_op){0, 13, 0, 2}, false));
	assert_true(cp15_is_for_user(cpu, (struct cp15_op){0, 13, 0, 3}, true));
	assert_false(cp15_is_for_user(cpu, (struct cp15_op){0, 13, 0, 3}, false));
	assert_false(cp15_is_for_user(cpu, (struct cp15_op){0, 13, 0, 4}, true));
	assert_false(cp15_is_for_user(cpu, (struct cp15_op){0, 1, 0, 0}, true));
	(void)cpu_set_cpsr(&rig.cpu, MODE_USR);
	assert_int_equal(cp15_range(&rig.cpu, 0, 12, 0x1000, 0x1000), EXEC_OK);
	assert_int_equal(cp15_range(&rig.cpu, 0, 14, 0x1000, 0x1000), EXEC_UNDEFINED);
	rig_end(&rig);
}

/* The frame under two addresses of different colour and one of the same. */
static void begin_aliases(struct rig *rig)
{
	rig_begin_core(rig, CPU_ARM1176, false);
	rig_paging_v6(rig);
	map_page(rig, PAGED, FRAME, PAGE);
	map_page(rig, PAGED + 0x1000, FRAME, PAGE);
	map_page(rig, PAGED + 0x4000, FRAME, PAGE);
}

static void dirty(struct rig *rig)
{
	assert_int_equal(load(rig, PAGED + 0x40), 0);
	store(rig, PAGED + 0x40, 0x77);
}

/* Cleaning by another colour does nothing, by one of the same colour it does: the tag is physical. */
static void test_colours(void **state)
{
	static const struct {
		uint8_t crm, opc2;
		bool written, kept;
	} rows[] = {{6, 1, false, false}, {10, 1, true, true}, {14, 1, true, false}};
	struct rig rig;

	(void)state;
	for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
		begin_aliases(&rig);
		dirty(&rig);
		c7(&rig, rows[n].crm, rows[n].opc2, PAGED + 0x1040);
		assert_int_equal(peek(&rig, FRAME + 0x40), 0);
		assert_int_equal(load(&rig, PAGED + 0x40), 0x77);
		c7(&rig, rows[n].crm, rows[n].opc2, PAGED + 0x4040);
		assert_int_equal(peek(&rig, FRAME + 0x40), rows[n].written ? 0x77 : 0);
		poke(&rig, FRAME + 0x40, 0x99);
		assert_int_equal(load(&rig, PAGED + 0x40), rows[n].kept ? 0x77 : 0x99);
		rig_end(&rig);
	}
}

static void test_whole(void **state)
{
	static const struct {
		uint8_t crm, opc2;
		bool written, kept;
	} rows[] = {{6, 0, false, false}, {7, 0, false, false}, {10, 0, true, true},
	            {14, 0, true, false}, {15, 0, false, true}, {5, 6, false, true}};
	struct rig rig;

	(void)state;
	for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
		begin_aliases(&rig);
		dirty(&rig);
		assert_int_equal(get(&rig, 7, 10, 6), 1);
		c7(&rig, rows[n].crm, rows[n].opc2, 0);
		assert_int_equal(get(&rig, 7, 10, 6), !rows[n].written && rows[n].kept);
		assert_int_equal(peek(&rig, FRAME + 0x40), rows[n].written ? 0x77 : 0);
		poke(&rig, FRAME + 0x40, 0x99);
		assert_int_equal(load(&rig, PAGED + 0x40), rows[n].kept ? 0x77 : 0x99);
		rig_end(&rig);
	}
}

/* The last line counts; what is outside stays. */
static void test_ranges(void **state)
{
	static const struct {
		unsigned crm;
		bool written, kept;
	} rows[] = {{6, false, false}, {12, true, true}, {14, true, false}};
	struct rig rig;

	(void)state;
	for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
		begin_aliases(&rig);
		for (uint32_t at = 0; at < 0x100; at += 4)
			store(&rig, PAGED + at, load(&rig, PAGED + at) + 0x77);
		assert_int_equal(cp15_range(&rig.cpu, 0, rows[n].crm, PAGED + 0x44, PAGED + 0x80),
		                 EXEC_OK);
		for (uint32_t at = 0; at < 0x100; at += 4) {
			bool in = at >= 0x40 && at < 0xa0;

			assert_int_equal(peek(&rig, FRAME + at), in && rows[n].written ? 0x77 : 0);
			poke(&rig, FRAME + at, 0x99);
		}
		for (uint32_t at = 0; at < 0x100; at += 4) {
			bool in = at >= 0x40 && at < 0xa0;

			assert_int_equal(load(&rig, PAGED + at), in && !rows[n].kept ? 0x99 : 0x77);
		}
		rig_end(&rig);
	}
}

/* Operations by address abort where there is no translation, with caches and without. */
static void test_aborts(void **state)
{
	static const uint8_t ops[][2] = {{5, 1}, {6, 1}, {10, 1}, {14, 1}};
	static const unsigned ranges[] = {5, 6, 12, 14};
	struct rig rig;

	(void)state;
	for (unsigned coherent = 0; coherent < 2; coherent++) {
		begin_aliases(&rig);
		if (coherent)
			rig.mem.d = rig.mem.i = NULL;
		for (size_t n = 0; n < 4; n++) {
			rig.mem.data_fault.mva = 0;
			assert_int_equal(set(&rig, 7, ops[n][0], ops[n][1], PAGED + 0x9040),
			                 EXEC_DATA_ABORT);
			assert_int_equal(rig.mem.data_fault.mva, PAGED + 0x9040);
			assert_int_equal(rig.mem.data_fault.status, FAULT_PAGE_TRANSLATION);
			assert_int_equal(
				cp15_range(&rig.cpu, 0, ranges[n], PAGED + 0x1f80, PAGED + 0x20ff),
				EXEC_DATA_ABORT);
			assert_int_equal(rig.mem.data_fault.mva, PAGED + 0x2000);
			assert_int_equal(cp15_range(&rig.cpu, 0, ranges[n], PAGED, PAGED + 0x1fff),
			                 EXEC_OK);
		}
		rig_end(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity),     cmocka_unit_test(test_registers),
		cmocka_unit_test(test_not_modelled), cmocka_unit_test(test_user_mode),
		cmocka_unit_test(test_colours),      cmocka_unit_test(test_whole),
		cmocka_unit_test(test_ranges),       cmocka_unit_test(test_aborts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
