/* Aliasing VIPT: one physical line in several sets, and what maintenance reaches. Physical caches: none. */
#include "rig.h"

#define COLOUR(n) (PAGED + (n)*0x1000u) /* a virtual page of this colour; each is FRAME */

/* 64 KiB, four ways: 16 KiB a way, four colours. */
static const struct cache_config arm11 = {.kind = CACHE_VIPT, .bytes = 65536, .ways = 4};

static void rig_kind(struct rig *rig, struct cache_config config)
{
	struct err err;

	rig_begin(rig, false);
	cache_free(rig->d);
	cache_free(rig->i);
	rig->d = rig->mem.d = cache_new(rig->bus, &config, &err);
	config.write_allocate = false;
	rig->i = rig->mem.i = cache_new(rig->bus, &config, &err);
	assert_non_null(rig->d);
	rig_paging(rig);
	for (unsigned n = 0; n < 8; n++)
		map_page(rig, COLOUR(n), FRAME, CACHED);
}

static void test_colours(void **state)
{
	struct rig rig;

	(void)state;
	rig_kind(&rig, arm11);
	poke(&rig, FRAME, 1);
	for (unsigned n = 0; n < 4; n++)
		assert_int_equal(load(&rig, COLOUR(n)), 1);
	assert_int_equal(rig.d->stats.misses, 4);
	store(&rig, COLOUR(0), 2);
	assert_int_equal(load(&rig, COLOUR(1)), 1);
	/* The same colour is the same line, whatever the rest of the address is. */
	assert_int_equal(load(&rig, COLOUR(4)), 2);
	assert_int_equal(rig.d->stats.misses, 4);
	rig_end(&rig);
}

/* Two colours dirty: memory has what was cleaned last. */
static void test_write_back_order(void **state)
{
	struct rig rig;

	(void)state;
	for (unsigned last = 0; last < 2; last++) {
		rig_kind(&rig, arm11);
		for (unsigned n = 0; n < 2; n++) {
			(void)load(&rig, COLOUR(n));
			store(&rig, COLOUR(n), 10 + n);
		}
		assert_int_equal(peek(&rig, FRAME), 0);
		assert_true(mem_d_line(&rig.mem, CACHE_CLEAN, COLOUR(1 - last)));
		assert_int_equal(peek(&rig, FRAME), 11 - last);
		assert_true(mem_d_line(&rig.mem, CACHE_CLEAN, COLOUR(last)));
		assert_int_equal(peek(&rig, FRAME), 10 + last);
		assert_int_equal(rig.d->dirty_lines, 0);
		rig_end(&rig);
	}
}

/* Two colours, each with a half of its own: both survive. */
static void test_halves_of_two_colours(void **state)
{
	struct rig rig;

	(void)state;
	rig_kind(&rig, arm11);
	for (unsigned n = 0; n < 2; n++) {
		(void)load(&rig, COLOUR(n));
		store(&rig, COLOUR(n) + 16 * n, 20 + n);
	}
	mem_d_all(&rig.mem, CACHE_CLEAN);
	assert_int_equal(peek(&rig, FRAME), 20);
	assert_int_equal(peek(&rig, FRAME + 16), 21);
	assert_int_equal(load(&rig, COLOUR(0) + 16), 0); /* still in its line */
	rig_end(&rig);
}

/* By virtual address maintenance finds the line of that colour only; by set and way it finds all. */
static void test_maintenance_of_a_colour(void **state)
{
	struct rig rig;

	(void)state;
	rig_kind(&rig, arm11);
	(void)load(&rig, COLOUR(0));
	(void)load(&rig, COLOUR(2));
	store(&rig, COLOUR(2), 5);
	assert_true(mem_d_line(&rig.mem, CACHE_CLEAN_INVALIDATE, COLOUR(0)));
	assert_int_equal(peek(&rig, FRAME), 0);
	assert_int_equal(load(&rig, COLOUR(0)), 0);
	assert_true(mem_d_line(&rig.mem, CACHE_CLEAN_INVALIDATE, COLOUR(6))); /* colour 2, too */
	assert_int_equal(peek(&rig, FRAME), 5);
	assert_int_equal(load(&rig, COLOUR(0)), 0);
	for (uint32_t way = 0; way < 4; way++)
		mem_d_index(&rig.mem, CACHE_INVALIDATE, way << 30);
	assert_int_equal(load(&rig, COLOUR(0)), 5);
	rig_end(&rig);
}

/* A window at the right colour reaches the lines of a page that was never mapped there: what the
 * kernel's flush_pfn_alias() is made of. */
static void test_range_through_a_window(void **state)
{
	struct rig rig;

	(void)state;
	rig_kind(&rig, arm11);
	for (uint32_t at = 0; at < 4096; at += 32) {
		(void)load(&rig, COLOUR(3) + at);
		store(&rig, COLOUR(3) + at, at + 1);
	}
	map_page(&rig, COLOUR(3), FRAME + 0x4000, CACHED);
	assert_true(mem_d_range(&rig.mem, CACHE_CLEAN_INVALIDATE, COLOUR(7), COLOUR(7) + 4095));
	for (uint32_t at = 0; at < 4096; at += 32)
		assert_int_equal(peek(&rig, FRAME + at), at + 1);
	assert_int_equal(rig.d->dirty_lines, 0);
	rig_end(&rig);
}

