/* jit-dual-map: code is written through one mapping of a page and run through another.
 *
 * Just-in-time compilers that never have a page writable and executable at once do so. Both addresses are flushed by
 * cacheflush(2): the data lines are at the one, the instruction lines at the other. On VIVT two shared mappings in one
 * process are not cached at all (make_coherent), so a private executable mapping, which is, is the one that shows a
 * cacheflush(2) that does nothing. Flushing only the writer's address is information: a cache that finds its lines by
 * physical address is content with it, others are not. */
#include "jit.h"
#include "number.h"
#include "pool.h"
#include "tests.h"

#include <sys/mman.h>
#include <unistd.h>

enum {
	VARIANT_SHARED,
	VARIANT_PRIVATE,
	VARIANT_THUMB,
	VARIANT_SHARED_WRITER_ONLY,
	VARIANT_PRIVATE_WRITER_ONLY,
	VARIANTS,
};

#define FUNCTIONS 64U
#define SPACING   (PAGE_BYTES / FUNCTIONS)

/* One page, twice. */
struct twin {
	uint8_t *write; /* readable and writable */
	uint8_t *run;   /* readable and executable */
};

static int flush_both(uint8_t *write, uint8_t *run, size_t bytes, bool writer_only)
{
	if (jit_flush(write, write + bytes) < 0)
		return -1;
	return writer_only ? 0 : jit_flush(run, run + bytes);
}

/* Old code that was run, then new code. */
static int trial(struct ctx *ctx, const struct jit_where *where, const struct twin *twin,
                 size_t offset, bool writer_only)
{
	uint8_t *write = twin->write + offset;
	uint8_t *run = twin->run + offset;
	size_t bytes = jit_size(where->set);
	uint16_t old = ctx_generation(ctx);
	uint16_t want = ctx_generation(ctx);
	struct switches before;

	jit_emit(write, where->set, old);
	if (flush_both(write, run, bytes, false) < 0)
		return ctx_error(ctx, "cacheflush");
	(void)jit_call(run, where->set);
	before = machine_switches();
	jit_emit(write, where->set, want);
	if (flush_both(write, run, bytes, writer_only) < 0)
		return ctx_error(ctx, "cacheflush");
	jit_check_since(ctx, where, run, want, &before);
	return 0;
}

static int run_variant(struct ctx *ctx, unsigned int variant, const struct twin *twin)
{
	bool writer_only =
		variant == VARIANT_SHARED_WRITER_ONLY || variant == VARIANT_PRIVATE_WRITER_ONLY;
	struct jit_where where = {
		.cell = variant,
		.set = variant == VARIANT_THUMB ? JIT_THUMB : JIT_NATIVE,
	};

	ctx->report->running_cell = variant;
	for (; where.iteration < ctx->iterations; where.iteration++) {
		for (unsigned int i = 0; i < FUNCTIONS; i++) {
			if (trial(ctx, &where, twin, (size_t)i * SPACING, writer_only) < 0)
				return -1;
		}
	}
	return 0;
}

/* The kernel chooses the addresses, so they have colours that it allows. The executable one is touched first: the
 * writable one then finds it, or does not, when it faults in. */
static int map_twin(struct ctx *ctx, int flags, struct twin *twin)
{
	int fd = file_on_tmpfs(ctx, 0, PAGE_BYTES);

	if (fd < 0)
		return -1;
	twin->run = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_EXEC, flags, fd, 0);
	twin->write = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (twin->run == MAP_FAILED || twin->write == MAP_FAILED)
		return ctx_cannot(ctx, "executable memory of a file");
	(void)*(volatile uint8_t *)twin->run;
	*(volatile uint8_t *)twin->write = 0;
	(void)close(fd);
	return 0;
}

static int run(struct ctx *ctx)
{
	struct twin shared;
	struct twin private;

	if (map_twin(ctx, MAP_SHARED, &shared) < 0 || map_twin(ctx, MAP_PRIVATE, &private) < 0)
		return -1;
	if (jit_catch_faults() < 0)
		return ctx_error(ctx, "signal handlers");
	if (run_variant(ctx, VARIANT_SHARED, &shared) < 0 ||
	    run_variant(ctx, VARIANT_PRIVATE, &private) < 0)
		return -1;
	if (!jit_has(JIT_THUMB))
		ctx_skip_cell(ctx, VARIANT_THUMB, REASON_NOT_APPLICABLE);
	else if (run_variant(ctx, VARIANT_THUMB, &private) < 0)
		return -1;
	if (run_variant(ctx, VARIANT_SHARED_WRITER_ONLY, &shared) < 0 ||
	    run_variant(ctx, VARIANT_PRIVATE_WRITER_ONLY, &private) < 0)
		return -1;
	ctx_note(
		ctx,
		"only the writer's address flushed: stale code in %u of %u calls shared, %u of %u private",
		ctx->report->cells[VARIANT_SHARED_WRITER_ONLY].bad,
		ctx->report->cells[VARIANT_SHARED_WRITER_ONLY].trials,
		ctx->report->cells[VARIANT_PRIVATE_WRITER_ONLY].bad,
		ctx->report->cells[VARIANT_PRIVATE_WRITER_ONLY].trials);
	return 0;
}

static const struct variant variants[VARIANTS] = {
	[VARIANT_SHARED] = {"shared", KIND_CONTRACT, 0, 0, 0},
	[VARIANT_PRIVATE] = {"private", KIND_CONTRACT, 0, 0, 0},
	[VARIANT_THUMB] = {"private,thumb", KIND_CONTRACT, 0, 0, 0},
	[VARIANT_SHARED_WRITER_ONLY] = {"shared,flush=writer", KIND_INFO, 0, 0, 0},
	[VARIANT_PRIVATE_WRITER_ONLY] = {"private,flush=writer", KIND_INFO, 0, 0, 0},
};

const struct test test_jit_dual_map = {
	.name = "jit-dual-map",
	.description =
		"code written through one mapping and flushed at both runs through the other",
	.api = "cacheflush(2) of two mappings of one page",
	.kind = KIND_CONTRACT,
	.classes = CLASS_ALL,
	.needs = NEED_TMPFS,
	.time_limit_s = 30,
	.iterations = 2,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
