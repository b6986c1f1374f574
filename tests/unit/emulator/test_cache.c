/* One cache by itself: what hits, what is written back and where to. */
#include "emulator/snap.h"
#include "rig.h"

#include <stdlib.h>
#include <unistd.h>

static struct cache *make(struct bus *bus, struct cache_config config)
{
	struct err err;
	struct cache *cache = cache_new(bus, &config, &err);

	assert_non_null(cache);
	return cache;
}

static void test_hit_and_miss(void **state)
{
	struct rig rig;

	(void)state;
	rig_begin(&rig, false);
	poke(&rig, FRAME, 7);
	assert_int_equal(cache_find(rig.d, 0x1000, 0), CACHE_MISS);
	{
		uint32_t line = cache_fill(rig.d, 0x1000, FRAME);

		assert_int_equal(cache_find(rig.d, 0x101f, 0), line);
		assert_int_equal(cache_find(rig.d, 0x1020, 0), CACHE_MISS);
		assert_int_equal(cache_find(rig.d, 0x2000, 0), CACHE_MISS); /* same set */
		assert_int_equal(host_read(cache_bytes(rig.d, line), 4), 7);
	}
	rig_end(&rig);
}

/* Dirty bits are for halves: the clean half in the line must not go to memory. */
static void test_half_lines(void **state)
{
	struct rig rig;
	uint32_t line;

	(void)state;
	rig_begin(&rig, false);
	line = cache_fill(rig.d, 0x1000, FRAME);
	host_write(cache_bytes(rig.d, line) + 16, 4, 0x1111);
	cache_mark_dirty(rig.d, line, 0x1010);
	poke(&rig, FRAME, 0x2222);      /* lower half: newer in memory */
	poke(&rig, FRAME + 20, 0x3333); /* upper half: lost to the line */
	cache_line(rig.d, CACHE_CLEAN, 0x1000, 0);
	assert_int_equal(peek(&rig, FRAME), 0x2222);
	assert_int_equal(peek(&rig, FRAME + 16), 0x1111);
	assert_int_equal(peek(&rig, FRAME + 20), 0);
	assert_int_equal(rig.d->stats.write_backs, 1);
	assert_int_equal(rig.d->dirty_lines, 0);
	assert_int_equal(cache_find(rig.d, 0x1000, 0), line); /* cleaning keeps it */
	rig_end(&rig);
}

/* The line goes where it came from, and an invalidated one goes nowhere. */
static void test_stored_address(void **state)
{
	struct rig rig;
	uint32_t line;

	(void)state;
	rig_begin(&rig, false);
	for (unsigned n = 0; n < 2; n++) {
		line = cache_fill(rig.d, 0x1000, FRAME + 0x1000 * n);
		host_write(cache_bytes(rig.d, line), 4, 0x55 + n);
		cache_mark_dirty(rig.d, line, 0x1000);
		if (n == 0)
			cache_line(rig.d, CACHE_CLEAN, 0x1000, 0);
		cache_line(rig.d, CACHE_INVALIDATE, 0x1000, 0);
		assert_int_equal(cache_find(rig.d, 0x1000, 0), CACHE_MISS);
	}
	assert_int_equal(peek(&rig, FRAME), 0x55);
	assert_int_equal(peek(&rig, FRAME + 0x1000), 0);
	assert_int_equal(rig.d->dirty_lines, 0);
	rig_end(&rig);
}

static void test_eviction_writes_back(void **state)
{
	struct rig rig;
	struct cache *cache;
	uint32_t line;

	(void)state;
	rig_begin(&rig, false);
	cache = make(rig.bus, (struct cache_config){.bytes = 1024, .ways = 1});
	line = cache_fill(cache, 0x1000, FRAME);
	host_write(cache_bytes(cache, line), 4, 99);
	cache_mark_dirty(cache, line, 0x1000);
	assert_int_equal(cache_fill(cache, 0x1400, FRAME + 0x400), line);
	assert_int_equal(peek(&rig, FRAME), 99);
	cache_free(cache);
	rig_end(&rig);
}

static void test_replacement(void **state)
{
	struct rig rig;
	struct cache *round;
	uint32_t ways = 0;

	(void)state;
	rig_begin(&rig, false);
	round = make(rig.bus, (struct cache_config){.bytes = 1024,
	                                            .ways = 4,
	                                            .replacement = REPLACE_ROUND_ROBIN});
	for (uint32_t n = 0; n < 8; n++)
		assert_int_equal(cache_fill(round, 0x1000 * (n + 1), FRAME + 0x1000 * n), n % 4);
	cache_free(round);

	/* Random takes each way sooner or later, the same ones for the same seed. */
	for (uint32_t n = 0; n < 64; n++) {
		uint32_t way = cache_fill(rig.d, 0x1000 * (n + 1), FRAME);
		struct cache *again = make(rig.bus, rig.d->config);

		ways |= 1u << way;
		for (uint32_t k = 0; k < n; k++)
			(void)cache_fill(again, 0x1000 * (k + 1), FRAME);
		assert_int_equal(cache_fill(again, 0x1000 * (n + 1), FRAME), way);
		cache_free(again);
	}
	assert_int_equal(ways, 0xf);
	rig_end(&rig);
}

/* The next 32 ways that fills take, two bits each. */
static uint64_t next_ways(struct cache *cache)
{
	uint64_t ways = 0;

	for (uint32_t n = 0; n < 32; n++)
		ways = ways << 2 | cache_fill(cache, 0x100000 + 0x1000 * n, FRAME);
	return ways;
}

