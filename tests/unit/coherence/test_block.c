/* test_block.c - blocks, patterns, tags and views. */
#include "jobs/coherence/block.h"
#include "jobs/coherence/inject.h"
#include "jobs/coherence/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static uint32_t page[PAGE_WORDS];

static struct stamp stamp(uint16_t generation, enum writer writer)
{
	return (struct stamp){
		.generation = generation, .page = 3, .nonce = 0xbeef, .writer = (uint8_t)writer};
}

static void test_words(void **state)
{
	struct pattern pattern = pattern_of(stamp(0x1234, WRITER_USER));

	(void)state;
	pattern_store(page, &pattern);
	assert_int_equal(page[20], 0x12340003);
	assert_int_equal(page[21], 0x0555beef);
	assert_int_equal(page[22], 0xedcbfffc);
	assert_int_equal(page[23], 0x0555beefU ^ BLOCK_XOR);
}

/* A pattern is the base with over in the words that the range and the mask select. */
static void test_pattern(void **state)
{
	struct pattern pattern = pattern_of(stamp(1, WRITER_USER));
	uint32_t base[PAGE_WORDS];
	uint32_t over[PAGE_WORDS];

	(void)state;
	pattern_store(base, &pattern);
	pattern = pattern_of(stamp(2, WRITER_KERNEL));
	pattern_store(over, &pattern);
	pattern = (struct pattern){.base = stamp(1, WRITER_USER),
	                           .over = stamp(2, WRITER_KERNEL),
	                           .from = 101,
	                           .to = 999,
	                           .mask = PATTERN_EVEN_HALVES};
	pattern_store(page, &pattern);
	for (unsigned int word = 0; word < PAGE_WORDS; word++) {
		bool is_over = word >= 101 && word < 999 && (word / 4) % 2 == 0;

		assert_int_equal(page[word], is_over ? over[word] : base[word]);
	}
	memset(page, 0, sizeof(page));
	pattern_store_over(page, &pattern);
	for (unsigned int word = 0; word < PAGE_WORDS; word++)
		assert_int_equal(page[word], pattern_is_over(&pattern, word) ? over[word] : 0);
}

static enum tag tag_of(struct stamp found, unsigned int at)
{
	struct pattern expect = pattern_of(stamp(5, WRITER_KERNEL));
	uint32_t words[HALF_WORDS];

	stamp_half(&found, at, words);
	return block_tag(words, 7, &expect, NULL);
}

static void test_tags(void **state)
{
	struct stamp other_page = stamp(5, WRITER_KERNEL);
	struct stamp other_run = stamp(4, WRITER_KERNEL);
	struct pattern expect = pattern_of(stamp(5, WRITER_KERNEL));
	uint32_t words[HALF_WORDS] = {1, 2, 3, 4};

	(void)state;
	other_page.page = 9;
	other_run.nonce = 1;
	assert_int_equal(tag_of(stamp(4, WRITER_USER), 7), TAG_STALE);
	assert_int_equal(tag_of(stamp(5, WRITER_POISON), 7), TAG_POISON);
	assert_int_equal(tag_of(stamp(4, WRITER_USER), 8), TAG_FOREIGN);
	assert_int_equal(tag_of(other_page, 7), TAG_FOREIGN);
	assert_int_equal(tag_of(other_run, 7), TAG_FOREIGN);
	assert_int_equal(tag_of(stamp(0, WRITER_ZERO), 7), TAG_ZERO);
	assert_int_equal(block_tag(words, 7, &expect, NULL), TAG_TORN);
	memset(page, 0, sizeof(page));
	memcpy(page + 7 * HALF_WORDS, words, sizeof(words));
	assert_int_equal(block_tag(words, 7, &expect, page), TAG_CIPHER);
}

/* Pages of noise and of one word are read back as what they are. */
static void test_disguised_tags(void **state)
{
	static const uint8_t writers[] = {WRITER_NOISE, WRITER_SAME};

	(void)state;
	for (size_t i = 0; i < sizeof(writers); i++) {
		struct pattern expect = pattern_of(stamp(5, writers[i]));
		struct stamp old = stamp(4, writers[i]);
		struct stamp other = old;
		uint32_t words[HALF_WORDS];

		other.page = (uint16_t)(other.page + 1U);
		stamp_half(&old, 9, words);
		assert_int_equal(block_tag(words, 9, &expect, NULL), TAG_STALE);
		stamp_half(&other, 9, words);
		assert_int_equal(block_tag(words, 9, &expect, NULL), TAG_FOREIGN);
		words[1] ^= 1U;
		assert_int_equal(block_tag(words, 9, &expect, NULL), TAG_TORN);
	}
}

/* Generations are compared in sequence, over the wrap. */
static void test_wrap(void **state)
{
	struct pattern expect = pattern_of(stamp(2, WRITER_KERNEL));
	struct stamp old = stamp(0xfffe, WRITER_KERNEL);
	uint32_t words[HALF_WORDS];

	(void)state;
	stamp_half(&old, 0, words);
	assert_int_equal(block_tag(words, 0, &expect, NULL), TAG_STALE);
}

static void test_view(void **state)
{
	struct pattern expect = pattern_of(stamp(5, WRITER_KERNEL));
	static struct view view;
	char text[PAGE_HALVES / 4U + 1U];

	(void)state;
	pattern_store(page, &expect);
	view_take(&view, VIEW_USER, page, &expect, NULL);
	assert_int_equal(halves_count(&view.bad), 0);
	page[0] ^= 1U;
	page[9 * HALF_WORDS + 3] = 0;
	page[PAGE_WORDS - 1] ^= 0x80000000U;
	view_take(&view, VIEW_USER, page, &expect, NULL);
	assert_int_equal(halves_count(&view.bad), 3);
	halves_print(&view.bad, text);
	assert_int_equal(strlen(text), 64);
	assert_memory_equal(text, "804", 3);
	assert_int_equal(text[63], '1');
	assert_int_equal(view.seen[9 * HALF_WORDS + 3], 0);
}

static void test_inject(void **state)
{
	struct pattern expect = pattern_of(stamp(5, WRITER_KERNEL));
	struct inject inject = {.tag = TAG_STALE, .active = true};
	static struct view view;

	(void)state;
	halves_set(&inject.halves[VIEW_LATE], 200);
	pattern_store(page, &expect);
	view_take(&view, VIEW_USER, page, &expect, &inject);
	assert_int_equal(halves_count(&view.bad), 0);
	inject.active = false;
	view_take(&view, VIEW_LATE, page, &expect, &inject);
	assert_int_equal(halves_count(&view.bad), 0);
	inject.active = true;
	view_take(&view, VIEW_LATE, page, &expect, &inject);
	assert_int_equal(halves_count(&view.bad), 1);
	assert_true(halves_test(&view.bad, 200));
	assert_int_equal(block_tag(view.seen + 800, 200, &expect, NULL), TAG_STALE);
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(test_words),  cmocka_unit_test(test_pattern),
		cmocka_unit_test(test_tags),   cmocka_unit_test(test_disguised_tags),
		cmocka_unit_test(test_wrap),   cmocka_unit_test(test_view),
		cmocka_unit_test(test_inject),
	};

	return cmocka_run_group_tests(cases, NULL, NULL);
}