/* A range is of lines, both ends included, and stops where nothing is mapped. */
static void test_range_ends(void **state)
{
	struct rig rig;

	(void)state;
	rig_kind(&rig, arm11);
	for (uint32_t at = 0; at < 128; at += 32) {
		(void)load(&rig, COLOUR(0) + at);
		store(&rig, COLOUR(0) + at, 1);
	}
	assert_true(mem_d_range(&rig.mem, CACHE_CLEAN, COLOUR(0) + 63, COLOUR(0) + 64));
	assert_int_equal(peek(&rig, FRAME), 0);
	assert_int_equal(peek(&rig, FRAME + 32), 1);
	assert_int_equal(peek(&rig, FRAME + 64), 1);
	assert_int_equal(peek(&rig, FRAME + 96), 0);
	assert_true(mem_d_range(&rig.mem, CACHE_CLEAN, COLOUR(0) + 64, COLOUR(0))); /* none */
	assert_false(mem_d_range(&rig.mem, CACHE_CLEAN, COLOUR(7), COLOUR(8) + 4));
	assert_int_equal(rig.mem.data_fault.mva, COLOUR(8));
	rig_end(&rig);
}

/* VIVT needs no translation, so its maintenance cannot fault. */
static void test_faults(void **state)
{
	struct cache_config vivt = arm11;
	struct rig rig;

	(void)state;
	vivt.kind = CACHE_VIVT;
	rig_kind(&rig, vivt);
	assert_true(mem_d_line(&rig.mem, CACHE_CLEAN, COLOUR(8)));
	rig_end(&rig);
	rig_kind(&rig, arm11);
	assert_false(mem_d_line(&rig.mem, CACHE_CLEAN, COLOUR(8)));
	assert_false(mem_i_line(&rig.mem, COLOUR(8)));
	rig_end(&rig);
}

/* The page moves: a tag that is physical does not hit for the new frame. */
static void test_remap(void **state)
{
	struct rig rig;

	(void)state;
	rig_kind(&rig, arm11);
	poke(&rig, FRAME + 0x1000, 77);
	assert_int_equal(load(&rig, COLOUR(0)), 0);
	map_page(&rig, COLOUR(0), FRAME + 0x1000, CACHED);
	assert_int_equal(load(&rig, COLOUR(0)), 77);
	rig_end(&rig);
}

/* Code written through one colour and run through another: D and I each have their own. */
static void test_instructions(void **state)
{
	struct rig rig;

	(void)state;
	rig_kind(&rig, arm11);
	(void)load(&rig, COLOUR(1));
	store(&rig, COLOUR(1), 0xe1a00000);
	assert_true(mem_fetch_line(&rig.mem, COLOUR(2), 0));
	assert_int_equal(host_read(rig.mem.fetch_bytes, 4), 0);
	assert_true(mem_d_line(&rig.mem, CACHE_CLEAN, COLOUR(1)));
	assert_true(mem_i_line(&rig.mem, COLOUR(1))); /* the wrong colour */
	assert_true(mem_fetch_line(&rig.mem, COLOUR(2), 0));
	assert_int_equal(host_read(rig.mem.fetch_bytes, 4), 0);
	assert_true(mem_i_range(&rig.mem, COLOUR(2), COLOUR(2)));
	assert_true(mem_fetch_line(&rig.mem, COLOUR(2), 0));
	assert_int_equal(host_read(rig.mem.fetch_bytes, 4), 0xe1a00000);
	rig_end(&rig);
}

/* No way larger than a page, or physical addresses alone: one line whatever the name. */
static void test_no_aliases(void **state)
{
	static const struct cache_config rows[] = {
		{.kind = CACHE_VIPT, .bytes = 16384, .ways = 4},
		{.kind = CACHE_PIPT, .bytes = 65536, .ways = 4},
	};

	(void)state;
	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		struct rig rig;

		rig_kind(&rig, rows[row]);
		(void)load(&rig, COLOUR(0));
		store(&rig, COLOUR(0), 3);
		for (unsigned n = 1; n < 8; n++)
			assert_int_equal(load(&rig, COLOUR(n)), 3);
		assert_int_equal(peek(&rig, FRAME), 0);
		assert_true(mem_d_line(&rig.mem, CACHE_CLEAN, COLOUR(5)));
		assert_int_equal(peek(&rig, FRAME), 3);
		assert_int_equal(cache_type_bits(rig.d) >> 11, 0);
		rig_end(&rig);
	}
}

/* What a kernel decides by: bit 11 of each half of the type register. */
static void test_type_bits(void **state)
{
	struct cache_config two_colours = arm11;
	struct rig rig;

	(void)state;
	rig_kind(&rig, arm11);
	assert_int_equal(cache_type_bits(rig.d), 0x9d2); /* 64 KiB, 4 ways, aliasing */
	rig_end(&rig);
	two_colours.bytes = 32768;
	rig_kind(&rig, two_colours);
	assert_int_equal(cache_type_bits(rig.d), 0x992);
	rig_end(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_colours),
		cmocka_unit_test(test_write_back_order),
		cmocka_unit_test(test_halves_of_two_colours),
		cmocka_unit_test(test_maintenance_of_a_colour),
		cmocka_unit_test(test_range_through_a_window),
		cmocka_unit_test(test_range_ends),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_remap),
		cmocka_unit_test(test_instructions),
		cmocka_unit_test(test_no_aliases),
		cmocka_unit_test(test_type_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