/* A cache as saved by path, but with this seed. */
static struct cache *saved(struct bus *bus, struct cache_config config, uint64_t seed,
                           const char *path)
{
	struct cache *cache;
	struct snap *snap;
	struct err err;

	config.seed = seed;
	cache = make(bus, config);
	snap = snap_open(path, &err);
	assert_non_null(snap);
	cache_snap(cache, snap);
	assert_int_equal(snap_finish(snap, &err), 0);
	snap_free(snap);
	return cache;
}

/* A loaded cache takes the ways that the saved one takes, unless it has a seed of its own; the lines are the same. */
static void test_snapshot_and_seed(void **state)
{
	char path[] = "/tmp/cohort-snap-XXXXXX";
	struct cache *same, *other, *third;
	struct snap *snap;
	struct rig rig;
	struct err err;
	uint64_t ways, others;

	(void)state;
	rig_begin(&rig, false);
	(void)next_ways(rig.d);
	(void)close(mkstemp(path));
	snap = snap_writer();
	cache_snap(rig.d, snap);
	assert_int_equal(snap_write(snap, path, &err), 0);
	snap_free(snap);
	same = saved(rig.bus, rig.d->config, rig.d->config.seed, path);
	other = saved(rig.bus, rig.d->config, 7, path);
	third = saved(rig.bus, rig.d->config, 8, path);
	(void)unlink(path);
	assert_memory_equal(other->tag, rig.d->tag,
	                    rig.d->sets * rig.d->config.ways * sizeof(*rig.d->tag));
	ways = next_ways(rig.d);
	assert_true(next_ways(same) == ways);
	others = next_ways(other);
	assert_true(others != ways);
	assert_true(next_ways(third) != others);
	cache_free(same);
	cache_free(other);
	cache_free(third);
	rig_end(&rig);
}

static void test_invalid_first(void **state)
{
	struct rig rig;
	struct cache *cache;

	(void)state;
	rig_begin(&rig, false);
	cache = make(rig.bus,
	             (struct cache_config){.bytes = 1024, .ways = 4, .invalid_first = true});
	for (uint32_t n = 0; n < 4; n++)
		assert_int_equal(cache_fill(cache, 0x1000 * (n + 1), FRAME), n);
	cache_line(cache, CACHE_INVALIDATE, 0x3000, 0);
	assert_int_equal(cache_fill(cache, 0x9000, FRAME), 2);
	cache_free(cache);
	rig_end(&rig);
}

static void test_test_and_clean(void **state)
{
	struct rig rig;
	unsigned rounds = 1;

	(void)state;
	rig_begin(&rig, false);
	assert_true(cache_test_clean(rig.d));
	for (uint32_t n = 0; n < 3; n++)
		cache_mark_dirty(rig.d, cache_fill(rig.d, 0x1000 + 32 * n, FRAME + 32 * n),
		                 0x1000 + 32 * n);
	while (!cache_test_clean(rig.d))
		rounds++;
	assert_int_equal(rounds, 3); /* one line a round */
	rig_end(&rig);
}

static void test_index_operations(void **state)
{
	struct rig rig;
	uint32_t line, way;

	(void)state;
	rig_begin(&rig, false);
	line = cache_fill(rig.d, 0x1060, FRAME + 0x60);
	way = line % 4;
	host_write(cache_bytes(rig.d, line), 4, 5);
	cache_mark_dirty(rig.d, line, 0x1060);
	cache_index(rig.d, CACHE_CLEAN, way << 30 | 0x60);
	assert_int_equal(peek(&rig, FRAME + 0x60), 5);
	cache_index(rig.d, CACHE_INVALIDATE, (way ^ 1) << 30 | 0x60);
	assert_int_equal(cache_find(rig.d, 0x1060, 0), line);
	cache_index(rig.d, CACHE_INVALIDATE, way << 30 | 0x60);
	assert_int_equal(cache_find(rig.d, 0x1060, 0), CACHE_MISS);
	rig_end(&rig);
}

static void test_impossible_geometry(void **state)
{
	static const struct cache_config bad[] = {
		{.bytes = 3000, .ways = 1},     {.bytes = 512, .ways = 1},
		{.bytes = 1u << 18, .ways = 4}, {.bytes = 1024, .ways = 0},
		{.bytes = 1024, .ways = 3},     {.bytes = 1024, .ways = 64},
	};
	struct err err;

	(void)state;
	for (size_t n = 0; n < sizeof(bad) / sizeof(bad[0]); n++) {
		err.kind = ERR_NONE;
		assert_null(cache_new(NULL, &bad[n], &err));
		assert_int_equal(err.kind, ERR_INVALID);
	}
}

/* As the ARM926 manual has it for 16 KiB, 4 ways, 8 words. */
static void test_type_bits(void **state)
{
	struct rig rig;

	(void)state;
	rig_begin(&rig, false);
	assert_int_equal(cache_type_bits(rig.d), 0x152);
	rig_end(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hit_and_miss),
		cmocka_unit_test(test_half_lines),
		cmocka_unit_test(test_stored_address),
		cmocka_unit_test(test_eviction_writes_back),
		cmocka_unit_test(test_replacement),
		cmocka_unit_test(test_snapshot_and_seed),
		cmocka_unit_test(test_invalid_first),
		cmocka_unit_test(test_test_and_clean),
		cmocka_unit_test(test_index_operations),
		cmocka_unit_test(test_impossible_geometry),
		cmocka_unit_test(test_type_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
