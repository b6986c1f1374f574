/* mmap-exec-after-write: a page of code comes by write(2) and is mapped and run.
 *
 * The kernel's copy into the page cache may still be in its data cache when the page is mapped; the first mapping must
 * write it back and drop old instructions (PG_dcache_clean). Nobody calls cacheflush(2): loading a program is the
 * kernel's work. `untouched` is mapped before it is written and touched after: on aliasing VIPT the call that maps
 * cleans everything by itself. `live` writes into a page that stays mapped; then the program has to flush, as for any
 * other code that it changes, and the kernel's own lines must not be in the way. With k=clean the kernel has just read
 * the page, so that its stores stay in a cache that allocates on reads only. */
#include "ext2.h"
#include "jit.h"
#include "pool.h"
#include "tests.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	VARIANT_REMAP,
	VARIANT_UNTOUCHED,
	VARIANT_LIVE,
	VARIANT_EXT2_REMAP,
	VARIANT_EXT2_UNTOUCHED,
	VARIANT_EXT2_LIVE,
	VARIANTS,
};

/* Few functions at a time, an eighth of the page: what is written and run then still is in the caches at the end. */
#define FUNCTIONS 8U
#define SPACING   64U
#define PART      (FUNCTIONS * SPACING)
#define PARTS     (PAGE_BYTES / PART)

struct code {
	int fd;
	void *slots;
	uint8_t *page;  /* where it is mapped */
	uint8_t *at;    /* the part of it that is written and run */
	uint16_t first; /* what function 0 of the newest code returns */
};

static uint16_t value_of(const struct code *code, unsigned int function)
{
	return (uint16_t)(code->first + function * 7U);
}

/* Functions by write(2). */
static int write_code(struct ctx *ctx, struct code *code)
{
	code->first = ctx_generation(ctx);
	for (unsigned int i = 0; i < FUNCTIONS; i++)
		jit_emit(ctx->source + (size_t)i * SPACING, JIT_NATIVE, value_of(code, i));
	if (pwrite(code->fd, ctx->source, PART, code->at - code->page) != (ssize_t)PART)
		return ctx_error(ctx, "writing code");
	return 0;
}

static int map(struct ctx *ctx, const struct code *code)
{
	void *at = mmap(code->page, PAGE_BYTES, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED,
	                code->fd, 0);

	return at == MAP_FAILED ? ctx_cannot(ctx, "executable memory of a file") : 0;
}

static void call_all(const struct code *code)
{
	for (unsigned int i = 0; i < FUNCTIONS; i++)
		(void)jit_call(code->at + (size_t)i * SPACING, JIT_NATIVE);
}

static void check_all(struct ctx *ctx, const struct jit_where *where, const struct code *code,
                      const struct switches *before)
{
	for (unsigned int i = 0; i < FUNCTIONS; i++)
		jit_check_since(ctx, where, code->at + (size_t)i * SPACING, value_of(code, i),
		                before);
}

static int prime(struct ctx *ctx, const struct code *code, bool kernel_clean)
{
	if (kernel_clean &&
	    pread(code->fd, ctx->buffer, PART, code->at - code->page) != (ssize_t)PART)
		return ctx_error(ctx, "reading code");
	return 0;
}

/* Old code that was run and is not mapped any more. */
static int run_old(struct ctx *ctx, struct code *code)
{
	if (write_code(ctx, code) < 0 || map(ctx, code) < 0)
		return -1;
	call_all(code);
	slot_clear(code->slots, 0);
	return 0;
}

static int trial_remap(struct ctx *ctx, const struct jit_where *where, struct code *code,
                       bool kernel_clean)
{
	struct switches before;

	if (run_old(ctx, code) < 0 || prime(ctx, code, kernel_clean) < 0)
		return -1;
	before = machine_switches();
	if (write_code(ctx, code) < 0 || map(ctx, code) < 0)
		return -1;
	check_all(ctx, where, code, &before);
	slot_clear(code->slots, 0);
	return 0;
}

static int trial_untouched(struct ctx *ctx, const struct jit_where *where, struct code *code,
                           bool kernel_clean)
{
	struct switches before;

	if (run_old(ctx, code) < 0 || map(ctx, code) < 0 || prime(ctx, code, kernel_clean) < 0)
		return -1;
	before = machine_switches();
	if (write_code(ctx, code) < 0)
		return -1;
	check_all(ctx, where, code, &before);
	slot_clear(code->slots, 0);
	return 0;
}

