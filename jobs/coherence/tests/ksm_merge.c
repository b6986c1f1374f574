/* ksm-merge: merging equal pages must not lose what only the user's cache lines hold.
 *
 * ksmd compares pages through the kernel's aliases. A page that memory says is equal to a merged
 * one, but of which one word was changed in the user's lines, must not be merged: `differ`. Two
 * anchors are merged first, so that ksmd finds the page in its stable tree at the first visit,
 * before its own reading has pushed the line in question out of a small cache. In k=clean the kernel
 * has lines of the page from before the change. `equal` lets ksmd merge the page, then the user writes to
 * it: the copy must have everything.
 *
 * `interrupted` is `differ` with a ksmd that may be in the middle of comparing the page when the user writes to it.
 * It flushed before, and unmapping flushes the user's lines again, but nothing drops the lines that the
 * comparison itself left under the kernel's address: a gap, seldom met.
 *
 * Each flush is one of several that do the same work, so only a kernel without all of them
 * (M13) can fail here. */
#include "knob.h"
#include "pool.h"
#include "sysfile.h"
#include "tests.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { VARIANT_DIFFER, VARIANT_EQUAL, VARIANT_INTERRUPTED, VARIANTS };

#define ANCHORS       2U
#define SCANS         2U /* the first may have begun behind our page */
#define MERGE_ROUNDS  8U
#define SCAN_LIMIT_US 3000000U
#define SCAN_PAUSE_NS 500000L
#define FULL_SCANS    "/sys/kernel/mm/ksm/full_scans"

static struct pool pool;
static uint8_t *anchors[ANCHORS];
static struct stamp content; /* of the running batch: the same in every page */
static unsigned int in_batch;
static unsigned int trials; /* so far; moves the word that differs */
static bool anchored;
static uint64_t scans_before; /* that had ended when we last slept */
static int run_file;
static bool interrupted; /* ksmd is not stopped, only put aside */

static bool is_merged(const void *va)
{
	return page_ksm_flag(page_frame(va)) == 1;
}

static int set_run(struct ctx *ctx, const char *value)
{
	return pwrite(run_file, value, 1, 0) == 1 ? 0 : ctx_error(ctx, "starting or stopping ksmd");
}

/* Let ksmd go over everything: it cannot while this process does not sleep. Starting it is one short
 * call, so that nothing else of ours takes the lines away before it comes. Returns 0 also when time is
 * over. */
static int let_scan(struct ctx *ctx)
{
	struct timespec pause = {.tv_nsec = SCAN_PAUSE_NS};
	uint64_t deadline = machine_now_us() + SCAN_LIMIT_US;
	uint64_t now = 0;

	if (set_run(ctx, "1") < 0)
		return -1;
	do {
		(void)nanosleep(&pause, NULL);
		if (sysfile_number(FULL_SCANS, &now) < 0)
			return ctx_error(ctx, FULL_SCANS);
	} while (now < scans_before + SCANS && machine_now_us() < deadline);
	scans_before = now;
	return interrupted ? 0 : set_run(ctx, "0");
}

static int merge_anchors(struct ctx *ctx)
{
	struct pattern pattern = pattern_of(content);

	for (unsigned int i = 0; i < ANCHORS; i++)
		pattern_store(anchors[i], &pattern);
	anchored = false;
	for (unsigned int i = 0; i < MERGE_ROUNDS && !anchored; i++) {
		if (let_scan(ctx) < 0)
			return -1;
		anchored = is_merged(anchors[0]) && is_merged(anchors[1]);
	}
	return 0;
}

static int base(struct ctx *ctx, struct target *target)
{
	if (in_batch++ == 0) {
		content = ctx_stamp(ctx, WRITER_USER, ctx_generation(ctx), 0);
		if (merge_anchors(ctx) < 0)
			return -1;
	}
	target->base = pattern_of(content);
	pattern_store(target->va, &target->base);
	target->pfn = page_frame(target->va);
	return 0;
}

static int aim_differ(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	unsigned int word = trials++ * 61U % PAGE_WORDS;

	(void)cell;
	target->expect = target->base;
	target->expect.over = ctx_stamp(ctx, WRITER_USER, ctx_generation(ctx), 0);
	target->expect.from = (uint16_t)word;
	target->expect.to = (uint16_t)(word + 1U);
	target->user = target->expect;
	return 0;
}

static int state_differ(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	(void)ctx;
	(void)cell;
	user_dirty_over(target->va, &target->user);
	return 0;
}

static int act_differ(struct ctx *ctx, struct target *target)
{
	target->idle = !anchored;
	return let_scan(ctx);
}

