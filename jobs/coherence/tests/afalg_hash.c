/* afalg-hash: the kernel computes the SHA-256 of memory that is dirty in the user's lines.
 *
 * The hash reads the pages through the kernel's alias. get_user_pages must have written the user's
 * lines back before, and dropped the kernel's old ones: else the digest is that of what the page
 * held before, which the record says (tag stale). The page itself is looked at as well: hashing it
 * must not change it. */
#include "afalg.h"
#include "number.h"
#include "pool.h"
#include "sha256.h"
#include "tests.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { VARIANT_SENDMSG, VARIANT_SPLICE, VARIANT_SPAN, VARIANTS };

#define SPAN_PAGES 3U

static struct pool pool;
static struct afalg alg;
static int pipe_ends[2];
static unsigned int pages; /* that the running variant hashes: the target's and those behind it */
static struct switches before; /* the act */
static struct digests {
	uint8_t was[SHA256_BYTES],
		is[SHA256_BYTES]; /* of the page before and after the user's stores */
	uint8_t got[SHA256_BYTES];
} digests;

/* The digest of pages with this content, by our own code; source is overwritten. */
static void digest_of(const struct ctx *ctx, const struct pattern *pattern,
                      uint8_t digest[SHA256_BYTES])
{
	struct sha256 hash;

	pattern_store(ctx->source, pattern);
	sha256_init(&hash);
	for (unsigned int i = 0; i < pages; i++)
		sha256_update(&hash, ctx->source, PAGE_BYTES);
	sha256_final(&hash, digest);
}

static uint8_t *page_of(const struct target *target, unsigned int index)
{
	return (uint8_t *)target->va + (size_t)index * PAGE_BYTES;
}

static int base(struct ctx *ctx, struct target *target)
{
	(void)ctx;
	for (unsigned int i = 0; i < pages; i++)
		pattern_store(page_of(target, i), &target->base);
	return 0;
}

static int aim(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	(void)cell;
	target->user = pattern_of(ctx_stamp(ctx, WRITER_USER, ctx_generation(ctx), target->page));
	target->expect = target->user;
	digest_of(ctx, &target->base, digests.was);
	digest_of(ctx, &target->user, digests.is);
	return 0;
}

static int prime(struct ctx *ctx, struct target *target)
{
	for (unsigned int i = 0; i < pages; i++) {
		if (kernel_read_own(ctx->self_mem, page_of(target, i), ctx->buffer) < 0)
			return ctx_error(ctx, "reading /proc/self/mem");
	}
	return 0;
}

/* Absent means: not loaded, so that the stores go past a cache that allocates on reads. */
static int state(struct ctx *ctx, struct target *target, const struct cell *cell)
{
	(void)ctx;
	for (unsigned int i = 0; i < pages; i++) {
		if (cell->user == USER_ABSENT)
			pattern_store(page_of(target, i), &target->user);
		else
			user_dirty(page_of(target, i), &target->user);
	}
	return 0;
}

static int take_digest(struct ctx *ctx)
{
	return ctx_whole(ctx, read(alg.fd, digests.got, SHA256_BYTES), SHA256_BYTES,
	                 "AF_ALG: reading the digest");
}

static int act_sendmsg(struct ctx *ctx, struct target *target)
{
	before = machine_switches();
	if (ctx_whole(ctx, send(alg.fd, target->va, (size_t)pages * PAGE_BYTES, 0),
	              (size_t)pages * PAGE_BYTES, "AF_ALG: send") < 0)
		return -1;
	return take_digest(ctx);
}

static int act_splice(struct ctx *ctx, struct target *target)
{
	struct iovec vector = {.iov_base = target->va, .iov_len = PAGE_BYTES};

	before = machine_switches();
	if (ctx_whole(ctx, vmsplice(pipe_ends[1], &vector, 1, 0), PAGE_BYTES, "vmsplice") < 0 ||
	    ctx_whole(ctx, splice(pipe_ends[0], NULL, alg.fd, NULL, PAGE_BYTES, 0), PAGE_BYTES,
	              "AF_ALG: splice") < 0)
		return -1;
	return take_digest(ctx);
}

