/* Random loads, stores and maintenance beside a model that is as plain as can be: a list of lines, each
 * with its bytes, and memory. Every value read, every line and every byte of memory must be the same.
 * Which way a miss takes is read from the cache and then held to the rules of the policy.
 *
 * The seed is printed; COHORT_SEED runs one again. */
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define PAGES  8u /* of virtual addresses, from PAGED */
#define FRAMES 4u /* of memory, from FRAME: each is mapped twice */
#define LINES  2048u
#define ROUNDS 4000u

struct model_line {
	bool valid;
	uint32_t name; /* virtual or physical address of the line, by which it is known */
	uint32_t pa;
	uint8_t bytes[32];
	bool dirty[2];
};

struct model {
	struct cache_config config;
	uint32_t sets;
	struct model_line line[LINES]; /* [set * ways + way] */
	uint32_t next[LINES];          /* round robin, by set */
	uint8_t memory[FRAMES * 4096];
	bool through[PAGES]; /* a write-through page */
	uint32_t frame[PAGES];
};

static uint64_t random_state;

static uint32_t any(uint32_t below)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(random_state >> 33) % below;
}

static uint32_t physical(const struct model *model, uint32_t va)
{
	return FRAME + model->frame[(va - PAGED) / 4096] * 4096 + va % 4096;
}

static uint32_t set_of(const struct model *model, uint32_t va)
{
	uint32_t by = model->config.kind == CACHE_PIPT ? physical(model, va) : va;

	return by / 32 % model->sets;
}

static uint32_t name_of(const struct model *model, uint32_t va)
{
	uint32_t by = model->config.kind == CACHE_VIVT ? va : physical(model, va);

	return by / 32 * 32;
}

static struct model_line *lookup(struct model *model, uint32_t va)
{
	struct model_line *set = &model->line[set_of(model, va) * model->config.ways];

	for (uint32_t way = 0; way < model->config.ways; way++) {
		if (set[way].valid && set[way].name == name_of(model, va))
			return &set[way];
	}
	return NULL;
}

static void model_op(struct model *model, struct model_line *line, enum cache_op op)
{
	if (!line || !line->valid)
		return;
	for (unsigned half = 0; (op & CACHE_CLEAN) && half < 2; half++) {
		if (line->dirty[half])
			memcpy(model->memory + line->pa - FRAME + 16 * half,
			       line->bytes + 16 * half, 16);
		line->dirty[half] = false;
	}
	if (op & CACHE_INVALIDATE)
		memset(line, 0, sizeof(*line));
}

/* The cache has filled: where, and was it allowed to be there? Then do the same. */
static struct model_line *follow_fill(struct model *model, struct rig *rig, uint32_t va)
{
	uint32_t found = cache_find(rig->d, va, physical(model, va));
	uint32_t set = set_of(model, va), ways = model->config.ways;
	uint32_t way = found - set * ways;
	bool some_invalid = false;
	struct model_line *line;

	assert_int_not_equal(found, CACHE_MISS);
	assert_int_equal(found / ways, set);
	for (uint32_t n = 0; n < ways; n++)
		some_invalid |= !model->line[set * ways + n].valid;
	line = &model->line[found];
	if (model->config.invalid_first && some_invalid) {
		assert_false(line->valid);
	} else if (model->config.replacement == REPLACE_ROUND_ROBIN) {
		assert_int_equal(way, model->next[set]);
		model->next[set] = (way + 1) % ways;
	}
	model_op(model, line, CACHE_CLEAN_INVALIDATE);
	line->valid = true;
	line->name = name_of(model, va);
	line->pa = physical(model, va) / 32 * 32;
	memcpy(line->bytes, model->memory + line->pa - FRAME, 32);
	return line;
}

static void do_load(struct model *model, struct rig *rig, uint32_t va)
{
	struct model_line *line = lookup(model, va);
	uint32_t value = load(rig, va);

	if (!line)
		line = follow_fill(model, rig, va);
	assert_memory_equal(&value, line->bytes + va % 32, 4);
}

static void do_store(struct model *model, struct rig *rig, uint32_t va)
{
	struct model_line *line = lookup(model, va);
	uint32_t value = any(UINT32_MAX);
	bool through = model->through[(va - PAGED) / 4096];

	store(rig, va, value);
	if (!line && model->config.write_allocate && !through)
		line = follow_fill(model, rig, va);
	if (line)
		memcpy(line->bytes + va % 32, &value, 4);
	if (line && !through)
		line->dirty[va % 32 / 16] = true;
	else
		memcpy(model->memory + physical(model, va) - FRAME, &value, 4);
}

