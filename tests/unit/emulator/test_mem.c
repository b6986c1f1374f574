/* Loads and stores through MMU and cache: what a VIVT cache does to two names of one page. */
#include "rig.h"

#define U PAGED /* two virtual addresses of one frame */
#define K (PAGED + 0x5000)

static void rig_aliases(struct rig *rig, bool write_allocate, uint32_t bits)
{
	rig_begin(rig, write_allocate);
	rig_paging(rig);
	map_page(rig, U, FRAME, bits);
	map_page(rig, K, FRAME, bits);
}

static void test_aliases_disagree(void **state)
{
	struct rig rig;

	(void)state;
	rig_aliases(&rig, false, CACHED);
	poke(&rig, FRAME, 1);
	assert_int_equal(load(&rig, U), 1);
	assert_int_equal(load(&rig, K), 1);
	store(&rig, K, 2); /* hits, stays in the line */
	assert_int_equal(load(&rig, U), 1);
	assert_int_equal(peek(&rig, FRAME), 1);
	c7(&rig, 10, 1, K); /* clean K: memory has it, U still does not */
	assert_int_equal(peek(&rig, FRAME), 2);
	assert_int_equal(load(&rig, U), 1);
	c7(&rig, 6, 1, U); /* invalidate U */
	assert_int_equal(load(&rig, U), 2);
	rig_end(&rig);
}

/* Read-allocate: a store that misses goes to memory and leaves no line. */
static void test_allocation(void **state)
{
	struct rig rig;

	(void)state;
	rig_aliases(&rig, false, CACHED);
	store(&rig, K, 3);
	assert_int_equal(peek(&rig, FRAME), 3);
	assert_int_equal(cache_find(rig.d, K, 0), CACHE_MISS);
	rig_end(&rig);
	rig_aliases(&rig, true, CACHED);
	store(&rig, K, 3);
	assert_int_equal(peek(&rig, FRAME), 0);
	assert_int_equal(load(&rig, K), 3);
	assert_int_not_equal(cache_find(rig.d, K, 0), CACHE_MISS);
	rig_end(&rig);
}

/* A dead line keeps its address: it lands on the frame's next owner. */
static void test_late_write_back(void **state)
{
	struct rig rig;

	(void)state;
	rig_aliases(&rig, true, CACHED);
	store(&rig, U, 4);
	map_page(&rig, U, FRAME + 0x1000, CACHED);
	poke(&rig, FRAME, 99); /* the new owner */
	c7(&rig, 14, 1, U);
	assert_int_equal(peek(&rig, FRAME), 4);
	assert_int_equal(peek(&rig, FRAME + 0x1000), 0);
	rig_end(&rig);
}

static void test_write_through(void **state)
{
	struct rig rig;

	(void)state;
	rig_aliases(&rig, true, THROUGH);
	assert_int_equal(load(&rig, U), 0);
	store(&rig, U, 5);
	assert_int_equal(load(&rig, U), 5);
	assert_int_equal(peek(&rig, FRAME), 5);
	assert_int_equal(rig.d->dirty_lines, 0);
	rig_end(&rig);
}

static void test_uncached(void **state)
{
	struct rig rig;

	(void)state;
	rig_aliases(&rig, true, UNCACHED);
	store(&rig, U, 6);
	assert_int_equal(peek(&rig, FRAME), 6);
	assert_int_equal(load(&rig, K), 6);
	assert_int_equal(rig.d->stats.hits + rig.d->stats.misses, 0);
	rig_end(&rig);
}

/* A hit does not get round the rights. */
static void test_rights_on_hit(void **state)
{
	struct rig rig;
	uint32_t value;

	(void)state;
	rig_aliases(&rig, false, CACHED);
	assert_int_equal(load(&rig, U), 0);
	map_page(&rig, U, FRAME, 0x550 | CB);
	assert_int_equal(load(&rig, U), 0);
	assert_false(mem_load32(&rig.mem, U, 2, &value));
	assert_int_equal(rig.mem.data_fault.status, FAULT_PAGE_PERMISSION);
	assert_false(mem_store8(&rig.mem, U, 2, 1));
	rig_end(&rig);
}

static void test_bytes_and_halves(void **state)
{
	struct rig rig;
	uint32_t value;

	(void)state;
	rig_aliases(&rig, true, CACHED);
	store(&rig, U, 0x44332211);
	assert_true(mem_store8(&rig.mem, U + 1, 0, 0xaabb));
	assert_true(mem_store16(&rig.mem, U + 2, 0, 0x1ccdd));
	assert_int_equal(load(&rig, U), 0xccddbb11);
	assert_true(mem_load8(&rig.mem, U + 3, 0, &value));
	assert_int_equal(value, 0xcc);
	assert_true(mem_load16(&rig.mem, U + 2, 0, &value));
	assert_int_equal(value, 0xccdd);
	rig_end(&rig);
}

static void test_alignment(void **state)
{
	struct rig rig;
	uint32_t value;

	(void)state;
	rig_aliases(&rig, true, CACHED);
	store(&rig, U, 0x44332211);
	assert_int_equal(load(&rig, U + 2), 0x44332211); /* the core rotates it */
	mmu_set_control(&rig.mem.mmu, rig.mem.mmu.control | SCTLR_A);
	assert_false(mem_load32(&rig.mem, U + 2, 0, &value));
	assert_int_equal(rig.mem.data_fault.status, FAULT_ALIGNMENT);
	assert_int_equal(rig.mem.data_fault.mva, U + 2);
	assert_false(mem_store16(&rig.mem, U + 1, 0, 0));
	assert_true(mem_load8(&rig.mem, U + 1, 0, &value));
	rig_end(&rig);
}

/* The I-cache is filled from memory and keeps what it has. */
static void test_fetch(void **state)
{
	struct rig rig;

	(void)state;
	rig_aliases(&rig, true, CACHED);
	poke(&rig, FRAME, 0x10);
	store(&rig, U, 0x20); /* in the D-cache only */
	assert_true(mem_fetch_line(&rig.mem, U, 0));
	assert_int_equal(host_read(rig.mem.fetch_bytes, 4), 0x10);
	c7(&rig, 10, 1, U);
	assert_true(mem_fetch_line(&rig.mem, U, 0));
	assert_int_equal(host_read(rig.mem.fetch_bytes, 4), 0x10);
	c7(&rig, 5, 1, U);
	assert_true(mem_fetch_line(&rig.mem, U, 0));
	assert_int_equal(host_read(rig.mem.fetch_bytes, 4), 0x20);
	assert_false(mem_fetch_line(&rig.mem, PAGED + 0x9000, 0));
	assert_int_equal(rig.mem.ifsr, FAULT_PAGE_TRANSLATION);
	rig_end(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_aliases_disagree),
		cmocka_unit_test(test_allocation),
		cmocka_unit_test(test_late_write_back),
		cmocka_unit_test(test_write_through),
		cmocka_unit_test(test_uncached),
		cmocka_unit_test(test_rights_on_hit),
		cmocka_unit_test(test_bytes_and_halves),
		cmocka_unit_test(test_alignment),
		cmocka_unit_test(test_fetch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