static int aim_equal(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	(void)cell;
	target->user = target->base;
	target->expect = target->base;
	target->expect.over = ctx_stamp(ctx, WRITER_USER, ctx_generation(ctx), 0);
	target->expect.to = PAGE_WORDS;
	target->expect.mask = PATTERN_EVEN_HALVES;
	return 0;
}

static int act_equal(struct ctx *ctx, struct target *target)
{
	if (let_scan(ctx) < 0)
		return -1;
	target->idle = !is_merged(target->va);
	pattern_store_over(target->va, &target->expect);
	return 0;
}

static int end(struct ctx *ctx, struct target *target)
{
	(void)ctx;
	target->pfn = page_frame(target->va);
	in_batch = 0;
	return 0;
}

static int make_mergeable(struct ctx *ctx)
{
	void *slots = slots_reserve(ANCHORS);

	if (slots == NULL)
		return ctx_error(ctx, "reserving addresses");
	for (unsigned int i = 0; i < ANCHORS; i++) {
		anchors[i] = mmap(slot_at(slots, i, i), PAGE_BYTES, PROT_READ | PROT_WRITE,
		                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		if (anchors[i] == MAP_FAILED || madvise(anchors[i], PAGE_BYTES, MADV_MERGEABLE) < 0)
			return ctx_error(ctx, "MADV_MERGEABLE");
	}
	for (unsigned int i = 0; i < pool.count; i++) {
		if (madvise(pool.targets[i].va, PAGE_BYTES, MADV_MERGEABLE) < 0)
			return ctx_error(ctx, "MADV_MERGEABLE");
	}
	return 0;
}

/* Visit few pages at a time and never wait, whoever had other plans. */
static int set_knobs(struct ctx *ctx)
{
	static const struct setting {
		enum knob knob;
		const char *value;
	} settings[] = {
		{KNOB_KSM_ADVISOR, "none"}, {KNOB_KSM_SMART_SCAN, "0"}, {KNOB_KSM_SLEEP, "0"},
		{KNOB_KSM_PAGES, "32"},     {KNOB_KSM_RUN, "0"},
	};

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		if (!knob_exists(settings[i].knob))
			continue;
		if (knob_set(ctx, settings[i].knob, settings[i].value) < 0)
			return ctx_cannot(ctx, "setting up ksmd");
	}
	return 0;
}

static int run(struct ctx *ctx)
{
	static const struct trial_ops differ = {
		.base = base,
		.aim = aim_differ,
		.state = state_differ,
		.act = act_differ,
		.end = end,
	};
	static const struct trial_ops equal = {
		.base = base,
		.aim = aim_equal,
		.act = act_equal,
		.end = end,
	};

	if (sysfile_number(FULL_SCANS, &scans_before) < 0)
		return ctx_skip(ctx, REASON_NOCONFIG, "no KSM");
	if (!knob_exists(KNOB_KSM_RUN))
		return ctx_skip(ctx, REASON_NOPERM, "KSM cannot be set up by us");
	ctx->act_sleeps = true;
	run_file = open("/sys/kernel/mm/ksm/run", O_WRONLY | O_CLOEXEC);
	if (set_knobs(ctx) < 0 || pool_anon(ctx, &pool) < 0 || make_mergeable(ctx) < 0)
		return -1;
	if (trial_run_variant(ctx, VARIANT_DIFFER, &differ, &pool) < 0)
		return -1;
	if (trial_run_variant(ctx, VARIANT_EQUAL, &equal, &pool) < 0)
		return -1;
	interrupted = true;
	return trial_run_variant(ctx, VARIANT_INTERRUPTED, &differ, &pool);
}

static const struct variant variants[VARIANTS] = {
	[VARIANT_DIFFER] = {"differ", KIND_CONTRACT, 1U << USER_DIRTY, KERNEL_ALL, 0},
	[VARIANT_INTERRUPTED] = {"interrupted", KIND_GAP, 1U << USER_DIRTY, KERNEL_ALL, 0},
	[VARIANT_EQUAL] = {"equal", KIND_CONTRACT, USER_ALL, KERNEL_ALL, 0},
};

const struct test test_ksm_merge = {
	.name = "ksm-merge",
	.description = "pages that differ in the user's cache lines only are not merged",
	.api = "flush_anon_page, flush_dcache_page and flush_cache_page in KSM",
	.kind = KIND_CONTRACT,
	.set = SET_CORE,
	.classes = CLASS_ALIASING,
	.needs = NEED_ROOT | NEED_PAGEMAP | NEED_KSM,
	.time_limit_s = 60,
	.iterations = 3,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