static uint32_t first_word(const uint8_t digest[SHA256_BYTES])
{
	uint32_t word;

	memcpy(&word, digest, sizeof(word));
	return word;
}

/* The digest is a number of its own; the page, looked at through /proc/self/mem, the kernel's view. */
static int kernel_view(struct ctx *ctx, struct target *target)
{
	struct number number = {
		.cell = ctx->report->running_cell,
		.fault = FAULT_STALE_KERNEL,
		.want = first_word(digests.is),
		.got = first_word(digests.got),
		.va = target->va,
		.length = PAGE_BYTES,
		.tag = memcmp(digests.got, digests.was, SHA256_BYTES) == 0 ? TAG_STALE : TAG_TORN,
		.before = before,
	};

	if (!ctx->control)
		(void)number_check(ctx, &number);
	else if (number.want != number.got)
		ctx->report->cells[number.cell].control_bad++; /* settled, and wrong all the same */
	if (trial_read(ctx, target) < 0)
		return -1;
	view_take(&target->views[VIEW_KERNEL], VIEW_KERNEL, ctx->buffer, &target->expect,
	          ctx->inject);
	return 0;
}

static int run_variant(struct ctx *ctx, unsigned int variant)
{
	struct trial_ops ops = {
		.base = base,
		.aim = aim,
		.prime = prime,
		.state = state,
		.act = variant == VARIANT_SPLICE ? act_splice : act_sendmsg,
		.kernel_view = kernel_view,
	};

	return trial_run_variant(ctx, variant, &ops, &pool);
}

/* Give each page two more behind it, in its slot's fence; all of it stays below the size from which
 * the kernel flushes the whole cache. */
static int add_pages(struct ctx *ctx)
{
	for (unsigned int i = 0; i < pool.count; i++) {
		if (mmap(page_of(&pool.targets[i], 1), (SPAN_PAGES - 1U) * PAGE_BYTES,
		         PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		         0) == MAP_FAILED)
			return ctx_error(ctx, "memory behind a test page");
	}
	pages = SPAN_PAGES;
	return 0;
}

static int run(struct ctx *ctx)
{
	static const char *const names[] = {"sha256-generic", "sha256", NULL};

	pages = 1;
	if (afalg_open(ctx, &alg, "hash", names, NULL, 0) < 0 || pool_anon(ctx, &pool) < 0)
		return -1;
	ctx_note(ctx, "%s", alg.driver);
	if (pipe2(pipe_ends, O_CLOEXEC) < 0)
		return ctx_error(ctx, "pipe");
	if (run_variant(ctx, VARIANT_SENDMSG) < 0 || run_variant(ctx, VARIANT_SPLICE) < 0 ||
	    add_pages(ctx) < 0)
		return -1;
	return run_variant(ctx, VARIANT_SPAN);
}

#define USER_WRITES (1U << USER_ABSENT | 1U << USER_DIRTY)

static const struct variant variants[VARIANTS] = {
	[VARIANT_SENDMSG] = {"sendmsg", KIND_CONTRACT, USER_WRITES, KERNEL_ALL, DELTA_ALL},
	[VARIANT_SPLICE] = {"splice", KIND_CONTRACT, USER_WRITES, KERNEL_ALL, DELTA_ALL},
	[VARIANT_SPAN] = {"span", KIND_CONTRACT, USER_WRITES, KERNEL_ALL, DELTA_PAIR},
};

const struct test test_afalg_hash = {
	.name = "afalg-hash",
	.description = "the kernel's SHA-256 of memory that the user has just written",
	.api = "flush_anon_page and flush_dcache_page in get_user_pages",
	.kind = KIND_CONTRACT,
	.classes = CLASS_ALIASING,
	.needs = NEED_PAGEMAP | NEED_AF_ALG,
	.time_limit_s = 60,
	.iterations = 1,
	.variants = variants,
	.variant_count = VARIANTS,
	.run = run,
};