static int trial_live(struct ctx *ctx, const struct jit_where *where, struct code *code,
                      bool kernel_clean)
{
	struct switches before;

	if (write_code(ctx, code) < 0 || map(ctx, code) < 0)
		return -1;
	call_all(code);
	if (prime(ctx, code, kernel_clean) < 0)
		return -1;
	before = machine_switches();
	if (write_code(ctx, code) < 0)
		return -1;
	if (jit_flush(code->at, code->at + PART) < 0)
		return ctx_error(ctx, "cacheflush");
	check_all(ctx, where, code, &before);
	slot_clear(code->slots, 0);
	return 0;
}

typedef int trial_fn(struct ctx *ctx, const struct jit_where *where, struct code *code,
                     bool kernel_clean);

static int run_variant(struct ctx *ctx, unsigned int variant, struct code *code, trial_fn *trial)
{
	for (unsigned int index = 0; index < ctx->report->cell_count; index++) {
		struct cell cell = test_cell(ctx->test, index);
		struct jit_where where = {.cell = index, .set = JIT_NATIVE};

		if (cell.variant != variant)
			continue;
		ctx->report->running_cell = index;
		for (; where.iteration < ctx->iterations; where.iteration++) {
			code->at = code->page + where.iteration % PARTS * PART;
			if (trial(ctx, &where, code, cell.kernel == KERNEL_CLEAN) < 0)
				return -1;
			machine_breathe();
		}
	}
	return 0;
}

/* The three variants that start with first, on one file system. */
static int run_file(struct ctx *ctx, pool_file_fn *make, unsigned int first)
{
	struct code code = {.slots = slots_reserve(1)};

	if (code.slots == NULL)
		return ctx_error(ctx, "reserving addresses");
	code.page = slot_at(code.slots, 0, 0);
	code.fd = make(ctx, 0, PAGE_BYTES);
	if (code.fd < 0 || run_variant(ctx, first, &code, trial_remap) < 0 ||
	    run_variant(ctx, first + 1U, &code, trial_untouched) < 0 ||
	    run_variant(ctx, first + 2U, &code, trial_live) < 0)
		return -1;
	(void)close(code.fd);
	return 0;
}

static int run(struct ctx *ctx)
{
	enum reason reason;
	int mounted;

	if (jit_catch_faults() < 0)
		return ctx_error(ctx, "signal handlers");
	if (run_file(ctx, file_on_tmpfs, VARIANT_REMAP) < 0)
		return -1;
	mounted = ext2_mount(ctx, &reason);
	if (mounted < 0)
		return -1;
	if (mounted > 0) {
		for (unsigned int variant = VARIANT_EXT2_REMAP; variant < VARIANTS; variant++)
			ctx_skip_variant(ctx, variant, reason);
		return 0;
	}
	ctx->act_sleeps = true;
	return run_file(ctx, file_on_ext2, VARIANT_EXT2_REMAP);
}

static const struct variant variants[VARIANTS] = {
	[VARIANT_REMAP] = {"remap", KIND_CONTRACT, 0, KERNEL_ALL, 0},
	[VARIANT_UNTOUCHED] = {"untouched", KIND_CONTRACT, 0, KERNEL_ALL, 0},
	[VARIANT_LIVE] = {"live", KIND_CONTRACT, 0, KERNEL_ALL, 0},
	[VARIANT_EXT2_REMAP] = {"ext2,remap", KIND_CONTRACT, 0, KERNEL_ALL, 0},
	[VARIANT_EXT2_UNTOUCHED] = {"ext2,untouched", KIND_CONTRACT, 0, KERNEL_ALL, 0},
	[VARIANT_EXT2_LIVE] = {"ext2,live", KIND_CONTRACT, 0, KERNEL_ALL, 0},
};

const struct test test_mmap_exec_after_write = {
	.name = "mmap-exec-after-write",
	.description = "code that write(2) put into a file runs when it is mapped",
	.api = "update_mmu_cache, __sync_icache_dcache: the first executable mapping of a page",
	.kind = KIND_CONTRACT,
	.classes = CLASS_ALL,
	.needs = NEED_ROOT | NEED_TMPFS | NEED_LOOP | NEED_EXT4,
	.time_limit_s = 30,
	.iterations = 8,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