static void do_maintenance(struct model *model, struct rig *rig, uint32_t va)
{
	enum cache_op op = (enum cache_op)(1 + any(3));
	uint32_t index = set_of(model, va), way = any(model->config.ways);
	uint32_t shift = (uint32_t)__builtin_ctz(model->config.ways);

	switch (any(8)) {
	case 0:
		mem_d_index(&rig->mem, op, index * 32 | (shift ? way << (32 - shift) : 0));
		model_op(model, &model->line[index * model->config.ways + way], op);
		break;
	case 1:
		if (any(8))
			break; /* else nothing ever stays */
		mem_d_all(&rig->mem, op);
		for (uint32_t n = 0; n < LINES; n++)
			model_op(model, &model->line[n], op);
		break;
	case 2:
		assert_true(mem_d_range(&rig->mem, op, va, va / 4096 * 4096 + 4095));
		for (; va / 4096 * 4096 + 4095 > va; va = va / 32 * 32 + 32) {
			model_op(model, lookup(model, va), op);
			if (va % 4096 >= 4064)
				break;
		}
		break;
	case 3:
		/* Goes on where it stopped; with two dirty names of a line the order shows. */
		way = rig->d->rover;
		while (!cache_test_clean(rig->d))
			;
		for (uint32_t n = 0; n < model->sets * model->config.ways; n++)
			model_op(model,
			         &model->line[(way + n) % (model->sets * model->config.ways)],
			         CACHE_CLEAN);
		break;
	default:
		assert_true(mem_d_line(&rig->mem, op, va));
		model_op(model, lookup(model, va), op);
	}
}

static void compare(const struct model *model, const struct rig *rig)
{
	uint32_t dirty = 0;

	assert_memory_equal(bus_ram(rig->bus, FRAME, FRAMES * 4096), model->memory, FRAMES * 4096);
	for (uint32_t n = 0; n < model->sets * model->config.ways; n++) {
		const struct model_line *line = &model->line[n];

		assert_int_equal(rig->d->tag[n], line->valid ? line->name | 1 : 0);
		if (!line->valid)
			continue;
		assert_int_equal(rig->d->pa[n], line->pa);
		assert_int_equal(rig->d->dirty[n], line->dirty[0] | line->dirty[1] << 1);
		assert_memory_equal(cache_bytes(rig->d, n), line->bytes, 32);
		dirty += line->dirty[0] || line->dirty[1];
	}
	assert_int_equal(rig->d->dirty_lines, dirty);
}

static void setup(struct model *model, struct rig *rig, const struct cache_config *config)
{
	struct err err;

	rig_begin(rig, false);
	cache_free(rig->d);
	rig->d = rig->mem.d = cache_new(rig->bus, config, &err);
	assert_non_null(rig->d);
	rig_paging(rig);
	memset(model, 0, sizeof(*model));
	model->config = *config;
	model->sets = config->bytes / 32 / config->ways;
	for (uint32_t n = 0; n < FRAMES * 4096; n++)
		model->memory[n] = (uint8_t)any(256);
	memcpy(bus_ram(rig->bus, FRAME, FRAMES * 4096), model->memory, FRAMES * 4096);
	for (uint32_t page = 0; page < PAGES; page++) {
		model->frame[page] = any(FRAMES);
		model->through[page] = any(4) == 0;
		map_page(rig, PAGED + page * 4096, FRAME + model->frame[page] * 4096,
		         model->through[page] ? THROUGH : CACHED);
	}
}

/* Addresses come from few places, so that lines meet. */
static uint32_t any_address(void)
{
	return PAGED + any(PAGES) * 4096 + any(4) * 1024 + any(16) * 4;
}

static void run(const struct cache_config *config)
{
	static struct model model;
	struct rig rig;

	setup(&model, &rig, config);
	for (unsigned round = 0; round < ROUNDS; round++) {
		uint32_t va = any_address();
		uint32_t what = any(16);

		if (what < 7)
			do_load(&model, &rig, va);
		else if (what < 14)
			do_store(&model, &rig, va);
		else
			do_maintenance(&model, &rig, va);
		if (round % 16 == 0)
			compare(&model, &rig);
	}
	compare(&model, &rig);
	rig_end(&rig);
}

static void test_against_the_model(void **state)
{
	static const uint32_t geometry[][2] = {{1024, 2}, {16384, 1}, {8192, 4}, {65536, 4}};
	const char *given = getenv("COHORT_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);

	(void)state;
	printf("seed %ju\n", (uintmax_t)seed);
	random_state = seed;
	for (unsigned row = 0; row < 4 * 3 * 2 * 2 * 2; row++) {
		struct cache_config config = {
			.kind = (enum cache_kind)(row / 4 % 3),
			.bytes = geometry[row % 4][0],
			.ways = geometry[row % 4][1],
			.write_allocate = row / 12 % 2,
			.replacement = row / 24 % 2 ? REPLACE_ROUND_ROBIN : REPLACE_RANDOM,
			.invalid_first = row / 48 % 2,
			.seed = seed,
		};

		run(&config);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_the_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
