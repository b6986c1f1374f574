#include "pool.h"

#include "ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Candidates to choose from. The chance that one delta of four comes up less than four times
 * in 64 is below 1 in 10^4, and a cell without pages is skipped, not passed. */
#define CANDIDATES 64U

int file_on_tmpfs(struct ctx *ctx, unsigned int index, off_t bytes)
{
	int fd = memfd_create(ctx->ledger->label, MFD_CLOEXEC);

	(void)index;
	if (fd < 0)
		return ctx_cannot(ctx, "memfd_create");
	if (ftruncate(fd, bytes) < 0)
		return ctx_cannot(ctx, "sizing a file on tmpfs");
	return fd;
}

int target_map(struct ctx *ctx, struct target *target, int prot, int flags)
{
	void *at =
		mmap(target->va, PAGE_BYTES, prot, flags | MAP_FIXED, target->fd, target->offset);

	return at == MAP_FAILED ? ctx_cannot(ctx, "mapping a test page") : 0;
}

int target_unmap(struct ctx *ctx, struct target *target)
{
	(void)ctx;
	slot_clear(target->slot, target->slot_index);
	return 0;
}

static struct target target_new(void *slots, unsigned int index)
{
	struct target target = {.fd = -1, .delta = -1, .slot = slots, .slot_index = index};
	/* Frames often come in sequence, so colours must not: every delta would be the same. */
	unsigned int colour = index * 2654435761U >> 30;

	target.page = index;
	target.offset = (off_t)colour * (off_t)PAGE_BYTES;
	target.va = slot_at(slots, index, colour);
	return target;
}

/* Where the pages of a pool come from: new files, one file, or (neither) anonymous memory. */
struct source {
	pool_file_fn *make;
	int fd; /* -1: none */
};

static int open_file(struct ctx *ctx, struct target *target, const struct source *source)
{
	if (source->fd < 0) {
		target->fd = source->make(ctx, target->page, target->offset + (off_t)PAGE_BYTES);
		return target->fd < 0 ? -1 : 0;
	}
	target->offset += (off_t)target->slot_index * (off_t)(COLOURS * PAGE_BYTES);
	target->fd = fcntl(source->fd, F_DUPFD_CLOEXEC, 0);
	return target->fd < 0 ? ctx_error(ctx, "a descriptor of the test file") : 0;
}

/* Map and touch a candidate and learn its frame. */
static int candidate(struct ctx *ctx, struct target *target, const struct source *source)
{
	bool is_file = source->make != NULL || source->fd >= 0;
	int flags = is_file ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;

	if (is_file && open_file(ctx, target, source) < 0)
		return -1;
	if (target_map(ctx, target, PROT_READ | PROT_WRITE, flags) < 0)
		return -1;
	memset(target->va, 0, PAGE_BYTES);
	errno = 0;
	target->pfn = page_frame(target->va);
	if (target->pfn == 0 && errno != 0)
		return ctx_cannot(ctx, "/proc/self/pagemap");
	if (target->pfn == 0)
		return ctx_skip(ctx, REASON_NOPERM, "/proc/self/pagemap hides frame numbers");
	target->delta = (int)((colour_of(target->va) ^ target->pfn) & COLOUR_MASK);
	return 0;
}

static void target_free(struct target *target)
{
	slot_clear(target->slot, target->slot_index);
	if (target->fd >= 0)
		(void)close(target->fd);
}

static struct target *pool_add(struct pool *pool, const struct target *target)
{
	struct target *added = &pool->targets[pool->count];

	*added = *target;
	added->page = pool->count; /* small, so that a test can keep one source page for each */
	added->views = pool->views + (size_t)VIEW_COUNT * pool->count++;
	return added;
}

int pool_start(struct ctx *ctx, struct pool *pool)
{
	memset(pool, 0, sizeof(*pool));
	pool->views = calloc((size_t)POOL_MAX * VIEW_COUNT, sizeof(*pool->views));
	return pool->views != NULL ? 0 : ctx_cannot(ctx, "memory for views");
}

static int pool_fill(struct ctx *ctx, struct pool *pool, const struct source *source)
{
	struct target candidates[CANDIDATES];
	unsigned int have[DELTA_COUNT] = {0};
	unsigned int made = 0;
	int result = 0;
	void *slots = slots_reserve(CANDIDATES);

	if (slots == NULL)
		return ctx_error(ctx, "reserving addresses");
	if (pool_start(ctx, pool) < 0)
		return -1;
	/* All candidates live until the choice is made: a frame given back would only be
	 * handed out again. */
	while (made < CANDIDATES && pool->count < POOL_MAX && result == 0) {
		struct target *target = &candidates[made];

		*target = target_new(slots, made);
		result = candidate(ctx, target, source);
		made++;
		if (result == 0 && target->pfn >= ctx->least_frame &&
		    have[target->delta]++ < TARGETS_PER_DELTA) {
			pool_add(pool, target);
			target->slot = NULL; /* the pool's now */
		}
	}
	for (unsigned int i = 0; i < made; i++) {
		if (candidates[i].slot != NULL)
			target_free(&candidates[i]);
	}
	return result;
}

int pool_anon(struct ctx *ctx, struct pool *pool)
{
	return pool_fill(ctx, pool, &(struct source){.fd = -1});
}

int pool_files(struct ctx *ctx, struct pool *pool, pool_file_fn *make)
{
	return pool_fill(ctx, pool, &(struct source){.make = make, .fd = -1});
}

_Static_assert(CANDIDATES *COLOURS *PAGE_BYTES == POOL_FILE_BYTES, "the file of pool_of_file()");

int pool_of_file(struct ctx *ctx, struct pool *pool, int fd)
{
	return pool_fill(ctx, pool, &(struct source){.fd = fd});
}

int pool_unmapped(struct ctx *ctx, struct pool *pool, pool_file_fn *make, unsigned int count)
{
	void *slots = slots_reserve(count);

	if (slots == NULL)
		return ctx_error(ctx, "reserving addresses");
	if (pool_start(ctx, pool) < 0)
		return -1;
	for (unsigned int i = 0; i < count; i++) {
		struct target fresh = target_new(slots, i);
		struct target *target = pool_add(pool, &fresh);

		target->fd = make(ctx, target->page, target->offset + (off_t)PAGE_BYTES);
		if (target->fd < 0)
			return -1;
	}
	return 0;
}

void pool_free(struct pool *pool)
{
	for (unsigned int i = 0; i < pool->count; i++)
		target_free(&pool->targets[i]);
	free(pool->views);
	pool->views = NULL;
	pool->count = 0;
}
